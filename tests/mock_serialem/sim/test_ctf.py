import math

import numpy as np
import pytest

from mock_serialem.sim import ctf
from mock_serialem.sim.profiles import KRIOS_SCOPE

WAVE_NM = 0.0019687


def test_wavelength_at_300_and_200_kv():
    assert ctf.wavelength_nm(300.0) == pytest.approx(WAVE_NM, rel=1e-3)
    assert ctf.wavelength_nm(200.0) == pytest.approx(0.0025079, rel=1e-3)


def test_more_underfocus_turns_the_phase_faster():
    k2 = np.array([0.04])
    # pi * wavelength * defocus * k^2, less the spherical aberration.
    expected = math.pi * WAVE_NM * 5000.0 * 0.04 - 0.5 * math.pi * 2.7e6 * WAVE_NM**3 * 0.04**2
    assert ctf.phase_shift(k2, -5.0, KRIOS_SCOPE)[0] == pytest.approx(expected, rel=1e-3)
    # At 0.5 nm spherical aberration works against underfocus: 0.5 pi Cs lambda^3 k^4.
    fine = ctf.phase_shift(np.array([4.0]), -5.0, KRIOS_SCOPE)[0]
    assert math.pi * WAVE_NM * 5000.0 * 4.0 - fine == pytest.approx(0.518, abs=0.01)
    assert ctf.phase_shift(k2, -2.0, KRIOS_SCOPE)[0] < expected


def test_matter_is_dark_in_underfocus_and_bright_in_overfocus():
    k2 = np.array([0.5 / (WAVE_NM * 5000.0)])
    assert ctf.transfer(k2, -5.0, KRIOS_SCOPE)[0] > 0.9
    assert ctf.transfer(k2, 5.0, KRIOS_SCOPE)[0] < -0.9


def test_at_rest_only_amplitude_contrast_is_left():
    assert ctf.transfer(np.array([0.0]), -5.0, KRIOS_SCOPE)[0] == pytest.approx(0.07)


def test_table_and_index_agree_about_frequencies():
    table = ctf.table(-3.0, 0.5, KRIOS_SCOPE)
    index = ctf.table_index(64, 128)
    assert index.shape == (64, 65)
    k2 = (5 / 64 / 0.5) ** 2 + (9 / 128 / 0.5) ** 2
    exact = ctf.transfer(np.array([k2]), -3.0, KRIOS_SCOPE)[0]
    filters = table[index[5, 9]] / exact
    assert 0.0 < filters < 1.0
    assert table[index[5, 9]] == table[index[-5, 9]]
    assert index[32, 64] == ctf.TABLE - 1
