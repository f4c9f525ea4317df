import os
import re
import shutil

import mrcfile
import numpy as np
import pytest
from stacks import write_series

from pacetomo.cli import main
from pacetomo.errors import StackError
from pacetomo.export import PROGRAMS
from pacetomo.export import folder as export_folder
from pacetomo.files.extended_header import tilts_deg
from pacetomo.files.mdoc import read_mdoc
from pacetomo.files.stack import read_layout

STAR = "tilt_series/a_ts_001.star"
TILTS = [0.0, 3.0, -3.0, -6.0, 6.0]


def series_in(folder, name="a_ts_001.mrc", tilts=TILTS):
    folder.mkdir(exist_ok=True)
    data = np.stack([np.full((8, 8), round(10 * tilt), "i2") for tilt in tilts])
    return write_series(folder, data, tilts, name=name)


def export(program, *arguments):
    return main(["export", "--for", program, *map(str, arguments)])


def test_what_was_exported_before_is_kept_under_a_backup_name(tmp_path):
    stack = series_in(tmp_path)
    assert export("imod", stack) == 0
    old = (tmp_path / "export_imod" / "a_ts_001.tlt").read_text()
    series_in(tmp_path, tilts=[10.0, 13.0])
    assert export("imod", stack) == 0
    assert (tmp_path / "export_imod" / "a_ts_001.tlt").read_text() == "  10.00\n  13.00\n"
    assert (tmp_path / "export_imod" / "a_ts_001.tlt~1").read_text() == old
    assert export("imod", stack) == 0  # the same once more makes no further backup
    assert not (tmp_path / "export_imod" / "a_ts_001.tlt~2").exists()


@pytest.mark.parametrize("program", ["warp", "aretomo3", "scipion", "nextpyp"])
def test_metadata_never_go_beside_other_metadata_of_the_series(tmp_path, capsys, program):
    stack = series_in(tmp_path)
    assert export(program, stack, "--out", tmp_path) == 1
    assert "two metadata files of one series" in capsys.readouterr().err
    copied = tmp_path / "out"
    copied.mkdir()
    shutil.copy(f"{stack}.mdoc", copied / "renamed.mdoc")
    text = (copied / "renamed.mdoc").read_bytes()
    assert export(program, stack, "--out", copied) == 1
    assert os.listdir(copied) == ["renamed.mdoc"] and (copied / "renamed.mdoc").read_bytes() == text
    assert sorted(os.listdir(tmp_path)) == ["a_ts_001.mrc", "a_ts_001.mrc.mdoc", "out"]


def test_series_of_several_sessions_do_not_get_one_name(tmp_path, capsys):
    first, second = series_in(tmp_path / "one"), series_in(tmp_path / "two")
    assert export("warp", first, second, "--out", tmp_path / "out") == 1
    assert "both would be called a_ts_001" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_a_stack_in_order_is_linked(tmp_path):
    stack = series_in(tmp_path, tilts=sorted(TILTS))
    assert export("scipion", stack, "--with-stacks") == 0
    assert os.path.samefile(tmp_path / "export_scipion" / "a_ts_001.mrc", stack)
    assert export("scipion", stack, "--with-stacks") == 0
    assert sorted(os.listdir(tmp_path / "export_scipion")) == ["a_ts_001.mdoc", "a_ts_001.mrc"]


def test_scipion_gets_a_sorted_copy_of_a_stack_that_is_not_sorted(tmp_path, capsys):
    stack = series_in(tmp_path)
    before = stack.read_bytes()
    assert export("scipion", stack) == 0
    assert "not in order of tilt" in capsys.readouterr().err
    assert export("scipion", stack, "--with-stacks") == 0
    assert "not in order" not in capsys.readouterr().err
    copied = tmp_path / "export_scipion" / "a_ts_001.mrc"
    with mrcfile.open(copied, permissive=True) as found:
        assert list(found.data[:, 0, 0]) == [-60, -30, 0, 30, 60]
    tilts = [image.tilt_deg for image in read_mdoc(copied.with_name("a_ts_001.mdoc")).images]
    assert tilts == sorted(TILTS) and stack.read_bytes() == before


def tilts_beside(folder, program):
    """Tilts of the sections of the stack, one after the other, as the written files have them."""
    if program == "imod":
        return [float(line) for line in (folder / "a_ts_001.tlt").read_text().split()]
    if program != "relion5":
        return [image.tilt_deg for image in read_mdoc(folder / "a_ts_001.mdoc").images]
    rows = re.findall(r"^(\d+)@a_ts_001.mrc:mrcs +(\S+) ", (folder / STAR).read_text(), re.MULTILINE)
    return [float(tilt) for _, tilt in sorted((int(section), tilt) for section, tilt in rows)]


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("is_sorted", [False, True])
@pytest.mark.parametrize("has_frames", [False, True])
def test_each_section_of_a_stack_is_that_of_the_metadata(tmp_path, program, is_sorted, has_frames):
    stack = series_in(tmp_path)
    mdoc = tmp_path / "a_ts_001.mrc.mdoc"
    if not has_frames or program == "relion5":
        mdoc.write_text(re.sub("SubFramePath.*\n", "", mdoc.read_text()))
    if is_sorted:
        assert main(["sort", str(stack)]) == 0
    assert export(program, stack, "--with-stacks", "--dose", "3") == 0
    folder = tmp_path / f"export_{program}"
    with mrcfile.open(folder / "a_ts_001.mrc", permissive=True) as found:
        in_pixels = [value / 10 for value in found.data[:, 0, 0]]
    assert tilts_beside(folder, program) == in_pixels and sorted(in_pixels) == sorted(TILTS)
    told = tilts_deg(read_layout(folder / "a_ts_001.mrc"))
    assert told == pytest.approx(in_pixels)
    if program == "nextpyp":
        tilts = [float(line) for line in (folder / "a_ts_001.rawtlt").read_text().split()]
        assert tilts == in_pixels


