"""What is set up for the next exposure, several Records in one go, and options of frames."""

from __future__ import annotations

import math

from mock_serialem import acquisition, frame_series, shifts
from mock_serialem.commands import command
from mock_serialem.errors import CommandError
from mock_serialem.frame_series import FrameStep
from mock_serialem.session import Session
from mock_serialem.stage_moves import tilt
from mock_serialem.storage import save_image

_DEFAULT = -9
_MOST_STEPS = 1000


def _queue(session: Session, steps: list[FrameStep], frames: bool) -> None:
    if frames and not (session.cameras.get("R").dose_frac and session.cameras.get("R").save_frames):
        raise CommandError("Record must save dose-fractionated frames for a series of frames")
    frame_series.check(session, steps)
    session.script.frame_steps = steps


@command("QueueFrameTiltSeries")
def queue_tilt_series(
    session: Session,
    start: float,
    increment: float,
    steps: int,
    open_s: float = 0.0,
    wait_s: float = 0.0,
    focus: float = 0.0,
    shift_x: float = 0.0,
    shift_y: float = 0.0,
    initial_delay: float = 0.0,
) -> None:
    """Tilt in equal steps during the next Record, with changes of focus and image shift per step."""
    if not 1 <= steps <= _MOST_STEPS:
        raise CommandError(f"A series cannot have {steps} steps")
    queue = [
        FrameStep(
            start + n * increment,
            open_s,
            wait_s + (initial_delay if n == 0 else 0.0),
            n * focus if focus else None,
            (n * shift_x, n * shift_y) if shift_x or shift_y else None,
        )
        for n in range(steps)
    ]
    _queue(session, queue, frames=True)


@command("FrameSeriesFromVar")
def frame_series_from_variable(
    session: Session, variable: str, flags: int, delay: float = 0.0, shift_delay: float = 0.0
) -> None:
    """Step through the values in a variable during the next Record."""
    try:
        values = [float(word) for word in str(session.variables.get(variable)).split()]
    except ValueError as err:
        raise CommandError(f"Variable {variable} has elements that are not numbers") from err
    steps = frame_series.steps_from_values(values, flags)
    _queue(session, [FrameStep(wait_s=max(0.0, delay)), *steps], frames=True)


@command("TiltDuringRecord")
def tilt_during_record(session: Session, angle: float, delay: float, speed: float = 1.0) -> None:
    """Tilt to an angle while the next Record is exposed."""
    if speed <= 0.0:
        raise CommandError(f"A speed of {speed:g} is not legal")
    _queue(session, [FrameStep(tilt_deg=angle, wait_s=max(0.0, delay) / 1000.0)], frames=False)


@command("StepFocusNextShot")
def step_focus(
    session: Session, delay: float, focus: float, delay2: float = 0.0, focus2: float = 0.0
) -> None:
    """Change focus in one or two steps during the next shot; the image is that of its start."""
    if delay <= 0.0 or (delay2 and delay2 <= delay):
        raise CommandError("The delays of the focus steps must be positive and increase")
    steps = [FrameStep(focus_um=focus)] + ([FrameStep(focus_um=focus2)] if delay2 else [])
    _queue(session, steps, frames=False)


@command("SmoothFocusNextShot")
def smooth_focus(session: Session, first: float, last: float) -> None:
    """Change focus steadily during the next shot; the image is that of its start."""
    _queue(session, [FrameStep(focus_um=first), FrameStep(focus_um=last)], frames=False)


@command("DeferStackingNextShot")
def defer_stacking(session: Session) -> None:
    """Keep the sum of the next shot back until it is asked for."""
    session.script.defer_sum = True


@command("GetDeferredSum")
def get_deferred_sum(session: Session) -> None:
    """Put the sum that was kept back into A."""
    if session.deferred_sum is None:
        raise CommandError("There is no deferred sum")
    session.buffers.push(session.deferred_sum)
    session.deferred_sum = None


@command("RecordAndTiltUp")
def record_and_tilt_up(
    session: Session, restore: int = 0, x: float | None = None, y: float | None = None
) -> None:
    """Record, then tilt by the increment."""
    _record_and_step(session, 1.0, restore, x, y)


@command("RecordAndTiltDown")
def record_and_tilt_down(
    session: Session, restore: int = 0, x: float | None = None, y: float | None = None
) -> None:
    """Record, then tilt by minus the increment."""
    _record_and_step(session, -1.0, restore, x, y)


def _record_and_step(session: Session, sign: float, restore: int, x: float | None, y: float | None) -> None:
    acquisition.acquire(session, "R")
    step = sign * session.settings.get("TiltIncrement")
    tilt(session, session.world.tilt_readback_deg() + step, restore, x, y)


