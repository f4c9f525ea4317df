"""SerialEM's side of the socket protocol: commands and images for scripts in other processes."""

from __future__ import annotations

import socket
import string
import threading
from types import TracebackType
from typing import BinaryIO

import numpy as np

from mock_serialem import protocol
from mock_serialem.commands import BY_CODE, NOT_GIVEN, CommandInfo, Value
from mock_serialem.dispatch import execute
from mock_serialem.errors import CommandError, ScriptExit, SEMerror, SEMexited
from mock_serialem.files.mrc import MODES
from mock_serialem.pictures import buffer_pixels, put_pixels
from mock_serialem.protocol import ImageHeader, ProtocolError
from mock_serialem.session import Session

LOOPBACK = "127.0.0.1"
_LETTERS = string.ascii_uppercase[:20]


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

    Raises
    ------
    OSError
        The port cannot be used.
    """

    def __init__(
        self, session: Session, port: int = 0, host: str = LOOPBACK, for_script: bool = False
    ) -> None:
        self.session = session
        self._for_script = for_script
        self._socket = socket.create_server((host, port))
        self.port: int = self._socket.getsockname()[1]
        self._control = threading.Lock()
        self._connections: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._closing = False
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
        self._closing = True
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

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait until the server is closed, or so many seconds."""
        self._accepting.join(timeout_s)

    def _accept(self) -> None:
        while not self._closing:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            if self._closing:
                connection.close()
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._connections.add(connection)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads = [each for each in self._threads if each.is_alive()] + [thread]
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        client = _Client(self.session, connection, self._control, self._for_script)
        try:
            client.serve()
        except (ProtocolError, OSError):
            # A client that vanishes or talks nonsense loses its connection; the next one is served.
            pass
        finally:
            client.release()
            client.close()
            self._connections.discard(connection)
            connection.close()


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        # It was closed from the other side meanwhile.
        return


class _Client:
    """One connection."""

    def __init__(
        self, session: Session, connection: socket.socket, control: threading.Lock, for_script: bool
    ) -> None:
        self._session = session
        self._connection = connection
        self._stream: BinaryIO = connection.makefile("rb")
        self._control = control
        self._for_script = for_script
        self._in_control = False

    def serve(self) -> None:
        """Answer messages until the connection ends (ProtocolError, OSError)."""
        while True:
            body = protocol.receive(self._stream)
            (function,) = protocol.longs_of(body, 1)
            if function == protocol.REGULAR:
                self._send(self._command(body))
            elif function == protocol.OK_TO_RUN:
                self._send(protocol.message([0], [int(self._take_control())]))
            elif function == protocol.GET_IMAGE:
                self._get_image(body)
            elif function == protocol.PUT_IMAGE:
                self._put_image(body)
            else:
                raise ProtocolError(f"function {function} is not known")

    def release(self) -> None:
        """Give up control; an outside script ends with its connection, or its ``Exit``."""
        if self._in_control:
            self._in_control = False
            if not self._for_script:
                with self._session.lock:
                    self._session.end_script()
            self._control.release()

    def close(self) -> None:
        """Close the stream that reads from the connection."""
        self._stream.close()

    def _send(self, data: bytes) -> None:
        self._connection.sendall(data)

    def _take_control(self) -> bool:
        """Take control if nobody has it; an outside script begins then."""
        if self._in_control:
            return True
        if not self._control.acquire(blocking=False):
            return False
        self._in_control = True
        if not self._for_script:
            with self._session.lock:
                self._session.begin_script()
        return True

    # --- commands

    def _command(self, body: bytes) -> bytes:
        code, numbers, texts = protocol.unpack_request(body)
        if not self._take_control() or (self._for_script and self._session.script.exit_code is not None):
            return protocol.message([protocol.DISCONNECTED])
        info = BY_CODE.get(code)
        if info is None:
            return protocol.pack_reply(protocol.COMMAND_ERROR, [f"There is no command with code {code}"])
        try:
            return protocol.pack_reply(0, execute(self._session, info.name, _arguments(info, numbers, texts)))
        except SEMerror as err:
            return protocol.pack_reply(protocol.COMMAND_ERROR, [str(err)])
        except SEMexited:
            return protocol.pack_reply(protocol.USER_STOP, None)
        except ScriptExit as end:
            if not self._for_script:
                self.release()
            return protocol.pack_reply(protocol.QUIET_EXIT if end.code else protocol.NORMAL_EXIT, None)

    # --- images

    def _get_image(self, body: bytes) -> None:
        _, index, is_fft = protocol.longs_of(body, 3)
        try:
            pixels = buffer_pixels(self._session, _letter(index) + ("F" if is_fft else ""))
        except CommandError:
            self._send(protocol.message([0, 0, 0, 0, 0, 0, 0]))
            return
        rows, columns = pixels.shape
        mode = next(mode for mode, dtype in MODES.items() if dtype == pixels.dtype)
        row_bytes = columns * pixels.dtype.itemsize
        size = row_bytes * rows
        header = ImageHeader(mode, row_bytes, columns, rows, size, -(-size // protocol.CHUNK_BYTES))
        self._send(protocol.message([0, *header]))
        data = np.ascontiguousarray(pixels).data.cast("B")
        step = -(-size // header.chunks)
        for start in range(0, size, step):
            if start:
                (function,) = protocol.longs_of(protocol.receive(self._stream), 1)
                if function != protocol.CHUNK:
                    raise ProtocolError("a request for the next part of an image was expected")
            self._connection.sendall(data[start : start + step])

    def _put_image(self, body: bytes) -> None:
        _, mode, columns, rows, size, target, base, binning, flag, _ = protocol.longs_of(body, 10)
        dtype = MODES.get(mode)
        if dtype is None or columns <= 0 or rows <= 0 or size != columns * rows * dtype.itemsize:
            self._send(protocol.message([-1]))
            return
        self._send(protocol.message([0]))
        data = protocol.receive_exactly(self._stream, size)
        pixels = np.frombuffer(data, dtype).reshape(rows, columns)
        base_letter = _letter(base) if base >= 0 else ""
        try:
            put_pixels(self._session, pixels, _letter(target), columns, rows, base_letter, binning, flag)
        except CommandError as err:
            # Nothing is acknowledged after the data, so the log is the only place to say it.
            with self._session.lock:
                self._session.log.add(f"WARNING: an image could not be put into a buffer: {err.message}")


def _letter(index: int) -> str:
    return _LETTERS[index] if 0 <= index < len(_LETTERS) else "?"


def _arguments(info: CommandInfo, numbers: list[float], texts: list[str]) -> list[Value]:
    """Argument values by the command's letters; an argument list that is too long is cut."""
    values: list[Value] = []
    for letter, number, text in zip(info.letters, numbers, texts):
        if letter in "Ss":
            values.append(text)
        elif letter in "Ii" and number > NOT_GIVEN:
            values.append(int(number))
        else:
            values.append(number)
    return values
