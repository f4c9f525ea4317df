from __future__ import annotations

import struct

import mrcfile
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacetomo.errors import StackError
from pacetomo.files.stack import read_header, read_section, section_count

COLUMNS, ROWS, SECTIONS = 5, 3, 4


def pixels(dtype):
    return np.arange(SECTIONS * ROWS * COLUMNS).reshape(SECTIONS, ROWS, COLUMNS).astype(dtype)


def write_stack(path, data, pixel_angstrom=2.5):
    with mrcfile.new(path) as mrc:
        mrc.set_data(data)
        mrc.set_image_stack()
        mrc.voxel_size = pixel_angstrom


def serialem_stack(mode=1, extended=2048, order="<", data=b"", **changes):
    """A stack with SerialEM's header, field by field."""
    fields = {
        **{0: COLUMNS, 4: ROWS, 8: SECTIONS, 12: mode, 28: COLUMNS, 32: ROWS, 36: SECTIONS},
        **{92: extended, 108: 20140, 152: 1146047817, 220: 1},
        **{int(name[4:]): value for name, value in changes.items()},
    }
    header = bytearray(1024)
    for place, value in fields.items():
        struct.pack_into(order + "i", header, place, value)
    struct.pack_into(order + "3f", header, 40, 2.14 * COLUMNS, 2.14 * ROWS, 2.14 * SECTIONS)
    header[104:108] = b"SERI"
    header[208:214] = b"MAP " + (b"DD" if order == "<" else b"\x11\x11")
    header[224:304] = b"SerialEM: Example".ljust(80)
    return bytes(header) + bytes(extended) + data


@pytest.mark.parametrize("dtype", ["int8", "int16", "uint16", "float32", "float16"])
def test_sections_are_those_of_mrcfile(tmp_path, dtype):
    path = tmp_path / "L3 ü_ts_001.mrc"
    write_stack(path, pixels(dtype))
    assert section_count(path) == SECTIONS
    assert read_header(path).pixel_size_angstrom == pytest.approx(2.5)
    for number in range(SECTIONS):
        section = read_section(path, number)
        assert section.dtype == dtype
        assert np.array_equal(section, pixels(dtype)[number])


@pytest.mark.parametrize("order", ["<", ">"])
def test_stacks_as_serialem_writes_them(tmp_path, order):
    path = tmp_path / "ts.mrc"
    path.write_bytes(serialem_stack(order=order, data=pixels(order + "i2").tobytes()))
    header = read_header(path)
    assert (header.columns, header.rows, header.sections) == (COLUMNS, ROWS, SECTIONS)
    assert header.data_start == 1024 + 2048
    assert header.pixel_size_angstrom == pytest.approx(2.14)
    assert header.labels == ("SerialEM: Example",)
    assert np.array_equal(read_section(path, 2), pixels("i2")[2])


@pytest.mark.parametrize("flags, first", [(0, 200), (1, -56)])
def test_bytes_are_unsigned_unless_the_header_says_otherwise(tmp_path, flags, first):
    path = tmp_path / "ts.mrc"
    data = bytes([200]) * (SECTIONS * ROWS * COLUMNS)
    path.write_bytes(serialem_stack(mode=0, byte156=flags, data=data))
    assert read_section(path, 0)[0, 0] == first


def test_the_byte_order_is_found_without_a_stamp(tmp_path):
    path = tmp_path / "ts.mrc"
    for order in "<>":
        content = bytearray(serialem_stack(order=order, data=pixels(order + "i2").tobytes()))
        content[208:216] = bytes(8)
        path.write_bytes(content)
        assert np.array_equal(read_section(path, 1), pixels("i2")[1])


def test_a_file_that_has_grown_behind_its_header_counts_as_its_header_says(tmp_path):
    path = tmp_path / "ts.mrc"
    path.write_bytes(serialem_stack(data=pixels("i2").tobytes() + bytes(7)))
    assert section_count(path) == SECTIONS


