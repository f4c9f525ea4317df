"""Maps of Navigator files, to choose from."""

from __future__ import annotations

from pathlib import Path

import pytest
from editor_map_files import write_map

from pacetomo.editor.map_items import choices_in, choices_of, item_of
from pacetomo.errors import PaceError
from pacetomo.frames import XY


def test_a_map_is_offered_with_its_label_and_found_with_its_image(tmp_path: Path) -> None:
    write_map(tmp_path, [XY(0.0, 0.0)], 10.0, pixels=64)
    (choice,) = choices_in(tmp_path)
    item = item_of(choice)
    assert (choice.label, choice.navigator.name) == ("7-A", "session.nav")
    assert (item.path, item.size_px, item.is_montage) == (tmp_path / "maps.mrc", (64, 64), False)
    assert abs(item.scale.determinant) == pytest.approx(6.4**2, rel=1e-4)


def test_what_is_no_map_is_not_offered(tmp_path: Path) -> None:
    navigator = write_map(tmp_path, [], 10.0, pixels=64)
    point = "\n[Item = 1]\nColor = 0\nStageXYZ = 1 2 0\nNumPts = 1\nRegis = 1\nType = 0\nPtsX = 1\nPtsY = 2\n"
    navigator.write_text(navigator.read_text() + point)
    assert [choice.label for choice in choices_of(navigator)] == ["7-A"]


def test_a_folder_without_maps_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(PaceError, match=r"no Navigator file \(.nav\)"):
        choices_in(tmp_path)
    (tmp_path / "empty.nav").write_text("AdocVersion = 2.00\n")
    with pytest.raises(PaceError, match="has a map"):
        choices_in(tmp_path)


def test_a_damaged_navigator_does_not_hide_the_maps_of_another_one(tmp_path: Path) -> None:
    write_map(tmp_path, [], 10.0, pixels=64)
    (tmp_path / "damaged.nav").write_bytes(b"\x80\x81 no navigator")
    assert [choice.label for choice in choices_in(tmp_path)] == ["7-A"]


def test_a_map_whose_image_is_gone_or_whose_file_has_changed_is_refused(tmp_path: Path) -> None:
    navigator = write_map(tmp_path, [], 10.0, pixels=64)
    (choice,) = choices_in(tmp_path)
    (tmp_path / "maps.mrc").unlink()
    with pytest.raises(PaceError, match="is not there"):
        item_of(choice)
    navigator.write_text(navigator.read_text().replace("[Item = 7-A]", "[Item = 8-A]"))
    with pytest.raises(PaceError, match="has changed"):
        item_of(choice)
