"""A pure-Python ``serialem`` module that talks to SerialEM's socket, as the compiled one does.

Needs the standard library only, so that a script starts fast. Use `install` before ``import serialem``.
"""

from __future__ import annotations

import os
import socket
import string
import struct
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, BinaryIO

from mock_serialem import protocol
from mock_serialem.commands import TABLE, CommandInfo, Result, check_arguments, check_count, python_result
from mock_serialem.errors import NORMAL_EXIT, USER_STOP, SEMerror, SEMexited, SEMmoduleError
from mock_serialem.protocol import ImageHeader, ProtocolError

_MODES = {letter: mode for mode, letter in protocol.IMAGE_MODES.items()}
_PUT_DEFAULTS: tuple[protocol.Value, ...] = ("", 0, 0, "", 0, -1)
_BYTES = {"B": 1, "h": 2, "H": 2, "f": 4}


class Connection:
    """The connection of one process to one SerialEM.

    Attributes
    ----------
    port : int
    host : str
    initialized : bool
        Permission to run has been asked for, or the script window vouches for it.
    tuples : bool
        ``ReturnAllValuesAsTuples``.
    timeout_s : float or None
        Of image transfers.
    """

    def __init__(self) -> None:
        self.port = int(os.environ.get("PY_SERIALEM_PORT") or protocol.DEFAULT_PORT)
        self.host = os.environ.get("PY_SERIALEM_IP") or "127.0.0.1"
        self.initialized = False
        self.tuples = False
        self.timeout_s: float | None = None
        self._socket: socket.socket | None = None
        self._stream: BinaryIO | None = None

    def close(self) -> None:
        """Close the connection; the next message opens a new one."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _open(self) -> socket.socket:
        if self._socket is None:
            try:
                self._socket = socket.create_connection((self.host, self.port))
            except OSError as err:
                raise SEMmoduleError(
                    f"Cannot connect to SerialEM on {self.host} port {self.port}: {err}"
                ) from err
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._stream = self._socket.makefile("rb")
        return self._socket

    def exchange(self, data: bytes) -> bytes:
        """Send a message and return the body of the reply, connecting again once if sending fails.

        Raises
        ------
        SEMmoduleError
            No connection, or it was lost.
        """
        try:
            self._open().sendall(data)
        except OSError:
            self.close()
            self._send(data)
        return self._receive()

    def _send(self, data: bytes | memoryview) -> None:
        try:
            self._open().sendall(data)
        except OSError as err:
            self._lost(err)

    def _receive(self) -> bytes:
        try:
            self._open()
            assert self._stream is not None
            return protocol.receive(self._stream)
        except (OSError, ProtocolError) as err:
            self._lost(err)
            raise AssertionError from err

    def _lost(self, err: Exception) -> None:
        self.close()
        raise SEMmoduleError(f"The connection to SerialEM was lost: {err}") from err

    def check_permission(self) -> None:
        """Ask once whether an outside script may run.

        Raises
        ------
        SEMmoduleError
            It may not: the program is busy.
        """
        if self.initialized:
            return
        body = self.exchange(protocol.message([protocol.OK_TO_RUN]))
        returned, *allowed = struct.unpack(f"<{len(body) // 4}i", body[: len(body) // 4 * 4])
        self._check(returned)
        if not allowed or not allowed[0]:
            self.close()
            raise SEMmoduleError("SerialEM is busy with another task or script")
        self.initialized = True

    def _check(self, returned: int) -> None:
        if returned >= 0:
            return
        if returned == protocol.STOPPED:
            raise SEMexited(USER_STOP)
        self.close()
        if returned == protocol.DISCONNECTED:
            raise SEMmoduleError("SerialEM was disconnected and is busy")
        raise SEMmoduleError(f"SerialEM answered with error {returned}")

    # --- commands

    def run(self, info: CommandInfo, args: tuple[object, ...]) -> Result:
        """Run a command; raises what the real module raises."""
        values = check_arguments(info.name, info.letters, args)
        self.check_permission()
        assert info.code is not None
        try:
            returned, error, reported = protocol.unpack_reply(
                self.exchange(protocol.pack_request(info.code, values))
            )
        except ProtocolError as err:
            self._lost(err)
            raise AssertionError from err
        self._check(returned)
        if error == 0:
            return python_result(tuple(reported), self.tuples)
        if error == protocol.QUIET_EXIT:
            self._control_ended()
            return None
        if error == protocol.NORMAL_EXIT:
            self._control_ended()
            raise SEMexited(NORMAL_EXIT)
        if error == protocol.USER_STOP:
            raise SEMexited(USER_STOP)
        text = reported[0] if reported and isinstance(reported[0], str) else "No message from command error"
        raise SEMerror(text)

    def _control_ended(self) -> None:
        self.initialized = False

    # --- images

    def get_image(self, index: int, is_fft: bool) -> memoryview:
        """Image of a buffer as a read-only 2-D memoryview, top row first."""
        self.check_permission()
        body = self.exchange(protocol.message([protocol.GET_IMAGE, index, int(is_fft)]))
        self._check(struct.unpack_from("<i", body)[0])
        header = ImageHeader(*protocol.longs_of(body, 7)[1:])
        if header.size <= 0:
            raise SEMmoduleError("There is no image in the buffer")
        data = bytearray(header.size)
        view = memoryview(data)
        step = -(-header.size // header.chunks)
        connection, stream = self._open(), self._stream
        assert stream is not None
        connection.settimeout(self.timeout_s)
        try:
            for start in range(0, header.size, step):
                if start:
                    connection.sendall(protocol.message([protocol.CHUNK]))
                protocol.receive_into(stream, view[start : start + step])
            connection.settimeout(None)
        except (OSError, ProtocolError) as err:
            self._lost(err)
        return _shaped(data, header)

    def put_image(self, data: memoryview, longs: list[int]) -> None:
        """Send an image; `longs` are those of the request before the number of chunks."""
        self.check_permission()
        body = self.exchange(protocol.message([protocol.PUT_IMAGE, *longs, 1]))
        self._check(struct.unpack_from("<i", body)[0])
        self._send(data)


def _shaped(data: bytearray, header: ImageHeader) -> memoryview:
    letter = protocol.IMAGE_MODES.get(header.mode)
    if letter is None:
        raise SEMmoduleError(f"Images of mode {header.mode} are not supported")
    used = header.columns * _BYTES[letter]
    if header.row_bytes != used:
        rows = range(0, header.size, header.row_bytes)
        data = bytearray().join(data[start : start + used] for start in rows)
    view = memoryview(data).toreadonly()
    shaped: memoryview = view.cast(letter, shape=[header.rows, header.columns])  # type: ignore[call-overload]
    return shaped


def _buffer_index(name: str, fft: bool = True) -> tuple[int, bool]:
    """Index and whether it is an FFT buffer; SEMmoduleError for anything but A to T and AF to HF."""
    letters = string.ascii_uppercase[:20]
    if len(name) == 1 and name in letters:
        return letters.index(name), False
    if fft and len(name) == 2 and name[1] == "F" and name[0] in letters[:8]:
        return letters.index(name[0]), True
    raise SEMmoduleError(f"{name!r} is not the letter of an image buffer")


def _image_bytes(image: object, columns: int, rows: int) -> tuple[memoryview, int, int, int]:
    """Return bytes, mode, columns and rows of an array."""
    try:
        view = memoryview(image)  # type: ignore[arg-type]
    except TypeError as err:
        raise SEMmoduleError("the image has no buffer that can be read") from err
    mode = _MODES.get(view.format.lstrip("@=<"))
    if mode is None:
        raise SEMmoduleError(f"an image cannot have elements of format {view.format}")
    shape = view.shape or ()
    height, width = rows or (shape[0] if shape else 0), columns or (shape[-1] if shape else 0)
    data = view.cast("B") if view.c_contiguous and view.nbytes else memoryview(view.tobytes())
    if not len(data) or len(data) != height * width * view.itemsize:
        raise SEMmoduleError(f"an array of shape {shape} is not an image of {width} x {height}")
    return data, mode, width, height


def make_client_module(connection: Connection) -> ModuleType:
    """Make a module named ``serialem`` whose functions use a connection."""
    module = ModuleType("serialem", "SerialEM commands through its socket.")
    names = module.__dict__
    names.update(SEMerror=SEMerror, SEMexited=SEMexited, SEMmoduleError=SEMmoduleError)
    for info in TABLE.values():
        if info.code is not None:
            names[info.name] = _command_function(connection, info)
    for name, function in _module_functions(connection).items():
        function.__name__ = function.__qualname__ = name
        names[name] = function
    return module


def _command_function(connection: Connection, info: CommandInfo) -> Callable[..., Result]:
    def call(*args: object, **keywords: object) -> Result:
        if keywords:
            raise TypeError(f"{info.name}() takes no keyword arguments")
        return connection.run(info, args)

    call.__name__ = call.__qualname__ = info.name
    return call


def _module_functions(connection: Connection) -> dict[str, Callable[..., Any]]:
    def connect(*args: object) -> None:
        values = check_arguments("ConnectToSEM", "is", args)
        if values:
            if int(values[0]) <= 0:
                raise SEMmoduleError("The port must be positive")
            connection.port = int(values[0])
        if len(values) > 1:
            connection.host = str(values[1])

    def return_tuples(*args: object) -> None:
        values = check_arguments("ReturnAllValuesAsTuples", "i", args)
        connection.tuples = bool(values[0]) if values else True

    def set_timeout(*args: object) -> None:
        connection.timeout_s = float(check_arguments("SetBufferImageTimeout", "D", args)[0])

    def initialized(*args: object) -> None:
        check_count("ScriptIsInitialized", "", len(args))
        connection.initialized = True

    def number_of_functions(*args: object) -> int:
        check_count("ReportNumModuleFuncs", "", len(args))
        return sum(info.code is not None for info in TABLE.values())

    def buffer_image(*args: object) -> memoryview:
        (name,) = check_arguments("bufferImage", "S", args)
        return connection.get_image(*_buffer_index(str(name)))

    def put_image(*args: object) -> None:
        check_count("PutImageInBuffer", "OSiisii", len(args))
        rest = check_arguments("PutImageInBuffer", "Siisii", args[1:])
        given: tuple[protocol.Value, ...] = (*rest, *_PUT_DEFAULTS[len(rest) :])
        name, columns, rows, base, binning, flag = given
        data, mode, width, height = _image_bytes(args[0], int(columns), int(rows))
        target, _ = _buffer_index(str(name), fft=False)
        source = _buffer_index(str(base), fft=False)[0] if base else -1
        connection.put_image(data, [mode, width, height, len(data), target, source, int(binning), int(flag)])

    return {
        "ConnectToSEM": connect,
        "ReturnAllValuesAsTuples": return_tuples,
        "SetBufferImageTimeout": set_timeout,
        "ScriptIsInitialized": initialized,
        "ReportNumModuleFuncs": number_of_functions,
        "bufferImage": buffer_image,
        "PutImageInBuffer": put_image,
    }


def install(port: int | None = None) -> ModuleType:
    """Put a client module into ``sys.modules`` as ``serialem``; it connects at the first command."""
    connection = Connection()
    if port is not None:
        connection.port = port
    module = make_client_module(connection)
    sys.modules["serialem"] = module
    return module
