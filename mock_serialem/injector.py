"""Makes faults happen: watches commands, exposures and measurements, and lets them go wrong as planned."""

from __future__ import annotations

import errno
import math
import os
import random
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any

from mock_serialem.commands import Value
from mock_serialem.errors import USER_STOP, CommandError, ScriptKilled, SEMexited
from mock_serialem.faults import (
    ALIGNMENT,
    AUTOFOCUS,
    COMMAND,
    CTF,
    EXPOSURE,
    TILT,
    Fault,
    FaultPlan,
    described,
)
from mock_serialem.file_faults import touched
from mock_serialem.sim.mishaps import Mishaps
from mock_serialem.sim.shot import AutofocusResult, CtfFit, ShiftMeasurement

if TYPE_CHECKING:
    from mock_serialem.session import Session

NONSENSE_UM = 15.0
"""Largest defocus that a nonsensical autofocus claims."""


@dataclass
class _Pending:
    """A fault of the plan: its number from 1, and what became of it.

    Attributes
    ----------
    count : int
        Occasions so far.
    struck : int
        How often it came true.
    armed : int
        How often it came true and still waits for the place where it has its effect.
    after : str
        Site at whose end it happens; empty if none.
    """

    number: int
    fault: Fault
    count: int = 0
    struck: int = 0
    armed: int = 0
    after: str = ""


@dataclass(frozen=True)
class _State:
    """A fault that lasts."""

    pending: _Pending
    until_s: float


