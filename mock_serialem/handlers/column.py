"""Magnification, beam, lenses, filter and apertures."""

from __future__ import annotations

import math

from mock_serialem import shifts
from mock_serialem.commands import command
from mock_serialem.errors import CommandError
from mock_serialem.session import Session
from mock_serialem.sim.profiles import Magnification


def _present(session: Session) -> Magnification:
    return next(m for m in session.scope.magnifications if m.index == session.world.mag_index)


def _go_to_mag(session: Session, index: int) -> None:
    """Change magnification, keeping the displayed image shift on the specimen."""
    if not any(m.index == index for m in session.scope.magnifications):
        raise CommandError(f"There is no magnification with index {index}")
    specimen = shifts.specimen_shift_um(session)
    session.world.set_mag_index(index)
    session.low_dose.follow(mag_index=index)
    matrix = shifts.inverse(shifts.is_to_specimen(session, index))
    shifts.set_displayed(session, shifts.times(matrix, specimen), settle=0.0)


@command("ReportMag")
def report_mag(session: Session) -> tuple[float, float, float]:
    """Magnification, low mag, EFTEM mode."""
    mag = _present(session)
    return mag.magnification, float(mag.low_mag), 1.0


@command("ReportMagIndex")
def report_mag_index(session: Session) -> tuple[float, float]:
    """Index and low mag."""
    return float(session.world.mag_index), float(_present(session).low_mag)


@command("SetMag")
def set_mag(session: Session, value: float, flag: int = 0) -> None:
    """Go to the magnification near a value."""
    nearest = min(session.scope.magnifications, key=lambda m: abs(m.magnification - value))
    if abs(nearest.magnification - value) > 0.02 * nearest.magnification:
        raise CommandError(f"There is no magnification of {value:g}")
    _go_to_mag(session, nearest.index)


@command("SetMagIndex")
def set_mag_index(session: Session, index: int) -> None:
    """Go to a magnification by index."""
    _go_to_mag(session, index)


@command("ChangeMag")
def change_mag(session: Session, steps: int) -> None:
    """Go so many steps up or down the table."""
    indices = [m.index for m in session.scope.magnifications]
    place = indices.index(session.world.mag_index) + steps
    if not 0 <= place < len(indices):
        raise CommandError("The magnification is out of range")
    _go_to_mag(session, indices[place])


@command("ReportCameraLength")
def report_camera_length(session: Session) -> float:
    """The column is never in diffraction mode."""
    return 0.0


@command("ReportSpotSize")
def report_spot(session: Session) -> float:
    """Spot size."""
    return float(session.column.spot)


@command("SetSpotSize")
def set_spot(session: Session, spot: int) -> None:
    """Set the spot size, and with it the dose rate."""
    if not 1 <= spot <= 11:
        raise CommandError(f"{spot} is not a spot size")
    session.column.spot = spot
    session.low_dose.follow(spot=spot)
    session.spend(session.scope.focus_s, "optics")


@command("ReportPercentC2")
def report_percent_c2(session: Session) -> tuple[float, float]:
    """Illuminated area (µm) in place of percent on this column, and the raw value."""
    return _illuminated_um(session), session.column.intensity


def _illuminated_um(session: Session) -> float:
    return session.column.intensity * 2.5


@command("SetPercentC2")
def set_percent_c2(session: Session, value: float) -> None:
    """Set the illuminated area (µm)."""
    if not 0.0 <= value <= 100.0:
        raise CommandError(f"{value:g} is out of range")
    session.column.intensity = value / 2.5
    session.low_dose.follow(intensity=session.column.intensity)
    session.spend(session.scope.focus_s, "optics")


@command("IncPercentC2")
def increment_percent_c2(session: Session, change: float) -> None:
    """Add to the illuminated area (µm)."""
    set_percent_c2(session, _illuminated_um(session) + change)


