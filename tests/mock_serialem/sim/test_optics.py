import dataclasses
import math

import numpy as np
import pytest

from mock_serialem.sim.optics import Optics
from mock_serialem.sim.profiles import CRYOARM_SCOPE, KRIOS_SCOPE

MOTION = np.array([[1.0, 0.02], [-0.02, 1.0]])


def make_optics(seed: int = 0, **changes) -> Optics:
    return Optics(dataclasses.replace(KRIOS_SCOPE, **changes), MOTION, np.random.default_rng(seed))


def test_without_errors_the_operator_knows_the_truth():
    optics = make_optics(calibration_scale_error=0.0, calibration_rotation_error_deg=0.0)
    assert optics.is_to_specimen(27) == pytest.approx(optics.true_is_to_specimen(27))
    assert optics.pixel_um(27) == optics.true_pixel_um(27) == pytest.approx(0.133e-3)
    assert optics.rotation_deg(27) == optics.true_rotation_deg(27)
    assert optics.measured_from_true(27) == pytest.approx(np.eye(2))


def test_calibrations_are_off_by_about_a_percent():
    ratios = [
        np.linalg.det(make_optics(seed).is_to_specimen(27))
        / np.linalg.det(make_optics(seed).true_is_to_specimen(27))
        for seed in range(60)
    ]
    assert 0.005 < np.std(ratios) < 0.03
    assert max(abs(ratio - 1.0) for ratio in ratios) < 0.05


def test_calibrated_stage_matrix_names_the_point_that_becomes_centred():
    optics = make_optics(calibration_scale_error=0.0, calibration_rotation_error_deg=0.0)
    assert optics.stage_to_specimen() == pytest.approx(-MOTION)


def test_image_shift_frame_is_turned_and_scaled_as_its_magnification_says():
    first = make_optics().true_is_to_specimen(27) @ [1.0, 0.0]
    angle = math.radians(KRIOS_SCOPE.magnifications[10].is_rotation_deg)
    assert KRIOS_SCOPE.magnifications[10].index == 27
    assert first == pytest.approx(0.985 * np.array([math.cos(angle), math.sin(angle)]))


@pytest.mark.parametrize(("mirrored", "sign"), [(False, 1.0), (True, -1.0)])
def test_a_mirror_turns_the_image_shift_frame_left_handed(mirrored, sign):
    optics = make_optics(is_mirrored=mirrored)
    assert np.sign(np.linalg.det(optics.true_is_to_specimen(27))) == sign
    assert np.sign(np.linalg.det(optics.is_to_specimen(27))) == sign
    x_axis, y_axis = optics.true_is_to_specimen(27).T
    assert np.cross([*x_axis, 0.0], [*y_axis, 0.0])[2] * sign > 0.0


def test_cryoarm_needs_hundreds_of_units_for_a_micrometre():
    optics = Optics(CRYOARM_SCOPE, MOTION, np.random.default_rng(0))
    assert np.linalg.norm(np.linalg.inv(optics.true_is_to_specimen(27)) @ [1.0, 0.0]) == pytest.approx(
        1 / 0.0072
    )


def test_wrong_pixel_and_rotation_distort_measured_shifts():
    optics = make_optics(seed=3)
    scale = optics.pixel_um(27) / optics.true_pixel_um(27)
    turn = math.radians(optics.true_rotation_deg(27) - optics.rotation_deg(27))
    assert optics.measured_from_true(27) @ [1.0, 0.0] == pytest.approx(
        scale * np.array([math.cos(turn), math.sin(turn)])
    )


def test_fields_of_view_and_record():
    columns = KRIOS_SCOPE.camera.size_px[0]
    optics = make_optics()
    assert columns * optics.true_pixel_um(KRIOS_SCOPE.area_mag_index["V"]) == pytest.approx(17.28)
    assert 1e4 * optics.true_pixel_um(KRIOS_SCOPE.area_mag_index["R"]) == pytest.approx(1.33)


def test_an_unknown_magnification_is_refused():
    with pytest.raises(KeyError):
        make_optics().pixel_um(3)
