"""A watchdog tells of commands that do not come back, and costs the others nothing."""

import json
import os
import sys
import threading
import time

import pytest
from simulated import FLAT, acquire_on, journal_of

from mock_serialem.commands import TABLE
from mock_serialem.errors import SEMexited
from mock_serialem.faults import FaultPlan, fault_from
from mock_serialem.sim.sample import LamellaSpec
from pacetomo.alarm import PULSE_S, Alarm
from pacetomo.area_files import AreaFiles
from pacetomo.journal import Journal
from pacetomo.scope.serialem_scope import SerialEMScope
from pacetomo.scope.watchdog import DIALOGS, LONGEST_S, USUAL_S, Overdue, Watchdog, longest_s


class Clock:
    def __init__(self):
        self.now_s = 1000.0

    def __call__(self):
        return self.now_s


@pytest.mark.parametrize("name", sorted({*LONGEST_S, *DIALOGS}))
def test_times_are_of_commands_that_serialem_has(name):
    assert name in TABLE


def test_images_have_their_exposures_on_top_and_dialogs_have_all_the_time():
    assert longest_s("R", (), 60.0) - longest_s("R", (), 0.0) == 600.0
    assert longest_s("TiltTo", (3.0,), 60.0) == longest_s("TiltTo", (3.0,), 0.0)
    assert longest_s("YesNoBox", ("ready?",)) is None
    assert longest_s("Delay", (3600.0, "sec")) == 3600.0 + USUAL_S


@pytest.mark.parametrize(("factor", "after_s"), [(1.0, USUAL_S), (0.5, USUAL_S / 2), (3.0, 3 * USUAL_S)])
def test_a_command_is_overdue_once_after_its_time_and_told_of_again_when_back(factor, after_s):
    clock, told = Clock(), []
    dog = Watchdog(told.append, factor, clock_s=clock)
    dog.sent("ReportTiltAngle", ())
    clock.now_s += after_s - 1
    dog.look()
    assert told == []
    clock.now_s += 2
    dog.look()
    dog.look()
    assert told == [Overdue("ReportTiltAngle", after_s + 1)]
    dog.answered()
    clock.now_s += 10
    dog.look()
    assert told[1:] == [Overdue("ReportTiltAngle", after_s + 11, is_back=True)]


def test_the_next_command_of_the_same_name_has_its_own_time():
    clock, told = Clock(), []
    dog = Watchdog(told.append, clock_s=clock)
    for _ in range(100):
        dog.sent("ReportTiltAngle", ())
        clock.now_s += USUAL_S - 1
        dog.look()
        dog.answered()
    assert told == []


def test_a_factor_of_0_is_never():
    clock, told = Clock(), []
    dog = Watchdog(told.append, 0.0, clock_s=clock)
    dog.sent("ReportTiltAngle", ())
    clock.now_s += 1e6
    dog.look()
    assert told == []


class Sem:
    """A module with one command, which waits until it is let go."""

    class SEMerror(Exception):
        pass

    def __init__(self):
        self.gate = threading.Event()

    def TiltTo(self, deg):  # noqa: N802 - SerialEM's name
        assert self.gate.wait(30)

    def ReportTiltAngle(self):  # noqa: N802
        return 3.0


def test_the_facade_is_watched_in_real_time_by_a_thread_of_its_own():
    sem, told = Sem(), []
    scope = SerialEMScope(sem)

    def tell(overdue):
        told.append(
            (overdue.command, overdue.is_back, threading.current_thread() is not threading.main_thread())
        )
        sem.gate.set()

    scope.watch_commands(Watchdog(tell, 1e-5, poll_s=0.01))
    assert scope.tilt_to(3.0) == 3.0
    deadline_s = time.monotonic() + 30
    while len(told) < 2 and time.monotonic() < deadline_s:
        time.sleep(0.01)
    scope.watch_commands(None)
    assert told[0] == ("TiltTo", False, True) and ("TiltTo", True, True) in told
    assert "pacetomo watchdog" not in [thread.name for thread in threading.enumerate()]