@command("ReportCrossoverPercentC2")
def report_crossover(session: Session) -> tuple[float, float]:
    """Crossover lies at zero illuminated area."""
    return 0.0, 0.0


@command("ReportIlluminatedArea")
def report_illuminated_area(session: Session) -> float:
    """Illuminated area (µm x 0.01)."""
    return _illuminated_um(session) * 0.01


@command("SetIlluminatedArea")
def set_illuminated_area(session: Session, value: float) -> None:
    """Set the illuminated area (µm x 0.01)."""
    set_percent_c2(session, value * 100.0)


@command("ReportProbeMode")
def report_probe_mode(session: Session) -> float:
    """0 nano, 1 micro."""
    return float(session.column.probe_mode)


@command("SetProbeMode")
def set_probe_mode(session: Session, mode: str) -> None:
    """Nano or micro."""
    modes = {"0": 0, "1": 1, "n": 0, "m": 1}
    key = mode.strip().lower()[:1]
    if key not in modes:
        raise CommandError(f"{mode!r} is not a probe mode")
    session.column.probe_mode = modes[key]
    session.low_dose.follow(probe_mode=modes[key])
    session.spend(session.scope.mag_change_s, "optics")


@command("ReportAlpha")
def report_alpha(session: Session) -> float:
    """Beam setting, from 1."""
    return float(session.column.alpha)


@command("SetAlpha")
def set_alpha(session: Session, alpha: int) -> None:
    """Set the beam setting."""
    session.column.alpha = alpha


# --- beam


@command("SetBeamShift")
def set_beam_shift(session: Session, x: float, y: float) -> None:
    """Beam shift."""
    session.column.beam_shift = (x, y)
    session.spend(session.scope.beam_tilt_s, "optics")


@command("ReportBeamShift")
def report_beam_shift(session: Session) -> tuple[float, float]:
    """Beam shift."""
    return session.column.beam_shift


@command("MoveBeamByMicrons")
def move_beam(session: Session, dx: float, dy: float) -> None:
    """Add to the beam shift (µm)."""
    x, y = session.column.beam_shift
    set_beam_shift(session, x + dx, y + dy)


@command("SetBeamTilt")
def set_beam_tilt(session: Session, x: float, y: float) -> None:
    """Beam tilt (mrad)."""
    session.world.set_beam_tilt((x, y))


@command("ReportBeamTilt")
def report_beam_tilt(session: Session) -> tuple[float, float]:
    """Beam tilt (mrad)."""
    return session.world.beam_tilt


@command("SetBeamBlank")
def set_beam_blank(session: Session, on: int) -> None:
    """Blank the beam."""
    session.column.beam_blanked = bool(on)
    session.world.beam_blanked = bool(on)


@command("CenterBeamFromImage")
def center_beam(session: Session, centroid: int = 0, longest: float = 0.0) -> float:
    """The simulated beam is centred; no edges are found in an evenly lit image."""
    session.buffers.get("A")
    return -1.0


@command("SetObjectiveStigmator")
def set_objective_stigmator(session: Session, x: float, y: float) -> None:
    """Objective stigmator."""
    session.column.objective_stigmator = (x, y)


@command("ReportObjectiveStigmator")
def report_objective_stigmator(session: Session) -> tuple[float, float]:
    """Objective stigmator."""
    return session.column.objective_stigmator


@command("SetCondenserStigmator")
def set_condenser_stigmator(session: Session, x: float, y: float) -> None:
    """Condenser stigmator."""
    session.column.condenser_stigmator = (x, y)


@command("ReportCondenserStigmator")
def report_condenser_stigmator(session: Session) -> tuple[float, float]:
    """Condenser stigmator."""
    return session.column.condenser_stigmator


@command("SetDiffractionStigmator")
def set_diffraction_stigmator(session: Session, x: float, y: float) -> None:
    """Diffraction stigmator."""
    session.column.diffraction_stigmator = (x, y)


