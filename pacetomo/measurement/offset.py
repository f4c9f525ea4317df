"""Measuring the tilt axis offset: what `scripts/measureOffset.py` calls, inside SerialEM or on a simulated microscope.

Autofocus on the axis and beside it, on both sides, at a few tilts, from the lowest to the highest and back; see
`axis_fit` for what follows from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from pacetomo.desk_script import run_at_desk
from pacetomo.errors import PlanError, ScopeError
from pacetomo.frames import XY
from pacetomo.joint.certainty import SURE, Value
from pacetomo.measurement.at_the_scope import keep, put_back
from pacetomo.measurement.axis_fit import AxisFit, AxisFitOrMissing, FocusReading, fit_axis
from pacetomo.measurement.figures import axis_figure
from pacetomo.measuring import focus_at
from pacetomo.scope.protocol import Level, Microscope, Missing
from pacetomo.script_tables import OffsetSettings

RESULT = "tilt_axis_offset"
"""Name of the result's files, without ending."""

RUN_UP_DEG = 10.0
"""A run begins so far outside of its first tilt, so that the play of the tilt mechanism is taken up before it."""

LARGEST_OFFSET_UM = 25.0
"""SerialEM takes no larger one."""

BRANCHES_UM = 0.3
"""Difference between the branches from which on it is worth telling."""


@dataclass(frozen=True)
class OffsetResult:
    """What was measured, and what SerialEM has been told.

    Attributes
    ----------
    before_um : float
        SerialEM's tilt axis offset during the measurement.
    fit : AxisFit
        Where the axis lies from there.
    applied : bool
        Whether SerialEM has the new offset.
    readings : tuple of FocusReading
        Every autofocus that gave a result.
    """

    before_um: float
    fit: AxisFit
    applied: bool
    readings: tuple[FocusReading, ...]

    @property
    def wanted_um(self) -> float:
        """The tilt axis offset that SerialEM should have."""
        return self.before_um + self.fit.off_um.value

    @property
    def is_right(self) -> bool:
        """Whether what was set before is right within the error.

        A second run differs from the first by the errors of both.
        """
        return abs(self.fit.off_um.value) <= SURE * self.fit.off_um.sigma


class _Measured(NamedTuple):
    before_um: float
    readings: tuple[FocusReading, ...]
    fit: AxisFitOrMissing


def measure_offset_here(settings_file: str | None = None, **settings: Any) -> None:
    """Measure the tilt axis offset where the stage is; for scripts that SerialEM runs.

    Parameters
    ----------
    settings_file : str, optional
        A facility's settings in TOML form; relative to the session folder.
    **settings
        Settings of this script (`pacetomo.script_tables.OffsetSettings`), over those of the file.

    Raises
    ------
    SystemExit
        After a problem that a user can cure; the log says what it is.
    """
    run_at_desk(OffsetSettings, measure_offset, settings_file, settings)


def measure_offset(scope: Microscope, settings: OffsetSettings) -> OffsetResult:
    """Measure the tilt axis offset, put the microscope back, save the figure, and set the offset if it is wanted.

    Raises
    ------
    PaceError
        When the settings cannot be used or nothing sensible was measured; nothing is set then.
    """
    limit_deg = scope.limits().max_tilt_deg
    tilts = tilts_of(settings.increment, settings.maxTilt)
    if tilts[-1] > limit_deg:
        raise PlanError(f"maxTilt is {settings.maxTilt:g}°, the stage tilts to {limit_deg:g}° only")
    with put_back(scope, settings.imageShiftLimit):
        before_um, readings, fit = _measure(scope, settings, tilts, limit_deg)
    if isinstance(fit, Missing):
        raise ScopeError(f"the tilt axis offset was not measured: {fit.reason}")
    _tell(scope, before_um, fit)
    draw = partial(axis_figure, readings, fit, before_um) if settings.plot else None
    keep(scope, scope.folder(), RESULT, table(before_um, readings, fit), draw)
    return _apply(scope, OffsetResult(before_um, fit, False, readings), settings.apply)


