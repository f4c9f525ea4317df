import os

import numpy as np
import pytest
from finished_run import make_run
from stacks import write_series

from pacetomo.cli import main
from pacetomo.export import PROGRAMS


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_folder_stands_for_its_tilt_series(tmp_path, capsys, program):
    make_run(tmp_path, targets=3)
    for beside in ("area_ts_001_view.mrc", "area_ts_001_track.mrc", "area_tgt_001.mrc"):
        write_series(tmp_path, np.zeros((2, 8, 8), "i2"), [0.0, 3.0], name=beside)
    assert main(["export", "--for", program, "--dose", "3", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert out.count("\n") == 1 and f"3 series for {program}" in out
    names = [name for _, _, files in os.walk(tmp_path / f"export_{program}") for name in files]
    assert not [name for name in names if "view" in name or "track" in name or "tgt" in name]


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("pattern", ["", "*_ts_*.mdoc"])
def test_metadata_as_they_were_before_sorting_are_no_series(tmp_path, capsys, program, pattern):
    make_run(tmp_path, targets=2)
    assert main(["sort", "--beside", str(tmp_path / "*_ts_*.mrc")]) == 0
    assert (tmp_path / "area_ts_001_unsorted.mrc.mdoc").is_file()
    capsys.readouterr()
    asked = ["export", "--for", program, "--dose", "3", "--with-stacks", str(tmp_path / pattern)]
    assert main(asked) == 0
    assert f"2 series for {program}" in capsys.readouterr().out
    names = [name for _, _, files in os.walk(tmp_path / f"export_{program}") for name in files]
    assert len(names) > 3 and not [name for name in names if "unsorted" in name]


def test_stacks_beside_series_are_left_out_of_a_pattern(tmp_path, capsys):
    make_run(tmp_path, targets=1)
    write_series(tmp_path, np.zeros((2, 8, 8), "i2"), [0.0, 3.0], name="area_ts_001_view.mrc")
    assert main(["export", "--for", "imod", str(tmp_path / "*_ts_*.mrc")]) == 0
    assert "area_ts_001_view.mrc: is no tilt series" in capsys.readouterr().err
    assert not list((tmp_path / "export_imod").glob("*view*"))


def test_one_damaged_series_keeps_no_other_from_being_exported(tmp_path, capsys):
    make_run(tmp_path, targets=3)
    (tmp_path / "area_ts_002.mrc").write_bytes(b"no stack")
    assert main(["export", "--for", "relion5", str(tmp_path)]) == 1
    err = capsys.readouterr().err
    assert "area_ts_002.mrc: the stack is cut short" in err and "1 of 3 series were not exported" in err
    assert {path.name for path in (tmp_path / "export_relion5" / "tilt_series").iterdir()} == {
        "area_ts_001.star",
        "area_ts_003.star",
    }


def test_the_same_is_said_once_of_all_series(tmp_path, capsys):
    make_run(tmp_path, targets=3)
    assert main(["export", "--for", "warp", str(tmp_path)]) == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert len(lines) == len(set(lines)) <= 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing_ts_001.mrc"], "there is no such file"),
        (["."], "there is no tilt series"),
        (["*_ts_*.mrc"], "there is no such file"),
    ],
)
def test_bad_input_is_one_sentence(tmp_path, capsys, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    assert main(["export", "--for", "imod", *arguments]) == 1
    err = capsys.readouterr().err.strip()
    assert said in err and len(err.splitlines()) == 1 and os.listdir(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path, capsys):
    make_run(tmp_path, targets=1)
    (tmp_path / "taken").write_text("a file")
    arguments = ["--out", str(tmp_path / "taken"), str(tmp_path / "area_ts_001.mrc")]
    assert main(["export", "--for", "imod", *arguments]) == 1
    err = [line for line in capsys.readouterr().err.splitlines() if "warning" not in line]
    assert len(err) == 1 and "taken" in err[0]


@pytest.mark.parametrize(
    "arguments", ["a.mrc", "--for word a.mrc", "--for imod", "--for imod --dose -3 a.mrc"]
)
def test_wrong_usage(arguments):
    with pytest.raises(SystemExit) as ended:
        main(["export", *arguments.split()])
    assert ended.value.code == 2
