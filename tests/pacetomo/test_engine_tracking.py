"""Who tracks, and what the tracking target's own images are like: logic on a scripted microscope."""

import json
import math

import pytest
from fake_scope import FakeScope

import pacetomo.acquire as acquire_module
from pacetomo.acquire import acquire_area
from pacetomo.errors import ScopeError
from pacetomo.frames import ORIGIN, XY
from pacetomo.scope.protocol import Area, Imaging, Missing
from pacetomo.tracking import Region, SingleTargetModel

POINTS = {1: (0.0, 0.0, 0.0), 2: (3.0, 2.0, 0.0), 3: (-2.0, -4.0, 0.0), 4: (1.0, -1.0, 0.0)}
ORDER = [0, 3, 6, 9, -3, -6, -9]
SETTINGS = {"minTilt": -9, "maxTilt": 9, "groupSize": 3, "tracker": "single"}


@pytest.fixture
def scope(tmp_path):
    lines = []
    for number, (x, n0, _) in POINTS.items():
        lines += [f"_tgt = {number:03d}", f"tgtfile = area_tgt_{number:03d}.mrc"]
        lines += [f"tsfile = area_ts_{number:03d}.mrc", f"SSX = {x}", f"SSY = {n0}", ""]
        (tmp_path / f"area_tgt_{number:03d}.mrc").write_bytes(b"")
    (tmp_path / "area_tgts.txt").write_text("\n".join(lines))
    return FakeScope(tmp_path, dict(POINTS), {tmp_path / f"area_ts_{n:03d}.mrc": n for n in POINTS})


def acquire(scope, **settings):
    return acquire_area(scope, scope.item(), None, {**SETTINGS, **settings})


def journal(scope, event):
    path = scope.folder_path / "area_tgts_run01.jsonl"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line["event"] == event]


def order_at(scope, tilt):
    return [line["target"] for line in journal(scope, "exposed") if line["tilt_deg"] == tilt]


def trackers(scope):
    return [line["target"] for line in journal(scope, "step") if line["name"] == "tracking"]


def tilts_of(scope, number):
    return [tilt for tilt, *_ in scope.sections[scope.folder_path / f"area_ts_{number:03d}.mrc"]]


def reach_at(scope, number, tilt):
    """Limit with which a target was looked for at a tilt."""
    at, limits = 0.0, {}
    for call in scope.calls:
        if call[0] == "tilt_to":
            at = call[1]
        elif call[0] == "offset_from_file" and f"_ts_{number:03d}" in str(call[1]):
            limits[at] = call[3]
    return limits[tilt]


def move_stage_at(scope, monkeypatch, tilt_deg, jump_um):
    real = scope.tilt_to

    def tilt_to(tilt):
        reached = real(tilt)
        scope.jump_um = jump_um if tilt == tilt_deg else XY(0.0, 0.0)
        return reached

    monkeypatch.setattr(scope, "tilt_to", tilt_to)


# --- hand-over


def test_another_target_takes_over_at_once_and_only_on_that_branch(scope):
    scope.fail["record", 1, 3] = ScopeError("the camera timed out")
    acquire(scope, alignLimit=0.2)
    assert tilts_of(scope, 1) == [0, -3, -6, -9]
    assert all(tilts_of(scope, number) == ORDER for number in (2, 3, 4))
    assert order_at(scope, 3) == order_at(scope, 6) == [4, 2, 3]  # target 4 is closest to the old one in Y
    assert order_at(scope, -3) == [1, 2, 3, 4]
    assert trackers(scope) == [4, 1]
    assert any("Target 4 tracks" in text for text in scope.told)
    assert any("Target 1 tracks" in text for text in scope.told)
    assert reach_at(scope, 4, 3) == pytest.approx(0.675) and reach_at(scope, 4, -3) == 0.2
    assert reach_at(scope, 2, 3) == 0.2


@pytest.mark.parametrize("jump_um", [XY(0.4, 0.0), XY(0.0, -0.4)])
def test_what_the_new_one_finds_goes_to_the_others_of_the_same_tilt(scope, monkeypatch, jump_um):
    """The old one ends at the very tilt at which the stage has moved farther than others may be off."""
    move_stage_at(scope, monkeypatch, 6, jump_um)
    scope.fail["record", 1, 6] = ScopeError("the camera timed out")
    acquire(scope, alignLimit=0.1)
    found = {
        line["target"]: line["residual_nm"] for line in journal(scope, "exposed") if line["tilt_deg"] == 6
    }
    assert found[4] == pytest.approx(jump_um.scaled(1000), abs=1e-6)
    assert found[2] == pytest.approx([0, 0], abs=1e-6) and found[3] == pytest.approx([0, 0], abs=1e-6)


