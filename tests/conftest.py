"""What all tests share: Hypothesis profiles, the way to `strategies`, real files where they are at hand."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import settings

HERE = Path(__file__).resolve().parent
# Tests are imported from their files, so the module of strategies has to be found by its own name.
sys.path.append(str(HERE))
sys.path.append(str(HERE / "mock_serialem"))

# A program started in the background ignores Ctrl-C, and so would all that tests start to interrupt it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("default", derandomize=True, deadline=None, max_examples=60)
settings.register_profile("ci", derandomize=True, deadline=None, max_examples=100)
settings.register_profile("nightly", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(scope="session")
def samples() -> Path:
    """Folder of sample files from real microscopes; tests that need them are skipped where there is none."""
    folder = Path(os.environ.get("PACETOMO_SAMPLES", HERE.parent.parent / "shared" / "samples"))
    if not folder.is_dir():
        pytest.skip(
            f"sample files of real microscopes are not at hand: no folder {folder} (set PACETOMO_SAMPLES)"
        )
    return folder
