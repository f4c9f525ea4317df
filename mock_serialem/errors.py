"""The exceptions a script sees, and the one that command handlers raise."""

from __future__ import annotations

NORMAL_EXIT = "Normal exit"
USER_STOP = "User STOP"


class SEMerror(Exception):  # noqa: N818 - the name is SerialEM's
    """A command failed inside SerialEM."""


class SEMmoduleError(Exception):
    """The module itself failed: no connection, no image in a buffer, an unsuitable array."""


class SEMexited(Exception):  # noqa: N818 - the name is SerialEM's
    """Control has ended: text ``Normal exit`` or ``User STOP``."""


class CommandError(Exception):
    """What a command handler raises; the dispatcher turns it into message box, log line and `SEMerror`.

    Parameters
    ----------
    message : str
        What SerialEM would show in its message box.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class UnansweredError(CommandError):
    """A question that nobody answers; it fails the run with its text, whatever the script does about message boxes.

    Parameters
    ----------
    question : str
        ``COMMAND: prompt``.
    """

    def __init__(self, question: str) -> None:
        super().__init__(f"the operator has no answer to: {question.partition(': ')[2]}")
        self.question = question


class ScriptKilled(BaseException):
    """Stands for the sudden death of a script's process where the script runs in this process."""


class ScriptExit(Exception):  # noqa: N818 - not an error
    """Raised by the ``Exit`` command inside the dispatcher.

    Parameters
    ----------
    code : float
        0 or left out in the call: the script sees ``SEMexited("Normal exit")``. Otherwise the call returns.
    """

    def __init__(self, code: float) -> None:
        super().__init__(f"exit {code:g}")
        self.code = code
