"""The two stars with the prior that they share: stops visited, scales of the motion, slips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pacetomo.joint.adaptation import stepped
from pacetomo.joint.priors import USUAL, Scales, Slip, Stop
from pacetomo.joint.rows import SIDES, x_prior, yz_prior
from pacetomo.joint.star import Floats, Star
from pacetomo.schemes import Branch

CAUTION = 0.85
"""Share of the usual smooth motion that is reckoned with in any case where motion may be mistaken for the axis."""


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
    """

    def __init__(self, start_tilt_deg: float) -> None:
        self.scales: dict[str, Scales] = dict(USUAL)
        self.stops: list[Stop] = []
        self._start_tilt_deg = start_tilt_deg
        self._slips: list[Slip] = []
        self._focus_slips: list[Slip] = []

    def visit(self, tilt_deg: float, branch: Branch) -> None:
        """Add a stop."""
        self.stops.append(self.stop(tilt_deg, branch))

    def stop(self, tilt_deg: float, branch: Branch) -> Stop:
        """What a visit of a tilt would be, next."""
        side = SIDES[branch]
        return Stop(
            tilt_deg - self._start_tilt_deg,
            side,
            1 + sum(stop.side == side for stop in self.stops),
            bool(self.stops) and self.stops[-1].side != side,
            bool(self.stops) and self.stops[0].side != side,
        )

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

    def resolve(self, stars: Stars, ahead: Stop | None = None) -> None:
        """Bring stars up to date with the prior, with a further stop if one is given."""
        stops = self.stops if ahead is None else [*self.stops, ahead]
        stars.x.use_prior(self.x_prior(stops=stops))
        stars.yz.use_prior(self.yz_prior(stops=stops))

    def step_scales(self, stars: Stars) -> None:
        """Let the scales follow the evidence."""
        self.scales = stepped(self.scales, "x", lambda scales: stars.x.evidence(self.x_prior(scales)))
        self.scales = stepped(self.scales, "yz", lambda scales: stars.yz.evidence(self.yz_prior(scales)))

    def x_prior(
        self, scales: Mapping[str, Scales] | None = None, stops: Sequence[Stop] | None = None
    ) -> Floats:
        """Prior covariance of the common unknowns of x."""
        return x_prior(stops or self.stops, self._slips, (scales or self.scales)["x"])

    def yz_prior(
        self, scales: Mapping[str, Scales] | None = None, stops: Sequence[Stop] | None = None
    ) -> Floats:
        """Prior covariance of the common unknowns of y and z."""
        of = scales or self.scales
        return yz_prior(stops or self.stops, self._slips, self._focus_slips, of["y"], of["z"])

    # what there is to tell

    @property
    def slips(self) -> tuple[Slip, ...]:
        """Slips along x and y that the stage is taken to have made, and motions of everything (side 0)."""
        return tuple(self._slips)

    @property
    def focus_slips(self) -> tuple[Slip, ...]:
        """Changes of all heights; several of one stop add up."""
        return tuple(self._focus_slips)

    def cautious(self, stars: Stars) -> Stars:
        """Stars under a prior whose smooth motion is not much smaller than the usual one.

        Scales found from the evidence make what moves like the axis or the height, but is the stage's own, look
        smaller than it may be.
        """
        careful = {
            axis: scales._replace(smooth_um=max(scales.smooth_um, CAUTION * USUAL[axis].smooth_um))
            for axis, scales in self.scales.items()
        }
        wary = stars.copy()
        wary.x.use_prior(self.x_prior(careful))
        wary.yz.use_prior(self.yz_prior(careful))
        return wary
