"""Signs of every frame, against what the simulated sample really does. A flipped sign anywhere fails here."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mock_serialem import shifts
from mock_serialem.module import make_module
from mock_serialem.session import Session

MakeSession = Callable[..., Session]
STAGES = ["krios", "cryoarm", "side-entry"]


def matrix(values: tuple[float, ...]) -> np.ndarray:
    return np.array(values).reshape(2, 2)


def seen(session: Session, first: str, now: str = "A") -> tuple[float, float]:
    """Where the point at the centre of one image truly lies in another (µm, specimen plane, Y up)."""
    buffers = session.buffers
    shot, reference = buffers.get(now).shot, buffers.get(first).shot
    assert shot is not None and reference is not None
    x, y, _ = shot.pose.where(reference.pose.centre_um)
    return x, y


@given(st.lists(st.floats(-5, 5), min_size=4, max_size=4), st.tuples(st.floats(-9, 9), st.floats(-9, 9)))
def test_inverse_undoes_times(values: list[float], vector: tuple[float, float]) -> None:
    m = matrix(tuple(values))
    if abs(np.linalg.det(m)) < 0.1:
        return
    assert shifts.times(shifts.inverse(m), shifts.times(m, vector)) == pytest.approx(vector, abs=1e-6)


@pytest.mark.parametrize("stage", STAGES)
def test_matrices_belong_together(make_session: MakeSession, stage: str) -> None:
    session = make_session(stage=stage)
    sem = make_module(session)
    to_specimen = matrix(sem.CameraToSpecimenMatrix(0))
    p = math.hypot(to_specimen[0, 0], to_specimen[0, 1])
    theta = math.degrees(math.atan2(to_specimen[0, 1], to_specimen[0, 0]))
    index = session.world.mag_index
    # Super-resolution pixels of a K3: half the physical pixel.
    assert p == pytest.approx(session.world.pixel_um(index) / 2)
    assert theta == pytest.approx(session.world.rotation_deg(index))
    assert to_specimen[1] == pytest.approx((-to_specimen[0, 1], to_specimen[0, 0]))
    for name in ("IS", "Stage", "Camera"):
        there, back = getattr(sem, f"{name}ToSpecimenMatrix"), getattr(sem, f"SpecimenTo{name}Matrix")
        assert matrix(there(0)) @ matrix(back(0)) == pytest.approx(np.eye(2), abs=1e-9)
    product = matrix(sem.SpecimenToCameraMatrix(0)) @ matrix(sem.ISToSpecimenMatrix(0))
    assert matrix(sem.ISToCameraMatrix(0)) == pytest.approx(product)
    product = matrix(sem.SpecimenToStageMatrix(0)) @ matrix(sem.ISToSpecimenMatrix(0))
    assert matrix(sem.ISToStageMatrix(0)) == pytest.approx(product)
    # Stage and specimen have opposite signs.
    assert matrix(sem.StageToSpecimenMatrix(0)) == pytest.approx(-np.eye(2), abs=0.05)


def test_matrices_by_index_binning_and_range(sem, session: Session) -> None:
    view = session.low_dose.areas["V"].mag_index
    assert sem.ISToSpecimenMatrix(view) == pytest.approx(tuple(session.world.is_to_specimen(view).ravel()))
    assert sem.ISToSpecimenMatrix(2) == (0.0, 0.0, 0.0, 0.0)
    with pytest.raises(sem.SEMerror):
        sem.ISToSpecimenMatrix(500)
    fine = sem.CameraToSpecimenMatrix(0)
    sem.BinningForCameraMatrix(4)
    assert sem.CameraToSpecimenMatrix(0) == pytest.approx([8 * value for value in fine])
    sem.BinningForCameraMatrix(0)
    assert sem.CameraToSpecimenMatrix(0) == fine


@pytest.mark.parametrize("stage", STAGES)
def test_image_shift_centres_the_point_it_names(make_session: MakeSession, stage: str) -> None:
    session = make_session(stage=stage)
    sem = make_module(session)
    sem.R()
    sem.Copy("A", "O")
    sem.ImageShiftByMicrons(1.0, -2.0)
    sem.R()
    # The point that was centred now lies at the opposite; calibrations are off by about a per cent.
    assert seen(session, "O") == pytest.approx((-1.0, 2.0), abs=0.1)


@pytest.mark.parametrize("stage", STAGES)
def test_specimen_shift_adds_up(make_session: MakeSession, stage: str) -> None:
    sem = make_module(make_session(stage=stage))
    start = sem.ReportSpecimenShift()
    assert start == pytest.approx((0.0, 0.0), abs=1e-9)
    sem.ImageShiftByMicrons(1.5, -0.7)
    sem.ImageShiftByMicrons(-0.2, 0.1)
    assert sem.ReportSpecimenShift() == pytest.approx((1.3, -0.6))
    x, y = sem.ReportImageShift()[:2]
    sem.ImageShiftByUnits(-x, -y)
    assert sem.ReportSpecimenShift() == pytest.approx((0.0, 0.0), abs=1e-9)


@pytest.mark.parametrize("stage", STAGES)
def test_align_to_aligns_the_next_image(make_session: MakeSession, stage: str) -> None:
    session = make_session(stage=stage)
    sem = make_module(session)
    sem.R()
    sem.Copy("A", "O")
    sem.ImageShiftByMicrons(0.10, 0.06)
    sem.R()
    assert seen(session, "O") == pytest.approx((-0.10, -0.06), abs=0.01)
    assert sem.AlignTo("O") == 0.0
    sem.R()
    assert seen(session, "O") == pytest.approx((0.0, 0.0), abs=0.03)


def test_align_to_aligns_the_next_rendered_image(make_session: MakeSession) -> None:
    session = make_session("rendered")
    sem = make_module(session)
    sem.SetBinning("R", 8)
    sem.R()
    sem.Copy("A", "O")
    sem.ImageShiftByMicrons(0.07, -0.04)
    sem.R()
    assert sem.AlignTo("O") == 0.0
    sem.R()
    assert seen(session, "O") == pytest.approx((0.0, 0.0), abs=0.003)


def test_the_alignment_shift_moves_content_onto_the_reference(sem, session: Session) -> None:
    sem.R()
    sem.Copy("A", "O")
    sem.ImageShiftByMicrons(0.10, 0.06)
    sem.R()
    sem.AlignTo("O", 1)
    values = sem.ReportAlignShift()
    specimen = matrix(sem.CameraToSpecimenMatrix(0)) @ values[:2]
    assert specimen == pytest.approx((0.10, 0.06), abs=0.03)
    assert values[4:] == pytest.approx(1000 * specimen)
    assert min(values[2:4]) >= 0.0
    # By the opposite image shift the next image would be aligned.
    units = matrix(sem.ISToSpecimenMatrix(0)) @ sem.ReportISforBufferShift()
    assert units == pytest.approx(-specimen)


def test_reported_shifts_accumulate(sem) -> None:
    assert sem.ReportAlignShift() is None and sem.ReportISforBufferShift() is None
    sem.R()
    sem.Copy("A", "O")
    sem.ImageShiftByMicrons(0.05, 0.0)
    sem.R()
    sem.AlignTo("O", 1)
    once = sem.ReportAlignShift()[:2]
    sem.ReportISforBufferShift()
    assert sem.ReportAccumShift() == pytest.approx((2 * once[0], 2 * once[1]))
    sem.ResetAccumShift()
    assert sem.ReportAccumShift() == (0.0, 0.0)
    sem.ClearAlignment()
    assert sem.ReportAlignShift()[:2] == (0.0, 0.0)


def test_clearing_the_alignment_undoes_its_image_shift(sem) -> None:
    sem.R()
    sem.Copy("A", "O")
    sem.ImageShiftByMicrons(0.05, 0.02)
    sem.R()
    before = sem.ReportSpecimenShift()
    sem.AlignTo("O")
    assert sem.ReportSpecimenShift() != pytest.approx(before, abs=1e-3)
    sem.ClearAlignment()
    assert sem.ReportSpecimenShift() == pytest.approx(before)
    sem.R()
    sem.AlignTo("O")
    kept = sem.ReportSpecimenShift()
    sem.ClearAlignment(1)
    assert sem.ReportSpecimenShift() == pytest.approx(kept)


def test_the_limit_of_an_alignment_counts_once(sem) -> None:
    sem.R()
    sem.Copy("A", "O")
    sem.ImageShiftByMicrons(0.15, 0.0)
    sem.R()
    before = sem.ReportImageShift()
    sem.LimitNextAutoAlign(0.05)
    assert sem.AlignTo("O") == -1.0
    assert sem.ReportImageShift() == before
    assert sem.AlignTo("O") == 0.0


def test_pixels_are_unbinned_with_y_up(sem, session: Session) -> None:
    index = session.world.mag_index
    pixel, theta = session.world.pixel_um(index), math.radians(session.world.rotation_deg(index))
    sem.ImageShiftByPixels(300, 200)
    c, s = math.cos(theta), math.sin(theta)
    expected = (pixel * (300 * c + 200 * s), pixel * (-300 * s + 200 * c))
    assert sem.ReportSpecimenShift() == pytest.approx(expected, rel=1e-6)
    assert sem.ReportImageShift()[2:4] == pytest.approx((-300, -200))


@pytest.mark.parametrize("tilt", [0.0, 40.0, -50.0])
def test_resetting_image_shift_keeps_place_and_defocus(make_session: MakeSession, tilt: float) -> None:
    session = make_session(stage="ideal")
    sem = make_module(session)
    sem.TiltTo(tilt)
    sem.ImageShiftByMicrons(1.0, 2.0)
    sem.V()
    sem.Copy("A", "O")
    sem.R()
    before = session.buffers.get("A").shot
    stage = np.array(sem.ReportStageXYZ()[:2]) + sem.ReportImageShift()[4:]
    sem.ResetImageShift()
    assert sem.ReportSpecimenShift() == pytest.approx((0.0, 0.0), abs=1e-9)
    assert sem.ReportStageXYZ()[:2] == pytest.approx(stage)
    sem.R()
    after = session.buffers.get("A").shot
    assert before is not None and after is not None
    x, y, _ = after.pose.where(before.pose.centre_um)
    assert (x, y) == pytest.approx((0.0, 0.0), abs=0.06)
    assert after.pose.defocus_um == pytest.approx(before.pose.defocus_um, abs=0.1)


def test_stage_differences_allow_for_the_tilt(make_session: MakeSession) -> None:
    session = make_session(stage="ideal")
    sem = make_module(session)
    sem.TiltTo(60)
    assert sem.ImageShiftByStageDiff(1.0, 2.0) == 0.0
    assert sem.ReportImageShift()[4:] == pytest.approx((1.0, 2.0))
    assert sem.ReportSpecimenShift() == pytest.approx((-1.0, -1.0), abs=0.05)


def test_centring_a_pixel_by_the_stage(make_session: MakeSession) -> None:
    session = make_session(stage="ideal")
    sem = make_module(session)
    sem.V()
    sem.Copy("A", "O")
    sem.TiltTo(30)
    sem.V()
    sem.Copy("A", "P")
    sem.StageShiftByPixels(400, 250)
    sem.V()
    pixel = session.world.pixel_um(session.world.mag_index)
    expected = -pixel * np.array([400, 250])
    theta = math.radians(session.world.rotation_deg(session.world.mag_index))
    c, s = math.cos(theta), math.sin(theta)
    turned = (c * expected[0] + s * expected[1], -s * expected[0] + c * expected[1])
    assert seen(session, "P") == pytest.approx(turned, abs=0.05)


@pytest.mark.parametrize("stage", STAGES)
def test_displayed_zero_lies_on_the_tilt_axis(make_session: MakeSession, stage: str) -> None:
    session = make_session(stage=stage)
    sem = make_module(session)
    offset = session.world.config.stage.measured_axis_offset_um
    sem.GoToLowDoseArea("R")
    raw = session.world.image_shift
    assert sem.ReportImageShift()[:2] == pytest.approx((0.0, 0.0), abs=1e-9)
    index = session.world.mag_index
    assert shifts.times(session.world.is_to_specimen(index), raw) == pytest.approx((0.0, offset), abs=1e-9)
    reported = sem.ReportTiltAxisOffset()
    assert reported[0] == offset and reported[5] == 1.0
    assert reported[3:5] == pytest.approx(raw)
    sem.SetUserSetting("ShiftToTiltAxis", 0)
    assert session.world.image_shift == pytest.approx((0.0, 0.0), abs=1e-9)
    assert sem.ReportImageShift()[:2] == pytest.approx((0.0, 0.0), abs=1e-9)
    sem.SetUserSetting("ShiftToTiltAxis", 1)
    sem.SetTiltAxisOffset(offset + 1.0)
    raw = shifts.times(session.world.is_to_specimen(index), session.world.image_shift)
    assert raw == pytest.approx((0.0, offset + 1.0))
    with pytest.raises(sem.SEMerror):
        sem.SetTiltAxisOffset(26)


def test_a_low_dose_area_keeps_the_specimen_shift(sem, session: Session) -> None:
    sem.GoToLowDoseArea("R")
    sem.ImageShiftByMicrons(1.2, -0.8)
    sem.GoToLowDoseArea("V")
    assert session.world.mag_index == session.low_dose.areas["V"].mag_index
    assert sem.ReportSpecimenShift() == pytest.approx((1.2, -0.8))
    sem.GoToLowDoseArea("F")
    assert sem.ReportSpecimenShift() == pytest.approx((1.2, -0.8))
    sem.GoToLowDoseArea("R")
    assert sem.ReportSpecimenShift() == pytest.approx((1.2, -0.8))


def test_focus_and_trial_lie_along_the_tilt_axis(make_session: MakeSession) -> None:
    session = make_session(stage="ideal")
    sem = make_module(session)
    sem.R()
    sem.Copy("A", "O")
    sem.F()
    # The Record centre lies to the left of the Focus centre by the axis position.
    position = sem.ReportAxisPosition("F")[0]
    assert seen(session, "O") == pytest.approx((-position, 0.0), abs=0.05)
    sem.SetAxisPosition("T", -4.0)
    sem.T()
    assert seen(session, "O") == pytest.approx((4.0, 0.0), abs=0.08)
    sem.OppositeTrial()
    assert seen(session, "O") == pytest.approx((-4.0, 0.0), abs=0.08)
    with pytest.raises(sem.SEMerror):
        sem.SetAxisPosition("T", 20)


def test_the_limit_includes_the_hidden_parts(make_session: MakeSession) -> None:
    session = make_session(stage="ideal")
    sem = make_module(session)
    limit, _ = sem.ReportMaxImageShift(0)
    sem.SetTiltAxisOffset(10)
    assert sem.ImageShiftByMicrons(0, limit - 9.9) == 1.0
    assert sem.ImageShiftByMicrons(0, limit - 10.1) == 0.0
    # The absolute command tests the requested value alone.
    units = matrix(sem.SpecimenToISMatrix(0)) @ [0, limit - 0.1]
    assert sem.SetImageShift(*units) == 0.0
    sem.SetProperty("ImageShiftLimit", 5)
    assert sem.ReportMaxImageShift(0)[0] == 5.0


def test_pretilted_stage_height_moves_the_image(make_session: MakeSession) -> None:
    session = make_session(stage="ideal")
    sem = make_module(session)
    sem.TiltTo(30)
    sem.V()
    sem.Copy("A", "O")
    sem.MoveStage(0, 0, 1.0)
    sem.V()
    # Raising the stage while tilted by a positive angle moves the image toward -Y: y' = y cos a - z sin a.
    assert seen(session, "O") == pytest.approx((0.0, -0.5), abs=0.05)


def test_the_axis_offset_is_a_property_too(make_session: MakeSession) -> None:
    session = make_session()
    sem = make_module(session)
    assert sem.ReportProperty("TiltAxisOffset") == sem.ReportTiltAxisOffset()[0] != 0.0
    raw = shifts.specimen_shift_um(session)
    sem.SetProperty("tiltaxisoffset", 3)
    assert sem.ReportTiltAxisOffset()[0] == sem.ReportProperty("TiltAxisOffset") == 3.0
    assert shifts.specimen_shift_um(session) == pytest.approx(raw)
    centre = matrix(sem.ISToSpecimenMatrix(0)) @ session.world.image_shift
    assert tuple(centre) == pytest.approx((0.0, 3.0))


def test_limits_of_the_program_and_of_the_stage(make_session: MakeSession) -> None:
    session = make_session()
    sem = make_module(session)
    sem.SetProperty("MaximumTiltAngle", 80)
    for tilt in (sem.TiltTo, sem.WalkUpTo):
        with pytest.raises(sem.SEMerror):
            tilt(75)
    sem.SetProperty("StageLimits", 100)
    sem.MoveStageTo(-99, 99)
    with pytest.raises(sem.SEMerror):
        sem.MoveStageTo(0, 101)
    low = min(mag.index for mag in session.scope.magnifications)
    assert sem.ReportMaxImageShift(low)[0] == 150.0 > sem.ReportMaxImageShift(0)[0]
    with pytest.raises(sem.SEMerror):
        sem.ReportMaxImageShift(99)


@pytest.mark.parametrize("mirrored_stage", ["ideal", "cryoarm"])
def test_moving_an_area_while_in_it_moves_the_next_image(
    make_session: MakeSession, mirrored_stage: str
) -> None:
    session = make_session(stage=mirrored_stage)
    sem = make_module(session)
    sem.R()
    sem.Copy("A", "O")
    sem.F()
    sem.SetAxisPosition("F", 4.0)
    assert sem.ReportSpecimenShift() == pytest.approx((0.0, 0.0), abs=1e-6)
    sem.F()
    assert seen(session, "O") == pytest.approx((-4.0, 0.0), abs=0.1)
    sem.R()
    assert seen(session, "O") == pytest.approx((0.0, 0.0), abs=0.02)
    sem.V()
    sem.Copy("A", "N")
    assert sem.ReportLDShiftOffset(-1) == (0.0, 0.0)
    sem.SetLowDoseShiftOffset(0, 1.0, -0.5)
    assert sem.ReportLDShiftOffset(-1) == (1.0, -0.5) == sem.ReportLDShiftOffset(0)
    assert sem.ReportSpecimenShift() == pytest.approx((0.0, 0.0), abs=1e-6)
    sem.V()
    assert seen(session, "N") == pytest.approx((-1.0, 0.5), abs=0.05)
    with pytest.raises(sem.SEMerror):
        sem.ReportLDShiftOffset(2)
