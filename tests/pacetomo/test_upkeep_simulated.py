"""Dewars, valves, gun, slit and stage on the simulator, judged by its truth log and clock."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from simulated import FLAT, journal_of, residuals_nm, saved

from mock_serialem.faults import FaultPlan, fault_from
from mock_serialem.module import make_module
from mock_serialem.script_window import ScriptWindow
from mock_serialem.sim.profiles import CRYOARM_SCOPE, IDEAL, KRIOS_SCOPE, SIDE_ENTRY, SIDE_ENTRY_SCOPE
from mock_serialem.sim.sample import HoleySpec, LamellaSpec
from mock_serialem.sim.truth import TruthLog
from mock_serialem.sim.world import World, WorldConfig
from pacetomo.acquire import acquire_area
from pacetomo.area_files import AreaFiles
from pacetomo.errors import AreaError
from pacetomo.files.stack import section_count
from pacetomo.rehearse import Rehearsal, choose_targets, open_session
from pacetomo.scope.serialem_scope import SerialEMScope
from pacetomo.scripts import script_path

LAMELLA, HOLEY = LamellaSpec(pretilt_deg=0.0, rotation_deg=0.0, **FLAT), HoleySpec(pretilt_deg=0.0, **FLAT)
TILTS = 11


class Session:
    """An area on a world of its own; `faults` begin with the acquisition."""

    def __init__(
        self, folder, sample=LAMELLA, stage=IDEAL, microscope=KRIOS_SCOPE, targets=3, faults=(), **settings
    ):
        given = {"startTilt": 0, "minTilt": -15, "maxTilt": 15, "alignLimit": 0.5, **settings}
        overrides = tuple(f"{name}={value}" for name, value in given.items())
        kind = "lamella" if isinstance(sample, LamellaSpec) else "holey"
        name, chosen = choose_targets(Rehearsal(folder, sample=kind, targets=targets, overrides=overrides))
        self.folder, self.files, self.targets = folder, AreaFiles(folder / name), targets
        self.truth = TruthLog(folder / "truth.jsonl")
        config = WorldConfig(sample, stage, microscope, 3, "kinematic")
        self.session = open_session(World(config, self.truth), self.files, chosen)
        self.column = self.session.column
        self.before_s = self.session.world.clock_s
        self._faults = faults

    def acquire(self):
        plan = FaultPlan(tuple(fault_from(self._late(fault)) for fault in self._faults))
        self.session.inject(plan)
        scope = SerialEMScope(make_module(self.session))
        try:
            acquire_area(scope, scope.item(), None, {})
        finally:
            self.truth.close()
        return self

    def _late(self, fault):
        """Clock times of faults count from the beginning of the acquisition."""
        return {**fault, "at_s": self.before_s + fault["at_s"]} if "at_s" in fault else fault

    def events(self, name):
        return [line for line in self.truth.events if line["event"] == name]

    def upkeep(self, operation):
        return [line for line in self.events("upkeep") if line["operation"] == operation]

    def sections(self):
        names = [self.folder / f"{self.files.root}_ts_{n:03d}.mrc" for n in range(1, self.targets + 1)]
        return [section_count(name) for name in names]

    def log(self, word):
        return [line for line in self.session.log_lines if word in line]


# --- dewars


def test_no_image_is_exposed_while_dewars_are_filled_and_before_they_settle(tmp_path):
    run = Session(tmp_path, faults=[{"kind": "dewar_filling", "at_s": 150, "seconds": 200}]).acquire()
    first, last = run.before_s + 150, run.before_s + 350
    times = [(line["t_s"] - line["exposure_s"] / 2, line) for line in run.events("exposure")]
    assert min(t for t, _ in times) < first < last < max(t for t, _ in times)
    # An image under way when the filling begins may end; none begins within the filling or the settling time.
    assert not [t for t, _ in times if first + 15 < t < last + 55]
    assert run.sections() == [TILTS] * 3
    assert len(run.log("Dewars are being filled")) == 1


def test_a_filling_that_is_announced_is_waited_for(tmp_path):
    """Nothing tells of this filling but the clock: no image may be under way when it begins."""
    run = Session(tmp_path)
    run.column.dewar_phase_s = run.before_s + 200
    run.acquire()
    first, last = run.before_s + 200, run.before_s + 200 + run.column.dewar_filling_s
    for line in run.events("exposure"):
        begin, end = line["t_s"] - line["exposure_s"] / 2, line["t_s"] + line["exposure_s"] / 2
        assert end < first or begin > last
    assert any(line["t_s"] > last for line in run.events("exposure"))


def test_fillings_are_no_matter_where_nobody_is_to_look(tmp_path):
    faults = [{"kind": "dewar_filling", "at_s": 150, "seconds": 200}]
    run = Session(tmp_path, faults=faults, checkDewar=False).acquire()
    assert [line for line in run.events("exposure") if 200 < line["t_s"] - run.before_s < 340]


def test_both_dewars_of_a_cryo_arm_are_filled_together(tmp_path):
    faults = [{"kind": "dewar_filling", "at_s": 150, "seconds": 100}]
    run = Session(tmp_path, microscope=CRYOARM_SCOPE, faults=faults, cryoARM=True, checkDewar=False).acquire()
    (fill,) = run.upkeep("RT")
    assert not [line for line in run.events("exposure") if fill["t_s"] < line["t_s"] < fill["until_s"]]
    assert not run.upkeep("RS") and not run.upkeep("RB") and run.sections() == [TILTS] * 3


# --- gun


@pytest.mark.parametrize("hours", [0.03, 0.06, 5])
def test_the_gun_is_flashed_as_often_as_hours_say(tmp_path, hours):
    """Nobody knows of an earlier flash, so the first is due at once; later ones as soon as a tilt is over."""
    run = Session(tmp_path, coldFEG=True, flashInterval=hours).acquire()
    flashes = run.upkeep("FF")
    left_s = saved(tmp_path)[-1]["t_s"] - flashes[0]["until_s"]
    assert left_s / (3600 * hours + 60 + 45) - 1 <= len(flashes) - 1 <= left_s / (3600 * hours)
    assert len(flashes) == 1 if hours == 5 else len(flashes) > 1
    ends = [flash["until_s"] for flash in flashes]
    assert all(later["t_s"] - end >= 3600 * hours for later, end in zip(flashes[1:], ends))
    for flash in flashes:
        for line in run.events("exposure"):
            begin, end = line["t_s"] - line["exposure_s"] / 2, line["t_s"] + line["exposure_s"] / 2
            assert end < flash["t_s"] or begin > flash["until_s"]


def test_a_flash_by_the_operator_counts(tmp_path):
    run = Session(tmp_path, coldFEG=True, flashInterval=1)
    run.column.last_operation_s["FF"] = run.before_s - 600
    assert not run.acquire().upkeep("FF")


@pytest.mark.parametrize(("cold", "expected"), [(True, 1), (False, 0)])
def test_the_gun_is_flashed_with_the_dewars(tmp_path, cold, expected):
    faults = [{"kind": "dewar_filling", "at_s": 150, "seconds": 200}]
    run = Session(tmp_path, faults=faults, coldFEG=cold).acquire()
    flashes = run.upkeep("FF")
    assert len(flashes) == expected
    assert all(flash["t_s"] >= run.before_s + 350 for flash in flashes)


@pytest.mark.parametrize("hot", [False, True])
def test_the_gun_is_flashed_when_it_asks_for_it(tmp_path, hot):
    run = Session(tmp_path, coldFEG=True)
    run.column.flash_advised[int(hot)] = True
    run.acquire()
    assert len(run.upkeep("FF")) == 1 and run.column.flash_advised == {0: False, 1: False}


def test_a_beam_that_fades_ends_no_target(tmp_path):
    """Six per cent lost at each step, as a cold gun does between flashes, down to less than half."""
    faults = [
        {"kind": "beam_current", "at_s": at, "factor": 0.94, "seconds": 1e6} for at in range(0, 600, 40)
    ]
    run = Session(tmp_path, faults=faults, coldFEG=True, flashInterval=100).acquire()
    assert run.sections() == [TILTS] * 3 and not list(tmp_path.glob("*_rejected*"))


# --- slit


@pytest.mark.parametrize(
    ("sample", "microscope", "settings"),
    [
        (LAMELLA, KRIOS_SCOPE, {}),
        (HOLEY, KRIOS_SCOPE, {"minTilt": -30, "maxTilt": 60, "step": 9}),
        (HOLEY, CRYOARM_SCOPE, {}),
        (LAMELLA, SIDE_ENTRY_SCOPE, {"imageShiftLimit": 10}),
    ],
)
def test_the_slit_is_refined_every_so_many_minutes_beside_all_targets(tmp_path, sample, microscope, settings):
    given = {"targets": 5, "slitInterval": 3, **settings}
    run = Session(tmp_path, sample, microscope=microscope, **given).acquire()
    done = run.upkeep("RefineZLP")
    images = [line for line in run.events("saved") if re.search(r"_ts_\d+\.mrc$", line["file"])]
    minutes = (images[-1]["t_s"] - done[0]["t_s"]) / 60
    assert minutes / 4.5 <= len(done) <= 1 + minutes / 3
    assert all(later["t_s"] - earlier["until_s"] >= 180 for earlier, later in zip(done, done[1:]))
    for refined in done:
        for image in images:
            dx = refined["sample_x_um"] - image["sample_x_um"]
            dy = refined["sample_y_um"] - image["sample_y_um"]
            apart = refined["beam_radius_um"] + image["beam_radius_um"]
            # On the sample the beam is longer across the axis, at the steeper of the two tilts.
            steepest = max(abs(refined["tilt_nominal_deg"]), abs(image["tilt_nominal_deg"]))
            assert math.hypot(dx, dy * math.cos(math.radians(steepest))) > apart
    for number in range(1, 6):
        assert np.abs(residuals_nm(tmp_path, number)).max() < 200


def test_shift_and_focus_are_those_of_a_run_without_refinement(tmp_path):
    runs = {}
    for minutes in (0, 2):
        folder = tmp_path / str(minutes)
        folder.mkdir()
        runs[minutes] = Session(folder, slitInterval=minutes).acquire()
    assert not runs[0].upkeep("RefineZLP") and len(runs[2].upkeep("RefineZLP")) > 2
    for number in (1, 2, 3):
        plain, refined = saved(tmp_path / "0", number), saved(tmp_path / "2", number)
        for name in ("sample_x_um", "sample_y_um", "defocus_um"):
            apart = [abs(a[name] - b[name]) for a, b in zip(plain, refined)]
            assert len(apart) == TILTS and max(apart) < 0.1


def test_intervals_go_on_over_the_areas_of_a_night(tmp_path):
    """Each area is a script of its own: what was done in one is not done again in the next."""
    run = Session(tmp_path, targets=2, minTilt=0, maxTilt=3, slitInterval=60, coldFEG="True", flashInterval=1)
    text = run.files.target_file.read_text()
    item = run.session.navigator.items[-1]
    for root in ("second", "third"):
        (tmp_path / f"{root}_tgts.txt").write_text(text.replace("tsfile = lamella", f"tsfile = {root}"))
        run.session.navigator.add_point(*item.stage_um, note=f"{root}_tgts.txt", acquire=True)
    results = ScriptWindow(run.session).acquire_at_items(script_path("acquire"))
    run.truth.close()
    assert [result.ok for result in results] == [True] * 3
    assert len(run.upkeep("RefineZLP")) == len(run.upkeep("FF")) == 1


def test_without_a_free_place_the_slit_is_left_alone_and_the_run_goes_on(tmp_path):
    run = Session(tmp_path, targets=2, imageShiftLimit=2.5, slitInterval=1, tgtMntSize="[3, 3]").acquire()
    assert len(run.upkeep("RefineZLP")) > 2
    crowded = tmp_path / "crowded"
    crowded.mkdir()
    run = Session(crowded, targets=1, imageShiftLimit=0.6, slitInterval=1).acquire()
    assert not run.upkeep("RefineZLP") and run.sections() == [TILTS]
    assert len(run.log("no place within the image-shift limit")) == 1


# --- valves


def test_an_image_taken_while_valves_closed_is_taken_again_and_is_no_section(tmp_path):
    run = Session(tmp_path)
    normal = len(run.events("exposure"))
    run._faults = [{"kind": "valves_close", "exposure": normal + 30, "seconds": 100}]
    run.acquire()
    dark = [line for line in run.events("exposure") if line["dose_e_per_a2"] == 0]
    rejected = [line for line in run.events("saved") if "_rejected" in line["file"]]
    assert len(dark) == len(rejected) == 1 and rejected[0]["dose_e_per_a2"] == 0
    assert run.sections() == [TILTS] * 3
    for number in (1, 2, 3):
        lines = saved(tmp_path, number)
        assert all(line["dose_e_per_a2"] > 0 for line in lines)
        assert [line["section"] for line in lines] == list(range(TILTS))
    (fault,) = run.events("fault")
    assert not [line for line in run.events("exposure") if 5 < line["t_s"] - fault["t_s"] < 100]
    # The books know that nothing was spent: the dose at the end is that of a target which was never dark.
    (noted,) = [line for line in journal_of(run.files) if line["event"] == "rejected"]
    last = {line["target"]: line for line in journal_of(run.files) if line["event"] == "exposed"}
    spent = {n: line["prior_dose_e_per_a2"] + line["dose_e_per_a2"] for n, line in last.items()}
    true = {n: sum(line["dose_e_per_a2"] for line in saved(tmp_path, n)) for n in (1, 2, 3)}
    others = [n for n in (2, 3) if n != noted["target"]]
    assert spent[noted["target"]] - true[noted["target"]] == pytest.approx(
        spent[others[0]] - true[others[0]], abs=0.1
    )


def test_valves_that_close_between_images_cost_nothing(tmp_path):
    faults = [{"kind": "valves_close", "command": "SetImageShift", "call": 30, "seconds": 60}]
    run = Session(tmp_path, faults=faults).acquire()
    assert run.sections() == [TILTS] * 3 and not list(tmp_path.glob("*_rejected*"))
    assert len(run.log("column valves are open again")) == 1


def test_valves_that_close_at_the_very_image_cost_nothing(tmp_path):
    """The camera refuses: no target ends for it."""
    faults = [{"kind": "valves_close", "command": "Record", "call": 8, "seconds": 60}]
    run = Session(tmp_path, faults=faults).acquire()
    assert run.sections() == [TILTS] * 3 and not list(tmp_path.glob("*_rejected*"))


def test_valves_that_stay_closed_end_the_area_in_a_safe_state(tmp_path):
    faults = [{"kind": "valves_close", "command": "Record", "call": 8, "seconds": 36000}]
    run = Session(tmp_path, faults=faults, valveWait=10)
    with pytest.raises(AreaError, match="10 min"):
        run.acquire()
    (closed,) = run.events("fault")
    assert 600 <= run.session.world.clock_s - closed["t_s"] < 700
    assert not [line for line in run.events("exposure") if line["t_s"] > closed["t_s"]]
    world = run.session.world
    assert (world.stage.tilt_nominal_deg, run.session.files.index) == (0.0, -1)
    assert journal_of(run.files)[-1]["state"] == "failed"


@pytest.mark.parametrize("reopen", [True, False])
def test_the_policy_on_reopening_is_kept(tmp_path, reopen):
    faults = [{"kind": "valves_close", "command": "SetImageShift", "call": 30, "seconds": 30}]
    run = Session(tmp_path, faults=faults, reopenValves=reopen, valveWait=5)
    if reopen:
        assert run.acquire().sections() == [TILTS] * 3
        return
    with pytest.raises(AreaError):
        run.acquire()
    assert not run.column.valves_open


def test_valves_found_closed_are_closed_again_at_the_end(tmp_path):
    run = Session(tmp_path)
    run.column.valves_open = False
    run.acquire()
    assert run.sections() == [TILTS] * 3 and not run.column.valves_open


def test_a_black_image_with_open_valves_is_taken_again_once(tmp_path):
    run = Session(tmp_path)
    count = len(run.events("exposure"))
    run._faults = [{"kind": "dark_image", "exposure": count + 30}]
    run.acquire()
    assert len([line for line in run.events("exposure") if line["dose_e_per_a2"] == 0]) == 1
    assert len([line for line in run.events("saved") if "_rejected" in line["file"]]) == 1
    assert run.sections() == [TILTS] * 3
    assert all(line["dose_e_per_a2"] > 0 for n in (1, 2, 3) for line in saved(tmp_path, n))


# --- stage


def test_a_slow_tilt_takes_up_the_play_of_a_side_entry_stage(tmp_path):
    """The jump at the change of branch is gone, and no other one comes for it: each approach is the start tilt's."""
    stage = replace(IDEAL, hysteresis_um=SIDE_ENTRY.hysteresis_um)
    jumps = {}
    for slow in (False, True):
        folder = tmp_path / str(slow)
        folder.mkdir()
        run = Session(
            folder, stage=stage, microscope=SIDE_ENTRY_SCOPE, slowTilt=slow, alignLimit=0.9, tracker="single"
        ).acquire()
        assert run.sections() == [TILTS] * 3
        jumps[slow] = np.abs(residuals_nm(folder, 1)[:, 1])
    assert jumps[False][3] > 300
    assert jumps[True][3] < 100 and jumps[True].max() < 250


