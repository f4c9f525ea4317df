"""A run on disk as it is after its last image: run file, journal, stacks with metadata."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from stacks import write_series

TILTS = [0.0, 3.0, -3.0, -6.0, 6.0]


def make_run(
    folder: Path,
    targets: int = 2,
    root: str = "area",
    state: str = "finished",
    size: int = 12,
    **settings: object,
) -> Path:
    """Make the files of a run; its run file is returned. Pixels of each image tell its place."""
    folder.mkdir(exist_ok=True)
    target_lines, entries = [], []
    for number in range(1, targets + 1):
        series = f"{root}_ts_{number:03d}.mrc"
        target_lines += [f"_tgt = {number:03d}", f"tsfile = {series}", "SSX = 0.0", "SSY = 0.0", ""]
        entries.append({"number": number, "series": series, "shift_um": [0, 0], "skip": False})
        data = np.stack([np.full((size, size), place, "i2") for place in range(len(TILTS))])
        write_series(folder, data, TILTS, name=series)
    run_file = folder / f"{root}_tgts_run01.txt"
    saved = "" if state == "finished" else "_spos = 3,0\n\n"
    run_file.write_text(saved + "\n".join(target_lines))
    start = {
        "event": "run_start",
        "t_s": 10.0,
        "area": root,
        "targets": entries,
        "settings": {name: {"value": value, "origin": "script"} for name, value in settings.items()},
        "tilts_deg": TILTS,
        "exposures": targets * len(TILTS),
    }
    events: list[dict[str, object]] = [start]
    for place, tilt in enumerate(TILTS):
        for number in range(1, targets + 1):
            events.append(
                {"event": "exposed", "t_s": 20.0 + place, "number": place, "target": number, "tilt_deg": tilt}
            )
            events[-1].update(section=place, branch="up")
    events.append({"event": "run_end", "t_s": 130.0, "state": state, "text": "said"})
    journal = run_file.with_suffix(".jsonl")
    journal.write_text("".join(json.dumps(event) + "\n" for event in events))
    return run_file
