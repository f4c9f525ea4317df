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
    ("imposed", "is_there"),
    [((0.5, 0.1), True), ((0.1, 0.0), False), ((-0.5, 0.0), False), ((0.5, 0.4), False)],
)
def test_an_offset_counts_only_near_where_it_is_expected(imposed, is_there):
    sem = Sem(AlignTo=0.0, ReportISforBufferShift=imposed, ISToSpecimenMatrix=IDENTITY)
    offset = SerialEMScope(sem).offset_from_file(Path("a.mrc"), 3, 0.3, XY(0.5, 0.0))
    # SerialEM looks around no shift at all: far enough to reach all that counts.
    assert ("LimitNextAutoAlign", 0.8) in sem.calls
    assert offset == XY(*imposed) if is_there else "expected" in offset.reason


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
        ReportMagIndex=(30.0, 0.0),
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
    done = [call[0] for call in sem.calls if call[0] in ("AdjustBeamTiltforIS", "R", "RestoreBeamTilt")]
    assert done == ["AdjustBeamTiltforIS", "R", "R", "R", "RestoreBeamTilt"]


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
    names = [call[0] for call in sem.calls]
    assert names.count("S") == 6 and names.count("R") == 1
    assert sum(call[1] for call in sem.calls if call[0] == "Delay") == 60.0


@pytest.mark.parametrize("command", ["Delay", "ImageConditions"])
def test_an_image_that_is_lost_is_told_of_whatever_else_fails(command):
    """Any other kind of error would read as if nothing had been exposed."""
    answers = {**IMAGE, command: Sem.SEMerror("busy")}
    with pytest.raises(ImageNotSavedError, match="file is locked"):
        SerialEMScope(Sem(S=Sem.SEMerror("file is locked"), **answers)).record("a")


def test_what_cannot_be_set_aside_is_told_from_a_series_that_is_no_longer_open(tmp_path):
    sem = Sem(**IMAGE)
    scope = SerialEMScope(sem)
    scope.open_series(tmp_path / "a.mrc")
    locked = "b.mrc"

    def open_new(path):
        if path.endswith(locked):
            raise Sem.SEMerror("locked")

    sem.answers["OpenNewFile"] = open_new
    with pytest.raises(ImageNotSavedError, match=r"opening b\.mrc.*locked"):
        scope.set_aside(tmp_path / "b.mrc")
    locked = "a.mrc"
    with pytest.raises(ScopeError, match=r"opening a\.mrc.*locked"):
        scope.set_aside(tmp_path / "b.mrc")


def test_an_image_that_is_in_the_stack_is_not_saved_again(tmp_path):
    """Its metadata may be what could not be written: the stack is the witness."""
    sections = [4.0]

    def save(_buffer):
        sections[0] += 1.0
        raise Sem.SEMerror("the mdoc is locked")

    (tmp_path / "a.mrc").write_bytes(b"x")
    sem = Sem(S=save, ReportFileZsize=lambda: sections[0], **IMAGE)
    scope = SerialEMScope(sem)
    scope.open_series(tmp_path / "a.mrc")
    assert scope.record("a")[1] == 4 and sections == [5.0]
    sem.answers["S"] = Sem.SEMerror("the stack is locked")
    with pytest.raises(ImageNotSavedError, match="the stack is locked"):
        scope.record("a")


@pytest.mark.parametrize("command", ["Echo", "SetStatusLine", "SetNextLogOutputStyle", "IsVersionAtLeast"])
def test_what_cannot_be_shown_ends_nothing(command):
    sem = Sem(IsVersionAtLeast=1.0)
    sem.answers[command] = Sem.SEMerror("no window")
    scope = SerialEMScope(sem)
    scope.tell("careful", Level.WARNING)
    scope.show_progress("half way")
    shown = [call for call in sem.calls if call[0] in ("Echo", "SetStatusLine")]
    assert shown == [("Echo", "careful"), ("SetStatusLine", 1, "half way")]


def test_a_clock_that_fails_for_once_goes_on_by_this_computers():
    sem = Sem(ReportTickTime=100.0)
    scope = SerialEMScope(sem)
    assert scope.clock_s() == 100.0
    sem.answers["ReportTickTime"] = Sem.SEMerror("busy")
    assert 100.0 < scope.clock_s() < 160.0
    with pytest.raises(ScopeError, match="busy"):
        SerialEMScope(sem).clock_s()


def test_beam_tilt_is_put_back_at_a_second_try(tmp_path):
    """What stays would be added to by the compensation of the next image."""
    tries = []

    def restore():
        tries.append(1)
        if len(tries) == 1:
            raise Sem.SEMerror("busy")

    sem = Sem(RestoreBeamTilt=restore, SpecimenToISMatrix=IDENTITY, SetImageShift=0.0, **IMAGE)
    scope = SerialEMScope(sem)
    scope.aim(XY(1.0, 0.0), -5.0, True)
    scope.record("a")
    assert len(tries) == 2 and not [call for call in sem.calls if call[0] == "Echo"]


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
        ReportMagIndex=(30.0, 0.0),
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