def lines_of(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def ended(alarm, journal_path, condition):
    """Look on until something has happened."""
    deadline_s = time.monotonic() + 30
    while not condition() and time.monotonic() < deadline_s:
        alarm.pulse()
        time.sleep(0.02)
    assert condition(), journal_path.read_text("utf-8")


def test_the_shell_command_gets_message_and_area(tmp_path):
    mail = tmp_path / "mail.txt"
    script = tmp_path / "send mail.py"
    script.write_text(
        "import os, pathlib\n"
        f"path = pathlib.Path({str(mail)!r})\n"
        "path.with_suffix('.part').write_text(os.environ['PACETOMO_AREA'] + ': ' + os.environ['PACETOMO_MESSAGE'])\n"
        "path.with_suffix('.part').replace(path)\n"
    )
    with Journal(tmp_path / "j.jsonl", lambda: 5.0) as journal:
        alarm = Alarm(journal, "lamella 1; echo", f'"{sys.executable}" "{script}"')
        alarm.tell(Overdue("TiltTo", 700.0))
        ended(alarm, journal.path, mail.exists)
        alarm.tell(Overdue("TiltTo", 900.0, is_back=True))
    assert mail.read_text() == "lamella 1; echo: SerialEM's TiltTo has not returned for 11.7 min"
    events = [(line["event"], line["command"], line["seconds"]) for line in lines_of(tmp_path / "j.jsonl")]
    assert events == [("warning", "TiltTo", 700.0), ("answered", "TiltTo", 900.0)]


def test_a_shell_command_that_fails_is_noted_and_hurts_nobody(tmp_path):
    with Journal(tmp_path / "j.jsonl", lambda: 5.0) as journal:
        alarm = Alarm(journal, "area", f'"{sys.executable}" -c "raise SystemExit(3)"')
        alarm.tell(Overdue("TiltTo", 700.0))
        ended(alarm, journal.path, lambda: "exit status 3" in journal.path.read_text("utf-8"))


def test_a_run_marks_its_journal_as_alive(tmp_path):
    clock = Clock()
    with Journal(tmp_path / "j.jsonl", lambda: 5.0) as journal:
        alarm = Alarm(journal, "area", "", clock)
        os.utime(journal.path, (1e9, 1e9))
        alarm.pulse()
        assert journal.path.stat().st_mtime == 1e9
        clock.now_s += PULSE_S
        alarm.pulse()
        assert journal.path.stat().st_mtime > 1e9


def test_a_command_that_hangs_in_a_run_is_in_the_journal_before_anybody_presses_stop(tmp_path):
    """On the simulator, whose clock stands still while it hangs."""
    sessions = []

    def prepare(session):
        sessions.append(session)
        session.inject(FaultPlan((fault_from({"kind": "hang", "command": "TiltTo", "call": 6}),)))
        threading.Thread(target=stop_once_noted, args=(session,), daemon=True).start()

    def stop_once_noted(session):
        path = AreaFiles(next(tmp_path.glob("*_tgts.txt"))).journal(1)
        deadline_s = time.monotonic() + 60
        while time.monotonic() < deadline_s:
            if path.exists() and "TiltTo has not returned" in path.read_text("utf-8"):
                break
            time.sleep(0.05)
        session.press_stop()

    sample = LamellaSpec(pretilt_deg=0.0, rotation_deg=0.0, **FLAT)
    script = {"watchdogFactor": 0.001}
    with pytest.raises(SEMexited):
        acquire_on(tmp_path, sample, targets=3, prepare=prepare, script=script, minTilt=-6, maxTilt=6)
    events = journal_of(AreaFiles(next(tmp_path.glob("*_tgts.txt"))))
    noted = [line for line in events if line.get("command") == "TiltTo" and line["event"] == "warning"]
    assert len(noted) == 1 and events[-1]["event"] == "run_end" and events[-1]["state"] == "stopped"
    assert "pacetomo watchdog" not in [thread.name for thread in threading.enumerate()]
