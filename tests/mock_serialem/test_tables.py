from __future__ import annotations

from pathlib import Path

import pytest

from mock_serialem.tables import TableError, numbers_of, read_table, take


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text('\ufeffa = 1\n[b]\nc = "µ"\n', encoding="utf-8")
    assert read_table(path) == {"a": 1, "b": {"c": "µ"}}


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    with pytest.raises(TableError, match="cannot be read"):
        read_table(path)
    path.write_bytes(b"a = ")
    with pytest.raises(TableError, match="not a TOML file"):
        read_table(path)
    path.write_bytes(b"a = '\xff'")
    with pytest.raises(TableError, match="not a TOML file"):
        read_table(path)


def test_types() -> None:
    known = {"n": (float,), "i": (int,), "b": (bool,), "s": (str, list)}
    good = {"n": 1, "i": 2, "b": True, "s": []}
    assert take(good, known, "here") == good
    for bad in ({"n": "1"}, {"n": True}, {"i": 1.5}, {"i": False}, {"b": 1}, {"s": 1}, {"x": 1}):
        with pytest.raises(TableError, match="here"):
            take(bad, known, "here")


def test_numbers() -> None:
    assert numbers_of([1, 2.5], (2, 3), "here") == (1.0, 2.5)
    for bad in ([1], [1, True], "12", 3, [1, "2"]):
        with pytest.raises(TableError, match="2 or 3"):
            numbers_of(bad, (2, 3), "here")
