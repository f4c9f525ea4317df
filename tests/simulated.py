"""Acquisitions on the simulator in this process, mostly without images, and what its truth log says of them."""

from __future__ import annotations

import json
import re

import numpy as np

from mock_serialem.module import make_module
from mock_serialem.sim.profiles import IDEAL, KRIOS_SCOPE
from mock_serialem.sim.sample import LamellaSpec
from mock_serialem.sim.truth import TruthLog
from mock_serialem.sim.world import World, WorldConfig
from pacetomo.acquire import acquire_area
from pacetomo.area_files import AreaFiles
from pacetomo.rehearse import Rehearsal, choose_targets, open_session
from pacetomo.scope.serialem_scope import SerialEMScope

FLAT = {"curvature_um": (0.0, 0.0)}


def saved(folder, number=None):
    """Saved sections of the tilt series in the truth log, in order; of one target or of all."""
    lines = [json.loads(line) for line in (folder / "truth.jsonl").read_text().splitlines()]
    name = r"_ts_\d+(_-?\d+_-?\d+)?\.mrc$" if number is None else rf"_ts_{number:03d}\."
    return [line for line in lines if line["event"] == "saved" and re.search(name, line["file"])]


def journal_of(files):
    return [json.loads(line) for line in files.journal(1).read_text(encoding="utf-8").splitlines()]


def residuals_nm(folder, number):
    return np.array([(s["residual_x_um"], s["residual_y_um"]) for s in saved(folder, number)]) * 1000


def acquire_on(
    folder,
    sample,
    stage=IDEAL,
    microscope=KRIOS_SCOPE,
    targets=5,
    seed=3,
    edit=None,
    prepare=None,
    fidelity="kinematic",
    script=None,
    **settings,
):
    """Acquire an example on a world of one's own making, without images if not told otherwise, in this process.

    `edit` may change the target set before it is written, `prepare` the session before the script starts; `script` are
    settings of the script.
    """
    config = WorldConfig(sample, stage, microscope, seed, fidelity)
    # The truth log counts residuals from the first image of a series, so that one is left where it is.
    given = {
        "startTilt": 0,
        "minTilt": -30,
        "maxTilt": 60,
        "alignLimit": 0.1,
        "noZeroRecAli": True,
        **settings,
    }
    overrides = tuple(f"{name}={value}" for name, value in given.items())
    kind = "lamella" if isinstance(sample, LamellaSpec) else "holey"
    name, chosen = choose_targets(Rehearsal(folder, sample=kind, targets=targets, overrides=overrides))
    chosen = chosen if edit is None else edit(chosen)
    truth = TruthLog(folder / "truth.jsonl")
    session = open_session(World(config, truth), AreaFiles(folder / name), chosen)
    if prepare is not None:
        prepare(session)
    scope = SerialEMScope(make_module(session))
    acquire_area(scope, scope.item(), None, script or {})
    truth.close()
    return folder
