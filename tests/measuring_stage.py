"""A sample in the column, a person at the desk, and measurements of stage and sample there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mock_serialem.answers import Operator
from mock_serialem.faults import FaultPlan
from mock_serialem.module import make_module
from mock_serialem.session import Session
from mock_serialem.sim.profiles import PROFILES
from mock_serialem.sim.sample import HoleySpec
from mock_serialem.sim.truth import TruthLog
from mock_serialem.sim.world import World, WorldConfig
from pacetomo.area_files import AreaFiles
from pacetomo.frames import XY
from pacetomo.measurement.geometry import measure_geometry
from pacetomo.measurement.offset import measure_offset
from pacetomo.rehearse import Rehearsal, choose_targets, open_session
from pacetomo.scope.protocol import Area
from pacetomo.scope.serialem_desk import SerialEMDesk
from pacetomo.script_tables import GeometrySettings, OffsetSettings
from pacetomo.settings import SettingsLayer, resolve_table

PLACES = ((-5, 2), (5, 2), (-4, -5), (4, -5), (1, 5))


def make_world(stage="krios", sample=None, seed=1, **changes):
    """A world without images; `changes` are of the stage."""
    profile, microscope = PROFILES[stage]
    config = WorldConfig(sample or HoleySpec(), replace(profile, **changes), microscope, seed, "kinematic")
    return World(config, TruthLog(None))


def effective_axis_um(world, tilts_deg):
    """Where the axis has to lie so that the stage's own motion along the beam is best described by it.

    A flat sample under a fixed beam is lifted by the stage's z and, inclined by the tilt, by its y; what of that goes
    with the tangent of the tilt is an axis offset.
    """
    moved = np.array([world.stage._wobble.at(tilt) for tilt in tilts_deg])
    tilt = np.radians(tilts_deg)
    lift = moved[:, 2] - moved[:, 1] * np.tan(tilt)
    rows = np.stack([np.ones_like(tilt), 1 / np.cos(tilt), -np.tan(tilt)], axis=1)
    return world.config.stage.tilt_axis_offset_um + np.linalg.lstsq(rows, lift, rcond=None)[0][2]


class Measuring:
    """A desk without targets."""

    def __init__(self, folder, world, operator=None):
        self.folder, self.world = folder, world
        self.session = Session(world, folder, operator=operator or Operator())
        self._sit_down()

    def _sit_down(self):
        self.desk = SerialEMDesk(make_module(self.session))
        self.desk.switch_off_message_boxes()

    def look_elsewhere(self):
        """Take a View image at another stage position, with some image shift."""
        self.world.move_stage_to(12.0, -9.0, 2.0)
        self.desk.aim(XY(0.6, -0.4), -3.0, compensate_beam_tilt=False)
        self.desk.take(Area.VIEW)

    def let_go_wrong(self, *faults):
        self.session.inject(FaultPlan(faults))

    @property
    def log(self):
        return [entry.text for entry in self.session.log.entries]

    def says(self, text):
        return [line for line in self.log if text in line]

    def state(self):
        """What a measurement has to leave as it was."""
        stage, shift = self.world.stage_position_um(), self.desk.shift_um()
        return {
            "stage": tuple(np.round(stage, 3)),
            "tilt": round(self.world.tilt_readback_deg()),
            "shift": tuple(np.round(shift, 3) + 0.0),
            "area": self.session.low_dose.area,
            "target defocus": self.session.focus.target_um,
            "focus": round(self.world.focus_um, 3),
        }

    def offset(self, **settings):
        layer = SettingsLayer("script", {"plot": False, **settings})
        return measure_offset(self.desk, resolve_table(OffsetSettings, layer))

    def geometry(self, **settings):
        layer = SettingsLayer("script", {"plot": False, **settings})
        return measure_geometry(self.desk, resolve_table(GeometrySettings, layer))


class AtAnArea(Measuring):
    """A desk with an area of five targets, whose item is selected; settings go into its target file."""

    def __init__(self, folder, world, operator=None, geo=(), **settings):
        self.folder, self.world = folder, world
        given = tuple(f"{name}={value}" for name, value in settings.items())
        name, targets = choose_targets(Rehearsal(folder, sample="lamella", targets=5, overrides=given))
        self.file = folder / name
        self.session = open_session(world, AreaFiles(self.file), targets.with_geo_points(tuple(geo)))
        self.session.operator = operator or Operator()
        self.session.operator.asked.clear()
        self._sit_down()

    def add_group(self, places_um=PLACES):
        """Points of a group at specimen shifts from the area's item; the last one is selected."""
        area, group = self.desk.selected(), self.desk.unique_id()
        matrix = self.desk.calibration().specimen_to_stage
        for place in places_um:
            at = area.stage_um.plus(matrix.apply(XY(*place)))
            self.desk.add_point(at, area.height_um, group)