def test_doses_beyond_serialems_accounts_are_set_anew_each_time():
    sem = Sem()
    scope = SerialEMScope(sem)
    for account, dose in ((249, 3.0), (250, 5.0), (900, 2.0)):
        scope.set_prior_dose(account, dose)
    told = [call for call in sem.calls if call[0] in ("AreaForCumulRecordDose", "AccumulateRecordDose")]
    assert [call[1] for call in told] == [249, 3.0, 250, -1.0, 5.0, 250, -1.0, 2.0]


def test_the_cameras_axes_have_no_scale():
    turn = math.radians(30)
    c, s = 0.002 * math.cos(turn), 0.002 * math.sin(turn)
    axes = SerialEMScope(Sem(CameraToSpecimenMatrix=(c, s, -s, c))).camera_axes()
    right, up = axes.apply(XY(1.0, 0.0)), axes.apply(XY(0.0, 1.0))
    assert right == pytest.approx((math.cos(turn), -math.sin(turn)))
    assert up == pytest.approx((math.sin(turn), math.cos(turn)))


def found_in_view(shift_limit_um):
    """A column left in View by the operator, with a state worth coming back to."""
    return Sem(
        ReportLowDose=(1.0, 0.0),
        ReportProperty=shift_limit_um,
        ReportDefocus=-0.4,
        ReportTargetDefocus=-4.0,
        ReportTiltAngle=2.0,
        ReportMagIndex=(30.0, 0.0),
        IsVersionAtLeast=1.0,
        ReportImageShift=(1.5, -0.5),
    )


def test_everything_else_is_restored_when_one_thing_cannot_be():
    sem = found_in_view(shift_limit_um=15.0)
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


def test_a_column_that_was_busy_for_a_moment_is_put_back_all_the_same():
    sem = found_in_view(shift_limit_um=25.0)
    scope = SerialEMScope(sem)
    scope.begin(20.0)
    sem.calls.clear()
    refusals = [Sem.SEMerror("busy")]

    def tilt(_deg):
        if refusals:
            raise refusals.pop()

    sem.answers["TiltTo"] = tilt
    scope.end()
    assert sem.calls.count(("TiltTo", 2.0)) == 2
    assert ("SetImageShift", 1.5, -0.5) in sem.calls
    assert [call[0] for call in sem.calls].count("SetDefocus") == 1


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


def test_a_stack_that_cannot_be_closed_is_told_of_and_ends_nothing(tmp_path):
    sem = Sem(CloseFile=Sem.SEMerror("busy"), IsVersionAtLeast=0.0)
    scope = SerialEMScope(sem)
    scope.open_series(tmp_path / "a.mrc")
    scope.close_series()
    assert sem.calls[-1][0] == "Echo" and "CloseFile failed (busy)" in sem.calls[-1][1]
    assert scope.open_series(tmp_path / "b.mrc") == 0


def test_a_stack_whose_sections_cannot_be_counted_does_not_stay_open(tmp_path):
    (tmp_path / "full.mrc").write_bytes(b"x")
    sem = Sem(ReportFileZsize=Sem.SEMerror("busy"))
    scope = SerialEMScope(sem)
    with pytest.raises(ScopeError, match="busy"):
        scope.open_series(tmp_path / "full.mrc")
    assert sem.calls[-1] == ("CloseFile",)
    scope.close_series()
    assert sem.calls.count(("CloseFile",)) == 1


def test_an_empty_file_that_another_program_holds_is_a_fault_of_the_microscope(tmp_path, monkeypatch):
    def refuse(self):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "empty.mrc").touch()
    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(ScopeError, match=r"empty\.mrc is empty and cannot be removed \(Permission denied"):
        SerialEMScope(Sem()).open_series(tmp_path / "empty.mrc")


def test_a_stack_that_is_held_for_a_moment_is_opened_then(tmp_path):
    refusals = [Sem.SEMerror("locked")] * 3

    def open_new(_path):
        if refusals:
            raise refusals.pop()

    sem = Sem(OpenNewFile=open_new)
    scope = SerialEMScope(sem)
    assert scope.open_series(tmp_path / "new.mrc") == 0
    assert sum(call[1] for call in sem.calls if call[0] == "Delay") == 14.0
    sem.answers["OpenNewFile"] = Sem.SEMerror("no such folder")
    with pytest.raises(ScopeError, match="no such folder"):
        scope.open_series(tmp_path / "other.mrc")


def test_without_low_dose_nothing_begins():
    with pytest.raises(ScopeError, match="low dose mode is off"):
        SerialEMScope(Sem(IsVersionAtLeast=1.0, ReportLowDose=(0.0, -1.0))).begin(20.0)


def test_outside_serialem_there_is_a_clear_sentence():
    with pytest.raises(ScopeError, match="script window"):
        connect()
