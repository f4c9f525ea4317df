"""Both tracking models on the same rehearsed sessions, and the joint one's own time per exposure.

`python benchmarks/tracking.py [SEEDS [STAGE …]]` rehearses kinematic sessions, seed by seed, with either model and
compares where the targets really were, from the simulator's truth log: residual at exposure of all targets but the
tracking one (nm), share of targets lost (off by more than half a micrometre in their last image of a branch), and
defocus less the wanted one (µm). Ratios joint / single carry 90 % intervals from drawing sessions anew. SEEDS is how
many (default 3), from 101 on.
"""

from __future__ import annotations

import json
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pacetomo.errors import PaceError
from pacetomo.frames import XY
from pacetomo.joint import JointModel
from pacetomo.rehearse import STAGES, Rehearsal, rehearse
from pacetomo.schemes import DoseSymmetric
from pacetomo.tracking import Observation, Start

FIRST_SEED = 101
LOST_UM = 0.5
WANTED_UM = -5.0

SCENARIOS = {
    "lamella": ("lamella", ()),
    "lamella, pretilt wrong by 4 degrees": ("lamella", ("pretilt=-13",)),
    "holey": ("holey", ()),
    "holey, no measured defocus": ("holey", ("doCtfPlotter=False",)),
}


class Figures(NamedTuple):
    """One session or several: residuals (nm), defocus errors (µm), share of branches lost."""

    x_nm: np.ndarray
    y_nm: np.ndarray
    focus_um: np.ndarray
    lost: float

    def named(self) -> dict[str, float]:
        total = np.hypot(self.x_nm, self.y_nm)
        return {
            "x rms": float(np.sqrt(np.mean(self.x_nm**2))),
            "y rms": float(np.sqrt(np.mean(self.y_nm**2))),
            "median": float(np.median(total)),
            "95 %": float(np.percentile(total, 95)),
            "max": float(total.max()),
            "focus rms": float(np.sqrt(np.mean(self.focus_um**2))),
            "lost %": 100 * self.lost,
        }


def session(stage: str, sample: str, settings: tuple[str, ...], seed: int, tracker: str) -> Figures:
    """Rehearse and read the truth."""
    with tempfile.TemporaryDirectory() as name:
        wanted = Rehearsal(
            Path(name) / "session",
            sample=sample,
            stage=stage,
            fidelity="kinematic",
            seed=seed,
            overrides=(*settings, f"tracker={tracker}", "sortByTilt=False"),
        )
        outcome = rehearse(wanted)
        return read_truth(outcome.truth)


def read_truth(path: Path) -> Figures:
    """Figures of all targets but the first, without their first images."""
    images = []
    for line in path.read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        series = re.search(r"_ts_(\d+)\.mrc$", str(event.get("file")))
        if event["event"] != "saved" or series is None or int(series[1]) == 1:
            continue
        if event["section"] > 0 and event["residual_x_um"] is not None:
            images.append((int(series[1]), event))
    start_deg = statistics.median(event["tilt_nominal_deg"] for _, event in images)
    last = {(number, event["tilt_nominal_deg"] > start_deg): event for number, event in images}
    lost = [np.hypot(e["residual_x_um"], e["residual_y_um"]) > LOST_UM for e in last.values()]
    return Figures(
        np.array([1000 * event["residual_x_um"] for _, event in images]),
        np.array([1000 * event["residual_y_um"] for _, event in images]),
        np.array([event["defocus_um"] - WANTED_UM for _, event in images]),
        float(np.mean(lost)),
    )


def pooled(parts: list[Figures]) -> Figures:
    """Several sessions as one."""
    arrays = [np.concatenate([part[n] for part in parts]) for n in range(3)]
    return Figures(*arrays, float(np.mean([part.lost for part in parts])))


def interval(single: list[Figures], joint: list[Figures], name: str) -> tuple[float, float]:
    """90 % interval of a ratio, by drawing sessions with replacement."""
    rng = np.random.default_rng(0)
    ratios = []
    for _ in range(200):
        drawn = rng.integers(0, len(single), len(single))
        below = pooled([single[n] for n in drawn]).named()[name]
        ratios.append(pooled([joint[n] for n in drawn]).named()[name] / below if below else np.nan)
    return float(np.nanpercentile(ratios, 5)), float(np.nanpercentile(ratios, 95))


def compare(stage: str, scenario: str, seeds: range) -> None:
    """Print the figures of a scenario."""
    sample, settings = SCENARIOS[scenario]
    results: dict[str, list[Figures]] = {"single": [], "joint": []}
    for seed in seeds:
        try:
            pair = {tracker: session(stage, sample, settings, seed, tracker) for tracker in results}
        except PaceError as err:
            print(f"  seed {seed} left out: {err}")
            continue
        for tracker, figures in pair.items():
            results[tracker].append(figures)
    if not results["single"]:
        return
    print(f"{stage}, {scenario}, {len(results['single'])} sessions", flush=True)
    old, new = (pooled(results[tracker]).named() for tracker in ("single", "joint"))
    for name, before in old.items():
        line = f"  {name:<10} {before:9.3f} -> {new[name]:9.3f}"
        if before > 0:
            low, high = interval(results["single"], results["joint"], name)
            line += f"   x {new[name] / before:5.2f}  ({low:.2f} ... {high:.2f})"
        print(line, flush=True)


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
    seeds = range(FIRST_SEED, FIRST_SEED + (int(sys.argv[1]) if len(sys.argv) > 1 else 3))
    for count in (10, 100, 400):
        time_per_exposure(count)
    for stage in sys.argv[2:] or STAGES:
        for scenario in SCENARIOS:
            compare(stage, scenario, seeds)


if __name__ == "__main__":
    main()
