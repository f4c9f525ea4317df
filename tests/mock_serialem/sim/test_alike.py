"""Holes look alike: an image of one may be aligned to an image of another."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from mock_serialem.module import make_module
from mock_serialem.session import Session
from mock_serialem.sim.alike import nearest_alike_um
from mock_serialem.sim.profiles import IDEAL, KRIOS_SCOPE
from mock_serialem.sim.sample import HoleySpec, LamellaSpec, SampleSpec, Sheet
from mock_serialem.sim.truth import TruthLog
from mock_serialem.sim.world import World, WorldConfig

A, B = np.array([2.98, 0.34]), np.array([-0.34, 2.98])


def offset_um(folder: Path, sample: SampleSpec, shift: np.ndarray, fidelity: str) -> np.ndarray | None:
    """What AlignTo finds in View, of an image taken `shift` away from the reference, within 1.3 µm."""
    world = World(WorldConfig(sample, IDEAL, KRIOS_SCOPE, 3, fidelity), TruthLog())
    session = Session(world, folder)
    sem = make_module(session)
    sem.SetLowDoseMode(1)
    sem.GoToLowDoseArea("V")
    sem.SetDefocus(-20)
    sem.V()
    sem.Copy("A", "P")
    sem.ImageShiftByMicrons(*shift.tolist())
    sem.V()
    sem.LimitNextAutoAlign(1.3)
    if sem.AlignTo("P", 1) == -1.0:
        return None
    x, y = sem.ReportISforBufferShift()
    m = sem.ISToSpecimenMatrix(0)
    return np.array([x * m[0] + y * m[1], x * m[2] + y * m[3]])


@pytest.mark.parametrize("beside", [np.array([0.4, -0.3]), np.array([-0.5, 0.2])])
@pytest.mark.parametrize("holes", [A, -B, 2 * A + B])
def test_the_nearest_hole_is_found(tmp_path: Path, holes: np.ndarray, beside: np.ndarray) -> None:
    found = offset_um(tmp_path, HoleySpec(), holes + beside, "kinematic")
    assert found == pytest.approx(-beside, abs=0.15)


@pytest.mark.slow
def test_rendered_images_are_aligned_to_the_nearest_hole_too(tmp_path: Path) -> None:
    beside = np.array([0.4, -0.3])
    found = offset_um(tmp_path, HoleySpec(), A + B + beside, "rendered")
    assert found == pytest.approx(-beside, abs=0.15)


def test_a_shift_within_the_limit_is_the_true_one(tmp_path: Path) -> None:
    found = offset_um(tmp_path, HoleySpec(), np.array([0.9, 0.6]), "kinematic")
    assert found == pytest.approx([-0.9, -0.6], abs=0.15)


def test_between_holes_none_is_near_enough(tmp_path: Path) -> None:
    assert offset_um(tmp_path, HoleySpec(), 3.5 * A + 0.5 * B, "kinematic") is None


def test_a_lamella_has_nothing_alike(tmp_path: Path) -> None:
    assert offset_um(tmp_path, LamellaSpec(), A, "kinematic") is None


def test_a_small_field_shows_no_lattice() -> None:
    world = World(WorldConfig(HoleySpec(), IDEAL, KRIOS_SCOPE, 0, "kinematic"), TruthLog())
    pose = world.pose("V")
    sheet = Sheet(HoleySpec(), 0)
    assert nearest_alike_um(sheet, 0, pose, pose, 1.2) is None
    found = nearest_alike_um(sheet, 0, pose, pose, 12.0)
    assert found is not None and math.hypot(*found) < 1e-6
