"""Names of new areas."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pacetomo.area_files import AreaFiles
from pacetomo.scope.serialem_base import plain_text
from pacetomo.selection.names import LONGEST_NAME, free_name, label, trouble_with_name


@pytest.mark.parametrize("name", ["lam", "Lamella-01", "1", "a.b", "x" * LONGEST_NAME, "lam_2", "la"])
def test_plain_names_can_be_used(tmp_path, name):
    (tmp_path / "lam_01_tgts.txt").touch()
    (tmp_path / "lam_tilt.mrc").touch()
    assert trouble_with_name(tmp_path, name) is None


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "no name"),
        ("my lamella", "blanks or signs"),
        ("a\tb", "blanks or signs"),
        ("a/b", "blanks or signs"),
        ("a\\b", "blanks or signs"),
        ("what?", "blanks or signs"),
        ("a$b", "blanks or signs"),
        ("a\x7fb", "blanks or signs"),
        ("Müller", "without accents"),
        ("5µm", "without accents"),
        ("a\xa0b", "without accents"),
        ("-lam", "begins with '-'"),
        (".lam", r"begins with '\.'"),
        ("x" * (LONGEST_NAME + 1), "more than 60 characters"),
    ],
)
def test_a_name_that_would_not_come_back_from_serialem_or_windows_is_refused(tmp_path, name, message):
    assert re.search(message, trouble_with_name(tmp_path, name) or "")


@pytest.mark.parametrize(
    ("there", "name", "is_taken"),
    [
        ("lam_tgts.txt", "lam", True),
        ("LAM_TGTS.TXT", "lam", True),
        ("lam_tgts.txt", "Lam", True),
        ("lam_tgts_run01.jsonl", "lam", True),
        ("lam_tgts_p01.txt", "lam", True),
        ("lam_tgts_p01.txt", "lam_P01", True),  # its series are lam_p01_ts_001.mrc
        ("lam_ts_001.mrc", "lam", True),
        ("Lam_tgt_001_view.mrc", "lam", True),
        ("lam_tgts.txt", "la", False),
        ("lam_tgts.txt", "lam_p01", False),
        ("lam_a2_tgts.txt", "lam", False),
        ("lam_maps.nav", "lam", False),
    ],
)
def test_files_of_another_area_are_never_written_into(tmp_path, there, name, is_taken):
    (tmp_path / there).touch()
    trouble = trouble_with_name(tmp_path, name)
    assert (trouble is not None) == is_taken
    if trouble is not None:
        assert there in trouble and "choose another name" in trouble
        assert free_name(tmp_path, name) == f"{name}_2"


def test_a_target_file_is_named_before_the_other_files_of_its_area(tmp_path):
    for name in ("lam_tgt_001.mrc", "lam_tgts.txt", "lam_ts_001.mrc"):
        (tmp_path / name).touch()
    assert "pacetomo edit lam_tgts.txt" in (trouble_with_name(tmp_path, "lam") or "")


@pytest.mark.parametrize(
    ("wish", "name"),
    [
        ("Müller", "Muller"),
        ("my lamella?", "my_lamella"),
        ("-x-", "x-"),
        ("...", "montage"),
        ("漢字", "montage"),
        ("7-A", "7-A"),
    ],
)
def test_a_text_becomes_a_name(tmp_path, wish, name):
    assert free_name(tmp_path, wish) == name


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wish=st.text(max_size=80), taken=st.integers(0, 11))
def test_any_text_becomes_a_name_that_can_be_used(tmp_path, wish, taken):
    for path in tmp_path.iterdir():
        path.unlink()
    for _ in range(taken):
        (tmp_path / f"{free_name(tmp_path, wish)}_tgts.txt").touch()
    name = free_name(tmp_path, wish)
    assert trouble_with_name(tmp_path, name) is None
    files = AreaFiles(tmp_path / f"{name}_tgts.txt")
    assert files.root == name and plain_text(files.target_file.name) == files.target_file.name


@given(root=st.from_regex(r"[a-zA-Z0-9]{1,60}", fullmatch=True), number=st.integers(1, 9999),
       kind=st.sampled_from(["tgt", "view", "beam"]))  # fmt: skip
def test_labels_fit_into_the_table_and_tell_areas_apart_by_their_last_letters(root, number, kind):
    made = label(root, number, kind)
    assert len(made) <= 16 and made.endswith(f"_{kind}_{number:03d}")
    assert made.startswith(root) if len(root) <= 5 else f"{root[-5:]}_{kind}_" in made
    assert len({label(f"{root}_{n:02d}", number, kind) for n in range(1, 12)}) == 11
