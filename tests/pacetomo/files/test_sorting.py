import contextlib
import json
import os
import shutil
import struct

import mdocfile
import mrcfile
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stacks import mdoc_text, serialem_records, stack_bytes, write_series

from pacetomo.errors import MetadataError, PaceError, StackError
from pacetomo.files import exchange as exchanging
from pacetomo.files.mdoc import read_mdoc
from pacetomo.files.mdoc_order import acquisition_order, date_time
from pacetomo.files.sorting import UNSORTED, sort_metadata, sort_series
from pacetomo.files.stack import read_section

ORDER = [0.0, 3.0, -3.0, -6.0, 6.0]
BY_TILT = [3, 2, 0, 1, 4]


def numbered(count=5, dtype="i2", shape=(4, 6)):
    """Images whose pixels tell their place."""
    return np.stack([np.full(shape, number, dtype) for number in range(count)])


def files(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def bare(section):
    """Lines of a section but for its number and empty lines at its end."""
    return [line.rstrip("\r\n") for line in section.lines[1:] if line.strip()]


def test_stack_extended_header_and_metadata_move_together(tmp_path):
    stack = write_series(tmp_path, numbered(), ORDER)
    old = read_mdoc(f"{stack}.mdoc")
    unsorted = stack.with_name("a_ts_001.mrc.mdoc").read_bytes()
    assert sort_series(stack).changed
    raw = stack.read_bytes()
    assert [int(read_section(stack, n)[0, 0]) for n in range(5)] == BY_TILT
    records = [struct.unpack_from("<2h", raw, 1024 + 4 * n) for n in range(5)]
    assert records == [(round(100 * ORDER[n]), 7 + n) for n in BY_TILT]
    new = read_mdoc(f"{stack}.mdoc")
    assert [image.tilt_deg for image in new.images] == sorted(ORDER)
    for place, number in enumerate(BY_TILT):
        was, now = old.images[number], new.images[place]
        assert now.lines[0] == f"[ZValue = {place}]\r\n"
        assert bare(now) == bare(was)
    assert new.titles == old.titles and new.head.lines == old.head.lines
    assert "12:30:0" in new.images[0].text("DateTime") and "2026  12" in new.images[0].text("DateTime")
    assert (tmp_path / UNSORTED / "a_ts_001.mrc.mdoc").read_bytes() == unsorted
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a_ts_001.mrc", "a_ts_001.mrc.mdoc", UNSORTED]


def test_others_read_what_was_sorted(tmp_path):
    stack = write_series(tmp_path, numbered(), ORDER)
    sort_series(stack)
    assert mrcfile.validate(stack)
    table = mdocfile.read(f"{stack}.mdoc")
    assert list(table.TiltAngle) == sorted(ORDER) and list(table.ZValue) == list(range(5))
    assert list(table.PriorRecordDose) == [3.0 * number for number in BY_TILT]
    with mrcfile.open(stack) as mrc:
        assert list(mrc.data[:, 0, 0]) == BY_TILT


@given(
    st.lists(st.integers(-6000, 6000), min_size=1, max_size=12),
    st.sampled_from(["u1", "i2", "f4", "u2", "f2", "c8"]),
    st.sampled_from("<>"),
    st.binary(max_size=5),
)
def test_sorting_is_a_permutation_and_a_second_one_changes_nothing(
    tmp_path_factory, tilts, dtype, order, tail
):
    folder = tmp_path_factory.mktemp("sorting")
    tilts = [tilt / 100 for tilt in tilts]
    data = numbered(len(tilts), order + dtype)
    stack = write_series(folder, data, tilts, order=order)
    with stack.open("ab") as stream:
        stream.write(tail)
    expected = sorted(range(len(tilts)), key=lambda n: (tilts[n], n))
    start = 1024 + 2048
    sort_series(stack)
    raw = stack.read_bytes()
    assert raw[start:] == b"".join(data[n].tobytes() for n in expected) + tail
    assert [image.tilt_deg for image in read_mdoc(f"{stack}.mdoc").images] == sorted(tilts)
    assert acquisition_order(read_mdoc(f"{stack}.mdoc").images) == [
        expected.index(n) for n in range(len(tilts))
    ]
    once = files(folder)
    assert not sort_series(stack).changed
    assert files(folder) == once


def colours(count=5):
    return b"".join(bytes([number] * 3 * 24) for number in range(count))


@pytest.mark.parametrize(
    ("mode", "section"),
    [(16, 72), (101, 12), (3, 96), (4, 192)],
    ids=["colours", "4 bit", "short", "complex"],
)
def test_modes_without_a_plain_number_a_pixel(tmp_path, mode, section):
    data = b"".join(bytes([number]) * section for number in range(5))
    stack = tmp_path / "a_ts_001.mrc"
    stack.write_bytes(stack_bytes(data, serialem_records(ORDER), mode=mode, size=(6, 4, 5)))
    sort_series(stack)  # without metadata: by the extended header
    assert [stack.read_bytes()[1024 + 2048 + section * n] for n in range(5)] == BY_TILT


@pytest.mark.parametrize(
    ("kind", "numbers", "size"),
    [
        (b"SERI", (6, 32), 6),  # flags and bytes disagree, yet the type is SerialEM's
        (b"SERI", (10, 0), 10),
        (b"AGAR", (0, 32), 128),
        (b"\0\0\0\0", (2, 30), 128),
        (b"\0\0\0\0", (4, 17), 4),
        (b"MRCO", (1, 0), 4),
        (b"FEI1", (0, 0), 768),
        (b"FEI2", (0, 0), 888),
    ],
)
def test_records_of_other_programs_move_with_their_sections(tmp_path, kind, numbers, size):
    lead = struct.pack("<i", size) if kind.startswith(b"FEI") else b""
    records = b"".join((lead + bytes([65 + number]) * size)[:size] for number in range(5))
    stack = write_series(tmp_path, numbered(), ORDER)
    stack.write_bytes(stack_bytes(numbered(), records + b"rest", kind=kind, numbers=numbers))
    assert not sort_series(stack).warnings
    extended = stack.read_bytes()[1024 : 1024 + 5 * size + 4]
    assert [extended[size * n + size - 1] for n in range(5)] == [65 + n for n in BY_TILT]
    assert extended.endswith(b"rest")


@pytest.mark.parametrize("kind", [b"HDF5", b"XYZ1", b"FEI1"])
def test_an_unknown_extended_header_stays_and_is_said(tmp_path, kind):
    stack = write_series(tmp_path, numbered(), ORDER)
    stack.write_bytes(stack_bytes(numbered(), b"\xff" * 1000, kind=kind, numbers=(0, 0)))
    assert "unknown form" in sort_series(stack).warnings[0]
    assert stack.read_bytes()[1024:2024] == b"\xff" * 1000
    assert [int(read_section(stack, n)[0, 0]) for n in range(5)] == BY_TILT


def test_symmetry_operators_belong_to_no_section(tmp_path):
    stack = write_series(tmp_path, numbered(), ORDER)
    stack.write_bytes(stack_bytes(numbered(), b"X,Y,Z".ljust(80), kind=b"CCP4", numbers=(0, 0)))
    assert not sort_series(stack).warnings
    assert stack.read_bytes()[1024:1029] == b"X,Y,Z"


# --- a crash anywhere, and again


class Crash(BaseException):
    """The program is killed."""


def crash_at(monkeypatch, number):
    """Kill the program before its `number`-th change to the disk, from 0; False once there are fewer."""
    left = [number]

    def deadly(real):
        def call(*arguments, **options):
            left[0] -= 1
            if left[0] < 0:
                raise Crash
            return real(*arguments, **options)

        return call

    for name in ("replace", "fsync"):
        monkeypatch.setattr(os, name, deadly(getattr(os, name)))
    for name in ("unlink", "rename", "mkdir"):
        monkeypatch.setattr(exchanging.Path, name, deadly(getattr(exchanging.Path, name)))
    return left


@pytest.mark.parametrize("number", range(25))
def test_a_crash_loses_nothing_and_the_next_run_completes(tmp_path, monkeypatch, number):
    stack = write_series(tmp_path, numbered(), ORDER)
    whole = tmp_path / "whole"
    whole.mkdir()
    for path in (stack, stack.with_name(f"{stack.name}.mdoc")):
        shutil.copy(path, whole)
    sort_series(whole / stack.name)
    wanted, unsorted = files(whole), stack.read_bytes()
    shutil.rmtree(whole)
    with monkeypatch.context() as patch, contextlib.suppress(Crash):
        crash_at(patch, number)
        sort_series(stack)
    assert stack.read_bytes() in (unsorted, wanted["a_ts_001.mrc"])
    sort_series(stack)
    assert files(tmp_path) == wanted


@pytest.mark.parametrize("number", range(30))
def test_a_crash_while_binning_loses_nothing_either(tmp_path, monkeypatch, number):
    from pacetomo.files.binning import bin_series, binned_by

    stack = write_series(tmp_path, numbered(), ORDER)
    unbinned = stack.read_bytes()
    with monkeypatch.context() as patch, contextlib.suppress(Crash):
        crash_at(patch, number)
        bin_series(stack, 2)
    there = [path.read_bytes() for path in (stack, tmp_path / "unbinned" / stack.name) if path.is_file()]
    assert unbinned in there
    if exchanging.recover(stack) or binned_by(stack) is None:
        with contextlib.suppress(StackError):  # said of one that has been binned: by the run before
            bin_series(stack, 2)
    assert binned_by(stack) == 2
    assert (tmp_path / "unbinned" / stack.name).read_bytes() == unbinned
    assert read_mdoc(f"{stack}.mdoc").images[0].get_float("Binning") == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a_ts_001.mrc",
        "a_ts_001.mrc.mdoc",
        "unbinned",
    ]


