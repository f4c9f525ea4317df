import re
from pathlib import PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st
from killing import Kill, make_area, run

from mock_serialem.module import make_module
from pacetomo import metadata_keys as keys
from pacetomo.files.mdoc import read_mdoc
from pacetomo.frame_names import FrameNames, noted_names

NAME = re.compile(r"(?P<series>.+_ts_\d{3}(_track)?)_(?P<order>\d{3})_(?P<tilt>-?\d+\.\d)(_try\d+)?\.tif")
BASE_NAME_ONLY = 0x8


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a_ts_001", "a_ts_002", "b_ts_001"]),
            st.integers(1, 3),
            st.sampled_from([0.0, -0.0, -3.04, 3.0]),
        )
    ),
    st.integers(1, 3),
)
def test_no_name_comes_twice(images, number):
    names = FrameNames("a", number, used=["a_ts_001_001_0.0"])
    made = [names.new(*image) for image in images]
    made += [names.again(name) for name in made]
    assert len({"a_ts_001_001_0.0", *made}) == len(made) + 1
    for (series, order, tilt), name in zip(images, made):
        assert series in name and f"_{order:03d}_{abs(tilt):.1f}" in name.replace("-", "")


def test_runs_and_areas_are_told_apart():
    assert FrameNames("a", 2).new("a_ts_001", 1, -0.04) == "a_ts_001_run02_001_0.0"
    assert FrameNames("a").new("ts_001", 1, 3.0) == "a_ts_001_001_3.0"


def test_names_that_a_journal_holds_are_known_also_of_a_run_that_died(tmp_path):
    path = tmp_path / "area_tgts_run01.jsonl"
    assert noted_names(path) == set()
    path.write_text(
        '{"event": "expose", "frames": "a"}\n{"event": "tilt"}\n[]\n{"event": "rejected", "frames": "b"}\n{"fra'
    )
    assert noted_names(path) == {"a", "b"}
    (tmp_path / "folder.jsonl").mkdir()
    assert noted_names(tmp_path / "folder.jsonl") == set()


@pytest.fixture
def area(tmp_path):
    """An area on a camera whose frames have their base name and nothing else in their names."""
    session = make_area(
        tmp_path / "area", targets=2, retakeLost="always", minTilt=-3, maxTilt=3, startTilt=0, pretilt=0
    )
    session.frames.flags = BASE_NAME_ONLY
    return session


def test_every_section_names_its_own_frames_also_when_an_image_was_lost_and_taken_again(area, monkeypatch):
    given_names = []
    real = type(area.frames).next_name

    def next_name(self, parts, frames):
        given_names.append(real(self, parts, frames))
        return given_names[-1]

    monkeypatch.setattr(type(area.frames), "next_name", next_name)
    assert not run(
        area, Kill(command=4, name="R", moment="after")
    ).ok  # target 2 at 3 degrees: exposed and not saved
    make_module(
        area
    ).V()  # somebody has looked around: that image is at the same tilt and is not the lost one
    assert run(area).ok
    assert len(given_names) == len(set(given_names)) == 7
    again = [name for name in given_names if "_ts_002_002_3.0" in name]
    assert [PureWindowsPath(name).stem for name in again] == [
        "lamella_ts_002_002_3.0",
        "lamella_ts_002_002_3.0_try2",
    ]
    for number in (1, 2):
        stack = next(area.directory.glob(f"*_ts_{number:03d}.mrc"))
        images = read_mdoc(f"{stack}.mdoc").need_images()
        assert len(images) == 3
        for image in images:
            path = image.text("SubFramePath") or ""
            named = NAME.fullmatch(PureWindowsPath(path).name)
            assert path in given_names and named is not None and named["series"] == stack.stem
            assert float(named["tilt"]) == pytest.approx(image.tilt_deg, abs=0.1)
            assert int(named["order"]) == image.need_float(keys.ORDER)
