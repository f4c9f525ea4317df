"""Pretilt and rotation on the simulator, judged by how its sample is inclined."""

from __future__ import annotations

import math

import pytest
from measuring_stage import PLACES, AtAnArea, Measuring, make_world

from mock_serialem.answers import Operator, Rule
from mock_serialem.faults import Fault
from mock_serialem.sim.sample import HoleySpec, LamellaSpec
from pacetomo.desk_script import CancelledError
from pacetomo.errors import PaceError, PlanError, ScopeError, TargetFileError
from pacetomo.files.target_file import read_targets
from pacetomo.frames import XY
from pacetomo.targets import GeoPoint

FLAT = {"curvature_um": (0.0, 0.0)}
GEO = tuple(GeoPoint(XY(*place)) for place in PLACES)


def lamella(pretilt_deg=12.0, rotation_deg=20.0):
    return LamellaSpec(pretilt_deg=pretilt_deg, rotation_deg=rotation_deg, **FLAT)


def at_an_area(folder, sample=None, stage="krios", operator=None, geo=(), **settings):
    return AtAnArea(folder, make_world(stage, sample or lamella(), seed=2), operator, geo, **settings)


@pytest.mark.parametrize("points", ["group", "file", "placed"])
@pytest.mark.parametrize(("pretilt", "rotation", "tilt"), [(12.0, 20.0, 0.0), (-14.0, -35.0, 8.0)])
def test_pretilt_and_rotation_come_out_with_their_errors(tmp_path, points, pretilt, rotation, tilt):
    measuring = at_an_area(tmp_path, lamella(pretilt, rotation), geo=GEO)
    if points == "group":
        measuring.add_group()
    measuring.desk.tilt_to(tilt)
    found = measuring.geometry(points=points).geometry
    assert found.plane.pretilt_deg == pytest.approx(pretilt, abs=3 * found.pretilt_error_deg + 0.3)
    assert found.plane.rotation_deg == pytest.approx(rotation, abs=3 * found.rotation_error_deg + 0.5)
    assert found.pretilt_error_deg < 1.5 and found.rotation_error_deg < 6.0
    assert found.level_deg * pretilt < 0


@pytest.mark.parametrize("stage", ["cryoarm", "side-entry"])
def test_a_group_is_found_on_every_stage(tmp_path, stage):
    """Image-shift and stage frames differ, and the group's points lie where they were put."""
    measuring = at_an_area(tmp_path, stage=stage)
    measuring.add_group()
    found = measuring.geometry(points="group")
    # Reached from the middle of the group, their differences are those of the places.
    seen = [point.seen_um for point in found.measured.points]
    by_name = dict(zip(found.measured.names, seen))
    apart = by_name["point 3"].minus(by_name["point 2"])
    assert tuple(apart) == pytest.approx((10.0, 0.0), abs=0.2)
    assert found.geometry.plane.pretilt_deg == pytest.approx(12.0, abs=2.5)
    assert found.geometry.plane.rotation_deg == pytest.approx(20.0, abs=12.0)


@pytest.mark.parametrize("tilt", [30.0, -30.0])
def test_points_of_a_group_lie_in_the_tilted_stage(tmp_path, tilt):
    measuring = at_an_area(tmp_path)
    measuring.add_group()
    measuring.desk.tilt_to(tilt)
    measured = measuring.geometry(points="group").measured
    seen = dict(zip(measured.names, (point.seen_um for point in measured.points)))
    # PLACES are 7 um apart across the axis, of which the tilt leaves its cosine.
    apart = seen["point 2"].minus(seen["point 4"])
    assert tuple(apart) == pytest.approx((-1.0, 7.0 * math.cos(math.radians(tilt))), abs=0.05)


def test_around_an_item_without_targets_places_are_put(tmp_path):
    measuring = Measuring(tmp_path, make_world(sample=HoleySpec(pretilt_deg=9.0, **FLAT), seed=2))
    measuring.session.navigator.open_empty()
    measuring.desk.add_point(XY(3.0, -4.0), 0.0)
    result = measuring.geometry(points="ask", apply=True)
    assert len(result.measured.points) == 6 and result.written is None
    assert result.geometry.plane.pretilt_deg == pytest.approx(9.0, abs=2.0)
    assert (tmp_path / "item1_geometry.txt").is_file()
    assert measuring.says("No target file belongs to the selected item")


