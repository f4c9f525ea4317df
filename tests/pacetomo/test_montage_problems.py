import math
from dataclasses import replace

import pytest

from pacetomo.area_files import AreaFiles
from pacetomo.files.target_file import parse_targets
from pacetomo.frames import XY, Matrix2
from pacetomo.job import make_job
from pacetomo.montage_problems import farthest_tile_um, montage_problems
from pacetomo.overlap import Field
from pacetomo.settings import SettingsLayer, resolve_settings

FIELD = Field(XY(1.2, 0.8), 90.0)  # the camera's X is the specimen's Y
MONTAGE = {"tgtMontage": True, "tgtMntSize": (3, 1), "tgtMntOverlap": 0.0}


def job(folder, places=((0.0, 0.0), (0.0, 10.0)), **settings):
    text = "".join(
        f"_tgt = {n:03d}\ntsfile = a_ts_{n:03d}.mrc\nSSX = {x}\nSSY = {y}\n\n"
        for n, (x, y) in enumerate(places, start=1)
    )
    resolved = resolve_settings(SettingsLayer("script", settings))
    return make_job(AreaFiles(folder / "a_tgts.txt"), parse_targets(text), resolved, Matrix2(-1, 0, 0, -1))


def problems(folder, field=FIELD, **settings):
    return [
        problem.text for problem in montage_problems(job(folder, **settings), {"R": field} if field else {})
    ]


def test_none_where_all_is_well(tmp_path):
    assert problems(tmp_path) == [] == problems(tmp_path, **MONTAGE)


def test_a_montage_of_one_tile_has_no_effect(tmp_path):
    assert problems(tmp_path, tgtMontage=True) == ["tgtMontage has no effect"]


@pytest.mark.parametrize(
    ("size", "travel_um", "farthest_um"),
    [((3, 1), 0.0, 11.2), ((1, 3), 0.0, math.hypot(10, 0.8)), ((3, 3), 2.0, math.hypot(11.2, 0.8))],
)
def test_reach_of_tiles_along_the_cameras_axes(tmp_path, size, travel_um, farthest_um):
    """At tilt 0, where targets are farthest; the montage has not travelled there."""
    made = job(tmp_path, **{**MONTAGE, "tgtMntSize": size, "tgtMntXOffset": travel_um})
    centre_um, tile_um = farthest_tile_um(made, 2, FIELD)
    assert (centre_um, tile_um) == pytest.approx((10.0, farthest_um), abs=1e-6)


def test_tiles_out_of_reach_are_told_with_their_target(tmp_path):
    found = problems(tmp_path, imageShiftLimit=11.0, **MONTAGE)
    assert len(found) == 1 and "target 2 (11.2 µm)" in found[0] and "limit of 11 µm" in found[0]
    assert problems(tmp_path, field=None, imageShiftLimit=11.0, **MONTAGE) == []
    assert problems(tmp_path, imageShiftLimit=11.3, **MONTAGE) == []
    assert problems(tmp_path, imageShiftLimit=9.0, **MONTAGE) == []  # the whole target is: told elsewhere


def test_tiles_of_a_view_target_are_views_images(tmp_path):
    made = job(tmp_path, **MONTAGE, imageShiftLimit=15.0)
    in_view = replace(made, targets=made.targets.with_target(replace(made.targets.numbered(2), area="V")))
    fields = {"R": FIELD, "V": Field(XY(6.0, 4.0), 90.0)}
    assert list(montage_problems(made, fields)) == [] == list(montage_problems(in_view, {"R": FIELD}))
    found = [problem.text for problem in montage_problems(in_view, fields)]
    assert len(found) == 2 and "target 2 (16.0 µm)" in found[0]
    assert "1 and 2 (from 18° of tilt on)" in found[1]  # 1.8 µm and 9 µm to either middle


def test_montages_that_show_the_same(tmp_path):
    """Tiles in a column along the specimen's Y: 3.6 µm long, 0.8 µm wide; Y shrinks by half at 60 degrees."""
    places = ((8.0, 0.0), (0.0, 0.0), (0.0, 7.0), (3.0, 0.0), (0.9, 0.0))
    found = problems(tmp_path, places=places, **MONTAGE)
    assert found == ["the montages of these targets overlap: 2 and 3 (from 60° of tilt on)"]
    found = problems(tmp_path, places=((8.0, 0.0), (0.0, 0.0), (0.7, 3.0)), **MONTAGE)
    assert "2 and 3 (from 0° of tilt on)" in found[0]
