import math
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacetomo.files.mdoc import read_mdoc
from pacetomo.frames import XY
from pacetomo.replay import replay_file
from pacetomo.schemes import Branch, DoseSymmetric
from pacetomo.scope.protocol import Shot
from pacetomo.watch import Look, Watch

FIELD = XY(1.2, 0.9)
STOPS = DoseSymmetric(0.0, -60.0, 60.0, 3.0, 2).stops()


def shot(counts=100.0, exposure_s=1.0, field=FIELD):
    return Shot(counts, exposure_s, 3.0 * exposure_s, field)


def run(watch, counts=lambda tilt: 100.0, residual=lambda tilt: XY(0.01, 0.02), targets=(1,), exposure_s=1.0):
    """Feed whole series; (target, branch) -> tilt and verdict at which it ended."""
    ended = {}
    for number, stop in enumerate(STOPS):
        watch.begin_tilt()
        for target in targets:
            if (target, stop.branch) in ended:
                continue
            per_s = counts(stop.tilt_deg)
            per_s = per_s[target] if isinstance(per_s, dict) else per_s
            off = residual(stop.tilt_deg)
            off = off[target] if isinstance(off, dict) else off
            look = Look(
                target,
                stop.branch,
                stop.tilt_deg,
                shot(per_s * exposure_s, exposure_s),
                off if number else None,
                number > 0,
                target == 1,
            )
            verdict = watch.judge(look)
            if verdict is not None:
                ended[target, stop.branch] = (stop.tilt_deg, verdict.text)
    return ended


def thinning(loss, slope_y=0.0):
    def counts(tilt):
        t = math.radians(tilt)
        return 400 * math.exp(-loss / (math.cos(t) - slope_y * math.sin(t)))

    return counts


@given(
    loss=st.floats(0.05, 1.5),
    pretilt=st.floats(-15, 15),
    noise=st.lists(st.floats(-0.04, 0.04), min_size=41, max_size=41),
)
def test_a_sample_that_thickens_with_tilt_is_healthy(loss, pretilt, noise):
    slope = math.tan(math.radians(pretilt))
    bright = thinning(loss, slope)
    by_tilt = {stop.tilt_deg: 1 + wobble for stop, wobble in zip(STOPS, noise)}
    assert run(Watch(0.0, slope), lambda tilt: bright(tilt) * by_tilt[tilt]) == {}


def test_a_wrong_pretilt_is_no_shadow():
    assert run(Watch(0.0, 0.0), thinning(0.8, math.tan(math.radians(12)))) == {}


def test_a_longer_exposure_is_not_more_light():
    watch = Watch(0.0)
    assert watch.judge(Look(1, Branch.START, 0.0, shot(300.0, 3.0), None, False)) is None
    assert watch.judge(Look(1, Branch.UP, 3.0, shot(100.0, 1.0), XY(0, 0))) is None
    assert watch.judge(Look(1, Branch.UP, 6.0, shot(10.0, 0.1), XY(0, 0))) is None


def test_a_shadow_that_comes_within_a_few_tilts_ends_the_branch_and_not_the_other():
    bright = thinning(0.4)
    shadow = {33: 0.72, 36: 0.5, 39: 0.2}
    ended = run(Watch(0.0), lambda tilt: bright(tilt) * shadow.get(tilt, 1.0))
    assert list(ended) == [(1, Branch.UP)]
    tilt, verdict = ended[1, Branch.UP]
    assert tilt == 36 and "goes dark" in verdict


def test_one_dim_image_is_none():
    assert run(Watch(0.0), lambda tilt: 60.0 if tilt == 33 else 100.0) == {}


def test_a_black_image_ends_at_once_without_any_limit():
    ended = run(Watch(0.0), lambda tilt: 2.0 if tilt == -33 else 100.0)
    assert list(ended) == [(1, Branch.DOWN)]
    assert ended[1, Branch.DOWN][0] == -33 and "black" in ended[1, Branch.DOWN][1]


