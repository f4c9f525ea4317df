"""Damaged messages: whatever bytes arrive, the client loses its connection at most, and the next one is served."""

from __future__ import annotations

import os
import socket
import struct
import sys
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mock_serialem.commands import TABLE
from mock_serialem.control import Control
from mock_serialem.faults import Fault, FaultPlan
from mock_serialem.protocol import ProtocolError
from mock_serialem.server import Server
from mock_serialem.serving import Serving
from mock_serialem.session import Session

# These run programs of the test machine, write and remove files, or end what the test looks at.
LEFT_OUT = (
    "RunInShell",
    "RunProcess",
    "CreateProcess",
    "RemoveFile",
    "SetDirectory",
    "MakeDirectory",
    "Delay",
)
CODES = sorted(
    info.code for info in TABLE.values() if info.code is not None and info.canonical not in LEFT_OUT
)
FILE_COMMANDS = [c for c in CODES if any(
    word in info.name for info in TABLE.values() if info.code == c
    for word in ("File", "Save", "Open", "Log", "Frame", "Nav", "Map", "Snapshot", "Mdoc", "Settings", "Process")
)]  # fmt: skip
HARMLESS = sorted(set(CODES) - set(FILE_COMMANDS))


@pytest.fixture
def server(session: Session) -> Iterator[Server]:
    with Server(session) as server:
        yield server


def connect(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=10)


def message(*words: int, tail: bytes = b"") -> bytes:
    body = struct.pack(f"<{len(words)}i", *words) + tail
    return struct.pack("<i", 4 + len(body)) + body


def reply(connection: socket.socket) -> bytes:
    def exactly(count: int) -> bytes:
        data = b""
        while len(data) < count:
            part = connection.recv(count - len(data))
            if not part:
                raise ConnectionError
            data += part
        return data

    (length,) = struct.unpack("<i", exactly(4))
    return exactly(length - 4)


def is_served(server: Server) -> bool:
    """A new client gets its answer as soon as the one before has been given up."""
    with connect(server) as client:
        for _ in range(1000):
            client.sendall(message(3))
            if reply(client) == struct.pack("<2i", 0, 1):
                break
            threading.Event().wait(0.005)
        code = TABLE["ReportTiltAngle"].code
        assert code is not None
        client.sendall(message(1, code, 0, 1, tail=bytes(4)))
        return struct.unpack_from("<3i", reply(client)) == (0, 0, 0)


def drain(connection: socket.socket) -> None:
    """Read until the server has closed the connection."""
    try:
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass
    except OSError:
        # The server was faster.
        pass


words = st.integers(-(2**31), 2**31 - 1)
small = st.integers(-3, 70)
command = st.builds(
    lambda code, last, length, tail: message(1, code, last, length, tail=tail),
    st.sampled_from(HARMLESS) | words,
    small | words,
    small | words,
    st.binary(max_size=120),
)
well_formed = st.builds(
    lambda code, numbers, text: message(
        1, code, len(numbers), 3 * (len(numbers) + 1) + len(text) // 4,
        tail=struct.pack(f"<{len(numbers) + 1}i{len(numbers) + 1}d", *[0] * (len(numbers) + 1), 0.0, *numbers) + text,
    ),
    st.sampled_from(HARMLESS),
    st.lists(st.floats(), max_size=8),
    st.lists(st.sampled_from([b"A\0\0\0", b"\xff\0\0\0", b"\0\0\0\0", b"1\0V\0"]), max_size=12).map(b"".join),
)  # fmt: skip
image = st.builds(lambda code, rest, tail: message(code, *rest, tail=tail), st.sampled_from([4, 5]),
                  st.lists(small | words, max_size=10), st.binary(max_size=40))  # fmt: skip
anything = st.binary(max_size=200) | st.builds(
    lambda n, tail: struct.pack("<i", n) + tail, words, st.binary(max_size=50)
)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parts=st.lists(command | well_formed | image | anything, min_size=1, max_size=3),
    cut=st.none() | st.integers(1, 60),
)
def test_the_server_survives_whatever_arrives(server: Server, parts: list[bytes], cut: int | None) -> None:
    with connect(server) as client:
        client.sendall(message(3) + b"".join(parts)[: None if cut is None else -cut])
        drain(client)
    assert is_served(server)


@pytest.mark.parametrize("tail", [b"", message(3), message(3)[:5], message(1, CODES[0], 0, 1, tail=bytes(4))])
def test_a_client_that_vanishes_with_a_reset(server: Server, tail: bytes) -> None:
    client = connect(server)
    client.sendall(message(3) + tail)
    # Closing with unsent data kept for no time resets the connection.
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("<2i", 1, 0))
    client.close()
    assert is_served(server)


