"""The twelve matrices between stage, specimen, image shift and camera."""

from __future__ import annotations

from collections.abc import Callable

from mock_serialem import shifts
from mock_serialem.commands import command
from mock_serialem.errors import CommandError
from mock_serialem.session import Session
from mock_serialem.shifts import BIN_DIVISOR

Numbers4 = tuple[float, float, float, float]
_SOURCES: dict[str, Callable[[Session, int], shifts.Matrix]] = {
    "IS": shifts.is_to_specimen,
    "Stage": shifts.stage_to_specimen,
}


def four(matrix: shifts.Matrix) -> Numbers4:
    """XpX, XpY, YpX, YpY of a matrix."""
    return float(matrix[0, 0]), float(matrix[0, 1]), float(matrix[1, 0]), float(matrix[1, 1])


def _index(session: Session, given: int) -> int:
    index = given or session.world.mag_index
    if not any(mag.index == index for mag in session.scope.magnifications):
        if given < 0 or given > max(mag.index for mag in session.scope.magnifications):
            raise CommandError(f"Magnification index {given} is out of range")
        return 0
    return index


def _to_specimen(session: Session, frame: str, index: int) -> shifts.Matrix:
    if frame == "Camera":
        binning = session.script.camera_matrix_binning or 1.0 / BIN_DIVISOR
        return shifts.inverse(
            shifts.specimen_to_camera(session, index, session.world.pixel_um(index) * binning)
        )
    return _SOURCES[frame](session, index)


def _register(name: str, source: str, target: str) -> None:
    def report(session: Session, given: int) -> Numbers4:
        index = _index(session, given)
        if not index:
            return 0.0, 0.0, 0.0, 0.0
        if target == "Specimen":
            return four(_to_specimen(session, source, index))
        back = shifts.inverse(_to_specimen(session, target, index))
        if source == "Specimen":
            return four(back)
        return four(back @ _to_specimen(session, source, index))

    command(name)(report)


for _name in (
    "ISToCamera",
    "CameraToIS",
    "ISToSpecimen",
    "SpecimenToIS",
    "CameraToSpecimen",
    "SpecimenToCamera",
    "CameraToStage",
    "StageToCamera",
    "SpecimenToStage",
    "StageToSpecimen",
    "ISToStage",
    "StageToIS",
):
    _register(f"{_name}Matrix", *_name.split("To"))


@command("BinningForCameraMatrix")
def binning_for_matrix(session: Session, binning: float) -> None:
    """Make camera matrices refer to pixels of this binning; 0 turns that off."""
    session.script.camera_matrix_binning = max(0.0, binning)