def test_a_bent_sample_gets_a_paraboloid_and_a_flat_one_a_plane(tmp_path):
    grid = [(x, y) for x in (-6, -2, 2, 6) for y in (-6, 0, 6)]
    kinds = {}
    for bend_um in (0.0, 1.2):
        folder = tmp_path / str(bend_um)
        folder.mkdir()
        sample = HoleySpec(pretilt_deg=8.0, curvature_um=(bend_um, bend_um))
        measuring = at_an_area(folder, sample)
        measuring.add_group(grid)
        found = measuring.geometry(points="group").geometry
        kinds[bend_um] = found.surface.is_paraboloid
        assert found.plane.pretilt_deg == pytest.approx(8.0, abs=1.5)
    assert kinds == {0.0: False, 1.2: True}


def test_failed_and_wrong_points_are_left_out_by_name(tmp_path):
    measuring = at_an_area(tmp_path, geo=(*GEO, GeoPoint(XY(3.0, 0.0)), GeoPoint(XY(-3.0, 4.0))))
    measuring.let_go_wrong(
        Fault("error", commands=("AutoFocus",), call=2, text="beam is off"),
        Fault("autofocus_nonsense", call=4, defocus_um=-11.0),
    )
    found = measuring.geometry(points="file")
    assert measuring.says("left out: place 2 (") and measuring.says("beam is off")
    assert measuring.says("left out: place 5 (")  # the fourth autofocus that was made
    assert found.geometry.used == (True, True, True, False, True, True)
    assert found.geometry.plane.pretilt_deg == pytest.approx(12.0, abs=2.0)


def test_the_start_tilt_that_compensates_has_the_opposite_sign(tmp_path):
    measuring = at_an_area(tmp_path, lamella(-12.0, 0.0), pretilt=-12, rotation=0, startTilt=12)
    found = measuring.geometry(points="placed").geometry
    assert found.level_deg == pytest.approx(12.0, abs=2.0)
    assert measuring.says("startTilt = 12")
    assert not measuring.says("mistaken")


def test_settings_of_the_wrong_sign_are_warned_about(tmp_path):
    measuring = at_an_area(tmp_path, lamella(-12.0, 0.0), pretilt=12, rotation=0, startTilt=-12)
    measuring.geometry(points="placed")
    assert measuring.says("the sign of pretilt is mistaken, -1")
    assert measuring.says("startTilt = -12 (target file lamella_tgts.txt, line")


def test_the_result_is_written_into_the_target_file_and_the_old_one_kept(tmp_path):
    measuring = at_an_area(tmp_path, pretilt=-9, rotation=4)
    before = measuring.file.read_bytes()
    result = measuring.geometry(points="placed", apply=True)
    overrides = {item.name: item.value for item in read_targets(measuring.file).overrides}
    plane = result.geometry.plane
    assert overrides["pretilt"] == f"{plane.pretilt_deg:.1f}"
    assert overrides["rotation"] == f"{plane.rotation_deg:.1f}"
    assert measuring.file.with_name(f"{measuring.file.name}~1").read_bytes() == before
    assert measuring.session.operator.asked == []
    assert len(read_targets(measuring.file).targets) == 5


def test_who_does_not_want_it_keeps_the_target_file(tmp_path):
    measuring = at_an_area(tmp_path, operator=Operator(yes=False), pretilt=-9)
    before = measuring.file.read_bytes()
    assert measuring.geometry(points="placed").written is None
    assert measuring.file.read_bytes() == before
    assert [question for question in measuring.session.operator.asked if "Write pretilt" in question]


@pytest.mark.parametrize(("answer", "count"), [(1, 5), (2, 6)])
def test_the_person_chooses_where_to_measure(tmp_path, answer, count):
    operator = Operator(rules=[Rule("ThreeChoiceBox", "at which points", (float(answer),))])
    measuring = at_an_area(tmp_path, operator=operator)
    measuring.add_group()
    assert len(measuring.geometry().measured.points) == count