def test_a_target_that_was_just_lost_does_not_take_over(scope):
    scope.fail["offset_from_file", 4, 3] = Missing("no peak")
    scope.fail["record", 1, 6] = ScopeError("the camera timed out")
    acquire(scope)
    assert order_at(scope, 6)[0] == 2 and trackers(scope) == [2, 1]


def test_the_next_one_takes_over_from_the_deputy(scope):
    scope.fail["record", 1, 3] = ScopeError("the camera timed out")
    scope.fail["record", 4, 6] = ScopeError("the camera timed out")
    acquire(scope)
    assert order_at(scope, 6) == [2, 3] and trackers(scope) == [4, 2, 1]


def test_without_any_left_the_others_follow_predictions(scope):
    for number in (2, 3, 4):
        scope.fail["offset_from_file", number, 3] = Missing("no peak")
    scope.fail["record", 1, 6] = ScopeError("the camera timed out")
    acquire(scope)
    assert all(tilts_of(scope, number) == ORDER for number in (2, 3, 4))
    assert sum("they follow predictions on the up branch" in text for text in scope.told) == 1
    assert reach_at(scope, 2, 6) == 0.5


def test_a_tracking_target_in_the_dark_is_relieved_by_another(scope):
    scope.fail["record", 1, -3] = 60.0
    scope.fail["record", 1, -6] = 45.0
    acquire(scope)
    assert tilts_of(scope, 1) == [0, 3, 6, 9, -3, -6]
    assert order_at(scope, -6) == [1, 4, 2, 3] and order_at(scope, -9) == [4, 2, 3]
    assert "goes dark" in journal(scope, "skip")[0]["reason"]


# --- the tracking target's own images


def test_its_exposure_and_that_of_the_start(scope):
    acquire(scope, trackExpTime=0.4, zeroExpTime=2.0)
    taken = {(name, tilt): seconds for name, tilt, _, seconds, _ in scope.taken}
    for tilt in ORDER:
        assert taken["area_ts_001", tilt] == (2.0 if tilt == 0 else 0.4)
        assert taken["area_ts_002", tilt] == (2.0 if tilt == 0 else 1.0)


def test_its_defocus(scope):
    wishes = {"minDefocus": -3, "maxDefocus": -4, "zeroDefocus": -8, "trackDefocus": -2}
    acquire(scope, **wishes)
    focus = {(name, tilt): focus + height for (name, tilt, *_, focus), height in with_heights(scope)}
    for number, wanted in ((1, -2), (2, -3.5), (3, -4), (4, -3)):
        got = [focus[f"area_ts_{number:03d}", tilt] for tilt in ORDER]
        assert got == pytest.approx([-8] + [wanted] * 6, abs=1e-6)


def with_heights(scope):
    for entry in scope.taken:
        scope.tilt = entry[1]
        yield entry, scope.height_um(int(entry[0][-3:]))


@pytest.mark.parametrize(
    ("settings", "imaging"),
    [
        ({}, Imaging(Area.RECORD)),
        ({"trackMag": 33000}, Imaging(Area.RECORD, 33000.0)),
        ({"trackUseTrial": True}, Imaging(Area.TRIAL)),
        ({"trackUseTrial": True, "trackMag": 33000}, Imaging(Area.TRIAL, 33000.0)),
    ],
)
def test_its_area_and_magnification(scope, settings, imaging):
    acquire(scope, **settings)
    assert {how for name, _, how, *_ in scope.taken if name == "area_ts_001"} == {imaging}
    assert {how for name, _, how, *_ in scope.taken if name != "area_ts_001"} == {Imaging()}
    assert scope.imaging.magnification is None


def test_exposures_scaled_for_record_are_not_those_of_another_area(scope):
    acquire(scope, trackUseTrial=True, exposureScaling="cosine", exposurePower=5)
    taken = {(name, tilt): seconds for name, tilt, _, seconds, _ in scope.taken}
    assert taken["area_ts_001", 9] == 1.0 and taken["area_ts_002", 9] > 1.05


def test_a_first_image_centres_it_and_all_others(scope, monkeypatch):
    move_stage_at(scope, monkeypatch, 6, XY(0.2, -0.5))
    acquire(scope, trackTwice=True, alignLimit=0.1)
    found = {
        line["target"]: line["residual_nm"] for line in journal(scope, "exposed") if line["tilt_deg"] == 6
    }
    assert set(found) == {1, 2, 3, 4}
    for residual in found.values():
        assert residual == pytest.approx([0, 0], abs=1e-6)
    firsts = scope.sections[scope.folder_path / "area_ts_001_track.mrc"]
    assert [tilt for tilt, *_ in firsts] == ORDER
    assert tilts_of(scope, 1) == ORDER
    prior = [line["prior_dose_e_per_a2"] for line in journal(scope, "exposed") if line["target"] == 1]
    assert prior == pytest.approx([6.0 * n + 3.0 for n in range(7)])