def test_crashes_really_happen_in_these_tests(tmp_path, monkeypatch):
    """The numbers above reach from the first change to beyond the last."""
    stack = write_series(tmp_path, numbered(), ORDER)
    with monkeypatch.context() as patch:
        left = crash_at(patch, 1000)
        sort_series(stack)
    assert 8 < 1000 - left[0] < 25


def test_a_stack_changed_after_a_crash_is_refused(tmp_path, monkeypatch):
    stack = write_series(tmp_path, numbered(), ORDER)
    with monkeypatch.context() as patch, contextlib.suppress(Crash):
        patch.setattr(exchanging, "recover", lambda *_: (_ for _ in ()).throw(Crash))
        patch.setattr("pacetomo.files.sorting.recover", lambda *_: False)
        sort_series(stack)
    stack.write_bytes(stack.read_bytes()[:-1] + b"\x01")
    with stack.open("ab") as stream:
        stream.write(b"more")
    with pytest.raises(StackError, match="was changed after"):
        sort_series(stack)


def test_a_stack_that_changes_while_it_is_sorted_is_left(tmp_path):
    stack = write_series(tmp_path, numbered(), ORDER)

    def meddle(done, of):
        if done == of:
            with stack.open("ab") as stream:
                stream.write(b"more")

    with pytest.raises(StackError, match="changed by another program"):
        sort_series(stack, meddle)
    assert [int(read_section(stack, n)[0, 0]) for n in range(5)] == list(range(5))
    assert len(list(tmp_path.iterdir())) == 3  # with the copy of the metadata


