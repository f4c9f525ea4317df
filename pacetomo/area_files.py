"""Names of the files of an acquisition area in the session folder."""

from __future__ import annotations

import glob
import re
from dataclasses import dataclass
from pathlib import Path

from pacetomo.errors import TargetFileError

_TARGET_FILE = re.compile(r"(?P<root>.+)_tgts(?P<suffix>(_p\d+)?)\.txt", re.IGNORECASE)
_RUN = re.compile(r"_run(\d+)\.txt$", re.IGNORECASE)


@dataclass(frozen=True)
class AreaFiles:
    """Files beside a target file ``ROOT_tgts.txt`` (or ``ROOT_tgts_p01.txt`` for a copied pattern).

    Raises
    ------
    TargetFileError
        When the name does not have this form.
    """

    target_file: Path

    def __post_init__(self) -> None:
        if _TARGET_FILE.fullmatch(self.target_file.name) is None:
            raise TargetFileError(
                f"{self.target_file.name or 'an empty name'}: the name of a target file ends in _tgts.txt, "
                "for example lamella1_tgts.txt"
            )

    @property
    def folder(self) -> Path:
        """The session folder."""
        return self.target_file.parent

    @property
    def root(self) -> str:
        """Name of the area: ``lamella`` for ``lamella_tgts.txt``, ``lamella_p01`` for ``lamella_tgts_p01.txt``."""
        match = _TARGET_FILE.fullmatch(self.target_file.name)
        return "" if match is None else match["root"] + match["suffix"]

    @property
    def is_copy(self) -> bool:
        """Whether the targets are those of another stage position, copied: the name ends in ``_p01`` or so."""
        match = _TARGET_FILE.fullmatch(self.target_file.name)
        return match is not None and bool(match["suffix"])

    def reference(self, target: int) -> Path:
        """Preview reference of a target, as target selection names it."""
        return self.folder / f"{self.root}_tgt_{target:03d}.mrc"

    def runs(self) -> dict[int, Path]:
        """Run files that are there, by their number."""
        found = {}
        for path in self.folder.glob(f"{glob.escape(self.target_file.stem)}_run*.txt"):
            match = _RUN.search(path.name)
            if match is not None:
                found[int(match[1])] = path
        return dict(sorted(found.items()))

    @property
    def latest_run(self) -> int:
        """Number of the latest run that has a journal; 1 if there is none."""
        number = 1
        while self.journal(number + 1).exists():
            number += 1
        return number

    def run_file(self, number: int) -> Path:
        """State of a run, rewritten after each exposure."""
        return self.folder / f"{self.target_file.stem}_run{number:02d}.txt"

    def journal(self, number: int) -> Path:
        """What happened in a run, line by line."""
        return self.run_file(number).with_suffix(".jsonl")

    def memory(self, number: int) -> Path:
        """What the tracking model of a run was told."""
        return self.folder / f"{self.target_file.stem}_run{number:02d}_model.txt"

    def command_log(self, number: int) -> Path:
        """Commands sent to the microscope in a run, for finding out what went wrong."""
        return self.folder / f"{self.target_file.stem}_run{number:02d}_debug.log"

    def settings(self, number: int) -> Path:
        """Settings in force in a run."""
        return self.folder / f"{self.target_file.stem}_run{number:02d}_settings.txt"
