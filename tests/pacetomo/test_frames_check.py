import json
from pathlib import Path, PureWindowsPath

import pytest
from finished_run import make_run
from killing import make_area, run
from stacks import tiff

from pacetomo.cli import main
from pacetomo.errors import PaceError
from pacetomo.files.mdoc import read_mdoc
from pacetomo.frames_check import check_frames

SERIES = "area_ts_001.mrc"


@pytest.fixture
def session(tmp_path):
    """A series and its frames, in another folder than the metadata say."""
    make_run(tmp_path / "s", targets=1)
    frames = tmp_path / "copied" / "day 1"
    frames.mkdir(parents=True)
    for image in read_mdoc(tmp_path / "s" / f"{SERIES}.mdoc").images:
        (frames / PureWindowsPath(image.text("SubFramePath")).name).write_bytes(tiff(10))
    return tmp_path


def lines(session, *frames):
    return [verdict.line for verdict in check_frames(session / "s", frames or [session / "copied"])]


def frame(session, section):
    return sorted((session / "copied" / "day 1").glob(f"a_{section:03d}_*"))[0]


def test_frames_that_are_all_there(session, capsys):
    assert main(["check-frames", str(session / "s"), "--frames", str(session / "copied")]) == 0
    assert capsys.readouterr().out == f"{SERIES}: 5 frame files are there\n1 checked, nothing wrong\n"


WRONG = {
    "gone": (lambda path: path.unlink(), "1 of 5 frame files are not there: a_002_-3.0.tif"),
    "empty": (lambda path: path.write_bytes(b""), "section 2: "),
    "cut": (lambda path: path.write_bytes(tiff(10)[:-30]), "cut short"),
    "fewer": (lambda path: path.write_bytes(tiff(8)), "holds 8 frames, the metadata name 10"),
}


@pytest.mark.parametrize("case", WRONG)
def test_frames_that_are_not_as_the_metadata_say(session, capsys, case):
    damage, said = WRONG[case]
    damage(frame(session, 2))
    assert main(["check-frames", str(session / "s"), "--frames", str(session / "copied")]) == 1
    assert said in capsys.readouterr().out.splitlines()[0]


def test_many_damaged_frames_do_not_make_a_line_without_end(session):
    for section in range(5):
        frame(session, section).write_bytes(tiff(8))
    line = lines(session)[0]
    assert line.count("holds 8 frames, the metadata name 10") == 3 and line.endswith("and 2 more")


def test_frames_named_twice_and_sections_without_frames(session):
    path = session / "s" / f"{SERIES}.mdoc"
    text = path.read_text().replace("a_003_-6.0.tif", "a_002_-3.0.tif")
    text = "".join(line for line in text.splitlines(True) if "a_004" not in line)
    path.write_text(text)
    found = "\n".join(lines(session))
    assert f"section 3 names the frames of section 2 of {SERIES}" in found
    assert "1 sections name no frames" in found


def test_frames_that_no_image_names_are_explained_by_the_journal_or_wrong(session):
    folder = session / "copied" / "day 1"
    (folder / "somebody else.tif").write_bytes(tiff(1))
    assert len(lines(session)) == 1
    for name in ("area_ts_001_002_3.0_Aug15.tif", "area_ts_001_009_3.0.tif"):
        (folder / name).write_bytes(tiff(10))
    with (session / "s" / "area_tgts_run01.jsonl").open("a") as journal:
        journal.write(json.dumps({"event": "expose", "frames": "area_ts_001_002_3.0"}) + "\n")
    rest = lines(session)[1:]
    assert "1 of images that were taken again, left out or lost: area_ts_001_002_3.0_aug15.tif" in rest[0]
    assert "WRONG: 1 frame files of these series are named by no image: area_ts_001_009_3.0.tif" in rest[1]


def test_what_cannot_be_compared_is_refused(session, tmp_path):
    with pytest.raises(PaceError, match="--frames"):
        check_frames(session / "s")
    with pytest.raises(PaceError, match="no such folder"):
        check_frames(session / "s", [session / "nowhere"])
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(PaceError, match="no image here names frames"):
        check_frames(empty)


def test_frames_of_a_simulated_session_are_found_where_its_metadata_say(tmp_path, monkeypatch):
    session = make_area(tmp_path / "a", targets=2, minTilt=-3, maxTilt=3, startTilt=0, pretilt=0)
    session.frames.folder = str(tmp_path / "frames")
    (tmp_path / "frames").mkdir()
    real = type(session.frames).next_name

    def next_name(self, parts, frames):
        path = real(self, parts, frames)
        Path(path).write_bytes(tiff(frames))
        return path

    monkeypatch.setattr(type(session.frames), "next_name", next_name)
    assert run(session).ok
    found = check_frames(session.directory)
    assert [verdict.line for verdict in found] == [
        f"lamella_ts_{number:03d}.mrc: 3 frame files are there" for number in (1, 2)
    ]