def test_a_link_to_a_stack_in_another_order_is_replaced(tmp_path):
    stack = series_in(tmp_path)
    assert main(["sort", str(stack)]) == 0
    (tmp_path / "export_warp").mkdir()
    os.link(stack, tmp_path / "export_warp" / "a_ts_001.mrc")
    before = stack.read_bytes()
    assert export("warp", stack, "--with-stacks") == 0
    with mrcfile.open(tmp_path / "export_warp" / "a_ts_001.mrc", permissive=True) as found:
        assert [value / 10 for value in found.data[:, 0, 0]] == TILTS
    assert stack.read_bytes() == before


def test_a_sorted_stack_is_not_that_of_nextpyps_metadata(tmp_path, capsys):
    stack = series_in(tmp_path)
    assert export("nextpyp", stack) == 0 and "another order" not in capsys.readouterr().err
    assert main(["sort", str(stack)]) == 0
    assert export("nextpyp", stack) == 0 and "another order" in capsys.readouterr().err


def test_a_disk_that_knows_no_links_gets_a_copy(tmp_path, monkeypatch):
    def refuse(source, path):
        raise OSError("no links here")

    monkeypatch.setattr(export_folder.os, "link", refuse)
    stack = series_in(tmp_path)
    assert export("imod", stack, "--with-stacks") == 0
    copied = tmp_path / "export_imod" / "a_ts_001.mrc"
    assert copied.read_bytes() == stack.read_bytes() and not os.path.samefile(copied, stack)


@pytest.mark.parametrize("program", PROGRAMS)
def test_copies_may_be_changed_by_other_programs(tmp_path, program):
    stack = series_in(tmp_path, tilts=sorted(TILTS))
    before = stack.read_bytes()
    assert export(program, stack, "--with-stacks", "--dose", "3") == 0  # its link gives way
    assert export(program, stack, "--copy-stacks", "--dose", "3") == 0
    copied = tmp_path / f"export_{program}" / "a_ts_001.mrc"
    assert len(copied.read_bytes()) == len(before) and not os.path.samefile(copied, stack)
    with copied.open("r+b") as stream:
        stream.seek(-64, os.SEEK_END)
        stream.write(b"\xff" * 64)
    assert stack.read_bytes() == before


def test_an_export_beside_the_series_leaves_its_stack_where_it_is(tmp_path):
    stack = series_in(tmp_path)
    before = stack.read_bytes()
    assert export("imod", stack, "--copy-stacks", "--out", tmp_path) == 0
    assert stack.read_bytes() == before and not list(tmp_path.glob("*~*"))


def test_another_stack_of_that_name_is_kept(tmp_path):
    stack = series_in(tmp_path, tilts=sorted(TILTS))
    (tmp_path / "export_imod").mkdir()
    (tmp_path / "export_imod" / "a_ts_001.mrc").write_bytes(b"other")
    assert export("imod", stack, "--with-stacks") == 0
    assert (tmp_path / "export_imod" / "a_ts_001.mrc~1").read_bytes() == b"other"


def test_a_stack_that_was_deleted_keeps_no_other_from_being_put_beside(tmp_path, capsys):
    for number in (1, 2, 3):
        series_in(tmp_path, f"a_ts_{number:03d}.mrc")
    (tmp_path / "a_ts_002.mrc").unlink()
    assert export("warp", tmp_path) == 0
    capsys.readouterr()
    assert export("imod", tmp_path, "--with-stacks") == 1
    told = capsys.readouterr()
    assert "3 series for imod, 12 files" in told.out
    assert "warning: a_ts_002: its stack is not there" in told.err
    assert "1 of 3 stacks were not put beside, for the reasons above" in told.err.splitlines()[-1]
    written = {path.name for path in (tmp_path / "export_imod").iterdir()}
    assert {"a_ts_001.mrc", "a_ts_003.mrc", "a_ts_002.tlt"} < written and "a_ts_002.mrc" not in written


def test_a_stack_that_cannot_be_put_beside_keeps_no_other_from_it(tmp_path, capsys, monkeypatch):
    for number in (1, 2):
        series_in(tmp_path, f"a_ts_{number:03d}.mrc")
    whole = export_folder.read_layout

    def read_layout(path, wait=None):
        if path.name == "a_ts_001.mrc":
            raise StackError(f"{path}: the stack cannot be read (held)")
        return whole(path, wait)

    monkeypatch.setattr(export_folder, "read_layout", read_layout)
    assert export("scipion", tmp_path, "--with-stacks") == 1
    err = capsys.readouterr().err
    assert "a_ts_001.mrc: the stack cannot be read (held)" in err and "1 of 2 stacks were not" in err
    written = {path.name for path in (tmp_path / "export_scipion").iterdir()}
    assert written == {"a_ts_001.mdoc", "a_ts_002.mdoc", "a_ts_002.mrc"}
