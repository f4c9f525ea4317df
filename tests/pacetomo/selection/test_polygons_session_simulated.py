"""Polygons of the Navigator filled with targets on the simulator."""

from __future__ import annotations

import math

import numpy as np
import pytest
from choosing import Choosing

from mock_serialem.answers import Rule
from pacetomo.desk_script import CancelledError
from pacetomo.errors import PaceError, PlanError, TargetFileError
from pacetomo.files.navigator import read_navigator
from pacetomo.files.target_file import read_targets
from pacetomo.frames import XY
from pacetomo.scope.protocol import Area


def draw(here, corners_um):
    """A selected polygon with corners at steps on the stage from where it is."""
    x_um, y_um, z_um = here.desk.stage_um()
    place = here.desk.add_polygon([XY(x_um + x, y_um + y) for x, y in corners_um], z_um)
    here.session.navigator.current = place - 1
    return np.array([x_um, y_um])


RECTANGLE = [(-3.0, -4.0), (3.0, -4.0), (3.0, 4.0), (-3.0, 4.0)]


def test_a_polygon_is_filled_so_that_beams_do_not_overlap_at_the_highest_tilt(tmp_path):
    here = Choosing(tmp_path, sample="lamella", stage="ideal", fidelity="kinematic")
    middle = draw(here, RECTANGLE)
    (file,) = here.choose([], targetPolygon=True, beamDiameter=1.5, maxTilt=60)
    targets = read_targets(file).targets
    assert len(targets) >= 6
    assert targets[0].reference == "lam_tgt_001.mrc" and targets[1].reference is None
    # Distances as seen at 60 degrees, where they are halved across the axis.
    places = np.array([target.shift_um for target in targets]) * [1.0, 0.5]
    apart = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))[np.triu_indices(len(places), 1)]
    assert apart.min() >= 1.5 - 1e-3
    stage = np.array([target.stage_um for target in targets]) - middle
    assert (np.abs(stage) <= [3.2, 4.2]).all()
    assert (np.ptp(stage, axis=0) >= [4.0, 5.0]).all()
    assert len(here.exposures("P")) == len(here.exposures("V")) == 1
    outlines = [item for item in read_navigator(here.desk.save_navigator()).items if "beam" in item.label]
    assert len(outlines) == len(targets)
    spans = np.array([np.ptp(np.array(item.points_um), axis=0) for item in outlines])
    assert spans == pytest.approx(np.tile([1.5, 3.0], (len(spans), 1)), rel=0.03)


def test_a_polygon_larger_than_the_limit_becomes_several_areas_with_own_tracking_targets(tmp_path):
    here = Choosing(tmp_path, sample="lamella", stage="ideal", fidelity="kinematic")
    draw(here, [(-9.0, -3.0), (9.0, -3.0), (9.0, 3.0), (-9.0, 3.0)])
    files = here.choose(
        [], targetPolygon=True, beamDiameter=2.0, maxTilt=45, imageShiftLimit=5, drawBeam=False
    )
    assert [path.name for path in files] == [
        "lam_tgts.txt",
        "lam_a2_tgts.txt",
        *[f"lam_a{n}_tgts.txt" for n in range(3, len(files) + 1)],
    ]
    for path in files:
        targets = read_targets(path).targets
        assert targets[0].reference == f"{path.stem[:-5]}_tgt_001.mrc" and targets[0].view is not None
        assert max(target.shift_um.length for target in targets) <= 5.0 + 1e-6
    marked = [item.note for item in read_navigator(here.desk.save_navigator()).items if item.acquire]
    assert marked == [path.name for path in files]
    stages = [target.stage_um for path in files for target in read_targets(path).targets]
    apart = [math.hypot(a.x - b.x, a.y - b.y) for n, a in enumerate(stages) for b in stages[:n]]
    assert min(apart) > 1.9


