import re
import shutil

import pytest

from pacetomo.cli import main
from pacetomo.files.stage_profile import read_profile
from pacetomo.rehearse import EXAMPLES
from pacetomo.scripts import script_path
from pacetomo.settings_table import SETTING_ROWS


@pytest.fixture
def lamella(tmp_path):
    return shutil.copy(EXAMPLES / "lamella_tgts.txt", tmp_path)


def run(capsys, *arguments):
    """Exit status, standard output, standard error."""
    try:
        status = main([str(argument) for argument in arguments])
    except SystemExit as left:
        status = left.code
    return (status, *capsys.readouterr())


def test_help_shows_examples(capsys):
    status, out, _ = run(capsys, "--help")
    assert status == 0 and "pacetomo rehearse" in out


@pytest.mark.parametrize("command", ["rehearse", "plan", "check", "replay", "report", "script"])
def test_each_command_has_help_with_an_example(capsys, command):
    status, out, _ = run(capsys, command, "--help")
    assert status == 0 and f"pacetomo {command} " in out.split("example:")[1]


def test_wrong_usage_is_status_2(capsys):
    assert run(capsys)[0] == 2
    assert run(capsys, "fly")[0] == 2
    assert run(capsys, "rehearse", "--targets", "many")[0] == 2


def test_plan_prints_every_tilt(capsys, lamella):
    status, out, _ = run(capsys, "plan", lamella, "--set", "step=6")
    assert status == 0
    assert out.splitlines()[0].startswith("lamella_tgts.txt: 420 exposures, 21 per target")
    assert len(out.splitlines()) == 23 and "+69.0°" in out


def test_settings_are_printed_with_their_origin(capsys, lamella):
    _, out, _ = run(capsys, "plan", lamella, "--settings", "--set", "step=6")
    rows = [re.split(r" {2,}", line) for line in out.splitlines()]
    origin = {row[0].split(" =")[0]: row[1] for row in rows}
    assert set(origin) == set(SETTING_ROWS) and all(SETTING_ROWS[name].help for name in origin)
    assert "tilts in a row on one side" in out and "(1 to 1000 tilts)" in out
    assert origin["pretilt"] == "target file lamella_tgts.txt, line 5"
    assert origin["step"] == "command line" and origin["dataPoints"] == "default"


def test_check_tells_what_is_missing_and_ends_well(capsys, lamella):
    status, out, _ = run(capsys, "check", lamella)
    assert status == 0
    assert "warning: there is no Preview reference for target 1, 2, 3" in out


def test_check_refuses_what_is_pointless(capsys, tmp_path, lamella):
    path = tmp_path / "b_tgts.txt"
    path.write_text("_tgt = 001\ntsfile = b_ts_001.mrc\nSSX = 0\nSSY = 0\nskip = True\n")
    status, out, err = run(capsys, "check", path)
    assert status == 1 and "skip" in out + err


def test_a_facility_file_goes_under_the_target_file(capsys, tmp_path, lamella):
    (tmp_path / "site.toml").write_text("dataPoints = 6\npretilt = 3\n")
    _, out, _ = run(capsys, "plan", lamella, "--settings", "--facility", tmp_path / "site.toml")
    assert "dataPoints = 6 " in out and "facility site.toml" in out and "pretilt = -9.0" in out


def test_the_script_is_printed_as_it_is(capsys):
    status, out, _ = run(capsys, "script")
    assert status == 0 and out.strip() == script_path("acquire").read_text(encoding="utf-8").strip()


REFUSED = {
    "no such file": (["plan", "gone_tgts.txt"], "gone_tgts.txt"),
    "not a target file's name": (["plan", "notes.txt"], "_tgts.txt"),
    "no such script": (["script", "fly"], "'fly'"),
    "unknown setting": (["plan", "{lamella}", "--set", "pretitl=3"], "pretilt"),
    "not an assignment": (["plan", "{lamella}", "--set", "pretilt"], "NAME=VALUE"),
    "wrong type": (["plan", "{lamella}", "--set", "groupSize=2.5"], "whole number"),
    "no such mdoc": (["replay", "gone.mdoc"], "gone.mdoc"),
    "no such journal": (["report", "gone.jsonl"], "gone.jsonl"),
    "more targets than there are": (["rehearse", "--targets", "99", "--out", "{tmp}/r"], "99"),
    "rehearsal of no file": (["rehearse", "gone_tgts.txt", "--out", "{tmp}/r"], "gone_tgts.txt"),
    "rehearsal with a wrong setting": (["rehearse", "--set", "step=0", "--out", "{tmp}/r"], "step"),
    "rehearsal with a contradiction": (["rehearse", "--set", "minTilt=40", "--out", "{tmp}/r"], "startTilt"),
    "a folder in a file": (["rehearse", "--out", "{lamella}/r"], "cannot be written"),
}


@pytest.mark.parametrize(("arguments", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_a_mistake_is_one_sentence_status_1_and_nothing_written(capsys, tmp_path, lamella, arguments, said):
    before = sorted(tmp_path.rglob("*"))
    status, _, err = run(capsys, *[a.format(lamella=lamella, tmp=tmp_path) for a in arguments])
    assert status == 1
    assert said in err and len(err.strip().splitlines()) == 1 and err.startswith("pacetomo: ")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_with_files_is_refused(capsys, tmp_path, lamella):
    status, _, err = run(capsys, "rehearse", "--out", tmp_path)
    assert status == 1 and "has files in it" in err


def test_learning_a_profile_says_how_much_and_keeps_the_one_before(capsys, tmp_path, samples):
    mdocs = [
        samples / "mdoc" / name for name in ("aretomo3_L1_ts_001.mrc.mdoc", "murfey_chrom_07_ts_010.mdoc")
    ]
    path = tmp_path / "stage.json"
    path.write_text("mine")
    status, out, err = run(capsys, "replay", *mdocs, "--learn", path)
    assert status == 0
    assert "learnt from 2 sessions, 41 images" in out and "without a profile" in out and "stage.json~1" in out
    assert "aretomo3_L1_ts_001.mrc.mdoc: 9 images are not used" in err and "the same stage?" in err
    assert (tmp_path / "stage.json~1").read_text() == "mine" and read_profile(path).habits


def test_a_profile_of_too_little_is_refused_and_not_written(capsys, tmp_path, samples):
    path = tmp_path / "stage.json"
    status, out, err = run(
        capsys, "replay", samples / "mdoc" / "murfey_chrom_07_ts_010.mdoc", "--learn", path
    )
    assert status == 1 and out == "" and "2 sessions" in err
    status, _, err = run(capsys, "replay", samples / "mdoc" / "cryocat_017.mdoc", "--learn", path)
    assert status == 1 and "SpecimenShift" in err
    assert not path.exists()


def test_several_files_are_replayed_one_after_the_other(capsys, samples):
    mdocs = [
        samples / "mdoc" / name for name in ("aretomo3_L1_ts_001.mrc.mdoc", "murfey_chrom_07_ts_010.mdoc")
    ]
    status, out, _ = run(capsys, "replay", *mdocs)
    assert status == 0 and out.count("tracker joint") == 2 and out.count("median error") == 2
    assert "not believed: +35.99°" in out
    assert run(capsys, "replay", mdocs[1], "--tracker", "single")[1].count("tracker single") == 1