# --- other programs in the way, and refusals


def held(monkeypatch, times):
    real, left = os.replace, [times]

    def replace(source, target):
        if str(source).endswith(".part") and str(target).endswith(".mrc") and left[0]:
            left[0] -= 1
            raise PermissionError(13, "The process cannot access the file")
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)


def test_a_file_held_for_a_moment_is_waited_for(tmp_path, monkeypatch):
    stack = write_series(tmp_path, numbered(), ORDER)
    held(monkeypatch, 3)
    waited = []
    assert sort_series(stack, wait=waited.append).changed
    assert len(waited) == 3


def test_a_file_held_for_good_is_said_and_sorted_next_time(tmp_path, monkeypatch):
    stack = write_series(tmp_path, numbered(), ORDER)
    content = stack.read_bytes()
    with monkeypatch.context() as patch:
        held(patch, 1000)
        with pytest.raises(StackError, match="close other programs that use it"):
            sort_series(stack, wait=lambda seconds: None)
    assert stack.read_bytes() == content
    sort_series(stack)
    assert [int(read_section(stack, n)[0, 0]) for n in range(5)] == BY_TILT


def refused(stack, words, kind=PaceError):
    folder = stack.parent
    before = files(folder)
    with pytest.raises(kind, match=words):
        sort_series(stack)
    assert files(folder) == before


