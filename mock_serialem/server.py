"""SerialEM's side of the socket protocol: commands and images for scripts in other processes."""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Callable
from types import TracebackType

from mock_serialem.control import Control
from mock_serialem.protocol import ProtocolError
from mock_serialem.serving import Serving
from mock_serialem.session import Session

LOOPBACK = "127.0.0.1"
ACCEPT_AGAIN_S = 0.05


def _say_nothing(line: str) -> None:
    """Take a line and drop it."""


class Server:
    """Serves one session on a port, one client in control at a time; others are told that the program is busy.

    Parameters
    ----------
    session : Session
    port : int
        0 takes a free one; see `port` afterwards.
    host : str
        Address to bind to.
    for_script : bool
        Serve one script of the script window: its begin and end are not decided by the connection, and nothing runs
        after its ``Exit``.
    report : callable, optional
        Takes a line about each connection.
    listener : socket, optional
        From `listen`, instead of a port; the server closes it.

    Raises
    ------
    OSError
        The port cannot be used.
    """

    def __init__(
        self,
        session: Session,
        port: int = 0,
        host: str = LOOPBACK,
        for_script: bool = False,
        report: Callable[[str], None] = _say_nothing,
        listener: socket.socket | None = None,
    ) -> None:
        self.session = session
        self._for_script = for_script
        self._report = report
        self._socket = listener or listen(host, port)
        self.port: int = self._socket.getsockname()[1]
        self._control = Control()
        self._numbers = itertools.count(1)
        self._connections: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._ending = threading.Event()
        self._accepting = threading.Thread(target=self._accept, name="serialem-server", daemon=True)
        self._accepting.start()

    def __enter__(self) -> Server:
        """Return the server itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the server."""
        self.close()

    def close(self) -> None:
        """Stop listening and end all connections."""
        self._ending.set()
        # Closing alone does not wake a thread in accept() on every system; a connection does.
        try:
            socket.create_connection(self._socket.getsockname()[:2], timeout=1.0).close()
        except OSError:
            self._socket.close()
        self._accepting.join(5.0)
        self._socket.close()
        for connection in list(self._connections):
            _shut(connection)
        for thread in self._threads:
            thread.join(5.0)

    @property
    def busy(self) -> bool:
        """A script is in control."""
        return self._control.holder is not None

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait until the server is closed, or so many seconds."""
        self._accepting.join(timeout_s)

    def _accept(self) -> None:
        while not self._ending.is_set():
            try:
                connection, address = self._socket.accept()
            except OSError:
                # A client may vanish before it is accepted, and files may run out for a moment.
                if self._ending.wait(ACCEPT_AGAIN_S):
                    return
                continue
            if self._ending.is_set():
                connection.close()
                return
            thread = threading.Thread(target=self._serve, args=(connection, address), daemon=True)
            self._connections.add(connection)
            try:
                thread.start()
            except RuntimeError as err:
                # There are too many threads; those who are connected are served on.
                self._report(f"connection from {address[0]}:{address[1]}: refused, {err}")
                self._connections.discard(connection)
                connection.close()
                continue
            self._threads = [each for each in self._threads if each.is_alive()] + [thread]

    def _serve(self, connection: socket.socket, address: tuple[str, int]) -> None:
        name = f"connection {next(self._numbers)} from {address[0]}:{address[1]}"
        reason = "disconnected"

        def report(line: str) -> None:
            self._report(f"{name}: {line}")

        client = Serving(self.session, connection, self._control, self._for_script, report)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.serve()
        except (ProtocolError, OSError) as err:
            # A client that vanishes or talks nonsense loses its connection; the next one is served.
            reason = str(err)
        finally:
            try:
                client.close(reason)
            finally:
                self._connections.discard(connection)
                connection.close()


def listen(host: str, port: int) -> socket.socket:
    """Socket that listens on an address that no other program has.

    Raises
    ------
    OSError
        The address cannot be had.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        # On Windows, SO_REUSEADDR would let two programs have the same port, and a script could reach the wrong one
        # of simulator and microscope. Elsewhere it only means that a port which has just become free can be had.
        own = getattr(socket, "SO_EXCLUSIVEADDRUSE", socket.SO_REUSEADDR)
        listener.setsockopt(socket.SOL_SOCKET, own, 1)
        listener.bind((host, port))
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        # It was closed from the other side meanwhile.
        return
