"""Saving buffers to image files and reading images back with what is known about them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from mock_serialem.errors import CommandError
from mock_serialem.files.autodoc import Section, month_name, number
from mock_serialem.files.mdoc import MdocFile, mdoc_path
from mock_serialem.files.mrc import MrcError, MrcStack, SectionInfo
from mock_serialem.image import Image
from mock_serialem.image_files import OpenFile, path_key
from mock_serialem.readback import image_from_keys

if TYPE_CHECKING:
    from mock_serialem.session import Session


def first_title(session: Session) -> str:
    """Program, microscope and time, as the first title of a file."""
    now = session.world.now()
    date = f"{now.day:02d}-{month_name(now.month)}-{now.year % 100:02d}  {now:%H:%M:%S}"
    return f"SerialEM: {session.options.title:<45.45} {date}    "


def titles_for(session: Session, image: Image) -> list[str]:
    """The two titles of a new file."""
    axis = image.rotation_deg - 90.0
    return [
        first_title(session),
        f"    Tilt axis angle = {axis:.1f}, binning = {number(image.binning)}  spot = {session.column.spot}  "
        "camera = 0",
    ]


def section_info(image: Image, piece: tuple[int, int, int] = (0, 0, 0)) -> SectionInfo:
    """What the extended header keeps of an image."""
    stage = image.stage_um or (0.0, 0.0, 0.0)
    return SectionInfo(
        tilt_deg=image.tilt_deg,
        stage_um=stage[:2],
        magnification=image.magnification,
        intensity=image.intensity,
        dose_e_per_a2=image.dose_e_per_a2,
        piece=piece,
    )


def save_image(
    session: Session,
    image: Image,
    file: OpenFile,
    extra: dict[str, str] | None = None,
    piece: tuple[int, int, int] = (0, 0, 0),
) -> int:
    """Append an image to an open file; return its section number.

    Raises
    ------
    CommandError
        It does not fit, or the file cannot be written.
    """
    pixels = image.pixels
    low, high, mean = float(pixels.min()), float(pixels.max()), float(pixels.mean())
    keys = {**(extra or {}), "MinMaxMean": f"{number(low)} {number(high)} {number(mean)}", **image.keys}
    section = file.save(
        pixels,
        image.pixel_um * 1e4 or 1.0,
        titles_for(session, image),
        session.scope.voltage_kv,
        session.options.version_text,
        section_info(image, piece),
        keys,
    )
    session.spend(session.scope.save_s, "save")
    image.saved = (file.path, section)
    remember(session, file.path, section, image)
    if image.shot is not None and not image.processed:
        session.world.note_saved(image.shot, file.path.name, section)
    session.log.add(f"Saved Z = {section}, {image.tilt_deg:.2f} degrees")
    return section


def remember(session: Session, path: Path, section: int, image: Image) -> None:
    """Keep what is known about a saved image; its pixels stay in the file unless they are a mere patch."""
    kept = image.copy()
    kept.shift_px = kept.shift_um = kept.applied_um = (0.0, 0.0)
    session.registry[path_key(path), section] = kept.without_pixels()


def forget(session: Session, path: Path) -> None:
    """Drop what is known about a file that is being replaced."""
    key = path_key(path)
    for known in [entry for entry in session.registry if entry[0] == key]:
        del session.registry[known]


def read_image(session: Session, path: Path, section: int) -> Image:
    """Read a section of any file.

    Raises
    ------
    CommandError
        The file or the section cannot be read.
    """
    if section < 0:
        raise CommandError(f"Section {section} is not legal")
    pixels, pixel_a, tilt = _read_pixels(session, path, section)
    known = session.registry.get((path_key(path), section))
    if known is not None:
        image = known.filled(pixels)
    else:
        image = image_from_keys(session, pixels, _keys_on_disk(session, path, section), pixel_a, tilt)
    image.camera_set = -1
    image.saved = (path, section)
    image.processed = False
    return image


def _read_pixels(session: Session, path: Path, section: int) -> tuple[NDArray[Any], float, float | None]:
    """Return pixels, pixel size (Å) and tilt angle."""
    number_open = session.files.number_of(path)
    try:
        if number_open:
            stack = session.files.by_number(number_open).stack
            if stack is None:
                raise CommandError(f"There are no images in {path.name}")
            return stack.read(section), stack.pixel_a, stack.tilt_deg(section)
        stack = MrcStack.open(path, writable=False)
        try:
            return stack.read(section), stack.pixel_a, stack.tilt_deg(section)
        finally:
            stack.close()
    except (OSError, MrcError) as err:
        raise CommandError(f"Cannot read section {section} of {path}: {err}") from err


def _keys_on_disk(session: Session, path: Path, section: int) -> dict[str, str]:
    beside = mdoc_path(path)
    if not beside.exists():
        return {}
    try:
        sections: list[Section] = MdocFile.open(beside, session.options.line_end).image_sections
    except OSError as err:
        raise CommandError(f"Cannot read {beside}: {err}") from err
    found = [each for each in sections if each.name == str(section)]
    return dict(found[0].entries) if found else {}
