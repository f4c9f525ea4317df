import ast
import math
from pathlib import Path

import pytest

import pacetomo.scope.serialem_scope as facade
from mock_serialem.commands import TABLE
from pacetomo.errors import ImageNotSavedError, ScopeError
from pacetomo.frames import XY
from pacetomo.scope.protocol import Level, Missing
from pacetomo.scope.serialem_scope import SerialEMScope, connect

SOURCES = sorted(Path(facade.__file__).parent.glob("serialem_*.py"))
NEEDS_A_NEWER_SERIALEM = {"SetNextLogOutputStyle"}  # asked for only where the version has it


def commands_used():
    """(command, its arguments as far as the source tells their number, place) of every call in the facade."""
    found = []
    nodes = [
        (path, node) for path in SOURCES for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    ]
    for path, node in nodes:
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        place = {"_do": 1, "_put_back": 1, "_matrix": 0}.get(node.func.attr)
        if place is None or len(node.args) <= place:
            continue
        name = node.args[place]
        names = [name.body, name.orelse] if isinstance(name, ast.IfExp) else [name]
        for constant in names:
            if isinstance(constant, ast.Constant):
                arguments = [ast.Constant(0)] if node.func.attr == "_matrix" else node.args[place + 1 :]
                found.append((constant.value, arguments, f"{path.name}:{node.lineno}"))
    return found


def test_many_commands_are_found_in_the_source():
    assert len({name for name, _, _ in commands_used()}) > 45


@pytest.mark.parametrize(("name", "arguments", "place"), commands_used())
def test_every_command_exists_with_these_arguments_from_4_1_on(name, arguments, place):
    info = TABLE[name]
    if not any(isinstance(argument, ast.Starred) for argument in arguments):
        assert info.min_args <= len(arguments) <= len(info.letters), f"{name} in {place}"
    for letter, argument in zip(info.letters.upper(), arguments):
        if isinstance(argument, ast.Constant):
            kinds = {"D": (int, float), "I": int, "S": str}[letter]
            assert isinstance(argument.value, kinds), f"{name} in {place}"
    if name not in NEEDS_A_NEWER_SERIALEM:
        assert tuple(map(int, info.since.split("."))) <= (4, 1), f"{name} in {place}"


class Sem:
    """A `serialem` module of a few answers; whatever else is called is remembered."""

    class SEMerror(Exception):
        pass

    class SEMexited(Exception):
        pass

    def __init__(self, **answers):
        self.answers, self.calls = answers, []

    def __getattr__(self, name):
        if name not in TABLE:
            raise AttributeError(name)

        def call(*arguments):
            self.calls.append((name, *arguments))
            answer = self.answers.get(name)
            if isinstance(answer, Exception):
                raise answer
            return answer(*arguments) if callable(answer) else answer

        return call


IDENTITY = (1.0, 0.0, 0.0, 1.0)


def test_a_failure_says_what_was_being_done_and_which_command_refused():
    text = "\nSCRIPT ERROR WITH THIS MESSAGE:\nTilt angle too high\n*************"
    with pytest.raises(
        ScopeError, match=r"^tilting to 75°: SerialEM's TiltTo failed \(Tilt angle too high\)$"
    ):
        SerialEMScope(Sem(TiltTo=Sem.SEMerror(text))).tilt_to(75)


def test_stop_is_never_caught():
    stop = Sem.SEMexited("User STOP")
    scope = SerialEMScope(Sem(AlignTo=stop, G=stop, ReportDefocus=-1.0))
    with pytest.raises(Sem.SEMexited):
        scope.offset_from_file(Path("a.mrc"), 0, None)
    with pytest.raises(Sem.SEMexited):
        scope.autofocus(-5.0)


def test_beyond_the_image_shift_limit_nothing_is_set():
    sem = Sem(SpecimenToISMatrix=IDENTITY, SetImageShift=1.0)
    assert not SerialEMScope(sem).aim(XY(30.0, 0.0), -5.0, False)
    assert "SetDefocus" not in [call[0] for call in sem.calls]


