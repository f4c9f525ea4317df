"""A window of the editor in a process of its own that answers questions about itself, one JSON object a line.

Clicks and keys reach it from outside, as a user's do; the answers tell where things are and how they stand.
"""

from __future__ import annotations

import json
import queue
import sys
import threading
import time
from pathlib import Path
from typing import Any

from pacetomo.editor.actions import ACTIONS
from pacetomo.editor.desk import Desk
from pacetomo.editor.saving import open_document
from pacetomo.frames import XY


def answer(window: Any, wanted: dict[str, Any], longest_s: float) -> dict[str, Any]:
    import dearpygui.dearpygui as dpg

    desk, plot = window.desk, window.plot
    document = desk.document
    corner = plot.canvas.corner_px

    def pixel(place: XY) -> list[float]:
        x, y = plot.canvas.view.pixel(plot.shown.orientation.to_plot(place))
        return [corner[0] + x, corner[1] + y]

    if "tab" in wanted:
        x, y = dpg.get_item_rect_min(window.shell.areas[f"tab {wanted['tab']}"])
        return {"pixel": [x + 12, y + 8]}
    if "button" in wanted:
        for placed in window.shell._placed:
            if placed.action.name == wanted["button"] and dpg.get_item_type(placed.item).endswith("mvButton"):
                x, y = dpg.get_item_rect_min(placed.item)
                return {"pixel": [x + 8, y + 8]}
    if "row" in wanted:
        line = window.list._lines[wanted["row"]]
        x, y = dpg.get_item_rect_min(line.selectable)
        return {"pixel": [x + 10, y + 8], "number": window.list._rows[wanted["row"]].number}
    if "tooltip" in wanted:
        texts = {placed.action.name: placed.shown for placed in window.shell._placed}
        return {"text": texts[wanted["tooltip"]]}
    if "defect" in wanted:
        window.workers.start("", lambda work: 1 / 0, lambda result: None, lambda error: None)
        return {}
    if "unhandled" in wanted:
        return {"names": [a.name for a in ACTIONS if a.name not in window.commands.handlers]}
    if "place" in wanted:
        return {"pixel": pixel(XY(*wanted["place"]))}
    return {
        "pixels": {number: pixel(place) for number, place in document.places_um.items()},
        "points": [pixel(place) for place in document.point_places_um],
        "selected": sorted(document.selected),
        "selected_points": sorted(document.selected_points),
        "numbers": list(document.numbers),
        "skipped": [target.number for target in document.targets.targets if target.skip],
        "places": {number: list(place) for number, place in document.places_um.items()},
        "status": desk.status,
        "changed": desk.history.is_changed,
        "dialog": window.dialogs._window is not None,
        "questions": len(desk.questions),
        "said": _texts(dpg, window.dialogs._window),
        "panel": window.shell.front_panel(),
        "mode": window.mouse.mode.name,
        "um_per_px": plot.canvas.view.um_per_px,
        "centre": list(plot.canvas.view.centre_um),
        "beams": plot.shown.with_beams,
        "tilt": plot.shown.tilt_deg,
        "rows": [row.number for row in window.list._rows],
        "map": window.maps.image is not None,
        "tiles": 0 if window.maps.layer is None else len(window.maps.layer._tiles),
        "map_complete": window.maps.layer is not None and window.maps.layer.is_complete,
        "states": {number: state.name for number, state in desk.states.items()},
        "working": [work.title for work in window.workers.running],
        "current_setting": window.settings._current,
        "text_px": window.fonts.size_px,
        "longest_frame_s": longest_s,
    }


def _texts(dpg: Any, item: Any) -> list[str]:
    """All texts of a box."""
    if item is None:
        return []
    found = []
    kind = dpg.get_item_type(item)
    if kind.endswith("mvText"):
        found.append(str(dpg.get_value(item)))
    elif kind.endswith(("mvButton", "mvSelectable", "mvWindowAppItem")):
        found.append(str(dpg.get_item_label(item)))
    for children in dpg.get_item_children(item).values():
        for child in children:
            found += _texts(dpg, child)
    return found


def main(path: str, width: str, height: str, microscope: str) -> None:
    from pacetomo.editor.window.window import EditorWindow

    side = None
    if microscope != "none":
        from editor_fake_side import FakeSide

        side = FakeSide(Path(path).parent)
    asked: queue.Queue[dict[str, Any]] = queue.Queue()

    def listen() -> None:
        for line in sys.stdin:
            asked.put(json.loads(line))

    threading.Thread(target=listen, daemon=True).start()
    desk = Desk.of(open_document(Path(path)), has_microscope=side is not None)
    window = EditorWindow(desk, (int(width), int(height)), side)
    longest_s = 0.0
    before_s = time.perf_counter()
    while window.frame():
        now_s = time.perf_counter()
        longest_s, before_s = max(longest_s, now_s - before_s), now_s
        if not asked.empty():  # one answer a frame, so that whoever asks four times has seen four frames
            wanted = asked.get()
            if "reset_clock" in wanted:
                longest_s = 0.0
            print(json.dumps(answer(window, wanted, longest_s)), flush=True)
    window.close()
    print(json.dumps({"closed": True}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
