"""Real windows on a screen without a monitor: clicked, dragged and typed into, and the file compared afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from editor_map_files import write_map
from editor_windows import ROOT, Window, pixels_of, require_screen, screen, window

import pacetomo
from pacetomo.files.target_file import format_targets, read_targets
from pacetomo.targets import TargetSet

EXAMPLES = Path(pacetomo.__file__).parent / "examples"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    require_screen()
    with screen(1280, 800) as name:
        yield name


@pytest.fixture(scope="module")
def large_display() -> Iterator[str]:
    require_screen()
    with screen(2560, 1440) as name:
        yield name


def area_in(folder: Path, example: str = "lamella") -> Path:
    return Path(shutil.copy(EXAMPLES / f"{example}_tgts.txt", folder))


def saved(opened: Window, path: Path) -> TargetSet:
    opened.key("ctrl+s")
    opened.until(lambda state: not state["changed"])
    return read_targets(path)


def is_no_blank(picture: Path) -> bool:
    """Whether a picture shows more than a few colours."""
    return len(np.unique(pixels_of(picture)[::7, ::7].reshape(-1, 3), axis=0)) > 10


def brightness(picture: Path, pixel: list[float]) -> float:
    """Mean of a few pixels beside the middle of a place, where no sign is drawn."""
    x, y = round(pixel[0]), round(pixel[1])
    return float(pixels_of(picture)[y + 9 : y + 12, x + 6 : x + 9].mean())


def test_mouse_and_keys_edit_the_lamella_and_the_file_says_so(display: str, tmp_path: Path) -> None:
    path = area_in(tmp_path)
    before = read_targets(path)
    with window(display, path) as w:
        at = w.state["pixels"]
        w.click(at["5"])
        assert w.state["selected"] == [5]
        w.click(at["6"], held="ctrl")
        assert w.state["selected"] == [5, 6]
        w.drag([at["2"][0] - 30, at["2"][1] - 30], [at["2"][0] + 30, at["2"][1] + 30], held="shift")
        assert w.state["selected"] == [2]
        w.click(at["3"], button=3)
        assert w.state["skipped"] == [3]
        w.click(at["3"], button=3)
        w.click(at["9"], button=3)
        assert w.state["skipped"] == [9]

        scale = w.state["um_per_px"]
        w.drag(at["8"], [at["8"][0] + 40, at["8"][1] - 20])
        w.click([at["4"][0] + 40, at["4"][1] + 30], button=2)
        assert len(w.state["points"]) == 1
        w.click(at["7"])
        w.key("t")
        assert w.state["numbers"] == list(range(1, 21))
        w.key("Home", "Down", "Down", "alt+Up")
        w.key("ctrl+z", "ctrl+y")
        w.key("d")
        w.type("-3.25")
        w.key("Return")
        w.until(lambda state: not state["dialog"])
        after = saved(w, path)
        w.picture(tmp_path / "edited.xwd")

    assert is_no_blank(tmp_path / "edited.xwd")
    series = {target.series: target for target in after.targets}
    assert after.tracking.series == "lamella_ts_007.mrc"
    origin = before.numbered(7).shift_um
    moved = series["lamella_ts_008.mrc"].shift_um
    assert origin is not None and moved is not None
    assert moved.plus(origin).x == pytest.approx(5.0 + 40 * scale, abs=scale)
    assert moved.plus(origin).y == pytest.approx(-1.1 + 20 * scale, abs=scale)
    assert [target.series for target in after.targets if target.skip] == ["lamella_ts_009.mrc"]
    assert [t.series for t in after.targets if t.defocus_um == -3.25] == ["lamella_ts_002.mrc"]
    assert [target.series for target in after.targets[:4]] == [
        f"lamella_ts_{number:03d}.mrc" for number in (7, 2, 1, 3)
    ]
    assert len(after.geo_points) == 1
    assert (tmp_path / "lamella_tgts.txt~1").read_text() == format_targets(before)


def test_undoing_all_in_the_window_leaves_the_file_byte_for_byte(display: str, tmp_path: Path) -> None:
    path = area_in(tmp_path, "holey")
    original = path.read_bytes()
    with window(display, path) as w:
        at = w.state["pixels"]
        w.key("a")
        w.click([at["1"][0] + 45, at["1"][1] + 45])
        w.click([at["1"][0] + 45, at["1"][1] - 45])
        w.key("Escape")
        assert len(w.state["numbers"]) == 22
        w.key("Delete")
        w.key("p")
        for dx, dy in ((-60, 200), (60, 200), (60, 300), (-60, 300)):
            w.click([at["1"][0] + dx, at["1"][1] + dy])
        w.key("Return")
        assert w.state["dialog"]
        w.key("Return")
        count = len(w.until(lambda state: not state["dialog"])["numbers"])
        assert count > 20
        w.drag(w.ask(row=4)["pixel"], w.ask(row=1)["pixel"])
        assert w.state["places"]["2"] == [0.34, -2.98]  # it was target 5
        w.key("F3", "Down", "Down", "Return", "ctrl+a")
        w.type("48")
        w.key("Return")
        w.until(lambda state: "maxTilt = 48" in state["status"])
        w.key("F2", *["ctrl+z"] * 7)
        w.until(lambda state: not state["changed"])
        assert len(w.state["numbers"]) == 20
        w.key("ctrl+s")
        w.settle()
    assert path.read_bytes() == original


def test_invalid_values_are_marked_at_once_and_not_written(display: str, tmp_path: Path) -> None:
    path = area_in(tmp_path)
    with window(display, path) as w:
        w.key("F3", "Down", "Down", "Return", "ctrl+a")
        w.type("999")
        w.picture(tmp_path / "invalid.xwd")
        w.key("Return")
        assert "maxTilt is 999" in w.until(lambda state: "not taken over" in state["status"])["status"]
        w.key("Down", "Return", "ctrl+a")
        w.type("2.5")
        w.key("Return")
        w.until(lambda state: "step = 2.5" in state["status"])
        w.key("F4")
        w.until(lambda state: state["panel"] == "plan")
        w.picture(tmp_path / "plan.xwd")
        after = saved(w, path)
    overrides = {override.name: override.value for override in after.overrides}
    assert overrides["maxTilt"] == "69" and overrides["step"] == "2.5"
    assert is_no_blank(tmp_path / "invalid.xwd") and is_no_blank(tmp_path / "plan.xwd")


def test_each_action_has_a_handler_a_tooltip_and_what_needs_a_microscope_is_refused_with_the_reason(
    display: str, tmp_path: Path
) -> None:
    path = area_in(tmp_path)
    with window(display, path) as w:
        w.key("ctrl+a", "ctrl+shift+v")
        assert "no microscope" in w.state["status"]
        tooltip = w.ask(tooltip="save_views")["text"]
        assert "Ctrl+Shift+V" in tooltip and "Not now: there is no microscope" in tooltip
        assert "Ctrl+S" in w.ask(tooltip="save")["text"]
        w.key("F1")
        w.type("mirror x")
        w.key("Return")
        w.until(lambda state: not state["dialog"])
        at = w.state["pixels"]
        assert at["13"][0] > at["12"][0]  # targets 13 and 12 have SSX -7.7 and 7.6
        w.key("x")
        assert abs(w.state["pixels"]["13"][0] - w.state["pixels"]["12"][0]) < 20
        w.key("b", "comma")
        state = w.state
        assert state["beams"] and state["tilt"] == 66.0
        assert w.ask(unhandled=True)["names"] == []

        w.ask(defect=True)
        said = " ".join(w.until(lambda state: state["dialog"])["said"])
        assert "a defect of the program" in said.lower() and "Traceback" not in said
        assert "ZeroDivisionError" in (tmp_path / "pacetomo_editor_faults.txt").read_text()
        w.key("Return")
        assert not w.state["dialog"]


def test_a_file_changed_on_the_disk_is_noticed_and_a_backup_keeps_what_the_other_wrote(
    display: str, tmp_path: Path
) -> None:
    path = area_in(tmp_path)
    with window(display, path) as w:
        w.click(w.state["pixels"]["9"], button=3)
        path.write_text(path.read_text() + "\n_geo = 1\nSSX = 1\nSSY = 2\n")
        told = w.until(lambda state: state["dialog"])
        assert any("changed by another program" in text for text in told["said"])
        w.key("Escape")
        w.key("ctrl+s")
        assert any("Overwrite it" in text for text in w.until(lambda state: state["dialog"])["said"])
        w.key("Return")
        w.until(lambda state: not state["changed"] and not state["dialog"])
    assert read_targets(path).numbered(9).skip
    assert len(read_targets(tmp_path / "lamella_tgts.txt~1").geo_points) == 1


def test_unsaved_work_of_a_killed_window_is_offered_again(display: str, tmp_path: Path) -> None:
    path = area_in(tmp_path)
    with window(display, path) as w:
        w.click(w.state["pixels"]["9"], button=3)
        end = time.monotonic() + 30
        while not path.with_name("lamella_tgts.txt.unsaved").exists():
            assert time.monotonic() < end
            w.settle()
    assert not read_targets(path).numbered(9).skip
    with window(display, path) as w:
        assert any("unsaved work" in text for text in w.until(lambda state: state["dialog"])["said"])
        w.picture(tmp_path / "unsaved.xwd")
        w.key("Return")
        assert w.until(lambda state: not state["dialog"])["skipped"] == [9]
        assert is_no_blank(tmp_path / "unsaved.xwd")
        w.key("ctrl+q")
        w.until(lambda state: state["dialog"])
        w.key("Return")
        w.until(lambda state: state.get("closed"))
    assert read_targets(path).numbered(9).skip


def test_the_microscope_is_asked_in_the_background_and_its_errors_are_told(
    display: str, tmp_path: Path
) -> None:
    path = area_in(tmp_path)
    with window(display, path, microscope=True) as w:
        w.until(lambda state: not state["working"])
        at = w.state["pixels"]
        w.click(at["5"])
        w.click(at["6"], held="ctrl")
        w.ask(reset_clock=True)
        w.key("ctrl+shift+v")
        w.until(lambda state: "2 View images saved" in state["status"])
        assert w.state["longest_frame_s"] < 0.3  # each of the two images takes as long as that
        w.key("ctrl+shift+a")
        assert any("marked with Acquire" in text for text in w.until(lambda state: state["dialog"])["said"])
        w.key("Return")
        for dx, dy in ((-40, -40), (40, -40), (0, 60)):
            w.click([at["1"][0] + dx, at["1"][1] + dy], button=2)
        w.key("ctrl+g")
        assert any("pretilt 5.7" in text for text in w.until(lambda state: state["dialog"])["said"])
        w.key("Return")
        after = saved(w, path)
    assert after.numbered(5).view == "new_005_view.mrc"
    assert {o.name: o.value for o in after.overrides}["pretilt"] == "5.7"
    assert (tmp_path / "asked.txt").read_text() == "views [5, 6]\ngeometry at 3 points\n"


def test_a_hundred_targets_with_long_names_on_a_large_screen(large_display: str, tmp_path: Path) -> None:
    path = tmp_path / f"{'long_name_' * 12}_tgts.txt"
    lines = []
    for number in range(1, 101):
        x, y = 1.7 * ((number - 1) % 10), 1.7 * ((number - 1) // 10)
        lines.append(
            f"_tgt = {number:03d}\ntsfile = {'a_very_long_name_' * 8}_ts_{number:03d}.mrc\n"
            f"SSX = {x:g}\nSSY = {y:g}\nSPACEscore = {(number * 37 % 100) / 100}\nskip = False\n"
        )
    path.write_text("\n".join(lines))
    with window(large_display, path, (2560, 1440)) as w:
        state = w.state
        assert state["text_px"] == 24
        w.key("c", "b")
        w.key("ctrl+f")
        w.type("score>0.9")
        w.until(lambda state: len(state["rows"]) == 9)
        w.key("Return")
        w.key("ctrl+a")
        assert len(w.state["selected"]) == 9
        w.picture(tmp_path / "scores.xwd")
        w.drag(w.ask(row=0)["pixel"], w.ask(row=3)["pixel"])
        w.settle()
        w.key("Delete")
        assert len(w.state["numbers"]) == 91
        w.key("ctrl+z")
        assert len(saved(w, path).targets) == 100
    assert is_no_blank(tmp_path / "scores.xwd")


def test_a_map_of_the_navigator_lies_under_the_targets_whichever_way_round_they_are_shown(
    display: str, tmp_path: Path
) -> None:
    path = area_in(tmp_path, "holey")
    targets = read_targets(path).targets
    holes = [target.stage_um for target in targets if target.stage_um is not None and target.number != 6]
    write_map(tmp_path, holes, 22.0, radius_um=0.9)
    with window(display, path) as w:
        w.key("ctrl+m")
        assert any("7-A" in text for text in w.until(lambda state: state["dialog"])["said"])
        w.key("Return")
        w.until(lambda state: state["map"] and state["tiles"] and state["map_complete"])
        for place, keys in enumerate(([], ["x"], ["h"], ["x", "v"])):
            w.key(*keys)
            w.until(lambda state: state["map_complete"])
            picture = w.picture(tmp_path / f"map{place}.xwd")
            at = w.state["pixels"]
            on_holes = [brightness(picture, at[str(number)]) for number in (1, 2, 7, 10, 14, 19)]
            on_carbon = [brightness(picture, at["6"])]  # the one hole that the map lacks
            assert min(on_holes) > 1.5 * max(on_carbon)
        before = brightness(picture, at["6"])
        w.key("shift+period", "shift+period")
        w.until(lambda state: state["map_complete"])
        assert brightness(w.picture(tmp_path / "bright.xwd"), at["6"]) > before + 10
        w.click(at["7"])
        w.key("t")
        w.until(lambda state: state["map_complete"])
        at = w.state["pixels"]
        picture = w.picture(tmp_path / "track.xwd")
        assert brightness(picture, at["2"]) > 1.3 * brightness(picture, at["7"])  # 7 is now what was 6


def refused(arguments: list[str], folder: Path, **environment: str) -> str:
    """What the command line says of a window that cannot be opened."""
    kept = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    done = subprocess.run(
        [sys.executable, "-m", "pacetomo", "edit", *arguments],
        env={**kept, "PYTHONPATH": str(ROOT), **environment},
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr and done.stderr.count("\n") == 1
    return done.stderr


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere there always is a display")
def test_without_a_display_one_sentence_says_so(tmp_path: Path) -> None:
    area_in(tmp_path)
    assert "DISPLAY is not set" in refused(["lamella_tgts.txt"], tmp_path)
    assert "XWayland is needed" in refused(["lamella_tgts.txt"], tmp_path, WAYLAND_DISPLAY="wayland-0")
    assert "cannot be opened" in refused(["lamella_tgts.txt"], tmp_path, DISPLAY=":73457")


def test_a_damaged_file_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "bad_tgts.txt").write_text("_tgt = 001\ntsfile = a_ts_001.mrc\nSSX = one\nSSY = 0\n")
    assert "line 3" in refused(["bad_tgts.txt"], tmp_path)
    assert "gone_tgts.txt" in refused(["gone_tgts.txt"], tmp_path)
