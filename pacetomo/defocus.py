"""The measured defocus of a run's images, and what that of the first ones says about the sample.

True defocus is the focus set, plus the height of the target along the beam, plus the zero of the readout, which is
the same for all images of a tilt. So the fitted defocus of an image less the focus set for it is the height of its
target, up to a constant; and the smooth surface through these heights tells the height of every target, also of those
whose own fit failed, and the focus that gives each its wanted defocus.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from pacetomo.books import Books
from pacetomo.ctf import CtfFitting
from pacetomo.geometry import SamplePlane, height_um
from pacetomo.job import Job
from pacetomo.plan import Exposure
from pacetomo.prepare import Prepared
from pacetomo.sample_geometry import HeightPoint, Surface, fit_surface
from pacetomo.schemes import Branch
from pacetomo.scope.protocol import CtfFit, FitOrMissing, Microscope, Missing
from pacetomo.tracking import Start, TrackingModel


class Reshaped(NamedTuple):
    """Targets on a surface: where each is and its focus at the start tilt."""

    starts: dict[int, Start]
    focus_um: dict[int, float]


class Defocus:
    """Measures the defocus of images, and refines the geometry at the end of the start tilt.

    Parameters
    ----------
    scope, job, prepared, model, books
        Where, what, the targets' places and focus (brought up to date by `refine`), who predicts, and who is told.
    """

    def __init__(
        self, scope: Microscope, job: Job, prepared: Prepared, model: TrackingModel, books: Books
    ) -> None:
        self._job = job
        self._prepared = prepared
        self._model = model
        self._books = books
        self._fitting = CtfFitting(scope, job.settings)
        self._slope_deg = math.degrees(math.atan(job.plane.slopes().y))
        self._heights: dict[int, HeightPoint] = {}

    def measure(
        self, exposure: Exposure, wanted_um: float, focus_um: float, is_plain: bool
    ) -> FitOrMissing | None:
        """CTF fit of the present image; None when none is wanted.

        Parameters
        ----------
        exposure : Exposure
            What the image is of.
        wanted_um, focus_um : float
            Its wanted defocus, and the focus that was set for it.
        is_plain : bool
            Whether it was taken in Record as it is, so that its focus compares with that of others.
        """
        at_start = exposure.branch is Branch.START
        fit = self._fitting.fit(wanted_um, self._slope_deg, at_start)
        limit = self._job.settings.fitLimit
        if at_start and is_plain and isinstance(fit, CtfFit) and fit.resolution_angstrom <= limit:
            seen_um = self._prepared.starts[exposure.target].shift_um
            self._heights[exposure.target] = HeightPoint(seen_um, fit.defocus_um - focus_um)
        return fit

    def refine(self) -> SamplePlane | None:
        """Correct places and focus of all targets by the fits at the start tilt, if the settings ask for it.

        To be called once, before the first tilt away from the start. The sample plane as measured, or None when nothing
        was changed.
        """
        settings, prepared = self._job.settings, self._prepared
        if not settings.refineGeo:
            return None
        heights = list(self._heights.values())
        places = [start.shift_um for start in prepared.starts.values()]
        surface = fit_surface(heights, prepared.start_tilt_deg, settings.parabolTh, places)
        if isinstance(surface, Missing):
            self._books.warn(f"the geometry was not refined by CTF fits ({surface.reason})")
            return None
        tracking = self._job.targets.tracking.number
        new = reshaped(prepared.starts, tracking, surface, self._job.wanted_defocus_um)
        for number, start in new.starts.items():
            self._model.reshape(number, start.n0_um, start.z0_um)
        prepared.starts.update(new.starts)
        prepared.focus_um.update(new.focus_um)
        self._books.reshape(self._model, surface.plane, prepared.focus_um)
        self._tell(surface)
        return surface.plane

    def _tell(self, surface: Surface) -> None:
        kind = "paraboloid, in its middle " if surface.is_paraboloid else "plane, "
        plane, prepared = surface.plane, self._prepared
        self._books.step(
            "refine_geo",
            f"Geometry by CTF fits: {kind}{surface.describe()}",
            pretilt_deg=plane.pretilt_deg,
            rotation_deg=plane.rotation_deg,
            pretilt_error_deg=surface.pretilt_error_deg,
            rotation_error_deg=surface.rotation_error_deg,
            scatter_um=surface.scatter_um,
            paraboloid=surface.is_paraboloid,
            fits=len(surface.used),
            targets=[
                {"target": n, "n0_um": s.n0_um, "z0_um": s.z0_um, "focus_um": prepared.focus_um[n]}
                for n, s in prepared.starts.items()
            ],
        )


def reshaped(
    starts: dict[int, Start], tracking: int, surface: Surface, wanted_um: dict[int, float]
) -> Reshaped:
    """Targets put onto a surface of heights less a constant, through the tracking target, whose own height stays.

    Parameters
    ----------
    starts : dict of int to Start
        Targets as they were taken to be; where they are seen stays.
    tracking : int
        Number of the tracking target.
    surface : Surface
        Fitted defocus less the focus set, in the specimen frame of the shifts.
    wanted_um : dict of int to float
        Defocus that the targets shall have.
    """
    tilt = math.radians(surface.tilt_deg)
    first = starts[tracking]
    constant_um = height_um(first.n0_um, first.z0_um, surface.tilt_deg) - surface.rise_um(first.shift_um)
    placed, focus_um = {}, {}
    for number, start in starts.items():
        seen_y_um, read_um = start.shift_um.y, surface.rise_um(start.shift_um)
        rise_um = read_um + constant_um
        placed[number] = Start(
            start.shift_um,
            n0_um=seen_y_um * math.cos(tilt) + rise_um * math.sin(tilt),
            z0_um=rise_um * math.cos(tilt) - seen_y_um * math.sin(tilt),
        )
        focus_um[number] = wanted_um[number] - read_um
    return Reshaped(placed, focus_um)
