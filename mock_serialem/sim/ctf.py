"""Contrast transfer of the objective lens.

Units here: nm and 1/nm. Defocus is negative for underfocus, in um, as everywhere.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mock_serialem.sim.profiles import MicroscopeProfile

Floats32 = NDArray[np.float32]

TABLE = 8192
"""Entries of a radial table, evenly spaced in the square of the spatial frequency."""

CONVERGENCE_RAD = 2e-5
FOCUS_SPREAD_NM = 8.0
POINT_SIGMAS_NM = ((1.7, 0.75), (0.4, 0.25))
"""Sizes and shares of the two Gaussians that make up a scattering point: a soft body with a sharp core."""


def wavelength_nm(voltage_kv: float) -> float:
    """Relativistic electron wavelength.

    >>> round(wavelength_nm(300.0) * 1e3, 2)
    1.97
    """
    volts = voltage_kv * 1e3
    return 1.22643 / math.sqrt(volts * (1.0 + 0.978466e-6 * volts))


def phase_shift(
    k2: NDArray[np.float64], defocus_um: float, profile: MicroscopeProfile
) -> NDArray[np.float64]:
    """Phase (rad) that the lens adds at squared spatial frequencies `k2` (1/nm^2); grows with underfocus."""
    wave = wavelength_nm(profile.voltage_kv)
    cs_nm = profile.spherical_aberration_mm * 1e6
    under_nm = -defocus_um * 1e3
    return math.pi * wave * k2 * (under_nm - 0.5 * cs_nm * wave**2 * k2)


def transfer(k2: NDArray[np.float64], defocus_um: float, profile: MicroscopeProfile) -> NDArray[np.float64]:
    """Contrast transfer with envelope; positive values make scattering matter dark."""
    wave = wavelength_nm(profile.voltage_kv)
    cs_nm = profile.spherical_aberration_mm * 1e6
    phase = phase_shift(k2, defocus_um, profile)
    amplitude = profile.amplitude_contrast
    contrast = math.sqrt(1.0 - amplitude**2) * np.sin(phase) + amplitude * np.cos(phase)
    k = np.sqrt(k2)
    spread = math.pi * CONVERGENCE_RAD * (cs_nm * wave**2 * k2 * k + defocus_um * 1e3 * k)
    temporal = 0.5 * math.pi * wave * FOCUS_SPREAD_NM * k2
    return contrast * np.exp(-(spread**2) - temporal**2)


def table(defocus_um: float, pixel_nm: float, profile: MicroscopeProfile) -> Floats32:
    """Radial table of transfer, point size and detector, from k2 = 0 to the corner of the spectrum."""
    k2 = np.linspace(0.0, corner_k2(pixel_nm), TABLE)
    nyquist2 = (0.5 / pixel_nm) ** 2
    detector = profile.camera.mtf_at_nyquist ** (k2 / nyquist2)
    point = sum(share * np.exp(-2.0 * (math.pi * sigma) ** 2 * k2) for sigma, share in POINT_SIGMAS_NM)
    return (transfer(k2, defocus_um, profile) * detector * point).astype(np.float32)


def corner_k2(pixel_nm: float) -> float:
    """Squared spatial frequency in the corner of a spectrum."""
    return 2.0 * (0.5 / pixel_nm) ** 2


@lru_cache(maxsize=4)
def table_index(rows: int, columns: int) -> NDArray[np.uint16]:
    """Entry of a radial table for each coefficient of `scipy.fft.rfft2` of a (rows, columns) image."""
    y = np.fft.fftfreq(rows)[:, None]
    x = np.fft.rfftfreq(columns)[None, :]
    # The corner lies at 0.5**2 + 0.5**2 in units of 1 / pixel.
    return np.rint((y * y + x * x) / 0.5 * (TABLE - 1)).astype(np.uint16)
