"""The socket server: raw frames from a client that knows only the protocol, and clients that misbehave."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from mock_serialem.commands import TABLE
from mock_serialem.pictures import buffer_pixels
from mock_serialem.server import LOOPBACK, Server, listen
from mock_serialem.session import Session


class Raw:
    """A client made of struct and a socket."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)

    def close(self) -> None:
        self.socket.close()

    def exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            if not part:
                raise ConnectionError("closed")
            data += part
        return data

    def send(self, *words: int, tail: bytes = b"") -> None:
        body = struct.pack(f"<{len(words)}i", *words) + tail
        self.socket.sendall(struct.pack("<i", 4 + len(body)) + body)

    def reply(self) -> bytes:
        (length,) = struct.unpack("<i", self.exactly(4))
        return self.exactly(length - 4)

    def command(self, name: str, *arguments: float | str) -> bytes:
        code = TABLE[name].code
        assert code is not None
        if not arguments:
            self.send(1, code, 0, 1, tail=bytes(4))
            return self.reply()
        count = len(arguments) + 1
        numbers = [0.0] + [0.0 if isinstance(a, str) else float(a) for a in arguments]
        strings = b"\0" + b"".join(str(a).encode() + b"\0" for a in arguments)
        array = struct.pack(f"<{count}i{count}d", *[0] * count, *numbers) + strings
        array += bytes(-len(array) % 4)
        self.send(1, code, len(arguments), len(array) // 4, tail=array)
        return self.reply()


@pytest.fixture
def server(session: Session) -> Iterator[Server]:
    with Server(session) as server:
        yield server


@pytest.fixture
def raw(server: Server) -> Iterator[Raw]:
    client = Raw(server.port)
    yield client
    client.close()


def test_permission_is_given_once(raw: Raw, server: Server) -> None:
    raw.send(3)
    assert raw.reply() == struct.pack("<2i", 0, 1)
    second = Raw(server.port)
    second.send(3)
    assert second.reply() == struct.pack("<2i", 0, 0)
    # A command of a client without permission: SerialEM is busy.
    assert second.command("ReportTiltAngle") == struct.pack("<i", -9)
    raw.close()
    third = Raw(server.port)
    for _ in range(100):
        third.send(3)
        if third.reply() == struct.pack("<2i", 0, 1):
            break
    else:
        pytest.fail("control was not given up by a closed connection")
    second.close()
    third.close()


def test_a_command_and_its_reply(raw: Raw, session: Session) -> None:
    raw.send(3)
    raw.reply()
    assert raw.command("SetTargetDefocus", -4.25) == struct.pack("<5i", 0, -1, 0, 1, 0)
    assert raw.command("ReportTargetDefocus") == struct.pack("<4i", 0, 0, 0, 3) + struct.pack("<id", 0, -4.25)
    assert session.focus.target_um == -4.25


def test_an_error_carries_its_text(raw: Raw) -> None:
    reply = raw.command("ChangeFocus", 0.0)
    returned, last, error, _, flag = struct.unpack_from("<5i", reply)
    assert (returned, last, error, flag) == (0, 0, 1, 1)
    assert reply[28:].rstrip(b"\0") == b"No message from command error"


@pytest.mark.parametrize(("code", "error"), [(0.0, -123456), (2.0, -654321)])
def test_exit(raw: Raw, session: Session, code: float, error: int) -> None:
    raw.send(3)
    raw.reply()
    assert struct.unpack_from("<3i", raw.command("Exit", code, "bye")) == (0, -1, error)
    assert not session.script.running
    assert session.log_lines[-1] == "bye"


def test_stop(raw: Raw, session: Session) -> None:
    raw.send(3)
    raw.reply()
    session.press_stop()
    assert struct.unpack_from("<3i", raw.command("ReportTiltAngle")) == (0, -1, -234561)


def test_variables_last_as_long_as_control(raw: Raw, server: Server, session: Session) -> None:
    raw.send(3)
    raw.reply()
    raw.command("SetVariable", "a", "1")
    assert session.variables.is_defined("a")
    raw.command("Exit", 1.0)
    raw.send(3)
    assert raw.reply() == struct.pack("<2i", 0, 1)
    assert not session.variables.is_defined("a")


def test_getting_an_image(raw: Raw, session: Session) -> None:
    raw.command("T")
    raw.send(4, 0, 0)
    pixels = buffer_pixels(session, "A")
    rows, columns = pixels.shape
    size = pixels.nbytes
    assert raw.reply() == struct.pack("<7i", 0, 1, 2 * columns, columns, rows, size, 1)
    assert raw.exactly(size) == pixels.tobytes()
    raw.send(4, 1, 1)
    assert struct.unpack("<7i", raw.reply())[5] == 0


def test_a_large_image_comes_in_chunks(raw: Raw, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mock_serialem.protocol.CHUNK_BYTES", 100_000)
    raw.command("T")
    pixels = buffer_pixels(session, "A")
    raw.send(4, 0, 0)
    chunks = struct.unpack("<7i", raw.reply())[6]
    assert chunks == -(-pixels.nbytes // 100_000) > 1
    step = -(-pixels.nbytes // chunks)
    data = raw.exactly(min(step, pixels.nbytes))
    while len(data) < pixels.nbytes:
        raw.send(2)
        data += raw.exactly(min(step, pixels.nbytes - len(data)))
    assert data == pixels.tobytes()
    assert struct.unpack_from("<3i", raw.command("ReportTiltAngle"))[2] == 0


def test_putting_an_image(raw: Raw, session: Session) -> None:
    pixels = np.arange(12, dtype=np.float32).reshape(3, 4)
    raw.send(5, 2, 4, 3, 48, 2, -1, 0, -1, 1)
    assert raw.reply() == struct.pack("<i", 0)
    raw.socket.sendall(pixels.tobytes())
    raw.command("ReportTiltAngle")
    np.testing.assert_array_equal(session.buffers.get("C").pixels, pixels)
    raw.send(5, 2, 4, 3, 47, 2, -1, 0, -1, 1)
    assert raw.reply() == struct.pack("<i", -1)


NONSENSE = [
    b"\x05",
    struct.pack("<i", -1),
    struct.pack("<i", 2**31 - 1),
    struct.pack("<2i", 8, 99),
    struct.pack("<5i", 20, 1, 5, 30, 3),
    struct.pack("<4i", 16, 4, 0, 0)[:10],
    struct.pack("<3i", 12, 5, 1),
]


@pytest.mark.parametrize("data", NONSENSE)
def test_the_server_survives_nonsense_and_serves_the_next_client(
    server: Server, session: Session, data: bytes
) -> None:
    bad = Raw(server.port)
    bad.socket.sendall(data)
    bad.socket.shutdown(socket.SHUT_WR)
    assert bad.socket.recv(10) == b""
    bad.close()
    good = Raw(server.port)
    for _ in range(100):
        reply = good.command("ReportTiltAngle")
        if reply != struct.pack("<i", -9):
            break
    assert struct.unpack_from("<3i", reply) == (0, 0, 0)
    good.close()


def test_an_unknown_code_is_an_error_reply(raw: Raw) -> None:
    raw.send(1, 9999, 0, 1, tail=bytes(4))
    reply = raw.reply()
    assert struct.unpack_from("<3i", reply) == (0, 0, 1)
    assert b"9999" in reply


def test_several_servers_can_be_opened_and_closed(session: Session) -> None:
    for _ in range(3):
        with Server(session) as server:
            client = Raw(server.port)
            client.command("ReportTiltAngle")
        with pytest.raises((ConnectionError, OSError)):
            client.command("ReportTiltAngle")
        client.close()


def test_too_many_threads_cost_the_newcomer_only(
    session: Session, raw: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    with Server(session, report=lines.append) as server:

        def refuse(_: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            unlucky = Raw(server.port)
            assert unlucky.socket.recv(1) == b""
            unlucky.close()
        good = Raw(server.port)
        assert struct.unpack_from("<3i", good.command("ReportTiltAngle")) == (0, 0, 0)
        good.close()
    assert lines[0].endswith("refused, can't start new thread")


def test_no_other_program_gets_the_port_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    # Where the option is missing, another one shows that it is asked for, and in place of SO_REUSEADDR.
    if not hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
        monkeypatch.setattr(socket, "SO_EXCLUSIVEADDRUSE", socket.SO_KEEPALIVE, raising=False)
    with listen(LOOPBACK, 0) as listener:
        assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE)
        assert not listener.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_connection_is_closed_even_if_its_script_cannot_be_ended(
    raw: Raw, server: Server, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise ValueError("a defect")

    raw.send(3)
    raw.reply()
    with monkeypatch.context() as patch:
        patch.setattr(session, "end_script", broken)
        raw.socket.shutdown(socket.SHUT_WR)
        assert raw.socket.recv(1) == b""
    good = Raw(server.port)
    assert struct.unpack_from("<3i", good.command("ReportTiltAngle")) == (0, 0, 0)
    good.close()


def test_a_request_for_more_of_an_image_than_there_is_gets_no_answer(raw: Raw) -> None:
    raw.send(2)
    raw.send(3)
    assert raw.reply() == struct.pack("<2i", 0, 1)
