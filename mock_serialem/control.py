"""Who is in control of the program, and the process behind a connection."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
from pathlib import Path
from typing import Protocol

GRACE_S = 0.1
VANISHED_GRACE_S = 2.0
"""How long a newcomer waits for control."""

_TCP_TABLE = Path("/proc/net/tcp")


class Holder(Protocol):
    """What can be in control."""

    def vanished(self) -> bool:
        """Tell whether the client has gone, although its last command may not be over."""
        ...


class Control:
    """Control of the program: at most one connection has it. Thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.holder: Holder | None = None

    def take(self, holder: Holder) -> bool:
        """Give control to `holder` if nobody has it.

        A script often starts in the moment in which the one before ends, so a little patience keeps it from being
        refused; a holder that has vanished is waited for longer.
        """
        with self._changed:
            if self.holder is holder:
                return True
            free = self._changed.wait_for(lambda: self.holder is None, GRACE_S)
            if not free and self.holder is not None and self.holder.vanished():
                free = self._changed.wait_for(lambda: self.holder is None, VANISHED_GRACE_S)
            if free:
                self.holder = holder
            return free

    def release(self) -> None:
        """Let the next one take control."""
        with self._changed:
            self.holder = None
            self._changed.notify_all()


def end_client(connection: socket.socket) -> str:
    """Kill the process at the other end of a connection on this machine, or else cut the connection.

    The process is only looked for where the system tells (Linux and Windows) and never the simulator's own.

    Returns
    -------
    str
        What was done.
    """
    process = _process_behind(connection)
    if process is not None and process != os.getpid():
        try:
            os.kill(process, getattr(signal, "SIGKILL", signal.SIGTERM))
            return f"process {process} killed"
        except OSError:
            # It ended by itself, or belongs to somebody else.
            pass
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return "connection lost already"
    return "connection cut"


def _process_behind(connection: socket.socket) -> int | None:
    """Process that holds the other end, None if it cannot be found."""
    try:
        here, there = connection.getsockname()[:2], connection.getpeername()[:2]
    except OSError:
        return None
    if here[0] != there[0]:
        return None
    if os.name == "nt":
        return _by_netstat(int(there[1]), int(here[1]))
    inode = _inode(int(there[1]), int(here[1]))
    return None if inode is None else _owner(f"socket:[{inode}]")


def _inode(local_port: int, remote_port: int) -> str | None:
    """Inode of an established connection, by Linux's table of sockets."""
    try:
        lines = _TCP_TABLE.read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return None
    for words in map(str.split, lines):
        ports = tuple(int(words[place].rsplit(":", 1)[1], 16) for place in (1, 2))
        if ports == (local_port, remote_port):
            return words[9]
    return None


def _owner(link: str) -> int | None:
    """Process that has a file with this link open."""
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            files = os.listdir(f"/proc/{process}/fd")
        except OSError:
            # Processes come and go, and those of others cannot be read.
            continue
        if any(_links_to(f"/proc/{process}/fd/{file}", link) for file in files):
            return int(process)
    return None


def _links_to(path: str, link: str) -> bool:
    try:
        return os.readlink(path) == link
    except OSError:
        # The file was closed meanwhile.
        return False


def _by_netstat(local_port: int, remote_port: int) -> int | None:
    """Process of a connection, by the table that Windows prints."""
    try:
        done = subprocess.run(
            ["netstat", "-ano", "-p", "TCP"],
            check=False,
            capture_output=True,
            encoding="ascii",
            errors="replace",
        )
    except OSError:
        return None
    for words in map(str.split, done.stdout.splitlines()):
        if len(words) >= 5 and words[1].endswith(f":{local_port}") and words[2].endswith(f":{remote_port}"):
            return int(words[4])
    return None
