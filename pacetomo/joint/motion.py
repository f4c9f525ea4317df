"""The two stars with the prior that they share: stops visited, scales of the motion, slips, a stage profile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from pacetomo.joint.adaptation import stepped
from pacetomo.joint.priors import USUAL, Scales, Slip, Stop, stop_after
from pacetomo.joint.profile import Expected, StageProfile
from pacetomo.joint.rows import (
    SIDES,
    X_PER_STOP,
    X_SPREAD,
    YZ_PER_STOP,
    YZ_SPREAD,
    x_prior,
    yz_prior,
)
from pacetomo.joint.star import Floats, Star
from pacetomo.schemes import Branch

CAUTION = 0.85
"""Share of the usual smooth motion that is reckoned with in any case where motion may be mistaken for the axis."""
_COLUMNS = {
    "x": (X_SPREAD.size, X_PER_STOP),
    "y": (YZ_SPREAD.size, YZ_PER_STOP),
    "z": (YZ_SPREAD.size + 1, YZ_PER_STOP),
}
"""Of the motion of each axis: the column of the first stop among all common unknowns, and columns to the next."""


class Stars(NamedTuple):
    """What is believed of x, and of y and z."""

    x: Star
    yz: Star

    def copy(self) -> Stars:
        """Return stars that go on independently."""
        return Stars(self.x.copy(), self.yz.copy())


class Motion:
    """What is believed of the stage before this session's measurements, given which tilts it has visited.

    Parameters
    ----------
    start_tilt_deg : float
        Tilt at which all motion is zero.
    profile : StageProfile, optional
        What past series have shown of the stage: a mean, and scales of what differs from series to series. The usual
        scales go on to be learnt beside it, so that it may be dropped.
    """

    def __init__(self, start_tilt_deg: float, profile: StageProfile | None = None) -> None:
        self.profile = profile
        self._usual: dict[str, Scales] = dict(USUAL)
        self._rest_at_first = dict(USUAL) if profile is None else {**USUAL, **profile.rest}
        self._rest = dict(self._rest_at_first)
        self.stops: list[Stop] = []
        self._start_tilt_deg = start_tilt_deg
        self._slips: list[Slip] = []
        self._focus_slips: list[Slip] = []
        self._expected: dict[tuple[str, tuple[Stop, ...], bool], Expected] = {}

    @property
    def scales(self) -> dict[str, Scales]:
        """Scales of the motion, of its part that does not repeat where there is a profile."""
        return self._usual if self.profile is None else self._rest

    def visit(self, tilt_deg: float, branch: Branch) -> None:
        """Add a stop."""
        self.stops.append(self.stop(tilt_deg, branch))
        self._expected = {}

    def stop(self, tilt_deg: float, branch: Branch) -> Stop:
        """What a visit of a tilt would be, next."""
        return stop_after(self.stops, tilt_deg - self._start_tilt_deg, SIDES[branch])

    # slips

    @property
    def has_slipped(self) -> bool:
        """Whether the stage is taken to have slipped on its way to the latest stop."""
        return any(self._is_latest(slip) for slip in self._slips)

    def slip(self, sigma_um: float | None) -> None:
        """Take the stage to have slipped on its way to the latest stop, by `sigma_um`, or (None) not to have."""
        self._slips = [slip for slip in self._slips if not self._is_latest(slip)]
        if sigma_um is not None:
            self._slips.append(Slip(len(self.stops) - 1, self.stops[-1].side, sigma_um))

    def slip_in_focus(self, sigma_um: float) -> None:
        """Take all heights to have changed on the way to the latest stop."""
        side = self.stops[-1].side if self.stops else 0
        self._focus_slips.append(Slip(max(0, len(self.stops) - 1), side, sigma_um))

    def move_all(self, sigma_um: float) -> None:
        """Take everything to have moved before the next stop, on both branches."""
        self._slips.append(Slip(len(self.stops), 0, sigma_um))

    def _is_latest(self, slip: Slip) -> bool:
        return slip.stop == len(self.stops) - 1 and slip.side != 0

    # priors

    def resolve(self, stars: Stars, ahead: Stop | None = None, without_profile: bool = False) -> None:
        """Bring stars up to date with the prior, with a further stop if one is given."""
        stops = self.stops if ahead is None else [*self.stops, ahead]
        profile = None if without_profile else self.profile
        scales = self._usual if profile is None else self._rest
        stars.x.use_prior(*self._x_prior(scales, stops, profile))
        stars.yz.use_prior(*self._yz_prior(scales, stops, profile))

    def step_scales(self, stars: Stars) -> None:
        """Let the scales follow the evidence."""
        self._usual = self._stepped(stars, self._usual, USUAL, None)
        if self.profile is not None:
            self._rest = self._stepped(stars, self._rest, self._rest_at_first, self.profile)

    def advantage(self, stars: Stars) -> float:
        """Logarithm of how much more probable all measurements are with the profile than without it.

        Without it means: with the usual prior, or with what the profile says of how much the stage moves and nothing of
        where, whichever explains more. Past series of any stage tell the former; a stage has to keep to the latter.
        """
        if self.profile is None:
            return 0.0
        with_it = self._evidence(stars, self._rest, self.profile)
        blank = self._evidence(stars, self._rest, self.profile.forgotten())
        return with_it - max(blank, self._evidence(stars, self._usual, None))

    def drop_profile(self) -> None:
        """Go on as if there had never been a profile."""
        self.profile = None

    def x_prior(self) -> Floats:
        """Prior covariance of the common unknowns of x."""
        return self._x_prior(self.scales, self.stops, self.profile)[0]

    def yz_prior(self) -> Floats:
        """Prior covariance of the common unknowns of y and z."""
        return self._yz_prior(self.scales, self.stops, self.profile)[0]

    def _stepped(
        self,
        stars: Stars,
        scales: Mapping[str, Scales],
        usual: Mapping[str, Scales],
        profile: StageProfile | None,
    ) -> dict[str, Scales]:
        of_x = stepped(
            scales, "x", lambda trial: stars.x.evidence(*self._x_prior(trial, self.stops, profile)), usual
        )
        return stepped(
            of_x, "yz", lambda trial: stars.yz.evidence(*self._yz_prior(trial, self.stops, profile)), usual
        )

    def _evidence(self, stars: Stars, scales: Mapping[str, Scales], profile: StageProfile | None) -> float:
        of_x = stars.x.evidence(*self._x_prior(scales, self.stops, profile))
        return of_x + stars.yz.evidence(*self._yz_prior(scales, self.stops, profile))

    def _x_prior(
        self, scales: Mapping[str, Scales], stops: Sequence[Stop], profile: StageProfile | None
    ) -> tuple[Floats, Floats | None]:
        """Covariance and mean of the common unknowns of x; no mean without a profile."""
        prior = x_prior(stops, self._slips, scales["x"])
        return prior, self._add_repeating(prior, "x", stops, profile)

    def _yz_prior(
        self, scales: Mapping[str, Scales], stops: Sequence[Stop], profile: StageProfile | None
    ) -> tuple[Floats, Floats | None]:
        """Covariance and mean of the common unknowns of y and z; no mean without a profile."""
        prior = yz_prior(stops, self._slips, self._focus_slips, scales["y"], scales["z"])
        return prior, self._add_repeating(prior, "yz", stops, profile)

    def _add_repeating(
        self, prior: Floats, axes: str, stops: Sequence[Stop], profile: StageProfile | None
    ) -> Floats | None:
        """Add what is uncertain of the part that repeats to a prior covariance, in place; its mean is returned."""
        if profile is None:
            return None
        mean = np.zeros(len(prior))
        for axis in axes:
            if axis in profile.rest and stops:
                expected = self._expectation(axis, tuple(stops), profile)
                first, step = _COLUMNS[axis]
                mean[first::step][: len(stops)] = expected.mean
                prior[first::step, first::step][: len(stops), : len(stops)] += expected.covariance
        return mean

    def _expectation(self, axis: str, stops: tuple[Stop, ...], profile: StageProfile) -> Expected:
        """What a profile expects at stops, kept until the next visit."""
        key = (axis, stops, bool(profile.courses))
        if key not in self._expected:
            self._expected[key] = profile.expect(axis, self._start_tilt_deg, stops)
        return self._expected[key]

    # what there is to tell

    @property
    def slips(self) -> tuple[Slip, ...]:
        """Slips along x and y that the stage is taken to have made, and motions of everything (side 0)."""
        return tuple(self._slips)

    def x_mean(self) -> Floats:
        """Prior mean of the common unknowns of x."""
        prior, mean = self._x_prior(self.scales, self.stops, self.profile)
        return np.zeros(len(prior)) if mean is None else mean

    def yz_mean(self) -> Floats:
        """Prior mean of the common unknowns of y and z."""
        prior, mean = self._yz_prior(self.scales, self.stops, self.profile)
        return np.zeros(len(prior)) if mean is None else mean

    def cautious(self, stars: Stars) -> Star:
        """What is believed of y and z under a prior whose smooth motion is not much smaller than the usual one.

        Scales found from the evidence make what moves like the axis or the height, but is the stage's own, look
        smaller than it may be.
        """
        careful = {
            axis: scales._replace(smooth_um=max(scales.smooth_um, CAUTION * USUAL[axis].smooth_um))
            for axis, scales in self.scales.items()
        }
        wary = stars.yz.copy()
        wary.use_prior(*self._yz_prior(careful, self.stops, self.profile))
        return wary
