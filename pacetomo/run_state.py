"""What is known during a run after each exposure: all that is needed to go on from there.

Frozen, with updates that return new states, so that a state written to disk is always a complete one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from pacetomo.errors import RunFileError
from pacetomo.frames import ORIGIN, XY

BRANCHES = ("up", "down")


@dataclass(frozen=True)
class BranchState:
    """One target on one side of the start tilt.

    Attributes
    ----------
    shift_um : XY
        Specimen shift last reported.
    focus_um : float
        Absolute SerialEM defocus.
    z0_um : float
        Present estimate of the eucentric offset.
    n0_um : float
        Distance from the tilt axis.
    shifts_um, angles_deg : tuple of float
        Latest displacements along specimen Y and the tilts they belong to; of equal length.
    image_shift : XY
        Image shift to apply, IS units.
    aligned : XY
        Accumulated shifts from alignment, IS units.
    dose_e_per_a2 : float
        Dose so far, both branches.
    section : int
        Section of the latest image in the stack, from 0; -1 for none yet.
    skip : bool
        Whether this branch has ended early.
    extra : tuple of (str, str)
        Further keys and values of the run file, in order.
    """

    shift_um: XY = ORIGIN
    focus_um: float = 0.0
    z0_um: float = 0.0
    n0_um: float = 0.0
    shifts_um: tuple[float, ...] = ()
    angles_deg: tuple[float, ...] = ()
    image_shift: XY = ORIGIN
    aligned: XY = ORIGIN
    dose_e_per_a2: float = 0.0
    section: int = -1
    skip: bool = False
    extra: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if len(self.shifts_um) != len(self.angles_deg):
            raise RunFileError(
                f"shifts and angles of a branch differ in number ({len(self.shifts_um)} and "
                f"{len(self.angles_deg)}); each displacement needs its tilt"
            )


@dataclass(frozen=True)
class TargetState:
    """One target: its two branches, None before they have begun.

    Attributes
    ----------
    number : int
        Number of the target, from 1.
    up, down : BranchState or None
        Above (with the start tilt) and below the start tilt.
    """

    number: int
    up: BranchState | None = None
    down: BranchState | None = None

    @property
    def sections(self) -> int:
        """Images in the stack of this target as far as known."""
        return 1 + max((branch.section for branch in (self.up, self.down) if branch is not None), default=-1)

    def branch(self, name: str) -> BranchState | None:
        """Return the branch "up" or "down"."""
        return self.up if _checked(name) == "up" else self.down

    def with_branch(self, name: str, state: BranchState | None) -> TargetState:
        """Return the target with another state of the branch "up" or "down"."""
        return replace(self, up=state) if _checked(name) == "up" else replace(self, down=state)


@dataclass(frozen=True)
class RunHeader:
    """Scheme and geometry that the saved state belongs to; all in degrees."""

    start_tilt_deg: float = 0.0
    min_tilt_deg: float = -60.0
    max_tilt_deg: float = 60.0
    step_deg: float = 3.0
    pretilt_deg: float = 0.0
    rotation_deg: float = 0.0


@dataclass(frozen=True)
class RunState:
    """A run after one of its exposures.

    Attributes
    ----------
    targets : tuple of TargetState
        In the order of the target file.
    position : tuple of (int, int), or None
        Last recorded section (from 0; images per series so far less 1) and the place (from 0) of the last
        target recorded at that tilt. None before the first exposure and after the last.
    header : RunHeader
        Scheme and geometry.
    """

    targets: tuple[TargetState, ...]
    position: tuple[int, int] | None = None
    header: RunHeader = RunHeader()

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to resume: no position and no branches."""
        return self.position is None and all(
            target.up is None and target.down is None for target in self.targets
        )

    def numbered(self, number: int) -> TargetState:
        """Return the state of a target; RunFileError if there is none of that number."""
        for target in self.targets:
            if target.number == number:
                return target
        raise RunFileError(f"the saved run has no target {number}")

    def with_target(self, target: TargetState) -> RunState:
        """Return the run with another state of a target it has."""
        self.numbered(target.number)
        return replace(
            self, targets=tuple(target if old.number == target.number else old for old in self.targets)
        )

    def with_branch(self, number: int, name: str, state: BranchState | None) -> RunState:
        """Return the run with another state of one branch ("up" or "down") of a target."""
        return self.with_target(self.numbered(number).with_branch(name, state))

    def with_position(self, section: int, place: int) -> RunState:
        """Return the run after the exposure of `section` (from 0) of the target in `place` (from 0)."""
        return replace(self, position=(section, place))

    def finished(self) -> RunState:
        """Return the run as it is kept when all is done: nothing to resume."""
        return replace(
            self, targets=tuple(TargetState(target.number) for target in self.targets), position=None
        )


def _checked(name: str) -> str:
    """Return a branch name, or say that it is none: a programming error."""
    if name not in BRANCHES:
        raise ValueError(f"a branch is 'up' or 'down', not {name!r}")
    return name
