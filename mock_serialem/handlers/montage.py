"""Montages: opening, taking, their parameters, their pieces."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mock_serialem import montage, shifts
from mock_serialem.commands import command
from mock_serialem.errors import CommandError
from mock_serialem.files.nav_file import MAP, POLYGON
from mock_serialem.image_files import MontageShape
from mock_serialem.maps import load_map, pixel_of_stage
from mock_serialem.montage import read_piece
from mock_serialem.montage_settings import MontageSettings
from mock_serialem.session import Session
from mock_serialem.storage import forget

_MOST_PIECES = 40000


@command("OpenNewMontage")
def open_new_montage(session: Session, nx: int, ny: int, name: str) -> None:
    """Open a new montage file of nx by ny pieces; 0 is the program's present setting of 2."""
    _open(session, montage.default_shape(session, nx or 2, ny or 2), name)


def _open(session: Session, shape: MontageShape, name: str) -> None:
    if min(shape.nx, shape.ny) < 1 or shape.pieces > _MOST_PIECES:
        raise CommandError(f"A montage of {shape.nx} x {shape.ny} pieces is not legal")
    path = session.path(name)
    session.files.open_new(path, session.script.allow_overwrite, shape)
    session.montage.next_use = None
    forget(session, path)


@command("SetupFullMontage")
def setup_full(session: Session, overlap: float, name: str) -> None:
    """Open a stage montage over the grid area, moving to its middle."""
    left, right, bottom, top = session.montage.grid_um
    corners = [(left, bottom), (right, bottom), (right, top), (left, top)]
    _open_over(session, corners, overlap, name, 0)


@command("SetupPolygonMontage")
def setup_polygon(session: Session, index: int, overlap: float, name: str) -> None:
    """Open a stage montage that covers a polygon, moving to its middle."""
    item = session.navigator.item(index)
    if item.kind not in (POLYGON, MAP):
        raise CommandError(f"Navigator item {item.label} is not a polygon")
    _open_over(session, item.points_um, overlap, name, item.map_id)


def _open_over(
    session: Session, corners: list[tuple[float, float]], overlap: float, name: str, polygon_id: int
) -> None:
    shape, middle = _shape_over(session, corners, overlap)
    _open(session, replace(shape, polygon_id=polygon_id), name)
    shifts.move_stage_to(session, *middle)


def _shape_over(
    session: Session, corners: list[tuple[float, float]], overlap: float
) -> tuple[MontageShape, tuple[float, float]]:
    """Shape that covers a stage polygon, and the stage position of its middle."""
    if not 0.0 <= overlap < 0.5:
        raise CommandError(f"An overlap of {overlap:g} is not legal")
    index = session.world.mag_index
    angle_only = shifts.specimen_to_camera(session, index, 1.0) @ shifts.stage_to_specimen(session, index)
    seen = np.array([shifts.times(angle_only, point) for point in corners])
    low, high = seen.min(axis=0), seen.max(axis=0)
    centre = (low + high) / 2.0
    middle = shifts.times(shifts.inverse(angle_only), (float(centre[0]), float(centre[1])))
    width, height = high - low
    return montage.shape_over(session, float(width), float(height), overlap), middle


@command("AssessPolygonMontage")
def assess_polygon(session: Session, index: int, overlap: int) -> tuple[float, float, float]:
    """Pieces in all, along X and along Y, that a polygon would need."""
    item = session.navigator.item(index)
    if item.kind not in (POLYGON, MAP):
        raise CommandError(f"Navigator item {item.label} is not a polygon")
    shape, _ = _shape_over(session, item.points_um, float(overlap))
    return float(shape.pieces), float(shape.nx), float(shape.ny)


@command("Montage")
def take_montage(session: Session) -> None:
    """Take the montage: centre piece to A, overview to B."""
    montage.acquire(session)


def _current(session: Session) -> MontageShape:
    shape = session.files.current.montage if session.files.index >= 0 else None
    if shape is None:
        raise CommandError("The current file is not a montage file")
    return shape


@command("SetMontageParams")
def set_montage_params(
    session: Session,
    stage: int,
    overlap_x: int = -1,
    overlap_y: int = -1,
    frame_x: int = -1,
    frame_y: int = -1,
    skip: int = -1,
    binning: float = -1.0,
    block: float = -1.0,
) -> None:
    """Parameters of the current montage; -1 leaves a value as it is."""
    shape, file = _current(session), session.files.current
    if stage > 2:
        raise CommandError(f"{stage} is not a way to move in a montage")
    if file.count and max(overlap_x, overlap_y, frame_x, frame_y) >= 0:
        raise CommandError("Size and overlap cannot change after images were saved")
    new = replace(
        shape,
        by_stage=bool(stage) if stage >= 0 else shape.by_stage,
        overlap_x=overlap_x if overlap_x >= 0 else shape.overlap_x,
        overlap_y=overlap_y if overlap_y >= 0 else shape.overlap_y,
    )
    if binning > 0:
        if binning not in session.scope.camera.binnings:
            raise CommandError(f"{binning:g} is not a legal binning for this camera")
        scale = shape.binning / binning
        size = (int(shape.frame_px[0] * scale), int(shape.frame_px[1] * scale))
        new = replace(new, binning=binning, frame_px=size)
    columns, rows = new.frame_px
    new = replace(new, frame_px=(frame_x if frame_x > 0 else columns, frame_y if frame_y > 0 else rows))
    most = session.cameras.binned_size(new.binning)
    for overlap, frame, largest in zip((new.overlap_x, new.overlap_y), new.frame_px, most):
        if not 16 <= overlap <= frame // 2 or frame > largest:
            raise CommandError(
                "Overlaps must be at least 16 pixels and at most half a frame, which fits the camera"
            )
    file.montage = new


