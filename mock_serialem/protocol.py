"""Messages between the ``serialem`` module and SerialEM on a socket; standard library only.

A message is an int32 with its length in bytes, then int32 long arguments, int32 bool arguments, float64 double
arguments, and an optional long array of L words, L being the last long argument. All little-endian, no padding
between parts.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import BinaryIO, NamedTuple, Union

REGULAR, CHUNK, OK_TO_RUN, GET_IMAGE, PUT_IMAGE = 1, 2, 3, 4, 5
"""Function codes."""

FAILED, DISCONNECTED, STOPPED = -1, -9, -10
"""Return values: no image can be exchanged, SerialEM is busy with another script, STOP was pressed."""

NORMAL_EXIT, USER_STOP, QUIET_EXIT, COMMAND_ERROR = -123456, -234561, -654321, 1
"""Error codes of a regular command: ``Exit``, STOP, ``Exit`` without exception, and a failed command."""

DEFAULT_PORT, SCRIPT_PORT = 48888, 48889
CHUNK_BYTES = 16 * 1024 * 1024
MAX_MESSAGE = 16 * 1024 * 1024
MAX_IMAGE = 1024 * 1024 * 1024
IMAGE_MODES = {0: "B", 1: "h", 2: "f", 6: "H"}
"""Item format by MRC mode."""

Value = Union[float, str]


class ProtocolError(Exception):
    """A message that makes no sense, or a connection that ended within one."""


class ImageHeader(NamedTuple):
    """What a reply to `GET_IMAGE` says about the bytes that follow it."""

    mode: int
    row_bytes: int
    columns: int
    rows: int
    size: int
    chunks: int


def message(
    longs: Sequence[int], bools: Sequence[int] = (), doubles: Sequence[float] = (), array: bytes = b""
) -> bytes:
    """Build a message; `array` must be a whole number of words."""
    body = struct.pack(f"<{len(longs) + len(bools)}i{len(doubles)}d", *longs, *bools, *doubles) + array
    return struct.pack("<i", 4 + len(body)) + body


def padded(data: bytes) -> bytes:
    """Fill up to a whole number of words."""
    return data + bytes(-len(data) % 4)


def receive_exactly(stream: BinaryIO, count: int) -> bytes:
    """Receive so many bytes from the buffered stream of a socket.

    Raises
    ------
    ProtocolError
        The other side closed the connection.
    OSError
        The connection failed.
    """
    data = stream.read(count)
    if len(data) < count:
        raise ProtocolError("the connection was closed")
    return data


def receive(stream: BinaryIO) -> bytes:
    """Receive the body of one message, its length removed.

    Raises
    ------
    ProtocolError
        The connection was closed, or the length makes no sense.
    OSError
        The connection failed.
    """
    (length,) = struct.unpack("<i", receive_exactly(stream, 4))
    if not 8 <= length <= MAX_MESSAGE:
        raise ProtocolError(f"a message of {length} bytes makes no sense")
    return receive_exactly(stream, length - 4)


def receive_into(stream: BinaryIO, target: memoryview) -> None:
    """Fill a writable view of bytes from the stream; raises as `receive_exactly` does."""
    filled = 0
    while filled < len(target):
        # The socket's raw stream underlies a buffered one, whose type says nothing of readinto.
        count = stream.readinto(target[filled:])  # type: ignore[attr-defined]
        if not count:
            raise ProtocolError("the connection was closed")
        filled += count


def longs_of(body: bytes, count: int) -> tuple[int, ...]:
    """First long arguments of a message; ProtocolError if it is shorter."""
    if len(body) < 4 * count:
        raise ProtocolError(f"a message of {len(body)} bytes is too short")
    return struct.unpack_from(f"<{count}i", body)


# --- regular commands


def pack_request(code: int, values: Sequence[Value]) -> bytes:
    """Message that runs a command with checked arguments."""
    if not values:
        return message([REGULAR, code, 0, 1], array=bytes(4))
    count = len(values) + 1
    numbers = [0.0, *(0.0 if isinstance(value, str) else float(value) for value in values)]
    texts = ["", *map(_text_of, values)]
    array = struct.pack(f"<{count}i{count}d", *([0] * count), *numbers)
    array = padded(array + b"".join(map(_encoded, texts)))
    return message([REGULAR, code, len(values), len(array) // 4], array=array)


def _encoded(text: str) -> bytes:
    """NUL-terminated bytes of a text, which ends at a NUL within it; bytes that are no UTF-8 come back as they were."""
    try:
        data = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        data = text.encode("utf-8", "replace")
    return data.partition(b"\0")[0] + b"\0"


def _text_of(value: Value) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(value)
    return f"{value:f}".rstrip("0").rstrip(".")


def unpack_request(body: bytes) -> tuple[int, list[float], list[str]]:
    """Command code, and numbers and texts of the arguments.

    Raises
    ------
    ProtocolError
        The parts do not fit together.
    """
    _, code, last, words = longs_of(body, 4)
    if last <= 0:
        return code, [], []
    array = body[16 : 16 + 4 * words]
    count = last + 1
    if last > 64 or len(array) < 12 * count or len(array) != 4 * words:
        raise ProtocolError("the arguments of a command are incomplete")
    numbers = struct.unpack_from(f"<{count}d", array, 4 * count)
    texts = array[12 * count :].split(b"\0", count)
    if len(texts) < count + 1:
        raise ProtocolError("the texts of a command are incomplete")
    return code, list(numbers[1:]), [text.decode("utf-8", "surrogateescape") for text in texts[1:count]]


def pack_reply(error: int, values: Sequence[Value] | None) -> bytes:
    """Message with the result of a command."""
    kept = list(values or ())[:6]
    if not kept:
        # As in a request without arguments, a single zero word stands for the empty array.
        return message([0, -1, error, 1], array=bytes(4))
    count = len(kept)
    flags = [int(isinstance(value, str)) for value in kept]
    numbers = [0.0 if isinstance(value, str) else float(value) for value in kept]
    texts = b"".join(_encoded(value) for value in kept if isinstance(value, str))
    array = padded(struct.pack(f"<{count}i{count}d", *flags, *numbers) + texts)
    return message([0, count - 1, error, len(array) // 4], array=array)


def unpack_reply(body: bytes) -> tuple[int, int, list[Value]]:
    """Return value, error code and values of a reply.

    Raises
    ------
    ProtocolError
        The parts do not fit together.
    """
    (returned,) = longs_of(body, 1)
    if returned < 0 or len(body) < 16:
        return returned, 0, []
    _, last, error, words = longs_of(body, 4)
    if last < 0:
        return returned, error, []
    array = body[16 : 16 + 4 * words]
    count = last + 1
    flags = struct.unpack_from(f"<{count}i", array) if len(array) >= 12 * count else ()
    texts = iter(array[12 * count :].split(b"\0"))
    if len(flags) < count or array[12 * count :].count(b"\0") < sum(flags):
        raise ProtocolError("the values of a reply are incomplete")
    numbers = struct.unpack_from(f"<{count}d", array, 4 * count)
    values: list[Value] = []
    for flag, number in zip(flags, numbers):
        values.append(next(texts).decode("utf-8", "surrogateescape") if flag else number)
    return returned, error, values
