"""One connection of the server: what a client sends, carried out and answered."""

from __future__ import annotations

import selectors
import socket
import string
import sys
import threading
import traceback
from collections.abc import Callable
from functools import partial
from typing import BinaryIO

import numpy as np

from mock_serialem import protocol
from mock_serialem.commands import BY_CODE, NOT_GIVEN, CommandInfo, Value
from mock_serialem.control import Control, end_client
from mock_serialem.dispatch import Values, execute
from mock_serialem.errors import CommandError, ScriptExit, SEMerror, SEMexited
from mock_serialem.files.mrc import MODES
from mock_serialem.pictures import buffer_pixels, put_pixels
from mock_serialem.protocol import ImageHeader, ProtocolError
from mock_serialem.session import Session

_LETTERS = string.ascii_uppercase[:20]
_MODE_OF = {dtype: mode for mode, dtype in MODES.items()}

_NO_PIXELS = np.zeros((0, 0), np.int16)

# Of those that Windows has too, `poll` needs no file of its own and knows no highest number of one.
_Selector: type[selectors.BaseSelector] = getattr(selectors, "PollSelector", selectors.SelectSelector)

_DEFECTS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What only a defect of the simulator, or a file system that plays up, lets through; the script gets an error."""


class Serving:
    """Answers one client.

    Parameters
    ----------
    session : Session
    connection : socket
    control : Control
        Shared by all connections of a server.
    for_script : bool
        See `mock_serialem.server.Server`.
    report : callable
        Takes a line about the connection.
    """

    def __init__(
        self,
        session: Session,
        connection: socket.socket,
        control: Control,
        for_script: bool,
        report: Callable[[str], None],
    ) -> None:
        self._session = session
        self._connection = connection
        self._stream: BinaryIO = connection.makefile("rb")
        # Held while waiting for the client, so that nobody else looks at what arrives then.
        self._reading = threading.Lock()
        self._control = control
        self._for_script = for_script
        self._report = report
        self._stopped = False
        self._refused = False
        self._count = 0

    def serve(self) -> None:
        """Answer messages until the connection ends.

        Raises
        ------
        ProtocolError
            The client closed the connection, or sent what makes no sense.
        OSError
            The connection failed.
        """
        send = self._connection.sendall
        while True:
            body = self._receive()
            (function,) = protocol.longs_of(body, 1)
            if function == protocol.REGULAR:
                send(self._command(body))
            elif function == protocol.OK_TO_RUN:
                self._stopped = False
                send(protocol.message([0], [int(self._take_control())]))
            elif function == protocol.GET_IMAGE:
                self._get_image(body)
            elif function == protocol.PUT_IMAGE:
                self._put_image(body)
            elif function != protocol.CHUNK:  # nobody answers a request for more than there is
                raise ProtocolError(f"function {function} is not known")

    def _receive(self) -> bytes:
        with self._reading:
            return protocol.receive(self._stream)

    def close(self, reason: str = "disconnected") -> None:
        """Give up control and close the stream that reads from the connection."""
        try:
            self._release(reason)
        finally:
            self._stream.close()

    # --- control

    def _take_control(self) -> bool:
        """Take control if nobody has it; an outside script begins then."""
        if self._control.holder is self:
            return True
        if not self._control.take(self):
            if not self._refused:
                self._refused = True
                self._report("refused: another script is running")
            return False
        self._session.waiting.gone = self.vanished
        if not self._for_script:
            with self._session.lock:
                self._session.begin_script()
            self._session.end_process = partial(end_client, self._connection)
        self._count = 0
        self._refused = False
        self._report("script begins")
        return True

    def _release(self, reason: str) -> None:
        """Give up control; an outside script ends with its connection, its ``Exit``, or STOP."""
        if self._control.holder is not self:
            return
        try:
            with self._session.lock:
                self._session.waiting.nobody_there()
                if not self._for_script:
                    self._session.end_process = None
                    self._session.end_script()
        finally:
            self._control.release()
        self._report(f"script ends after {self._count} commands: {reason}")

    def vanished(self) -> bool:
        """Tell whether the client has closed its connection while it should wait for a reply.

        Any thread may ask. A client that is listened to has not vanished: the thread that listens would know.
        """
        if not self._reading.acquire(blocking=False):
            return False
        try:
            with _Selector() as selector:
                selector.register(self._connection, selectors.EVENT_READ)
                # What is there stays there as nobody else reads now, so this cannot block.
                return bool(selector.select(0.0)) and not self._connection.recv(1, socket.MSG_PEEK)
        except (OSError, ValueError):
            return True
        finally:
            self._reading.release()

    def _refusal(self) -> int:
        """Return value for a client that may not do anything at present, 0 if it may."""
        if self._stopped:
            return protocol.STOPPED
        if not self._take_control() or (self._for_script and self._session.script.exit_code is not None):
            return protocol.DISCONNECTED
        return 0

    # --- commands

    def _command(self, body: bytes) -> bytes:
        code, numbers, texts = protocol.unpack_request(body)
        refusal = self._refusal()
        if refusal == protocol.STOPPED:
            return protocol.pack_reply(protocol.USER_STOP, None)
        if refusal:
            return protocol.message([refusal])
        info = BY_CODE.get(code)
        if info is None:
            return protocol.pack_reply(protocol.COMMAND_ERROR, [f"There is no command with code {code}"])
        self._count += 1
        try:
            values = execute(self._session, info.name, _arguments(info, numbers, texts))
            return protocol.pack_reply(0, _given(values))
        except SEMerror as err:
            return protocol.pack_reply(protocol.COMMAND_ERROR, [str(err)])
        except SEMexited:
            self._end_by_stop()
            return protocol.pack_reply(protocol.USER_STOP, None)
        except ScriptExit as end:
            if not self._for_script:
                self._release("Exit")
            return protocol.pack_reply(protocol.QUIET_EXIT if end.code else protocol.NORMAL_EXIT, None)
        except _DEFECTS as err:
            return protocol.pack_reply(protocol.COMMAND_ERROR, [f"{info.name} {_defect(err)}"])

    def _end_by_stop(self) -> None:
        """End an outside script; its client hears of STOP until it asks for control again."""
        if not self._for_script:
            self._stopped = True
            self._release("STOP" if self._session.stop_pressed else "its process has vanished")

    # --- images

    def _may_exchange_images(self) -> bool:
        refusal = self._refusal()
        if not refusal and self._session.stop_pressed:
            self._end_by_stop()
            refusal = protocol.STOPPED
        if refusal:
            self._connection.sendall(protocol.message([refusal]))
        return not refusal

    def _get_image(self, body: bytes) -> None:
        _, index, is_fft = protocol.longs_of(body, 3)
        if not self._may_exchange_images():
            return
        send = self._connection.sendall
        try:
            pixels = buffer_pixels(self._session, _letter(index) + ("F" if is_fft else ""))
        except CommandError:
            pixels = _NO_PIXELS
        except _DEFECTS as err:
            self._warn(f"the image of a buffer could not be read: {_defect(err)}")
            pixels = _NO_PIXELS
        if pixels.size == 0 or pixels.dtype not in _MODE_OF:
            send(protocol.message([0, 0, 0, 0, 0, 0, 0]))
            return
        rows, columns = pixels.shape
        row_bytes = columns * pixels.dtype.itemsize
        size = row_bytes * rows
        if size > protocol.MAX_IMAGE:
            self._warn(f"an image of {columns} x {rows} is too large to be sent")
            send(protocol.message([protocol.FAILED]))
            return
        chunks = -(-size // protocol.CHUNK_BYTES)
        send(
            protocol.message(
                [0, *ImageHeader(_MODE_OF[pixels.dtype], row_bytes, columns, rows, size, chunks)]
            )
        )
        data = np.ascontiguousarray(pixels).data.cast("B")
        step = -(-size // chunks)
        for start in range(0, size, step):
            if start:
                (function,) = protocol.longs_of(self._receive(), 1)
                if function != protocol.CHUNK:
                    raise ProtocolError("a request for the next part of an image was expected")
            send(data[start : start + step])

    def _put_image(self, body: bytes) -> None:
        _, mode, columns, rows, size, target, base, binning, flag, _ = protocol.longs_of(body, 10)
        if not self._may_exchange_images():
            return
        dtype = MODES.get(mode)
        good = dtype is not None and columns > 0 and rows > 0 and 0 < size <= protocol.MAX_IMAGE
        if dtype is None or not good or size != columns * rows * dtype.itemsize:
            self._connection.sendall(protocol.message([protocol.FAILED]))
            return
        try:
            pixels = np.empty((rows, columns), dtype)
        except MemoryError as err:
            self._warn(f"an image of {columns} x {rows} cannot be taken: {err}")
            self._connection.sendall(protocol.message([protocol.FAILED]))
            return
        self._connection.sendall(protocol.message([0]))
        with self._reading:
            protocol.receive_into(self._stream, pixels.reshape(-1).view(np.uint8).data)
        base_letter = _letter(base) if base >= 0 else ""
        # Nothing is acknowledged after the data, so the log is the only place to say what goes wrong.
        try:
            put_pixels(self._session, pixels, _letter(target), columns, rows, base_letter, binning, flag)
        except CommandError as err:
            self._warn(f"an image could not be put into a buffer: {err.message}")
        except _DEFECTS as err:
            self._warn(f"an image could not be put into a buffer: {_defect(err)}")

    def _warn(self, text: str) -> None:
        with self._session.lock:
            self._session.log.add(f"WARNING: {text}")


def _defect(err: Exception) -> str:
    """Show where a defect is, and return what a script is told of it."""
    traceback.print_exception(type(err), err, err.__traceback__, file=sys.stderr)
    return f"failed in the simulator itself: {type(err).__name__}: {err}"


def _given(values: Values) -> list[Value]:
    """Reported values without the numbers that stand for none."""
    return [value for value in values or () if isinstance(value, str) or value > NOT_GIVEN]


def _letter(index: int) -> str:
    return _LETTERS[index] if 0 <= index < len(_LETTERS) else "?"


def _arguments(info: CommandInfo, numbers: list[float], texts: list[str]) -> list[Value]:
    """Argument values by the command's letters; a list that is too long is cut.

    Raises
    ------
    SEMerror
        Arguments are missing, or a number is none.
    """
    if len(numbers) < info.min_args:
        raise SEMerror(f"{info.name} needs {info.min_args} arguments, {len(numbers)} were sent")
    values: list[Value] = []
    for letter, number, text in zip(info.letters, numbers, texts):
        if letter in "Ss":
            values.append(text)
        elif not abs(number) < 1e30:
            raise SEMerror(f"{info.name} got a number that is none: {number}")
        elif letter in "Ii" and number > NOT_GIVEN:
            values.append(int(number))
        else:
            values.append(number)
    return values
