"""Targets chosen on the simulator by a scripted person, judged by where the truth log says images were taken."""

from __future__ import annotations

import json
import math

import numpy as np
from simulated import saved

from mock_serialem import alignment
from mock_serialem.answers import Drag, Operator, Rule
from mock_serialem.module import make_module
from mock_serialem.session import Session
from mock_serialem.sim.landmarks import holes_within, surface_point
from mock_serialem.sim.profiles import IDEAL, KRIOS_SCOPE
from mock_serialem.sim.truth import TruthLog
from mock_serialem.sim.world import World, WorldConfig, make_world
from pacetomo.acquire import acquire_area
from pacetomo.frames import XY
from pacetomo.scope.protocol import Area
from pacetomo.scope.serialem_desk import SerialEMDesk
from pacetomo.script_tables import SelectionSettings
from pacetomo.selection.session import select_targets
from pacetomo.settings import SettingsLayer, resolve_table

SHORT = {"minTilt": -3, "maxTilt": 3, "startTilt": 0, "step": 3, "doCtfPlotter": False, "sortByTilt": False}


class Choosing:
    """A sample in the column at eucentric height, in View, and a person who knows what to choose."""

    def __init__(self, folder, sample="holey", stage="krios", seed=3, fidelity="rendered"):
        self.folder = folder
        truth = folder / "truth.jsonl"
        if isinstance(sample, str):
            self.world = make_world(sample, stage, seed=seed, fidelity=fidelity, truth=truth)
        else:
            self.world = World(WorldConfig(sample, IDEAL, KRIOS_SCOPE, seed, fidelity), TruthLog(truth))
        self.session = Session(self.world, folder, operator=Operator())
        self.session.navigator.open_empty()
        self.desk = SerialEMDesk(make_module(self.session))
        self.desk.switch_off_message_boxes()
        self.desk.begin(20)
        self.desk.find_eucentric_height()
        self.desk.autofocus(-5.0)
        self.stage_um = XY(*self.desk.stage_um()[:2])
        self.desk.take(Area.VIEW)
        self.pose = alignment.shot_of(self.session.buffers.get("A"), "A").pose
        self.desk.end()
        self.begun = len(self.truth())

    def truth(self):
        text = (self.folder / "truth.jsonl").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    def exposures(self, kind=None):
        """Images taken since the beginning, of all kinds or of one ("V" View, "P" Preview)."""
        lines = [line for line in self.truth()[self.begun :] if line["event"] == "exposure"]
        return [line for line in lines if kind in (None, line["set"])]

    def seen_um(self, point):
        """Where a point of the sample is seen from the centre of the first View image."""
        return np.array(self.pose.where(tuple(point))[:2])

    def holes(self, count, reach_um=9.0):
        """The holes nearest to the centre, nearest first."""
        found = holes_within(self.world.sheet, self.world.config.seed, self.pose, reach_um)
        return sorted(found, key=lambda point: math.hypot(*self.seen_um(point)))[:count]

    def places(self, *steps_um):
        """Points of the sample at steps from the centre of the first View image (as seen, nearly)."""
        x, y = self.pose.offset_um[:2]
        return [surface_point(self.world.sheet, dx - x, dy - y) for dx, dy in steps_um]

    def drags(self, points, guidance=True):
        """Rules by which each target, or position, is dragged to its point whenever it is asked for."""
        if guidance:
            return [
                Rule("OKBox", rf"(Target|Position) {number}\b", drags=(Drag(point_um=tuple(point)),))
                for number, point in enumerate(points, 1)
            ]
        # Each key b comes after the image was dragged: in View, in Preview, for the first target in another Preview,
        # which is taken because nobody knew yet how View and Record differ.
        drags = [Drag(point_um=tuple(point)) for point in (points[0], *points) for _ in range(2)][1:]
        return [
            Rule("KeyBreak", "b", (True,) * len(drags), tuple(drags), repeat=False),
            Rule("KeyBreak", "f"),
        ]

    def choose(self, rules, **settings):
        """What the script does with these answers and settings; the target files written."""
        self.session.operator.rules = [
            *rules,
            Rule("EnterString", "Name of the area", ("lam",), repeat=False),
        ]
        wanted = resolve_table(SelectionSettings, SettingsLayer("script", settings))
        return select_targets(self.desk, wanted)

    def another(self, count):
        """Answers to "Choose another target?" until there are so many."""
        return Rule("YesNoBox", "Choose another", (True,) * (count - 1) + (False,), repeat=False)

    def acquired_from_um(self, points, place=None, **settings):
        """Distance from each point at which the first image of its series was taken; the stage was elsewhere before."""
        self.session.operator.rules = ()
        marked = self.desk.marked_places()
        self.session.navigator.current = (marked[0].place if place is None else place) - 1
        x_um, y_um, z_um = self.world.stage_position_um()
        self.world.move_stage_to(x_um + 30.0, y_um - 20.0, z_um + 1.0)
        acquire_area(self.desk, self.desk.item(), None, {**SHORT, **settings})
        first = [line for line in saved(self.folder) if line["section"] == 0]
        assert len(first) == len(points)
        taken = np.array([(line["sample_x_um"], line["sample_y_um"]) for line in first])
        return np.hypot(*(taken - np.array([point[:2] for point in points])).T)

    def add_points(self, points, group=None):
        """Navigator points at points of the sample, as SerialEM's calibration sees them; the first is selected."""
        calibration = self.desk.calibration()
        number = self.desk.unique_id() if group is None else group
        x_um, y_um, z_um = self.desk.stage_um()
        places = []
        for point in points:
            step = calibration.specimen_to_stage.apply(XY(*map(float, self.seen_um(point))))
            places.append(self.desk.add_point(XY(x_um, y_um).plus(step), z_um, number))
        self.session.navigator.current = places[0] - 1
        return places
