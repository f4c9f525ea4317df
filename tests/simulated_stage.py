"""A stage that moves alike in every session, and sessions on it, for stage profiles."""

from __future__ import annotations

import math

import numpy as np
from simulated_joint import World, grid

from pacetomo.frames import XY
from pacetomo.joint.courses import Course, Visit

NOISE_UM = 0.008


class Habits:
    """What a stage repeats: a few harmonics of the tilt, zero at 0, and a jump on the branch below."""

    def __init__(self, seed, scale=1.0):
        rng = np.random.default_rng([seed, 77])
        self.orders = np.array([1.0, 2.0, 3.5])
        weights = scale * np.array([[0.05], [0.12], [0.06]]) * np.array([1.0, 0.6, 0.25])
        self.sine, self.cosine = rng.standard_normal((2, 3, 3)) * weights
        self.jump = scale * rng.normal(0, 1, 3) * [0.03, 0.09, 0.05]

    def at(self, tilt_deg, is_second):
        phase = self.orders * math.radians(tilt_deg)
        moved = self.sine @ np.sin(phase) + self.cosine @ (1 - np.cos(phase))
        return moved + self.jump * is_second


def session_on(stage, seed, places=None, start_deg=0.0, stops=()):
    """A world of its own, geometry and jitter drawn by `seed`, whose stage moves by `stage`."""
    world = World(seed, places or grid(), start_deg, stops)
    rng = np.random.default_rng([seed, 78])
    first_side = world.stops[1].branch
    for stop in world.stops[1:]:
        repeats = stage.at(stop.tilt_deg, stop.branch is not first_side) - stage.at(start_deg, False)
        world.motion[stop.tilt_deg] = repeats + rng.normal(0, 1, 3) * [0.010, 0.018, 0.012]
    return world


def course_on(stage, seed, **options):
    """What the metadata of such a session tell of its target 1."""
    world = session_on(stage, seed, **options)
    rng = np.random.default_rng([seed, 79])
    begun, height = world.seen(1, world.stops[0])
    visits = []
    for number, stop in enumerate(world.stops[1:], 1):
        found, rise = world.seen(1, stop)
        moved = found.minus(begun).plus(XY(*rng.normal(0, NOISE_UM, 2).tolist()))
        visits.append(Visit(stop.tilt_deg, 0.9 * number, tuple(moved), rise - height + rng.normal(0, 0.08)))
    date = f"2026-01-{1 + seed % 28:02d} 09:00:00"
    return Course(f"session{seed}", date, world.start_deg, world.places[1].y, 1, tuple(visits))
