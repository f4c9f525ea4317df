"""What a stage profile is worth: none, the stage's own, and another stage's, on the same simulated sessions.

`python benchmarks/stage_profile.py [--past N] [--seeds N] [--first SEED] [--stages …]` acquires past sessions on one
stage (its wobble and play are kept, everything else is drawn anew), learns a profile from their metadata as `pacetomo
replay --learn` does, and one from another stage of the same kind. New sessions are then acquired with either and with
none. Printed are residuals at exposure (nm): median and 95 % of the tracking target and of the others, and the median
of the tracking target at the first tilt of the second branch.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mock_serialem.module import make_module
from mock_serialem.sim.world import World, make_world
from pacetomo.acquire import acquire_area
from pacetomo.area_files import AreaFiles
from pacetomo.files.stage_profile import write_profile
from pacetomo.rehearse import STAGES, Rehearsal, choose_targets, open_session
from pacetomo.scope.serialem_scope import SerialEMScope
from pacetomo.stage_profiles import learn_from

OTHER_TRAITS = 1000
"""Added to the seed of a stage to get another one."""


class Wanted(NamedTuple):
    """A session: kind of stage, seed of the stage itself, seed of all that is drawn, folder, profile ("" for none)."""

    stage: str
    traits: int
    seed: int
    folder: Path
    profile: str = ""


class Figures(NamedTuple):
    """Residuals (nm) of the tracking target, of the others, and of the former where the second branch begins."""

    tracking: np.ndarray
    others: np.ndarray
    first: np.ndarray
    dropped: float


def acquire(wanted: Wanted) -> Figures:
    """Acquire a session and read the truth."""
    overrides = (
        "tracker=joint",
        "sortByTilt=False",
        *([f"stageProfile={wanted.profile}"] if wanted.profile else []),
    )
    name, targets = choose_targets(Rehearsal(wanted.folder, overrides=overrides, targets=6))
    wanted.folder.mkdir(parents=True)
    world = make_world("lamella", wanted.stage, wanted.seed, "kinematic", wanted.folder / "truth.jsonl")
    _use_stage(world, wanted)
    scope = SerialEMScope(make_module(open_session(world, AreaFiles(wanted.folder / name), targets)))
    try:
        acquire_area(scope, scope.item(), None, {})
    finally:
        world.truth.close()
    journal = next(wanted.folder.glob("*_run01.jsonl")).read_text(encoding="utf-8")
    return _figures(wanted.folder / "truth.jsonl", "the stage profile is not used any more" in journal)


def _use_stage(world: World, wanted: Wanted) -> None:
    """Give the world's stage the lasting traits of another world's."""
    own = make_world("lamella", wanted.stage, wanted.traits, "kinematic").stage
    world.stage._wobble, world.stage._hysteresis = own._wobble, own._hysteresis


def _figures(truth: Path, dropped: bool) -> Figures:
    events = [json.loads(line) for line in truth.read_text(encoding="utf-8").splitlines()]
    saved = [event for event in events if event["event"] == "saved" and "_ts_" in event["file"]]
    start_deg = saved[0]["tilt_nominal_deg"]
    away = [event for event in saved if event["section"] > 0]
    first_up = away[0]["tilt_nominal_deg"] > start_deg
    second_deg = next(
        event["tilt_nominal_deg"] for event in away if (event["tilt_nominal_deg"] > start_deg) != first_up
    )
    tracking, others, first = [], [], []
    for event in away:
        off_nm = 1000 * float(np.hypot(event["residual_x_um"], event["residual_y_um"]))
        is_tracking = event["file"].endswith("_ts_001.mrc")
        (tracking if is_tracking else others).append(off_nm)
        if is_tracking and event["tilt_nominal_deg"] == second_deg:
            first.append(off_nm)
    return Figures(np.array(tracking), np.array(others), np.array(first), float(dropped))


def _learn(stage: str, traits: int, seeds: Sequence[int], folder: Path, workers: int) -> str:
    jobs = [Wanted(stage, traits, seed, folder / f"past_{traits}_{seed}") for seed in seeds]
    with ProcessPoolExecutor(workers) as pool:
        list(pool.map(acquire, jobs))
    profile, _ = learn_from([mdoc for job in jobs for mdoc in sorted(job.folder.glob("*_ts_*.mdoc"))])
    print(f"stage {traits}: {profile.describe()}", flush=True)
    path = folder / f"profile_{traits}.json"
    write_profile(path, profile)
    return str(path)


def compare(stage: str, past: int, seeds: Sequence[int], workers: int) -> None:
    """Acquire, learn, acquire again, and print."""
    with tempfile.TemporaryDirectory() as name:
        folder, traits = Path(name), seeds[0]
        past_seeds = [seeds[-1] + 1 + n for n in range(past)]
        learn = partial(_learn, stage, seeds=past_seeds, folder=folder, workers=workers)
        profiles = {"none": "", "own": learn(traits), "another's": learn(traits + OTHER_TRAITS)}
        for label, profile in profiles.items():
            jobs = [Wanted(stage, traits, seed, folder / f"{label}_{seed}", profile) for seed in seeds]
            with ProcessPoolExecutor(workers) as pool:
                found = list(pool.map(acquire, jobs))
            tracking, others, first = (np.concatenate([each[n] for each in found]) for n in range(3))
            print(
                f"{stage}, profile {label:<10}"
                f" tracking target {np.median(tracking):6.1f} / {np.percentile(tracking, 95):6.1f}"
                f"   others {np.median(others):6.2f} / {np.percentile(others, 95):6.1f}"
                f"   first of second branch {np.median(first):6.1f}"
                f"   dropped in {sum(each.dropped for each in found):.0f} of {len(found)}",
                flush=True,
            )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--past", type=int, default=6, help="sessions to learn from (default: 6)")
    parser.add_argument("--seeds", type=int, default=4, help="sessions to compare (default: 4)")
    parser.add_argument("--first", type=int, default=201, help="first seed (default: 201)")
    parser.add_argument("--workers", type=int, default=2, help="sessions at a time (default: 2)")
    parser.add_argument("--stages", nargs="*", choices=STAGES, default=STAGES)
    options = parser.parse_args()
    for stage in options.stages:
        seeds = range(options.first, options.first + options.seeds)
        compare(stage, options.past, list(seeds), options.workers)


if __name__ == "__main__":
    main()