def test_refusals_touch_nothing(tmp_path, monkeypatch):
    stack = write_series(tmp_path, numbered(), ORDER)
    mdoc = stack.with_name(f"{stack.name}.mdoc")
    good_stack, good_mdoc = stack.read_bytes(), mdoc.read_bytes()
    mdoc.write_text(mdoc_text(ORDER[:4]))
    refused(stack, "5 sections and its metadata 4")
    mdoc.write_text(
        "".join(line for line in mdoc_text(ORDER).splitlines(True) if "TiltAngle = 6" not in line)
    )
    refused(stack, "no TiltAngle", MetadataError)
    mdoc.write_text("Montage = 1\n" + mdoc_text(ORDER))
    refused(stack, "pieces of a montage")
    mdoc.unlink()
    stack.write_bytes(stack_bytes(numbered()))
    refused(stack, "neither metadata", StackError)
    mdoc.write_bytes(good_mdoc)
    stack.write_bytes(good_stack[:-1])
    refused(stack, "cut short", StackError)
    stack.write_bytes(b"no stack")
    refused(stack, "cut short", StackError)
    stack.write_bytes(good_stack)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 10, 0))
    refused(stack, "make room")


def test_a_full_disk_leaves_no_half_file(tmp_path, monkeypatch):
    stack = write_series(tmp_path, numbered(), ORDER)

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    refused(stack, "No space left on device")


def test_metadata_without_a_stack(tmp_path):
    path = tmp_path / "a_ts_001.mrc.mdoc"
    path.write_text(mdoc_text(ORDER))
    old = path.read_bytes()
    assert sort_metadata(path).changed and not sort_metadata(path).changed
    assert [image.tilt_deg for image in read_mdoc(path).images] == sorted(ORDER)
    assert (tmp_path / UNSORTED / path.name).read_bytes() == old


def test_the_note_of_an_exchange_is_plain_json(tmp_path, monkeypatch):
    stack = write_series(tmp_path, numbered(), ORDER)
    seen = []
    real = exchanging.recover
    monkeypatch.setattr(
        exchanging,
        "recover",
        lambda *args: (
            seen.append(json.loads((tmp_path / "a_ts_001.mrc.exchange").read_text())) or real(*args)
        ),
    )
    sort_series(stack)
    assert seen[0]["before"] != seen[0]["after"] and "TiltAngle" in seen[0]["mdoc"]


def test_real_metadata_from_several_programs(tmp_path, samples):
    """Sorted and put back into order of acquisition, every section is the same as before."""
    for path in sorted((samples / "mdoc").glob("*.mdoc")):
        mdoc = read_mdoc(path)
        if len(mdoc.images) < 2 or mdoc.head.text("Montage") or mdoc.images[0].text("TiltAngle") is None:
            continue
        copy = tmp_path / path.name
        copy.write_bytes(path.read_bytes())
        sort_metadata(copy)
        new = read_mdoc(copy)
        back = [new.images[place] for place in acquisition_order(new.images)]
        if sorted(mdoc.images, key=lambda image: image.tilt_deg) == list(mdoc.images):
            dates = [date_time(image) for image in back]
            assert dates == sorted(dates)  # sorted before it was published: the clock tells
            continue
        assert [image.tilt_deg for image in back] == [image.tilt_deg for image in mdoc.images], path.name
        for was, now in zip(mdoc.images, back):
            assert bare(now) == bare(was)