def test_cancelling_measures_and_writes_nothing(tmp_path):
    operator = Operator(rules=[Rule("ThreeChoiceBox", "at which points", (3.0,))])
    measuring = at_an_area(tmp_path, operator=operator)
    measuring.add_group()
    before, exposed, state = measuring.file.read_bytes(), measuring.world.exposures, measuring.state()
    with pytest.raises(CancelledError, match=r"^Cancelled: the geometry was not measured"):
        measuring.geometry()
    assert measuring.world.exposures == exposed and measuring.state() == state
    assert measuring.file.read_bytes() == before
    assert list(tmp_path.glob("*geometry*")) == []


@pytest.mark.parametrize("tilt", [0.0, -10.0])
def test_everything_is_put_back_also_after_a_failure(tmp_path, tilt):
    measuring = at_an_area(tmp_path)
    measuring.desk.tilt_to(tilt)
    measuring.look_elsewhere()
    before = measuring.state()
    measuring.geometry(points="placed", apply=True)
    assert measuring.state() == before
    content = measuring.file.read_bytes()
    measuring.let_go_wrong(Fault("error", commands=("SetImageShift",), call=6, text="it is broken"))
    with pytest.raises(ScopeError, match="it is broken"):
        measuring.geometry(points="placed", apply=True)
    assert measuring.state() == before
    assert measuring.file.read_bytes() == content


def test_stop_passes(tmp_path):
    measuring = at_an_area(tmp_path)
    measuring.let_go_wrong(Fault("stop", commands=("AutoFocus",), call=2))
    with pytest.raises(Exception, match=r"^User STOP$") as caught:
        measuring.geometry(points="placed")
    assert not isinstance(caught.value, PaceError)


def close_navigator(measuring):
    measuring.session.navigator.close()


def add_two(measuring):
    measuring.add_group(PLACES[:2])


def no_autofocus(measuring):
    measuring.let_go_wrong(Fault("error", commands=("AutoFocus",), times=0, text="not calibrated"))


def lose_file(measuring):
    measuring.file.unlink()


def nothing(measuring):
    """Leave everything as it is."""


@pytest.mark.parametrize(
    ("prepare", "points", "error", "said"),
    [
        (close_navigator, "ask", ScopeError, "the Navigator is not open"),
        (nothing, "group", PlanError, "item 1 belongs to no group"),
        (add_two, "group", PlanError, "has 2 points, at least 3 are needed"),
        (nothing, "file", PlanError, "lamella_tgts.txt has no geometry points"),
        (lose_file, "placed", TargetFileError, "lamella_tgts.txt is not there"),
        (
            no_autofocus,
            "placed",
            ScopeError,
            r"measured at 0 points, .* it failed at place 1 \(.*not calibrated",
        ),
    ],
)
def test_what_cannot_be_measured_is_refused_in_one_sentence(tmp_path, prepare, points, error, said):
    measuring = at_an_area(tmp_path)
    prepare(measuring)
    names = {path.name for path in tmp_path.iterdir()}
    with pytest.raises(error, match=said) as caught:
        measuring.geometry(points=points, apply=True)
    assert "\n" not in str(caught.value)
    assert {path.name for path in tmp_path.iterdir()} <= names | {"pacetomo.nav"}


def test_a_steep_result_is_refused_and_not_written(tmp_path):
    measuring = at_an_area(tmp_path, lamella(36.0, 0.0), pretilt=5)
    content = measuring.file.read_bytes()
    with pytest.raises(ScopeError, match=r"a pretilt of 3\d ± \d° came out, more than 30° is not believed"):
        measuring.geometry(points="placed", apply=True)
    assert measuring.file.read_bytes() == content
    assert len(measuring.says("over the lowest")) == 6


def test_the_figure_and_the_numbers_lie_beside_the_data(tmp_path):
    measuring = at_an_area(tmp_path)
    for _ in range(2):
        measuring.geometry(points="placed", plot=True, apply=True)
    made = {path.name for path in tmp_path.glob("lamella_geometry*")}
    assert made == {
        "lamella_geometry.png",
        "lamella_geometry.txt",
        "lamella_geometry_02.png",
        "lamella_geometry_02.txt",
    }
    assert (tmp_path / "lamella_geometry.png").read_bytes().startswith(b"\x89PNG")
    assert "# pretilt (deg, standard error): 1" in (tmp_path / "lamella_geometry.txt").read_text(
        encoding="utf-8"
    )