def tilts_of(increment_deg: float, most_deg: float) -> tuple[float, ...]:
    """Tilts from -most to +most that are whole increments, rising.

    Raises
    ------
    PlanError
        When the increment is so large that 0 is the only one.

    >>> tilts_of(5.0, 12.0)
    (-10.0, -5.0, 0.0, 5.0, 10.0)
    """
    steps = int(most_deg / increment_deg + 1e-6)
    if steps < 1:
        raise PlanError(
            f"increment is {increment_deg:g}°, more than maxTilt ({most_deg:g}°): make it smaller"
        )
    return tuple(step * increment_deg for step in range(-steps, steps + 1))


def places_of(offsets_um: Sequence[float]) -> tuple[float, ...]:
    """Places across the axis, rising: on the axis, and at each distance on both sides of it."""
    return tuple(sorted({0.0, *offsets_um, *(-offset for offset in offsets_um)}))


def _measure(
    scope: Microscope, settings: OffsetSettings, tilts_deg: tuple[float, ...], limit_deg: float
) -> _Measured:
    """Run through the tilts, up and down, until the offset is known well enough."""
    before_um = scope.tilt_axis_offset_um()
    if settings.eucentric:
        scope.show_progress("Finding the eucentric height")
        try:
            scope.find_eucentric_height()
        except ScopeError as err:
            raise ScopeError(
                f"{err}: go to a piece of sample with contrast, or find the height yourself and set eucentric to False"
            ) from err
    places = places_of(settings.offset)
    scope.tell(
        f"Measuring the tilt axis offset (now {before_um:.2f} µm): autofocus at {len(places)} places at each of "
        f"{len(tilts_deg)} tilts, 2 to {settings.passes} times"
    )
    walk = _Walk(scope, settings, places, limit_deg)
    fit: AxisFitOrMissing = Missing("nothing was measured")
    for run in range(settings.passes):
        walk.run(run, tilts_deg if run % 2 == 0 else tilts_deg[::-1])
        if run % 2 == 0 and run + 1 < settings.passes:
            continue  # as many up as down, so that a drift of the focus does not count
        fit = fit_axis(walk.readings, settings.eucentric)
        if isinstance(fit, AxisFit):
            scope.tell(f"After {run + 1} runs the offset is off by {_said(fit.off_um)}")
            if fit.off_um.sigma <= settings.accuracy:
                break
    return _Measured(before_um, tuple(walk.readings), fit)


class _Walk:
    """Goes through the tilts and keeps what autofocus finds."""

    def __init__(
        self, scope: Microscope, settings: OffsetSettings, places_um: tuple[float, ...], limit_deg: float
    ) -> None:
        self._scope = scope
        self._settings = settings
        self._limit_deg = limit_deg
        self._focus_place_um = scope.focus_place_um()
        self._expected_um = dict.fromkeys(places_um, scope.focus_um())
        self.readings: list[FocusReading] = []

    def run(self, number: int, tilts_deg: Sequence[float]) -> None:
        """Measure at each tilt in turn, the mechanism's play taken up before."""
        begin_deg = tilts_deg[0]
        outside_deg = begin_deg + (RUN_UP_DEG if begin_deg > 0 else -RUN_UP_DEG)
        self._scope.tilt_to(max(-self._limit_deg, min(self._limit_deg, outside_deg)))
        for tilt_deg in tilts_deg:
            self._scope.show_progress(f"Tilt axis offset: run {number + 1}, {tilt_deg:.1f}°")
            reached_deg = self._scope.tilt_to(tilt_deg)
            self._scope.wait(self._settings.delayTilt)
            self._at_tilt(number, tilt_deg, reached_deg)

    def _at_tilt(self, number: int, tilt_deg: float, reached_deg: float) -> None:
        found, reason = [], ""
        for y_um, expected_um in self._expected_um.items():
            shift = XY(0.0, y_um)
            focus = focus_at(
                self._scope, shift, expected_um, self._focus_place_um, pause_s=self._settings.delayIS
            )
            if isinstance(focus, Missing):
                reason = focus.reason
                self._scope.tell(
                    f"Warning: left out: autofocus at {tilt_deg:.1f}°, {y_um:+.1f} µm from the axis ({reason})",
                    Level.WARNING,
                )
                continue
            self._expected_um[y_um] = focus
            self.readings.append(FocusReading(reached_deg, y_um, focus, number, self._scope.clock_s()))
            found.append(f"{y_um:+.1f}: {focus:.2f}")
        if not self.readings:
            raise ScopeError(
                f"autofocus failed at all places at {tilt_deg:.1f}° ({reason}): calibrate it, and go to a flat "
                "piece of sample with contrast"
            )
        self._scope.tell(
            f"{tilt_deg:.1f}°, focus by distance from the axis (µm): {', '.join(found)}", Level.DETAIL
        )


