"""An area whose targets are being chosen: what is written of it as it grows, and at its end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pacetomo.area_files import AreaFiles
from pacetomo.files.atomic import patiently, write_text_atomically
from pacetomo.files.target_file import format_targets
from pacetomo.frames import XY
from pacetomo.number_text import format_float
from pacetomo.scope.desk import Desk, Place
from pacetomo.scope.protocol import Level
from pacetomo.selection.bench import Chosen
from pacetomo.selection.names import label
from pacetomo.targets import Target, TargetSet

LEVEL_DEG = 0.5
"""Stage tilt up to which targets count as picked at 0."""

SAME_UM = 0.001
"""Navigator items of one label nearer than this are the same."""

UM_DIGITS = 4
"""Decimals of coordinates: 0.1 nm."""


class Draft:
    """Targets of an area, kept on disk as they are chosen.

    The target file holds from the first target on what has been chosen, so that neither STOP nor a crash loses a
    Preview for which a target was exposed. Only `finish` makes it an area to be acquired.

    Parameters
    ----------
    desk : Desk
    files : AreaFiles
        Names; none of the files is there yet.
    tilt_deg : float
        Stage tilt at which the targets are chosen.
    """

    def __init__(self, desk: Desk, files: AreaFiles, tilt_deg: float) -> None:
        self._desk = desk
        self.files = files
        self._tilt_deg = tilt_deg
        self.chosen: list[Chosen] = []
        self.view: str | None = None
        self.overrides: dict[str, str] = {}
        self._made: list[Place] = []

    @property
    def next_number(self) -> int:
        """Number of the target to be chosen next."""
        return len(self.chosen) + 1

    def reference(self, number: int) -> str:
        """File name of a target's Preview."""
        return self.files.reference(number).name

    def view_name(self, number: int) -> str:
        """File name of a target's View image."""
        return f"{self.files.root}_tgt_{number:03d}_view.mrc"

    def choices_name(self, number: int) -> str:
        """File name of the Previews of which a target's is chosen."""
        return f"{self.files.root}_tgt_{number:03d}_choices.mrc"

    def label(self, number: int, kind: str = "tgt") -> str:
        """Label of a target's Navigator item."""
        return label(self.files.root, number, kind)

    def note_item(self, place: int) -> None:
        """Remember a Navigator item that was made for this area."""
        self._made.append(self._desk.place(place))

    def add(self, chosen: Chosen) -> None:
        """Take a target in and write all down."""
        self.chosen.append(chosen)
        if chosen.place is not None:
            self.note_item(chosen.place)
        self.write()

    def add_all(self, chosen: Iterable[Chosen], overrides: Mapping[str, str]) -> None:
        """Take many targets in at once, with what the file says of them together."""
        self.chosen.extend(chosen)
        self.overrides.update(overrides)
        self.write()

    def targets(self) -> TargetSet:
        """The targets as their file has them."""
        if not self.chosen:
            return TargetSet(())
        first = self.chosen[0].shift_um
        targets = tuple(
            Target(
                number,
                f"{self.files.root}_ts_{number:03d}.mrc",
                reference=one.reference,
                view=self.view if number == 1 else None,
                shift_um=rounded(one.shift_um.minus(first)),
                stage_um=rounded(one.stage_um),
            )
            for number, one in enumerate(self.chosen, 1)
        )
        found = TargetSet(targets)
        if abs(self._tilt_deg) > LEVEL_DEG:
            found = found.with_override("tiltTargets", format_float(round(self._tilt_deg, 2)))
        for name, value in self.overrides.items():
            found = found.with_override(name, value)
        return found

    def write(self) -> None:
        """Write the target file."""
        write_text_atomically(self.files.target_file, format_targets(self.targets()), self._desk.wait)

    def discard(self) -> None:
        """Take back what was written and added to the Navigator; images stay, as they were exposed."""
        places = self._desk.places()
        found = [_same_item(places, made) for made in self._made]
        self._desk.remove_places([place for place in found if place is not None])
        self._made.clear()
        patiently(lambda: self.files.target_file.unlink(missing_ok=True), self._desk.wait)

    def finish(self) -> None:
        """Make it an area to be acquired: its tracking target's item gets the file's name and the mark."""
        own = [made for made in self._made if made.place == self.chosen[0].place]
        place = _same_item(self._desk.places(), own[0]) if own else None
        if place is None:
            first = self.chosen[0]
            place = self._desk.add_point(first.stage_um, self._desk.stage_um()[2])
            self._desk.set_label(place, self.label(1))
            self.note_item(place)
        self._desk.set_note(place, self.files.target_file.name)
        self._desk.set_acquire(place, True)
        self._desk.save_navigator()
        count = len(self.chosen)
        self._desk.tell(
            f"{self.files.target_file.name}: {count} {'target' if count == 1 else 'targets'}; item "
            f"{self._desk.place(place).label} of the Navigator is set to Acquire",
            Level.GOOD,
        )


def _same_item(places: Sequence[Place], made: Place) -> int | None:
    """Where in the table an item is now: a person may have added and removed others; None if it is gone."""
    same = [
        place.place
        for place in places
        if (place.label, place.kind) == (made.label, made.kind)
        and place.stage_um.minus(made.stage_um).length < SAME_UM
    ]
    return same[-1] if same else None


def rounded(place: XY) -> XY:
    """A place as it is written: to 0.1 nm."""
    # A step off the axis of -0.0 would be written as such.
    return XY(round(place.x, UM_DIGITS) + 0.0, round(place.y, UM_DIGITS) + 0.0)


def target_file_of(folder: Path, root: str) -> AreaFiles:
    """Names of the files of a new area."""
    return AreaFiles(folder / f"{root}_tgts.txt")
