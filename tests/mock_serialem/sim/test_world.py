import json
import math
from datetime import datetime, timedelta

import numpy as np
import pytest

from mock_serialem.sim.clock import ACTIVITIES
from mock_serialem.sim.world import make_world

EXPOSURE_KEYS = {
    "event",
    "t_s",
    "lda",
    "exposure_s",
    "dose_e_per_a2",
    "tilt_nominal_deg",
    "tilt_true_deg",
    "sample_x_um",
    "sample_y_um",
    "sample_z_um",
    "defocus_um",
    "beam_radius_um",
    "set",
}
SAVED_KEYS = EXPOSURE_KEYS | {"file", "section", "residual_x_um", "residual_y_um"}


def play_through(world, setup):
    """A few minutes of work that touch everything random."""
    world.move_stage_to(3.0, -2.0, 0.5)
    first = world.expose(setup)
    world.note_saved(first, "a.mrc", 0)
    found = []
    for section, tilt in enumerate((3.0, 6.0, -3.0), start=1):
        world.tilt_to(tilt)
        shot = world.expose(setup)
        world.note_saved(shot, "a.mrc", section)
        found.append((world.measure_shift(shot, first, 0.3), world.fit_ctf(shot), shot.pixels.tobytes()))
    found.append(world.autofocus(setup, -5.0))
    found.append(world.find_eucentric_z(True, setup))
    return found


@pytest.mark.parametrize("fidelity", ["kinematic", "rendered"])
@pytest.mark.parametrize("sample", ["lamella", "holey"])
def test_same_seed_and_calls_give_the_same_bytes(record, tmp_path, sample, fidelity):
    setup = record(size_px=(180, 128))
    runs = []
    for name in ("one", "two"):
        path = tmp_path / f"{sample}-{fidelity}-{name}.jsonl"
        runs.append((play_through(make_world(sample, "krios", 7, fidelity, path), setup), path.read_bytes()))
    assert runs[0] == runs[1]
    other = play_through(make_world(sample, "krios", 8, fidelity), setup)
    assert [entry[2] for entry in other[:3]] != [entry[2] for entry in runs[0][0][:3]]


def test_both_fidelities_share_one_truth(record):
    worlds = [make_world("lamella", "krios", 3, fidelity) for fidelity in ("rendered", "kinematic")]
    for world in worlds:
        play_through(world, record(size_px=(180, 128)))
    assert worlds[0].truth.events == worlds[1].truth.events
    assert worlds[0].clock_s == worlds[1].clock_s


def test_one_kind_of_measurement_does_not_disturb_another(record):
    plain, busy = (make_world("lamella", "krios", 3, "kinematic") for _ in range(2))
    shots = [world.expose(record()) for world in (plain, busy)]
    busy.autofocus(record(), -5.0)
    busy.fit_ctf(shots[1])
    for world in (plain, busy):
        world.tilt_to(30.0)
    assert plain.stage.displacement_um(1e6) == pytest.approx(busy.stage.displacement_um(1e6))


def test_truth_lines_have_the_keys_that_were_promised(record):
    world = make_world(fidelity="kinematic")
    shot = world.expose(record(camera_set="P", exposure_s=0.5))
    world.note_saved(shot, "ts_001.mrc", 0)
    exposure, saved = world.truth.events
    assert set(exposure) == EXPOSURE_KEYS
    assert set(saved) == SAVED_KEYS
    assert (exposure["event"], exposure["set"], exposure["lda"]) == ("exposure", "P", "R")
    assert (exposure["exposure_s"], exposure["dose_e_per_a2"]) == (0.5, 1.5)
    assert (saved["event"], saved["file"], saved["section"]) == ("saved", "ts_001.mrc", 0)
    json.dumps(world.truth.events)


def test_truth_follows_a_point_to_where_it_is_seen(make_ideal, record):
    world = make_ideal()
    world.note_saved(world.expose(record()), "a.mrc", 0)
    world.image_shift = tuple(np.linalg.inv(world.is_to_specimen(27)) @ [0.10, -0.04])
    later = world.expose(record())
    world.tilt_to(20.0)
    world.note_saved(later, "a.mrc", 1)
    line = world.truth.events[-1]
    # The centre moved by (0.10, -0.04), so the old centre is seen on the opposite side.
    assert (line["residual_x_um"], line["residual_y_um"]) == pytest.approx((-0.10, 0.04))
    assert (line["sample_x_um"], line["sample_y_um"]) == pytest.approx((0.10, -0.04))
    # The line tells the tilt of the exposure, not that of the moment of saving.
    assert line["tilt_nominal_deg"] == 0.0


def test_residuals_count_from_the_first_section_of_each_file(make_ideal, record):
    world = make_ideal()
    shot = world.expose(record())
    world.note_saved(shot, "unknown.mrc", 4)
    assert world.truth.events[-1]["residual_x_um"] is None
    world.note_saved(shot, "new.mrc", 0)
    assert world.truth.events[-1]["residual_x_um"] == 0.0


def test_a_target_and_tilt_takes_eight_to_nine_seconds(record):
    world = make_world(fidelity="kinematic")
    scope = world.config.microscope
    targets, tilts, reference = 10, [0, 3, 6, -3, -6, 9, 12, -9, -12, 15, 18, -15, -18], None
    for tilt in tilts:
        if tilt < 0:
            world.tilt_to(tilt - 3)
        world.tilt_to(tilt)
        world.advance(0.5, "wait")
        for _ in range(targets):
            world.advance(10 * scope.command_s, "script")
            world.set_image_shift((1.0, 0.5))
            world.advance(0.3, "wait")
            world.set_focus(-5.0)
            shot = world.expose(record())
            world.advance(scope.save_s, "save")
            world.measure_shift(shot, reference or shot, 0.5)
            world.advance(scope.align_s, "align")
            reference = shot
    per_target = world.clock_s / (targets * len(tilts))
    assert 8.0 < per_target < 9.0
    assert set(world.activities) == set(ACTIVITIES)
    assert sum(world.activities.values()) == pytest.approx(world.clock_s)