def test_without_anything_to_compare_with_there_is_no_first_image(scope):
    acquire(scope, trackTwice=True, noZeroRecAli=True)
    firsts = scope.sections[scope.folder_path / "area_ts_001_track.mrc"]
    assert [tilt for tilt, *_ in firsts] == ORDER[1:]


def test_earlier_first_images_are_kept(scope):
    (scope.folder_path / "area_ts_001_track.mrc").write_bytes(b"earlier")
    acquire(scope, trackTwice=True)
    kept = [
        path for path in scope.folder_path.iterdir() if path.is_file() and path.read_bytes() == b"earlier"
    ]
    assert len(kept) == 1 and kept[0].name != "area_ts_001_track.mrc"


# --- areas beside Record


def test_a_target_in_view_is_imaged_and_looked_for_as_suits_its_field(scope):
    path = scope.folder_path / "area_tgts.txt"
    text = path.read_text()
    path.write_text(
        text.replace("SSX = 3.0", "LDArea = V\nSSX = 3.0").replace("SSX = -2.0", "LDArea = S\nSSX = -2.0")
    )
    acquire(scope, alignLimit=0.3)
    areas = {name: how.area for name, _, how, *_ in scope.taken}
    assert areas == {
        "area_ts_001": Area.RECORD,
        "area_ts_002": Area.VIEW,
        "area_ts_003": Area.SEARCH,
        "area_ts_004": Area.RECORD,
    }
    assert reach_at(scope, 2, 3) == pytest.approx(1.8) and reach_at(scope, 3, 3) == pytest.approx(3.6)
    assert reach_at(scope, 4, 3) == 0.3
    assert all(tilts_of(scope, number) == ORDER for number in POINTS)


def test_a_target_in_view_does_not_track(scope):
    path = scope.folder_path / "area_tgts.txt"
    path.write_text(path.read_text().replace("SSX = 1.0", "LDArea = V\nSSX = 1.0"))
    scope.fail["record", 1, 3] = ScopeError("the camera timed out")
    acquire(scope)
    assert trackers(scope) == [2, 1]


def test_a_stage_a_little_off_is_taken_at_its_word(scope):
    plane = math.tan(math.radians(20))
    scope.points = {n: (x, n0, plane * n0) for n, (x, n0, _) in POINTS.items()}
    real = scope.tilt_to
    reached = {6: 6.1, -6: -5.9}

    def tilt_to(tilt):
        real(tilt)
        scope.tilt = reached.get(tilt, tilt)
        return scope.tilt

    scope.tilt_to = tilt_to
    acquire(scope, pretilt=20)
    for number in (2, 3, 4):
        for _, shift, seen in scope.sections[scope.folder_path / f"area_ts_{number:03d}.mrc"]:
            assert shift.y == pytest.approx(seen.y, abs=1e-4)  # 0.1 degree moves them by up to 2.5 nm
    for (_, tilt, *_, focus), height in with_heights(scope):
        assert focus + height == pytest.approx(-5.0, abs=1e-4), tilt
    assert {line["reached_deg"] for line in journal(scope, "tilt")} == {0, 3, 6.1, 9, -3, -5.9, -9}


class Expecting(SingleTargetModel):
    """A model that believes to know where an alignment will find target 2 at 3 degrees."""

    centre_um = XY(0.45, 0.0)

    def search_region(self, target, tilt_deg, branch):
        known = target == 2 and tilt_deg == 3
        return Region(self.centre_um, XY(0.1, 0.1)) if known else None


def test_a_target_is_looked_for_where_the_model_expects_it(scope, monkeypatch):
    def expecting(job, starts, start_tilt_deg, profile=None):
        return Expecting(starts, start_tilt_deg)

    monkeypatch.setattr(acquire_module, "make_model", expecting)
    acquire(scope, alignLimit=0.3, maxTilt=3)
    places = [
        call[3:]
        for call in scope.calls
        if call[0] == "offset_from_file" and call[1].stem == "area_ts_002" and call[2] == 0
    ]
    # At +3, where the model expects it aside, and at -3, where it expects nothing.
    assert places == [(pytest.approx(0.4 * math.sqrt(2)), Expecting.centre_um), (0.3, ORIGIN)]
