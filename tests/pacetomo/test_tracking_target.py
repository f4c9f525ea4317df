"""The tracking target's own images, areas beside Record, and the state left behind: on the simulator's truth log."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from mock_serialem.faults import Fault, FaultPlan
from mock_serialem.module import make_module
from mock_serialem.sim.profiles import IDEAL, KRIOS_SCOPE
from mock_serialem.sim.sample import HoleySpec
from mock_serialem.sim.truth import TruthLog
from mock_serialem.sim.world import World, WorldConfig
from pacetomo.acquire import acquire_area
from pacetomo.area_files import AreaFiles
from pacetomo.errors import PlanError
from pacetomo.files.mdoc import read_mdoc
from pacetomo.rehearse import Rehearsal, choose_targets, open_session
from pacetomo.scope.serialem_scope import SerialEMScope

SAMPLE = HoleySpec(pretilt_deg=0.0, curvature_um=(0.0, 0.0))
# A column whose operator has measured everything without error: what is left is the program's own.
# The axes of image shift and camera turn a lot from one magnification to another, as they may on other columns, so that
# nothing measured at one can pass for the other.
TURNED = {24: (150.0, 160.0), 28: (60.0, 100.0), 17: (100.0, -80.0), 11: (30.0, 40.0)}
EXACT = replace(
    KRIOS_SCOPE,
    calibration_scale_error=0.0,
    calibration_rotation_error_deg=0.0,
    focus_wander_um=0.0,
    magnifications=tuple(
        mag
        if mag.index not in TURNED
        else replace(mag, rotation_deg=TURNED[mag.index][0], is_rotation_deg=TURNED[mag.index][1])
        for mag in KRIOS_SCOPE.magnifications
    ),
)
BASE = {"startTilt": 0, "minTilt": -9, "maxTilt": 9, "pretilt": 0, "rotation": 0}
TRACK_SETTINGS = [
    {"trackExpTime": 0.4},
    {"trackExpTime": 0.4, "zeroExpTime": 2.0},
    {"trackDefocus": -2.0},
    {"trackMag": 33000},
    {"trackTwice": True},
    {"trackUseTrial": True},
    {"trackMag": 33000, "trackTwice": True, "trackExpTime": 0.4},
    {"trackUseTrial": True, "trackTwice": True, "trackMag": 81000},
]


class Run:
    """One acquisition of a pattern of holes; what happened is in `truth`."""

    def __init__(
        self, folder, areas=None, faults=(), stage=IDEAL, column=EXACT, targets=4, prepare=None, **settings
    ):
        overrides = tuple(f"{name}={value}" for name, value in {**BASE, **settings}.items())
        name, chosen = choose_targets(Rehearsal(folder, sample="holey", targets=targets, overrides=overrides))
        areas = areas or {}
        chosen = replace(
            chosen, targets=tuple(replace(t, area=areas.get(t.number, "R")) for t in chosen.targets)
        )
        self.folder = folder
        self.log = TruthLog(folder / "truth.jsonl")
        self.files = AreaFiles(folder / name)
        self.session = open_session(
            World(WorldConfig(SAMPLE, stage, column, 3, "kinematic"), self.log), self.files, chosen
        )
        self.sem = make_module(self.session)
        if prepare is not None:
            prepare(self.session)
        self.session.end_script()
        self.session.change_setting("ShiftToTiltAxis", 0.0, keep=True)
        self.session.begin_script()
        self.sem.GoToLowDoseArea("V")
        self.before = reported(self.session, self.sem)
        self.started = len(self.log.events)
        if faults:
            self.session.inject(FaultPlan(tuple(faults)))

    def acquire(self):
        scope = SerialEMScope(self.sem)
        try:
            acquire_area(scope, scope.item(), None, {})
        finally:
            self.log.close()
        return self

    def saved(self, number, track=False):
        name = f"_ts_{number:03d}{'_track' if track else ''}.mrc"
        return [line for line in self.log.events if line["event"] == "saved" and line["file"].endswith(name)]

    def images(self, number, track=False):
        name = f"{self.files.root}_ts_{number:03d}{'_track' if track else ''}.mrc.mdoc"
        return read_mdoc(self.folder / name).need_images()

    def residuals_nm(self, number):
        return 1000 * np.array([(s["residual_x_um"], s["residual_y_um"]) for s in self.saved(number)])

    def journal(self, event):
        lines = [json.loads(line) for line in self.files.journal(1).read_text(encoding="utf-8").splitlines()]
        return [line for line in lines if line["event"] == event]


def reported(session, sem):
    """Everything that SerialEM can report of the state that a run has to leave as it was."""
    sets = "VFTRPS"
    state = {
        name: getattr(sem, name)()
        for name in (
            "ReportLowDose",
            "ReportMag",
            "ReportMagIndex",
            "ReportSpotSize",
            "ReportPercentC2",
            "ReportProbeMode",
            "ReportDefocus",
            "ReportTargetDefocus",
            "ReportBeamTilt",
            "ReportBeamShift",
            "ReportTiltAngle",
            "ReportEnergyFilter",
        )
    }
    state["shift"] = sem.ReportImageShift()[:2]
    for name in ("ReportExposure", "ReportBinning", "ReportCameraSetArea", "ReportDoseFracParams"):
        state[name] = [getattr(sem, name)(each) for each in sets]
    state["axis"] = [sem.ReportAxisPosition(area) for area in "FT"]
    state["offsets"] = [sem.ReportLDDefocusOffset(area) for area in "VS"]
    state["areas"] = dict(session.low_dose.areas)
    state["limit"] = sem.ReportProperty("ImageShiftLimit")
    return state


def rounded(value):
    """Value without what arithmetic with image shifts adds to it."""
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        return [rounded(one) for one in value]
    return round(value, 5) + 0.0 if isinstance(value, float) else value


def assert_as_before(run):
    """State compared as the run has left it, and again with what SerialEM itself undoes at a script's end."""
    for _ in range(2):
        after = reported(run.session, run.sem)
        for name, value in run.before.items():
            if name == "ReportTiltAngle":
                assert after[name] == pytest.approx(value, abs=0.02)
            else:
                assert rounded(after[name]) == rounded(value), name
        run.session.end_script()
    assert run.session.settings.get("ShiftToTiltAxis") == 0.0


