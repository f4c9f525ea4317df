from pathlib import Path

import pytest

from pacetomo.area_files import AreaFiles
from pacetomo.errors import TargetFileError


@pytest.mark.parametrize(
    ("name", "root"),
    [("lamella_tgts.txt", "lamella"), ("L 3_tgts_p01.txt", "L 3_p01"), ("a_tgts_tgts.txt", "a_tgts")],
)
def test_names(tmp_path, name, root):
    files = AreaFiles(tmp_path / name)
    stem = name[:-4]
    assert files.root == root
    assert files.run_file(1) == tmp_path / f"{stem}_run01.txt"
    assert files.journal(12) == tmp_path / f"{stem}_run12.jsonl"
    assert files.settings(1) == tmp_path / f"{stem}_run01_settings.txt"


def test_runs_are_found_by_number(tmp_path):
    files = AreaFiles(tmp_path / "a_tgts.txt")
    for name in (
        "a_tgts_run01.txt",
        "a_tgts_run10.txt",
        "a_tgts_run02.txt",
        "a_tgts_run01_settings.txt",
        "b_tgts_run03.txt",
    ):
        (tmp_path / name).touch()
    assert list(files.runs()) == [1, 2, 10]


@pytest.mark.parametrize(
    "name", ["", "lamella.txt", "_tgts.txt", "lamella_tgts_run01.txt", "lamella_tgts.csv"]
)
def test_other_names_are_refused(name):
    with pytest.raises(TargetFileError, match=r"_tgts\.txt"):
        AreaFiles(Path("folder") / name if name else Path())
