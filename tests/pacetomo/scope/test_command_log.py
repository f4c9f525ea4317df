import pytest

from mock_serialem.module import make_module
from mock_serialem.session import Session
from mock_serialem.sim.world import make_world
from pacetomo.errors import ScopeError
from pacetomo.scope.command_log import CommandLog
from pacetomo.scope.serialem_scope import SerialEMScope


@pytest.fixture
def session(tmp_path):
    return Session(make_world("lamella", "ideal", fidelity="kinematic"), tmp_path)


@pytest.fixture
def scope(session):
    scope = SerialEMScope(make_module(session))
    scope.switch_off_message_boxes()
    return scope


def test_commands_answers_and_failures_are_logged_at_once(scope, tmp_path):
    path = tmp_path / "debug.log"
    scope.tilt_to(1.0)
    scope.log_commands(path)
    scope.tilt_to(3.0)
    with pytest.raises(ScopeError):
        scope.tilt_to(89.0)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [line.split(" ", 2)[2].split(" [")[0] for line in lines[:2]] == [
        "TiltTo(3.0) -> None",
        "ReportTiltAngle() -> 3.0",
    ]
    assert "TiltTo(89.0) -> SEMerror" in lines[2] and "beyond" in lines[2]
    scope.log_commands(None)
    scope.tilt_to(0.0)
    assert len(path.read_text(encoding="utf-8").splitlines()) == 3


def test_stop_passes_and_leaves_its_line(scope, session, tmp_path):
    scope.log_commands(tmp_path / "debug.log")
    exited = make_module(session).SEMexited
    session.begin_script()
    session.press_stop()
    with pytest.raises(exited):
        scope.tilt_deg()
    scope.log_commands(None)
    assert "ReportTiltAngle() -> 'no answer'" in (tmp_path / "debug.log").read_text(encoding="utf-8")


def test_a_command_that_never_returns_is_the_last_word(tmp_path):
    log = CommandLog(tmp_path / "debug.log")
    log.sent("Record", ())
    assert (tmp_path / "debug.log").read_text(encoding="utf-8").endswith(" Record()")
    log.close()


def test_a_log_that_cannot_be_opened_ends_nothing(scope, session, tmp_path):
    scope.log_commands(tmp_path / "no such folder" / "debug.log")
    assert scope.tilt_to(2.0) == 2.0
    assert len([line for line in session.log_lines if "no longer logged" in line]) == 1


def test_a_disk_that_fills_up_ends_nothing(scope, session, tmp_path, monkeypatch):
    def full(self, text):
        raise OSError(28, "No space left on device")

    scope.log_commands(tmp_path / "debug.log")
    scope.tilt_to(1.0)

    class Full:
        write = full
        close = lambda self: None  # noqa: E731

    monkeypatch.setattr(scope._command_log, "_file", Full())
    assert scope.tilt_to(2.0) == 2.0 and scope.tilt_to(3.0) == 3.0
    assert len([line for line in session.log_lines if "No space left" in line]) == 1


def test_a_long_answer_is_cut(tmp_path):
    log = CommandLog(tmp_path / "debug.log")
    log.sent("GetVariable", ("x",))
    log.answered("a" * 5000)
    log.close()
    text = (tmp_path / "debug.log").read_text(encoding="utf-8")
    assert len(text) < 600 and "(5002 characters)" in text
