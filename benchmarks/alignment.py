"""Alignment of tilted images on arrays against SerialEM's AlignTo as simulated.

`python benchmarks/alignment.py [SEEDS]` images one target of each sample at 21 tilts of one branch on an ideal stage,
off its place by a random 30 nm each time. Every way to align follows it with its own chain: AlignTo and the arrays with
one, two and three earlier images. Errors are against the simulator's truth, along the tilt axis (X) and across it (Y):
of one alignment, given where the target truly was in the earlier images, and of the chain at its end. Time is that of a
comparison near by, without SerialEM's commands, against a plain correlation by NumPy of two images of that size, padded
to twice their sides, in the same run.
"""

from __future__ import annotations

import json
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mock_serialem.module import make_module
from mock_serialem.session import Session
from mock_serialem.sim.profiles import IDEAL, KRIOS_SCOPE
from mock_serialem.sim.sample import HoleySpec, LamellaSpec
from mock_serialem.sim.truth import TruthLog
from mock_serialem.sim.world import World, WorldConfig
from pacetomo.correlation import find
from pacetomo.earlier_images import Earlier, conditioned
from pacetomo.frames import ORIGIN, XY
from pacetomo.geometry import SamplePlane
from pacetomo.scope.protocol import Missing
from pacetomo.scope.serialem_scope import SerialEMScope
from pacetomo.sighting import LONGEST_PX, NEAR_UM

SAMPLES = {"lamella": LamellaSpec(), "holey": HoleySpec()}
TILTS_DEG = range(0, 61, 3)
OFF_UM = 0.03
LIMIT_UM = 0.25
"""How far a target is looked for, by AlignTo and, where it is not near by, in the arrays."""


class Series:
    """Images of one target along a branch: pictures, where it truly was in them, and what AlignTo says of each pair."""

    def __init__(self, folder: Path, sample: Any, seed: int) -> None:
        self.slopes = SamplePlane(sample.pretilt_deg, sample.rotation_deg).slopes()
        truth = TruthLog(folder / "truth.jsonl")
        session = Session(World(WorldConfig(sample, IDEAL, KRIOS_SCOPE, seed), truth), folder)
        sem = make_module(session)
        sem.SetLowDoseMode(1)
        scope = SerialEMScope(sem)
        scope.begin(20.0)
        scope.find_eucentric_height()
        path, rng = folder / "bench_ts_001.mrc", np.random.default_rng(seed)
        scope.open_series(path)
        self.pictures: list[Any] = []
        self.by_serialem: list[XY | Missing] = []
        for number, tilt_deg in enumerate(TILTS_DEG):
            scope.tilt_to(float(tilt_deg))
            x_um, y_um = (OFF_UM * rng.standard_normal(2)).tolist() if number else (0.0, 0.0)
            scope.aim(XY(x_um, y_um), -5.0, compensate_beam_tilt=False)
            scope.record("bench")
            self.pictures.append(scope.picture(LONGEST_PX))
            if number:
                self.by_serialem.append(scope.offset_from_file(path, number - 1, LIMIT_UM))
        truth.close()
        lines = [json.loads(line) for line in (folder / "truth.jsonl").read_text().splitlines()]
        saved = [line for line in lines if line["event"] == "saved"]
        self.true_um = [XY(line["residual_x_um"], line["residual_y_um"]) for line in saved]
        self.pixels = [conditioned(picture.pixels) for picture in self.pictures]

    def errors_by_serialem(self, chained: bool) -> list[XY]:
        """Found less true place of every image but the first."""
        errors, off = [], ORIGIN
        for number, offset in enumerate(self.by_serialem, 1):
            before = off if chained else self.true_um[number - 1]
            off = before if isinstance(offset, Missing) else offset.plus(before)
            errors.append(off.minus(self.true_um[number]))
        return errors

    def errors_in_arrays(self, images: int, chained: bool, times_s: list[float]) -> list[XY]:
        """The same for a number of earlier images; the time of each comparison is added."""
        errors, places = [], [ORIGIN]
        for number in range(1, len(self.pixels)):
            picture, known = self.pictures[number], places if chained else self.true_um
            earlier = [
                Earlier(self.pixels[n], self.pictures[n].tilt_deg, known[n])
                for n in range(max(0, number - images), number)
            ]
            geometry = (picture.tilt_deg, earlier, picture.to_specimen, self.slopes, ORIGIN)
            before = time.perf_counter()
            found = find(self.pixels[number], *geometry, NEAR_UM)
            times_s.append(time.perf_counter() - before)
            if isinstance(found, Missing):
                found = find(self.pixels[number], *geometry, LIMIT_UM)
            places.append(places[-1] if isinstance(found, Missing) else found.offset_um)
            errors.append(places[-1].minus(self.true_um[number]))
        return errors


def plain_s(shape: tuple[int, int]) -> float:
    """Time of a correlation of two images of a size as NumPy does it."""
    one = np.random.default_rng(0).standard_normal(shape)
    padded, times_s = (2 * shape[0], 2 * shape[1]), []
    for _ in range(15):
        before = time.perf_counter()
        spectra = [np.fft.rfft2(part, padded) for part in (one, one)]
        np.fft.irfft2(spectra[0] * np.conj(spectra[1]), padded)
        times_s.append(time.perf_counter() - before)
    return statistics.median(times_s)


def shown(name: str, steps: Sequence[XY], ends: Sequence[XY]) -> str:
    """A line of figures, in nm."""
    figures = []
    for axis in (0, 1):
        sizes = sorted(1000 * abs(error[axis]) for error in steps)
        figures.append(f"{statistics.median(sizes):5.2f} /{sizes[int(0.95 * len(sizes))]:6.2f}")
    end = math.sqrt(statistics.fmean((1000 * error.length) ** 2 for error in ends))
    return f"  {name:<18} x {figures[0]}   y {figures[1]}   end of chain {end:6.2f}"


def main() -> None:
    """Measure and print."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    times_s: dict[int, list[float]] = {1: [], 2: [], 3: []}
    shape = (1, 1)
    print("error of an alignment, median / 95 %, and rms at the end of its chain (nm)")
    for name, sample in SAMPLES.items():
        every = []
        for seed in range(seeds):
            with tempfile.TemporaryDirectory() as folder:
                every.append(Series(Path(folder), sample, seed))
        shape = every[0].pixels[0].shape
        print(f"{name}, {seeds} series of {len(TILTS_DEG)} images of {shape[1]} x {shape[0]} pixels")
        steps = [error for series in every for error in series.errors_by_serialem(False)]
        print(shown("AlignTo", steps, [series.errors_by_serialem(True)[-1] for series in every]))
        for images, times in times_s.items():
            steps = [error for series in every for error in series.errors_in_arrays(images, False, times)]
            ends = [series.errors_in_arrays(images, True, times)[-1] for series in every]
            print(shown(f"arrays, {images} earlier", steps, ends))
    plain = plain_s(shape)
    for images, times in times_s.items():
        median = statistics.median(times)
        print(f"{images} earlier: {1000 * median:5.1f} ms, {median / plain:4.1f} x a plain correlation")


if __name__ == "__main__":
    main()