def starts_and_others(values):
    return values[0], set(values[1:])


# --- exposure


@pytest.mark.parametrize(
    ("settings", "track", "others"),
    [
        ({"trackExpTime": 0.4}, (0.4, {0.4}), (1.0, {1.0})),
        ({"zeroExpTime": 2.0}, (2.0, {1.0}), (2.0, {1.0})),
        ({"trackExpTime": 0.4, "zeroExpTime": 2.0}, (2.0, {0.4}), (2.0, {1.0})),
    ],
)
def test_exposures_of_start_and_of_tracking_target(tmp_path, settings, track, others):
    run = Run(tmp_path, trackTwice="never", **settings).acquire()
    for number in range(1, 5):
        exposures = [line["exposure_s"] for line in run.saved(number)]
        assert starts_and_others(exposures) == (track if number == 1 else others)
    prior = [image.need_float("PriorRecordDose") for image in run.images(1)]
    dose = [line["dose_e_per_a2"] for line in run.saved(1)]
    assert [value - prior[0] for value in prior] == pytest.approx(
        [sum(dose[:n]) for n in range(len(dose))], abs=1e-3
    )


# --- defocus


def test_defocus_of_the_tracking_target_beside_a_range(tmp_path):
    wishes = {"minDefocus": -3, "maxDefocus": -4, "stepDefocus": 0.5, "zeroDefocus": -8, "trackDefocus": -2}
    run = Run(tmp_path, **wishes).acquire()
    for number, wanted in ((1, -2.0), (2, -3.5), (3, -4.0), (4, -3.0)):
        defocus = np.array([line["defocus_um"] for line in run.saved(number)])
        # Autofocus errs by less than this for all alike.
        assert defocus == pytest.approx([-8.0] + [wanted] * 6, abs=0.3)
        told = [image.need_float("TargetDefocus") for image in run.images(number)]
        assert told == pytest.approx([-8.0] + [wanted] * 6)


