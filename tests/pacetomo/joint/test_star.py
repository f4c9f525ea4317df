import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

from pacetomo.joint.star import Ray, Row, Star

COMMON, OWN, TARGETS = 4, 2, 3
seeds = st.integers(0, 10_000)


class Dense:
    """The same inference on one big vector: the common part, then the own part of each target."""

    def __init__(self, prior, spreads):
        size = COMMON + OWN * TARGETS
        self.mean = np.zeros(size)
        self.prior = np.zeros((size, size))
        self.prior[:COMMON, :COMMON] = prior
        for n, spread in enumerate(spreads):
            place = slice(COMMON + OWN * n, COMMON + OWN * (n + 1))
            self.prior[place, place] = spread
        self.rows, self.measured, self.noise = [], [], []

    def row(self, target, row):
        full = np.zeros((len(row.common), len(self.prior)))
        full[:, :COMMON] = row.common
        full[:, COMMON + OWN * target : COMMON + OWN * (target + 1)] = row.own
        return full

    def add(self, target, row, measured, noise):
        self.rows.append(self.row(target, row))
        self.measured.append(measured)
        self.noise.append(noise)

    def _all(self):
        size = sum(map(len, self.measured))
        noise, at = np.zeros((size, size)), 0
        for block in self.noise:
            noise[at : at + len(block), at : at + len(block)] = block
            at += len(block)
        return np.vstack(self.rows), np.concatenate(self.measured), noise

    def posterior(self):
        rows, measured, noise = self._all()
        gain = self.prior @ rows.T @ np.linalg.inv(rows @ self.prior @ rows.T + noise)
        return self.mean + gain @ (measured - rows @ self.mean), self.prior - gain @ rows @ self.prior

    def log_likelihood(self):
        rows, measured, noise = self._all()
        return multivariate_normal(rows @ self.mean, rows @ self.prior @ rows.T + noise).logpdf(measured)


def spread_of(rng, size):
    root = rng.normal(size=(size, size))
    return root @ root.T + 0.1 * np.eye(size)


def both(seed, measurements=7):
    rng = np.random.default_rng(seed)
    prior, spreads = spread_of(rng, COMMON), [spread_of(rng, OWN) for _ in range(TARGETS)]
    star, dense = Star(prior), Dense(prior, spreads)
    for n, spread in enumerate(spreads):
        star.set_ray(n, Ray.fresh(spread))
    for _ in range(measurements):
        target, rows = int(rng.integers(TARGETS)), int(rng.integers(1, 3))
        row = Row(rng.normal(size=(rows, COMMON)), rng.normal(size=(rows, OWN)))
        measured, noise = rng.normal(size=rows), spread_of(rng, rows)
        star.update(target, row, measured, noise)
        dense.add(target, row, measured, noise)
    return rng, star, dense


@given(seed=seeds)
def test_it_is_the_plain_gaussian_posterior(seed):
    rng, star, dense = both(seed)
    mean, covariance = dense.posterior()
    for target in range(TARGETS):
        row = Row(rng.normal(size=(2, COMMON)), rng.normal(size=(2, OWN)))
        full = dense.row(target, row)
        expected = star.expect(target, row)
        assert expected.mean == pytest.approx(full @ mean, abs=1e-7)
        assert expected.covariance == pytest.approx(full @ covariance @ full.T, abs=1e-7)


@given(seed=seeds)
def test_the_prior_may_be_exchanged_afterwards(seed):
    rng, star, dense = both(seed)
    other, about = spread_of(rng, COMMON), rng.normal(size=COMMON)
    star.use_prior(other, about)
    dense.prior[:COMMON, :COMMON], dense.mean[:COMMON] = other, about
    mean, covariance = dense.posterior()
    assert star.mean == pytest.approx(mean[:COMMON], abs=1e-7)
    assert star.covariance == pytest.approx(covariance[:COMMON, :COMMON], abs=1e-7)


