"""The errors that a user can cause or cure.

A `PaceError` says in one clear sentence what happened, where (file, line, target, tilt) and what is needed.
Anything else that is raised is a bug and stays visible as one. SerialEM's STOP is not part of this family:
nothing here may catch it.
"""

from __future__ import annotations


class PaceError(Exception):
    """Something went wrong in a way that a user can understand and act on."""


class SettingsError(PaceError):
    """A setting has an unknown name, the wrong type, or a value that cannot be used."""


class TargetFileError(PaceError):
    """A target file cannot be read, or contradicts itself."""


class RunFileError(PaceError):
    """The saved state of a run cannot be read or written."""


class MetadataError(PaceError):
    """An mdoc file is broken or lacks what is needed."""


class NavigatorError(PaceError):
    """A Navigator file is broken or lacks what is needed, or the Navigator itself does."""


class ProfileError(PaceError):
    """A stage profile cannot be read, written or learnt."""


class StackError(PaceError):
    """An image stack is missing, truncated or damaged."""


class PlanError(PaceError):
    """The planned acquisition cannot be done as asked."""


class ImageNotSavedError(PaceError):
    """An image was exposed and could not be saved; `dose_e_per_a2` has been spent on the target."""

    def __init__(self, message: str, dose_e_per_a2: float) -> None:
        super().__init__(message)
        self.dose_e_per_a2 = dose_e_per_a2


class AreaError(PaceError):
    """Something that keeps every further image of an area from being taken; the area ends."""


class ScopeError(PaceError):
    """The microscope, or SerialEM in front of it, refused or failed."""


class StackHeldError(ScopeError):
    """A stack cannot be opened; nothing has been exposed."""


class NotExposedError(ScopeError):
    """The camera failed, and the present image is still the one before: nothing has been exposed."""


class SessionError(AreaError):
    """Something that keeps every further area of a session from being taken, too."""


OWN_FAULTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BufferError,
    LookupError,
    MemoryError,
    NameError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What a defect of this program raises, and nothing else: exceptions of Python itself.

SerialEM's STOP is an exception of its module and derives from `Exception` only, so it is none of these and passes
wherever they are caught. Caught where the alternative is to lose the rest of a night, and noted with a traceback.
"""
