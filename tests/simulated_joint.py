"""Sessions drawn from the joint model's own equations, written out anew: coordinates are turned, not linearised."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from pacetomo.frames import XY
from pacetomo.joint.adaptation import CHAIN_SHARE, IMAGE_SHARE, NOISE_UM, STRETCH_POWER
from pacetomo.joint.priors import CREEP_SHARE, USUAL, Scales, Stop, motion_covariance
from pacetomo.joint.rows import CREEP_S, DRIFT_UM_PER_MIN
from pacetomo.schemes import Branch, DoseSymmetric, TiltStop
from pacetomo.tracking import Observation, Start

PACE_S = 8.0
SIDE = {Branch.START: 0, Branch.UP: 1, Branch.DOWN: -1}


@dataclass
class World:
    """What is true: where targets are in the frame of the start tilt, and how the stage moves."""

    seed: int
    places: dict[int, XY]
    start_deg: float = 0.0
    stops: tuple[TiltStop, ...] = ()
    scales: dict[str, Scales] = field(default_factory=lambda: dict(USUAL))
    axis_um: float | None = None
    noise: float = 1.0
    mirrored: bool = False
    motion: dict[float, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.stops = self.stops or DoseSymmetric(self.start_deg, -60, 60, 3, 2).stops()
        rng = np.random.default_rng(self.seed)
        self.rng = rng
        self.axis_um = rng.normal(0, 0.5) if self.axis_um is None else self.axis_um
        self.axis_difference_um = rng.normal(0, 0.3)
        self.height_um = rng.normal(0, 0.4)
        self.rotation, self.shear = rng.normal(0, 0.015), rng.normal(0, 0.006)
        self.skew, self.stretch = rng.normal(0, 0.015), rng.normal(0, 0.006)
        self.focus_um = rng.normal(0, 0.15)
        slopes, bend = rng.normal(0, 0.08, 2), rng.normal(0, 0.25)
        self.higher_um = {}
        cosine = math.cos(math.radians(self.start_deg))
        flat = {n: (place.x, place.y / cosine) for n, place in self.places.items()}
        rim2_um2 = max(x**2 + y**2 for x, y in flat.values())
        for number, (x, y) in flat.items():
            higher = slopes @ [x, y] + bend * (x**2 + y**2) / rim2_um2 + rng.normal(0, 0.06)
            self.higher_um[number] = float(higher)
        self.motion = self._draw_motion()
        self.drift_um_per_min = rng.normal(0, DRIFT_UM_PER_MIN, 2)
        self.creep_um = {
            stop.tilt_deg: CREEP_SHARE
            * rng.normal(0, [self.scales["x"].jitter_um, self.scales["y"].jitter_um])
            for stop in self.stops
        }

    def _draw_motion(self) -> dict[float, np.ndarray]:
        history: list[Stop] = []
        for stop in self.stops:
            side = SIDE[stop.branch]
            if side:
                history.append(
                    Stop(
                        stop.tilt_deg - self.start_deg,
                        side,
                        1 + sum(old.side == side for old in history),
                        bool(history) and history[-1].side != side,
                        bool(history) and history[0].side != side,
                    )
                )
        moved = []
        for axis in "xyz":
            covariance = motion_covariance(history, [], self.scales[axis])
            moved.append(np.linalg.cholesky(covariance) @ self.rng.standard_normal(len(history)))
        away = [stop.tilt_deg for stop in self.stops if stop.branch is not Branch.START]
        return {self.start_deg: np.zeros(3), **dict(zip(away, np.array(moved).T))}

    def starts(self) -> dict[int, Start]:
        """Targets as a set-up finds them, taken to be level with one another."""
        cosine = math.cos(math.radians(self.start_deg))
        return {n: Start(XY(p.x, p.y), p.y / cosine, 0.0, is_found=True) for n, p in self.places.items()}

    def seen(self, target: int, stop: TiltStop, time_s: float = 0.0, rest_s: float = 1e3) -> tuple[XY, float]:
        """True shift that centres a target, and how high it sits above the focus of the start.

        `time_s` counts from the first image, `rest_s` from the first one at the tilt.
        """
        phi = math.radians(stop.tilt_deg - self.start_deg)
        place, higher = self.places[target], self.higher_um[target]
        # At a start tilt other than 0 the level sample lies inclined to the beam.
        inclined = place.y * math.tan(math.radians(self.start_deg))
        off = self.axis_um + SIDE[stop.branch] * self.axis_difference_um
        n = place.y + off
        h = inclined + higher + self.height_um
        y = n * math.cos(phi) - h * math.sin(phi) - off
        z = n * math.sin(phi) + h * math.cos(phi) - self.height_um - inclined
        moved = self.motion[stop.tilt_deg]
        across_um = place.y * math.cos(phi) - inclined * math.sin(phi) - place.y
        sines = math.sin(math.radians(stop.tilt_deg)) - math.sin(math.radians(self.start_deg))
        n0 = place.y / math.cos(math.radians(self.start_deg))
        x = place.x + moved[0] - self.rotation * across_um + self.shear * n0 * sines
        cosines = math.cos(math.radians(stop.tilt_deg)) - math.cos(math.radians(self.start_deg))
        y += self.stretch * across_um - self.skew * place.x * cosines
        later = XY(*(self.drift_um_per_min * time_s / 60))
        if SIDE[stop.branch]:
            later = later.plus(XY(*(self.creep_um[stop.tilt_deg] * math.exp(-rest_s / CREEP_S))))
        return XY(x, y + moved[1]).plus(later), z + moved[2] + self.focus_um


class Session:
    """A model led through a world.

    Attributes
    ----------
    nis : list of float
        Squares of measured less expected residual over their variance, x and y in turn.
    nees : list of float
        The same of true less expected position.
    errors_um, rises_um : dict
        True less aimed-for shift and height, by target and tilt.
    """

    def __init__(self, world, model, order=None, lies=None, defocus=True, level_deg=0.0, pace_s=PACE_S):
        self.world, self.model, self.order = world, model, order or list(world.places)
        self.lies, self.defocus, self.level_deg = lies or {}, defocus, level_deg
        self.nis, self.nees, self.errors_um, self.rises_um = [], [], {}, {}
        self.chain = {}
        self.clock_s, self.pace_s = 0.0, pace_s
        self.rng = np.random.default_rng(world.seed + 1)
        # Drawn ahead, so that the order of targets does not change what each of them shows.
        self.draws = {
            (n, stop.tilt_deg): self.rng.standard_normal(5) for stop in world.stops for n in world.places
        }

    def run(self, stops=None):
        for stop in stops or self.world.stops:
            self.model.begin_tilt(stop.tilt_deg, stop.branch)
            began_s = self.clock_s
            for number in self.order:
                self.expose(number, stop, self.clock_s - began_s)
                self.clock_s += self.pace_s
        return self

    def expose(self, number, stop, rest_s):
        world, model = self.world, self.model
        draws = self.draws[number, stop.tilt_deg]
        aim = model.aim(number, stop.tilt_deg, stop.branch)
        true, rise = world.seen(number, stop, self.clock_s, rest_s)
        error = true.minus(aim.shift_um)
        self.errors_um[number, stop.tilt_deg], self.rises_um[number, stop.tilt_deg] = (
            error,
            rise - aim.rise_um,
        )
        residual = None
        stretch = 1 / math.cos(math.radians(stop.tilt_deg - self.level_deg))
        sigma = world.noise * NOISE_UM * stretch**STRETCH_POWER
        if stop.branch is Branch.START:
            for side in (Branch.UP, Branch.DOWN):
                self.chain[number, side] = XY(*(math.sqrt(IMAGE_SHARE) * sigma * draws[:2]))
        else:
            step = XY(*(math.sqrt(CHAIN_SHARE) * sigma * draws[2:4]))
            chain = self.chain[number, stop.branch].plus(step)
            self.chain[number, stop.branch] = chain
            image = XY(*(math.sqrt(IMAGE_SHARE) * sigma * draws[:2]))
            residual = error.plus(chain).plus(image)
            expected, spread = model.search_region(number, stop.tilt_deg, stop.branch)[:2]
            self.nis += [((m - e) / s) ** 2 for m, e, s in zip(residual, expected, spread)]
            self.nees += [(e / s) ** 2 for e, s in zip(error, aim.sigma_um)]
            lie = self.lies.get((number, stop.tilt_deg))
            if lie is not None:
                residual = residual.plus(lie)
                self.chain[number, stop.branch] = chain.plus(lie)
        focus = None
        if self.defocus:
            focus = rise + 0.08 * stretch * float(draws[4])
        seen = Observation(number, stop.tilt_deg, stop.branch, aim.shift_um, residual, focus, self.clock_s)
        model.observe(seen)

    def largest_um(self, without=()):
        return max(error.length for (number, _), error in self.errors_um.items() if number not in without)


def grid(side=3, pitch_um=3.0):
    """Places on a square lattice around target 1."""
    half = (side - 1) / 2
    points = [XY(pitch_um * (i - half), pitch_um * (j - half)) for i in range(side) for j in range(side)]
    return dict(enumerate(sorted(points, key=lambda p: (p.length, p)), 1))
