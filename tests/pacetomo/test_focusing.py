"""Autofocus during a run, on a scripted microscope whose sample is a plane."""

import json

import pytest
from fake_scope import FakeScope

from pacetomo.acquire import acquire_area
from pacetomo.errors import ScopeError
from pacetomo.frames import XY
from pacetomo.geometry import SamplePlane, height_um
from pacetomo.scope.protocol import Missing

PLANE = SamplePlane(12.0, 30.0)
PLACES = {1: XY(0.0, 0.0), 2: XY(3.0, 2.0), 3: XY(-2.0, -4.0)}


@pytest.fixture
def scope(tmp_path):
    points = {number: (place.x, place.y, PLANE.height_um(place)) for number, place in PLACES.items()}
    lines = []
    for number, place in PLACES.items():
        lines += [f"_tgt = {number:03d}", f"tsfile = area_ts_{number:03d}.mrc"]
        lines += [f"SSX = {place.x}", f"SSY = {place.y}", ""]
    (tmp_path / "area_tgts.txt").write_text("\n".join(lines))
    scope = FakeScope(tmp_path, points, {tmp_path / f"area_ts_{n:03d}.mrc": n for n in PLACES})
    scope.surface = PLANE
    return scope


def acquire(scope, **settings):
    given = {
        "minTilt": -6,
        "maxTilt": 6,
        "previewAli": False,
        "pretilt": 12,
        "rotation": 30,
        "tracker": "single",
    }
    given.update(settings)
    return acquire_area(scope, scope.item(), None, given)


def journal(scope, event=None):
    path = scope.folder_path / "area_tgts_run01.jsonl"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if event in (None, line["event"])]


def defocus_errors_um(scope, wanted_um=-5.0):
    """True defocus of every image less the wanted one, by target and tilt."""
    found = {}
    for line in journal(scope, "exposed"):
        scope.tilt = line["tilt_deg"]
        true_um = line["focus_um"] + scope.height_um(line["target"])
        found[line["target"], line["tilt_deg"]] = true_um - wanted_um
    return found


def changes_um(scope):
    steps = journal(scope, "step")
    return [(step["tilt_deg"], step["change_um"]) for step in steps if "change_um" in step]


@pytest.mark.parametrize("place", [XY(0.0, 0.0), XY(2.5, 0.0), XY(-6.0, 0.0)])
def test_the_slope_between_record_and_the_focus_area_is_allowed_for(scope, place):
    scope.focus_place = place
    acquire(scope, addAF=True)
    assert max(map(abs, defocus_errors_um(scope).values())) < 2e-3
    assert [change for _, change in changes_um(scope)] == pytest.approx([0.0, 0.0], abs=2e-3)


@pytest.mark.parametrize("settings", [{"addAF": True}, {"offTargetAF": "branch"}, {"offTargetAF": "tilt"}])
def test_what_autofocus_finds_holds_for_all_on_that_branch(scope, settings):
    """A sample that rises by 0.1 µm a degree beyond what geometry says: of opposite sign on the two branches."""
    known = scope.autofocus
    scope.autofocus = lambda wanted_um: known(wanted_um) - 0.1 * scope.tilt
    acquire(scope, offTargetAFX=4.0, offTargetAFY=-5.0, **settings)
    for (_, tilt), error in defocus_errors_um(scope).items():
        measured_at = (
            tilt if settings == {"offTargetAF": "tilt"} else {0: 0, 3: 3, 6: 3, -3: -3, -6: -3}[tilt]
        )
        assert error == pytest.approx(-0.1 * measured_at, abs=2e-3)


def test_the_place_beside_the_targets_moves_with_the_sample(scope):
    scope.focus_place = XY(2.5, 0.0)
    acquire(scope, offTargetAF="tilt", offTargetAFX=4.0, offTargetAFY=-5.0)
    tilts = iter([3, 6, -3, -6])
    at = [call[2] for call in scope.calls if call[0] == "autofocus"][2:]
    assert len(at) == 4
    for shift, tilt in zip(at, tilts):
        assert shift.plus(scope.focus_place) == pytest.approx(PLANE.seen(XY(4.0, -5.0), tilt), abs=5e-3)
    assert max(abs(change) for _, change in changes_um(scope)) < 5e-3