@pytest.mark.parametrize(
    ("corners", "reason"),
    [
        ([(0.0, 0.0), (3.0, 0.0)], "at least three are needed"),
        ([(0.0, 0.0), (2.0, 2.0), (2.0, 0.0), (0.0, 2.0)], "cross"),
    ],
)
def test_a_polygon_that_is_none_is_refused_before_any_image(tmp_path, corners, reason):
    here = Choosing(tmp_path, sample="lamella", fidelity="kinematic")
    draw(here, corners)
    with pytest.raises(PlanError, match=reason):
        here.choose([], targetPolygon=True, beamDiameter=1.0)
    assert here.exposures() == []
    assert not list(tmp_path.glob("lam*"))


def test_an_item_that_is_no_polygon_is_refused(tmp_path):
    here = Choosing(tmp_path, sample="lamella", fidelity="kinematic")
    here.add_points(here.places((0, 0)))
    with pytest.raises(TargetFileError, match="is no polygon: draw one"):
        here.choose([], targetPolygon=True)


def test_a_filling_that_is_declined_exposes_nothing(tmp_path):
    here = Choosing(tmp_path, sample="lamella", fidelity="kinematic")
    draw(here, RECTANGLE)
    with pytest.raises(CancelledError):
        here.choose([Rule("YesNoBox", "The polygon holds", (False,))], targetPolygon=True, beamDiameter=1.5)
    assert here.exposures() == []
    assert not list(tmp_path.glob("lam*"))


def on_a_map(here, corners_um):
    """A selected polygon on a View map of where the stage is."""
    desk = here.desk
    desk.begin(20)
    desk.take(Area.VIEW)
    desk.open_series(here.folder / "map.mrc")
    desk.save_section()
    place = desk.add_map("map.mrc")
    desk.close_series()
    desk.end()
    draw(here, corners_um)
    items = here.session.navigator.items
    items[-1].set("DrawnID", str(items[place - 1].map_id))
    here.begun = len(here.truth())


def test_targets_keep_off_the_holes_of_a_film_where_what_is_bright_is_avoided(tmp_path):
    here = Choosing(tmp_path, sample="holey", stage="ideal", seed=3)
    on_a_map(here, [(-5.0, -4.0), (5.0, -4.0), (5.0, 4.0), (-5.0, 4.0)])
    (file,) = here.choose(
        [], targetPolygon=True, beamDiameter=0.8, maxTilt=20, avoid="bright", drawBeam=False
    )
    (line,) = [line for line in here.session.log.lines if "left out by the brightness" in line]
    left_out, of = (int(word) for word in line.split() if word.isdecimal())
    targets = read_targets(file).targets
    assert len(targets) == of - left_out
    radius_um = here.world.config.sample.hole_radius_um
    # Of all places a share about as large as that of the holes, widened by the beam, is left out.
    share = math.pi * radius_um**2 / 9.0
    assert 0.5 * share < left_out / of < 2.5 * share
    to_specimen = here.desk.calibration().stage_to_specimen
    holes = np.array([here.seen_um(hole) for hole in here.holes(40)])
    seen = np.array([to_specimen.apply(target.stage_um.minus(here.stage_um)) for target in targets])
    assert np.hypot(*(holes[:, None] - seen).transpose(2, 0, 1)).min() > 0.6 * radius_um


def test_without_a_map_nothing_can_be_avoided(tmp_path):
    here = Choosing(tmp_path, sample="holey", fidelity="kinematic")
    draw(here, RECTANGLE)
    with pytest.raises(PlanError, match="was drawn on no map"):
        here.choose([], targetPolygon=True, beamDiameter=1.0, avoid="dark")
    assert here.exposures() == []


def test_a_map_whose_file_is_gone_is_said_by_name(tmp_path):
    here = Choosing(tmp_path, sample="holey", fidelity="kinematic")
    on_a_map(here, RECTANGLE)
    (tmp_path / "map.mrc").unlink()
    with pytest.raises(PaceError, match=r"map\.mrc"):
        here.choose([], targetPolygon=True, beamDiameter=1.0, avoid="dark")
    assert here.exposures() == []