def test_the_shift_is_set_absolutely_in_image_shift_units():
    sem = Sem(SpecimenToISMatrix=(0.0, 2.0, -1.0, 0.0), SetImageShift=0.0)
    assert SerialEMScope(sem).aim(XY(3.0, 5.0), -5.0, False)
    assert ("SetImageShift", 10.0, -3.0) in sem.calls and ("SetDefocus", -5.0) in sem.calls
    assert sem.calls[0] == ("GoToLowDoseArea", "R")


def test_an_offset_is_what_alignment_would_impose():
    sem = Sem(AlignTo=0.0, ReportISforBufferShift=(0.5, -0.25), ISToSpecimenMatrix=(2.0, 0.0, 0.0, 4.0))
    assert SerialEMScope(sem).offset_from_file(Path("a.mrc"), 3, 0.4) == XY(1.0, -1.0)
    assert ("ReadOtherFile", 3, "O", "a.mrc") in sem.calls
    assert ("LimitNextAutoAlign", 0.4) in sem.calls and ("AlignTo", "O", 1) in sem.calls


@pytest.mark.parametrize(
    "answers", [{"AlignTo": -1.0}, {"AlignTo": Sem.SEMerror("x")}, {"ReadOtherFile": Sem.SEMerror("x")}]
)
def test_no_alignment_is_a_value_with_a_reason(answers):
    outcome = SerialEMScope(Sem(**answers)).offset_from_file(Path("a.mrc"), 0, 0.5)
    assert isinstance(outcome, Missing) and "section 0 of a.mrc" in outcome.reason


@pytest.mark.parametrize("report", [(0.0, -1.0), (-3.0, 2.0), (float("nan"), 0.0)])
def test_a_bad_autofocus_is_no_focus(report):
    outcome = SerialEMScope(Sem(ReportAutoFocus=report, ReportDefocus=-3.0)).autofocus(-5.0)
    assert isinstance(outcome, Missing)


def test_beam_tilt_is_put_back_even_when_the_camera_fails():
    sem = Sem(
        ReportLowDose=(1.0, 3.0),
        ReportProperty=15.0,
        ReportDefocus=0.0,
        ReportTargetDefocus=-4.0,
        ReportTiltAngle=0.0,
        SpecimenToISMatrix=IDENTITY,
        SetImageShift=0.0,
        IsVersionAtLeast=1.0,
        ReportImageShift=(0.0, 0.0),
        R=Sem.SEMerror("timeout"),
    )
    scope = SerialEMScope(sem)
    scope.begin(20.0)
    scope.aim(XY(1.0, 0.0), -5.0, True)
    with pytest.raises(ScopeError, match="record image"):
        scope.record("a_ts_001")
    assert [call[0] for call in sem.calls][-3:] == ["AdjustBeamTiltforIS", "R", "RestoreBeamTilt"]


IMAGE = {
    "ReportMeanCounts": 90.0,
    "ImageConditions": (3.0, 53000.0),
    "ImageProperties": (1000.0, 800.0, 4.0, 1.0, 0.5, 3.0),
}


def test_nothing_stands_between_exposing_and_saving(tmp_path):
    sem = Sem(**IMAGE)
    scope = SerialEMScope(sem)
    scope.open_series(tmp_path / "a.mrc")
    shot, section = scope.record("a")
    names = [call[0] for call in sem.calls]
    assert names[names.index("R") + 1] == "S"
    assert section == 0 and shot == (90.0, 1.0, 3.0, XY(0.5, 0.4))
    assert scope.record("a")[1] == 1


def test_saving_is_tried_again_and_then_says_what_was_spent(tmp_path):
    sem = Sem(S=Sem.SEMerror("file is locked"), **IMAGE)
    with pytest.raises(ImageNotSavedError, match="file is locked") as caught:
        SerialEMScope(sem).record("a")
    assert caught.value.dose_e_per_a2 == 3.0
    assert [call[0] for call in sem.calls].count("S") == 3 and [call[0] for call in sem.calls].count("R") == 1


def test_a_saved_image_is_not_lost_for_a_report_that_fails():
    sem = Sem(ImageProperties=Sem.SEMerror("x"), ReportMeanCounts=1.0)
    shot, section = SerialEMScope(sem).record("a")
    assert section == 0 and math.isnan(shot.mean_counts)


