"""Scripts in processes of their own."""

from __future__ import annotations

import _thread
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from mock_serialem.script_window import ScriptWindow
from mock_serialem.session import Session

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def make(text: str) -> Path:
        path = tmp_path / "script.py"
        path.write_text("#!Python\nimport serialem as sem\n" + text, encoding="utf-8")
        return path

    return make


def test_a_script_from_start_to_end(session: Session, write: Write) -> None:
    script = write(
        r"""
print("hello", SEMargStrings)
print("C:\new", "a" + "\n" + "b")
sem.Echo("echoed")
SEMecho("too")
sem.SetExposure("R", 9)
sem.SetVariable("v", listToSEMarray([1, 2.5]))
print(SEMarrayToFloats(sem.GetVariable("v")), SEMarrayToInts(listToSEMarray([1, 2])))
print(__name__, "__file__" in globals())
import os
sem.SetPersistentVar("cwd", os.getcwd())
"""
    )
    result = ScriptWindow(session).run(script, "one", "two words")
    assert (result.ok, result.exit_code, result.error) == (True, 0, None), result
    texts = [line for line in result.log if not line.startswith("Report")]
    # What is printed and what is echoed reach the log on ways of their own: each in order, not both together.
    printed = [line for line in texts if line not in ("echoed", "too")]
    assert printed[:3] == ["hello ['one', 'two words']", "C:\\new a", "b"]
    assert "echoed" in texts and "too" in texts
    assert "__main__ False" in texts
    assert session.variables.get("cwd") == os.path.realpath(session.directory)
    # The end of the script put the camera set back, and its variable is gone.
    assert session.cameras.get("R").exposure_s == 1.0
    assert not session.variables.is_defined("v") or session.script.running is False


def test_a_command_error_that_is_not_caught(session: Session, write: Write) -> None:
    result = ScriptWindow(session).run(write("sem.ChangeFocus(0)\nsem.SetTargetDefocus(-7)"))
    assert not result.ok and result.exit_code == 1
    assert result.error == "ChangeFocus: A focus change of 0 is not legal"
    assert session.focus.target_um == -5.0
    assert not result.error_allowed


def test_a_command_error_that_is_caught(session: Session, write: Write) -> None:
    script = write(
        """
sem.NoMessageBoxOnError()
try:
  sem.ChangeFocus(0)
except sem.SEMerror as err:
  print("caught", "SCRIPT ERROR" in str(err))
sem.SetTargetDefocus(-7)
"""
    )
    result = ScriptWindow(session).run(script)
    assert result.ok and "caught True" in result.log
    assert session.focus.target_um == -7.0


def test_another_exception_leaves_a_traceback(session: Session, write: Write) -> None:
    result = ScriptWindow(session).run(write("def f():\n  return 1 / 0\nf()"))
    assert not result.ok
    assert result.error == "ZeroDivisionError: division by zero"
    assert any('File "<stdin>"' in line for line in result.log)


def test_a_syntax_error(session: Session, write: Write) -> None:
    result = ScriptWindow(session).run(write("x = = 1"))
    assert not result.ok and result.error is not None and "SyntaxError" in result.error


@pytest.mark.parametrize(
    ("text", "ok", "code"),
    [("sem.Exit()", True, 0), ("sem.Exit(0, 'bye')", True, 0), ("sem.Exit(3)", True, 3)],
)
def test_exit(session: Session, write: Write, text: str, ok: bool, code: int) -> None:
    result = ScriptWindow(session).run(write(text))
    assert (result.ok, result.exit_code) == (ok, code), result


def test_the_name_of_the_script(session: Session, write: Write) -> None:
    result = ScriptWindow(session).run(write("print(sem.GetVariable('scriptName'))"))
    assert result.log == ["script"]
    result = ScriptWindow(session).run(write("#ScriptName Take all\nprint(sem.GetVariable('scriptName'))"))
    assert result.log == ["Take all"]


def test_nothing_runs_after_exit(session: Session, write: Write) -> None:
    result = ScriptWindow(session).run(write("sem.Exit(1)\nsem.SetTargetDefocus(-7)"))
    assert session.focus.target_um == -5.0
    assert not result.ok


