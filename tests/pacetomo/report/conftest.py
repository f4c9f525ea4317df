"""An invented run: journal, truth log and stacks, with numbers that tests can work out by hand."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

import mrcfile
import numpy as np
import pytest


@dataclass(frozen=True)
class FakeRun:
    journal: Path
    truth: Path
    stacks: Path
    timeline: dict[str, float]


def write_lines(path: Path, lines: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def dose_symmetric(start_deg: float, step_deg: float, reach: int) -> list[tuple[float, str]]:
    """Groups of two: start, two up, two down, two up ..."""
    tilts = [(start_deg, "start")]
    for group in range(1, reach + 1, 2):
        for sign, branch in ((1, "up"), (-1, "down")):
            steps = [number for number in (group, group + 1) if number <= reach]
            tilts += [(start_deg + sign * number * step_deg, branch) for number in steps]
    return tilts


class Invented:
    """A run of targets on a plane of pretilt 10 degrees, written event by event."""

    def __init__(self, targets: int, reach: int, seed: int = 1, predicts: bool = False) -> None:
        self.predicts = predicts
        self.rng = np.random.default_rng(seed)
        self.tilts = dose_symmetric(10.0, 3.0, reach)
        self.clock_s = 100.0
        self.journal: list[dict[str, Any]] = []
        self.truth: list[dict[str, Any]] = []
        self.seconds = {
            "tilt": 0.0,
            "expose": 0.0,
            "autofocus": 30.0,
            "stage": 41.0,
            "align": 12.0,
            "save": 9.0,
        }
        self.targets = [self._target(number) for number in range(1, targets + 1)]
        self.sections = [0] * targets

    def _target(self, number: int) -> dict[str, Any]:
        spread = 0.0 if number == 1 else 4.5
        place = [round(float(value), 3) for value in self.rng.uniform(-spread, spread, 2)]
        return {"number": number, "series": f"lam_ts_{number:03d}.mrc", "shift_um": place, "skip": False}

    def note(self, event: str, **values: Any) -> None:
        self.journal.append({"event": event, "t_s": round(self.clock_s, 3), **values})

    def shoot(
        self, kind: str, at: tuple[float, float], tilt: float, dose: float, radius: float
    ) -> dict[str, Any]:
        height = math.tan(math.radians(10.0)) * at[1] + 0.02 * math.hypot(*at)
        line = {
            "event": "exposure", "t_s": self.clock_s, "lda": "R" if kind == "P" else kind, "set": kind,
            "exposure_s": 1.0, "dose_e_per_a2": dose, "tilt_nominal_deg": tilt, "tilt_true_deg": tilt + 0.01,
            "sample_x_um": 152.0 + at[0] + self.rng.normal(0, 0.01),
            "sample_y_um": -84.0 + at[1] + self.rng.normal(0, 0.01), "sample_z_um": height,
            "defocus_um": -4.0 + self.rng.normal(0, 0.08), "beam_radius_um": radius,
        }  # fmt: skip
        self.truth.append(line)
        self.clock_s += 2.0
        self.seconds["expose"] += 2.0
        return line

    def start(self) -> None:
        settings = {
            "startTilt": {"value": 10, "origin": "target file"}, "groupSize": {"value": 2, "origin": "default"},
            "imageShiftLimit": {"value": 15.0, "origin": "default"}, "beamDiameter": {"value": 0, "origin": "default"},
            "trackDefocus": {"value": False, "origin": "script"}, "dataPoints": {"value": 4, "origin": "default"},
        }  # fmt: skip
        self.note(
            "run_start", version="0.1.0", area="lam", target_file="lam_tgts.txt", run_file="lam_tgts_run01.txt",
            targets=self.targets, settings=settings, tilts_deg=[tilt for tilt, _ in self.tilts],
            exposures=len(self.tilts) * len(self.targets), estimated_s=3500.0,
            geometry={"pretilt_deg": 10.0, "rotation_deg": 0.0},
        )  # fmt: skip
        for name, seconds in (
            ("move", 20),
            ("eucentricity", 65),
            ("realign", 40),
            ("walk_up", 25),
            ("autofocus", 30),
        ):
            self.note("step", name=name, text=f"doing {name}")
            self.clock_s += seconds
        self.shoot("V", (0.0, 0.0), 10.0, 0.1, 9.0)
        self.shoot("F", (3.5, 0.0), 10.0, 0.8, 0.6)
        self.note("step", name="find_targets", text="aligning to references")
        for target in self.targets:
            self.shoot("P", tuple(target["shift_um"]), 10.0, 0.3, 0.8)
            correction = [round(float(value), 1) for value in self.rng.normal(0, 40, 2)]
            self.note("found", target=target["number"], shift_um=target["shift_um"], correction_nm=correction,
                      reference="preview")  # fmt: skip
            self.note("start", target=target["number"], shift_um=target["shift_um"], n0_um=1.0, z0_um=0.0,
                      focus_um=0.1, defocus_um=-4.0)  # fmt: skip
        self.note("step", name="acquire", text="tilt series")

    def expose(self, target: dict[str, Any], tilt: float, branch: str) -> None:
        number, place = target["number"], target["number"] - 1
        plan_number = self.sections[place] * len(self.targets) + place
        self.note("expose", number=plan_number, target=number, tilt_deg=tilt, branch=branch,
                  shift_um=target["shift_um"], focus_um=0.1, predicted_dy_nm=12.0)  # fmt: skip
        shot = self.shoot("R", tuple(target["shift_um"]), tilt, 3.0, 0.8)
        section = self.sections[place]
        residual = self.rng.normal(0, 12 + abs(tilt) / 3, 2) * (0 if section == 0 else 1)
        self.truth.append({**shot, "event": "saved", "t_s": self.clock_s, "file": target["series"],
                           "section": section, "residual_x_um": residual[0] / 1000,
                           "residual_y_um": residual[1] / 1000})  # fmt: skip
        self.sections[place] += 1
        self.clock_s += 5.5
        z0 = 0.3 * math.sin(math.radians(2 * tilt)) + 0.05 * number + (0.2 if branch == "down" else 0.0)
        predictions = {}
        if self.predicts:
            predictions = {
                "believed": True,
                "expected_nm": [2.0, -3.0],
                "sigma_nm": [12 + abs(tilt) / 3] * 2,
                "wanted_um": -4.0,
                "sigma_defocus_um": 0.1,
                "ctf_defocus_um": shot["defocus_um"],
            }
        self.note("exposed", number=plan_number, target=number, tilt_deg=tilt, branch=branch, section=section,
                  residual_nm=[float(value) for value in residual + self.rng.normal(0, 5, 2)], accepted=True,
                  **predictions,
                  shift_um=target["shift_um"], z0_um=z0, focus_um=0.1, mean_counts=200.0, dose_e_per_a2=3.0,
                  prior_dose_e_per_a2=3.0 * section, own_s=0.004)  # fmt: skip

    def acquire(self, stops: int) -> None:
        for stop, (tilt, branch) in enumerate(self.tilts[:stops], start=1):
            self.clock_s += 6.0
            self.seconds["tilt"] += 6.0
            self.note(
                "tilt", tilt_deg=tilt, reached_deg=tilt - 0.01, branch=branch, stop=stop, of=len(self.tilts)
            )
            for target in self.targets:
                self.expose(target, tilt, branch)

    def finish(self) -> None:
        self.note("step", name="finish", text="closing")
        self.clock_s += 12.0
        taken = sum(self.sections)
        self.note("run_end", state="finished", text="", exposures=taken, elapsed_s=self.clock_s - 100.0)


def write_stacks(folder: Path, run: Invented, size: tuple[int, int]) -> None:
    """Stacks of (rows, columns) with round grains on a noisy ground, and their mdoc."""
    folder.mkdir(exist_ok=True)
    rows, columns = size
    y, x = np.mgrid[:rows, :columns]
    for target, count in zip(run.targets, run.sections):
        grains = run.rng.uniform(0, 1, (25, 2)) * size
        ground = np.full(size, 200.0)
        for grain in grains:
            ground -= 90 * np.exp(-((y - grain[0]) ** 2 + (x - grain[1]) ** 2) / (2 * (rows / 40) ** 2))
        path = folder / target["series"]
        with mrcfile.new_mmap(path, (count, rows, columns), mrc_mode=1, overwrite=True) as mrc:
            for section in range(count):
                mrc.data[section] = run.rng.poisson(np.maximum(ground, 5.0)).astype(np.int16)
            mrc.voxel_size = 5.0
        head = (
            f"PixelSpacing = 5\nImageFile = {path.name}\n\n[ZValue = 0]\nDateTime = 15-Jan-2026  09:12:44\n"
        )
        path.with_name(path.name + ".mdoc").write_text(head, encoding="ascii")


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., FakeRun]:
    def make(
        targets: int = 3,
        reach: int = 2,
        size: tuple[int, int] | None = (96, 128),
        stops: int | None = None,
        predicts: bool = False,
    ) -> FakeRun:
        run = Invented(targets, reach, predicts=predicts)
        run.start()
        run.acquire(len(run.tilts) if stops is None else stops)
        if stops is None:
            run.finish()
        stacks = tmp_path / "stacks"
        if size and any(run.sections):
            write_stacks(stacks, run, size)
        journal = write_lines(tmp_path / "lam_tgts_run01.jsonl", run.journal)
        return FakeRun(journal, write_lines(tmp_path / "truth.jsonl", run.truth), stacks, run.seconds)

    return make
