"""Acquire at Items as a script sets it up for its own end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mock_serialem import maps, shifts
from mock_serialem.acquisition import acquire
from mock_serialem.errors import CommandError
from mock_serialem.storage import save_image

if TYPE_CHECKING:
    from mock_serialem.session import Session

IMAGES, MAPS, SCRIPT, TILT_SERIES, MULTIPLE_RECORDS = range(5)

ScriptRunner = Callable[[int], bool]
"""Runs a script by number at the item in progress; tells whether it ended well."""


@dataclass
class AcquireParams:
    """What to do at each item.

    Attributes
    ----------
    primary : int
        0 images, 1 maps, 2 a script, 3 tilt series, 4 multiple Records.
    script, before, after : int
        Script numbers, 0 for none.
    requested : bool
        A run starts when the present script ends.
    follow_up : int
        Script to run once after the next run, 0 for none.
    """

    primary: int = IMAGES
    script: int = 0
    before: int = 0
    after: int = 0
    requested: bool = False
    follow_up: int = 0


def run(session: Session, run_script: ScriptRunner) -> int:
    """Acquire at all marked items as the parameters say; return how many were done.

    Raises
    ------
    CommandError
        The Navigator is closed, or the primary action is not simulated.
    """
    navigator, params = session.navigator, session.acquire_params
    navigator.require_open()
    params.requested = False
    if params.primary in (TILT_SERIES, MULTIPLE_RECORDS):
        raise CommandError("Acquire at Items with tilt series or multiple Records is not simulated")
    done = 0
    try:
        for item in navigator.begin_acquiring():
            if not navigator.is_due(item):
                continue
            navigator.acquiring = navigator.current = navigator.items.index(item)
            navigator.acquired += 1
            navigator.skip_item = False
            if not navigator.skip_move:
                shifts.move_stage_to(session, *item.stage_um)
            if not _act(session, run_script):
                break
            if navigator.skip_item:
                continue
            item.acquire = False
            done += 1
            if navigator.end_after_item:
                break
    finally:
        navigator.end_acquiring()
    follow_up, params.follow_up = params.follow_up, 0
    if follow_up:
        run_script(follow_up)
    return done


def _act(session: Session, run_script: ScriptRunner) -> bool:
    """Do everything at one item; False ends the run."""
    params, navigator = session.acquire_params, session.navigator
    if params.before:
        navigator.acquire_state = 5
        if not run_script(params.before):
            return False
        if navigator.skip_item:
            return True
    done = _act_on_item(session, run_script)
    # Only a script that runs before can have the item skipped.
    navigator.skip_item = False
    return done


def _act_on_item(session: Session, run_script: ScriptRunner) -> bool:
    params, navigator = session.acquire_params, session.navigator
    navigator.acquire_state = 7 if params.primary == SCRIPT else 0
    if params.primary == SCRIPT:
        if not run_script(params.script):
            return False
    else:
        image = acquire(session, "R")
        save_image(session, image, session.files.current)
        if params.primary == MAPS:
            maps.new_map(session, 0, "")
    if params.after:
        navigator.acquire_state = 5
        return run_script(params.after)
    return True