def test_a_client_that_vanishes_within_an_image(server: Server, session: Session) -> None:
    for words in ((5, 1, 1000, 1000, 2_000_000, 0, -1, 0, -1, 1), (4, 0, 0)):
        client = connect(server)
        client.sendall(message(3) + message(1, TABLE["T"].code or 0, 0, 1, tail=bytes(4)) + message(*words))
        client.sendall(bytes(1000))
        client.close()
        assert is_served(server)


def test_a_client_that_vanishes_while_its_command_hangs(server: Server, session: Session) -> None:
    session.inject(FaultPlan((Fault("hang", commands=("TiltTo",)),)))
    client = connect(server)
    code = TABLE["TiltTo"].code
    array = struct.pack("<2i2d", 0, 0, 0.0, 5.0) + b"\x005\0\0"
    client.sendall(message(3) + message(1, code or 0, 1, len(array) // 4, tail=array))
    assert reply(client) == struct.pack("<2i", 0, 1)
    client.close()
    assert is_served(server)


def test_missing_arguments_and_numbers_that_are_none_are_errors(server: Server) -> None:
    with connect(server) as client:
        code = TABLE["TiltTo"].code or 0
        client.sendall(message(1, code, 0, 1, tail=bytes(4)))
        assert struct.unpack_from("<3i", reply(client)) == (0, 0, 1)
        array = struct.pack("<2i2d", 0, 0, 0.0, float("nan")) + b"\0nan\0\0\0\0"
        client.sendall(message(1, code, 1, len(array) // 4, tail=array))
        assert b"nan" in reply(client)


def test_a_defect_of_the_simulator_is_an_error_of_the_script(
    server: Server, session: Session, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("lost")

    monkeypatch.setattr("mock_serialem.serving.execute", broken)
    with connect(server) as client:
        client.sendall(message(1, TABLE["ReportTiltAngle"].code or 0, 0, 1, tail=bytes(4)))
        assert b"failed in the simulator itself: KeyError" in reply(client)
    assert "KeyError" in capsys.readouterr().err


def test_stop_ends_control_and_is_told_until_control_is_asked_for_again(
    server: Server, session: Session
) -> None:
    ask = message(1, TABLE["ReportTiltAngle"].code or 0, 0, 1, tail=bytes(4))
    with connect(server) as client:
        client.sendall(message(3))
        reply(client)
        session.press_stop()
        for _ in range(2):
            client.sendall(ask)
            assert struct.unpack_from("<3i", reply(client)) == (0, -1, -234561)
        client.sendall(message(4, 0, 0))
        assert reply(client) == struct.pack("<i", -10)
        # Another script may begin meanwhile; the first is then told that the program is busy.
        assert is_served(server)
        while server.busy:
            threading.Event().wait(0.01)
        client.sendall(message(3))
        assert reply(client) == struct.pack("<2i", 0, 1)
        client.sendall(ask)
        assert struct.unpack_from("<3i", reply(client)) == (0, 0, 0)


def test_stop_before_an_image(server: Server, session: Session) -> None:
    with connect(server) as client:
        client.sendall(message(3))
        reply(client)
        session.press_stop()
        client.sendall(message(5, 1, 2, 2, 8, 0, -1, 0, -1, 1))
        assert reply(client) == struct.pack("<i", -10)


def test_images_are_for_the_script_in_control_only(server: Server) -> None:
    with connect(server) as first, connect(server) as second:
        first.sendall(message(3))
        assert reply(first) == struct.pack("<2i", 0, 1)
        second.sendall(message(4, 0, 0))
        assert reply(second) == struct.pack("<i", -9)


def test_a_line_about_each_script(session: Session) -> None:
    lines: list[str] = []
    with Server(session, report=lines.append) as server:
        first, second = connect(server), connect(server)
        for client in (first, second):
            client.sendall(message(3))
            reply(client)
        first.sendall(message(1, TABLE["Exit"].code or 0, 0, 1, tail=bytes(4)))
        reply(first)
        first.close()
        second.close()
    assert [line.split(": ", 1)[1] for line in lines] == [
        "script begins",
        "refused: another script is running",
        "script ends after 1 commands: Exit",
    ]


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.float32])
def test_every_type_of_image_both_ways(server: Server, dtype: type) -> None:
    modes = {np.uint8: 0, np.int16: 1, np.uint16: 6, np.float32: 2}
    pixels = np.arange(6, dtype=dtype).reshape(2, 3)
    with connect(server) as client:
        client.sendall(message(5, modes[dtype], 3, 2, pixels.nbytes, 3, -1, 0, -1, 1) + pixels.tobytes())
        assert reply(client) == struct.pack("<i", 0)
        client.sendall(message(4, 3, 0))
        row = 3 * pixels.itemsize
        assert reply(client) == struct.pack("<7i", 0, modes[dtype], row, 3, 2, pixels.nbytes, 1)
        data = b""
        while len(data) < pixels.nbytes:
            data += client.recv(100)
        assert data == pixels.tobytes()


TILT = message(1, TABLE["ReportTiltAngle"].code or 0, 0, 1, tail=bytes(4))


def broken(*_: object) -> np.ndarray:
    raise MemoryError("none left")


def test_a_defect_within_an_image_costs_the_image_only(
    server: Server, session: Session, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("mock_serialem.serving.put_pixels", broken)
    monkeypatch.setattr("mock_serialem.serving.buffer_pixels", broken)
    with connect(server) as client:
        client.sendall(message(5, 0, 3, 2, 6, 3, -1, 0, -1, 1) + bytes(6) + TILT)
        assert reply(client) == struct.pack("<i", 0)
        assert struct.unpack_from("<3i", reply(client)) == (0, 0, 0)
        client.sendall(message(4, 0, 0) + TILT)
        assert reply(client) == bytes(28)
        assert struct.unpack_from("<3i", reply(client)) == (0, 0, 0)
    warnings = [line for line in session.log_lines if line.startswith("WARNING")]
    assert len(warnings) == 2 and all("MemoryError: none left" in line for line in warnings)
    assert capsys.readouterr().err.count("Traceback") == 2


def test_an_image_for_which_there_is_no_memory_is_refused_before_it_is_sent(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def empty(shape: tuple[int, int], *rest: object) -> np.ndarray:
        return broken() if shape == (2, 3) else plain(shape, *rest)  # type: ignore[call-overload,no-any-return]

    plain = np.empty
    monkeypatch.setattr(np, "empty", empty)
    with connect(server) as client:
        client.sendall(message(5, 0, 3, 2, 6, 3, -1, 0, -1, 1))
        assert reply(client) == struct.pack("<i", -1)
        client.sendall(TILT)
        assert struct.unpack_from("<3i", reply(client)) == (0, 0, 0)


def test_an_image_that_is_too_large_is_refused(
    server: Server, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect(server) as client:
        client.sendall(message(5, 0, 3, 2, 6, 3, -1, 0, -1, 1) + bytes(6))
        assert reply(client) == struct.pack("<i", 0)
        monkeypatch.setattr("mock_serialem.protocol.MAX_IMAGE", 5)
        client.sendall(message(4, 3, 0) + TILT)
        assert reply(client) == struct.pack("<i", -1)
        assert struct.unpack_from("<3i", reply(client)) == (0, 0, 0)
    assert "WARNING: an image of 3 x 2 is too large to be sent" in session.log_lines


def test_numbers_that_stand_for_none_are_not_sent(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mock_serialem.serving.execute", lambda *_: (1.0, -1e8, "x", -9e7, 2.0))
    with connect(server) as client:
        client.sendall(TILT)
        array = struct.pack("<3i3d", 0, 1, 0, 1.0, 0.0, 2.0) + b"x\0\0\0"
        assert reply(client) == struct.pack("<4i", 0, 2, 0, len(array) // 4) + array


class Listened:
    """A connection at which somebody listens already: what seems to be there may be gone the next moment."""

    def __init__(self, ready: socket.socket) -> None:
        self.ready, self.listening, self.over = ready, threading.Event(), threading.Event()

    def fileno(self) -> int:
        return self.ready.fileno()

    def recv(self, *_: int) -> bytes:
        pytest.fail("this would block")

    def sendall(self, _: bytes) -> None:
        pytest.fail("nothing was asked")

    def makefile(self, _: str) -> Listened:
        return self

    def read(self, _: int) -> bytes:
        self.listening.set()
        self.over.wait(10)
        return b""

    def close(self) -> None:
        self.over.set()


def test_nobody_else_looks_at_what_a_client_sends_while_it_is_listened_to(session: Session) -> None:
    near, far = socket.socketpair()
    with near, far:
        far.sendall(b"x")
        connection = Listened(near)
        serving = Serving(session, connection, Control(), False, lambda line: None)  # type: ignore[arg-type]

        def serve() -> None:
            with pytest.raises(ProtocolError):
                serving.serve()

        listener = threading.Thread(target=serve)
        listener.start()
        assert connection.listening.wait(10)
        assert not serving.vanished()
        serving.close()
        listener.join(10)


@pytest.mark.skipif(sys.platform == "win32", reason="files have no numbers there")
def test_a_connection_with_a_high_number_has_not_vanished(session: Session) -> None:
    import resource

    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limits[1] != resource.RLIM_INFINITY and limits[1] < 1200:
        pytest.skip("a process may not have so many files open here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(limits[0], 1200), limits[1]))
    near, far = socket.socketpair()
    try:
        with near, far, socket.socket(fileno=os.dup2(near.fileno(), 1100)) as high:
            serving = Serving(session, high, Control(), False, lambda line: None)
            assert not serving.vanished()
            far.close()
            assert serving.vanished()
            serving.close()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
