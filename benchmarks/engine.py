"""The library's own time per exposure, without SerialEM's commands: `python benchmarks/engine.py [TARGETS]`.

Runs an area on the kinematic simulator and takes the time of each exposure less the time spent inside commands.
The figures to hold: median 20 ms, worst 100 ms at 100 targets.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from mock_serialem.module import make_module
from mock_serialem.session import Session
from mock_serialem.sim.world import make_world
from pacetomo.acquire import acquire_area
from pacetomo.engine import Acquisition
from pacetomo.plan import Exposure
from pacetomo.scope.serialem_scope import SerialEMScope


class TimedScope(SerialEMScope):
    """Adds up the time spent inside SerialEM."""

    inside_s = 0.0

    def _do(self, doing: str, command: str, *arguments: Any) -> Any:
        before = time.perf_counter()
        try:
            return super()._do(doing, command, *arguments)
        finally:
            self.inside_s += time.perf_counter() - before


def write_targets(path: Path, count: int) -> None:
    """Write targets on a square grid around the tracking target, 0.8 µm apart."""
    side = int(count**0.5) + 1
    places = sorted(
        ((i - side // 2, j - side // 2) for i in range(side) for j in range(side)),
        key=lambda p: p[0] ** 2 + p[1] ** 2,
    )
    lines = ["_set minTilt = -12", "_set maxTilt = 12", "_bset previewAli = False"]
    for number, (i, j) in enumerate(places[:count], 1):
        lines += [
            f"_tgt = {number:03d}",
            f"tsfile = bench_ts_{number:03d}.mrc",
            f"SSX = {i * 0.8}",
            f"SSY = {j * 0.8}",
        ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    own_s: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_targets(folder / "bench_tgts.txt", count)
        session = Session(make_world("holey", "krios", 0, "kinematic", None), folder)
        session.navigator.add_point(0.0, 0.0, 0.0, note="bench_tgts.txt", acquire=True)
        scope = TimedScope(make_module(session))
        step = Acquisition._step

        def timed(self: Acquisition, exposure: Exposure, tilt_deg: float) -> None:
            before, inside = time.perf_counter(), scope.inside_s
            step(self, exposure, tilt_deg)
            own_s.append(time.perf_counter() - before - (scope.inside_s - inside))

        Acquisition._step = timed  # type: ignore[method-assign]
        acquire_area(scope, scope.item(), None, {})
        plain_ms = plain_save_ms(folder)
    own_ms = sorted(1000 * s for s in own_s)
    median, worst = statistics.median(own_ms), own_ms[-1]
    print(f"{count} targets, {len(own_ms)} exposures: own time per exposure")
    for name, figure in (("median", median), ("95 %", own_ms[int(0.95 * len(own_ms))]), ("worst", worst)):
        print(f"  {name:<7} {figure:6.1f} ms   {figure / plain_ms:5.1f} x writing as many bytes with fsync")


def plain_save_ms(folder: Path) -> float:
    """Time of writing a file of the run file's size, with fsync: what no checkpoint can do without."""
    content = (folder / "bench_tgts_run01.txt").read_bytes()
    times = []
    for _ in range(20):
        before = time.perf_counter()
        with (folder / "plain").open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        times.append(1000 * (time.perf_counter() - before))
    return statistics.median(times)


if __name__ == "__main__":
    main()
