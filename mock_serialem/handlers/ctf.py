"""CTF fits."""

from __future__ import annotations

from mock_serialem import alignment
from mock_serialem.commands import command
from mock_serialem.errors import CommandError
from mock_serialem.session import Session
from mock_serialem.sim.shot import CtfFit


def _fit(session: Session, buffer: str, low: float, high: float) -> CtfFit | None:
    image = session.buffers.get(buffer)
    if not (-100.0 <= low <= 0.0 and -100.0 <= high <= 0.0):
        raise CommandError("The defocus limits must be between -100 and 0")
    if image.pixel_um <= 0.0:
        raise CommandError("The image has no pixel size")
    fit = session.world.fit_ctf(alignment.shot_of(image, f"buffer {buffer}"))
    session.spend(session.scope.ctf_fit_s, "align")
    if fit is None or not min(low, high) <= fit.defocus_um <= max(low, high):
        return None
    return fit


@command("CtfFind")
def ctf_find(
    session: Session,
    buffer: str,
    low: float,
    high: float,
    one_dimensional: int = 0,
    box: int = 0,
    phase: float = 0.0,
    phase_end: float = 0.0,
    phase_step: int = 0,
    fix_astigmatism: int = 0,
) -> tuple[float, ...]:
    """Defocus (µm), astigmatism (µm), angle, phase shift, score, resolution (Å)."""
    if box and not 128 <= box <= 640:
        raise CommandError("The box size must be between 128 and 640")
    if phase_end and abs(phase_end - phase) > 125.0:
        raise CommandError("The range of phases is too large")
    fit = _fit(session, buffer, low, high)
    if fit is None:
        raise CommandError("Ctffind failed: no fit was found in the range of defocus")
    return fit.defocus_um, fit.astigmatism_um, fit.angle_deg, phase, fit.score, fit.resolution_a


@command("Ctfplotter")
def ctfplotter(
    session: Session,
    buffer: str,
    low: float,
    high: float,
    astigmatism: int = 1,
    phase: float = 0.0,
    tilt_offset: float = 0.0,
    tuning: int = 1,
    crop: float | None = None,
    fit_start: float | None = None,
    fit_end: float | None = None,
) -> tuple[float, ...]:
    """Defocus (µm), astigmatism (µm), angle, phase, fit limit (Å), correlation; (1, status) when the program failed."""
    extra = (crop, fit_start, fit_end)
    if tuning in (1, -1) and any(value is not None for value in extra):
        raise CommandError("No more entries are allowed after 1 or -1 for tuning")
    if (tuning == 0 or tuning >= 100) and any(value is None for value in extra):
        raise CommandError("Crop, fit start and fit end are needed with a power spectrum resolution")
    fit = _fit(session, buffer, low, high)
    if fit is None:
        return 1.0, 1.0
    spread = fit.astigmatism_um if astigmatism & 1 else 0.0
    return fit.defocus_um, spread, fit.angle_deg, phase, fit.resolution_a, fit.score
