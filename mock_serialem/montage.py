"""Montages: settings, taking the pieces, stitching the overview, reading both back."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mock_serialem import shifts
from mock_serialem.acquisition import image_of, prepare, setup_for
from mock_serialem.errors import CommandError
from mock_serialem.files.autodoc import Section, number, numbers
from mock_serialem.files.mdoc import MdocFile, mdoc_path
from mock_serialem.image import SET_LETTERS, Image
from mock_serialem.image_files import MontageShape, OpenFile, path_key, piece_coordinates, shape_from_mdoc
from mock_serialem.processing import reduce
from mock_serialem.storage import read_image, save_image

if TYPE_CHECKING:
    from mock_serialem.session import Session

DEFAULT_OVERLAP = 0.1
"""Fraction of the frame that neighbouring pieces share unless told otherwise."""

_LARGEST_SIDE = 8192
"""Overviews are binned so that no side is longer (pixels): larger ones are no help on a screen."""


def default_shape(session: Session, nx: int, ny: int, overlap: float = 0.0) -> MontageShape:
    """Shape of nx by ny full frames of the set in use, with the overlap as a fraction of the frame."""
    letter = session.montage.letter()
    used = session.cameras.get(letter)
    columns, rows = used.size_px
    fraction = overlap or DEFAULT_OVERLAP
    # Even overlaps, as the frames are centred on the camera.
    across, along = (2 * max(8, round(0.5 * fraction * size)) for size in (columns, rows))
    return MontageShape(
        nx,
        ny,
        across,
        along,
        by_stage=letter in "VS" or not session.low_dose.on,
        frame_px=(columns, rows),
        binning=used.binning,
        letter=letter,
        overview_binning=session.montage.overview_binning,
    )


def shape_over(session: Session, width_um: float, height_um: float, overlap: float) -> MontageShape:
    """Shape that covers an area of this size along the camera's axes (µm)."""
    one = default_shape(session, 1, 1, overlap)
    size = piece_pixel_um(session, one)
    counts = []
    for extent, frame, step in zip((width_um, height_um), one.frame_px, one.step_px):
        counts.append(1 + max(0, math.ceil((extent / size - frame) / step)))
    return replace(one, nx=counts[0], ny=counts[1], by_stage=True)


def piece_pixel_um(session: Session, shape: MontageShape) -> float:
    """Pixel of a piece on the specimen (µm) in the optics in which it will be taken."""
    return session.world.pixel_um(_mag_index(session, shape)) * shape.binning


def _mag_index(session: Session, shape: MontageShape) -> int:
    if not session.low_dose.on:
        return session.world.mag_index
    return session.low_dose.areas[{"M": "R"}.get(shape.letter, shape.letter)].mag_index


# --- taking


