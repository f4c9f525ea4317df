"""Going on with a rehearsal that was interrupted, in its folder, where it stopped."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

from pacetomo.area_files import AreaFiles
from pacetomo.errors import PaceError
from pacetomo.rehearsal_record import FILE, SETTING_UP, STATE, Record, images_taken, read_record
from pacetomo.rehearse import (
    Outcome,
    Rehearsal,
    Watch,
    acquire_once,
    content_of,
    options_of,
    rehearse,
)


def find_record(rehearsal: Rehearsal, given: Collection[str]) -> Record | None:
    """Record of the rehearsal that the folder holds, None if it holds none.

    Parameters
    ----------
    rehearsal : Rehearsal
        What is wanted.
    given : collection of str
        Those of its options that somebody asked for, by their names in the record; the others may differ.

    Raises
    ------
    PaceError
        The record cannot be read, or a given option is another than that which the rehearsal began with.
    """
    record = read_record(rehearsal.out)
    if record is None:
        return None
    wanted = {name: value for name, value in options_of(rehearsal).items() if name in given}
    if wanted.pop("target_file", None) is not None:
        # A target file is what it says: its path may have changed.
        same = replace(_as_recorded(rehearsal.out, record), target_file=rehearsal.target_file)
        wanted["content"] = content_of(same)
    record.check(rehearsal.out, wanted)
    return record


def continue_rehearsal(
    out: Path, record: Record, tell: Callable[[str], None], watch: Watch | None = None
) -> Outcome:
    """Go on with a rehearsal that is not finished.

    The simulated microscope goes on as it was, whatever has been killed, and the script is started again on the same
    item; references and Navigator are not made again. One that was interrupted while it was being set up has no image
    of any target yet and begins anew.

    Parameters
    ----------
    out : Path
        The folder.
    record : Record
        What it says about itself.
    tell : callable
        Takes a sentence about where it goes on.
    watch : callable, optional
        Called now and then with the path of the journal while the script runs.

    Raises
    ------
    PaceError
        When it cannot go on. An acquisition that fails is an `Outcome` with an error.
    KeyboardInterrupt
        When interrupted; the script has been stopped and its files closed by then.
    """
    from mock_serialem.restoring import began_with, go_on
    from mock_serialem.state_file import StateError

    if record.phase == SETTING_UP:
        tell(f"The rehearsal in {out} was interrupted while it was being set up, and begins anew")
        _clear(out.resolve(), record)
        return rehearse(_as_recorded(out, record), watch)
    out = out.resolve()
    files = AreaFiles(out / record.area)
    try:
        began_in = began_with(out / STATE).directory
        if began_in != out:
            raise PaceError(
                f"the rehearsal in {out} began in {began_in}: move the folder back to go on with it"
            )
        session = go_on(out / STATE)
    except StateError as err:
        raise PaceError(f"the rehearsal in {out} cannot go on: {err}") from err
    try:
        tell(
            f"Going on with the rehearsal in {out}: {images_taken(files)} of {record.planned} images were taken"
        )
        return acquire_once(session, files, record, watch)
    finally:
        session.suspend()
        session.world.truth.close()


def _as_recorded(out: Path, record: Record) -> Rehearsal:
    """Rehearsal of the folder with the options that it began with."""
    options = record.options
    return Rehearsal(
        out=out,
        target_file=None if options["target_file"] is None else Path(options["target_file"]),
        sample=options["sample"],
        stage=options["stage"],
        fidelity=options["fidelity"],
        seed=options["seed"],
        targets=options["targets"],
        overrides=tuple(options["set"]),
        truth=None if options["truth"] is None else Path(options["truth"]),
    )


def _clear(out: Path, record: Record) -> None:
    """Remove what an interrupted setting up has made; nothing was acquired that these files belong to."""
    beside = [out / name for made in record.made for name in (made, f"{made}.mdoc")]
    state = [out / f"{STATE}{ending}" for ending in ("", ".part", ".lock")]
    for path in (*beside, *state, Path(record.truth), out / FILE):
        path.unlink(missing_ok=True)
