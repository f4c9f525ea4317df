"""The microscope as the target editor sees it, when it is opened from SerialEM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from pacetomo.area_files import AreaFiles
from pacetomo.desk_script import borrowed
from pacetomo.editor.microscope import MeasuredGeometry, Tell
from pacetomo.editor.model import Document, Known
from pacetomo.errors import PlanError, TargetFileError
from pacetomo.frames import ORIGIN, XY
from pacetomo.geo_points import FEWEST_PLACES
from pacetomo.measurement.at_the_scope import keep, put_back
from pacetomo.measurement.figures import geometry_figure
from pacetomo.measurement.geometry import measure_at, table
from pacetomo.measurement.plane_fit import fit_geometry
from pacetomo.measurement.points import Spot
from pacetomo.scope.desk import Desk
from pacetomo.scope.protocol import Area, Missing
from pacetomo.script_tables import GeometrySettings, SelectionSettings
from pacetomo.selection.bench import Bench
from pacetomo.selection.copy_session import copy_to_acquire
from pacetomo.selection.draft import Draft


class EditorSide:
    """`pacetomo.editor.microscope.MicroscopeSide` on a desk.

    Parameters
    ----------
    desk : Desk
        Not begun: each action borrows the microscope and puts it back.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def known(self) -> Known:
        """What the microscope knows."""
        folder = self._desk.folder()
        names = frozenset(path.name.lower() for path in folder.iterdir())
        return Known(
            self._desk.facts(),
            self._desk.calibration().stage_to_specimen,
            names=names,
            has_microscope=True,
        )

    def save_views(self, document: Document, numbers: Sequence[int], tell: Tell) -> Mapping[int, str]:
        """Take a View image of each of these targets and save it; its name by target."""
        files = AreaFiles(document.path)
        limit_um = SelectionSettings().imageShiftLimit
        saved = {}
        with borrowed(self._desk, limit_um):
            bench = Bench(self._desk, files, limit_um)
            draft = Draft(self._desk, files, bench.tilt_deg)
            self._go_to_tracking(document, bench)
            for done, number in enumerate(numbers):
                tell(done, len(numbers))
                if not bench.go(self._shift(document, number)):
                    continue
                bench.look(Area.VIEW)
                name = draft.view_name(number)
                bench.save(name, draft.label(number, "view"), name)
                saved[number] = name
            tell(len(numbers), len(numbers))
        self._desk.save_navigator()
        return saved

    def copy_to_acquire(self, document: Document, tell: Tell) -> Sequence[Path]:
        """Write the area's targets for each Navigator point marked with Acquire; the target files written."""
        return copy_to_acquire(self._desk, AreaFiles(document.path), document.targets, tell)

    def measure_geometry(self, document: Document, tell: Tell) -> MeasuredGeometry:
        """Measure defocus at the geometry points, and the sample's inclination from it."""
        points = document.targets.geo_points
        if len(points) < FEWEST_PLACES:
            raise PlanError(
                f"{len(points)} geometry points are there, at least {FEWEST_PLACES} are needed: add some with the "
                "middle mouse button, beside the targets"
            )
        spots = [Spot(f"point {number}", point.shift_um) for number, point in enumerate(points, 1)]
        wanted = GeometrySettings()
        files = AreaFiles(document.path)
        with put_back(self._desk, wanted.imageShiftLimit):
            bench = Bench(self._desk, files, wanted.imageShiftLimit)
            self._go_to_tracking(document, bench)
            measured = measure_at(self._desk, spots, wanted.delayIS, tell)
        heights = tuple((*point.seen_um, point.rise_um) for point in measured.points)
        geometry = fit_geometry(measured.points, measured.tilt_deg)
        if isinstance(geometry, Missing):
            return MeasuredGeometry(f"No plane came out of it: {geometry.reason}", points_um=heights)
        draw = partial(geometry_figure, measured.names, measured.points, geometry)
        _, figure = keep(
            self._desk, files.folder, f"{files.root}_geometry", table(measured, geometry), draw, show=False
        )
        plane = geometry.plane
        return MeasuredGeometry(
            geometry.surface.describe(), plane.pretilt_deg, plane.rotation_deg, figure, heights
        )

    def _go_to_tracking(self, document: Document, bench: Bench) -> None:
        """Bring the tracking target's place under the beam.

        Raises
        ------
        TargetFileError
            When its stage position is not known.
        """
        stage = document.targets.tracking.stage_um
        if stage is None:
            raise TargetFileError(
                f"target {document.targets.tracking.number} has no stageX and stageY: the stage cannot go there"
            )
        self._desk.move_stage_to((stage.x, stage.y, self._desk.stage_um()[2]))
        bench.go(ORIGIN)

    def _shift(self, document: Document, number: int) -> XY:
        """Specimen shift of a target from the tracking target."""
        resolved = document.targets.resolved_shifts(self._desk.calibration().stage_to_specimen)
        first = resolved.tracking.shift_um or ORIGIN
        return (resolved.numbered(number).shift_um or ORIGIN).minus(first)