@pytest.mark.parametrize(
    ("text", "ok"), [("sys.exit()", True), ("sys.exit(0)", True), ("sys.exit('why')", False)]
)
def test_system_exit(session: Session, write: Write, text: str, ok: bool) -> None:
    result = ScriptWindow(session).run(write("import sys\n" + text))
    assert result.ok is ok
    assert result.error == (None if ok else "SystemExit: why")


def test_a_process_that_dies(session: Session, write: Write) -> None:
    result = ScriptWindow(session).run(write("import os\nos._exit(5)"))
    assert not result.ok and result.error == "the script's process ended with status 5"
    assert ScriptWindow(session).run(write("print('next')")).ok


def test_includes_and_imports(session: Session, write: Write, tmp_path: Path) -> None:
    (tmp_path / "helpers.py").write_text("def twice(x):\n    return 2 * x\n")
    (session.directory / "more.txt").write_text("print(twice(21))\n")
    result = ScriptWindow(session).run(write("#include helpers\n#includeFile more.txt\n"))
    assert result.ok and result.log == ["42"]
    result = ScriptWindow(session).run(write("#include missing\n"))
    assert not result.ok and result.error is not None and "missing" in result.error


def test_files_that_are_no_scripts(session: Session, tmp_path: Path) -> None:
    result = ScriptWindow(session).run(tmp_path / "none.py")
    assert not result.ok and result.error is not None and "none.py" in result.error
    (tmp_path / "plain.py").write_text("print(1)")
    result = ScriptWindow(session).run(tmp_path / "plain.py")
    assert not result.ok and result.error is not None and "#!Python" in result.error


def test_stop_reaches_the_script(session: Session, write: Write) -> None:
    window = ScriptWindow(session, on_idle=session.press_stop)
    script = write("sem.SetExposure('R', 9)\nwhile True:\n  sem.ReportTiltAngle()")
    result = window.run(script)
    assert not result.ok and result.stopped and result.error == "User STOP"
    assert session.cameras.get("R").exposure_s == 1.0
    assert ScriptWindow(session).run(write("print('next')")).ok


