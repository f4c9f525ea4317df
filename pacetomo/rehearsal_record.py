"""What a rehearsal writes into its folder about itself, so that an interrupted one can be gone on with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pacetomo.area_files import AreaFiles
from pacetomo.errors import PaceError
from pacetomo.files.atomic import read_bytes, write_text_atomically
from pacetomo.report.records import read_journal

FILE, STATE = "rehearsal.json", "microscope.state"
"""Names in the session folder: the record, and the state of the simulated microscope."""

FORMAT = 1

SETTING_UP, ACQUIRING, FINISHED = "setting up", "acquiring", "finished"


@dataclass(frozen=True)
class Record:
    """A rehearsal in its folder.

    Attributes
    ----------
    options : mapping
        What it began with, by the names of the command's options.
    area : str
        Name of the target file in the folder.
    planned : int
        Images of the whole plan.
    made : tuple of str
        Files that setting up makes, but for the truth log.
    truth : str
        Path of the truth log.
    phase : str
        `SETTING_UP`, `ACQUIRING` or `FINISHED`; one that was interrupted stays at what it was doing.
    script : str
        How the script ended last: empty while it runs or after it has ended well, else what went wrong.
    before : mapping
        Seconds by activity that setting up took.
    """

    options: Mapping[str, Any]
    area: str
    planned: int
    made: tuple[str, ...]
    truth: str
    phase: str = SETTING_UP
    script: str = ""
    before: Mapping[str, float] | None = None

    def write(self, out: Path) -> None:
        """Write it into the folder; raises PaceError."""
        text = json.dumps({"format": FORMAT, **asdict(self)}, indent=1)
        write_text_atomically(out / FILE, text + "\n")

    def moved_on(self, out: Path, **changes: Any) -> Record:
        """Return the record with what has changed, written; raises PaceError."""
        new = replace(self, **changes)
        new.write(out)
        return new

    def check(self, out: Path, wanted: Mapping[str, Any]) -> None:
        """See that options are those of the rehearsal in the folder.

        Raises
        ------
        PaceError
            One of them is another.
        """
        for name, value in wanted.items():
            had = self.options.get(name)
            if had == value:
                continue
            if name == "content":
                what = "with another target file, or one that has been changed"
            else:
                what = f"{_shown(name, had)}, not {_shown(name, value)}"
            raise PaceError(
                f"{out} holds a rehearsal that began {what}: leave these options out to go on with it, or choose a "
                "new folder with --out"
            )


def _shown(name: str, value: Any) -> str:
    if value is None or value == []:
        return f"without --{name}"
    return f"with --{name} {' '.join(value) if isinstance(value, list) else value}"


def read_record(out: Path) -> Record | None:
    """Record of a folder, None where there is none.

    Raises
    ------
    PaceError
        There is one that cannot be read.
    """
    path = out / FILE
    if not path.is_file():
        return None
    try:
        values = json.loads(read_bytes(path))
        if values.pop("format") != FORMAT:
            raise PaceError(f"{path} is of another version of pacetomo: choose a new folder with --out")
        values["made"] = tuple(values["made"])
        return Record(**values)
    except (ValueError, TypeError, KeyError, AttributeError) as err:
        raise PaceError(f"{path} cannot be understood ({err}): choose a new folder with --out") from err


def images_taken(files: AreaFiles) -> int:
    """How many different images of the plan the journals of an area have, however many runs it took."""
    numbers: set[int] = set()
    for journal in files.folder.glob(f"{files.target_file.stem}_run*.jsonl"):
        numbers.update(image.number for image in read_journal(journal).images)
    return len(numbers)