@command("MultipleRecords")
def multiple_records(
    session: Session,
    around: int = _DEFAULT,
    centre: int = _DEFAULT,
    radius: float = _DEFAULT,
    delay: float = _DEFAULT,
    save: int = _DEFAULT,
    early: int = _DEFAULT,
    early_frames: int = _DEFAULT,
    adjust_tilt: int = _DEFAULT,
    holes: int = _DEFAULT,
    nx: int = _DEFAULT,
    ny: int = _DEFAULT,
    spacing: float = _DEFAULT,
) -> float:
    """Take Records on a ring and in its centre, at one place or on a grid of holes; -9 is the usual value.

    Usual are four on a ring of 0.5 µm, the centre first, saved if a file is open, at one hole.
    """
    number_around = 4 if around == _DEFAULT else around
    ring_um = 0.5 if radius == _DEFAULT else radius
    counts = (1, 1) if holes in (_DEFAULT, 0, 1) else (max(1, nx), max(1, ny))
    pitch_um = 2.0 if spacing == _DEFAULT else spacing
    if not 0 <= number_around <= 200 or ring_um <= 0.0 or pitch_um <= 0.0 or counts[0] * counts[1] > 400:
        raise CommandError("The pattern of multiple Records is not legal")
    points = [
        (hx + x, hy + y)
        for hx, hy in _grid(counts, pitch_um)
        for x, y in _ring(number_around, ring_um, 1 if centre == _DEFAULT else centre)
    ]
    _take_at(session, points, adjust_tilt == 1, save != 0, 0.0 if delay == _DEFAULT else max(0.0, delay))
    return float(len(points))


def _grid(counts: tuple[int, int], pitch_um: float) -> list[tuple[float, float]]:
    nx, ny = counts
    return [
        ((x - (nx - 1) / 2) * pitch_um, (y - (ny - 1) / 2) * pitch_um) for y in range(ny) for x in range(nx)
    ]


def _ring(number: int, radius_um: float, centre: int) -> list[tuple[float, float]]:
    angles = [2.0 * math.pi * n / number for n in range(number)]
    ring = [(radius_um * math.cos(a), radius_um * math.sin(a)) for a in angles]
    middle = [(0.0, 0.0)]
    return middle + ring if centre > 0 else ring + middle if centre < 0 or not ring else ring


def _take_at(
    session: Session, points: list[tuple[float, float]], adjust_tilt: bool, save: bool, delay_s: float
) -> None:
    acquisition.prepare(session, "R")
    start, beam_tilt = shifts.displayed(session), session.world.beam_tilt
    matrix = shifts.inverse(shifts.is_to_specimen(session, session.world.mag_index))
    moves = [shifts.times(matrix, point) for point in points]
    raw = session.world.image_shift
    for dx, dy in moves:
        if shifts.length_um(session, (raw[0] + dx, raw[1] + dy)) > shifts.limit_um(session):
            raise CommandError("The pattern of multiple Records is beyond the image shift limit")
    try:
        for dx, dy in moves:
            shifts.set_displayed(session, (start[0] + dx, start[1] + dy), adjust_tilt=adjust_tilt)
            session.spend(delay_s, "wait")
            image = acquisition.acquire(session, "R")
            if save and session.files.index >= 0:
                save_image(session, image, session.files.current)
    finally:
        shifts.set_displayed(session, start)
        session.world.set_beam_tilt(beam_tilt)


# --- options of frames


def _changed(
    name: str, old: tuple[int, ...], values: tuple[int, ...], limits: tuple[int, ...]
) -> tuple[int, ...]:
    for value, limit in zip(values, limits):
        if value > limit:
            raise CommandError(f"{name}: {value} is not legal")
    return tuple(new if new >= 0 else before for before, new in zip(old, values))


@command("ReportK2FileParams")
def report_k2_file(session: Session) -> tuple[float, ...]:
    """File type, raw packed, 4-bit mode, times 100, skip rotation, one frame per file."""
    return tuple(float(value) for value in session.frame_options.files)


@command("SetK2FileParams")
def set_k2_file(
    session: Session,
    kind: int,
    packed: int = -1,
    mode: int = -1,
    hundred: int = -1,
    skip: int = -1,
    one: int = -1,
) -> None:
    """Set them; -1 leaves a value as it is."""
    options, values = session.frame_options, (kind, packed, mode, hundred, skip, one)
    options.files = _changed("SetK2FileParams", options.files, values, (3, 1, 1, 1, 1, 1))


@command("ReportFrameAliParams")
def report_frame_align(session: Session) -> tuple[float, ...]:
    """Binning, precision kept, strategy, all against all, refinement, groups."""
    return tuple(float(value) for value in session.frame_options.align)


@command("SetFrameAliParams")
def set_frame_align(
    session: Session,
    binning: int,
    precision: int = -1,
    strategy: int = -1,
    versus: int = -1,
    refine: int = -1,
    group: int = -1,
) -> None:
    """Set them; -1 leaves a value as it is."""
    options, values = session.frame_options, (binning, precision, strategy, versus, refine, group)
    options.align = _changed("SetFrameAliParams", options.align, values, (16, 1, 3, 100, 10, 100))


@command("SetDivideBy2")
def set_divide_by_2(session: Session, on: int) -> None:
    """Counts of this camera fit as they are: dividing them is refused, leaving them is not."""
    if on:
        raise CommandError("Dividing counts by 2 is not possible for this camera")
