"""The command line: a simulated SerialEM that waits for scripts on a port."""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from mock_serialem.answers import Operator, read_operator
from mock_serialem.commands import TABLE, is_simulated
from mock_serialem.errors import CommandError
from mock_serialem.faults import read_faults
from mock_serialem.handlers import register_all
from mock_serialem.protocol import DEFAULT_PORT
from mock_serialem.restoring import began_with, go_on
from mock_serialem.script_window import ScriptWindow
from mock_serialem.server import LOOPBACK, Server, listen
from mock_serialem.session import Session
from mock_serialem.sim.profiles import PROFILES
from mock_serialem.sim.world import FIDELITIES, SAMPLES, make_world
from mock_serialem.state_file import StateError
from mock_serialem.tables import TableError

_SAMPLE, _MICROSCOPE, _SEED, _FIDELITY = "lamella", "krios", 0, "rendered"

LOOK_S = 0.2
"""How often the server looks for Ctrl-C; a plain join would not see it on Windows."""

_EPILOG = """examples:
  python -m mock_serialem --session-dir session
  python -m mock_serialem --sample holey --fidelity kinematic --operator answers.toml --faults faults.toml
  python -m mock_serialem --session-dir session --state session/microscope.state
  python -m mock_serialem --session-dir session --operator answers.toml --run selectTargets.py
  python -m mock_serialem --commands

Ctrl-C presses STOP for a script that is running; with none running, or once more, it ends the simulator.
"""


class _RefusedError(Exception):
    """Something given cannot be used; the text is the sentence for it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 0 when ended by the user, 1 when something given cannot be used, 2 for wrong usage."""
    for stream in (sys.stdout, sys.stderr):
        # The name of a folder may have letters that the console has not.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(arguments)
    try:
        if options.commands:
            return _list_commands()
        return _run_scripts(options) if options.run else _serve(options)
    except _RefusedError as err:
        print(f"mock_serialem: {err}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:  # before the simulator waits for it, or in the middle of what another one began
        return 0
    except BrokenPipeError:  # the reader of our output has gone, as with `| head`
        sys.stderr.close()
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m mock_serialem",
        description="A simulated microscope with SerialEM in front of it, for Python scripts on SerialEM's socket.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--port", type=int, default=DEFAULT_PORT, help="0 takes a free one (default: %(default)s)"
    )
    parser.add_argument("--host", default=LOOPBACK, help="address to listen on (default: %(default)s)")
    parser.add_argument("--sample", choices=sorted(SAMPLES), help=f"default: {_SAMPLE}")
    parser.add_argument("--microscope", choices=sorted(PROFILES), help=f"default: {_MICROSCOPE}")
    parser.add_argument("--seed", type=_natural, help=f"another seed is another sample (default: {_SEED})")
    parser.add_argument(
        "--fidelity",
        choices=FIDELITIES,
        help=f"with images, or with mere patches of the right brightness, which is faster (default: {_FIDELITY})",
    )
    parser.add_argument("--nav", type=Path, metavar="FILE", help="Navigator file to open")
    parser.add_argument(
        "--session-dir",
        type=Path,
        metavar="DIR",
        help="SerialEM's current directory, made if missing (default: the present one)",
    )
    parser.add_argument(
        "--state",
        type=Path,
        metavar="FILE",
        help="keep the session in this file after each command; if it is there, go on with the session in it, whose "
        "sample, microscope, answers and faults are those it began with",
    )
    parser.add_argument(
        "--truth", type=Path, metavar="FILE", help="truth log (default: truth.jsonl in the session directory)"
    )
    parser.add_argument("--operator", type=Path, metavar="FILE", help="answers to questions, in TOML form")
    parser.add_argument("--faults", type=Path, metavar="FILE", help="what is to go wrong, in TOML form")
    parser.add_argument(
        "--run",
        type=Path,
        action="append",
        metavar="SCRIPT",
        help="do not serve: run this script as SerialEM's script window does, print the log, and end; several are run "
        "one after the other, until one fails",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--item", metavar="LABEL", help="with --run: Navigator item to select (default: the last one)"
    )
    where.add_argument(
        "--at-items",
        action="store_true",
        help="with --run: at each item set to Acquire, as Acquire at Items does",
    )
    parser.add_argument(
        "--clock",
        choices=("simulated", "real"),
        default="simulated",
        help="never wait, or take the time that a real column takes (default: %(default)s)",
    )
    parser.add_argument(
        "--commands", action="store_true", help="list which commands are simulated and which are not, and end"
    )
    return parser


def _natural(text: str) -> int:
    try:
        number = int(text)
    except ValueError as err:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from err
    if number < 0:
        raise argparse.ArgumentTypeError(f"{number} is below 0")
    return number


def _list_commands() -> int:
    register_all()
    counts = {True: 0, False: 0}
    for name, info in sorted(TABLE.items(), key=lambda row: row[0].lower()):
        simulated = is_simulated(name)
        counts[simulated] += 1
        same = f"  (same as {info.same_as})" if info.same_as else ""
        print(f"{'simulated' if simulated else 'not simulated':<14}{name}{same}")
    print(f"{counts[True]} of {len(TABLE)} commands are simulated, {counts[False]} are not.")
    return 0


# --- running scripts


