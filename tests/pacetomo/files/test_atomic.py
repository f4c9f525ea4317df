from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacetomo.errors import PaceError, RunFileError
from pacetomo.files import atomic
from pacetomo.files.atomic import (
    ATTEMPTS,
    PAUSE_S,
    as_utf8,
    backup_path,
    move_aside,
    patiently,
    read_bytes,
    write_bytes_atomically,
    write_text_atomically,
    write_with_backup,
)


class Holder:
    """Another program that holds a file for the first `refusals` calls of a function."""

    def __init__(self, call, refusals):
        self.call = call
        self.refusals = refusals
        self.waits = []

    def __call__(self, *args, **kwargs):
        if self.refusals:
            self.refusals -= 1
            raise PermissionError(13, "held by another program")
        return self.call(*args, **kwargs)

    def wait(self, seconds):
        self.waits.append(seconds)


def test_text_is_written_as_it_is(tmp_path):
    path = tmp_path / "my lamella ü_tgts.txt"
    write_text_atomically(path, "one\r\ntwo µm\n")
    assert path.read_bytes() == "one\r\ntwo µm\n".encode()
    write_text_atomically(path, "")
    assert path.read_bytes() == b""
    assert os.listdir(tmp_path) == [path.name]


def test_a_held_file_is_tried_again_after_waiting(tmp_path, monkeypatch):
    path = tmp_path / "run.txt"
    path.write_text("old")
    holder = Holder(os.replace, refusals=3)
    monkeypatch.setattr(atomic.os, "replace", holder)
    write_text_atomically(path, "new", wait=holder.wait)
    assert path.read_text() == "new"
    assert holder.waits == [PAUSE_S] * 3


@pytest.mark.parametrize("patient", [True, False])
def test_a_file_that_stays_held_is_an_error_and_keeps_the_old_content(tmp_path, monkeypatch, patient):
    path = tmp_path / "run.txt"
    path.write_text("old")
    holder = Holder(os.replace, refusals=1000)
    monkeypatch.setattr(atomic.os, "replace", holder)
    with pytest.raises(RunFileError, match=r"run\.txt: cannot be written.*other programs"):
        write_text_atomically(path, "new", holder.wait if patient else None, RunFileError)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["run.txt"]
    assert holder.waits == [PAUSE_S] * ((ATTEMPTS - 1) if patient else 0)


def test_death_between_writing_and_replacing_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "run.txt"
    path.write_text("old")

    def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(atomic.os, "replace", die)
    with pytest.raises(KeyboardInterrupt):
        write_text_atomically(path, "new")
    monkeypatch.undo()
    assert path.read_text() == "old"
    write_text_atomically(path, "newer")
    assert path.read_text() == "newer"
    assert os.listdir(tmp_path) == ["run.txt"]


def test_the_file_is_on_the_disk_before_it_takes_the_place(tmp_path, monkeypatch):
    calls = []
    sync, swap = os.fsync, os.replace
    monkeypatch.setattr(atomic.os, "fsync", lambda number: (calls.append("fsync"), sync(number)))
    monkeypatch.setattr(atomic.os, "replace", lambda *paths: (calls.append("replace"), swap(*paths)))
    write_bytes_atomically(tmp_path / "run.txt", b"x")
    assert calls[:2] == ["fsync", "replace"]


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(PaceError, match=r"check the folder's name"):
        write_text_atomically(tmp_path / "none" / "run.txt", "x")


@pytest.mark.parametrize("name", ["a\x00b.txt", "x" * 5000])
def test_names_that_no_file_can_have_are_refused(tmp_path, name):
    with pytest.raises(PaceError, match="cannot be written"):
        write_text_atomically(tmp_path / name, "x")
    with pytest.raises(PaceError, match="cannot be read"):
        read_bytes(tmp_path / name)


def test_text_that_utf8_cannot_hold_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(RunFileError, match="nothing was written"):
        write_text_atomically(tmp_path / "run.txt", "\ud800", error=RunFileError)
    assert os.listdir(tmp_path) == []
    assert as_utf8("µ", "run.txt") == b"\xc2\xb5"


def test_reading_is_patient_too(tmp_path):
    path = tmp_path / "run.txt"
    path.write_bytes(b"abc")
    holder = Holder(path.read_bytes, refusals=2)
    assert patiently(holder, holder.wait) == b"abc"
    assert holder.waits == [PAUSE_S] * 2
    assert read_bytes(path, holder.wait) == b"abc"
    with pytest.raises(RunFileError, match="cannot be read"):
        read_bytes(tmp_path / "none.txt", error=RunFileError)
    with pytest.raises(PaceError, match="cannot be read"):
        read_bytes(tmp_path)


def test_only_a_held_file_is_worth_waiting_for():
    holder = Holder(None, refusals=0)

    def missing():
        raise FileNotFoundError(2, "no such file")

    with pytest.raises(FileNotFoundError):
        patiently(missing, holder.wait)
    assert holder.waits == []


def test_backup_names_count_up_behind_the_extension(tmp_path):
    path = tmp_path / "L3_ts_001.mrc"
    assert backup_path(path).name == "L3_ts_001.mrc~1"
    for name in (
        "L3_ts_001.mrc~1",
        "L3_ts_001.mrc~9",
        "L3_ts_001.mrc~",
        "L3_ts_001.mrc~x",
        "XL3_ts_001.mrc~20",
    ):
        (tmp_path / name).touch()
    assert backup_path(path).name == "L3_ts_001.mrc~10"
    assert backup_path(tmp_path / "none" / "a.mrc").name == "a.mrc~1"


def test_moving_aside_never_overwrites(tmp_path):
    path = tmp_path / "a.mrc"
    assert move_aside(path) is None
    for content in ("first", "second", "third"):
        path.write_text(content)
        move_aside(path)
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {
        "a.mrc~1": "first",
        "a.mrc~2": "second",
        "a.mrc~3": "third",
    }


def test_writing_with_backup_keeps_what_was_there(tmp_path):
    path = tmp_path / "a.txt"
    assert write_with_backup(path, b"one") is None
    assert write_with_backup(path, b"one") is None
    assert write_with_backup(path, b"two") == tmp_path / "a.txt~1"
    assert (path.read_bytes(), (tmp_path / "a.txt~1").read_bytes()) == (b"two", b"one")
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("name", ["folder", "file/a.txt", "a\x00.txt"])
def test_what_is_no_file_is_not_replaced(tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("x")
    with pytest.raises(PaceError, match="cannot be"):
        write_with_backup(tmp_path / name, b"x")
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


def test_a_name_that_no_file_can_have_is_not_moved(tmp_path):
    with pytest.raises(RunFileError, match="cannot be renamed"):
        move_aside(tmp_path / "a\x00.txt", error=RunFileError)


@given(st.binary(max_size=200))
def test_any_bytes_come_back(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "any.bin"
    write_bytes_atomically(path, data)
    assert read_bytes(path) == data
