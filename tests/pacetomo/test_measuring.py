"""Measuring pretilt and rotation by autofocus, on a scripted microscope whose sample is a plane."""

import json

import pytest
from fake_scope import FakeScope

from pacetomo.acquire import acquire_area
from pacetomo.errors import ScopeError
from pacetomo.files.run_file import read_run
from pacetomo.frames import XY
from pacetomo.geometry import SamplePlane
from pacetomo.scope.protocol import Missing

TRUE = SamplePlane(-14.0, 35.0)
LATTICE = [XY(3.0 * i, 3.0 * j) for i, j in ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, -1))]
GEO = [XY(4.0, 1.0), XY(-4.0, 2.0), XY(1.0, -5.0), XY(2.0, 6.0), XY(-3.0, -3.0)]


def make_scope(folder, geo=()):
    lines = []
    for number, place in enumerate(LATTICE, 1):
        lines += [f"_tgt = {number:03d}", f"tsfile = area_ts_{number:03d}.mrc"]
        lines += [f"SSX = {place.x}", f"SSY = {place.y}", ""]
    for number, place in enumerate(geo, 1):
        lines += [f"_geo = {number}", f"SSX = {place.x}", f"SSY = {place.y}", ""]
    (folder / "area_tgts.txt").write_text("\n".join(lines))
    points = {n: (p.x, p.y, TRUE.height_um(p)) for n, p in enumerate(LATTICE, 1)}
    scope = FakeScope(folder, points, {folder / f"area_ts_{n:03d}.mrc": n for n in points})
    scope.surface = TRUE
    scope.focus_place = XY(2.5, 0.0)
    return scope


def acquire(scope, **settings):
    given = {
        "minTilt": -3,
        "maxTilt": 3,
        "previewAli": False,
        "measureGeo": True,
        "tracker": "single",
        **settings,
    }
    return acquire_area(scope, scope.item(), None, given)


def journal(scope, event):
    path = scope.folder_path / "area_tgts_run01.jsonl"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if event == line["event"]]


def measured(scope):
    return next((step for step in journal(scope, "step") if "pretilt_error_deg" in step), None)


@pytest.mark.parametrize("geo", [(), GEO])
@pytest.mark.parametrize("tilt_targets", [0, 12])
def test_the_plane_of_this_run_is_the_measured_one(tmp_path, geo, tilt_targets):
    scope = make_scope(tmp_path, geo)
    scope.tilt = tilt_targets
    acquire(scope, tiltTargets=tilt_targets, pretilt=20, rotation=-10)
    step = measured(scope)
    assert (step["pretilt_deg"], step["rotation_deg"]) == pytest.approx((-14.0, 35.0), abs=0.05)
    header = read_run(tmp_path / "area_tgts_run01.txt").state.header
    assert (header.pretilt_deg, header.rotation_deg) == pytest.approx((-14.0, 35.0), abs=0.05)
    assert any("pretilt -14.0 ± " in text and "rotation 35.0 ± " in text for text in scope.told)
    if not tilt_targets:  # the coordinates in the file belong to the untilted sample: all is as it should be
        for line in journal(scope, "exposed"):
            scope.tilt = line["tilt_deg"]
            assert line["focus_um"] + scope.height_um(line["target"]) == pytest.approx(-5.0, abs=0.01)


def test_the_focus_beam_falls_on_the_points_of_the_file(tmp_path):
    scope = make_scope(tmp_path, GEO)
    acquire(scope)
    at = [call[2].plus(scope.focus_place) for call in scope.calls if call[0] == "autofocus"][: len(GEO)]
    assert [tuple(place) for place in at] == [pytest.approx(place) for place in GEO]


def test_without_points_the_focus_beam_falls_between_the_targets(tmp_path):
    scope = make_scope(tmp_path)
    acquire(scope)
    at = [call[2].plus(scope.focus_place) for call in scope.calls if call[0] == "autofocus"][:-1]
    assert len(at) >= 5
    assert min(place.minus(target).length for place in at for target in LATTICE) > 2.0


def failing(scope, answers):
    known = scope.autofocus

    def autofocus(wanted_um):
        answer = answers.pop(0) if answers else None
        return known(wanted_um) if answer is None else answer

    scope.autofocus = autofocus


def test_failed_and_wrong_measurements_do_not_count(tmp_path):
    scope = make_scope(tmp_path)
    failing(scope, [None, Missing("weak correlation"), None, 3.0])
    acquire(scope)
    step = measured(scope)
    assert step["points"] == 4
    assert (step["pretilt_deg"], step["rotation_deg"]) == pytest.approx((-14.0, 35.0), abs=0.05)


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([None, None, *[Missing("weak correlation")] * 4], "at least 3 are needed"),
        ([0.0, 20.0, -30.0, 10.0, -20.0, 30.0], "not measured"),
    ],
)
def test_what_cannot_be_leaves_the_settings_in_force(tmp_path, answers, said):
    scope = make_scope(tmp_path)
    failing(scope, answers)
    acquire(scope, pretilt=-14, rotation=35)
    assert measured(scope) is None
    warnings = [line["text"] for line in journal(scope, "warning")]
    assert any(said in text and "pretilt -14°" in text for text in warnings)
    header = read_run(tmp_path / "area_tgts_run01.txt").state.header
    assert (header.pretilt_deg, header.rotation_deg) == (-14.0, 35.0)


def test_points_out_of_reach_are_not_gone_to(tmp_path):
    scope = make_scope(tmp_path, [XY(30.0, 0.0), XY(0.0, 2.0), XY(2.0, 0.0)])
    acquire(scope)
    assert any("2 places within reach" in line["text"] for line in journal(scope, "warning"))
    assert {call[2] for call in scope.calls if call[0] == "autofocus"} == {XY(0.0, 0.0)}


def test_without_the_place_of_the_focus_area_nothing_is_measured(tmp_path):
    scope = make_scope(tmp_path)

    def unknown():
        raise ScopeError("not in low dose")

    scope.focus_place_um = unknown
    acquire(scope)
    assert measured(scope) is None and journal(scope, "run_end")[0]["state"] == "finished"


def test_the_automatic_start_tilt_follows_the_measured_plane(tmp_path):
    scope = make_scope(tmp_path)
    acquire(scope, autoStartTilt=True, minTilt=-30, maxTilt=30)
    first = journal(scope, "tilt")[0]
    assert first["tilt_deg"] == 12  # the slope across the axis is that of 11.5 degrees
