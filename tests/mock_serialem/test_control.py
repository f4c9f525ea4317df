from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading

import pytest

from mock_serialem.control import Control, _process_behind, end_client


class Client:
    def __init__(self, gone: bool = False) -> None:
        self.gone = gone

    def vanished(self) -> bool:
        return self.gone


def test_one_holder_at_a_time() -> None:
    control, first, second = Control(), Client(), Client()
    assert control.take(first) and control.take(first)
    assert not control.take(second)
    assert control.holder is first
    control.release()
    assert control.take(second)


@pytest.mark.parametrize(("gone", "after_s"), [(False, 0.02), (True, 0.3)])
def test_a_newcomer_waits_a_moment_and_longer_for_one_that_has_vanished(gone: bool, after_s: float) -> None:
    control, newcomer = Control(), Client()
    control.take(Client(gone))
    threading.Timer(after_s, control.release).start()
    assert control.take(newcomer)


def test_a_connection_of_this_process_is_cut_not_killed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        here, _ = server.accept()
        with client, here:
            if sys.platform.startswith("linux"):
                assert _process_behind(here) == os.getpid()
            assert end_client(here) == "connection cut"
            assert client.recv(1) == b""


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the system does not say whose a connection is"
)
def test_another_process_is_killed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        text = f"import socket; s = socket.create_connection(('127.0.0.1', {port})); s.recv(1)"
        process = subprocess.Popen([sys.executable, "-c", text])
        here, _ = server.accept()
        with here:
            assert end_client(here) == f"process {process.pid} killed"
            assert process.wait(10) == -9


def test_a_connection_that_is_lost_already() -> None:
    first, second = socket.socketpair()
    first.close()
    second.close()
    assert end_client(second) == "connection lost already"


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the system does not say whose a connection is"
)
def test_a_process_that_ends_while_the_right_one_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def with_one_that_has_gone(path: str) -> list[str]:
        return ["999999999", *listdir(path)] if path == "/proc" else listdir(path)

    listdir = os.listdir
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname()), server.accept()[0] as here:
            monkeypatch.setattr(os, "listdir", with_one_that_has_gone)
            assert _process_behind(here) == os.getpid()