def test_a_stack_without_images_is_empty(tmp_path):
    path = tmp_path / "ts.mrc"
    path.write_bytes(serialem_stack(byte8=0))
    assert section_count(path) == 0
    with pytest.raises(StackError, match="no section 0, the stack has 0"):
        read_section(path, 0)


@pytest.mark.parametrize("number", [-1, SECTIONS, 100])
def test_sections_that_are_not_there(tmp_path, number):
    path = tmp_path / "ts.mrc"
    write_stack(path, pixels("int16"))
    with pytest.raises(StackError, match=rf"ts\.mrc: there is no section {number}, the stack has 4"):
        read_section(path, number)


def test_a_section_is_a_copy_and_the_file_is_free_again(tmp_path):
    path = tmp_path / "ts.mrc"
    write_stack(path, pixels("int16"))
    section = read_section(path, 0)
    section[:] = 0
    assert np.array_equal(read_section(path, 0), pixels("int16")[0])
    path.rename(tmp_path / "other.mrc")


@pytest.mark.parametrize(
    "content, word",
    [
        (b"", "cut short: 0 bytes"),
        (serialem_stack()[:1023], "cut short: 1023 bytes"),
        (serialem_stack(data=pixels("i2").tobytes()[:-1]), "names 4 sections, the file holds 3 whole ones"),
        (serialem_stack()[:2000], "the file holds 0 whole ones"),
        (serialem_stack(byte0=0), "damaged: size 0 x 3 x 4"),
        (serialem_stack(byte8=-1), "damaged"),
        (serialem_stack(byte92=-1024), "damaged"),
        (serialem_stack(mode=16), "mode 16"),
        (serialem_stack(mode=77), "mode 77"),
        (b"\xff" * 2000, "no MRC file"),
        (b"_tgt = 001\n" * 200, "no MRC file"),
    ],
)
def test_damaged_stacks_are_refused_by_name(tmp_path, content, word):
    path = tmp_path / "ts.mrc"
    path.write_bytes(content)
    for look in (section_count, lambda stack: read_section(stack, 0)):
        with pytest.raises(StackError, match=word) as caught:
            look(path)
        assert "ts.mrc" in str(caught.value)


def test_a_missing_stack_is_named(tmp_path):
    with pytest.raises(StackError, match=r"none\.mrc: there is no such file"):
        section_count(tmp_path / "none.mrc")
    with pytest.raises(StackError, match="cannot be read"):
        section_count(tmp_path)


def test_a_held_stack_is_tried_again(tmp_path, monkeypatch):
    path = tmp_path / "ts.mrc"
    write_stack(path, pixels("int16"))
    refusals, waits = [1, 2], []
    really_open = type(path).open

    def held(self, *args, **kwargs):
        if refusals:
            refusals.pop()
            raise PermissionError(13, "held")
        return really_open(self, *args, **kwargs)

    monkeypatch.setattr(type(path), "open", held)
    assert section_count(path, waits.append) == SECTIONS
    assert len(waits) == 2


@given(st.binary(max_size=60), st.integers(0, 1200))
def test_any_bytes_are_a_stack_or_an_error(tmp_path_factory, junk, place):
    path = tmp_path_factory.getbasetemp() / "any.mrc"
    content = bytearray(serialem_stack(extended=0, data=pixels("i2").tobytes()))
    content[place : place + len(junk)] = junk
    path.write_bytes(content)
    try:
        count = section_count(path)
        shapes = {read_section(path, number).shape for number in range(min(count, 3))}
    except StackError as err:
        assert "any.mrc" in str(err)
    else:
        assert len(shapes) <= 1


def test_real_images(samples):
    header = read_header(samples / "images" / "leginon_tilt1.mrc")
    assert (header.columns, header.rows, header.sections, header.dtype) == (512, 512, 1, "<f4")
    with mrcfile.open(samples / "images" / "leginon_tilt1.mrc", permissive=True) as mrc:
        assert np.array_equal(
            read_section(samples / "images" / "leginon_tilt1.mrc", 0), mrc.data.reshape(512, 512)
        )