def test_beyond_an_angle_only(scope):
    acquire(scope, offTargetAF="tilt", offTargetAFAngle=5, offTargetAFX=4.0)
    assert [tilt for tilt, _ in changes_um(scope)] == [6, -6]


@pytest.mark.parametrize("answer", [Missing("weak correlation"), -30.0])
def test_what_is_no_measurement_changes_nothing(scope, answer):
    scope.fail["autofocus", None, 3] = answer
    acquire(scope, addAF=True)
    assert max(map(abs, defocus_errors_um(scope).values())) < 2e-3
    assert [tilt for tilt, _ in changes_um(scope)] == [-3]
    said = [line["text"] for line in journal(scope, "warning") if "autofocus at 3.0" in line["text"]]
    assert len(said) == 1 and "the predicted focus is used" in said[0]


def test_a_place_out_of_reach_is_left_alone(scope):
    acquire(scope, offTargetAF="branch", offTargetAFX=25.0)
    assert not changes_um(scope)
    assert any("needs an image shift of" in line["text"] for line in journal(scope, "warning"))


def test_without_the_place_of_the_focus_area_that_of_record_is_assumed(scope):
    def unknown():
        raise ScopeError("not in low dose")

    scope.focus_place_um = unknown
    acquire(scope, addAF=True)
    assert max(map(abs, defocus_errors_um(scope).values())) < 2e-3
    assert sum("not in low dose" in line["text"] for line in journal(scope, "warning")) == 2


def test_the_empirical_slope_is_not_measured_twice(scope):
    known = scope.autofocus
    scope.autofocus = lambda wanted_um: known(wanted_um) + 0.02 * scope.tilt
    acquire(scope, addAF=True, focusSlope=0.02)
    for (_, tilt), error in defocus_errors_um(scope).items():
        assert error == pytest.approx(0.02 * tilt, abs=2e-3)


def test_focus_on_the_plane_is_what_this_file_takes_it_for(scope):
    """The stand-in's heights are those of the plane: otherwise the tests above would prove nothing."""
    scope.tilt = 20.0
    place = PLACES[2]
    assert scope.height_um(2) == pytest.approx(height_um(place.y, PLANE.height_um(place), 20.0))
    assert PLANE.rise_um(PLANE.seen(place, 20.0), 20.0) == pytest.approx(scope.height_um(2))


def test_no_target_is_ever_touched(scope):
    """4 µm beside target 1 at tilt 0, but on target 2's beam: at no tilt is anything measured there."""
    acquire(scope, offTargetAF="tilt", offTargetAFX=3.4, offTargetAFY=2.4)
    assert not changes_um(scope)
    assert sum("would expose target 2" in line["text"] for line in journal(scope, "warning")) >= 4
    assert max(map(abs, defocus_errors_um(scope).values())) < 2e-3


# --- before the series


def test_the_first_focus_is_believed_when_a_second_measurement_agrees(scope):
    """One wrong correlation may say anything."""
    known, calls = scope.autofocus, []

    def autofocus(wanted_um):
        calls.append(scope.focus)
        focus_um = known(wanted_um)
        if len(calls) == 1:
            scope.focus = focus_um = focus_um - 9.0
        return focus_um

    scope.autofocus = autofocus
    acquire(scope)
    assert len(calls) == 3
    assert max(map(abs, defocus_errors_um(scope).values())) < 2e-3


def test_a_focus_from_which_autofocus_fails_is_not_kept(scope):
    found_um = scope.focus
    answers = [-60.0, Missing("weak correlation"), Missing("weak correlation")]

    def autofocus(wanted_um):
        answer = answers.pop(0)
        scope.focus = answer if isinstance(answer, float) else scope.focus
        return answer

    scope.autofocus = autofocus
    acquire(scope)
    assert journal(scope, "exposed")[0]["focus_um"] == pytest.approx(found_um, abs=1e-6)
    assert any("the focus is not sure" in line["text"] for line in journal(scope, "warning"))


def test_a_target_lost_on_the_way_to_the_start_tilt_costs_no_area(scope):
    def walk_to(tilt_deg):
        raise ScopeError("walking up: tracking failed")

    scope.walk_to = walk_to
    acquire(scope, startTilt=-30, minTilt=-30, maxTilt=-24)
    assert [line["tilt_deg"] for line in journal(scope, "tilt")] == [-30, -27, -24]
    assert any("without tracking" in line["text"] for line in journal(scope, "warning"))