def test_the_focus_is_read_in_record():
    """In View the readout includes that area's offset of tens of micrometres."""
    sem = Sem(ReportDefocus=-1.0)
    SerialEMScope(sem).focus_um()
    assert [call[0] for call in sem.calls] == ["GoToLowDoseArea", "ReportDefocus"]


def test_the_limit_of_the_settings_holds_to_the_micrometre():
    sem = Sem(
        ReportLowDose=(1.0, 3.0),
        ReportProperty=15.0,
        ReportDefocus=0.0,
        ReportTargetDefocus=0.0,
        ReportTiltAngle=0.0,
        IsVersionAtLeast=1.0,
        ReportImageShift=(0.0, 0.0),
        SpecimenToISMatrix=IDENTITY,
        SetImageShift=0.0,
    )
    scope = SerialEMScope(sem)
    scope.begin(2.1)
    assert not scope.aim(XY(2.2, 0.0), 0.0, False) and scope.aim(XY(2.0, 0.0), 0.0, False)
    assert "SetProperty" not in [call[0] for call in sem.calls]


def test_the_log_is_plain_ascii():
    sem = Sem(IsVersionAtLeast=0.0)
    SerialEMScope(sem).tell("5 µm at 3°, 2 e/Å²")
    assert sem.calls[-1] == ("Echo", "5 um at 3 deg, 2 e/A^2")


def test_prior_dose_accounts_are_set_and_then_added_to():
    sem = Sem()
    scope = SerialEMScope(sem)
    for account, dose in ((1, 0.0), (2, 0.0), (1, 3.0), (1, 6.5)):
        scope.set_prior_dose(account, dose)
    assert [call[1] for call in sem.calls if call[0] == "AccumulateRecordDose"] == [0.0, 0.0, 3.0, 3.5]
    assert [call[1] for call in sem.calls if call[0] == "AreaForCumulRecordDose"] == [1, 2, 1, 1]


def test_everything_else_is_restored_when_one_thing_cannot_be():
    sem = Sem(
        ReportLowDose=(1.0, 0.0),
        ReportProperty=15.0,
        ReportDefocus=-0.4,
        ReportTargetDefocus=-4.0,
        ReportTiltAngle=2.0,
        IsVersionAtLeast=1.0,
        ReportImageShift=(1.5, -0.5),
    )
    scope = SerialEMScope(sem)
    scope.begin(20.0)
    sem.answers["SetImageShift"] = Sem.SEMerror("scope is busy")
    sem.calls.clear()
    with pytest.raises(ScopeError, match="scope is busy"):
        scope.end()
    for done in (
        ("SetDefocus", -0.4),
        ("SetTargetDefocus", -4.0),
        ("SetProperty", "ImageShiftLimit", 15),
        ("TiltTo", 2.0),
        ("GoToLowDoseArea", "V"),
    ):
        assert done in sem.calls


@pytest.mark.parametrize(("version", "styled"), [(1.0, True), (0.0, False)])
def test_colours_only_where_serialem_has_them(version, styled):
    sem = Sem(IsVersionAtLeast=version)
    SerialEMScope(sem).tell("careful", Level.WARNING)
    assert ("SetNextLogOutputStyle" in [call[0] for call in sem.calls]) is styled
    assert ("Echo", "careful") in sem.calls


def test_a_stack_is_opened_if_it_is_there_and_made_if_not(tmp_path):
    full, empty, new = tmp_path / "full.mrc", tmp_path / "empty.mrc", tmp_path / "new.mrc"
    full.write_bytes(b"x")
    empty.touch()
    sem = Sem(ReportFileZsize=7.0)
    scope = SerialEMScope(sem)
    assert [scope.open_series(path) for path in (full, empty, new)] == [7, 0, 0]
    opened = [call for call in sem.calls if call[0].startswith("Open")]
    assert opened == [("OpenOldFile", str(full)), ("OpenNewFile", str(empty)), ("OpenNewFile", str(new))]
    assert full.exists() and not empty.exists()


def test_without_low_dose_nothing_begins():
    with pytest.raises(ScopeError, match="low dose mode is off"):
        SerialEMScope(Sem(IsVersionAtLeast=1.0, ReportLowDose=(0.0, -1.0))).begin(20.0)


def test_outside_serialem_there_is_a_clear_sentence():
    with pytest.raises(ScopeError, match="script window"):
        connect()
