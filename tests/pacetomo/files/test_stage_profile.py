import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_stage import Habits, course_on

from pacetomo.errors import ProfileError
from pacetomo.files.stage_profile import format_profile, parse_profile, read_profile, write_profile
from pacetomo.joint.courses import Course, Visit
from pacetomo.joint.priors import Scales
from pacetomo.joint.profile import Habit, Repeats, Score, StageProfile
from pacetomo.joint.profile_learning import learn_profile
from pacetomo.schemes import DoseSymmetric

SHORT = DoseSymmetric(0, -18, 18, 3, 2).stops()


@pytest.fixture(scope="module")
def profile():
    return learn_profile([course_on(Habits(1), seed, stops=SHORT) for seed in range(2)])


numbers = st.floats(-1e3, 1e3, allow_nan=False)
scales = st.floats(1e-6, 10.0)
visits = st.builds(Visit, numbers, numbers, st.none() | st.tuples(numbers, numbers), st.none() | numbers)
habits = st.builds(
    Habit, st.builds(Repeats, scales, scales, scales), st.builds(Scales, scales, scales, scales, scales)
)
courses = st.builds(
    Course,
    st.text(st.characters(codec="utf-8"), max_size=12),
    st.sampled_from(["", "2026-01-31 09:00:00"]),
    numbers,
    numbers,
    st.integers(1, 9),
    st.lists(visits, max_size=4).map(lambda more: (Visit(3.0, 1.0, (0.1, 0.2)), *more)),
)
profiles = st.builds(
    StageProfile,
    st.lists(courses, min_size=1, max_size=3).map(tuple),
    st.fixed_dictionaries({"x": habits, "y": habits}, optional={"z": habits}),
    st.builds(Score, st.integers(0, 999), numbers, numbers, numbers, numbers, numbers),
)


@given(profiles)
@settings(max_examples=30)
def test_it_comes_back_exactly(profile):
    text = format_profile(profile)
    assert parse_profile(text, "p") == profile
    assert format_profile(parse_profile(text, "p")) == text


def test_one_read_back_expects_the_same(profile, tmp_path):
    path = tmp_path / "krios stage.json"
    write_profile(path, profile)
    again = read_profile(path)
    stops = profile.courses[0].stops()
    one, other = (each.expect("y", 0.0, stops) for each in (profile, again))
    assert (one.mean == other.mean).all() and (one.covariance == other.covariance).all()


def test_people_can_read_it(profile):
    text = format_profile(profile)
    assert '"format": 1' in text and "learnt from 2 sessions" in text
    assert len(text.splitlines()) > 24 and max(map(len, text.splitlines())) < 400


def test_the_one_before_is_kept(profile, tmp_path):
    path = tmp_path / "a.json"
    path.write_text("mine")
    assert write_profile(path, profile) == tmp_path / "a.json~1"
    assert (tmp_path / "a.json~1").read_text() == "mine"
    assert write_profile(path, profile) is None  # it already is as wanted


def changed(change):
    table = json.loads(
        format_profile(learn_profile([course_on(Habits(1), seed, stops=SHORT) for seed in range(2)]))
    )
    change(table)
    return json.dumps(table)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no stage profile, or it is damaged"),
        ('{"kind": "other"}', "no stage profile"),
        ("[1, 2]", "no stage profile"),
        (changed(lambda table: table.update(format=2)), "format 2, this version reads 1"),
        (changed(lambda table: table.pop("sessions")), "damaged.*sessions"),
        (changed(lambda table: table.update(sessions=[])), "damaged.*no sessions"),
        (changed(lambda table: table["axes"].pop("y")), "damaged"),
        (changed(lambda table: table["axes"]["x"]["rest"].update(jitter_um=-1)), "damaged.*above 0"),
        (changed(lambda table: table["sessions"][0]["tilt_minutes_x_y_z"][0].pop()), "damaged"),
        (changed(lambda table: table["sessions"][1].update(targets="many")), "damaged.*many"),
        (changed(lambda table: table["score"].update(rms_nm=float("nan"))), "damaged.*no number"),
    ],
)
def test_what_is_no_profile_is_refused_with_its_place(text, said, tmp_path):
    path = tmp_path / "b.json"
    path.write_text(text)
    with pytest.raises(ProfileError, match=said) as caught:
        read_profile(path)
    assert "b.json" in str(caught.value) and "--learn" in str(caught.value)


def test_one_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ProfileError, match=r"gone\.json"):
        read_profile(tmp_path / "gone.json")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ProfileError, match="no stage profile"):
        read_profile(tmp_path / "binary.json")