@given(seed=seeds)
def test_the_evidence_compares_priors(seed):
    rng, star, dense = both(seed)
    scores, true = [], []
    for _ in range(2):
        prior, about = spread_of(rng, COMMON), rng.normal(size=COMMON)
        scores.append(star.evidence(prior, about))
        dense.prior[:COMMON, :COMMON], dense.mean[:COMMON] = prior, about
        true.append(dense.log_likelihood())
    assert scores[1] - scores[0] == pytest.approx(true[1] - true[0], abs=1e-6)


def test_without_a_mean_the_prior_is_about_zero():
    rng, star, _ = both(4)
    prior = spread_of(rng, COMMON)
    assert star.evidence(prior) == star.evidence(prior, np.zeros(COMMON))
    twin = star.copy()
    star.use_prior(prior)
    twin.use_prior(prior, np.zeros(COMMON))
    assert (star.mean == twin.mean).all()


def test_learning_goes_on_from_a_prior_with_a_mean():
    rng, star, dense = both(8)
    prior, about = spread_of(rng, COMMON), rng.normal(size=COMMON)
    star.use_prior(prior, about)
    dense.prior[:COMMON, :COMMON], dense.mean[:COMMON] = prior, about
    row, noise = Row(rng.normal(size=(1, COMMON)), rng.normal(size=(1, OWN))), np.array([[0.3]])
    star.update(1, row, np.array([0.7]), noise)
    dense.add(1, row, np.array([0.7]), noise)
    assert star.mean == pytest.approx(dense.posterior()[0][:COMMON], abs=1e-9)


def test_the_common_part_may_grow():
    rng, star, _ = both(3)
    before = star.mean
    grown = np.zeros((COMMON + 1, COMMON + 1))
    grown[:COMMON, :COMMON] = spread_of(rng, COMMON)
    grown[COMMON, COMMON] = 4.0
    star.use_prior(grown)
    assert len(star.mean) == len(before) + 1
    assert star.mean[COMMON] == pytest.approx(0.0)
    assert star.covariance[COMMON, COMMON] == pytest.approx(4.0)
    row = Row(np.eye(COMMON + 1)[COMMON:], np.zeros((1, OWN)))
    star.update(0, row, np.array([2.0]), np.array([[4.0]]))
    assert star.mean[COMMON] == pytest.approx(1.0)


def test_an_entry_defined_anew_makes_the_measurement_come_out():
    """After e := value - row, row + e is the value, whatever the row's own uncertainty."""
    rng, star, _ = both(5)
    row = Row(rng.normal(size=(1, COMMON)), np.array([[0.7, 0.0]]))
    star.set_ray(1, star.ray(1).redefined(1, 2.5, row, 0.01))
    with_error = Row(row.common, np.array([[0.7, 1.0]]))
    expected = star.expect(1, with_error)
    assert expected.mean == pytest.approx([2.5])
    assert expected.covariance == pytest.approx(np.array([[0.01]]), abs=1e-9)
    assert star.expect(1, row).covariance[0, 0] > 0.05


def test_a_copy_goes_its_own_way():
    rng, star, _ = both(6)
    twin = star.copy()
    before = star.mean.copy(), star.covariance.copy(), star.ray(0).offset.copy()
    twin.update(0, Row(np.ones((1, COMMON)), np.ones((1, OWN))), np.array([3.0]), np.array([[0.1]]))
    twin.use_prior(spread_of(rng, COMMON))
    assert (star.mean == before[0]).all() and (star.covariance == before[1]).all()
    assert (star.ray(0).offset == before[2]).all()
    assert not np.allclose(twin.ray(0).offset, before[2])


def test_a_step_widens_one_entry():
    ray = Ray.fresh(np.eye(OWN)).with_step(1, 0.5)
    assert ray.spread.tolist() == [[1.0, 0.0], [0.0, 1.5]]