@pytest.mark.parametrize("offset_um", [-1.5, 1.5])
def test_further_axis_offsets_are_those_of_the_stage(tmp_path, offset_um):
    """An offset that SerialEM does not know is taken out of the focus; the wrong sign doubles it."""
    stage = replace(IDEAL, tilt_axis_offset_um=offset_um, measured_axis_offset_um=0.0)
    spread = {}
    for up, down in ((1, 1), (0, 0), (-1, -1), (1, 0)):
        folder = tmp_path / f"{up}_{down}"
        folder.mkdir()
        given = {
            "taOffsetPos": up * offset_um,
            "taOffsetNeg": down * offset_um,
            "minTilt": -40,
            "maxTilt": 40,
            "tracker": "single",
        }
        Session(folder, HOLEY, stage, step=10, **given).acquire()
        lines = saved(folder, 1)
        sides = [[x["defocus_um"] for x in lines if sign * x["tilt_nominal_deg"] >= 0] for sign in (1, -1)]
        spread[up, down] = [np.ptp(side) for side in sides]
    assert max(spread[1, 1]) < 0.1
    assert min(spread[0, 0]) > 0.8 and min(spread[-1, -1]) > 1.7
    assert spread[1, 0][0] < 0.1 and spread[1, 0][1] > 0.8


# --- help with trouble


def test_every_command_and_answer_is_in_the_debug_log(tmp_path):
    run = Session(tmp_path, targets=1, minTilt=0, maxTilt=3, debug=True).acquire()
    text = (tmp_path / "lamella_tgts_run01_debug.log").read_text(encoding="utf-8")
    assert sum(" Record() -> None" in line or " R() -> None" in line for line in text.splitlines()) == 2
    assert "TiltTo(3.0) -> None" in text and "ReportTiltAngle() -> 3.0" in text
    assert run.sections() == [2]
    other = tmp_path / "other"
    other.mkdir()
    Session(other, targets=1, minTilt=0, maxTilt=3).acquire()
    assert not list(other.glob("*debug*"))