def test_date_follows_the_clock():
    world = make_world(fidelity="kinematic")
    world.advance(90.0, "wait")
    assert world.now() == datetime(2026, 1, 15, 9, 0, 0) + timedelta(seconds=90)


def test_eucentricity_brings_the_sample_to_the_tilt_axis(record):
    misses = []
    for seed in range(12):
        world = make_world("lamella", "krios", seed, "kinematic")
        view = record(camera_set="V", area="V", mag_index=17, dose_rate_e_per_a2_s=0.1)
        axis = world.config.stage.measured_axis_offset_um
        world.set_image_shift(tuple(np.linalg.inv(world.is_to_specimen(17)) @ [0.0, axis]))
        for fine in (False, True):
            z = world.find_eucentric_z(fine, view)
            world.move_stage_to(0.0, 0.0, z)
        misses.append(world.pose("V", 17).centre_um[2] + world.stage.shift_um()[2])
        assert world.stage.tilt_nominal_deg == 0.0
        assert world.activities["tilt"] == world.activities["expose"] == 0.0
        assert world.activities["eucentricity"] > 30.0
        assert {line["lda"] for line in world.truth.events} == {"V"}
    assert 0.02 < np.std(misses) < 0.25
    assert abs(np.mean(misses)) < 0.1


def test_autofocus_measures_the_true_defocus_of_its_own_place(record):
    world = make_world("lamella", "krios", 1, "kinematic")
    setup = record(camera_set="F", area="F", exposure_s=0.4)
    world.tilt_to(30.0)
    world.set_focus(-6.0)
    world.set_image_shift(tuple(np.linalg.inv(world.is_to_specimen(27)) @ [0.0, 3.0]))
    results = [world.autofocus(setup, -5.0) for _ in range(60)]
    good = [result.defocus_um for result in results if result.code == 0]
    assert len(good) >= 57
    assert np.mean(good) == pytest.approx(world.pose("F").defocus_um, abs=0.05)
    assert 0.04 < np.std(good) < 0.12
    assert world.focus_um == -6.0
    assert sum(line["set"] == "F" for line in world.truth.events) == 180
    assert world.activities["expose"] == 0.0


def test_routines_fail_where_it_is_dark(record):
    world = make_world("lamella", "krios", 1, "kinematic")
    world.move_stage_to(0.0, 40.0)
    shot = world.expose(record())
    assert shot.mean_counts < 1.0
    assert world.autofocus(record(), -5.0).code == -1
    assert world.find_eucentric_z(True, record()) is None
    assert world.fit_ctf(shot) is None
    found = [world.measure_shift(world.expose(record()), shot, 0.5).shift_um for _ in range(20)]
    assert any(shift is None for shift in found)
    assert all(shift is None or math.hypot(*shift) <= 0.5 for shift in found)


def test_costs_of_moves(make_ideal):
    world = make_ideal()
    scope = world.config.microscope
    world.tilt_to(30.0)
    assert world.activities["tilt"] == pytest.approx(scope.tilt_overhead_s + 30.0 * scope.tilt_s_per_deg)
    world.move_stage_to(3.0, 4.0)
    assert world.activities["stage"] == pytest.approx(scope.stage_overhead_s + 5.0 * scope.stage_s_per_um)
    world.set_image_shift((0.0, 0.0), settle=2.0)
    assert world.activities["image_shift"] == pytest.approx(2.0 * scope.image_shift_s)
    optics = world.activities["optics"]
    world.set_mag_index(world.mag_index)
    assert world.activities["optics"] == optics
    world.set_mag_index(17)
    assert world.activities["optics"] == pytest.approx(optics + scope.mag_change_s)


def test_refusals(make_ideal, record):
    world = make_ideal()
    for wrong in ({"sample": "cheese"}, {"stage": "table"}, {"fidelity": "blurred"}):
        with pytest.raises(ValueError, match=next(iter(wrong.values()))):
            make_world(**wrong)
    with pytest.raises(ValueError, match="binning 3"):
        world.expose(record(binning=3))
    with pytest.raises(ValueError, match="impossible"):
        world.expose(record(exposure_s=0.0))
    with pytest.raises(KeyError):
        world.set_mag_index(999)
    assert world.truth.events == []
    assert world.clock_s == 0.0


def test_a_shot_tells_what_the_program_could_read_back(make_ideal, record):
    world = make_ideal()
    world.move_stage_to(1.0, 2.0, 3.0)
    world.set_image_shift((0.5, -0.5))
    world.set_focus(-4.0)
    shot = world.expose(record(exposure_s=2.0, drift_settle_s=1.0))
    assert (shot.stage_um, shot.image_shift, shot.focus_um) == ((1.0, 2.0, 3.0), (0.5, -0.5), -4.0)
    assert shot.dose_e_per_a2 == pytest.approx(6.0)
    assert shot.pixel_um == pytest.approx(4 * 0.133e-3)
    assert shot.field_um == pytest.approx((0.76608, 0.544236))
    assert world.clock_s - shot.t_s == pytest.approx(1.0 + world.config.microscope.record_overhead_s)
