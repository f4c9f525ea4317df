"""Past series as a stage profile is learnt from them, and what is known of each before.

A course is what one session has shown of the common motion: where the targets were found at each tilt, less where they
were at the start, averaged over those targets that were found at all tilts. Averaging keeps the equations: the mean of
targets at (n, z) moves as a target at the mean of them.

The displacement of a course at tilt t, with phi = t - t_0 and the equations of `pacetomo.joint`, is::

    y:  (Y_0 + a + B b)(cos phi - 1) - h sin phi + u_y + v_y T + d
    x:  -beta dy + gamma Y_0 sin phi + u_x + v_x T + d
    z:  (Y_0 + a + B b) sin phi + h (cos phi - 1) + f + u_z

with Y_0 for where the targets were seen across the axis at the start. Their height over the axis there is not in the
metadata; it is part of h, which is as good as unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Optional

import numpy as np

from pacetomo.joint.adaptation import DEFOCUS_NOISE_UM, NOISE_UM, STRETCH_POWER
from pacetomo.joint.priors import Stop, stop_after
from pacetomo.joint.rows import DRIFT_UM_PER_MIN, START_OFFSET_UM, X_SPREAD, YZ_SPREAD
from pacetomo.joint.star import Floats

AXES = "xyz"
HEIGHT_UM = 1.5
"""Standard deviation of the height of the targets over the axis, where the start is not taken for level."""

AXIS_UM = 1.0
"""The same of their distance from it, which is known as the shift at the start."""

START_FOCUS_UM = 0.2
"""Error of the defocus at the start, which all heights are counted from."""


class Visit(NamedTuple):
    """One tilt of a past series, in order of acquisition.

    `shift_um` is the displacement (x, y) since the start, None where nothing reliable was measured; `rise_um` the same
    of the height, from measured defocus.
    """

    tilt_deg: float
    minutes: float
    shift_um: Optional[tuple[float, float]]  # noqa: UP045 - evaluated at run time on Python 3.9
    rise_um: Optional[float] = None  # noqa: UP045


class Course(NamedTuple):
    """What one session has shown of the common motion.

    Attributes
    ----------
    name, date : str
        Of the session, for people; the date as ``2026-01-31 09:00:00``, "" where it is not known.
    start_tilt_deg : float
    y_start_um : float
        Where the targets were seen across the tilt axis at the start, from the tracking target (mean).
    targets : int
        Targets that are averaged.
    visits : tuple of Visit
        All tilts away from the start, in order.
    """

    name: str
    date: str
    start_tilt_deg: float
    y_start_um: float
    targets: int
    visits: tuple[Visit, ...]

    def stops(self) -> list[Stop]:
        """All visits as stops."""
        stops: list[Stop] = []
        for visit in self.visits:
            phi_deg = visit.tilt_deg - self.start_tilt_deg
            stops.append(stop_after(stops, phi_deg, 1 if phi_deg > 0 else -1))
        return stops

    @property
    def usable(self) -> int:
        """Visits with a displacement."""
        return sum(visit.shift_um is not None for visit in self.visits)


class Samples(NamedTuple):
    """Measurements of one axis of a course, less what its geometry says.

    Attributes
    ----------
    start_tilt_deg : float
    stops : list of Stop
        Where it was measured.
    measured : array (n,)
        µm.
    spread : array (n, n)
        Covariance of everything but the motion: noise, and what is not known of the geometry (µm²).
    """

    start_tilt_deg: float
    stops: list[Stop]
    measured: Floats
    spread: Floats


def samples_of(course: Course, axis: str) -> Samples:
    """Measurements of an axis ("x", "y" or "z") of a course; none (n = 0) where it has not been measured."""
    chosen = [
        (stop, visit)
        for stop, visit in zip(course.stops(), course.visits)
        if (visit.rise_um if axis == "z" else visit.shift_um) is not None
    ]
    stops = [stop for stop, _ in chosen]
    visits = [visit for _, visit in chosen]
    phi = np.radians([stop.phi_deg for stop in stops])
    sine, lower = np.sin(phi), np.cos(phi) - 1.0
    side = np.array([float(stop.side) for stop in stops])
    minutes = np.array([visit.minutes for visit in visits])
    stretch = 1.0 / np.maximum(0.2, np.cos(np.radians([visit.tilt_deg for visit in visits])))
    shifts = np.array([visit.shift_um or (0.0, 0.0) for visit in visits]).reshape(-1, 2)
    noise = (NOISE_UM * stretch**STRETCH_POWER) ** 2 / course.targets
    common = [(DRIFT_UM_PER_MIN, minutes), (START_OFFSET_UM, np.ones(len(stops)))]
    if axis == "x":
        unknown = [
            (float(X_SPREAD[0]), shifts[:, 1]),
            (float(X_SPREAD[1]), course.y_start_um * sine),
            *common,
        ]
        measured = shifts[:, 0]
    elif axis == "y":
        unknown = [(AXIS_UM, lower), (float(YZ_SPREAD[1]), side * lower), (HEIGHT_UM, sine), *common]
        measured = shifts[:, 1] - course.y_start_um * lower
    else:
        unknown = [
            (AXIS_UM, sine),
            (float(YZ_SPREAD[1]), side * sine),
            (HEIGHT_UM, lower),
            (START_FOCUS_UM, np.ones(len(stops))),
        ]
        rises = np.array([visit.rise_um or 0.0 for visit in visits])
        measured = rises - course.y_start_um * sine
        noise = (DEFOCUS_NOISE_UM * stretch) ** 2
    spread = np.diag(noise) if stops else np.zeros((0, 0))
    for sigma, column in unknown:
        spread = spread + sigma**2 * np.outer(column, column)
    return Samples(course.start_tilt_deg, stops, measured, spread)


def tilt_range_deg(courses: Sequence[Course]) -> tuple[float, float]:
    """Lowest and highest tilt at which something was measured."""
    tilts = [visit.tilt_deg for course in courses for visit in course.visits if visit.shift_um is not None]
    return min(tilts), max(tilts)
