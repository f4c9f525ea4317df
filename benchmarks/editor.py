"""The target editor with 500 targets and a map of 4096 x 4096 pixels: time to open, frames a second while panning.

Needs a display; without one, `xvfb-run -s "-screen 0 1280x800x24" python benchmarks/editor.py`.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from pathlib import Path

import mrcfile
import numpy as np

from pacetomo.editor.display import require_display
from pacetomo.editor.maps import MapItem
from pacetomo.frames import XY, Matrix2

_BUDGET_OPEN_S, _BUDGET_FPS, _BUDGET_FRAME_S = 3.0, 30.0, 0.1


def write_area(folder: Path, targets: int) -> Path:
    """A target file with targets on a lattice."""
    side = math.ceil(math.sqrt(targets))
    lines = ["_set startTilt = 0", ""]
    for number in range(1, targets + 1):
        x, y = ((number - 1) % side) * 2.0, ((number - 1) // side) * 2.0
        lines += [
            f"_tgt = {number:03d}",
            f"tsfile = area_ts_{number:03d}.mrc",
            f"SSX = {x}",
            f"SSY = {y}",
            f"stageX = {-x}",
            f"stageY = {-y}",
            "skip = False",
            "",
        ]
    path = folder / "area_tgts.txt"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def write_map(folder: Path, pixels: int, width_um: float) -> MapItem:
    """A map of holes in carbon, lying rotated on the sample around the middle of the targets."""
    rng = np.random.default_rng(1)
    rows, columns = np.mgrid[0:pixels, 0:pixels].astype(np.float32)
    holes = np.sin(columns / 40) * np.sin(rows / 40) > 0.3
    image = (1000 + 600 * holes + 80 * rng.standard_normal((pixels, pixels), dtype=np.float32)).astype(
        np.int16
    )
    path = folder / "map.mrc"
    with mrcfile.new(path) as mrc:
        mrc.set_data(image)
        mrc.voxel_size = width_um / pixels * 1e4
    turn, scale = math.radians(8.0), pixels / width_um
    matrix = Matrix2(
        scale * math.cos(turn), -scale * math.sin(turn), -scale * math.sin(turn), -scale * math.cos(turn)
    )
    middle = XY(-22.0, -22.0)
    return MapItem("1-A", path, 0, False, middle, matrix, (pixels, pixels))


def main() -> None:
    """Print time to open, frames a second while panning, and the longest frame."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--targets", type=int, default=500)
    parser.add_argument("--map", type=int, default=4096, metavar="PIXELS")
    parser.add_argument("--size", type=int, nargs=2, default=(1280, 800), metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--beams", action="store_true", help="with beam footprints")
    options = parser.parse_args()
    require_display()
    with tempfile.TemporaryDirectory() as folder:
        path = write_area(Path(folder), options.targets)
        item = write_map(Path(folder), options.map, 60.0)
        measure(path, item, tuple(options.size), options.beams)


def measure(path: Path, item: MapItem, size: tuple[int, int], with_beams: bool) -> None:
    """Open the window, load the map, pan and zoom."""
    began_s = time.perf_counter()
    from pacetomo.editor.desk import Desk
    from pacetomo.editor.saving import open_document
    from pacetomo.editor.window.window import EditorWindow

    window = EditorWindow(Desk.of(open_document(path)), size)
    for _ in range(3):
        window.frame()
    shown_s = time.perf_counter() - began_s
    window.maps.load_item(item)
    longest_s = frames(window, lambda: window.maps.layer is not None and window.maps.layer.is_complete)
    with_map_s = time.perf_counter() - began_s
    print(f"opened: targets after {shown_s:.2f} s, with map after {with_map_s:.2f} s ({_BUDGET_OPEN_S:g} s)")
    print(f"longest frame while loading: {1000 * longest_s:.0f} ms ({1000 * _BUDGET_FRAME_S:.0f} ms)")
    if with_beams:
        window.set_shown(with_beams=True)
    for name, act in (
        ("panning", lambda step: window.plot.pan(3 * math.cos(step / 9), 3 * math.sin(step / 7))),
        ("zooming", lambda step: window.plot.zoom(1.04 if step % 60 < 30 else 1 / 1.04)),
    ):
        count, longest_s, start_s, cpu_s = 0, 0.0, time.perf_counter(), time.process_time()
        while time.perf_counter() - start_s < 4.0:
            before_s = time.perf_counter()
            act(count)
            window.frame()
            longest_s = max(longest_s, time.perf_counter() - before_s)
            count += 1
        rate = count / (time.perf_counter() - start_s)
        cpu_ms = 1000 * (time.process_time() - cpu_s) / count
        longest = f"longest {1000 * longest_s:.0f} ms, {cpu_ms:.0f} ms of CPU each"
        print(f"{name}: {rate:.0f} frames a second ({_BUDGET_FPS:g}), {longest}")
    for name, act in edits_of(window):
        frames(window, lambda: not window.workers.running)
        before_s = time.perf_counter()
        act()
        window.frame()
        print(f"{name}: {1000 * (time.perf_counter() - before_s):.0f} ms ({1000 * _BUDGET_FRAME_S:.0f} ms)")
    window.close()


def edits_of(window):
    """What a user does, by name."""
    return (
        ("select one", lambda: window.desk.select([7])),
        ("select all", lambda: window.do("select_all")),
        ("skip one", lambda: window.desk.toggle_skip([9])),
        ("sort by SSX", lambda: sort(window)),
        ("make track", lambda: (window.desk.select([20]), window.do("make_track"))),
        ("undo", lambda: window.do("undo")),
        ("swap axes", lambda: window.do("swap_axes")),
    )


def sort(window) -> None:
    """Sort the list."""
    window.desk.sort_column = "SSX"
    window.desk.revision += 1


def frames(window, is_done) -> float:
    """Draw frames until something has come about; the longest of them (s)."""
    longest_s = 0.0
    while not is_done():
        before_s = time.perf_counter()
        window.frame()
        longest_s = max(longest_s, time.perf_counter() - before_s)
        window.rest()
    return longest_s


if __name__ == "__main__":
    main()