class Injector(Mishaps):
    """Carries out a plan of faults on a session and its world.

    Parameters
    ----------
    session : Session
    plan : FaultPlan
    """

    def __init__(self, session: Session, plan: FaultPlan) -> None:
        self._session = session
        self._random = random.Random(plan.seed)
        self._pending = [_Pending(number, fault) for number, fault in enumerate(plan.faults, start=1)]
        self._states: list[_State] = []
        self._full_current = session.column.beam_current
        self._command = ""
        self._exposure = 0
        self._short_deg = 0.0
        self._script_is_dead = False
        self._was_process = False
        session.world.mishaps = self

    # --- at commands

    def before_command(self, name: str, args: Sequence[Value]) -> None:
        """Let go wrong what is due as a command begins.

        Raises
        ------
        CommandError
            The command fails.
        SEMexited
            It hung and STOP was pressed, or STOP is the fault.
        ScriptKilled
            The script's process dies, and is this one.
        """
        self._command = name
        self._short_deg = 0.0
        self._script_is_dead = False
        self._end_states()
        self._begin(COMMAND)
        self._refuse(name, args)

    def after_command(self) -> None:
        """Let go wrong what is due as a command has done its work; raises as `before_command` does."""
        if self._script_is_dead:
            self._bury()
        self._end(COMMAND)

    # --- at the world's turns

    def before_exposure(self, number: int) -> float:
        """See `Mishaps`; raises as `before_command` does."""
        self._exposure = number
        self._end_states()
        self._begin(EXPOSURE)
        if self._take(EXPOSURE) is not None:
            return 0.0
        return self._beam() if self._session.column.valves_open else 0.0

    def after_exposure(self, number: int) -> None:
        """See `Mishaps`; raises as `before_command` does.

        A script that dies here has given its command: the microscope carries it out, and the image comes into A.
        """
        self._end(EXPOSURE)

    def tilt_reached(self, from_deg: float, to_deg: float) -> float:
        """Stop short, in this and all further moves of the same command, such as those that remove backlash."""
        fault = self._take(TILT)
        if fault is not None:
            self._short_deg = fault.short_deg
        if not self._short_deg:
            return to_deg
        way = to_deg - from_deg
        return to_deg - math.copysign(min(self._short_deg, abs(way)), way)

    def shift(self, found: ShiftMeasurement) -> ShiftMeasurement:
        """Find nothing, or the wrong peak."""
        fault = self._take(ALIGNMENT)
        if fault is None:
            return found
        if fault.lost:
            return ShiftMeasurement(None, None, 0.0)
        x, y = found.shift_um or (0.0, 0.0)
        return ShiftMeasurement(x + fault.shift_um[0], y + fault.shift_um[1], found.peak)

    def autofocus(self, found: AutofocusResult) -> AutofocusResult:
        """Return nonsense that claims to be good."""
        fault = self._take(AUTOFOCUS)
        if fault is None:
            return found
        drawn = self._random.uniform(-NONSENSE_UM, NONSENSE_UM)
        return AutofocusResult(drawn if fault.defocus_um is None else fault.defocus_um, 0)

    def ctf(self, found: CtfFit | None) -> CtfFit | None:
        """Fit nothing."""
        return found if self._take(CTF) is None else None

    # --- when

    def _begin(self, site: str) -> None:
        """Go through the plan as a command or an exposure begins."""
        for pending in self._pending:
            if pending.after == site:
                # The command or exposure that it waited for has failed by itself.
                pending.after = ""
            if pending.fault.site == EXPOSURE == site or not self._due(pending, site):
                continue
            if pending.fault.when == "after":
                pending.after = site
            elif pending.fault.site == COMMAND:
                self._strike(pending)
            else:
                pending.armed += 1

    def _end(self, site: str) -> None:
        for pending in self._pending:
            if pending.after == site:
                pending.after = ""
                if pending.fault.kind == "kill" and site == EXPOSURE:
                    self._kill_process(pending)
                else:
                    self._strike(pending)

    def _take(self, site: str) -> Fault | None:
        """Fault that has its effect at a site now, noted in the truth log."""
        for pending in self._pending:
            if pending.fault.site != site:
                continue
            if pending.armed:
                pending.armed -= 1
            elif not self._due(pending, site):
                continue
            self._note(pending)
            return pending.fault
        return None

    def _due(self, pending: _Pending, site: str) -> bool:
        """Decide about one occasion, and count it."""
        fault = pending.fault
        if fault.times and pending.struck >= fault.times:
            return False
        if fault.at_s is not None:
            due = self._session.world.clock_s >= fault.at_s
        elif fault.exposure:
            due = site == EXPOSURE and self._exposure >= fault.exposure
        else:
            meant = (
                site == COMMAND and self._command in fault.commands if fault.commands else site == fault.site
            )
            pending.count += meant
            due = meant and pending.count >= fault.call
        if due and fault.probability is not None:
            due = self._random.random() < fault.probability
        pending.struck += due
        return due

    # --- what

    def _strike(self, pending: _Pending) -> None:
        fault, session = pending.fault, self._session
        if fault.kind == "kill":
            self._kill(pending)
        self._note(pending)
        if fault.kind == "error":
            raise CommandError(fault.text)
        if fault.kind == "hang":
            session.hang()
        if fault.kind == "stop":
            session.press_stop()
            raise SEMexited(USER_STOP)
        if fault.kind == "stage_jump":
            x, y, z = fault.shift_um
            session.world.stage.jump((x, y, z))
            return
        self._start_state(pending)

    def _kill(self, pending: _Pending) -> None:
        """End the script, and the command that it has given."""
        self._kill_process(pending)
        self._bury()

    def _kill_process(self, pending: _Pending) -> None:
        self._note(pending, "killed")
        self._script_is_dead = True
        end_process = self._session.end_process
        # Asked once only: whoever waits for the process takes this away as soon as it is dead.
        self._was_process = end_process is not None
        if end_process is not None:
            self._session.log.add(f"Script killed: {end_process()}")

    def _bury(self) -> None:
        """Give no answer to a dead script; where it runs in this process, `ScriptKilled` stands for its death."""
        self._script_is_dead = False
        if not self._was_process:
            raise ScriptKilled
        self._session.hang()

    def _start_state(self, pending: _Pending) -> None:
        fault, session = pending.fault, self._session
        begin_s = session.world.clock_s if fault.at_s is None else fault.at_s
        until_s = begin_s + fault.seconds
        if fault.kind == "dewar_filling":
            session.column.dewar_extra_until_s = max(session.column.dewar_extra_until_s, until_s)
            return
        self._states.append(_State(pending, until_s))
        if fault.kind == "valves_close":
            session.column.valves_open = False
        session.column.beam_current = self._full_current * self._beam()

    def _end_states(self) -> None:
        now_s = self._session.world.clock_s
        over = [state for state in self._states if now_s >= state.until_s]
        if not over:
            return
        self._states = [state for state in self._states if state not in over]
        self._session.column.beam_current = self._full_current * self._beam()
        for state in over:
            self._note(state.pending, "recovered")

    def _beam(self) -> float:
        factors = [s.pending.fault.factor for s in self._states if s.pending.fault.kind == "beam_current"]
        return math.prod(factors)

    def _refuse(self, name: str, args: Sequence[Value]) -> None:
        """Refuse a command that a lasting fault makes impossible (CommandError)."""
        for state in self._states:
            fault = state.pending.fault
            if fault.kind == "valves_close" and name == "SetColumnOrGunValve" and args[0]:
                raise CommandError("The column valves cannot be opened, the pressure is too high")
            if fault.kind not in ("file_locked", "disk_full"):
                continue
            files = touched(self._session, name, args)
            if files is None or (fault.kind == "disk_full" and not files.writes):
                continue
            for path in files.paths:
                if fnmatch(path.name, fault.file):
                    self._note(state.pending, "refused", file=path.name)
                    code = errno.EACCES if fault.kind == "file_locked" else errno.ENOSPC
                    raise CommandError(f"Cannot {name} {path}: [Errno {code}] {os.strerror(code)}")

    def _note(self, pending: _Pending, event: str = "fault", **more: Any) -> None:
        fault = pending.fault
        self._session.world.truth.write(
            event,
            t_s=round(self._session.world.clock_s, 3),
            fault=fault.kind,
            number=pending.number,
            command=self._command,
            exposure=self._exposure,
            **{**described(fault), **more},
        )
