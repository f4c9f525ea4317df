import math
from datetime import datetime, timedelta

import pytest
from simulated_stage import Habits, session_on

from pacetomo.errors import ProfileError
from pacetomo.past_series import read_series
from pacetomo.past_sessions import by_session, check, course_of, courses_of
from pacetomo.schemes import DoseSymmetric
from pacetomo.stage_profiles import learn_from, update_profile, verdict

STAGE = Habits(1)
STOPS = DoseSymmetric(0, -24, 24, 3, 2).stops()
NINE = datetime(2026, 1, 15, 9, 0, 0)


def write_series(
    folder, target, world, began=NINE, name="lamella", last=lambda tilt: (0.0, 0.0), counts=lambda tilt: 200.0
):
    """mdoc of a target of a session; `last` is what was added to its shift."""
    folder.mkdir(exist_ok=True)
    lines = [
        "PixelSpacing = 2",
        f"ImageFile = {name}_ts_{target:03d}.mrc",
        "ImageSize = 10 10",
        "DataMode = 1",
    ]
    begun = world.seen(target, world.stops[0])[1]
    for number, stop in enumerate(world.stops):
        shift, rise = world.seen(target, stop)
        dx, dy = last(stop.tilt_deg)
        taken = began + timedelta(seconds=60 * number + 8 * target)
        focus = float(-6.0 - 0.5 * (rise - begun))  # the program knew half of it
        lines += [
            "",
            f"[ZValue = {number}]",
            f"TiltAngle = {stop.tilt_deg}",
            f"DateTime = {taken:%d-%b-%Y  %H:%M:%S}",
            f"SpecimenShift = {float(shift.x + dx)!r} {float(shift.y + dy)!r}",
            "EucentricOffset = 0",
            f"MinMaxMean = 0 1000 {counts(stop.tilt_deg)}",
            "ExposureTime = 1",
            f"Defocus = {focus!r}",
            f"CtfDefocus = {float(focus + 1.0 + rise)!r}",
        ]
    path = folder / f"{name}_ts_{target:03d}.mrc.mdoc"
    path.write_text("\n".join(lines) + "\n")
    return path


def session(folder, seed, targets=(1, 2, 3), **options):
    world = session_on(STAGE, seed, stops=STOPS)
    return world, [write_series(folder, target, world, **options) for target in targets]


def test_targets_of_a_session_are_one_course_and_those_of_another_are_not(tmp_path):
    paths = []
    for seed, began in ((1, NINE), (2, NINE + timedelta(hours=2))):
        paths += session(tmp_path, seed, began=began, name=f"lamella{seed}")[1]
    # another microscope, at the same time, with the same names
    paths += session(tmp_path / "elsewhere", 3, name="lamella1")[1]
    groups = by_session([check(read_series(path)) for path in paths])
    assert [len(group) for group in groups] == [3, 3, 3]
    assert [len({one.series.path.parent for one in group}) for group in groups] == [1, 1, 1]
    courses, told = courses_of(paths)
    assert [course.name for course in courses] == ["lamella1", "lamella2", "lamella1"]
    assert [course.date for course in courses] == [
        "2026-01-15 09:00:08",
        "2026-01-15 11:00:08",
        "2026-01-15 09:00:08",
    ]
    assert told == ()


def test_a_course_is_the_mean_of_its_targets(tmp_path):
    world, paths = session(tmp_path, 4)
    course = course_of([check(read_series(path)) for path in paths])
    assert course.targets == 3 and course.usable == 16
    for visit, stop in zip(course.visits, world.stops[1:]):
        seen = [(world.seen(n, stop), world.seen(n, world.stops[0])) for n in (1, 2, 3)]
        dx = sum(now[0].x - then[0].x for now, then in seen) / 3
        dy = sum(now[0].y - then[0].y for now, then in seen) / 3
        rise = sum(now[1] - then[1] for now, then in seen) / 3
        assert visit.shift_um == pytest.approx((dx, dy), abs=1e-9)
        assert visit.rise_um == pytest.approx(rise, abs=1e-6)  # too low a focus and too high a target add up
    assert course.y_start_um == pytest.approx(sum(world.places[n].y for n in (1, 2, 3)) / 3)


