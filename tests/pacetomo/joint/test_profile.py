import math

import numpy as np
import pytest
from simulated_joint import Session, grid
from simulated_stage import Habits, course_on, session_on

from pacetomo.errors import ProfileError
from pacetomo.frames import XY
from pacetomo.joint import JointModel
from pacetomo.joint.courses import Course, Visit, samples_of
from pacetomo.joint.priors import Stop, stop_after
from pacetomo.joint.profile_learning import LEAST_TILTS, MOST_COURSES, learn_profile, updated
from pacetomo.memory import RememberingModel, recall
from pacetomo.schemes import Branch, DoseSymmetric
from pacetomo.tracking import Observation

STAGE, OTHER = Habits(1), Habits(2, scale=6.0)


@pytest.fixture(scope="module")
def profile():
    return learn_profile([course_on(STAGE, seed) for seed in range(5)])


@pytest.fixture(scope="module")
def other_profile():
    return learn_profile([course_on(OTHER, seed) for seed in range(5)])


def stops_of(*phis):
    stops: list[Stop] = []
    for phi in phis:
        stops.append(stop_after(stops, phi, 1 if phi > 0 else -1))
    return stops


UP = [6.0, 18.0, 30.0, 42.0, 54.0]
DOWN = [-phi for phi in UP]


def expected_bends(profile, axis, number, tilts):
    """Second differences of a branch, true and expected: what neither height nor axis nor drift can imitate."""
    stops = stops_of(*UP, *DOWN)
    mean = profile.expect(axis, 0.0, stops).mean
    known = dict(zip([*UP, *DOWN], mean))
    true = [STAGE.at(tilt, tilt < 0)[number] for tilt in tilts]
    return np.diff(true, 2), np.diff([known[tilt] for tilt in tilts], 2)


@pytest.mark.parametrize("tilts", [UP, DOWN], ids=["up", "down"])
def test_it_expects_what_the_stage_repeats(profile, tilts):
    true, expected = (
        np.concatenate(parts)
        for parts in zip(*(expected_bends(profile, *axis, tilts) for axis in (("x", 0), ("y", 1))))
    )
    apart = np.sqrt(np.mean((expected - true) ** 2))
    assert apart < 0.5 * np.sqrt(np.mean(true**2))
    assert apart < 0.5 * np.sqrt(np.mean((expected + true) ** 2))  # signs count


def test_the_jump_between_branches_is_known(profile):
    stops = stops_of(3.0, 6.0, -3.0)
    for axis, number in (("x", 0), ("y", 1)):
        expected = profile.expect(axis, 0.0, stops)
        true = STAGE.at(-3.0, True)[number]
        assert abs(expected.mean[2] - true) < 3 * math.sqrt(expected.covariance[2, 2]) + 0.03
        assert math.sqrt(expected.covariance[2, 2]) < 0.06
        assert profile.habits[axis].rest.jump_um < 0.2  # 0.4 without a profile


def test_what_is_expected_is_a_covariance_and_zero_at_the_start(profile):
    expected = profile.expect("y", 0.0, stops_of(1e-6, 30.0, 60.0, -1e-6, -45.0))
    assert np.linalg.eigvalsh(expected.covariance).min() > -1e-12
    assert abs(expected.mean[0]) < 1e-6 and expected.covariance[0, 0] < 1e-9


def test_sessions_left_out_are_predicted_better_and_as_well_as_promised(profile):
    score = profile.score
    assert score.tilts == 5 * 40
    assert score.median_nm < 0.95 * score.median_without_nm
    assert score.rms_nm < 0.95 * score.rms_without_nm
    assert 0.75 < score.spread < 1.25


def test_where_nothing_repeats_little_is_expected():
    alone = learn_profile([course_on(Habits(seed + 50), seed) for seed in range(5)])
    alike = learn_profile([course_on(STAGE, seed) for seed in range(5)])
    assert alone.score.median_nm > 0.9 * alone.score.median_without_nm
    stops = stops_of(3.0, -3.0)
    uncertain = [
        p.expect("y", 0.0, stops).covariance[1, 1] + p.rest["y"].jump_um ** 2 for p in (alone, alike)
    ]
    assert uncertain[0] > 2 * uncertain[1]


