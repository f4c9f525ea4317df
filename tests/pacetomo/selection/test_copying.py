"""Copies of an area at other stage positions."""

from __future__ import annotations

from pathlib import Path

import pytest

from pacetomo.area_files import AreaFiles
from pacetomo.errors import TargetFileError
from pacetomo.files.target_file import format_targets, parse_targets
from pacetomo.frames import XY
from pacetomo.selection.copying import copied
from pacetomo.targets import GeoPoint, Override, Target, TargetSet

FILES = AreaFiles(Path("session") / "grid1_tgts.txt")
TARGETS = TargetSet(
    (
        Target(
            1,
            "grid1_ts_001.mrc",
            reference="grid1_tgt_001.mrc",
            view="grid1_tgt_001_view.mrc",
            shift_um=XY(0, 0),
            stage_um=XY(10, 20),
            score=0.9,
        ),
        Target(2, "grid1_ts_002.mrc", shift_um=XY(2, 1), stage_um=XY(12, 21), skip=True),
        Target(3, "own_name.mrc", shift_um=XY(-1, 3), extra=(("note", "thin"),)),
    ),
    (Override("vecA0", "2"), Override("vecA1", "0")),
    (GeoPoint(XY(1, 1)),),
)


def test_copies_have_files_series_and_stage_coordinates_of_their_own() -> None:
    one, two = copied(TARGETS, FILES, [XY(100, 50), XY(-7, -8)])
    assert one.files.target_file == Path("session") / "grid1_tgts_p01.txt"
    assert two.files.target_file == Path("session") / "grid1_tgts_p02.txt"
    assert one.files.root == "grid1_p01" and one.files.is_copy
    assert [target.series for target in one.targets.targets] == [
        "grid1_p01_ts_001.mrc",
        "grid1_p01_ts_002.mrc",
        "grid1_p01_own_name.mrc",
    ]
    assert [target.stage_um for target in one.targets.targets] == [XY(100, 50), XY(102, 51), None]
    assert [target.stage_um for target in two.targets.targets] == [XY(-7, -8), XY(-5, -7), None]
    assert [target.shift_um for target in two.targets.targets] == [XY(0, 0), XY(2, 1), XY(-1, 3)]


def test_what_belongs_to_the_first_place_stays_there_and_the_rest_goes_along() -> None:
    (copy,) = copied(TARGETS, FILES, [XY(1, 2)], first_number=12)
    assert copy.files.target_file.name == "grid1_tgts_p12.txt"
    first, second, third = copy.targets.targets
    assert (first.reference, first.view, first.score) == (None, None, None)
    assert second.skip and third.extra == (("note", "thin"),)
    assert copy.targets.overrides == TARGETS.overrides and copy.targets.geo_points == TARGETS.geo_points
    assert copied(TARGETS, FILES, []) == ()


def test_a_copy_can_be_written_and_read() -> None:
    (copy,) = copied(parse_targets(format_targets(TARGETS), "grid1_tgts.txt"), FILES, [XY(1.5, 2.5)])
    text = format_targets(copy.targets)
    assert "tgtfile" not in text and "viewfile" not in text
    assert parse_targets(text, "grid1_tgts_p01.txt") == copy.targets


def test_copies_of_copies_and_lost_targets_are_refused() -> None:
    with pytest.raises(TargetFileError, match="is a copy itself"):
        copied(TARGETS, AreaFiles(Path("grid1_tgts_p01.txt")), [XY(0, 0)])
    with pytest.raises(TargetFileError, match="numbered from 1"):
        copied(TARGETS, FILES, [XY(0, 0)], first_number=0)
    lost = TargetSet(
        (Target(1, "a_ts_001.mrc", shift_um=XY(0, 0)), Target(2, "a_ts_002.mrc", stage_um=XY(1, 1)))
    )
    with pytest.raises(TargetFileError, match="target 2 has stage coordinates only"):
        copied(lost, FILES, [XY(0, 0)])
