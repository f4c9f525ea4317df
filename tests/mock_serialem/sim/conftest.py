"""Worlds without errors of stage and calibration, so that geometry can be checked to rounding."""

from __future__ import annotations

import dataclasses
from typing import Any, Callable

import pytest

from mock_serialem.sim.profiles import IDEAL, KRIOS_SCOPE
from mock_serialem.sim.sample import HoleySpec, LamellaSpec, SampleSpec
from mock_serialem.sim.shot import ExposureSetup
from mock_serialem.sim.truth import TruthLog
from mock_serialem.sim.world import World, WorldConfig

PERFECT_SCOPE = dataclasses.replace(
    KRIOS_SCOPE,
    calibration_scale_error=0.0,
    calibration_rotation_error_deg=0.0,
    focus_zero_um=0.0,
    focus_wander_um=0.0,
    area_misalignment_um={},
    area_defocus_error_um={},
)
FLAT_LAMELLA = LamellaSpec(pretilt_deg=0.0, rotation_deg=0.0, curvature_um=(0.0, 0.0))

MakeWorld = Callable[..., World]
MakeSetup = Callable[..., ExposureSetup]


@pytest.fixture
def flat_lamella() -> LamellaSpec:
    return FLAT_LAMELLA


@pytest.fixture
def clean_holey() -> HoleySpec:
    return HoleySpec(contamination_per_um2=0.0)


@pytest.fixture
def make_ideal() -> MakeWorld:
    """World of an errorless stage and column: sample, then changes of stage and microscope as dicts."""

    def make(
        sample: SampleSpec = FLAT_LAMELLA,
        stage: dict[str, Any] | None = None,
        scope: dict[str, Any] | None = None,
        fidelity: str = "kinematic",
        seed: int = 0,
    ) -> World:
        config = WorldConfig(
            sample,
            dataclasses.replace(IDEAL, **(stage or {})),
            dataclasses.replace(PERFECT_SCOPE, **(scope or {})),
            seed,
            fidelity,
        )
        return World(config, TruthLog(None))

    return make


@pytest.fixture
def record() -> MakeSetup:
    """Exposure settings of a Record image, with changes."""

    def make(**changes: Any) -> ExposureSetup:
        setup = ExposureSetup("R", "R", 27, 4, (1440, 1023), 1.0, 0.0, 3.0, 1.0)
        return dataclasses.replace(setup, **changes)

    return make
