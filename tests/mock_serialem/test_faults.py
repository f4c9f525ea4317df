from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from mock_serialem.faults import KINDS, Fault, described, fault_from, faults_from, read_faults
from mock_serialem.tables import TableError


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "faults.toml"
    path.write_text(
        'seed = 5\n[[fault]]\nkind = "error"\ncommand = ["R", "preview"]\ncall = 3\ntext = "no"\n'
        '[[fault]]\nkind = "beam_current"\nat_s = 10\nfactor = 0.5\n',
        encoding="utf-8",
    )
    plan = read_faults(path)
    assert plan.seed == 5
    assert plan.faults == (
        Fault("error", ("Record", "Preview"), call=3, text="no"),
        Fault("beam_current", at_s=10, factor=0.5, seconds=math.inf),
    )


def test_defaults() -> None:
    assert fault_from({"kind": "dewar_filling"}).seconds == 480.0
    assert fault_from({"kind": "error"}).times == 1
    assert fault_from({"kind": "error", "probability": 0.5}).times == 0
    assert fault_from({"kind": "stage_jump", "shift_um": [1, 2, 3]}).shift_um == (1.0, 2.0, 3.0)


BAD = [
    ({"kind": "explosion"}, "explosion"),
    ({}, "no kind None"),
    ({"kind": "error", "command": "Recrod"}, "Recrod"),
    ({"kind": "error", "command": [3]}, "3"),
    ({"kind": "error", "seconds": 3}, "seconds"),
    ({"kind": "error", "call": 0}, "call = 0"),
    ({"kind": "error", "call": True}, "call = True"),
    ({"kind": "error", "call": 1.5}, "1.5"),
    ({"kind": "error", "probability": 1.5}, "1.5"),
    ({"kind": "error", "probability": float("nan")}, "nan"),
    ({"kind": "error", "when": "during"}, "when"),
    ({"kind": "error", "command": "R", "exposure": 3}, "exclude"),
    ({"kind": "stage_jump", "shift_um": [1, 2]}, "3 numbers"),
    ({"kind": "missed_alignment", "shift_um": [1, "x"]}, "2 numbers"),
    ({"kind": "dark_image", "text": "x"}, "text"),
]


@pytest.mark.parametrize(("entry", "named"), BAD)
def test_what_makes_no_sense_is_refused_by_name(entry: dict[str, object], named: str) -> None:
    with pytest.raises(TableError, match=named):
        fault_from(entry)


@pytest.mark.parametrize(
    "table", [{"fault": [3]}, {"faults": []}, {"seed": "x"}, {"fault": {"kind": "error"}}]
)
def test_a_file_of_another_shape_is_refused(table: dict[str, object]) -> None:
    with pytest.raises(TableError):
        faults_from(table)


def test_the_description_is_plain() -> None:
    for kind in KINDS:
        text = json.dumps(described(fault_from({"kind": kind})), allow_nan=False)
        assert set(json.loads(text)) == set(KINDS[kind].options)