def test_a_weaker_beam_is_not_held_against_the_targets():
    """All lose the same at the same tilt; one alone, or each differently, is another thing."""
    targets = (1, 2, 3)
    later = [stop.tilt_deg for stop in STOPS][20:]

    def weaker(tilt):
        return 60.0 if tilt in later else 100.0

    assert run(Watch(0.0), weaker, targets=targets) == {}
    one = run(Watch(0.0), lambda t: {1: weaker(t), 2: 100.0, 3: 100.0}, targets=targets)
    assert {target for target, _ in one} == {1}


def test_the_limit_of_the_settings_holds_from_the_first_image_on():
    watch = Watch(50.0)
    assert "is dark" in watch.judge(Look(1, Branch.START, 0.0, shot(45.0), None, False)).text
    assert watch.judge(Look(2, Branch.START, 0.0, shot(55.0), None, False)) is None
    assert "is dark" in watch.judge(Look(2, Branch.UP, 3.0, shot(90.0, 2.0), XY(0, 0))).text


def test_an_image_of_which_nothing_is_known_says_nothing():
    watch = Watch(0.0)
    watch.judge(Look(1, Branch.START, 0.0, shot(100.0), None, False))
    assert watch.judge(Look(1, Branch.UP, 3.0, Shot(math.nan, 0.0, 0.0, FIELD), XY(0, 0))) is None


@pytest.mark.parametrize("known", [True, False])
def test_a_residual_in_an_image_of_unknown_size_is_measured_by_an_earlier_one(known):
    unknown = Shot(math.nan, 0.0, 0.0, XY(0.0, 0.0))
    first = shot() if known else unknown
    for residual_um, is_large in ((0.02, False), (0.4, known)):
        watch = Watch(0.0)
        verdicts = []
        for number in range(5):
            watch.begin_tilt()
            one = unknown if number else first
            verdicts.append(watch.judge(Look(1, Branch.UP, 3.0 * number, one, XY(0.0, residual_um))))
        assert any(verdicts) is is_large, verdicts


def test_large_residuals_in_a_row_end_the_branch():
    def off(tilt):
        return XY(0.3, 0.0) if tilt in (9, 12, 15) else XY(-0.01, 0.0)

    ended = run(Watch(0.0), residual=off, targets=(2,))
    assert list(ended) == [(2, Branch.UP)] and ended[2, Branch.UP][0] == 15
    now_and_then = run(
        Watch(0.0), residual=lambda t: XY(0.3, 0.0) if t in (9, 15, 21) else XY(0, 0), targets=(2,)
    )
    assert now_and_then == {}


def test_a_stage_that_jumps_at_every_tilt_is_no_fault_of_the_tracking_target():
    """The others are where it says, so it is right, however far it is off."""

    def off(tilt):
        return {1: XY(0.0, 0.35 * (-1) ** round(tilt / 3)), 2: XY(0.02, 0.0), 3: XY(0.0, -0.02)}

    assert run(Watch(0.0), residual=off, targets=(1, 2, 3)) == {}
    drifting = run(Watch(0.0), residual=lambda t: {1: XY(0, 0.25), 2: XY(0, 0)}, targets=(1, 2))
    assert drifting == {}


def test_residuals_that_add_up_have_run_away():
    ended = run(Watch(0.0), residual=lambda tilt: XY(0.0, -0.2) if tilt > 30 else XY(0.0, 0.02))
    assert list(ended) == [(1, Branch.UP)] and "in all" in ended[1, Branch.UP][1]
    assert run(Watch(0.0), residual=lambda tilt: XY(0.0, 0.2 * (-1) ** round(tilt / 3))) == {}


def test_alignments_that_fail_again_and_again_end_the_branch():
    ended = run(Watch(0.0), residual=lambda tilt: None if tilt <= -30 else XY(0, 0))
    assert list(ended) == [(1, Branch.DOWN)] and ended[1, Branch.DOWN][0] == -39
    assert run(Watch(0.0), residual=lambda t: None if t in (30, 33, 36, 42, 45) else XY(0, 0)) == {}


