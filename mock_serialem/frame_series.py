"""What a script queues for its next exposure: tilts, focus and shifts between the frames of one Record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mock_serialem import shifts
from mock_serialem.errors import CommandError
from mock_serialem.stage_moves import tilt_limit_deg

if TYPE_CHECKING:
    from mock_serialem.session import Session

TILT, OPEN, WAIT, FOCUS, IMAGE_SHIFT, BEAM_SHIFT = 1, 2, 4, 8, 16, 32
_WIDTHS = ((TILT, 1), (OPEN, 1), (WAIT, 1), (FOCUS, 1), (IMAGE_SHIFT, 2), (BEAM_SHIFT, 2))


@dataclass
class FrameOptions:
    """Numbers that only reports give back.

    Attributes
    ----------
    files : tuple of int
        File type, raw packed, 4-bit mode, times 100, skip rotation, one frame per file.
    align : tuple of int
        Binning, precision kept, strategy, all against all, refinement, groups.
    """

    files: tuple[int, ...] = (2, 0, 0, 0, 0, 0)
    align: tuple[int, ...] = (4, 0, 0, 7, 1, 0)


@dataclass(frozen=True)
class FrameStep:
    """One step of a queue; None leaves a quantity as it is.

    Attributes
    ----------
    tilt_deg : float or None
    open_s, wait_s : float
        Shutter open, and waiting before that.
    focus_um : float or None
        Change against the start of the series.
    image_shift, beam_shift : tuple of float or None
        Change against the start of the series.
    """

    tilt_deg: float | None = None
    open_s: float = 0.0
    wait_s: float = 0.0
    focus_um: float | None = None
    image_shift: tuple[float, float] | None = None
    beam_shift: tuple[float, float] | None = None


def steps_from_values(values: list[float], flags: int) -> list[FrameStep]:
    """Read steps off a list that has for each step the values whose flags are set, in the order of the flags.

    Raises
    ------
    CommandError
        Illegal flags, or a list that does not divide into steps.
    """
    width = sum(count for flag, count in _WIDTHS if flags & flag)
    if not width or flags >= 2 * BEAM_SHIFT:
        raise CommandError(f"{flags} does not name what changes between frames")
    if not values or len(values) % width:
        raise CommandError(f"{len(values)} values do not divide into steps of {width}")
    return [_step(values[place : place + width], flags) for place in range(0, len(values), width)]


def _step(values: list[float], flags: int) -> FrameStep:
    rest = list(values)
    taken = {flag: [rest.pop(0) for _ in range(count)] for flag, count in _WIDTHS if flags & flag}

    def one(flag: int) -> float | None:
        return taken[flag][0] if flag in taken else None

    def two(flag: int) -> tuple[float, float] | None:
        return (taken[flag][0], taken[flag][1]) if flag in taken else None

    return FrameStep(
        one(TILT), one(OPEN) or 0.0, one(WAIT) or 0.0, one(FOCUS), two(IMAGE_SHIFT), two(BEAM_SHIFT)
    )


def check(session: Session, steps: list[FrameStep]) -> None:
    """Refuse steps beyond the limits of tilt and image shift.

    Raises
    ------
    CommandError
        A step is out of reach.
    """
    limit = tilt_limit_deg(session)
    start = shifts.displayed(session)
    for step in steps:
        if step.tilt_deg is not None and abs(step.tilt_deg) > limit + 0.05:
            raise CommandError(f"A tilt of {step.tilt_deg:.2f} degrees is beyond the limit of {limit:.1f}")
        if step.image_shift is not None:
            wanted = (start[0] + step.image_shift[0], start[1] + step.image_shift[1])
            if shifts.length_um(session, wanted) > shifts.limit_um(session):
                raise CommandError("The series needs image shifts beyond the limit")


def play(session: Session, steps: list[FrameStep]) -> None:
    """Go through the steps after the shutter has opened; the tilt stays, focus and shifts go back."""
    world, column = session.world, session.column
    focus, shift, beam = world.focus_um, shifts.displayed(session), column.beam_shift
    for step in steps:
        if step.tilt_deg is not None:
            world.tilt_to(step.tilt_deg)
        if step.focus_um is not None:
            world.set_focus(focus + step.focus_um)
        if step.image_shift is not None:
            shifts.set_displayed(session, (shift[0] + step.image_shift[0], shift[1] + step.image_shift[1]))
        if step.beam_shift is not None:
            column.beam_shift = (beam[0] + step.beam_shift[0], beam[1] + step.beam_shift[1])
        session.spend(step.wait_s, "wait")
        session.spend(step.open_s, "expose")
    if world.focus_um != focus:
        world.set_focus(focus)
    if shifts.displayed(session) != shift:
        shifts.set_displayed(session, shift)
    column.beam_shift = beam
