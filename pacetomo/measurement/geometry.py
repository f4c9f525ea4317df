"""Measuring pretilt and rotation: what `scripts/measureGeometry.py` calls, in SerialEM or on a simulated microscope.

Autofocus at three or more points; the focus found falls by as much as the sample rises along the beam. See
`plane_fit` for what follows from the heights and `points` for where is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from pacetomo.desk_script import run_at_desk
from pacetomo.errors import ScopeError
from pacetomo.files.target_file import read_targets, write_targets
from pacetomo.geo_points import FEWEST_PLACES
from pacetomo.geometry import SamplePlane
from pacetomo.measurement.at_the_scope import keep, put_back
from pacetomo.measurement.figures import geometry_figure
from pacetomo.measurement.plane_fit import AreaSays, Geometry, fit_geometry, warnings
from pacetomo.measurement.points import Area, Spot, chosen_way, go_there, survey
from pacetomo.measuring import focus_at
from pacetomo.sample_geometry import HeightPoint
from pacetomo.scope.desk import Desk
from pacetomo.scope.protocol import Level, Missing
from pacetomo.script_tables import GeometrySettings
from pacetomo.settings import read_settings_toml
from pacetomo.settings_table import Settings


class Measured(NamedTuple):
    """Points that gave a height, in the order measured, and the stage tilt (degrees) of the measurement."""

    names: tuple[str, ...]
    points: tuple[HeightPoint, ...]
    tilt_deg: float


@dataclass(frozen=True)
class GeometryResult:
    """What was measured.

    Attributes
    ----------
    geometry : Geometry
        Pretilt and rotation.
    measured : Measured
        The points.
    written : Path or None
        The target file into which it was written.
    """

    geometry: Geometry
    measured: Measured
    written: Path | None


def measure_geometry_here(settings_file: str | None = None, **settings: Any) -> None:
    """Measure pretilt and rotation of the sample at the selected Navigator item; for scripts that SerialEM runs.

    Parameters
    ----------
    settings_file : str, optional
        A facility's settings in TOML form; relative to the session folder.
    **settings
        Settings of this script (`pacetomo.script_tables.GeometrySettings`), over those of the file.

    Raises
    ------
    SystemExit
        After a problem that a user can cure; the log says what it is.
    """
    run_at_desk(
        GeometrySettings, partial(measure_geometry, settings_file=settings_file), settings_file, settings
    )


def measure_geometry(
    desk: Desk, settings: GeometrySettings, settings_file: str | None = None
) -> GeometryResult:
    """Measure pretilt and rotation, put the microscope back, save the figure, and write them down if it is wanted.

    Raises
    ------
    PaceError
        When there is nowhere to measure, or nothing came out that can be true; nothing is written then.
    CancelledError
        When the person at the desk cancels.
    """
    facility = None if settings_file is None else read_settings_toml(desk.folder() / settings_file)
    found = survey(desk, facility, settings.imageShiftLimit)
    way = chosen_way(desk, found, settings.points)
    with put_back(desk, settings.imageShiftLimit):
        spots = go_there(desk, found, way)
        measured = measure_at(desk, spots, settings.delayIS)
    geometry = fit_geometry(measured.points, measured.tilt_deg)
    if isinstance(geometry, Missing):
        _tell_heights(desk, measured)
        raise ScopeError(f"the geometry was not measured: {geometry.reason}")
    _tell(desk, measured, geometry)
    _advise(desk, geometry, found.area)
    draw = partial(geometry_figure, measured.names, measured.points, geometry) if settings.plot else None
    keep(desk, desk.folder(), f"{found.result_name}_geometry", table(measured, geometry), draw)
    written = _write_down(desk, geometry.plane, found.area, settings.apply)
    return GeometryResult(geometry, measured, written)


def measure_at(
    desk: Desk, spots: Sequence[Spot], pause_s: float, tell: Callable[[int, int], None] | None = None
) -> Measured:
    """Autofocus at each point in turn; those where it fails are left out by name.

    `tell` is told how many of how many points are measured.
    """
    focus_place_um, tilt_deg = desk.focus_place_um(), desk.tilt_deg()
    desk.tell(f"Measuring the geometry of the sample at {len(spots)} points, stage tilt {tilt_deg:.1f}°")
    names, points, failed = [], [], []
    focus_um = desk.focus_um()
    for done, spot in enumerate(spots):
        if tell is not None:
            tell(done, len(spots))
        desk.show_progress(f"Geometry: {spot.name}")
        focus = focus_at(desk, spot.shift_um, focus_um, focus_place_um, pause_s)
        if isinstance(focus, Missing):
            desk.tell(f"Warning: left out: {spot.name} ({focus.reason})", Level.WARNING)
            failed.append(f"{spot.name} ({focus.reason})")
            continue
        focus_um = focus
        names.append(spot.name)
        points.append(HeightPoint(spot.shift_um, -focus))
    if len(points) < FEWEST_PLACES:
        raise ScopeError(
            f"defocus was measured at {len(points)} points, at least {FEWEST_PLACES} are needed; it failed at "
            f"{', '.join(failed)}"
        )
    return Measured(tuple(names), tuple(points), tilt_deg)


def _tell_heights(desk: Desk, measured: Measured) -> None:
    """Show what was measured where nothing came of it, so that the point which is to blame can be seen."""
    lowest_um = min(point.rise_um for point in measured.points)
    for name, point in zip(measured.names, measured.points):
        at = point.seen_um
        desk.tell(
            f"{name} at ({at.x:+.1f}, {at.y:+.1f}) µm: {point.rise_um - lowest_um:.2f} µm over the lowest"
        )


def _tell(desk: Desk, measured: Measured, geometry: Geometry) -> None:
    for name, residual_um, used in zip(measured.names, geometry.residuals_um, geometry.used):
        if used:
            desk.tell(f"{name}: {residual_um:+.2f} µm off the fit", Level.DETAIL)
        else:
            desk.tell(
                f"Warning: left out: {name} ({residual_um:+.2f} µm off what the other points say)",
                Level.WARNING,
            )
    kind = "paraboloid, in its middle " if geometry.surface.is_paraboloid else "plane, "
    desk.tell(f"Geometry of the sample: {kind}{geometry.surface.describe()}", Level.GOOD)


def _advise(desk: Desk, geometry: Geometry, area: Area | None) -> None:
    """Say which start tilt compensates the pretilt, and warn about settings with the wrong sign."""
    settings = Settings() if area is None else area.resolved.settings
    start_deg = geometry.start_tilt_deg(settings.minTilt, settings.maxTilt, settings.step)
    desk.tell(
        f"The sample is level across the tilt axis at a stage tilt of {geometry.level_deg:+.1f}°; as a start tilt in "
        f"steps of {settings.step:g}°: startTilt = {start_deg:g}"
    )
    if area is None:
        return
    origins = area.resolved.origins
    says = AreaSays(
        SamplePlane(settings.pretilt, settings.rotation),
        origins["pretilt"],
        settings.startTilt,
        origins["startTilt"],
        settings.autoStartTilt,
    )
    for warning in warnings(geometry, says):
        desk.tell(f"Warning: {warning}", Level.WARNING)


def _write_down(desk: Desk, plane: SamplePlane, area: Area | None, unasked: bool) -> Path | None:
    """Write pretilt and rotation into the target file if it is wanted; the file written."""
    values = {"pretilt": f"{plane.pretilt_deg:.1f}", "rotation": f"{plane.rotation_deg:.1f}"}
    said = ", ".join(f"{name} = {value}" for name, value in values.items())
    if area is None:
        desk.tell(f"No target file belongs to the selected item or lies near; to use the result: {said}")
        return None
    path = area.files.target_file
    if not unasked and not desk.ask(f"Write {said} into {path.name}?"):
        desk.tell(f"{path.name} stays as it is; to use the result: {said}")
        return None
    targets = read_targets(path, desk.wait)
    for name, value in values.items():
        targets = targets.with_override(name, value)
    backup = write_targets(path, targets, desk.wait)
    desk.tell(
        f"{said} written into {path.name}" + ("" if backup is None else f"; the file before is {backup.name}")
    )
    return path


def table(measured: Measured, geometry: Geometry) -> str:
    """Return points and result as text, a point a line."""
    plane = geometry.plane
    lines = [
        f"# stage tilt (deg): {measured.tilt_deg:.2f}",
        f"# pretilt (deg, standard error): {plane.pretilt_deg:.2f} {geometry.pretilt_error_deg:.2f}",
        f"# rotation (deg, standard error): {plane.rotation_deg:.2f} {geometry.rotation_error_deg:.2f}",
        f"# level at stage tilt (deg): {geometry.level_deg:.2f}",
        f"# surface: {'paraboloid' if geometry.surface.is_paraboloid else 'plane'}",
        "# x (um)  y (um)  height (um)  residual (um)  counts  point",
    ]
    mean_um = sum(point.rise_um for point in measured.points) / len(measured.points)
    for name, point, residual_um, used in zip(
        measured.names, measured.points, geometry.residuals_um, geometry.used
    ):
        lines.append(
            f"{point.seen_um.x:8.2f} {point.seen_um.y:8.2f} {point.rise_um - mean_um:9.3f} {residual_um:9.3f} "
            f"{'yes' if used else 'no':>4}  {name}"
        )
    return "\n".join(lines) + "\n"
