"""A microscope for windows in tests: it answers slowly, notes what it was asked, and fails where it is told to."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pacetomo.editor.microscope import MeasuredGeometry
from pacetomo.editor.model import Document, Known
from pacetomo.errors import ScopeError
from pacetomo.frames import XY, Matrix2
from pacetomo.scope.facts import Facts
from pacetomo.scope.protocol import Limits


class FakeSide:
    """Saves a line for each thing asked in `asked.txt` of the session folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _note(self, text: str) -> None:
        with (self.folder / "asked.txt").open("a") as stream:
            stream.write(f"{text}\n")

    def known(self) -> Known:
        facts = Facts(Limits(20.0, 65.0), beam_um=1.6, field_um=XY(1.2, 0.85), field_rotation_deg=5.0)
        return Known(facts=facts, stage_to_specimen=Matrix2(-1.0, 0.0, 0.0, -1.0), has_microscope=True)

    def save_views(
        self, document: Document, numbers: Sequence[int], tell: Callable[[int, int], None]
    ) -> Mapping[int, str]:
        self._note(f"views {list(numbers)}")
        names = {}
        for done, number in enumerate(numbers):
            tell(done, len(numbers))
            time.sleep(0.3)
            names[number] = f"new_{number:03d}_view.mrc"
        return names

    def copy_to_acquire(self, document: Document, tell: Callable[[int, int], None]) -> Sequence[Path]:
        raise ScopeError("no Navigator item is marked with Acquire")

    def measure_geometry(self, document: Document, tell: Callable[[int, int], None]) -> MeasuredGeometry:
        self._note(f"geometry at {len(document.targets.geo_points)} points")
        points = tuple((place.x, place.y, 0.1 * place.y) for place in document.point_places_um)
        return MeasuredGeometry("pretilt 5.7° ± 0.3°, rotation 2.0° ± 1.0°", 5.7, 2.0, None, points)