# --- magnification


@pytest.mark.parametrize("stage_shift_um", [0.0, 0.3])
def test_another_magnification_for_the_tracking_target(tmp_path, stage_shift_um):
    stage = replace(IDEAL, hysteresis_um=(0.0, stage_shift_um, 0.0))
    run = Run(tmp_path, stage=stage, trackMag=33000, alignLimit=0.3).acquire()
    assert {image.need_float("Magnification") for image in run.images(1)} == {33000}
    for number in (2, 3, 4):
        assert {image.need_float("Magnification") for image in run.images(number)} == {64000}
    # The same beam on the same area: no other dose.
    assert {line["dose_e_per_a2"] for line in run.saved(1)} == {3.0}
    assert {line["beam_radius_um"] for line in run.saved(1)} == {run.saved(2)[0]["beam_radius_um"]}
    assert len(run.saved(1)) == 7
    # Shifts measured at that magnification are right for all others.
    if stage_shift_um == 0:
        assert np.abs(run.residuals_nm(1)).max() < 25
    for number in (2, 3, 4):
        # Where the play of the stage was still to be taken up, the first is off.
        later = run.residuals_nm(number)[1:]
        assert np.abs(later - later.mean(axis=0)).max() < 40


def test_the_magnification_is_back_when_the_image_fails(tmp_path):
    run = Run(tmp_path, faults=[Fault("error", commands=("AlignTo",), call=9)], trackMag=33000).acquire()
    others = [image.need_float("Magnification") for n in (2, 3, 4) for image in run.images(n)]
    assert set(others) == {64000}


@pytest.mark.parametrize("settings", [{}, {"trackUseTrial": True}])
def test_an_impossible_magnification_is_refused_before_the_first_electron(tmp_path, settings):
    run = Run(tmp_path, trackMag=34567, **settings)
    exposed = [line for line in run.log.events if line["event"] == "exposure"]
    with pytest.raises(PlanError, match="trackMag 34567 cannot be used"):
        run.acquire()
    assert [line for line in run.log.events if line["event"] == "exposure"] == exposed
    assert_as_before(run)


# --- twice


def test_a_first_image_centres_the_tracking_target(tmp_path):
    """On a stage that comes to rest up to 0.2 µm off at every tilt."""
    stage = replace(IDEAL, jitter_um=(0.06, 0.08, 0.0))
    once, twice = tmp_path / "once", tmp_path / "twice"
    for folder in (once, twice):
        folder.mkdir()
    plain = Run(once, stage=stage).acquire()
    run = Run(twice, stage=stage, trackTwice=True).acquire()
    assert np.abs(plain.residuals_nm(1)).max() > 100
    assert np.abs(run.residuals_nm(1)).max() < 25
    for number in (2, 3, 4):  # the stage has moved by the same for all at that tilt
        assert np.abs(run.residuals_nm(number)).max() < 40
    first, kept = run.saved(1, track=True), run.saved(1)
    assert len(kept) == 7
    assert [line["tilt_nominal_deg"] for line in first] == [line["tilt_nominal_deg"] for line in kept]
    assert [line["section"] for line in first] == list(range(7))


def test_both_images_count_as_dose_and_have_metadata(tmp_path):
    run = Run(tmp_path, trackTwice=True, trackExpTime=0.5).acquire()
    first, kept = run.images(1, track=True), run.images(1)
    prior = [image.need_float("PriorRecordDose") for pair in zip(first, kept) for image in pair]
    assert [value - prior[0] for value in prior] == pytest.approx([1.5 * n for n in range(14)])
    assert all(image.text("SpecimenShift") is not None for image in (*first, *kept))


# --- Trial


