import errno
import os
from pathlib import Path

import pytest
from finished_run import TILTS, make_run

from pacetomo.cli import main
from pacetomo.files.binning import binned_by
from pacetomo.files.mdoc import read_mdoc


def tilts(folder, number=1):
    return [image.tilt_deg for image in read_mdoc(folder / f"area_ts_{number:03d}.mrc.mdoc").images]


def test_sort_several_files_patterns_and_metadata_names(tmp_path, capsys):
    make_run(tmp_path, targets=3)
    assert main(["sort", str(tmp_path / "area_ts_00[12].mrc"), str(tmp_path / "area_ts_003.mrc.mdoc")]) == 0
    assert [tilts(tmp_path, number) for number in (1, 2, 3)] == [sorted(TILTS)] * 3
    assert capsys.readouterr().out.count("5 images sorted by tilt") == 3
    assert main(["sort", str(tmp_path / "area_ts_001.mrc")]) == 0
    assert "already" in capsys.readouterr().out


def test_sort_metadata_whose_stack_was_deleted(tmp_path, capsys):
    make_run(tmp_path, targets=1)
    (tmp_path / "area_ts_001.mrc").unlink()
    assert main(["sort", str(tmp_path / "area_ts_001.mrc.mdoc")]) == 0
    assert tilts(tmp_path) == sorted(TILTS)


def test_sort_says_that_there_is_no_stack(tmp_path, capsys):
    make_run(tmp_path, targets=1)
    (tmp_path / "area_ts_001.mrc").unlink()
    for _ in range(2):
        assert main(["sort", str(tmp_path / "area_ts_001.mrc.mdoc")]) == 0
        assert "there is no stack" in capsys.readouterr().out


@pytest.mark.parametrize("command", [["sort"], ["bin", "2"], ["exclude", "--blank"]])
@pytest.mark.parametrize(
    ("name", "said"),
    [
        (".", "is a folder; give its stacks, as in *_ts_*.mrc"),
        ("sub", "sub: is a folder; give its stacks, as in sub"),
        ("none.mrc", "none.mrc: there is no such file"),
    ],
)
def test_folders_and_files_that_are_not_there_are_one_plain_sentence(
    tmp_path, capsys, monkeypatch, command, name, said
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    assert main([*command, name]) == 1
    err = capsys.readouterr().err
    assert said in err and "Errno" not in err and len(err.strip().splitlines()) == 1


def test_a_folder_that_cannot_be_written_is_named_and_no_file_made_on_the_way(tmp_path, capsys, monkeypatch):
    make_run(tmp_path, targets=1)
    whole = Path.open

    def refuse(self, mode="r", *args, **kwargs):
        if self.suffix == ".part":
            raise OSError(errno.EROFS, "Read-only file system", str(self))
        return whole(self, mode, *args, **kwargs)

    monkeypatch.setattr(Path, "open", refuse)
    assert main(["sort", str(tmp_path / "area_ts_001.mrc")]) == 1
    err = capsys.readouterr().err
    assert f"{tmp_path}: area_ts_001.mrc cannot be written anew" in err and ".part" not in err


def test_bin_and_its_two_ways(tmp_path, capsys):
    make_run(tmp_path, targets=2)
    assert main(["bin", "2", str(tmp_path / "area_ts_001.mrc")]) == 0
    assert main(["bin", "3", "--average", str(tmp_path / "area_ts_002.mrc")]) == 0
    out = capsys.readouterr().out
    assert "Fourier cropping" in out and "averaging" in out
    assert [binned_by(tmp_path / f"area_ts_00{n}.mrc") for n in (1, 2)] == [2, 3]
    assert sorted(os.listdir(tmp_path / "unbinned")) == sorted(
        f"area_ts_00{n}.mrc{end}" for n in (1, 2) for end in ("", ".mdoc")
    )


def test_sort_keeps_the_metadata_as_it_was_where_it_is_told_to(tmp_path):
    make_run(tmp_path, targets=1)
    before = (tmp_path / "area_ts_001.mrc.mdoc").read_bytes()
    assert main(["sort", "--beside", str(tmp_path / "area_ts_001.mrc")]) == 0
    assert (tmp_path / "area_ts_001_unsorted.mrc.mdoc").read_bytes() == before
    assert not (tmp_path / "unsorted").exists() and tilts(tmp_path) == sorted(TILTS)


def test_exclude_by_number_and_back(tmp_path, capsys):
    make_run(tmp_path, targets=2)
    stacks = [str(tmp_path / f"area_ts_00{n}.mrc") for n in (1, 2)]
    assert main(["exclude", *stacks, "--views", "2,4-5", "--dry-run"]) == 0
    assert tilts(tmp_path) == TILTS and "would be left out" in capsys.readouterr().out
    assert main(["exclude", *stacks, "--views", "2,4-5"]) == 0
    assert [tilts(tmp_path, n) for n in (1, 2)] == [[TILTS[0], TILTS[2]]] * 2
    assert main(["exclude", stacks[0], "--restore"]) == 0
    assert [tilts(tmp_path, n) for n in (1, 2)] == [TILTS, [TILTS[0], TILTS[2]]]
    assert main(["exclude", stacks[0], "--views", "9"]) == 1
    assert "there is no view 9" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options", [[], ["--views", "0"], ["--dark", "2"], ["--residual", "-1"], ["--views", "1", "--restore"]]
)
def test_exclude_wants_to_know_what(tmp_path, options):
    with pytest.raises(SystemExit) as told:
        main(["exclude", str(tmp_path / "a.mrc"), *options])
    assert told.value.code == 2


