"""Buffers and reports on the images in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mock_serialem.commands import command
from mock_serialem.errors import CommandError
from mock_serialem.files.autodoc import number
from mock_serialem.image import Image
from mock_serialem.montage import read_montage, shape_of_file
from mock_serialem.session import Session
from mock_serialem.snapshots import write_snapshot
from mock_serialem.storage import read_image


@command("Copy")
def copy(session: Session, source: str, target: str) -> None:
    """Copy an image with its metadata."""
    buffers = session.buffers
    buffers.put(buffers.letter(target), buffers.get(source, fft=True).copy())


@command("Show")
def show(session: Session, buffer: str) -> None:
    """Make a buffer current."""
    session.buffers.get(buffer, fft=True)
    session.buffers.current = session.buffers.letter(buffer, fft=True)


@command("ReportCurrentBuffer")
def report_current(session: Session) -> tuple[str, float]:
    """Letter, and whether there is an image."""
    name = session.buffers.current
    return name, float(session.buffers.peek(name) is not None)


def _put_read(session: Session, image: Image, buffer: str) -> None:
    buffers = session.buffers
    name = buffers.read_letter if buffer in ("", "-1") else buffers.letter(buffer)
    buffers.put(name, image)
    buffers.current = name


@command("ReadFile")
def read_file(session: Session, section: int, buffer: str = "") -> None:
    """Read a section of the current file, of a montage file a whole montage."""
    _put_read(session, _read(session, session.files.current.path, section), buffer)


def _read(session: Session, path: Path, section: int) -> Image:
    if shape_of_file(session, path) is not None:
        return read_montage(session, path, section)
    return read_image(session, path, section)


@command("ReadOtherFile")
def read_other_file(session: Session, section: int, buffer: str, name: str) -> None:
    """Read a section of any file, of a montage file a whole montage."""
    _put_read(session, _read(session, session.path(name), section), buffer)


@command("RetryReadOtherFile")
def retry_read(session: Session, tries: int) -> None:
    """Set how often reading is tried again; here the first try tells."""


@command("ImageProperties")
def image_properties(session: Session, buffer: str = "A") -> tuple[float, ...]:
    """Size, binning, exposure (s), pixel (nm), camera set."""
    image = session.buffers.get(buffer, fft=True)
    session.variables.report("imageTickTime", image.tick_s)
    pixel = image.pixel_um * 1000.0
    return (*image.size_px, image.binning, image.exposure_s, pixel, image.camera_set)


@command("ImageConditions")
def image_conditions(session: Session, buffer: str) -> tuple[float, float]:
    """Dose (e/Å²) and magnification."""
    image = session.buffers.get(buffer)
    return image.dose_e_per_a2, image.magnification


@command("ImageLowDoseSet")
def image_low_dose_set(session: Session, buffer: str = "A") -> tuple[float, float]:
    """Set or area, and whether taken in low dose."""
    image = session.buffers.get(buffer)
    which = image.camera_set if image.camera_set >= 0 else image.area
    return float(min(which, 5)), float(image.area >= 0)


@command("ReportMeanCounts")
def report_mean_counts(session: Session, buffer: str = "A", mode: int = 0) -> float | tuple[float, ...]:
    """Mean; 1: per unbinned pixel and second; 2: with sd, minimum, maximum."""
    image = session.buffers.get(buffer)
    mean = float(image.pixels.mean())
    if mode == 1:
        return mean / max(image.binning, 0.5) ** 2 / max(image.exposure_s, 1e-6)
    if mode == 2:
        pixels = image.pixels
        return mean, float(pixels.std(dtype=np.float64)), float(pixels.min()), float(pixels.max())
    return mean


@command("ElectronStats", "RawElectronStats")
def electron_stats(session: Session, buffer: str = "A") -> tuple[float, ...]:
    """Minimum, maximum, mean, sd in electrons, and dose rate (e/physical pixel/s)."""
    image = session.buffers.get(buffer)
    if image.counts_per_electron <= 0.0:
        raise CommandError("There is no value for counts per electron")
    electrons = image.pixels / image.counts_per_electron
    mean = float(electrons.mean())
    rate = mean / max(image.binning, 0.5) ** 2 / max(image.exposure_s, 1e-6)
    return float(electrons.min()), float(electrons.max()), mean, float(electrons.std()), rate


@command("SubareaMean")
def subarea_mean(session: Session, x0: int, x1: int, y0: int, y1: int) -> float:
    """Mean of a part of A (pixels, Y down)."""
    image = session.buffers.get("A")
    rows, columns = image.pixels.shape
    fx, fy = columns / image.size_px[0], rows / image.size_px[1]
    if not (0 <= x0 <= x1 < image.size_px[0] and 0 <= y0 <= y1 < image.size_px[1]):
        raise CommandError("The subarea is not inside the image")
    part = image.pixels[int(y0 * fy) : int(y1 * fy) + 1, int(x0 * fx) : int(x1 * fx) + 1]
    return float(part.mean())


@command("CircularSubareaMean")
def circular_mean(session: Session, x: float, y: float, radius: float) -> float:
    """Mean in a circle of A (pixels, Y down)."""
    image = session.buffers.get("A")
    rows, columns = image.pixels.shape
    scale = columns / image.size_px[0]
    yy, xx = np.mgrid[:rows, :columns]
    inside = np.hypot(xx - x * scale, yy - y * scale) <= max(radius * scale, 0.5)
    if not inside.any():
        raise CommandError("The circle is not inside the image")
    return float(image.pixels[inside].mean())


@command("ImageMarkerPosition")
def marker_position(session: Session, buffer: str) -> tuple[float, float]:
    """Marker point, or -1, -1."""
    image = session.buffers.get(session.buffers.current if buffer == "0" else buffer)
    return image.marker_px or (-1.0, -1.0)


def _metadata(image: Image) -> dict[str, str]:
    pixels = image.pixels
    statistics = f"{number(float(pixels.min()))} {number(float(pixels.max()))} {number(float(pixels.mean()))}"
    return {"MinMaxMean": statistics, **image.keys}


def _value(session: Session, buffer: str, key: str) -> str:
    values = _metadata(session.buffers.get(buffer))
    if key not in values:
        raise CommandError(f"There is no {key} in the metadata of the image in {buffer}")
    return values[key]


@command("ReportMetadataValues")
def metadata_values(session: Session, buffer: str, key: str) -> tuple[str, ...]:
    """Words of a metadata value."""
    return tuple(_value(session, buffer, key).split()[:6])


@command("ReportMetadataString")
def metadata_string(session: Session, buffer: str, key: str) -> str:
    """A metadata value as it is."""
    return _value(session, buffer, key)


@command("ImageMetadataToVar")
def metadata_to_variable(session: Session, buffer: str, variable: str) -> None:
    """All metadata as text in a variable."""
    lines = (f"{key} = {value}" for key, value in _metadata(session.buffers.get(buffer)).items())
    session.variables.set(variable, "\n".join(lines))


@command("SetBufZoomAndCenter")
def set_zoom(session: Session, buffer: str, zoom: float, x: int = 0, y: int = 0) -> None:
    """Nothing is displayed; the buffer must hold an image."""
    session.buffers.get(buffer)


@command("AddBufToStackWindow")
def add_to_stack(
    session: Session, buffer: str, size: int, section: int, as_bytes: int = 0, order: int = 0, title: str = ""
) -> None:
    """Nothing is displayed; the buffer must hold an image."""
    session.buffers.get(buffer)


@command("CloseStackWindow")
def close_stack(session: Session) -> None:
    """Nothing is displayed."""


@command("SnapshotToFile")
def snapshot(
    session: Session,
    image_scale: float,
    text_scale: float,
    features: int,
    kind: str,
    compression: str,
    name: str,
) -> None:
    """Write the current buffer as displayed into a JPEG, PNG or TIFF file."""
    image = session.buffers.get(session.buffers.current, fft=True)
    write_snapshot(session.path(name), image, kind, compression)