def test_what_the_tracking_target_does_is_not_held_against_the_others():
    def off(tilt):
        astray = tilt in (9, 12, 15)
        return {
            1: XY(0.3, 0.0) if astray else XY(0, 0),
            2: XY(-0.3, 0.0) if astray else XY(0, 0),
            3: None if astray else XY(0, 0),
            4: XY(0, 0),
        }

    ended = run(Watch(0.0), residual=off, targets=(1, 2, 3, 4))
    assert set(ended) == {(1, Branch.UP)} and ended[1, Branch.UP][0] == 15


def test_how_often_a_target_was_not_found():
    watch = Watch(0.0)
    watch.judge(Look(1, Branch.UP, 3.0, shot(), None))
    assert (watch.rejected_in_a_row(1, Branch.UP), watch.rejected_in_a_row(1, Branch.DOWN)) == (1, 0)
    watch.judge(Look(1, Branch.UP, 6.0, shot(), XY(0, 0)))
    assert watch.rejected_in_a_row(1, Branch.UP) == 0


# --- what real sessions recorded


def recorded(samples, name):
    """Sections of a past series in order of acquisition."""
    images = [image for image in read_mdoc(samples / "mdoc" / name).need_images() if image.text("MinMaxMean")]

    def taken(image):
        day, time = image.text("DateTime").split()
        return datetime.strptime(f"{day} {time}", f"%d-%b-{'%Y' if len(day) == 11 else '%y'} %H:%M:%S")

    return sorted(images, key=taken)


def judged(images, residuals=None, blind=False):
    """Branch -> tilt and verdict at which a past series would have ended."""
    watch, ended, start_deg = Watch(0.0), {}, images[0].tilt_deg
    for number, image in enumerate(images):
        tilt = image.tilt_deg
        branch = (
            Branch.START if abs(tilt - start_deg) < 0.05 else Branch.UP if tilt > start_deg else Branch.DOWN
        )
        if branch in ended:
            continue
        watch.begin_tilt()
        counts = 100.0 if blind else float(image.text("MinMaxMean").split()[2])
        taken = Shot(counts, float(image.text("ExposureTime")), 3.0, XY(1.53, 1.09))
        residual = None if residuals is None else residuals[number]
        compared = residuals is not None and number > 0
        verdict = watch.judge(Look(1, branch, tilt, taken, residual, compared, True))
        if verdict is not None:
            ended[branch] = (tilt, verdict)
    return ended


def residuals_of(samples, name):
    return [row.error_nm.scaled(1e-3) for row in replay_file(samples / "mdoc" / name).rows]


@pytest.mark.parametrize(("blind", "latest_deg"), [(False, 37), (True, 49)])
def test_a_real_failure_is_caught_by_its_counts_and_by_its_shifts_alone(samples, blind, latest_deg):
    name = "aretomo3_L1_ts_001.mrc.mdoc"
    ended = judged(recorded(samples, name), residuals_of(samples, name), blind)
    assert list(ended) == [Branch.UP]
    assert 32 < ended[Branch.UP][0] < latest_deg


@pytest.mark.parametrize("name", ["murfey_chrom_07_ts_010.mdoc", "cryocat_017.mdoc", "oscem_TS_41.mrc.mdoc"])
def test_real_series_without_failure_go_on(samples, name):
    images = recorded(samples, name)
    residuals = residuals_of(samples, name) if images[0].text("SpecimenShift") else None
    assert judged(images, residuals) == {}


def test_the_black_last_image_of_a_real_series_is_all_that_is_found_in_it(samples):
    images = recorded(samples, "teamtomo_tilt_series.mdoc")
    assert judged(images[:-2] + images[-1:]) == {}
    ended = judged(images)
    assert list(ended) == [Branch.DOWN]
    assert ended[Branch.DOWN][0] == pytest.approx(-60, abs=0.1) and "black" in ended[Branch.DOWN][1].text