def test_a_series_that_fails_is_cut_where_it_fails(tmp_path):
    world = session_on(STAGE, 5, stops=STOPS)

    def lost(tilt):
        return (0.4 * (tilt - 15), -0.5 * (tilt - 15)) if tilt > 15 else (0.0, 0.0)

    runaway = check(read_series(write_series(tmp_path, 1, world, last=lost)))
    dark = check(read_series(write_series(tmp_path, 2, world, counts=lambda tilt: 200 if tilt < 14 else 40)))
    for checked in (runaway, dark):
        tilts = [image.tilt_deg for n, image in enumerate(checked.series.images) if n not in checked.believed]
        assert tilts and min(tilts) in (15.0, 18.0) and max(tilts) == 24.0
    healthy = check(read_series(write_series(tmp_path, 3, world)))
    assert len(healthy.believed) == len(STOPS)
    course = course_of([runaway, dark, healthy])
    assert course.targets == 1
    assert course.y_start_um == pytest.approx(world.places[3].y)


def test_a_failed_stretch_poisons_nothing(tmp_path):
    def lost(tilt):
        return (0.4 * (tilt - 9), -0.5 * (tilt - 9)) if tilt > 9 else (0.0, 0.0)

    clean, spoilt = [], []
    for seed in range(3):
        options = {"began": NINE + timedelta(hours=2 * seed), "targets": (1,)}
        clean += session(tmp_path / "clean", seed, name=f"s{seed}", **options)[1]
        failing = {"last": lost} if seed == 1 else {}
        spoilt += session(tmp_path / "spoilt", seed, name=f"s{seed}", **options, **failing)[1]
    good, (bad, told) = learn_from(clean)[0], learn_from(spoilt)
    assert any("s1_ts_001" in text and "not used" in text for text in told)
    stops = good.courses[0].stops()
    one, other = (each.expect("y", 0.0, stops) for each in (good, bad))
    assert other.mean == pytest.approx(one.mean, abs=0.05)
    assert bad.score.rms_nm < 1.5 * good.score.rms_nm


def test_scattered_defocus_teaches_no_heights(tmp_path):
    _, (path,) = session(tmp_path, 6, targets=(1,))
    lines = path.read_text().splitlines()
    fits = [n for n, line in enumerate(lines) if line.startswith("CtfDefocus")]
    for place, n in enumerate(fits):
        lines[n] = f"CtfDefocus = {-5 + 1.5 * math.sin(7 * place)}"
    path.write_text("\n".join(lines))
    assert all(visit.rise_um is None for visit in course_of([check(read_series(path))]).visits)


def test_what_is_no_series_is_left_out_with_the_reason(tmp_path):
    _, good = session(tmp_path, 7, targets=(1,))
    foreign = tmp_path / "b.mdoc"
    foreign.write_text("PixelSpacing = 2\n\n[ZValue = 0]\nTiltAngle = 0\n")
    short = tmp_path / "short_ts_001.mdoc"
    short.write_text("\n[ZValue = 3]".join(good[0].read_text().split("\n[ZValue = 3]")[:1]))
    courses, told = courses_of([*good, foreign, short])
    assert len(courses) == 1
    assert any("b.mdoc" in text and "SpecimenShift" in text for text in told)
    assert any("short_ts_001.mdoc" in text and "too few" in text for text in told)
    with pytest.raises(ProfileError, match=r"2 sessions[^$]*b\.mdoc"):
        learn_from([*good, foreign])


def test_a_profile_grows_by_a_run(tmp_path):
    from pacetomo.files.stage_profile import read_profile, write_profile

    paths = []
    for seed in range(3):
        began = NINE + timedelta(days=seed)
        paths.append(session(tmp_path, seed, targets=(1,), began=began, name=f"day{seed}")[1][0])
    file = tmp_path / "stage.json"
    old = learn_from(paths[:2])[0]
    write_profile(file, old)
    grown = update_profile(file, paths[2:])
    assert grown == learn_from(paths)[0] == read_profile(file)
    assert read_profile(tmp_path / "stage.json~1") == old
    assert update_profile(file, paths[2:]) == grown  # the same run again
    with pytest.raises(ProfileError, match="add nothing"):
        update_profile(file, [tmp_path / "gone.mdoc"])
    assert read_profile(file) == grown


def test_real_series_of_two_microscopes_teach_little(samples):
    """Two microscopes, 31 and 10 tilts before one fails: no gain, said so; and the failed stretch is not in it."""
    profile, told = learn_from(
        [samples / "mdoc" / name for name in ("aretomo3_L1_ts_001.mrc.mdoc", "murfey_chrom_07_ts_010.mdoc")]
    )
    assert [course.usable for course in profile.courses] == [10, 31]
    assert max(visit.tilt_deg for course in profile.courses for visit in course.visits if visit.shift_um) < 34
    assert any("aretomo3" in text and "+42°" in text for text in told)
    assert "same stage" in (verdict(profile) or "")
    assert profile.score.median_nm < 40