@pytest.mark.parametrize("axis_um", [2.5, -3.0])
def test_the_tracking_target_itself_is_imaged_in_trial(tmp_path, axis_um):
    def move_trial(session):
        session.low_dose.change("T", axis_um=axis_um)

    run = Run(tmp_path, prepare=move_trial, trackUseTrial=True).acquire()
    record = tmp_path / "record"
    record.mkdir()
    plain = Run(record, prepare=move_trial).acquire()
    assert {line["lda"] for line in run.saved(1)} == {"T"} and {line["set"] for line in run.saved(1)} == {"T"}
    assert {line["exposure_s"] for line in run.saved(1)} == {0.2}
    assert {line["lda"] for n in (2, 3, 4) for line in run.saved(n)} == {"R"}
    # The same place of the sample as in Record, not its neighbour along the axis.
    here, there = run.saved(1)[0], plain.saved(1)[0]
    assert math.dist([here[f"sample_{c}_um"] for c in "xy"], [there[f"sample_{c}_um"] for c in "xy"]) < 0.05
    for number in range(1, 5):
        assert np.abs(run.residuals_nm(number)).max() < 40


def test_trial_is_compensated_for_coma_like_record(tmp_path, monkeypatch):
    """The beam goes where Record's would, so its tilt is that of Record."""
    tilts = {}
    real = World.expose

    def expose(world, setup):
        tilts.setdefault(setup.camera_set, []).append(world.beam_tilt)
        return real(world, setup)

    monkeypatch.setattr(World, "expose", expose)
    for name, settings in (("trial", {"trackUseTrial": True}), ("record", {})):
        (tmp_path / name).mkdir()
        tilts.clear()
        run = Run(tmp_path / name, startTilt=0, minTilt=-3, maxTilt=3, **settings).acquire()
        tilts[name] = [tilts["T"][0] if settings else tilts["R"][0]]
        if settings:
            trial = tilts["T"][0]
        assert run.session.world.beam_tilt == (0.0, 0.0)
    assert trial == pytest.approx(tilts["R"][0], abs=5e-3)


# --- areas beside Record


def test_view_and_search_beside_record(tmp_path):
    run = Run(tmp_path, areas={2: "V", 3: "S"}, minDefocus=-5, maxDefocus=-5).acquire()
    for number, area, offset_um, error_um in (
        (1, "R", 0, 0),
        (2, "V", -60, 2.5),
        (3, "S", -200, -8),
        (4, "R", 0, 0),
    ):
        lines = run.saved(number)
        assert len(lines) == 7 and {line["lda"] for line in lines} == {area}
        defocus = [line["defocus_um"] for line in lines]
        # The area's own offset on top of the wanted defocus, and what the column gets wrong about it. Search shows a
        # place 2.3 µm from the target across the axis, which rises and sinks by 0.4 µm.
        wanted = [-5.0 + offset_um + error_um] * 7
        assert defocus == pytest.approx(wanted, abs=0.7 if area == "S" else 0.3)
        limit = {"R": 25, "V": 60, "S": 250}[area]
        assert np.abs(run.residuals_nm(number)).max() < limit
    assert_as_before(run)


def test_a_view_image_shows_its_target_although_shift_is_calibrated_per_magnification(tmp_path):
    """View images are centred on the targets up to the misalignment between View and Record."""
    record, view = tmp_path / "record", tmp_path / "view"
    for folder in (record, view):
        folder.mkdir()
    plain = Run(record, minTilt=-3, maxTilt=3).acquire()
    run = Run(view, areas={2: "V", 4: "V"}, minTilt=-3, maxTilt=3).acquire()
    for number in (2, 4):
        for here, there in zip(run.saved(number), plain.saved(number)):
            apart = [here[f"sample_{c}_um"] - there[f"sample_{c}_um"] for c in "xy"]
            assert apart == pytest.approx([0.22, -0.20], abs=0.05)


# --- hand-over


