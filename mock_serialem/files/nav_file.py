"""Navigator files (``.nav``, autodoc or XML form): items with their keys as text, unknown ones kept in place.

A file that is read keeps its form and line ends, and comes out byte for byte as long as nothing was changed.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from mock_serialem.files.autodoc import Autodoc, Section, autodoc_text, number, numbers, parse_autodoc
from mock_serialem.files.nav_xml import looks_like_xml, parse_xml, xml_text

POINT, POLYGON, MAP = 0, 1, 2
_SAVED_AS = "LastSavedAs"
_MAP_KEYS = """MapFile MapID FitToPolygonID MapMontage MapSection MapBinning MapMagInd MapCamera MapScaleMat
GridMapXform MapWidthHeight MapMinMaxScale MapFramesXY MontBinning MapExposure MapSettling ShutterMode MapSpotSize
MapIntensity MapSlitIn MapSlitWidth RotOnLoad RealignedID RegisteredToID RealignErrXY LocalErrXY RealignReg ImageType
MontUseStage DefocusOffset K2ReadMode NetViewShiftXY ViewBeamShiftXY ViewBeamTiltXY MapAlpha MapProbeMode MapLDConSet
MapTiltAngle"""
_ORDER = f"""Color StageXYZ NumPts Corner Draw RegPt Regis Type Note GroupID PolyID Imported SuperMontXY OrigReg Flags
DrawnID BklshXY SamePosId AcquiredAtID RawStageXY Acquire PieceOn XYinPc {_MAP_KEYS} FocusAxisPos LDAxisAngle
FocusOffsets TSstartEndAngles TSbidirAngle TargetDefocus HoleArray SkipHoles HoleISXspacing HoleISYspacing
HoleSizeSpacing MarkerShift ShiftCohortID ShiftInImage UserValue1 UserValue2 UserValue3 UserValue4 UserValue5
UserValue6 UserValue7 UserValue8 TSparamIndex ParallelTSIndex MontParamIndex FilePropIndex StateIndex FileToOpen PtsX
PtsY"""
_RANK = {key: rank for rank, key in enumerate(_ORDER.split())}


@dataclass
class NavItem:
    """One line of the Navigator table.

    Attributes
    ----------
    label : str
        At most 16 characters.
    entries : dict of str to str
        Keys and values as in the file.
    """

    label: str
    entries: dict[str, str] = field(default_factory=dict)

    def set(self, key: str, value: str | None) -> None:
        """Replace a key in place, insert a new one where SerialEM would write it, remove it for None."""
        if value is None:
            self.entries.pop(key, None)
            return
        if key in self.entries:
            self.entries[key] = value
            return
        rank = _RANK.get(key, len(_RANK))
        before = [k for k in self.entries if _RANK.get(k, -1) <= rank]
        place = list(self.entries).index(before[-1]) + 1 if before else 0
        pairs = list(self.entries.items())
        pairs.insert(place, (key, value))
        self.entries = dict(pairs)

    def integer(self, key: str, default: int = 0) -> int:
        """Integer value of a key; `default` if absent or unreadable."""
        try:
            return int(float(self.entries[key].split()[0]))
        except (KeyError, ValueError, IndexError):
            return default

    def floats(self, key: str) -> list[float]:
        """Numbers of a key; empty if absent or unreadable."""
        try:
            return [float(word) for word in self.entries.get(key, "").split()]
        except ValueError:
            return []

    @property
    def kind(self) -> int:
        """0 point, 1 polygon, 2 map."""
        return self.integer("Type")

    @property
    def stage_um(self) -> tuple[float, float, float]:
        """Stage X, Y, Z."""
        x, y, z, *_ = [*self.floats("StageXYZ"), 0.0, 0.0, 0.0]
        return x, y, z

    @property
    def note(self) -> str:
        """Note text, empty if none."""
        return self.entries.get("Note", "")

    @property
    def acquire(self) -> bool:
        """Marked for acquisition."""
        return self.integer("Acquire") != 0

    @acquire.setter
    def acquire(self, on: bool) -> None:
        self.set("Acquire", "1" if on else None)

    @property
    def map_id(self) -> int:
        """Unique ID of the item (every item has one)."""
        return self.integer("MapID")

    @property
    def points_um(self) -> list[tuple[float, float]]:
        """Stage X, Y of the item's points."""
        return list(zip(self.floats("PtsX"), self.floats("PtsY")))

    def set_stage(self, x_um: float, y_um: float, z_um: float) -> None:
        """Move the item to a stage position, its points included."""
        old_x, old_y, _ = self.stage_um
        points = [(px + x_um - old_x, py + y_um - old_y) for px, py in self.points_um]
        self.set("StageXYZ", numbers((x_um, y_um, z_um)))
        if points:
            self.set("PtsX", numbers(x for x, _ in points))
            self.set("PtsY", numbers(y for _, y in points))


