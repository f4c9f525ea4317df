"""A screen without a monitor, and windows of the editor on it that are clicked, dragged and typed into from outside."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
_PATIENCE_S = 60.0


def require_screen() -> None:
    """Skip where a window cannot be opened or not be clicked."""
    if not sys.platform.startswith("linux"):
        pytest.skip("windows are tested under Xvfb, which this system has not")
    for program in ("Xvfb", "xdotool"):
        if shutil.which(program) is None:
            pytest.skip(
                f"{program} is not installed (Debian: apt-get install xvfb xdotool libgl1 libgl1-mesa-dri)"
            )


@contextmanager
def screen(width: int, height: int) -> Iterator[str]:
    """An X server on a display number that is free; its name."""
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", f"{width}x{height}x24", "-nolisten", "tcp"],
        pass_fds=(write,),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    try:
        with os.fdopen(read) as told:
            number = told.readline().strip()
        if not number:
            pytest.fail("Xvfb did not start")
        yield f":{number}"
    finally:
        server.terminate()
        server.wait()


class Window:
    """A window of the editor, and the hands of somebody in front of it."""

    def __init__(self, display: str, path: Path, size: tuple[int, int], microscope: bool) -> None:
        environment = {**os.environ, "DISPLAY": display, "PYTHONPATH": str(ROOT), "TMPDIR": str(path.parent)}
        self._environment = environment
        self.is_closed = False
        self.process = subprocess.Popen(
            [
                sys.executable,
                str(Path(__file__).with_name("editor_window_process.py")),
                str(path),
                *map(str, size),
                "microscope" if microscope else "none",
            ],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.until(lambda state: state["rows"] or state["dialog"])

    def ask(self, **wanted: Any) -> dict[str, Any]:
        """An answer of the window."""
        if self.is_closed:
            return {"closed": True}
        assert self.process.stdin is not None and self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps(wanted) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            assert self.process.stderr is not None
            raise AssertionError(f"the window has died: {self.process.stderr.read()}")
        answer: dict[str, Any] = json.loads(line)
        self.is_closed = bool(answer.get("closed"))
        return answer

    @property
    def state(self) -> dict[str, Any]:
        return self.ask()

    def until(self, condition: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        """The state once a condition holds, waiting for some time."""
        end = time.monotonic() + _PATIENCE_S
        while True:
            state = self.state
            if state.get("closed") or condition(state):
                return state
            assert time.monotonic() < end, f"did not come about: {state}"
            time.sleep(0.02)

    def settle(self) -> None:
        """Let a few frames pass."""
        for _ in range(4):
            self.ask()

    def xdotool(self, *words: object) -> None:
        subprocess.run(["xdotool", *map(str, words)], env=self._environment, check=True)
        self.settle()

    def key(self, *keys: str) -> None:
        for key in keys:
            self.xdotool("key", key)

    def type(self, text: str) -> None:
        self.xdotool("type", "--delay", 30, "--", text)

    def move(self, pixel: list[float]) -> None:
        self.xdotool("mousemove", round(pixel[0]), round(pixel[1]))

    def click(self, pixel: list[float], button: int = 1, held: str = "") -> None:
        self.move(pixel)
        self._hold(held, "keydown")
        self.xdotool("mousedown", button)
        self.xdotool("mouseup", button)
        self._hold(held, "keyup")

    def drag(self, start: list[float], end: list[float], button: int = 1, held: str = "") -> None:
        self.move(start)
        self._hold(held, "keydown")
        self.xdotool("mousedown", button)
        for part in (0.3, 0.7, 1.0):
            self.move([a + (b - a) * part for a, b in zip(start, end)])
        self.xdotool("mouseup", button)
        self._hold(held, "keyup")

    def _hold(self, held: str, how: str) -> None:
        if held:
            self.xdotool(how, held)

    def picture(self, path: Path) -> Path:
        """A picture of the whole screen as PPM, from the window's own memory."""
        data = subprocess.run(
            ["xwd", "-root", "-silent"], env=self._environment, check=True, capture_output=True
        ).stdout
        path.write_bytes(data)
        return path

    def close(self) -> None:
        """End the window, whatever it is doing."""
        self.process.kill()
        self.process.communicate()


@contextmanager
def window(
    display: str, path: Path, size: tuple[int, int] = (1280, 800), microscope: bool = False
) -> Iterator[Window]:
    """A window on a target file."""
    opened = Window(display, path, size, microscope)
    try:
        yield opened
    finally:
        opened.close()


def pixels_of(picture: Path) -> NDArray[np.uint8]:
    """Red, green and blue of an X window dump; shape (rows, columns, 3)."""
    data = picture.read_bytes()
    words = struct.unpack(">25I", data[:100])
    header_size, columns, rows, line_bytes, colours = words[0], words[4], words[5], words[12], words[19]
    start = header_size + 12 * colours
    lines = np.frombuffer(data, np.uint8, rows * line_bytes, start).reshape(rows, line_bytes)
    return lines[:, : 4 * columns].reshape(rows, columns, 4)[..., 2::-1]
