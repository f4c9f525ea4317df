"""Image processing commands; results go to A, which rolls, unless an output buffer is named."""

from __future__ import annotations

from mock_serialem import processing
from mock_serialem.commands import command
from mock_serialem.errors import CommandError
from mock_serialem.image import Image
from mock_serialem.session import Session


def _deliver(session: Session, image: Image, out: str = "") -> None:
    buffers = session.buffers
    if out and buffers.letter(out) != "A":
        buffers.put(buffers.letter(out), image)
    else:
        buffers.push(image)


@command("CropCenterToSize")
def crop_center(session: Session, buffer: str, columns: int, rows: int) -> None:
    """Cut the middle out."""
    image = session.buffers.get(buffer)
    width, height = image.size_px
    if not (0 < columns <= width and 0 < rows <= height):
        raise CommandError(f"An image of {width} x {height} cannot be cropped to {columns} x {rows}")
    _deliver(session, processing.crop(image, (width / 2.0, height / 2.0), (columns, rows)))


@command("CropImage")
def crop_image(session: Session, buffer: str, x0: int, x1: int, y0: int, y1: int) -> None:
    """Cut out columns x0 to x1 and rows y0 to y1, both included, Y down."""
    image = session.buffers.get(buffer)
    width, height = image.size_px
    if not (0 <= x0 < x1 < width and 0 <= y0 < y1 < height):
        raise CommandError("The area to crop is not inside the image")
    size = (x1 - x0 + 1, y1 - y0 + 1)
    _deliver(session, processing.crop(image, (x0 + size[0] / 2.0, y0 + size[1] / 2.0), size))


@command("ReduceImage")
def reduce_image(session: Session, buffer: str, factor: float) -> None:
    """Shrink."""
    _deliver(session, processing.reduce(session.buffers.get(buffer), factor))


@command("Rotate90CW")
def rotate_cw(session: Session, buffer: str) -> None:
    """Turn clockwise."""
    _deliver(session, processing.rotate90(session.buffers.get(buffer), clockwise=True))


@command("Rotate90CCW")
def rotate_ccw(session: Session, buffer: str) -> None:
    """Turn counter-clockwise."""
    _deliver(session, processing.rotate90(session.buffers.get(buffer), clockwise=False))


@command("FFT")
def fft(session: Session, buffer: str, binning: int = 1) -> None:
    """Power spectrum into A, which rolls, and into the FFT buffer AF."""
    if not 1 <= binning <= 8:
        raise CommandError("The binning must be between 1 and 8")
    spectrum = processing.power_spectrum(session.buffers.get(buffer), binning)
    session.buffers.put("AF", spectrum.copy())
    session.buffers.push(spectrum)


@command("FilterImage")
def filter_image(
    session: Session, buffer: str, sigma1: float, radius1: float, radius2: float, sigma2: float, out: str = ""
) -> None:
    """Band filter, in reciprocal pixels."""
    image = session.buffers.get(buffer)
    _deliver(session, processing.band_filter(image, sigma1, radius1, radius2, sigma2), out)


def _register_arithmetic(name: str, how: str) -> None:
    def combine(session: Session, first: str, second: str, out: str = "") -> None:
        buffers = session.buffers
        _deliver(session, processing.combine(buffers.get(first), buffers.get(second), how), out)

    command(name)(combine)


for _how in ("add", "subtract", "multiply", "divide"):
    _register_arithmetic({"multiply": "MultiplyImages"}.get(_how, f"{_how.capitalize()}Images"), _how)


@command("ScaleImage")
def scale_image(
    session: Session, buffer: str, factor: float, offset: float, out: str = "", keep_type: int = 0
) -> None:
    """Multiply and add."""
    _deliver(session, processing.scale(session.buffers.get(buffer), factor, offset, bool(keep_type)), out)


@command("ConvertToBytes")
def convert_to_bytes(
    session: Session, buffer: str, low: float | None = None, high: float | None = None
) -> None:
    """Scale to bytes."""
    _deliver(session, processing.to_bytes(session.buffers.get(buffer), low, high))