def test_the_others_are_tracked_by_another_on_the_branch_where_the_first_has_ended(tmp_path):
    """On a stage that comes to rest up to 0.1 µm off, and with hardly any reach for targets that do not track."""
    stage = replace(IDEAL, jitter_um=(0.03, 0.04, 0.0))
    # The 5th Record is target 1's first above the start tilt.
    faults = [Fault("error", commands=("Record",), call=5, times=3)]  # it is tried twice more
    run = Run(tmp_path, stage=stage, faults=faults, alignLimit=0.05).acquire()
    assert [round(line["tilt_nominal_deg"]) for line in run.saved(1)] == [0, -3, -6, -9]
    deputy = next(line["target"] for line in run.journal("step") if line["name"] == "tracking")
    for number in {2, 3, 4} - {deputy}:
        assert len(run.saved(number)) == 7
        assert np.abs(run.residuals_nm(number)).max() < 50
    assert np.abs(run.residuals_nm(deputy)).max() > 50  # it has seen what the stage did


# --- what is left behind


@pytest.mark.parametrize("settings", [{}, *TRACK_SETTINGS], ids=lambda s: "+".join(s) or "none")
def test_everything_is_as_before(tmp_path, settings):
    run = Run(tmp_path, targets=2, minTilt=-3, maxTilt=3, **settings).acquire()
    assert len(run.saved(1)) == 3
    assert_as_before(run)


class Abandoned(Exception):
    """What no policy has a say in."""


@pytest.mark.parametrize("settings", TRACK_SETTINGS, ids="+".join)
def test_everything_is_as_before_when_the_run_fails_in_the_middle(tmp_path, settings, monkeypatch):
    """In the middle of an image of the tracking target, with all that it has changed in force."""
    run = Run(tmp_path, targets=2, minTilt=-3, maxTilt=3, areas={2: "V"}, **settings)
    real, calls = SerialEMScope.annotate, []

    def annotate(scope, entries):
        calls.append(entries)
        if len(calls) == 3:
            raise Abandoned("as STOP is raised")
        real(scope, entries)

    monkeypatch.setattr(SerialEMScope, "annotate", annotate)
    with pytest.raises(Abandoned):
        run.acquire()
    assert_as_before(run)


def test_stop_passes_and_serialem_puts_back_the_area(tmp_path):
    run = Run(
        tmp_path,
        targets=2,
        faults=[Fault("stop", commands=("AlignTo",), call=7)],
        trackMag=33000,
        trackExpTime=0.4,
    )
    with pytest.raises(run.sem.SEMexited):
        run.acquire()
    run.session.end_script()
    assert run.session.low_dose.areas == run.before["areas"]
    assert run.session.cameras.get("R").exposure_s == 1.0


# --- tilts


def test_a_tilt_reached_badly_is_used_at_its_true_value(tmp_path):
    """0.1 degree off is a shift of 20 nm for a target 10 µm from the axis: predicted, not found."""
    faults = [Fault("stage_tilt", commands=("TiltTo",), call=n, short_deg=0.1) for n in range(3, 12)]
    run = Run(tmp_path, faults=faults, alignLimit=0.1).acquire()
    for number in range(1, 5):
        lines, images = run.saved(number), run.images(number)
        assert len(lines) == 7
        tilts = [line["tilt_true_deg"] for line in lines]
        assert [image.tilt_deg for image in images] == pytest.approx(tilts, abs=2e-3)
    tilts = run.journal("tilt")
    assert any(abs(line["reached_deg"] - line["tilt_deg"]) > 0.05 for line in tilts)


def test_a_tilt_out_of_reach_ends_its_branch_only(tmp_path):
    def lower_limit(session):
        session.properties.set("MaximumTiltAngle", 7.0)

    run = Run(tmp_path, prepare=lower_limit, targets=2, minTilt=-6).acquire()
    for number in (1, 2):
        assert [round(line["tilt_nominal_deg"]) for line in run.saved(number)] == [0, 3, 6, -3, -6]
    assert {line["branch"] for line in run.journal("skip")} == {"up"}
