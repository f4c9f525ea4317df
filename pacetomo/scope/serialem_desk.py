"""Dialogs, the Navigator and images to choose targets on, through SerialEM."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pacetomo.errors import ScopeError
from pacetomo.frames import XY
from pacetomo.scope.desk import Desk, Optics, Place
from pacetomo.scope.protocol import Area
from pacetomo.scope.serialem_base import plain_text
from pacetomo.scope.serialem_camera import PRESENT_BUFFER
from pacetomo.scope.serialem_imaging import LETTERS
from pacetomo.scope.serialem_scope import SerialEMScope, connect_as

LONGEST_LABEL = 16
MOST_BUTTONS = 3
KEY_PAUSE_S = 0.1
"""Between two looks for a key: SerialEM notes one that is pressed in between."""

NAVIGATOR_NAME = "pacetomo.nav"
"""What a Navigator table without a file is saved as."""

_KEEPING = "FGHIJKLMN"
"""Buffers beyond those that roll, and before those that references are kept in."""

_CLOSED = "the Navigator is not open: open it first"
_ANSWER, _HEADER, _LABELS = "paceAnswer", "paceHeader", "paceLabels"
_CHOICES = ("paceChoice1", "paceChoice2", "paceChoice3")
_XS, _YS = "paceXs", "paceYs"


def connect_desk() -> SerialEMDesk:
    """SerialEM as seen from a script that a person has started.

    Raises
    ------
    ScopeError
        When the script was not started by SerialEM.
    """
    return connect_as(SerialEMDesk)


class SerialEMDesk(SerialEMScope, Desk):
    """`Desk` on the functions of a `serialem` module (the real one or a simulated one)."""

    def is_dummy(self) -> bool:
        return bool(self._do("asking for the kind of instance", "ReportProperty", "DummyInstance"))

    # dialogs

    def show(self, text: str) -> None:
        if self._is_batch():
            self.tell(text)
        else:
            self._do("showing a message", "OKBox", plain_text(text))

    def enter_text(self, prompt: str) -> str | None:
        if self._is_batch():
            return None
        try:
            self._do("asking the operator", "EnterString", _ANSWER, plain_text(prompt))
        except ScopeError:
            # Cancel makes the command fail: that is the answer, not a fault.
            return None
        return str(self._do("reading the answer", "GetVariable", _ANSWER)).strip()

    def enter_number(self, prompt: str, default: float, decimals: int = 2) -> float | None:
        if self._is_batch():
            return None
        try:
            return float(
                self._do(
                    "asking the operator",
                    "EnterDefaultedNumber",
                    float(default),
                    decimals,
                    plain_text(prompt),
                )
            )
        except ScopeError:
            # Cancel makes the command fail: that is the answer, not a fault.
            return None

    def choose(self, header: str, choices: Sequence[str]) -> int | None:
        if not 2 <= len(choices) <= MOST_BUTTONS:
            raise ValueError(f"{len(choices)} choices: two or three buttons are there")
        if self._is_batch():
            return None
        names = _CHOICES[: len(choices)]
        for name, text in zip(names, choices):
            self._do("preparing a question", "SetVariable", name, plain_text(text))
        self._do("preparing a question", "SetVariable", _HEADER, plain_text(header))
        self._do("preparing a question", "SetVariable", _LABELS, "\n".join(map(plain_text, choices)))
        return int(self._do("asking the operator", "ThreeChoiceBox", _HEADER, *names, _LABELS)) - 1

    def wait_for_key(self, keys: str) -> str:
        while True:
            for key in keys:
                if self._do("looking for a key", "KeyBreak", key):
                    return key
            self.wait(KEY_PAUSE_S)

    def _is_batch(self) -> bool:
        return bool(self._do("asking for Acquire at Items", "ReportIfNavAcquiring")[0])

    # navigator

    def selected(self) -> Place:
        self._require_navigator()
        try:
            index = self._do("reading the Navigator item", "ReportNavItem")[0]
        except ScopeError as err:
            raise ScopeError(f"no Navigator item is selected: select one ({err})") from err
        return self.place(int(index))

    def _require_navigator(self) -> None:
        if not self._do("looking for the Navigator", "ReportIfNavOpen"):
            raise ScopeError(_CLOSED)

    def place(self, number: int) -> Place:
        doing = f"reading Navigator item {number}"
        index, x_um, y_um, z_um, kind = self._do(doing, "ReportOtherItem", number)
        label = str(self._do(doing, "GetVariable", "navLabel"))
        note = str(self._do(doing, "GetVariable", "navNote"))
        return Place(int(index), label, note, XY(x_um, y_um), z_um, int(kind))

    def places(self) -> tuple[Place, ...]:
        self._require_navigator()
        count = int(self._do("counting Navigator items", "ReportNumTableItems"))
        return tuple(self.place(number) for number in range(1, count + 1))

    def marked_places(self) -> tuple[Place, ...]:
        return tuple(
            place
            for place in self.places()
            if self._do("asking for an item's mark", "ReportItemAcquire", place.place)
        )

    def save_navigator(self) -> Path:
        doing = "saving the Navigator"
        self._require_navigator()
        if self._do(doing, "ReportIfNavOpen") < 2:  # without a name SerialEM would ask for one
            self._do(doing, "SaveNavigator", str(_free_path(self.folder() / NAVIGATOR_NAME)))
        else:
            self._do(doing, "SaveNavigator")
        return Path(str(self._do(doing, "ReportNavFile")))

    def read_navigator(self, path: Path) -> None:
        self._do("reading the Navigator file", "ReadNavFile", str(path))

    def merge_navigator(self, path: Path) -> None:
        self._do("merging a Navigator file", "MergeNavFile", str(path))

    def unique_id(self) -> int:
        return int(self._do("asking for a new number", "GetUniqueNavID"))

    def add_point(self, stage_um: XY, height_um: float, group: int = 0) -> int:
        return int(
            self._do(
                "adding a Navigator point",
                "AddStagePosAsNavPoint",
                *map(float, (*stage_um, height_um)),
                group,
            )
        )

    def add_polygon(self, corners_um: Sequence[XY], height_um: float) -> int:
        doing = "adding a Navigator polygon"
        closed = [*corners_um, corners_um[0]]
        self._do(doing, "SetVariable", _XS, "\n".join(f"{corner.x:.4f}" for corner in closed))
        self._do(doing, "SetVariable", _YS, "\n".join(f"{corner.y:.4f}" for corner in closed))
        return int(self._do(doing, "AddStagePointsAsPolygon", _XS, _YS, float(height_um)))

    def add_map(self, note: str) -> int:
        return int(self._do("making a map", "NewMap", 0, plain_text(note)))

    def set_label(self, place: int, label: str) -> None:
        self._do("naming a Navigator item", "ChangeItemLabel", place, plain_text(label)[:LONGEST_LABEL])

    def set_note(self, place: int, note: str) -> None:
        text = (plain_text(note),) if note else ()
        self._do("writing an item's note", "ChangeItemNote", place, *text)

    def set_colour(self, place: int, colour: int) -> None:
        self._do("colouring a Navigator item", "ChangeItemColor", place, colour)

    def set_acquire(self, place: int, wanted: bool) -> None:
        self._do("marking a Navigator item", "SetItemAcquire", place, int(wanted))

    def remove_places(self, places: Collection[int]) -> None:
        for place in sorted(places, reverse=True):
            self._do("removing a Navigator item", "DeleteNavigatorItem", place)

    def realign_to(self, place: int) -> None:
        z_um = self.stage_um()[2]
        self._do("finding an item on its map", "RealignToOtherItem", place, 1)
        x_um, y_um, moved_um = self.stage_um()
        if (
            abs(moved_um - z_um) > 0.01
        ):  # the item's height is that of its map, not of the sample as found now
            self.move_stage_to((x_um, y_um, z_um))

    # images

    def image_centre_um(self) -> XY:
        doing = "asking where the image lies"
        columns, rows = self._do(doing, "ImageProperties", PRESENT_BUFFER)[:2]
        found = self._do(doing, "BufImagePosToStagePos", PRESENT_BUFFER, 0, columns / 2, rows / 2)
        return XY(*found[:2])

    def put_picture(self, pixels: NDArray[Any]) -> None:
        rows, columns = pixels.shape
        whole = np.ascontiguousarray(pixels)
        try:
            self._sem.PutImageInBuffer(whole, PRESENT_BUFFER, columns, rows, PRESENT_BUFFER)
        except (self._sem.SEMmoduleError, self._sem.SEMerror, SystemError) as err:
            raise ScopeError(
                f"putting the centred image into buffer {PRESENT_BUFFER} failed ({err})"
            ) from err

    def save_present(self) -> None:
        self._save_at_once()

    def keep_present(self, number: int) -> None:
        self._do("keeping the image", "Copy", PRESENT_BUFFER, _KEEPING[number])

    def bring_back(self, number: int) -> None:
        self._do("bringing an image back", "Copy", _KEEPING[number], PRESENT_BUFFER)

    def keeping_buffers(self, count: int) -> str:
        return " ".join(_KEEPING[:count])

    def record_field_um(self) -> XY:
        doing = "asking for the field of Record"
        columns, rows = self._do(doing, "ReportCameraSetArea", "R")[:2]
        pixel_nm = float(self._do(doing, "ReportCurrentPixelSize", "R"))
        return XY(columns * pixel_nm / 1000, rows * pixel_nm / 1000)

    def optics(self, area: Area) -> Optics:
        doing = f"asking how {area.value.capitalize()} images are taken"
        is_on, before = self._do(doing, "ReportLowDose")
        if not is_on:
            raise ScopeError("low dose mode is off: switch it on and set up View and Record")
        self._do(doing, "GoToLowDoseArea", LETTERS[area])
        try:
            return self._optics(doing, "P" if area is Area.PREVIEW else LETTERS[area])
        finally:
            if before >= 0:
                self._do(doing, "GoToLowDoseArea", "VFTRS"[int(before)])

    def _optics(self, doing: str, camera_set: str) -> Optics:
        axes = self._matrix("CameraToSpecimenMatrix")
        columns, rows = self._do(doing, "ReportCameraSetArea", camera_set)[:2]
        return Optics(
            columns=int(columns),
            rows=int(rows),
            pixel_um=float(self._do(doing, "ReportCurrentPixelSize", camera_set)) / 1000,
            binning=float(self._do(doing, "ReportBinning", camera_set)),
            rotation_deg=math.degrees(math.atan2(axes.xpy, axes.xpx)),
            magnification_index=int(self._do(doing, "ReportMagIndex")[0]),
            magnification=float(self._do(doing, "ReportMag")[0]),
            exposure_s=float(self._do(doing, "ReportExposure", camera_set)[0]),
        )


def _free_path(path: Path) -> Path:
    """The path itself, or the first of ``pacetomo_2.nav`` … that is not there."""
    for number in itertools.count(2):
        if not path.exists():
            return path
        path = path.with_name(f"{Path(NAVIGATOR_NAME).stem}_{number}{path.suffix}")
    raise AssertionError("numbers have no end")
