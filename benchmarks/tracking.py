"""Both trackers on the same simulated sessions, and the joint one's own time per exposure.

`python benchmarks/tracking.py [--seeds N] [--first SEED] [--stages …] [--scenarios …]` acquires kinematic sessions,
seed by seed, with either tracker and compares where the targets really were, from the simulator's truth log: residual
at exposure of all targets but the tracking one (nm), share of branches that ended lost (the target off by more than
half a micrometre in their last image, or without any image), and defocus less the wanted one (µm). Ratios joint /
single carry 90 % intervals from drawing sessions anew.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mock_serialem.faults import FaultPlan, fault_from
from mock_serialem.module import make_module
from mock_serialem.sim.camera import Camera, Frame
from mock_serialem.sim.world import World, make_world
from pacetomo.acquire import acquire_area
from pacetomo.area_files import AreaFiles
from pacetomo.errors import PaceError
from pacetomo.frames import XY
from pacetomo.joint import JointModel
from pacetomo.rehearse import STAGES, Rehearsal, choose_targets, open_session
from pacetomo.schemes import DoseSymmetric
from pacetomo.scope.serialem_scope import SerialEMScope
from pacetomo.tracking import Observation, Start

LOST_UM = 0.5
WANTED_UM = -5.0
FEATURELESS_FROM_DEG = 45.0
FEATURELESS_REACH_UM = 0.5


class Scenario(NamedTuple):
    """A kind of session: sample, settings, faults (as in a faults file), share of targets that lose all contrast."""

    sample: str
    settings: tuple[str, ...] = ()
    faults: tuple[dict[str, Any], ...] = ()
    featureless: float = 0.0


_NO_DEFOCUS = ("doCtfPlotter=False",)

SCENARIOS = {
    "lamella": Scenario("lamella"),
    "pretilt wrong by 4 degrees": Scenario("lamella", ("pretilt=-13",)),
    "holey": Scenario("holey"),
    "lamella without measured defocus": Scenario("lamella", _NO_DEFOCUS),
    "holey without measured defocus": Scenario("holey", _NO_DEFOCUS),
    "a fifth of targets without contrast": Scenario("lamella", featureless=0.2),
    # Half-way through 41 tilts of ten targets; the stage is somewhere else afterwards.
    "stage moved in the middle": Scenario(
        "lamella",
        (),
        ({"kind": "stage_jump", "command": "TiltTo", "call": 25, "shift_um": [0.2, -0.3, 0.2]},),
    ),
    "false peaks": Scenario(
        "lamella",
        (),
        ({"kind": "missed_alignment", "command": "AlignTo", "probability": 0.02, "shift_um": [0.25, 0.2]},),
    ),
}


class Figures(NamedTuple):
    """One session or several: residuals (nm), defocus errors (µm), share of branches lost."""

    x_nm: np.ndarray
    y_nm: np.ndarray
    focus_um: np.ndarray
    first_nm: np.ndarray
    lost: float

    def named(self) -> dict[str, float]:
        total = np.hypot(self.x_nm, self.y_nm)
        return {
            "median": float(np.median(total)),
            "95 %": float(np.percentile(total, 95)),
            "max": float(total.max()),
            "first of second branch": float(np.median(self.first_nm)),
            "focus rms": float(np.sqrt(np.mean(self.focus_um**2))),
            "lost %": 100 * self.lost,
        }


RATIOS = ("median", "95 %", "focus rms", "lost %")


class DimCamera(Camera):
    """A camera on whose images some places show nothing at high tilt."""

    places: tuple[tuple[float, float], ...] = ()

    def take(self, setup: Any, pose: Any, placement: Any, rendered: bool) -> Frame:
        frame = super().take(setup, pose, placement, rendered)
        x, y, _ = pose.centre_um
        near = any(np.hypot(x - px, y - py) < FEATURELESS_REACH_UM for px, py in self.places)
        dim = near and abs(pose.tilt_nominal_deg) > FEATURELESS_FROM_DEG
        return replace(frame, contrast=0.2 * frame.contrast) if dim else frame


def session(stage: str, scenario: Scenario, seed: int, tracker: str, folder: Path) -> Figures:
    """Acquire an area and read the truth."""
    overrides = (*scenario.settings, f"tracker={tracker}", "sortByTilt=False")
    wanted = Rehearsal(folder, sample=scenario.sample, overrides=overrides)
    name, targets = choose_targets(wanted)
    folder.mkdir()
    world = make_world(scenario.sample, stage, seed, "kinematic", folder / "truth.jsonl")
    program = open_session(world, AreaFiles(folder / name), targets)
    if scenario.featureless:
        _dim(world, round(scenario.featureless * len(targets.targets)))
    program.inject(FaultPlan(tuple(fault_from(fault) for fault in scenario.faults), seed))
    scope = SerialEMScope(make_module(program))
    try:
        acquire_area(scope, scope.item(), None, {})
    finally:
        world.truth.close()
    return read_truth(folder / "truth.jsonl", len(targets.targets))


def _dim(world: World, count: int) -> None:
    """Take the contrast at high tilt from the last `count` targets, where their references were taken."""
    places = [
        (event["sample_x_um"], event["sample_y_um"])
        for event in world.truth.events
        if event["event"] == "saved" and re.search(r"_tgt_\d+\.mrc$", event["file"])
    ]
    camera = world._camera
    camera.__class__ = DimCamera
    camera.places = tuple(places[-count:])  # type: ignore[attr-defined]


def read_truth(path: Path, targets: int) -> Figures:
    """Figures of all targets but the first, without their first images."""
    images = []
    for line in path.read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        series = re.search(r"_ts_(\d+)\.mrc$", str(event.get("file")))
        if event["event"] != "saved" or series is None or int(series[1]) == 1:
            continue
        if event["section"] > 0 and event["residual_x_um"] is not None:
            images.append((int(series[1]), event))
    tilts = [event["tilt_nominal_deg"] for _, event in images]
    start_deg = (max(tilts) + min(tilts)) / 2
    order = list(dict.fromkeys(tilts))
    second_up = order[0] < start_deg
    second_deg = next(tilt for tilt in order if (tilt > start_deg) == second_up)
    last: dict[tuple[int, bool], dict[str, Any]] = {}
    for number, event in images:
        last[number, event["tilt_nominal_deg"] > start_deg] = event
    lost = [_off_um(event) > LOST_UM for event in last.values()]
    return Figures(
        np.array([1000 * event["residual_x_um"] for _, event in images]),
        np.array([1000 * event["residual_y_um"] for _, event in images]),
        np.array([event["defocus_um"] - WANTED_UM for _, event in images]),
        np.array([1000 * _off_um(event) for _, event in images if event["tilt_nominal_deg"] == second_deg]),
        (sum(lost) + 2 * (targets - 1) - len(lost)) / (2 * (targets - 1)),
    )


def _off_um(event: dict[str, Any]) -> float:
    return float(np.hypot(event["residual_x_um"], event["residual_y_um"]))


def pooled(parts: Sequence[Figures]) -> Figures:
    """Several sessions as one."""
    arrays = [np.concatenate([part[n] for part in parts]) for n in range(4)]
    return Figures(*arrays, float(np.mean([part.lost for part in parts])))


def interval(single: Sequence[Figures], joint: Sequence[Figures], name: str) -> tuple[float, float]:
    """90 % interval of a ratio, by drawing sessions with replacement."""
    rng = np.random.default_rng(0)
    ratios = []
    for _ in range(200):
        drawn = rng.integers(0, len(single), len(single))
        below = pooled([single[n] for n in drawn]).named()[name]
        ratios.append(pooled([joint[n] for n in drawn]).named()[name] / below if below else np.nan)
    return float(np.nanpercentile(ratios, 5)), float(np.nanpercentile(ratios, 95))


def one(job: tuple[str, str, int, str]) -> tuple[Figures | None, str]:
    """Figures of one session; None and why if it did not come about."""
    stage, scenario, seed, tracker = job
    with tempfile.TemporaryDirectory() as name:
        try:
            return session(stage, SCENARIOS[scenario], seed, tracker, Path(name) / "session"), ""
        except PaceError as err:
            return None, str(err)


def compare(stage: str, scenario: str, results: dict[str, list[Figures]]) -> None:
    """Print the figures of a scenario."""
    print(f"{stage}, {scenario}, {len(results['single'])} sessions", flush=True)
    old, new = (pooled(results[tracker]).named() for tracker in ("single", "joint"))
    for name, before in old.items():
        line = f"  {name:<22} {before:9.3f} -> {new[name]:9.3f}"
        if before > 0 and name in RATIOS:
            low, high = interval(results["single"], results["joint"], name)
            line += f"   x {new[name] / before:5.2f}  ({low:.2f} ... {high:.2f})"
        print(line, flush=True)


def run(stages: Sequence[str], scenarios: Sequence[str], seeds: Iterable[int], workers: int) -> None:
    """Acquire everything, two sessions at a time, and print each scenario as soon as it is complete."""
    seeds = list(seeds)
    totals: dict[str, list[Figures]] = {"single": [], "joint": []}
    with ProcessPoolExecutor(workers) as pool:
        for stage in stages:
            for scenario in scenarios:
                jobs = [(stage, scenario, seed, tracker) for seed in seeds for tracker in totals]
                found = dict(zip(jobs, pool.map(one, jobs)))
                results: dict[str, list[Figures]] = {"single": [], "joint": []}
                for seed in seeds:
                    pair = {tracker: found[stage, scenario, seed, tracker] for tracker in totals}
                    for tracker, (_, why) in pair.items():
                        if why:
                            print(f"  {stage}, {scenario}, seed {seed}, {tracker}: {why}")
                    if all(figures is not None for figures, _ in pair.values()):
                        for tracker, (figures, _) in pair.items():
                            results[tracker].append(figures)  # type: ignore[arg-type]
                if results["single"]:
                    compare(stage, scenario, results)
                    for tracker in totals:
                        totals[tracker] += results[tracker]
    if len(stages) * len(scenarios) > 1 and totals["single"]:
        compare("all", "all", totals)


def time_per_exposure(count: int) -> None:
    """Print the joint model's time for aim, measurement and tilt change, with one image in a hundred misaligned."""
    rng = np.random.default_rng(count)
    starts = {}
    for number in range(1, count + 1):
        place = XY(*rng.uniform(-9, 9, 2).tolist())
        starts[number] = Start(place, place.y, 0.0, is_found=True)
    model, times_ms, tilts_ms, clock_s = JointModel(starts, 0.0), [], [], 0.0
    for stop in DoseSymmetric(0.0, -60.0, 60.0, 3.0, 2).stops():
        begun = time.perf_counter()
        model.begin_tilt(stop.tilt_deg, stop.branch)
        tilts_ms.append(1000 * (time.perf_counter() - begun))
        stage = rng.normal(0, 0.02, 2)
        for number, start in starts.items():
            begun = time.perf_counter()
            aim = model.aim(number, stop.tilt_deg, stop.branch)
            cosine = np.cos(np.radians(stop.tilt_deg))
            found = XY(start.shift_um.x, start.n0_um * cosine).plus(XY(*(stage + rng.normal(0, 0.006, 2))))
            residual = found.minus(aim.shift_um)
            if rng.random() < 0.01:
                residual = residual.plus(XY(0.3, -0.2))
            clock_s += 8.0
            model.observe(
                Observation(number, stop.tilt_deg, stop.branch, aim.shift_um, residual, 0.0, clock_s)
            )
            times_ms.append(1000 * (time.perf_counter() - begun))
    print(
        f"{count:4d} targets: median {statistics.median(times_ms):.2f} ms per exposure, "
        f"worst {max(times_ms):.0f} ms, at a change of tilt {max(tilts_ms):.0f} ms at most",
        flush=True,
    )


def main() -> None:
    """Measure and print."""
    choose = partial(argparse.ArgumentParser.add_argument, nargs="*")
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3, help="sessions of each kind (default: 3)")
    parser.add_argument("--first", type=int, default=101, help="first seed (default: 101)")
    parser.add_argument("--workers", type=int, default=2, help="sessions at a time (default: 2)")
    parser.add_argument("--no-times", action="store_true", help="leave out the time per exposure")
    choose(parser, "--stages", choices=STAGES, default=STAGES)
    choose(parser, "--scenarios", choices=tuple(SCENARIOS), default=tuple(SCENARIOS))
    options = parser.parse_args()
    if not options.no_times:
        for count in (10, 100, 400):
            time_per_exposure(count)
    seeds = range(options.first, options.first + options.seeds)
    run(options.stages, options.scenarios, seeds, options.workers)


if __name__ == "__main__":
    main()