@command("ParamSetToUseForMontage")
def param_set_for_montage(session: Session, which: int, defer: int = 0) -> None:
    """Which parameters the pieces are taken with; negative turns a choice off."""
    if not 1 <= abs(which) <= 3:
        raise CommandError(f"{which} does not name parameters for a montage")
    files = session.files
    is_montage = files.index >= 0 and files.current.montage is not None
    if is_montage and session.low_dose.on and abs(which) > 1 and not defer:
        raise CommandError("The parameters cannot change while the current file is a montage in low dose")
    settings = session.montage
    if defer:
        settings.next_use = max(0, which)
    elif which > 0:
        settings.use = which
    elif settings.use == -which:
        settings.use = 0


@command("SetMontPanelParams")
def set_panel_params(
    session: Session, sloppy: int, shift: int = -1, binning: int = -1, peaks: int = -1
) -> None:
    """Options of the montage panel; -1 leaves a value as it is."""
    settings = session.montage
    settings.very_sloppy = sloppy if sloppy >= 0 else settings.very_sloppy
    settings.shift_in_overview = shift if shift >= 0 else settings.shift_in_overview
    settings.multiple_peaks = peaks if peaks >= 0 else settings.multiple_peaks
    if binning >= 1:
        settings.overview_binning = binning
        if session.files.index >= 0 and session.files.current.montage is not None:
            session.files.current.montage = replace(session.files.current.montage, overview_binning=binning)


@command("ReportNumMontagePieces")
def report_pieces(session: Session) -> float:
    """Pieces of the current montage file, 1 if it is none."""
    shape = session.files.current.montage if session.files.index >= 0 else None
    return float(shape.pieces) if shape is not None else 1.0


@command("ReportMontagePiece")
def report_piece(session: Session, following: int) -> None:
    """Only a script that runs at each piece can ask, and none does."""
    raise CommandError("ReportMontagePiece can be used only in a script that runs during a montage")


@command("ReadMontagePiece")
def read_montage_piece(session: Session, x: int, y: int, z: int, buffer: str = "") -> None:
    """Read one piece, x and y from 1."""
    _current(session)
    image = read_piece(session, session.files.current.path, (x - 1, y - 1), z)
    buffers = session.buffers
    name = buffers.read_letter if buffer in ("", "-1") else buffers.letter(buffer)
    buffers.put(name, image)
    buffers.current = name


@command("LoadPieceAtNavPoint")
def load_piece_at_point(session: Session, index: int) -> None:
    """Load the piece of a montage map under a point into A."""
    navigator = session.navigator
    item = navigator.item(index)
    place = navigator.with_id(item.integer("DrawnID"))
    if place < 0 or not navigator.items[place].integer("MapMontage"):
        raise CommandError("The item was not drawn on a montage map")
    whole = load_map(session, navigator.items[place])
    assert whole.montage is not None and whole.saved is not None
    number, _, _ = montage.piece_at(whole, pixel_of_stage(session, whole, item.stage_um[:2]))
    where = (number // whole.montage.ny, number % whole.montage.ny)
    session.buffers.push(read_piece(session, whole.saved[0], where, whole.saved[1]))


@command("SetGridMapLimits")
def set_grid_limits(
    session: Session, kind: int, left: float, right: float, bottom: float, top: float
) -> None:
    """Stage limits (µm) of a montage over the whole grid; all zero takes the usual ones back."""
    if (left, right, bottom, top) == (0.0, 0.0, 0.0, 0.0):
        session.montage.grid_um = MontageSettings.grid_um
        return
    if right <= left or top <= bottom:
        raise CommandError("The limits of the grid map are not in order")
    session.montage.grid_um = (left, right, bottom, top)


@command("SkipPiecesOutsideItem")
def skip_pieces_outside(session: Session, index: int) -> None:
    """Check the item; every piece is taken, so that the montage stays a full rectangle."""
    _current(session)
    if index > 0 and session.navigator.item(index).kind == 0:
        raise CommandError("A point has no inside")


@command("ReorderMontageByTilt")
def reorder_by_tilt(session: Session) -> None:
    """Montages are kept in the order in which they were taken."""
    _current(session)


@command("SetRedoMontageXCorrs")
def redo_correlations(session: Session, on: int) -> None:
    """Pieces are stitched at their nominal places, without correlation."""
    _current(session)


@command("PreCookMontage")
def precook(session: Session, dose: float, at_tilt: int = 0, skip: int = 0, tilt: float = 0.0) -> None:
    """Give each piece's area a dose (e/Å²); the sample does not change, but it takes its time."""
    shape = _current(session)
    if dose <= 0.0:
        raise CommandError(f"A dose of {dose:g} is not legal")
    rate = session.low_dose.areas["R"].dose_rate_e_per_a2_s
    session.wait(shape.pieces * dose / rate)