def _said(value: Value) -> str:
    return f"{value.value:+.2f} ± {value.sigma:.2f} µm"


def _tell(scope: Microscope, before_um: float, fit: AxisFit) -> None:
    left_out = fit.used.count(False)
    others = f", {left_out} that the others contradict left out" if left_out else ""
    scope.tell(f"{len(fit.used)} measurements{others}; they scatter by {fit.scatter_um:.2f} µm")
    scope.tell(
        f"The sample lies {_said(fit.height_um)} over the axis and is inclined by {fit.incline_deg.value:.1f} ± "
        f"{fit.incline_deg.sigma:.1f}° across it"
    )
    scope.tell(
        f"Tilt axis offset: {before_um + fit.off_um.value:.2f} ± {fit.off_um.sigma:.2f} µm "
        f"({_said(fit.off_um)} from the {before_um:.2f} µm that SerialEM has)",
        Level.GOOD,
    )
    up, down = fit.up_um, fit.down_um
    if up is None or down is None:
        return
    scope.tell(
        f"By branch: {before_um + up.value:.2f} ± {up.sigma:.2f} µm above 0°, "
        f"{before_um + down.value:.2f} ± {down.sigma:.2f} µm below"
    )
    apart_um, sigma_um = up.value - down.value, (up.sigma**2 + down.sigma**2) ** 0.5
    if abs(apart_um) > max(BRANCHES_UM, SURE * sigma_um):
        scope.tell(
            f"The branches differ by {apart_um:+.2f} µm; the acquisition's taOffsetPos = "
            f"{up.value - fit.off_um.value:.2f} and taOffsetNeg = {down.value - fit.off_um.value:.2f} allow for it",
            Level.WARNING,
        )


def _apply(scope: Microscope, result: OffsetResult, unasked: bool) -> OffsetResult:
    """Set the offset where it is wrong and wanted, and say what to do next."""
    if result.is_right:
        scope.tell(
            f"SerialEM's tilt axis offset of {result.before_um:.2f} µm is confirmed within the error",
            Level.GOOD,
        )
        return result
    wanted_um = round(result.wanted_um, 2)
    if abs(wanted_um) > LARGEST_OFFSET_UM:
        raise ScopeError(
            f"a tilt axis offset of {wanted_um:.1f} µm came out, SerialEM takes up to {LARGEST_OFFSET_UM:g} µm: "
            "centre the beam and align the column first"
        )
    question = f"Set the tilt axis offset from {result.before_um:.2f} to {wanted_um:.2f} µm?"
    if not unasked and not scope.ask(question):
        scope.tell(
            f"The tilt axis offset stays at {result.before_um:.2f} µm; {wanted_um:.2f} µm can be set in Tasks - "
            "Eucentricity - Set Tilt Axis Offset"
        )
        return result
    scope.set_tilt_axis_offset(wanted_um)
    scope.tell(
        f"The tilt axis offset is set to {wanted_um:.2f} µm; run this once more to confirm it", Level.GOOD
    )
    return OffsetResult(result.before_um, result.fit, True, result.readings)


def table(before_um: float, readings: Sequence[FocusReading], fit: AxisFit) -> str:
    """Return readings and result as text, a reading a line."""
    lines = [
        f"# tilt axis offset set (um): {before_um:.3f}",
        f"# off by (um, standard error): {fit.off_um.value:+.3f} {fit.off_um.sigma:.3f}",
        *(
            f"# off by {name} (um, standard error): {value.value:+.3f} {value.sigma:.3f}"
            for name, value in (("above 0 deg", fit.up_um), ("below 0 deg", fit.down_um))
            if value is not None
        ),
        "# run  tilt (deg)  distance from axis (um)  focus (um)  residual (um)  counts",
    ]
    for reading, residual_um, used in zip(readings, fit.residuals_um, fit.used):
        lines.append(
            f"{reading.run + 1:3d} {reading.tilt_deg:9.2f} {reading.y_um:9.2f} {reading.focus_um:10.3f} "
            f"{residual_um:8.3f} {'yes' if used else 'no':>4}"
        )
    return "\n".join(lines) + "\n"