def test_a_stopped_script_that_hangs_is_killed(
    session: Session, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mock_serialem.script_window.STOP_PATIENCE_S", 0.3)
    window = ScriptWindow(session, on_idle=session.press_stop)
    result = window.run(write("while True:\n  pass"))
    assert not result.ok and result.stopped


def test_ctrl_c_in_the_caller_stops_the_script_first(session: Session, write: Write) -> None:
    interrupts: list[int] = []

    def interrupt() -> None:
        if session.world.clock_s > 1.0 and not interrupts:
            interrupts.append(1)
            _thread.interrupt_main()

    script = write(
        """
try:
  while True:
    sem.ReportTiltAngle()
except sem.SEMexited as end:
  with open("ended.txt", "w") as stream:
    stream.write(str(end))
  raise
"""
    )
    assert threading.current_thread() is threading.main_thread()
    with pytest.raises(KeyboardInterrupt):
        ScriptWindow(session, on_idle=interrupt).run(script)
    assert (session.directory / "ended.txt").read_text() == "User STOP"
    assert not session.script.running


def test_acquire_at_items(session: Session, write: Write) -> None:
    navigator = session.navigator
    for number in range(4):
        navigator.add_point(10.0 * number, -5.0, 1.0, note=f"t{number}", acquire=number != 1)
    script = write(
        """
index, x, y, z, kind = sem.ReportNavItem()
note = sem.GetVariable("navNote")
count = sem.GetVariable("navAcqIndex")
print(note, count, sem.ReportIfNavAcquiring(), sem.ReportStageXYZ() == (x, y, z), sem.IsVariableDefined("left"))
sem.SetVariable("left", "1")
import builtins
print(hasattr(builtins, "kept"))
builtins.kept = 1
if note == "t2":
  sem.ChangeFocus(0)
"""
    )
    results = ScriptWindow(session).acquire_at_items(script)
    # The failure at the second of three marked items stops the run.
    assert [result.ok for result in results] == [True, False]
    assert [item.acquire for item in navigator.items] == [False, False, True, True]
    assert results[0].log[-2:] == ["t0 1.0 (1.0, 7.0) True 0.0", "False"]
    assert "t2 2.0 (1.0, 7.0) True 0.0" in results[1].log
    assert navigator.acquiring == -1


def test_an_item_out_of_reach_ends_the_run(session: Session, write: Write) -> None:
    session.navigator.add_point(1e6, 0.0, acquire=True)
    session.navigator.add_point(0.0, 0.0, acquire=True)
    (result,) = ScriptWindow(session).acquire_at_items(write("print(1)"))
    assert not result.ok and result.error is not None and "outside the stage limits" in result.error
    assert session.navigator.acquiring == -1


def test_a_failed_item_is_passed_when_boxes_are_suppressed(session: Session, write: Write) -> None:
    for number in range(3):
        session.navigator.add_point(number, 0.0, note=f"t{number}", acquire=True)
    script = write(
        """
sem.NoMessageBoxOnError(1)
sem.ReportNavItem()
if sem.GetVariable("navNote") == "t0":
  sem.ChangeFocus(0)
if sem.GetVariable("navNote") == "t1":
  sem.EndAcquireAtItems()
"""
    )
    results = ScriptWindow(session).acquire_at_items(script)
    assert [result.ok for result in results] == [False, True]
    assert [item.acquire for item in session.navigator.items] == [True, False, True]


def test_a_run_over_items_that_a_script_asks_for_at_its_end(session: Session, write: Write) -> None:
    for number in range(2):
        session.navigator.add_point(10.0 * number, 0.0, note=f"t{number}", acquire=True)
    stored = "#!Python\nimport serialem as sem\nsem.ReportNavItem()\nprint('at', sem.GetVariable('navNote'))"
    number = session.scripts.add("each", stored)
    script = write(
        f"""
sem.SetNavAcqAtEndParams("prim", 2, "scrp-p", {number})
sem.StartNavAcquireAtEnd()
print("first")
"""
    )
    assert ScriptWindow(session).run(script).ok
    lines = [line for line in session.log_lines if line == "first" or line.startswith("at ")]
    assert lines == ["first", "at t0", "at t1"]
    assert not any(item.acquire for item in session.navigator.items)
    failing = write("sem.SetItemAcquire(1)\nsem.StartNavAcquireAtEnd()\nsem.ChangeFocus(0)")
    assert not ScriptWindow(session).run(failing).ok
    assert session.navigator.items[0].acquire and not session.acquire_params.requested


def test_a_script_before_skips_the_item(session: Session, write: Write) -> None:
    for number in range(3):
        session.navigator.add_point(
            10.0 * number, 0.0, note=f"t{number}", acquire=True, group=int(number > 0)
        )
    head = "#!Python\nimport serialem as sem\nsem.ReportNavItem()\nnote = sem.GetVariable('navNote')\n"
    each = session.scripts.add("each", head + "print('at', note)")
    before = session.scripts.add("before", head + "if note == 't1': sem.SkipAcquiringNavItem()")
    script = write(
        f"""
sem.SetNavAcqAtEndParams("prim", 2, "scrp-p", {each}, "scrp-b", {before})
sem.StartNavAcquireAtEnd()
"""
    )
    assert ScriptWindow(session).run(script).ok
    assert [line for line in session.log_lines if line.startswith("at ")] == ["at t0", "at t2"]
    assert [item.acquire for item in session.navigator.items] == [False, True, False]


def test_the_rest_of_a_group_is_left_out(session: Session, write: Write) -> None:
    for number in range(3):
        session.navigator.add_point(10.0 * number, 0.0, acquire=True, group=int(number > 0))
    script = write("if sem.ReportNavItem()[0] == 2:\n  sem.SkipAcquiringGroup()")
    results = ScriptWindow(session).acquire_at_items(script)
    assert [result.ok for result in results] == [True, True]
    assert [item.acquire for item in session.navigator.items] == [False, False, True]
    assert not session.navigator.skipped_groups
