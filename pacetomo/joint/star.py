"""Exact Gaussian inference where many small parts depend on one another through a common one only.

The common part c has a prior N(0, K). Each ray l_i (the unknowns of one target and axis) is known given c::

    l_i | c  ~  N(a_i + A_i c, S_i)

and rays are independent given c. A measurement of one target, ``z = H c + G l_i + noise`` of covariance R, keeps this
shape. With ``g = H + G A_i`` and ``r = G S_i G' + R`` it tells of the common part through ``z - G a_i = g c + N(0, r)``
and changes its own ray by the gain ``k = S_i G' / r``: ``a += k (z - G a)``, ``A -= k g``, ``S -= k r k'``.

What all measurements tell of c is kept as information, ``M = sum g' r^-1 g`` and ``b = sum g' r^-1 (z - G a)``. The
prior N(mu, K) is not part of it, so it may be exchanged: with ``P = (K^-1 + M)^-1`` the mean is ``mu + P (b - M mu)``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, cholesky, solve_triangular

Floats = NDArray[np.float64]


class Row(NamedTuple):
    """One or more scalar measurements: coefficients of the common part (r, n) and of the target's own part (r, k)."""

    common: Floats
    own: Floats


class Expected(NamedTuple):
    """Mean (r,) and covariance (r, r) of rows."""

    mean: Floats
    covariance: Floats


@dataclass(frozen=True)
class Ray:
    """A target's own unknowns given the common part: ``offset + slope c``, spread `spread`.

    Attributes
    ----------
    offset : array (k,)
    slope : array (k, m)
        For the first m entries of the common part; it does not depend on later ones.
    spread : array (k, k)
        Covariance given the common part.
    """

    offset: Floats
    slope: Floats
    spread: Floats

    @classmethod
    def fresh(cls, spread: Floats) -> Ray:
        """Own unknowns of mean 0 that do not depend on the common part."""
        size = spread.shape[0]
        return cls(np.zeros(size), np.zeros((size, 0)), spread)

    def widened(self, size: int) -> Ray:
        """Return the ray with a slope for `size` entries of the common part."""
        missing = size - self.slope.shape[1]
        if missing <= 0:
            return self
        return replace(self, slope=np.pad(self.slope, ((0, 0), (0, missing))))

    def with_step(self, entry: int, variance: float) -> Ray:
        """Return the ray after one entry has taken a random step."""
        spread = self.spread.copy()
        spread[entry, entry] += variance
        return replace(self, spread=spread)

    def redefined(self, entry: int, value: float, row: Row, variance: float) -> Ray:
        """Return the ray with an entry that is forgotten and defined anew as ``value - row + N(0, variance)``.

        `row` is a single one; it may itself refer to the old value.
        """
        wide = self.widened(row.common.shape[1])
        weights = np.eye(len(self.offset))
        weights[entry] = -row.own[0]
        offset = weights @ wide.offset
        offset[entry] += value
        slope = weights @ wide.slope
        slope[entry] -= row.common[0]
        spread = weights @ wide.spread @ weights.T
        spread[entry, entry] += variance
        return Ray(offset, slope, spread)


class Star:
    """The common part and the rays of all targets.

    Parameters
    ----------
    prior : array (n, n)
        Covariance of the common part.
    """

    def __init__(self, prior: Floats) -> None:
        size = prior.shape[0]
        self._rays: dict[int, Ray] = {}
        self._information = np.zeros((size, size))
        self._pull = np.zeros(size)
        self.mean = np.zeros(size)
        self.covariance = prior

    def copy(self) -> Star:
        """Return a star that goes on independently; arrays are replaced, never changed in place."""
        twin = Star(self.covariance)
        twin._rays = dict(self._rays)
        twin._information, twin._pull, twin.mean = self._information, self._pull, self.mean
        return twin

    def ray(self, target: int) -> Ray:
        """Return the own part of a target."""
        return self._rays[target]

    def set_ray(self, target: int, ray: Ray) -> None:
        """Replace the own part of a target."""
        self._rays[target] = ray

    def use_prior(self, prior: Floats, mean: Floats | None = None) -> None:
        """Exchange the prior, which may have grown by entries of which nothing has been measured yet.

        `prior` is its covariance (n, n), `mean` (n,) its mean; None for 0.
        """
        missing = prior.shape[0] - self._pull.size
        if missing:
            self._information = np.pad(self._information, (0, missing))
            self._pull = np.pad(self._pull, (0, missing))
        root = cholesky(prior, lower=True)
        inner = cho_factor(np.eye(len(root)) + root.T @ self._information @ root, lower=True)
        half = solve_triangular(inner[0], root.T, lower=True)
        self.covariance = half.T @ half
        about = np.zeros(len(root)) if mean is None else mean
        self.mean = about + root @ cho_solve(inner, root.T @ (self._pull - self._information @ about))

    def evidence(self, prior: Floats, mean: Floats | None = None) -> float:
        """Log-likelihood of all measurements under another prior, up to a constant.

        Measurements have the likelihood ``exp(b' c - c' M c / 2)``; about mu this is ``exp(b' mu - mu' M mu / 2)``
        times the same of ``c - mu`` with ``b - M mu`` for b.
        """
        root = cholesky(prior, lower=True)
        inner = cholesky(np.eye(len(root)) + root.T @ self._information @ root, lower=True)
        about = np.zeros(len(root)) if mean is None else mean
        free = self._pull - self._information @ about
        pulled = solve_triangular(inner, root.T @ free, lower=True)
        at_mean = 0.5 * about @ (self._pull + free)
        return float(0.5 * pulled @ pulled - np.log(np.diag(inner)).sum() + at_mean)

    def expect(self, target: int, row: Row) -> Expected:
        """Mean and covariance of rows of a target, without measurement noise."""
        ray, through = self._through(target, row)
        mean = through @ self.mean + row.own @ ray.offset
        own = row.own @ ray.spread @ row.own.T
        return Expected(mean, through @ self.covariance @ through.T + own)

    def update(self, target: int, row: Row, measured: Floats, noise: Floats) -> None:
        """Take in measurements (r,) of a target with noise of covariance (r, r)."""
        ray, through = self._through(target, row)
        own_spread = ray.spread @ row.own.T
        given = row.own @ own_spread + noise
        weight = np.linalg.inv(given)
        free = measured - row.own @ ray.offset
        self._information = self._information + through.T @ (weight @ through)
        self._pull = self._pull + through.T @ (weight @ free)
        lever = self.covariance @ through.T
        gain = lever @ np.linalg.inv(through @ lever + given)
        self.mean = self.mean + gain @ (free - through @ self.mean)
        shrunk = self.covariance - gain @ lever.T
        self.covariance = 0.5 * (shrunk + shrunk.T)
        own_gain = own_spread @ weight
        spread = ray.spread - own_gain @ own_spread.T
        self._rays[target] = Ray(
            ray.offset + own_gain @ free, ray.slope - own_gain @ through, 0.5 * (spread + spread.T)
        )

    def _through(self, target: int, row: Row) -> tuple[Ray, Floats]:
        """Return the target's ray, and how the rows depend on the common part directly and through it."""
        ray = self._rays[target].widened(row.common.shape[1])
        return ray, row.common + row.own @ ray.slope
