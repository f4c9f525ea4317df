"""Whatever legal arguments a script gives, a command returns what is documented or raises SEMerror, nothing else."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from mock_serialem.commands import REGISTRY, TABLE
from mock_serialem.module import make_module
from mock_serialem.session import Session

FACTS = Path(os.environ.get("PACETOMO_SHARED", Path(__file__).resolve().parents[3] / "shared")) / "serialem"
# These run programs of the test machine; a montage of any size that was opened before may be a very long one.
LEFT_OUT = {"RunInShell", "RunProcess", "CreateProcess", "Montage"}
NUMBERS = [0, 1, -1, 0.3, 2, -3.5, 10, 1e3, 45, 1e7]
INTEGERS = [0, 1, -1, 2, 3, 4, 17, 26, 100, -2, 5000, 2**31 - 1]
TEXTS = ["A", "B", "R", "V", "F", "P", "1", "x", "O", "none.mrc", "a.mrc", "T", "W", "TiltAngle", "ImageShiftLimit", "",
         "ShiftToTiltAxis", "array", "-1", "RE", "new.mrc", "MRC", "$x", "1 2 3", "FFlash", "sec"]  # fmt: skip


def draw(rng: random.Random, letters: str) -> list[float | int | str]:
    required = sum(letter.isupper() for letter in letters)
    count = rng.randint(required, len(letters))
    # An optional number may stand for "not given".
    pools = {"D": NUMBERS, "d": [*NUMBERS, -1e8], "I": INTEGERS, "i": INTEGERS, "S": TEXTS, "s": TEXTS}
    return [rng.choice(pools[letter]) for letter in letters[:count]]


@pytest.fixture
def prepared(make_session: Callable[..., Session]) -> Iterator[tuple[Session, ModuleType]]:
    session = make_session()
    yield session, prepare(session)
    session.close()


def prepare(session: Session) -> ModuleType:
    session.begin_script()
    sem = make_module(session)
    sem.OpenNavigator()
    sem.OpenNewFile("a.mrc")
    sem.SetLowDoseMode(1)
    sem.SetColumnOrGunValve(1)
    sem.MoveStageTo(0, 0)
    sem.TiltTo(0)
    for _ in range(3):
        sem.R()
    sem.V()
    sem.Copy("A", "P")
    sem.S("B")
    sem.NewMap()
    sem.AddStagePosAsNavPoint(1, 2, 3, 100007)
    sem.SetVariable("array", "1\n2\n3")
    sem.SuppressReports()
    return sem


def calls(
    sem: ModuleType, session: Session, name: str, seed: str
) -> Iterator[tuple[list[float | int | str], object]]:
    rng = random.Random(seed)
    for _ in range(8):
        arguments = draw(rng, TABLE[name].letters)
        try:
            yield arguments, getattr(sem, name)(*arguments)
        except (sem.SEMerror, sem.SEMexited):
            continue


@pytest.mark.parametrize("start", range(0, 600, 40))
def test_legal_arguments_never_break_a_command(prepared: tuple[Session, ModuleType], start: int) -> None:
    session, sem = prepared
    for name in sorted(set(REGISTRY) - LEFT_OUT)[start : start + 40]:
        for arguments, result in calls(sem, session, name, name):
            kinds = {type(value) for value in (result if isinstance(result, tuple) else (result,))}
            assert kinds <= {float, str, type(None)}, (name, arguments, result)


# Documented variations: arrays of texts, hexagonal grids, nothing to report, a failed external process.
VARIABLE = {
    "ReportMetadataValues", "ReportCurrentFilename", "ReportOpenImageFile", "ReportNavFile", "ReportMeanCounts",
    "Ctfplotter", "ReportSlotStatus", "LongOperation", "RefineZLP", "SetStatusLine", "ReportFileZsize",
    "OpenTextFile", "ReportNextNavAcqItem", "ReportAlignShift", "ReportISforBufferShift", "ReportShiftDiffFrom",
    "ReportLongOperations", "GetVariable", "ImagingStateProperties", "Call", "CallFunction", "CallScript", "CallMacro",
    "CallStringArray", "UpdateHWDarkRef",
}  # fmt: skip


def test_commands_return_as_many_values_as_documented(prepared: tuple[Session, ModuleType]) -> None:
    if not FACTS.is_dir():
        pytest.skip(f"the facts about SerialEM are not at hand: no folder {FACTS} (set PACETOMO_SHARED)")
    session, sem = prepared
    facts = json.loads((FACTS / "commands.json").read_text(encoding="utf-8"))["commands"]
    checked = 0
    for fact in facts:
        name = fact["name"]
        if name not in REGISTRY or name in VARIABLE or name in LEFT_OUT:
            continue
        documented = [value["type"] == "str" for value in fact["returns"] or []]
        for arguments, result in calls(sem, session, name, name + "x"):
            values = result if isinstance(result, tuple) else () if result is None else (result,)
            assert [isinstance(value, str) for value in values] == documented, (name, arguments, result)
            checked += 1
    assert checked > 800


def test_every_command_costs_time(prepared: tuple[Session, ModuleType]) -> None:
    session, sem = prepared
    before = session.world.clock_s
    sem.ReportTiltAngle()
    assert 0 < session.world.clock_s - before < 0.1


def test_reports_go_to_the_log_unless_suppressed(prepared: tuple[Session, ModuleType]) -> None:
    session, sem = prepared
    sem.SuppressReports(0)
    sem.ReportTargetDefocus()
    assert session.log_lines[-1] == "ReportTargetDefocus: -5"
    sem.SuppressReports()
    sem.ReportTargetDefocus()
    assert sum("ReportTargetDefocus" in line for line in session.log_lines) == 1


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e300])
def test_what_is_no_number_changes_nothing(prepared: tuple[Session, ModuleType], value: float) -> None:
    _, sem = prepared

    def state() -> tuple[object, ...]:
        return sem.ReportStageXYZ(), sem.ReportTiltAngle(), sem.ReportImageShift(), sem.ReportDefocus()

    before = state()
    calls = {
        "TiltTo": (value,),
        "MoveStage": (0.0, value),
        "MoveStageTo": (value, 0.0),
        "ImageShiftByMicrons": (value, 0.0),
        "SetImageShift": (0.0, value),
        "SetDefocus": (value,),
        "ChangeFocus": (value,),
        "SetExposure": ("R", value),
        "Delay": (value, "s"),
    }
    for name, arguments in calls.items():
        with pytest.raises(sem.SEMerror):
            getattr(sem, name)(*arguments)
    assert state() == before


def test_reported_values_last_until_the_next_command_begins(sem: ModuleType) -> None:
    sem.MoveStageTo(4, 5)
    sem.ReportStageXYZ()
    assert sem.IsVariableDefined("repVal2") == 1.0 and sem.GetVariable("reportedValue2") == 5.0
    assert sem.GetVariable("repVal1") == 4.0 and sem.IsVariableDefined("repVal4") == 0.0
    with pytest.raises(sem.SEMerror):
        sem.ChangeFocus(0)
    assert sem.IsVariableDefined("repVal1") == 0.0
    with pytest.raises(sem.SEMerror):
        sem.GetVariable("repVal1")


def test_a_wait_of_ages_is_refused_and_leaves_the_clock_alone(prepared: tuple[Session, ModuleType]) -> None:
    session, sem = prepared
    before_s = session.world.clock_s
    with pytest.raises(sem.SEMerror):
        sem.Delay(1e29, "sec")
    assert session.world.clock_s - before_s < 10
    sem.Record()
    session.world.now()