@pytest.mark.parametrize("command", [["sort"], ["bin", "2"], ["exclude", "--views", "1"]])
def test_a_series_that_may_be_gone_on_with_is_refused(tmp_path, capsys, command):
    make_run(tmp_path, state="incomplete")
    file = str(tmp_path / "area_ts_001.mrc")
    assert main([*command, file]) == 1
    assert "may be gone on with" in capsys.readouterr().err and tilts(tmp_path) == TILTS
    assert main([*command, "--anyway", file]) == 0


@pytest.mark.parametrize("command", [["sort"], ["bin", "2"]])
def test_tiles_of_a_series_that_may_be_gone_on_with_are_refused(tmp_path, capsys, command):
    make_run(tmp_path, state="incomplete")
    for end in ("", ".mdoc"):
        (tmp_path / f"area_ts_001.mrc{end}").rename(tmp_path / f"area_ts_001_-1_0.mrc{end}")
    file = tmp_path / "area_ts_001_-1_0.mrc"
    before = file.read_bytes()
    assert main([*command, str(file)]) == 1
    assert "may be gone on with" in capsys.readouterr().err and file.read_bytes() == before
    assert main([*command, "--anyway", str(file)]) == 0 and file.read_bytes() != before


def test_one_bad_file_keeps_no_other_from_being_sorted(tmp_path, capsys):
    make_run(tmp_path, targets=3)
    (tmp_path / "area_ts_002.mrc").write_bytes(b"no stack")
    assert main(["sort", *(str(tmp_path / f"area_ts_00{n}.mrc") for n in (1, 2, 3))]) == 1
    err = capsys.readouterr().err
    assert "cut short" in err and "1 of 3 files were not sorted" in err
    assert tilts(tmp_path, 1) == tilts(tmp_path, 3) == sorted(TILTS)


@pytest.mark.parametrize("arguments", ["bin 1 a.mrc", "bin 17 a.mrc", "bin two a.mrc", "sort"])
def test_wrong_usage(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments.split())
    assert ended.value.code == 2


def test_missing_files_are_said_in_one_line(tmp_path, capsys):
    for arguments in (
        ["sort", "nothing.mrc"],
        ["sort", "nothing_*.mrc"],
        ["bin", "2", "x.mrc"],
        ["finish", "x_run01.txt"],
    ):
        assert main([arguments[0], *arguments[1:]]) == 1
        assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_finish_completes_a_run(tmp_path, capsys):
    run_file = make_run(tmp_path, binFinalStack=2)
    assert main(["finish", str(run_file)]) == 0
    assert tilts(tmp_path) == sorted(TILTS) and binned_by(tmp_path / "area_ts_002.mrc") == 2
    assert "sorted by tilt, 5 images binned by 2" in capsys.readouterr().out


def test_finish_says_what_failed(tmp_path, capsys):
    run_file = make_run(tmp_path)
    (tmp_path / "area_ts_002.mrc").unlink()
    assert main(["finish", str(run_file)]) == 1
    assert "1 of 2 series were not finished" in capsys.readouterr().err