def test_sessions_with_another_start_tilt_tell_of_the_same_stage(profile):
    stops = DoseSymmetric(9.0, -51, 60, 3, 2).stops()
    mixed = learn_profile(
        [
            course_on(STAGE, seed, start_deg=9.0 * (seed % 2), stops=stops if seed % 2 else ())
            for seed in range(6)
        ]
    )
    assert mixed.score.median_nm < 0.97 * mixed.score.median_without_nm
    there = mixed.expect("y", 9.0, stops_of(21.0, 33.0, 45.0)).mean
    from_zero = mixed.expect("y", 0.0, stops_of(9.0, 30.0, 42.0, 54.0)).mean
    assert there == pytest.approx(from_zero[1:] - from_zero[0], abs=0.02)


def residuals_um(profile, seed, stage=STAGE, stops=()):
    world = session_on(stage, seed, places=grid(2), stops=stops)
    model = JointModel(world.starts(), world.start_deg, profile=profile)
    session = Session(world, model).run()
    off = {key: error.length for key, error in session.errors_um.items() if key[1] != world.start_deg}
    return model, session, off


SHORT = DoseSymmetric(0, -30, 30, 3, 2).stops()


def test_it_helps_the_tracking_target_and_the_first_tilt_of_the_second_branch(profile):
    tracking, first, nis = {}, {}, []
    for label, used in (("none", None), ("own", profile)):
        runs = [residuals_um(used, seed, stops=SHORT) for seed in range(60, 65)]
        tracking[label] = np.median([value for _, _, off in runs for (n, _), value in off.items() if n == 1])
        first[label] = np.median([off[1, -3.0] for _, _, off in runs])
        assert all(model.dropped_profile is None for model, _, _ in runs)
        nis.append(np.mean([np.mean(session.nis) for _, session, _ in runs]))
    assert tracking["own"] < 0.92 * tracking["none"]
    assert first["own"] < 0.7 * first["none"]
    assert nis[1] == pytest.approx(1.0, abs=0.2)


def test_a_profile_of_another_stage_is_dropped_and_does_no_harm(other_profile):
    dropped, off = [], {"none": [], "other": []}
    for seed in range(60, 64):
        for label, used in (("none", None), ("other", other_profile)):
            model, _, errors = residuals_um(used, seed, stops=SHORT)
            off[label] += [value for (n, _), value in errors.items() if n > 1]
            if used is not None:
                dropped.append(model.dropped_profile)
    assert any(reason is not None and "stage profile" in reason for reason in dropped)
    assert np.median(off["other"]) < 1.1 * np.median(off["none"])
    assert np.percentile(off["other"], 95) < 1.1 * np.percentile(off["none"], 95)


def test_a_mirrored_profile_is_dropped():
    """Signs matter: what the stage does, the wrong way round, is another stage."""
    strong = Habits(3, scale=5.0)
    courses = [course_on(strong, seed) for seed in range(5)]
    mirrored = [
        course._replace(
            visits=tuple(
                visit._replace(shift_um=(-visit.shift_um[0], -visit.shift_um[1])) for visit in course.visits
            ),
            y_start_um=-course.y_start_um,
        )
        for course in courses
    ]
    right, wrong = learn_profile(courses), learn_profile(mirrored)
    for seed in (70, 71):
        assert residuals_um(right, seed, strong, SHORT)[0].dropped_profile is None
        assert residuals_um(wrong, seed, strong, SHORT)[0].dropped_profile is not None


def test_the_memory_puts_a_model_with_a_profile_back(profile, other_profile):
    for used in (profile, other_profile):
        world = session_on(STAGE, 80, stops=SHORT)
        lines = []
        first = RememberingModel(JointModel(world.starts(), 0.0, profile=used), lines.append)
        Session(world, first).run(world.stops[:10])
        again = JointModel(world.starts(), 0.0, profile=used)
        recall(again, lines)
        assert again.dropped_profile == first.dropped_profile
        for number in (1, 5):
            assert again.aim(number, 18.0, Branch.UP) == first.aim(number, 18.0, Branch.UP)


def test_a_single_false_correlation_is_no_reason_to_drop_it(profile):
    world = session_on(STAGE, 81, stops=SHORT)
    model = JointModel(world.starts(), 0.0, profile=profile)
    lies = {(1, world.stops[6].tilt_deg): XY(0.3, -0.2), (4, world.stops[9].tilt_deg): XY(-0.3, 0.3)}
    Session(world, model, lies=lies).run()
    assert model.dropped_profile is None


