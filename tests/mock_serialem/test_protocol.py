"""Frames of the socket protocol, byte for byte."""

from __future__ import annotations

import io
import struct
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mock_serialem import protocol
from mock_serialem.commands import TABLE
from mock_serialem.protocol import ProtocolError

texts = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=20)
values = st.lists(st.one_of(st.floats(allow_nan=False), texts), max_size=6)


def test_a_command_without_arguments() -> None:
    code = TABLE["ReportTiltAngle"].code
    assert code is not None
    assert protocol.pack_request(code, []) == struct.pack("<6i", 24, 1, code, 0, 1, 0)


def test_a_command_with_a_number_and_a_text() -> None:
    # Three items, the first unused: ints, doubles, NUL-terminated texts, filled up to a whole word.
    array = struct.pack("<3i3d", 0, 0, 0, 0.0, 2.5, 0.0) + b"\0" + b"2.5\0" + b"sec\0" + bytes(3)
    assert len(array) == 48
    expected = struct.pack("<5i", 20 + 48, 1, 77, 2, 12) + array
    assert protocol.pack_request(77, [2.5, "sec"]) == expected
    assert protocol.unpack_request(expected[4:]) == (77, [2.5, 0.0], ["2.5", "sec"])


def test_numbers_are_sent_as_text_too() -> None:
    body = protocol.pack_request(5, [3, 2.0, -0.125])[4:]
    assert protocol.unpack_request(body) == (5, [3.0, 2.0, -0.125], ["3", "2", "-0.125"])


def test_a_reply_with_one_number() -> None:
    expected = struct.pack("<5i", 32, 0, 0, 0, 3) + struct.pack("<id", 0, 12.5)
    assert protocol.pack_reply(0, [12.5]) == expected
    assert protocol.unpack_reply(expected[4:]) == (0, 0, [12.5])


def test_a_reply_with_number_and_text() -> None:
    array = struct.pack("<2i2d", 0, 1, 1.0, 0.0) + b"none\0" + bytes(3)
    expected = struct.pack("<5i", 20 + len(array), 0, 1, 0, 8) + array
    assert protocol.pack_reply(0, [1, "none"]) == expected


def test_a_reply_without_values() -> None:
    assert protocol.pack_reply(0, None) == struct.pack("<6i", 24, 0, -1, 0, 1, 0)
    assert protocol.unpack_reply(protocol.pack_reply(-123456, None)[4:]) == (0, -123456, [])


def test_at_most_six_values() -> None:
    assert protocol.unpack_reply(protocol.pack_reply(0, [1.0] * 9)[4:])[2] == [1.0] * 6


def test_bools_and_doubles_follow_the_longs() -> None:
    expected = struct.pack("<3i2d", 28, 0, 1, 0.5, -2.0)
    assert protocol.message([0], [1], [0.5, -2.0]) == expected


@given(values)
def test_replies_come_back(reported: list[float | str]) -> None:
    assert protocol.unpack_reply(protocol.pack_reply(7, reported)[4:]) == (0, 7, reported)


@given(st.integers(0, 900), values)
def test_requests_come_back(code: int, arguments: list[float | str]) -> None:
    got, numbers, strings = protocol.unpack_request(protocol.pack_request(code, arguments)[4:])
    assert got == code and len(numbers) == len(strings) == len(arguments)
    for argument, number, text in zip(arguments, numbers, strings):
        assert (text if isinstance(argument, str) else number) == argument


@given(st.binary(max_size=80))
def test_nonsense_is_refused_without_harm(body: bytes) -> None:
    for read in (protocol.unpack_request, protocol.unpack_reply):
        try:
            read(body)
        except ProtocolError:
            continue


@pytest.mark.parametrize("cut", [1, 4, 12, 24, 40])
def test_incomplete_commands_are_refused(cut: int) -> None:
    body = protocol.pack_request(3, ["abc", "def"])[4:]
    with pytest.raises(ProtocolError):
        protocol.unpack_request(body[:-cut])


@pytest.mark.parametrize("length", [-5, 0, 7, 2**30])
def test_lengths_that_make_no_sense(length: int) -> None:
    with pytest.raises(ProtocolError, match="makes no sense"):
        protocol.receive(io.BytesIO(struct.pack("<i", length) + bytes(20)))


def test_a_connection_that_ends_within_a_message() -> None:
    data = protocol.pack_reply(0, [1.0])
    assert protocol.receive(io.BytesIO(data)) == data[4:]
    for end in (0, 3, 10, len(data) - 1):
        with pytest.raises(ProtocolError, match="closed"):
            protocol.receive(io.BytesIO(data[:end]))


def test_a_text_ends_at_a_nul_within_it() -> None:
    assert protocol.unpack_reply(protocol.pack_reply(0, ["a\0b", "c"])[4:])[2] == ["a", "c"]


def test_bytes_of_other_encodings_come_back_and_what_no_bytes_stand_for_does_not_fail() -> None:
    body = protocol.pack_request(3, ["v", "gr\udcf6\udcdfe"])[4:]
    assert b"gr\xf6\xdfe\0" in body
    (_, text) = protocol.unpack_request(body)[2]
    assert b"gr\xf6\xdfe\0" in protocol.pack_reply(0, [text])
    assert b"?x\0" in protocol.pack_reply(1, ["\ud800x"])


def test_a_message_full_of_nuls_costs_a_few_times_its_size_at_most() -> None:
    words = 500_000
    body = struct.pack("<4i", protocol.REGULAR, 3, 2, words) + bytes(4 * words)
    tracemalloc.start()
    try:
        assert protocol.unpack_request(body) == (3, [0.0, 0.0], ["", ""])
        assert tracemalloc.get_traced_memory()[1] < 4 * len(body)
    finally:
        tracemalloc.stop()
