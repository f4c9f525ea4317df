"""Speed of the simulated microscope: `python benchmarks/simulator.py`.

Each figure stands beside a plain reference measured in the same run, which a faster machine moves along with it.
The figures to hold: a rendered Record of 1440 x 1023 in 150 ms, 50 µs for a command in the same process (kinematic),
10,000 commands per second through the socket, and an image of 4096 x 4096 in 200 ms through it, each way.
"""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np

from mock_serialem.client import Connection, make_client_module
from mock_serialem.module import make_module
from mock_serialem.session import Session
from mock_serialem.sim.world import make_world

ROOT = Path(__file__).resolve().parents[1]
SIDE = 4096
SERVER = """
import sys, threading
from pathlib import Path
from mock_serialem.server import Server
from mock_serialem.session import Session
from mock_serialem.sim.world import make_world
with Server(Session(make_world("lamella", "krios", 0, "kinematic"), Path(sys.argv[1]))) as server:
    print(server.port, flush=True)
    sys.stdin.read()
"""
ECHO = """
import socket, sys
with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1], flush=True)
    connection, _ = server.accept()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while data := connection.recv(4096):
        connection.sendall(data)
"""


def seconds(action: Callable[[], object], repeats: int, inner: int = 1) -> float:
    """Median time of one action."""
    times = []
    for _ in range(repeats):
        before = time.perf_counter()
        for _ in range(inner):
            action()
        times.append((time.perf_counter() - before) / inner)
    return statistics.median(times)


def show(name: str, figure: str, ratio: float, reference: str) -> None:
    print(f"{name:<34}{figure:>16}   {ratio:6.1f} x {reference}")


def rendered_record(folder: Path) -> None:
    sem = make_module(Session(make_world("lamella", "krios", 0, "rendered"), folder))
    sem.SetLowDoseMode(1)
    sem.SetCenteredSize("R", 4, 1440, 1023)
    first = seconds(sem.Record, 1)
    record = seconds(sem.Record, 9)
    noise = np.random.default_rng(0)

    def plain() -> None:
        np.fft.irfft2(np.fft.rfft2(noise.standard_normal((1023, 1440), dtype=np.float32)))

    reference = seconds(plain, 9)
    show(
        "rendered Record 1440 x 1023",
        f"{1e3 * record:.0f} ms",
        record / reference,
        "noise and two FFTs of that size",
    )
    show("  the first one at a place", f"{1e3 * first:.0f} ms", first / reference, "that")


def commands_in_process(folder: Path) -> None:
    sem = make_module(Session(make_world("lamella", "krios", 0, "kinematic"), folder))
    table = {"x": 1.0}
    reference = seconds(lambda: table.get("x"), 50, 1000)
    cases: list[tuple[str, Callable[[], object]]] = [
        ("ReportTiltAngle", sem.ReportTiltAngle),
        ("SetVariable", lambda: sem.SetVariable("x", "1")),
        ("SetImageShift", lambda: sem.SetImageShift(1.0, -1.0)),
        ("TiltTo", lambda: sem.TiltTo(3.0)),
    ]
    for name, command in cases:
        figure = seconds(command, 20, 200)
        show(f"{name} in process", f"{1e6 * figure:.1f} µs", figure / reference, "a look into a dict")


class Process:
    """A child that prints its port first and lives as long as its standard input."""

    def __init__(self, program: str, *arguments: str) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self._child = subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            encoding="ascii",
        )
        assert self._child.stdout is not None
        self.port = int(self._child.stdout.readline())

    def end(self) -> None:
        self._child.communicate(timeout=10)


def round_trip_s() -> float:
    """Time for a few bytes to another process and back."""
    echo = Process(ECHO)
    with socket.create_connection(("127.0.0.1", echo.port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def there_and_back() -> None:
            connection.sendall(bytes(24))
            connection.recv(4096)

        figure = seconds(there_and_back, 20, 500)
    echo.end()
    return figure


def transfer_s(size: int) -> float:
    """Time for so many bytes through a socket of this machine."""
    near, far = socket.socketpair()
    target = memoryview(bytearray(size))

    def through() -> None:
        sender = threading.Thread(target=near.sendall, args=(bytes(size),))
        sender.start()
        filled = 0
        while filled < size:
            filled += far.recv_into(target[filled:])
        sender.join()

    with near, far:
        return seconds(through, 5)


def through_the_socket(folder: Path) -> None:
    server = Process(SERVER, str(folder))
    connection = Connection()
    connection.port = server.port
    sem: ModuleType = make_client_module(connection)
    trip = round_trip_s()
    for name, command in (
        ("ReportTiltAngle", sem.ReportTiltAngle),
        ("SetVariable", lambda: sem.SetVariable("x", "1")),
    ):
        figure = seconds(command, 20, 500)
        show(f"{name} by socket", f"{1.0 / figure:.0f} per s", figure / trip, "the time of an echo")
    pixels = np.zeros((SIDE, SIDE), np.int16)
    plain = transfer_s(pixels.nbytes)

    def put() -> None:
        sem.PutImageInBuffer(pixels, "B")
        # Nothing is acknowledged after the data; the answer to a command comes after they have been taken.
        sem.ReportTiltAngle()

    put_s = seconds(put, 5)
    show(
        f"PutImageInBuffer {SIDE} x {SIDE}",
        f"{1e3 * put_s:.0f} ms",
        put_s / plain,
        "as many bytes through a socket",
    )
    get_s = seconds(lambda: np.asarray(sem.bufferImage("B")), 5)
    show(
        f"bufferImage {SIDE} x {SIDE}",
        f"{1e3 * get_s:.0f} ms",
        get_s / plain,
        "as many bytes through a socket",
    )
    connection.close()
    server.end()


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rendered_record(folder)
        commands_in_process(folder)
        through_the_socket(folder)


if __name__ == "__main__":
    main()