def _run_scripts(options: argparse.Namespace) -> int:
    """Run scripts without a server; 1 when one of them fails."""
    for script in options.run:
        if not script.is_file():
            raise _RefusedError(f"there is no script {script}")
    session = _session(options)
    try:
        navigator = session.navigator
        if not navigator.is_open:
            navigator.open_empty()
        if options.item is not None:
            places = [place for place, item in enumerate(navigator.items) if item.label == options.item]
            if not places:
                raise _RefusedError(f"the Navigator has no item with label {options.item!r}")
            navigator.current = places[0]
        window = ScriptWindow(session)
        for script in options.run:
            results = window.acquire_at_items(script) if options.at_items else [window.run(script)]
            for result in results:
                for line in result.log:
                    _say(line)
                if not result.ok:
                    raise _RefusedError(f"{script.name} failed: {result.error}")
    finally:
        session.close()
        session.world.truth.close()
    return 0


# --- serving


def _say(line: str) -> None:
    try:
        # In one piece: lines come from several threads. There may be no standard output at all, and print knows that.
        print(f"{line}\n", end="", flush=True)
    except OSError:
        # Nobody reads any more; the scripts are served all the same.
        return


def _serve(options: argparse.Namespace) -> int:
    if not 0 <= options.port <= 65535:
        raise _RefusedError(f"port {options.port} does not exist, they go from 0 to 65535")
    try:
        listener = listen(options.host, options.port)
    except OSError as err:
        raise _RefusedError(f"cannot listen on {options.host} port {options.port}: {_reason(err)}") from err
    with listener:
        # Only now: making a session touches the files of another simulator in the same folder and on the same port.
        session = _session(options)
        _run(Server(session, report=_say, listener=listener), session, options.host)
    _say("SerialEM simulator ended")
    return 0


def _run(server: Server, session: Session, host: str) -> None:
    # A shell that starts the simulator in the background has it ignore Ctrl-C otherwise.
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, _terminate)
    _say(f"SerialEM simulator on {host} port {server.port}, session directory {session.directory}")
    try:
        _wait_for_end(server, session)
    finally:
        session.press_stop()
        server.close()
        session.close()
        session.world.truth.close()


def _terminate(number: int, frame: object) -> None:
    raise SystemExit(0)


def _wait_for_end(server: Server, session: Session) -> None:
    """Wait for the Ctrl-C that ends the simulator; one that finds a script running presses STOP."""
    while True:
        try:
            while True:
                server.wait(LOOK_S)
        except KeyboardInterrupt:
            if not server.busy or session.stop_pressed:
                return
            _say("STOP pressed; Ctrl-C once more ends the simulator")
            session.press_stop()


def _session(options: argparse.Namespace) -> Session:
    """Session of the options, a new one or one to go on with; `_RefusedError` for what cannot be used."""
    try:
        if options.state is not None and options.state.exists():
            session = _go_on(options)
        else:
            session = _make_session(options)
            if options.state is not None:
                session.keep_state(options.state.absolute())
    except StateError as err:
        raise _RefusedError(str(err)) from err
    if options.clock == "real":
        session.run_in_real_time()
    return session


def _go_on(options: argparse.Namespace) -> Session:
    """Session of the state file, if no option says that another one is meant."""
    path = options.state.absolute()
    began = began_with(path)
    names = {spec: name for name, spec in SAMPLES.items()}
    pair = (began.config.stage, began.config.microscope)
    known = {
        "sample": names[type(began.config.sample)],
        "microscope": next(name for name, profiles in PROFILES.items() if profiles == pair),
        "seed": began.config.seed,
        "fidelity": began.config.fidelity,
        "session_dir": began.directory,
        "truth": began.truth,
    }
    for option, value in known.items():
        given = getattr(options, option)
        if isinstance(given, Path):
            given = Path(os.path.abspath(given))
        if given is not None and given != value:
            raise _RefusedError(
                f"the session in {options.state} began with --{option.replace('_', '-')} {value}, not {given}; "
                "another session needs another state file"
            )
    session = go_on(path)
    _say(f"the session in {options.state} goes on after {session.world.exposures} exposures")
    return session


def _make_session(options: argparse.Namespace) -> Session:
    """Session that begins; `_RefusedError` with a sentence for what cannot be used."""
    folder = Path() if options.session_dir is None else options.session_dir
    try:
        operator = read_operator(options.operator) if options.operator else Operator()
        plan = read_faults(options.faults) if options.faults else None
    except TableError as err:
        raise _RefusedError(str(err)) from err
    if options.nav and not options.nav.is_file():
        raise _RefusedError(f"there is no Navigator file {options.nav}")
    truth = options.truth or folder / "truth.jsonl"
    if folder.exists() and not folder.is_dir():
        raise _RefusedError(f"{folder} is not a folder")
    if truth.exists() and not truth.is_file():
        # The log that was there before gets another name, which is not for folders and devices.
        raise _RefusedError(f"{truth} is not a file that a truth log could take the place of")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        world = make_world(
            options.sample or _SAMPLE,
            options.microscope or _MICROSCOPE,
            _SEED if options.seed is None else options.seed,
            options.fidelity or _FIDELITY,
            Path(os.path.abspath(truth)),
        )
        session = Session(world, folder, operator=operator)
    except OSError as err:
        raise _RefusedError(f"{err.filename or folder} cannot be used: {_reason(err)}") from err
    if options.nav:
        try:
            session.navigator.load(options.nav.absolute())
        except CommandError as err:
            raise _RefusedError(err.message) from err
    if plan is not None:
        session.inject(plan)
    return session


def _reason(err: OSError) -> str:
    return err.strerror or str(err)
