"""Memory and time of finishing a series: `python benchmarks/sorting.py [SECTIONS] [FOLDER]`.

A stack of 5760 x 4092 pixels, int16, is sorted, cut down to its even views, and binned by 2 and by 4, each in a process
of its own. Memory is what the process needed beyond an idle one with the same modules, in images of the stack; time is
compared with a plain copy of the file, and both with the usual way to sort: load all, reorder, save. Everything is
brought to the disk. The figure to hold: below 3 images.
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

COLUMNS, ROWS = 5760, 4092
IMAGE_BYTES = 2 * COLUMNS * ROWS


def write_series(stack: Path, sections: int) -> None:
    """Write a dose-symmetric series with SerialEM's headers."""
    tilts = [0] + [sign * 3 * n for n in range(1, sections // 2 + 1) for sign in (1, -1)]
    header = bytearray(1024)
    struct.pack_into("<4i", header, 0, COLUMNS, ROWS, sections, 1)
    struct.pack_into("<3i3f", header, 28, COLUMNS, ROWS, sections, COLUMNS, ROWS, sections)
    struct.pack_into("<i", header, 92, 2048)
    header[104:108] = b"SERI"
    struct.pack_into("<2h", header, 128, 4, 17)
    header[208:214] = b"MAP DD"
    records = b"".join(struct.pack("<2h", 100 * tilt, 0) for tilt in tilts[:sections]).ljust(2048, b"\0")
    image = np.random.default_rng(0).poisson(100, ROWS * COLUMNS // 8).astype("<i2")
    with stack.open("wb") as stream:
        stream.write(bytes(header) + records)
        for number in range(sections):
            for _ in range(8):
                stream.write((image + number).tobytes())
    blocks = [
        f"\n[ZValue = {n}]\nTiltAngle = {tilt}\nBinning = 1\n" for n, tilt in enumerate(tilts[:sections])
    ]
    Path(f"{stack}.mdoc").write_text(f"ImageSize = {COLUMNS} {ROWS}\n{''.join(blocks)}", encoding="ascii")


def copy_plainly(source: Path, target: Path) -> float:
    """Seconds that a copy of a file takes until it is on the disk."""
    before = time.perf_counter()
    with source.open("rb") as old, target.open("wb") as new:
        shutil.copyfileobj(old, new, 4 << 20)
        new.flush()
        os.fsync(new.fileno())
    seconds = time.perf_counter() - before
    target.unlink()
    return seconds


_IDLE = (
    "import sys; from pathlib import Path; import pacetomo.files.binning as b, pacetomo.files.sorting as s\n"
)
WORK = {
    "idle": _IDLE,
    "load all, save": _IDLE
    + "import numpy as np, os\nraw = np.fromfile(sys.argv[1], np.int16)\n"
    + f"data = raw[1536:].reshape(-1, {ROWS}, {COLUMNS})\n"
    + "stream = open(sys.argv[1] + '.other', 'wb')\n"
    + "data[np.argsort(np.arange(len(data)) % 7)].tofile(stream)\nstream.flush(); os.fsync(stream.fileno())",
    "sorting": _IDLE + "s.sort_series(Path(sys.argv[1]))",
    "excluding": _IDLE
    + "import pacetomo.files.excluding as e, pacetomo.files.view_rules as r\nstack = Path(sys.argv[1])\n"
    + "views = frozenset(range(1, s.read_layout(stack).sections, 2))\n"
    + "e.exclude_views(stack, r.Rules(views))",
    "binning by 2": _IDLE + "b.bin_series(Path(sys.argv[1]), 2)",
    "binning by 4": _IDLE + "b.bin_series(Path(sys.argv[1]), 4)",
    "averaging by 2": _IDLE + "b.bin_series(Path(sys.argv[1]), 2, 'average')",
}


def run(work: str, stack: Path) -> tuple[float, float]:
    """Seconds and largest resident memory (bytes) of a piece of work in a process of its own."""
    before = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", WORK[work], str(stack)])
    largest = 0.0
    while process.poll() is None:
        largest = max(largest, _resident_bytes(process.pid))
        threading.Event().wait(0.005)
    if process.returncode:
        raise SystemExit(f"{work} failed")
    return time.perf_counter() - before, largest


def _resident_bytes(pid: int) -> float:
    """Memory that a process has had at most so far; 0 where the system does not tell."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0.0
    peaks = [int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")]
    return float(peaks[0]) if peaks else 0.0


def main() -> None:
    """Measure and print."""
    sections = int(sys.argv[1]) if len(sys.argv) > 1 else 41
    place = sys.argv[2] if len(sys.argv) > 2 else None
    with tempfile.TemporaryDirectory(dir=place) as name:
        stack = Path(name) / "bench_ts_001.mrc"
        write_series(stack, sections)
        copy_plainly(stack, Path(name) / "copy")  # the first one warms the disk's cache
        copy_s = copy_plainly(stack, Path(name) / "copy")
        idle_s, idle_bytes = run("idle", stack)
        print(
            f"{sections} images of {COLUMNS} x {ROWS}, {stack.stat().st_size / 1e9:.2f} GB; copy {copy_s:.1f} s"
        )
        plain: tuple[float, float] | None = None
        for work in list(WORK)[1:]:
            for left in Path(name).glob("bench_ts_001*"):
                left.unlink()
            for folder in ("unbinned", "unsorted", "all_views"):
                shutil.rmtree(Path(name) / folder, ignore_errors=True)
            write_series(stack, sections)
            os.sync()
            seconds, largest = run(work, stack)
            images = (largest - idle_bytes) / IMAGE_BYTES
            factor = (seconds - idle_s) / copy_s
            plain = plain or (images, seconds - idle_s)
            ratios = f"{images / plain[0]:5.2f} x memory and {(seconds - idle_s) / plain[1]:4.2f} x time of load all"
            print(f"  {work:<15} {images:6.2f} images   {seconds:5.1f} s   {factor:4.1f} x a copy   {ratios}")


if __name__ == "__main__":
    main()
