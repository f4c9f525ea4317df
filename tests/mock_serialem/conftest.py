"""Sessions on small worlds for the tests of the SerialEM face."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from mock_serialem.answers import Operator
from mock_serialem.module import make_module
from mock_serialem.session import Session, SessionOptions
from mock_serialem.sim.world import make_world

MakeSession = Callable[..., Session]


@pytest.fixture
def make_session(tmp_path: Path) -> MakeSession:
    def make(
        fidelity: str = "kinematic",
        stage: str = "krios",
        sample: str = "lamella",
        seed: int = 3,
        operator: Operator | None = None,
        options: SessionOptions | None = None,
    ) -> Session:
        world = make_world(sample, stage, seed, fidelity)
        return Session(world, tmp_path / "session", options, operator)

    return make


@pytest.fixture
def session(make_session: MakeSession) -> Session:
    return make_session()


@pytest.fixture
def sem(session: Session) -> ModuleType:
    return make_module(session)
