"""The stage: where it was told to go, where it is, and how it still creeps.

What adds to the geometry at the present tilt t (all in lab x, y, z, micrometres):

wobble      smooth and repeatable: a few low harmonics of t, zero at t = 0
hysteresis  the mechanism's play: depends on the way t was reached, so the branches of a series differ
jitter      drawn at each tilt, constant until the next
relaxation  drawn at each tilt, dies out exponentially, so that the final place is approached
drift       slow circling, independent of tilting
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mock_serialem.sim.pose import plane_rotation
from mock_serialem.sim.profiles import StageProfile

Floats = NDArray[np.float64]

_CHANGING = ("commanded_um", "tilt_nominal_deg", "tilt_true_deg", "_tilted_at_s")
_PLACES = ("_error", "_jumped", "_jitter", "_relaxation")

BACKLASH_DEG = 3.0
"""Tilt by which backlash removal goes back before coming up again."""


class Wobble:
    """Repeatable motion over tilt: harmonics sin(kt) and 1 - cos(kt) with random weights.

    A motion along z in proportion to the tilt is the same as a tilt axis elsewhere. The axis is where its offset says,
    so z has no such part at small tilts, at which operators measure it.

    Parameters
    ----------
    rms_um : (x, y, z)
        Root mean square over -60 ... 60 degrees.
    rng : numpy Generator
        Draws the weights once.
    """

    ORDERS = np.array([1.0, 2.0, 3.5])
    WEIGHTS = np.array([1.0, 0.5, 0.18])

    def __init__(self, rms_um: tuple[float, float, float], rng: np.random.Generator) -> None:
        self._sine = rng.standard_normal((3, self.ORDERS.size)) * self.WEIGHTS
        self._cosine = rng.standard_normal((3, self.ORDERS.size)) * self.WEIGHTS
        self._sine[2, 0] -= float(self.ORDERS @ self._sine[2])
        self._scale = np.ones(3)
        course = np.array([self.at(tilt) for tilt in np.linspace(-60.0, 60.0, 61)])
        self._scale = np.asarray(rms_um) / np.sqrt(np.mean(course**2, axis=0))

    def at(self, tilt_deg: float) -> Floats:
        """Displacement (x, y, z) in um at a tilt."""
        phase = self.ORDERS * math.radians(tilt_deg)
        moved: Floats = self._sine @ np.sin(phase) + self._cosine @ (1.0 - np.cos(phase))
        return self._scale * moved


class Play:
    """Dead band of the tilt mechanism.

    The driven side leads the driven part by at most `half_width_deg`; the lead, from -1 to 1 in units
    of that, says on which flank the mechanism lies.
    """

    def __init__(self, half_width_deg: float) -> None:
        self._half_width = half_width_deg
        self._follower = 0.0
        self.lead = 0.0

    def state(self) -> tuple[float, float]:
        """Place of the driven part (degrees) and lead."""
        return self._follower, self.lead

    def restore(self, state: tuple[float, float]) -> None:
        """Go on from what `state` returned."""
        self._follower, self.lead = state

    def drive_to(self, tilt_deg: float) -> None:
        """Move the driven side."""
        self._follower = min(max(self._follower, tilt_deg - self._half_width), tilt_deg + self._half_width)
        self.lead = (tilt_deg - self._follower) / self._half_width


class Stage:
    """State of the stage; knows no clock, so times come with each call.

    Parameters
    ----------
    profile : StageProfile
    rng : numpy Generator
        Source of everything that is drawn when the stage moves.
    traits : numpy Generator
        Source of the stage's lasting traits: wobble, directions of play and drift.
    """

    def __init__(self, profile: StageProfile, rng: np.random.Generator, traits: np.random.Generator) -> None:
        self.profile = profile
        self._rng = rng
        self._wobble = Wobble(profile.wobble_um, traits)
        self._play = Play(profile.play_deg)
        signs = np.where(traits.random(3) < 0.5, -1.0, 1.0)
        self._hysteresis = signs * np.asarray(profile.hysteresis_um) * traits.uniform(0.75, 1.25, 3)
        self._drift_phase = float(traits.uniform(0.0, 2.0 * math.pi))
        scale = np.diag(profile.motion_scale)
        self.motion: Floats = plane_rotation(profile.motion_rotation_deg) @ scale
        self.commanded_um = (0.0, 0.0, 0.0)
        self._error = np.zeros(3)
        self._jumped = np.zeros(3)
        self.tilt_nominal_deg = 0.0
        self.tilt_true_deg = 0.0
        self._tilted_at_s = 0.0
        self._jitter = np.zeros(3)
        self._relaxation = np.zeros(3)

    def state(self) -> dict[str, Any]:
        """All that moves have changed, without the generator that draws."""
        changing = {name: getattr(self, name) for name in _CHANGING}
        return {
            **changing,
            **{name: getattr(self, name).tolist() for name in _PLACES},
            "play": self._play.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned."""
        for name in _CHANGING:
            setattr(self, name, state[name])
        for name in _PLACES:
            setattr(self, name, np.array(state[name]))
        self._play.restore(state["play"])

    def move_to(self, x_um: float, y_um: float, z_um: float) -> None:
        """Go to a position; short moves end with a smaller error than long ones.

        Raises
        ------
        ValueError
            Beyond the reach of the stage.
        """
        profile = self.profile
        if max(abs(x_um), abs(y_um)) > profile.xy_limit_um or abs(z_um) > profile.z_limit_um:
            raise ValueError(f"stage position ({x_um:.2f}, {y_um:.2f}, {z_um:.2f}) um is beyond its limits")
        lateral = math.hypot(x_um - self.commanded_um[0], y_um - self.commanded_um[1])
        lift = abs(z_um - self.commanded_um[2])
        draws = self._rng.standard_normal(3)
        if lateral > 0.0:
            self._error[:2] = draws[:2] * profile.move_error_um * min(1.0, 0.1 + lateral / 5.0)
        if lift > 0.0:
            self._error[2] = draws[2] * profile.z_error_um * min(1.0, 0.1 + lift / 5.0)
        self.commanded_um = (x_um, y_um, z_um)

    def tilt_to(self, tilt_deg: float, arrived_s: float) -> None:
        """Tilt; jitter and relaxation are drawn anew.

        Parameters
        ----------
        tilt_deg : float
        arrived_s : float
            Clock at the end of the move, from which relaxation counts.

        Raises
        ------
        ValueError
            Beyond the largest tilt.
        """
        profile = self.profile
        if abs(tilt_deg) > profile.maximum_tilt_deg + 0.05:
            raise ValueError(
                f"tilt {tilt_deg:.2f} is beyond the limit of {profile.maximum_tilt_deg:.1f} degrees"
            )
        draws = self._rng.standard_normal(7)
        mean, spread = profile.tilt_error_deg
        self._play.drive_to(tilt_deg)
        self.tilt_nominal_deg = tilt_deg
        self.tilt_true_deg = tilt_deg + mean + spread * float(draws[0])
        self._jitter = draws[1:4] * np.asarray(profile.jitter_um)
        self._relaxation = draws[4:7] * np.asarray(profile.relaxation_um)
        self._tilted_at_s = arrived_s

    def jump(self, by_um: tuple[float, float, float]) -> None:
        """Slip by so much (x, y, z in the tilting frame) for good; the readback does not show it."""
        self._jumped += by_um

    def displacement_um(self, t_s: float) -> Floats:
        """Lab displacement (x, y, z) at time `t_s` beyond what geometry says."""
        since = max(0.0, t_s - self._tilted_at_s)
        creep = self._relaxation * math.exp(-since / self.profile.relaxation_tau_s)
        play = self._hysteresis * self._play.lead
        moved: Floats = self._wobble.at(self.tilt_true_deg) + play + self._jitter - creep + self._drift(t_s)
        return moved

    def _drift(self, t_s: float) -> Floats:
        """Thermal drift: a slow circle walked at constant speed, starting at zero."""
        radius = self.profile.drift_um_per_min * self.profile.drift_period_s / 60.0 / (2.0 * math.pi)
        start = self._drift_phase
        now = start + 2.0 * math.pi * t_s / self.profile.drift_period_s
        return radius * np.array(
            [
                math.cos(now) - math.cos(start),
                math.sin(now) - math.sin(start),
                0.3 * (math.sin(now) - math.sin(start)),
            ]
        )

    def motion_shift_um(self) -> Floats:
        """Sample displacement (x, y, z) in the tilting frame, had the stage gone exactly where it was sent."""
        x, y, z = self.commanded_um
        lateral = self.motion @ np.array([x, y])
        return np.array([lateral[0], lateral[1], z + self.profile.eucentric_error_um])

    def shift_um(self) -> Floats:
        """Sample displacement (x, y, z) in the tilting frame: true motion of the stage plus its errors."""
        moved: Floats = self.motion_shift_um() + self._error + self._jumped
        return moved