def new_item(
    label: str,
    kind: int,
    stage_um: tuple[float, float, float],
    points: list[tuple[float, float]],
    map_id: int,
) -> NavItem:
    """Make an item with the required keys and the usual colour of its kind."""
    item = NavItem(label)
    item.entries = {
        "Color": str({POINT: 0, POLYGON: 1, MAP: 2}[kind]),
        "StageXYZ": numbers(stage_um),
        "NumPts": str(len(points)),
        "Regis": "1",
        "Type": str(kind),
        "RawStageXY": numbers(stage_um[:2]),
        "MapID": str(map_id),
        "PtsX": numbers(x for x, _ in points),
        "PtsY": numbers(y for _, y in points),
    }
    return item


@dataclass
class NavContents:
    """A Navigator file in memory: header keys, items, and parameter sections kept as they are.

    Attributes
    ----------
    header : dict of str to str
    items : list of NavItem
    others : list of Section
    is_xml : bool
        The file has the XML form.
    source, source_state : str
        Text of the file as read, and what it would be written as; together they tell whether anything changed.
    """

    header: dict[str, str] = field(default_factory=dict)
    items: list[NavItem] = field(default_factory=list)
    others: list[Section] = field(default_factory=list)
    is_xml: bool = False
    source: str = ""
    source_state: str = ""

    @property
    def autodoc(self) -> Autodoc:
        """All of it as an autodoc."""
        made = Autodoc(dict(self.header))
        made.sections = [Section("Item", item.label, item.entries) for item in self.items]
        made.sections.extend(self.others)
        return made

    def state(self) -> str:
        """Everything but the place where the file was last saved, as one text."""
        made = self.autodoc
        made.entries.pop(_SAVED_AS, None)
        return autodoc_text(made, "\n")


class NavFileError(Exception):
    """The file is not a Navigator file."""


def parse_nav(text: str) -> NavContents:
    """Read the text of a Navigator file.

    Raises
    ------
    NavFileError
        It has no ``AdocVersion`` line, is damaged XML, or an item lacks a required key.
    """
    is_xml = looks_like_xml(text)
    try:
        autodoc = parse_xml(text) if is_xml else parse_autodoc(text)
    except ValueError as err:
        raise NavFileError(str(err)) from err
    if "AdocVersion" not in autodoc.entries:
        raise NavFileError("the file has no AdocVersion line")
    contents = NavContents(dict(autodoc.entries), is_xml=is_xml)
    for section in autodoc.sections:
        if section.kind != "Item":
            contents.others.append(section)
            continue
        item = NavItem(section.name, dict(section.entries))
        missing = [key for key in ("Color", "Regis", "Type") if key not in item.entries]
        if missing:
            raise NavFileError(f"item {item.label} has no key {missing[0]}")
        contents.items.append(item)
    contents.source, contents.source_state = text, contents.state()
    return contents


def nav_text(contents: NavContents, line_end: str) -> str:
    """Text of a Navigator file; `line_end` is for new ones, one that was read keeps its own."""
    if contents.source and contents.state() == contents.source_state:
        return _resaved(contents)
    if contents.source:
        line_end = "\r\n" if "\r\n" in contents.source else "\n"
    return (xml_text if contents.is_xml else autodoc_text)(contents.autodoc, line_end)


def _resaved(contents: NavContents) -> str:
    """Text as it was read, but for the line that says where it was last saved."""
    saved_as = contents.header.get(_SAVED_AS)
    text = contents.source
    if saved_as is None:
        return text
    pattern = r"(<LastSavedAs>)[^<]*" if contents.is_xml else r"(^LastSavedAs = )[^\r\n]*"
    # A function as replacement: backslashes of Windows paths are no escapes.
    made, found = re.subn(pattern, lambda match: match.group(1) + saved_as, text, count=1, flags=re.MULTILINE)
    if found:
        return made
    pattern = (
        r"(<AdocVersion>[^<]*</AdocVersion>)(\s+)" if contents.is_xml else r"(^AdocVersion = [^\r\n]*)(\r?\n)"
    )
    line = f"<{_SAVED_AS}>{saved_as}</{_SAVED_AS}>" if contents.is_xml else f"{_SAVED_AS} = {saved_as}"
    return re.sub(
        pattern, lambda m: m.group(1) + m.group(2) + line + m.group(2), text, count=1, flags=re.MULTILINE
    )


def read_nav(path: Path) -> NavContents:
    """Read a Navigator file.

    Raises
    ------
    OSError
        The file cannot be read.
    NavFileError
        It is not a Navigator file.
    """
    return parse_nav(path.read_bytes().decode("utf-8", "surrogateescape"))


def write_nav(path: Path, contents: NavContents, line_end: str, backup: bool) -> None:
    """Write the whole file; with `backup` an existing one is first renamed to extension ``.bak``.

    Raises
    ------
    OSError
        The file cannot be renamed or written.
    """
    if backup and path.exists():
        os.replace(path, path.with_suffix(".bak"))
    contents.header = {"AdocVersion": "2.00", **contents.header, "LastSavedAs": str(path)}
    path.write_bytes(nav_text(contents, line_end).encode("utf-8", "surrogateescape"))


__all__ = [
    "MAP",
    "POINT",
    "POLYGON",
    "NavContents",
    "NavFileError",
    "NavItem",
    "nav_text",
    "new_item",
    "number",
    "parse_nav",
    "read_nav",
    "write_nav",
]