def acquire(session: Session) -> None:
    """Take a montage into the current file; its centre piece goes to A and the overview to B.

    Raises
    ------
    CommandError
        The current file is no montage, or a piece is out of reach.
    """
    file = session.files.current
    shape = file.montage
    if shape is None:
        raise CommandError("The current file is not a montage file")
    prepare(session, shape.letter)
    world = session.world
    start_um, start_shift = world.stage_position_um(), shifts.displayed(session)
    _check_reach(session, shape)
    montage_number = file.count // shape.pieces
    pieces: dict[tuple[int, int], Image] = {}
    # Column by column, Y fastest, with every other column downwards to keep the moves short.
    for x in range(shape.nx):
        for y in range(shape.ny) if x % 2 == 0 else range(shape.ny - 1, -1, -1):
            _go_to_piece(session, shape, (x, y), start_um, start_shift)
            image = _take(session, shape)
            corner = (*shape.corner(x, y), montage_number)
            save_image(session, image, file, {"PieceCoordinates": numbers(corner)}, corner)
            pieces[x, y] = image
    shifts.set_displayed(session, start_shift)
    if shape.by_stage:
        shifts.move_stage_to(session, start_um[0], start_um[1])
    centre = pieces[shape.nx // 2, shape.ny // 2]
    overview = _overview_of(session, shape, pieces, start_um, start_shift)
    overview.saved = (file.path, montage_number)
    _finish(session, file, overview)
    session.buffers.push(overview)
    session.buffers.push(centre)


def _check_reach(session: Session, shape: MontageShape) -> None:
    if shape.by_stage:
        return
    corner = shape.from_centre(0, 0)
    matrix = shifts.inverse(_specimen_to_piece(session, shape))
    raw = session.world.image_shift
    for sign_x, sign_y in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
        point = shifts.times(matrix, (sign_x * corner[0], sign_y * corner[1]))
        dx, dy = shifts.times(shifts.inverse(_is_to_specimen(session)), point)
        if shifts.length_um(session, (raw[0] + dx, raw[1] + dy)) > shifts.limit_um(session):
            raise CommandError("The montage needs image shifts beyond the limit")


def _is_to_specimen(session: Session) -> shifts.Matrix:
    return shifts.is_to_specimen(session, session.world.mag_index)


def _specimen_to_piece(session: Session, shape: MontageShape) -> shifts.Matrix:
    """Specimen (µm) to pixels of a piece, Y up."""
    return shifts.specimen_to_camera(session, _mag_index(session, shape), piece_pixel_um(session, shape))


def _go_to_piece(
    session: Session,
    shape: MontageShape,
    place: tuple[int, int],
    start_um: tuple[float, float, float],
    start_shift: shifts.Pair,
) -> None:
    point = shifts.times(shifts.inverse(_specimen_to_piece(session, shape)), shape.from_centre(*place))
    if shape.by_stage:
        dx, dy = shifts.stage_for_specimen(session, point)
        shifts.move_stage_to(session, start_um[0] + dx, start_um[1] + dy)
    else:
        dx, dy = shifts.times(shifts.inverse(_is_to_specimen(session)), point)
        shifts.set_displayed(session, (start_shift[0] + dx, start_shift[1] + dy))


def _take(session: Session, shape: MontageShape) -> Image:
    base = session.cameras.get(shape.letter)
    used = replace(
        base, size_px=shape.frame_px, offset_px=(0.0, 0.0), binning=shape.binning, save_frames=False
    )
    return image_of(session, session.world.expose(setup_for(session, shape.letter, used)), used)


def _finish(session: Session, file: OpenFile, overview: Image) -> None:
    """Describe the whole montage in the mdoc, and remember the overview for reading it back."""
    assert overview.montage is not None and overview.saved is not None
    shape, which = overview.montage, overview.saved[1]
    kept = overview.copy().without_pixels()
    session.registry[path_key(file.path), -1 - which] = kept
    if file.mdoc is None:
        return
    chosen = ("TiltAngle", "Magnification", "Intensity", "ExposureDose", "DoseRate", "SpotSize", "Defocus")
    keys = {key: overview.keys[key] for key in chosen if key in overview.keys}
    stage = overview.stage_um or (0.0, 0.0, 0.0)
    keys.update(
        StagePosition=numbers(stage[:2]),
        StageZ=number(stage[2]),
        PixelSpacing=number(piece_pixel_um(session, shape) * 1e4),
        ImageShift=numbers(overview.image_shift),
        RotationAngle=number(overview.rotation_deg),
        Binning=number(shape.binning),
        MagIndex=str(overview.mag_index),
        FullMontSize=numbers(shape.full_px),
        MoveStage=str(int(shape.by_stage)),
        ConSetUsed=f"{SET_LETTERS.index(shape.letter)} {int(session.low_dose.on)}",
    )
    try:
        file.mdoc.append_section(Section("MontSection", str(which), keys))
    except OSError as err:
        raise CommandError(f"Error writing to {file.mdoc.path}: {err}") from err


# --- the overview


def _overview_of(
    session: Session,
    shape: MontageShape,
    pieces: dict[tuple[int, int], Image],
    stage_um: tuple[float, float, float] | None,
    image_shift: shifts.Pair,
) -> Image:
    """Stitch the pieces at their nominal places; the middle of each overlap is the seam."""
    place = (shape.nx // 2, shape.ny // 2)
    near = pieces.get(place) or next(iter(pieces.values()))
    if place not in pieces:
        place = next(iter(pieces))
    pixels = near.pixels
    if pixels.shape == shape.frame_px[::-1]:
        pixels = stitch(shape, {key: image.pixels for key, image in pieces.items()})
    dx, dy = shape.from_centre(*place)
    centre = (0.5 * shape.frame_px[0] - dx, 0.5 * shape.frame_px[1] + dy)
    made = near.with_pixels(pixels, shape.full_px, centre_px=centre)
    binning = max(shape.overview_binning, math.ceil(max(shape.full_px) / _LARGEST_SIDE))
    if binning > 1:
        made = reduce(made, float(binning))
    made.processed, made.montage = False, shape
    made.stage_um, made.image_shift = stage_um, image_shift
    made.camera_set = near.camera_set
    return made


def stitch(shape: MontageShape, pieces: dict[tuple[int, int], NDArray[Any]]) -> NDArray[Any]:
    """Paste the pieces together; missing ones get the mean of the others.

    Parameters
    ----------
    shape : MontageShape
    pieces : dict
        (rows, columns) arrays, top row first, by place (x, y) from 0 with Y up.
    """
    columns, rows = shape.full_px
    width, height = shape.frame_px
    first = next(iter(pieces.values()))
    mean = np.mean([piece.mean() for piece in pieces.values()])
    canvas: NDArray[Any] = np.full((rows, columns), mean).astype(first.dtype)
    for (x, y), piece in pieces.items():
        left, bottom = shape.corner(x, y)
        top = rows - bottom - height
        cut_left = shape.overlap_x // 2 if x > 0 else 0
        cut_right = shape.overlap_x // 2 if x < shape.nx - 1 else 0
        cut_top = shape.overlap_y // 2 if y < shape.ny - 1 else 0
        cut_bottom = shape.overlap_y // 2 if y > 0 else 0
        part = piece[cut_top : height - cut_bottom, cut_left : width - cut_right]
        canvas[top + cut_top : top + height - cut_bottom, left + cut_left : left + width - cut_right] = part
    return canvas


# --- reading back


def shape_of_file(session: Session, path: Path) -> MontageShape | None:
    """Shape of a montage file, open or not; None for a plain stack."""
    open_number = session.files.number_of(path)
    if open_number:
        return session.files.by_number(open_number).montage
    mdoc = _mdoc_of(session, path)
    if mdoc is None or mdoc.autodoc.entries.get("Montage") != "1":
        return None
    return shape_from_mdoc(mdoc)


def _mdoc_of(session: Session, path: Path) -> MdocFile | None:
    open_number = session.files.number_of(path)
    if open_number:
        return session.files.by_number(open_number).mdoc
    beside = mdoc_path(path)
    if not beside.exists():
        return None
    try:
        return MdocFile.open(beside, session.options.line_end)
    except OSError as err:
        raise CommandError(f"Cannot read {beside}: {err}") from err


def _sections(session: Session, path: Path, shape: MontageShape, which: int) -> dict[tuple[int, int], int]:
    """Section of each piece (x, y) of a montage."""
    mdoc = _mdoc_of(session, path)
    if mdoc is None:
        return _sections_in_order(shape, which)
    found: dict[tuple[int, int], int] = {}
    step_x, step_y = shape.step_px
    for section, (x, y, z) in enumerate(piece_coordinates(mdoc)):
        if z == which:
            found[round(x / max(1, step_x)), round(y / max(1, step_y))] = section
    return found


def _sections_in_order(shape: MontageShape, which: int) -> dict[tuple[int, int], int]:
    """The order in which `acquire` goes, for a file whose mdoc is switched off."""
    found: dict[tuple[int, int], int] = {}
    for x in range(shape.nx):
        for y in range(shape.ny) if x % 2 == 0 else range(shape.ny - 1, -1, -1):
            found[x, y] = which * shape.pieces + len(found)
    return found


def read_montage(session: Session, path: Path, which: int) -> Image:
    """Read a whole montage as its overview.

    Raises
    ------
    CommandError
        The file is no montage, cannot be read, or has no such montage.
    """
    shape = shape_of_file(session, path)
    if shape is None:
        raise CommandError(f"{path.name} is not a montage file")
    sections = _sections(session, path, shape, which)
    if not sections:
        raise CommandError(f"There is no montage {which} in {path.name}")
    pieces = {place: read_image(session, path, section) for place, section in sections.items()}
    known = session.registry.get((path_key(path), -1 - which))
    if known is not None and known.montage is not None:
        made = _overview_of(session, known.montage, pieces, known.stage_um, known.image_shift)
        made.map_id = known.map_id
    else:
        mdoc = _mdoc_of(session, path)
        scene = mdoc.autodoc.of_kind("MontSection") if mdoc is not None else []
        keys = next((each.entries for each in scene if each.name == str(which)), {})
        made = _overview_of(session, shape, pieces, *_place_of(keys, pieces))
    made.camera_set, made.saved = -1, (path, which)
    return made


def _place_of(
    keys: dict[str, str], pieces: dict[tuple[int, int], Image]
) -> tuple[tuple[float, float, float] | None, shifts.Pair]:
    """Stage position and image shift of a montage's centre: from its own section, else the mean of its pieces."""
    try:
        x, y = (float(word) for word in keys["StagePosition"].split())
        shift = tuple(float(word) for word in keys.get("ImageShift", "0 0").split())
        return (x, y, float(keys.get("StageZ", 0.0))), (shift[0], shift[1])
    except (KeyError, ValueError):
        known = [piece.stage_um for piece in pieces.values() if piece.stage_um is not None]
    shift_x, shift_y = np.mean([piece.image_shift for piece in pieces.values()], axis=0)
    if len(known) < len(pieces):
        return None, (float(shift_x), float(shift_y))
    x, y, z = np.mean(known, axis=0)
    return (float(x), float(y), float(z)), (float(shift_x), float(shift_y))


def read_piece(session: Session, path: Path, place: tuple[int, int], which: int) -> Image:
    """Read one piece (x, y from 0) of a montage; errors as in `read_montage`."""
    shape = shape_of_file(session, path)
    if shape is None:
        raise CommandError(f"{path.name} is not a montage file")
    section = _sections(session, path, shape, which).get(place)
    if section is None:
        raise CommandError(f"The montage has no piece {place[0] + 1} {place[1] + 1}")
    return read_image(session, path, section)


def piece_at(image: Image, pixel: tuple[float, float]) -> tuple[int, float, float]:
    """Piece of an overview under a pixel (Y down): its number x ny + y, and the pixel in it (Y down).

    Returns
    -------
    tuple
        -1 with the pixel itself for an image that is no overview.
    """
    shape = image.montage
    if shape is None:
        return -1, pixel[0], pixel[1]
    scale = shape.full_px[0] / image.size_px[0]
    x_px, y_px = pixel[0] * scale, shape.full_px[1] - pixel[1] * scale
    places = []
    for at, count, step, overlap in zip(
        (x_px, y_px), (shape.nx, shape.ny), shape.step_px, (shape.overlap_x, shape.overlap_y)
    ):
        places.append(min(count - 1, max(0, int((at - 0.5 * overlap) // max(1, step)))))
    left, bottom = shape.corner(places[0], places[1])
    return places[0] * shape.ny + places[1], x_px - left, shape.frame_px[1] - (y_px - bottom)