@pytest.fixture(scope="module")
def far_profile():
    """Of a stage that goes off by 0.45 µm with its first tilt."""
    courses = [course_on(STAGE, seed, stops=SHORT) for seed in range(2)]
    return learn_profile(
        [
            course._replace(visits=tuple(visit._replace(shift_um=(0.45, -0.02)) for visit in course.visits))
            for course in courses
        ]
    )


@pytest.mark.parametrize("is_far", [True, False])
def test_a_target_that_is_not_found_where_only_the_profile_sends_it(profile, far_profile, is_far):
    """What is not found contradicts nothing, so an aim that cannot be checked must not be kept to."""
    world = session_on(STAGE, 1, places=grid(2), stops=SHORT)
    model = JointModel(world.starts(), 0.0, profile=far_profile if is_far else profile)
    for number, start in world.starts().items():
        model.observe(Observation(number, 0.0, Branch.START, start.shift_um, XY(0.0, 0.0)))
    model.begin_tilt(3.0, Branch.UP)
    aim, other = (model.aim(number, 3.0, Branch.UP).shift_um for number in (1, 2))
    assert (aim.x - world.places[1].x > 0.3) == is_far
    model.observe(Observation(1, 3.0, Branch.UP, aim, None))
    assert (model.dropped_profile is not None) == is_far
    now = model.aim(2, 3.0, Branch.UP).shift_um
    if is_far:
        assert now.x == pytest.approx(world.places[2].x, abs=0.02)
    else:
        assert now == pytest.approx(tuple(other), abs=1e-6)


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_sessions_teach_nothing(count):
    short = course_on(STAGE, 9)
    short = short._replace(visits=short.visits[: LEAST_TILTS - 1])
    with pytest.raises(ProfileError, match="2 sessions"):
        learn_profile([short, *(course_on(STAGE, seed) for seed in range(count))])


def test_heights_are_learnt_only_where_defocus_was_measured():
    courses = [course_on(STAGE, seed, stops=SHORT) for seed in range(3)]
    blind = [
        course._replace(visits=tuple(visit._replace(rise_um=None) for visit in course.visits))
        for course in courses
    ]
    assert set(learn_profile(courses).habits) == {"x", "y", "z"}
    assert set(learn_profile(blind).habits) == {"x", "y"}


def test_only_the_latest_sessions_count():
    stops = DoseSymmetric(0, -12, 12, 3, 2).stops()
    courses = [course_on(STAGE, seed, stops=stops) for seed in range(MOST_COURSES + 2)]
    kept = learn_profile(courses).courses
    assert [course.name for course in kept] == [f"session{seed}" for seed in range(2, MOST_COURSES + 2)]


def test_learning_again_replaces_a_session_that_is_known():
    one, two, three = (course_on(STAGE, seed, stops=SHORT) for seed in range(3))
    newer = two._replace(targets=3)
    assert updated([one, two], [newer, three]) == (one, newer, three)


def test_geometry_alone_is_no_motion():
    """A target off the axis moves by cosine and sine; what is left of its course is what the stage did."""
    n0, phis = 4.0, np.radians([3.0, 6.0, 9.0, 30.0])
    visits = [
        Visit(math.degrees(phi), 1.0, (0.0, n0 * (math.cos(phi) - 1)), n0 * math.sin(phi))
        for phi in phis.tolist()
    ]
    course = Course("a", "", 0.0, n0, 1, tuple(visits))
    for axis in "xyz":
        assert samples_of(course, axis).measured == pytest.approx(np.zeros(4), abs=1e-12)
    away = samples_of(course._replace(y_start_um=-n0), "y").measured
    assert away[-1] == pytest.approx(2 * n0 * (math.cos(phis[-1]) - 1))


def test_it_says_how_much_it_knows(profile):
    said = profile.describe()
    assert "5 sessions, 200 images, -60 to +60°, 2026-01-01 to 2026-01-05" in said
    assert f"{profile.score.median_nm:.0f} nm in median" in said


def test_a_forgotten_profile_knows_how_much_and_not_where(profile):
    stops = stops_of(3.0, 30.0, -3.0)
    known, forgotten = profile.expect("y", 0.0, stops), profile.forgotten().expect("y", 0.0, stops)
    assert (forgotten.mean == 0).all()
    assert (np.diag(forgotten.covariance) > np.diag(known.covariance)).all()
    assert profile.forgotten().rest == profile.rest
