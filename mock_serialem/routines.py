"""SerialEM's own procedures: walking up, autofocus, eucentricity, resetting image shift with realignment."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mock_serialem import shifts
from mock_serialem.acquisition import acquire, prepare, setup_for
from mock_serialem.alignment import apply_shift, measure
from mock_serialem.errors import CommandError
from mock_serialem.image import Image
from mock_serialem.stage_moves import tilt_limit_deg

if TYPE_CHECKING:
    from mock_serialem.session import Session

_FOCUS_SETS = {0: "F", 1: "V", 2: "V", 3: "S", 4: "S", -1: "R", -2: "P"}
_MAX_EUCENTRIC_PASSES = 3


def track(session: Session, letter: str, reference: Image) -> Image:
    """Take an image and shift it onto a reference.

    Raises
    ------
    CommandError
        Nothing to align on, or the image shift limit is reached.
    """
    image = acquire(session, letter, frames=False)
    found = measure(session, image, reference, None)
    if found is None:
        raise CommandError("Tracking failed: no correlation peak was found")
    apply_shift(session, image, found.shift_um, no_shift=False)
    return image


def walk(session: Session, angle: float) -> None:
    """Tilt to an angle in steps, keeping the feature centred with Trial images.

    Raises
    ------
    CommandError
        The angle is out of reach or tracking fails.
    """
    limit = tilt_limit_deg(session)
    if abs(angle) > limit + 0.05:
        raise CommandError(f"A tilt of {angle:.2f} degrees is beyond the limit of {limit:.1f}")
    start = session.world.tilt_readback_deg()
    # Steps shrink towards high tilt, as foreshortening grows; five degrees are safe everywhere.
    steps = max(1, math.ceil(abs(angle - start) / 5.0))
    reference = acquire(session, "T", frames=False)
    for step in range(1, steps + 1):
        session.world.tilt_to(start + (angle - start) * step / steps)
        reference = track(session, "T", reference)


def realign_after_reset(session: Session, limit_um: float) -> None:
    """Reset the image shift and realign when it exceeds a limit (µm).

    Raises
    ------
    CommandError
        Realigning failed.
    """
    if math.hypot(*shifts.specimen_shift_um(session)) <= limit_um:
        return
    letter = "V" if session.low_dose.on else "T"
    reference = acquire(session, letter, frames=False)
    shifts.reset_image_shift(session)
    track(session, letter, reference)


# --- focus


def _within(value: float, limits: tuple[float, float]) -> bool:
    return limits == (0.0, 0.0) or limits[0] <= value <= limits[1]


def autofocus(session: Session, mode: int, area: int) -> None:
    """Measure defocus with tilted beam and, for mode 1, change focus to the target.

    A poor measurement is no error: its code is kept for ``ReportAutoFocus``.

    Raises
    ------
    CommandError
        Unknown mode or area.
    """
    if mode not in (1, -1, -2) or area not in _FOCUS_SETS:
        raise CommandError(f"Autofocus mode {mode} or area {area} is not legal")
    letter = _FOCUS_SETS[area] if session.low_dose.on else "F"
    world, script, focus = session.world, session.script, session.focus
    prepare(session, letter)
    world.set_focus(world.focus_um + script.autofocus_offset_um)
    result = world.autofocus(setup_for(session, letter), focus.target_um)
    world.set_focus(world.focus_um - script.autofocus_offset_um)
    measured = result.defocus_um - script.autofocus_offset_um
    if area in (2, 4):
        measured -= session.low_dose.areas[letter].defocus_um
    focus.drift_nm_s = (0.0, 0.0)
    code = result.code
    change = focus.target_um - measured
    if code == 0 and mode == 1:
        if not _within(world.focus_um + change, script.focus_absolute_limits_um):
            code = 2
        elif not _within(change, script.focus_change_limits_um):
            code = 3
    focus.last = (measured, code)
    if code == 0 and mode == 1:
        world.set_focus(world.focus_um + change)
    session.log.add(f"Measured defocus = {measured:.2f} microns" + ("" if code == 0 else f", code {code}"))


# --- eucentricity


def eucentricity(session: Session, mode: int) -> None:
    """Move the stage to eucentric height; in low dose with View images, whose field holds the shifts.

    Parameters
    ----------
    session : Session
    mode : int
        Sum of 1 rough, 2 fine, 4 refine and realign; -1 by focus.

    Raises
    ------
    CommandError
        Illegal mode, or nothing to align on.
    """
    if mode == -1:
        _eucentricity_by_focus(session)
        return
    if not 1 <= mode <= 7:
        raise CommandError(f"Eucentricity mode {mode} is not legal")
    letter = "V" if session.low_dose.on else "T"
    reference = acquire(session, letter, frames=False) if mode & 4 else None
    if mode & 1:
        session.focus.rough_failed = not _find_z(session, letter, fine=False)
        if session.focus.rough_failed:
            raise CommandError("Rough eucentricity failed: no correlation between images")
    if mode & 6:
        if not _find_z(session, letter, fine=True):
            raise CommandError("Fine eucentricity failed: no correlation between images")
        session.focus.axis_offset_um = session.world.config.stage.measured_axis_offset_um
    shifts.reset_image_shift(session)
    if reference is not None:
        track(session, letter, reference)


def _find_z(session: Session, letter: str, fine: bool) -> bool:
    """Measure and set the stage Z, repeating while the change is large; False if nothing was seen."""
    world = session.world
    prepare(session, letter)
    for _ in range(_MAX_EUCENTRIC_PASSES):
        z_um = world.find_eucentric_z(fine, setup_for(session, letter))
        if z_um is None:
            return False
        x, y, old = world.stage_position_um()
        world.move_stage_to(x, y, z_um)
        session.log.add(f"Changing Z by {z_um - old:.2f} to {z_um:.2f}")
        if abs(z_um - old) < (1.0 if fine else 5.0):
            break
    return True


def _eucentricity_by_focus(session: Session) -> None:
    """Measure defocus at the standard focus and move Z by the difference."""
    world = session.world
    letter = "V" if session.low_dose.on else "F"
    prepare(session, letter)
    result = world.autofocus(setup_for(session, letter), session.focus.target_um)
    if result.code:
        raise CommandError("Eucentricity by focus failed: defocus could not be measured")
    offset = session.low_dose.areas[letter].defocus_um if session.low_dose.on else 0.0
    x, y, z = world.stage_position_um()
    world.move_stage_to(x, y, z - (result.defocus_um - offset - world.focus_um + offset))


def drift_wait(session: Session, rate_nm_s: float, longest_s: float, interval_s: float, action: int) -> None:
    """Take Trial images until the shift between two is below a rate.

    Raises
    ------
    CommandError
        Nothing to align on, or the rate was not reached in time and the action is to fail.
    """
    rate, longest, interval = rate_nm_s or 1.0, longest_s or 60.0, interval_s or 5.0
    started = session.world.clock_s
    reference = acquire(session, "T", frames=False)
    while True:
        last = session.world.clock_s
        session.spend(interval, "wait")
        image = acquire(session, "T", frames=False)
        found = measure(session, image, reference, None)
        if found is None:
            raise CommandError("Waiting for drift failed: no correlation peak was found")
        seen = 1000.0 * math.hypot(*found.shift_um) / (session.world.clock_s - last)
        reference = image
        failed = seen > rate and session.world.clock_s - started > longest
        session.focus.wait_drift = (seen, float(failed))
        session.log.add(f"Drift = {seen:.2f} nm/s")
        if seen <= rate:
            return
        if failed:
            if action > 0:
                raise CommandError(f"Drift did not fall below {rate:g} nm/s")
            return