@command("ReportDiffractionStigmator")
def report_diffraction_stigmator(session: Session) -> tuple[float, float]:
    """Diffraction stigmator."""
    return session.column.diffraction_stigmator


@command("SetDiffractionShift")
def set_diffraction_shift(session: Session, x: float, y: float) -> None:
    """Diffraction shift."""
    session.column.diffraction_shift = (x, y)


@command("ReportDiffractionShift")
def report_diffraction_shift(session: Session) -> tuple[float, float]:
    """Diffraction shift."""
    return session.column.diffraction_shift


@command("SetImageBeamTilt")
def set_image_beam_tilt(session: Session, x: float, y: float) -> None:
    """Image-beam tilt."""
    session.column.image_beam_tilt = (x, y)


@command("ReportImageBeamTilt")
def report_image_beam_tilt(session: Session) -> tuple[float, float]:
    """Image-beam tilt."""
    return session.column.image_beam_tilt


@command("NormalizeLenses")
def normalize_lenses(session: Session, which: int) -> None:
    """Normalize: 1 projector, 2 objective, 4 condenser."""
    if not 1 <= which <= 7:
        raise CommandError(f"{which} does not name lenses")
    session.spend(session.scope.mag_change_s, "optics")


@command("NormalizeAllLenses")
def normalize_all(session: Session, which: int = 0) -> None:
    """Normalize all lenses."""
    session.spend(session.scope.mag_change_s, "optics")


@command("CorrectAstigmatism", "CorrectComa")
def correct_aberration(session: Session, mode: int = 0) -> None:
    """The simulated column has no astigmatism and no axial coma; only the images cost time."""
    session.spend(30.0, "autofocus")


@command("ReportStigmatorNeeded", "ReportComaTiltNeeded")
def report_needed(session: Session) -> tuple[float, float]:
    """Nothing needs correcting."""
    return 0.0, 0.0


@command("GetFastScopeStatus")
def fast_status(session: Session) -> None:
    """Many values at once, in variables."""
    x, y, z = session.world.stage_position_um()
    shift, raw, column = shifts.displayed(session), session.world.image_shift, session.column
    values = {
        "FastMagIndex": session.world.mag_index,
        "FastISX": shift[0],
        "FastISY": shift[1],
        "FastRawISX": raw[0],
        "FastRawISY": raw[1],
        "FastStageX": x,
        "FastStageY": y,
        "FastStageZ": z,
        "FastBlanked": column.beam_blanked,
        "FastCameraLength": 0,
        "FastCamLenIndex": 0,
        "FastProbeMode": column.probe_mode,
        "FastMagnification": _present(session).magnification,
        "FastDefocus": session.world.focus_um - column.defocus_zero_um,
        "FastSpotSize": column.spot,
        "FastAlpha": column.alpha,
        "FastIntensity": _illuminated_um(session),
        "FastRawIntensity": column.intensity,
        "FastEMmode": 0,
        "FastDarkField": 0,
    }
    for name, value in values.items():
        session.variables.report(name, float(value))


@command("CircleFromPoints")
def circle_from_points(
    session: Session, x1: float, y1: float, x2: float, y2: float, x3: float, y3: float
) -> tuple[float, float, float]:
    """Centre and radius of the circle through three points."""
    determinant = 2.0 * (x1 * (y2 - y3) + x2 * (y3 - y1) + x3 * (y1 - y2))
    if abs(determinant) < 1e-12:
        raise CommandError("The three points lie on a line")
    s1, s2, s3 = x1**2 + y1**2, x2**2 + y2**2, x3**2 + y3**2
    x = (s1 * (y2 - y3) + s2 * (y3 - y1) + s3 * (y1 - y2)) / determinant
    y = (s1 * (x3 - x2) + s2 * (x1 - x3) + s3 * (x2 - x1)) / determinant
    return x, y, math.hypot(x1 - x, y1 - y)
