import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacetomo.joint.adaptation import NOISE_UM, NoiseScale, Scatter, stepped
from pacetomo.joint.priors import LADDER, USUAL


def learnt(factors, seed=0, tilts=40, shared_um=0.05):
    """Noise scale after tilts in which every target scatters by its factor about a common motion."""
    rng = np.random.default_rng(seed)
    noise = NoiseScale(0.0)
    count = len(factors)
    standard = noise.standard_um2(0.0)
    predicted = shared_um**2 * np.ones((count, count))
    for _ in range(tilts):
        scatters = []
        for _axis in "xy":
            apart = rng.normal(0, shared_um) + rng.normal(size=count) * np.array(factors) * NOISE_UM
            scatters.append(Scatter(list(range(count)), apart, predicted, standard))
        noise.learn(scatters)
    return noise


@pytest.mark.parametrize("factor", [0.4, 1.0, 2.5])
def test_the_common_factor_is_found(factor):
    assert learnt([factor] * 8).common == pytest.approx(factor, rel=0.1)


def test_a_poor_target_is_told_from_the_others():
    noise = learnt([1, 1, 1, 1, 1, 1, 1, 3], seed=4)
    others = [noise.of(target) for target in range(7)]
    assert noise.of(7) > 1.5 * max(others)
    assert noise.of(99) == 1.0  # never seen


def test_a_single_target_teaches_nothing():
    noise = learnt([5.0])
    assert noise.common == pytest.approx(1.0)


@given(seed=st.integers(0, 100), order=st.permutations(range(6)))
def test_order_does_not_matter(seed, order):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(6, 6))
    predicted, apart = 1e-4 * root @ root.T, 0.01 * rng.normal(size=6)
    one, other = NoiseScale(0.0), NoiseScale(0.0)
    one.learn([Scatter(list(range(6)), apart, predicted, 1e-4)])
    take = list(order)
    other.learn([Scatter(take, apart[take], predicted[np.ix_(take, take)], 1e-4)])
    assert other.common == pytest.approx(one.common, rel=1e-9)
    assert [other.of(n) for n in range(6)] == pytest.approx([one.of(n) for n in range(6)], rel=1e-6)


def test_noise_grows_away_from_the_level_tilt():
    noise = NoiseScale(9.0)
    assert noise.standard_um2(9.0) == pytest.approx(NOISE_UM**2)
    assert noise.standard_um2(9.0 + 50) == pytest.approx(noise.standard_um2(9.0 - 50))
    assert noise.standard_um2(69.0) == pytest.approx(NOISE_UM**2 * 4**1.3)
    assert noise.stretch(99.0) == 5.0


def test_scales_go_towards_the_evidence_by_single_steps():
    wanted = {axis: scales._replace(jitter_um=scales.jitter_um * 4) for axis, scales in USUAL.items()}

    def evidence(scales):
        apart = [np.log(scales[axis].jitter_um / wanted[axis].jitter_um) for axis in "yz"]
        return -20 * float(np.square(apart).sum())

    scales = dict(USUAL)
    first = stepped(scales, "yz", evidence)
    assert first["y"].jitter_um == pytest.approx(USUAL["y"].jitter_um * LADDER)
    assert first["y"].smooth_um == USUAL["y"].smooth_um
    assert first["x"] == USUAL["x"]
    for _ in range(10):
        scales = stepped(scales, "yz", evidence)
    assert scales["z"].jitter_um == pytest.approx(wanted["z"].jitter_um)
    assert stepped(scales, "yz", evidence) == scales
