"""Measuring and setting the beam from images, and tasks that work with the CTF."""

from __future__ import annotations

import math

from mock_serialem import areas, beam
from mock_serialem.acquisition import acquire
from mock_serialem.commands import command
from mock_serialem.errors import CommandError
from mock_serialem.image import Image
from mock_serialem.lattice import lattice_vectors
from mock_serialem.session import Session

_GRATING_UM = 0.4629
"""Period of a cross grating with 2160 lines per mm."""


def _image(session: Session, buffer: str) -> Image:
    return session.buffers.get(buffer or "A")


@command("MeasureBeamSize")
def measure_beam_size(session: Session, buffer: str = "A") -> tuple[float, float, float]:
    """Diameter (µm), quadrants with edges, error of the fit (µm)."""
    return 2.0 * beam.edge_radius_um(_image(session, buffer)), 4.0, 0.0


@command("MeasureBeamPosition")
def measure_beam_position(session: Session, buffer: str = "A") -> tuple[float, float, float, float]:
    """Offset of the beam from the centre (pixels), quadrants with edges, error of the fit (pixels)."""
    beam.edge_radius_um(_image(session, buffer))
    return 0.0, 0.0, 4.0, 0.0


@command("MeasureBeamEllipse")
def measure_beam_ellipse(session: Session, buffer: str = "A") -> tuple[float, float, float, float, float]:
    """Centre (pixels), long and short axis (µm) and angle; the simulated beam is round."""
    image = _image(session, buffer)
    diameter = 2.0 * beam.edge_radius_um(image)
    return 0.5 * image.size_px[0], 0.5 * image.size_px[1], diameter, diameter, 0.0


@command("MoveBeamByFieldFraction")
def move_beam_by_field(session: Session, dx: float, dy: float) -> None:
    """Move the beam by fractions of the Record field."""
    used = session.cameras.get("R")
    field = math.sqrt(used.size_px[0] * used.size_px[1]) * used.binning
    field_um = field * session.world.pixel_um(session.world.mag_index)
    x, y = session.column.beam_shift
    session.column.beam_shift = (x + dx * field_um, y + dy * field_um)
    session.spend(session.scope.beam_tilt_s, "optics")


@command("AutoCenterBeam")
def auto_center_beam(session: Session, longest: float = -9.0, percent: int = 0) -> None:
    """Take a Trial image and centre the beam, which in the simulated column it always is."""
    acquire(session, "T", frames=False)


def _set_intensity(session: Session, factor: float) -> None:
    value = beam.intensity_for(session, factor)
    session.column.intensity = value
    session.low_dose.follow(intensity=value)
    session.spend(session.scope.focus_s, "optics")


@command("SetIntensityForMean")
def set_intensity_for_mean(session: Session, mean: float) -> None:
    """Change the illumination so that the next image like A has this mean."""
    present = float(_image(session, "A").pixels.mean())
    _set_intensity(session, mean / present if present > 0.0 else 0.0)


@command("ChangeIntensityBy")
def change_intensity_by(session: Session, factor: float) -> None:
    """Change the illumination so that images become so many times as bright."""
    if factor <= 0.0:
        raise CommandError(f"The intensity cannot be changed by {factor:g}")
    _set_intensity(session, factor)


@command("SetDoseRate")
def set_dose_rate(session: Session, rate: float, raw: int = 0) -> None:
    """Change the illumination so that an image like A has this rate (electrons per unbinned pixel and second)."""
    image = _image(session, "A")
    if image.counts_per_electron <= 0.0 or image.exposure_s <= 0.0 or image.binning <= 0.0:
        raise CommandError("The dose rate of the image is not known")
    electrons = float(image.pixels.mean()) / image.counts_per_electron
    present = electrons / image.binning**2 / image.exposure_s
    _set_intensity(session, rate / present if present > 0.0 else 0.0)


@command("CalibrateElectronDose")
def calibrate_dose(session: Session) -> None:
    """The dose of simulated images is exact; the screen must be down to measure its current."""
    if not session.column.screen_down:
        raise CommandError("The screen must be down to calibrate the electron dose")
    session.spend(5.0, "optics")


@command("FixAstigmatismByCTF")
def fix_astigmatism(session: Session, a: int = 0, b: int = 0, c: int = 0) -> None:
    """Take a Record; the simulated column has no astigmatism to correct."""
    acquire(session, "R", frames=False)


@command("FixComaByCTF")
def fix_coma(session: Session, a: int = 0, b: int = 0, c: int = 0, d: int = 0) -> None:
    """Take five Records with tilted beam; the simulated column has no axial coma to correct."""
    tilt = session.world.beam_tilt
    for dx, dy in ((2.0, 0.0), (-2.0, 0.0), (0.0, 2.0), (0.0, -2.0), (0.0, 0.0)):
        session.world.set_beam_tilt((tilt[0] + dx, tilt[1] + dy))
        acquire(session, "R", frames=False)


@command("AutoCorrPeakVectors")
def auto_correlation_vectors(
    session: Session, buffer: str, spacing: float, no_trim: int = 0, no_show: int = 0
) -> tuple[float, float, float, float, float]:
    """Spacing (µm) and the two vectors (pixels, Y down) of a lattice with about the given spacing (µm)."""
    image = session.buffers.get(buffer)
    if image.pixel_um <= 0.0 or spacing <= 0.0:
        raise CommandError("The pixel size of the image and a positive spacing are needed")
    found = lattice_vectors(image, spacing / image.pixel_um)
    if found is None:
        raise CommandError("No regular lattice was found in the autocorrelation")
    (x1, y1), (x2, y2) = found
    mean = 0.5 * (math.hypot(x1, y1) + math.hypot(x2, y2)) * image.pixel_um
    return mean, x1, y1, x2, y2


@command("FindPixelSize")
def find_pixel_size(session: Session) -> tuple[float, float]:
    """Pixel (nm) and angle of the lines of a cross grating in A."""
    image = session.buffers.get("A")
    expected = _GRATING_UM / (image.pixel_um or session.world.pixel_um(session.world.mag_index))
    found = lattice_vectors(image, expected)
    if found is None:
        raise CommandError("The lines of a cross grating were not found in the image")
    (x1, y1), (x2, y2) = found
    length = 0.5 * (math.hypot(x1, y1) + math.hypot(x2, y2))
    return 1000.0 * _GRATING_UM / length, math.degrees(math.atan2(-y1, x1))


@command("ReportXLensMode")
def report_x_lens(session: Session) -> float:
    """Only some JEOL columns have an X lens."""
    raise CommandError("The simulated column has no X lens")


@command("FindLowDoseShiftOffset")
def find_shift_offset(
    session: Session, which: int, longest: float = 0.0, scale: float = 0.0, rotation: float = -1.0
) -> None:
    """Align a View (0) or Search (1) image to a Record image of the same place, and change the area's shift offset."""
    letters = {0: "V", 1: "S"}
    if which not in letters:
        raise CommandError("The area must be 0 for View or 1 for Search")
    session.low_dose.require_on()
    letter = letters[which]
    reference = acquire(session, "R", frames=False)
    image = acquire(session, letter, frames=False)
    first, second = image.shot, reference.shot
    assert first is not None and second is not None
    session.spend(session.scope.align_s, "align")
    found = session.world.measure_shift(first, second, longest if longest > 0.0 else None).shift_um
    if found is None:
        raise CommandError("Aligning the areas failed: no correlation peak was found")
    x, y = session.low_dose.areas[letter].shift_um
    areas.move_area(session, letter, shift_um=(x - found[0], y - found[1]))
