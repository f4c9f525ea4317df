"""Running one command: STOP, simulated or not, errors with their message boxes, reported values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Optional

from mock_serialem.commands import REGISTRY, TABLE, CommandInfo, Registered, Value, fill_defaults
from mock_serialem.errors import CommandError, ScriptExit, SEMerror, UnansweredError
from mock_serialem.handlers import register_all
from mock_serialem.sim.clock import TooLongError

if TYPE_CHECKING:
    from mock_serialem.session import Session

NO_MESSAGE = "No message from command error"
"""Text of an error whose message was shown in a box."""

_NO_NUMBER = 1e30

_KEEP_REPORTED = ("GetVariable", "IsVariableDefined")
"""Commands that look at the values reported by the one before, which every other command clears as it begins."""

register_all()

Values = Optional[tuple[Value, ...]]


def execute(session: Session, name: str, args: Sequence[Value]) -> Values:
    """Run a command whose arguments have been checked.

    Returns
    -------
    tuple of float or str, or None
        The reported values.

    Raises
    ------
    SEMerror
        The command failed, or is not simulated.
    SEMexited
        STOP was pressed.
    ScriptExit
        The command was ``Exit``.
    """
    with session.lock:
        session.check_stop()
        if not session.script.running:
            session.begin_script()
        info = TABLE[name]
        if info.canonical not in _KEEP_REPORTED:
            session.script.reported = ()
        registered = REGISTRY.get(info.canonical)
        if registered is None:
            raise SEMerror(f"{info.canonical} is a command of SerialEM that is not simulated")
        if session.real_clock is not None:
            session.real_clock.catch_up()
        with session.keeping(info.canonical, args):
            return _run(session, info, registered, args)


def _run(session: Session, info: CommandInfo, registered: Registered, args: Sequence[Value]) -> Values:
    """Run a command that is simulated; raises as `execute` does."""
    clock, faults = session.world.clock_s, session.faults
    try:
        _check_numbers(args)
        if faults is not None:
            faults.before_command(info.canonical, args)
        result = registered.handler(session, *fill_defaults(registered, info.letters, args))
        if faults is not None:
            faults.after_command()
    except UnansweredError as err:
        session.script.error = f"{info.canonical}: {err.message}"
        session.log.add(session.script.error, color=(7,))
        raise SEMerror(session.script.error) from err
    except CommandError as err:
        raise SEMerror(_failure_text(session, info.canonical, err.message)) from err
    except TooLongError as err:
        raise SEMerror(_failure_text(session, info.canonical, str(err))) from err
    except ScriptExit as end:
        session.script.exit_code = end.code
        raise
    finally:
        # A routine books its own time; a command that did nothing with the column costs its answer time.
        if session.world.clock_s == clock:
            session.spend(session.scope.command_s, "script")
    return _reported(session, info.canonical, result)


def _check_numbers(args: Sequence[Value]) -> None:
    """Refuse what would make the state of the column meaningless, such as the result of a division by zero."""
    for arg in args:
        if not isinstance(arg, str) and not abs(arg) < _NO_NUMBER:
            raise CommandError(f"{arg} is not a number that can be used")


def _reported(session: Session, name: str, result: object) -> Values:
    values: Values
    if result is None:
        values = None
    elif isinstance(result, tuple):
        values = result
    else:
        values = (result,)  # type: ignore[assignment]
    script = session.script
    if name not in _KEEP_REPORTED:
        script.reported = values or ()
    if values is not None and session.options.log_reports and name.startswith("Report"):
        if not script.suppress_reports:
            shown = ", ".join(v if isinstance(v, str) else f"{v:.6g}" for v in values)
            session.log.add(f"{name}: {shown}")
    return values


def _failure_text(session: Session, name: str, message: str) -> str:
    script = session.script
    script.error = f"{name}: {message}"
    if script.boxes_suppressed:
        if not any(script.silent_levels):
            session.log.add(f"{name}: {message}", color=(7,))
        return f"\nSCRIPT ERROR WITH THIS MESSAGE:\n{message}\n{'*' * 40}"
    session.show_box(message)
    if script.errors_to_log:
        session.log.add(f"{name}: {message}", color=(7,))
    return NO_MESSAGE
