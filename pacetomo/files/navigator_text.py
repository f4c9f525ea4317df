"""The text of Navigator files in their two forms, autodoc and XML, to sections of keys and back.

A section keeps the text it was read from until something in it is changed, so a file comes back byte by byte, and
a changed one differs in the changed sections only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeVar, Union
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

from pacetomo.errors import NavigatorError
from pacetomo.files.text_lines import BYTE_ORDER_MARK, Line, common_newline, is_one_line, split_lines
from pacetomo.number_text import parse_float

_HEADER = re.compile(r"\[\s*([^=\]]+?)\s*= ?(.*)\]\s*")
_XML_SECTION = re.compile(r"[ \t]*<(\w+)[^<>]*>(?:\s*<(\w+)(?:/>|>[^<]*</\2>))*\s*</\1>[ \t]*\r?\n?")
_MAP_KEYS = """MapFile MapID FitToPolygonID MapMontage MapSection MapBinning MapMagInd MapCamera MapScaleMat
GridMapXform MapWidthHeight MapMinMaxScale MapFramesXY MontBinning MapExposure MapSettling ShutterMode MapSpotSize
MapIntensity MapSlitIn MapSlitWidth RotOnLoad RealignedID RegisteredToID RealignErrXY LocalErrXY RealignReg ImageType
MontUseStage DefocusOffset K2ReadMode NetViewShiftXY ViewBeamShiftXY ViewBeamTiltXY MapAlpha MapProbeMode
MapLDConSet MapTiltAngle"""
_ORDER = f"""Color StageXYZ NumPts Corner Draw RegPt Regis Type Note GroupID PolyID Imported SuperMontXY OrigReg
Flags DrawnID BklshXY SamePosId AcquiredAtID RawStageXY Acquire PieceOn XYinPc {_MAP_KEYS} FocusAxisPos LDAxisAngle
FocusOffsets TSstartEndAngles TSbidirAngle TargetDefocus HoleArray SkipHoles HoleISXspacing HoleISYspacing
HoleSizeSpacing MarkerShift ShiftCohortID ShiftInImage UserValue1 UserValue2 UserValue3 UserValue4 UserValue5
UserValue6 UserValue7 UserValue8 TSparamIndex ParallelTSIndex MontParamIndex FilePropIndex StateIndex FileToOpen
PtsX PtsY IStargets TargetMag EDMPercent ObjectiveAperture CondenserAperture JeolC1Aperture"""
_RANK = {key: rank for rank, key in enumerate(_ORDER.split())}

NavValue = Union[str, float, Iterable[float]]
AnySection = TypeVar("AnySection", bound="NavSection")


@dataclass(frozen=True)
class NavSection:
    """One section of a Navigator file, or the keys before the first.

    Attributes
    ----------
    kind, name : str
        From the header: "Item" and its label, "MontParam" and a number; both "" for the keys before the first.
    entries : tuple of (str, str)
        Keys and values in the order of the file. A line that is no key, such as a comment, stands under the key "".
    source : str
        Text of the section in the file; "" when it is new or was changed.
    place : str
        File and line, for messages.
    """

    kind: str
    name: str
    entries: tuple[tuple[str, str], ...] = ()
    source: str = ""
    place: str = "Navigator"

    def text(self, key: str) -> str | None:
        """Return the value of a key without blanks around it; None if the key is missing or has no value."""
        # Of two lines with one key the later one holds, as for SerialEM.
        found = [value for name, value in self.entries if name == key]
        return (found[-1].strip() or None) if found else None

    def get_floats(self, key: str) -> tuple[float, ...] | None:
        """Return the numbers of a key, None if it is missing; NavigatorError if it holds something else."""
        text = self.text(key)
        if text is None:
            return None
        numbers = [parse_float(word) for word in text.split()]
        found = tuple(number for number in numbers if number is not None)
        if len(found) != len(numbers):
            raise NavigatorError(f"{self.place}: {key} is {text!r}, numbers are needed")
        return found

    def need_floats(self, key: str, count: int) -> tuple[float, ...]:
        """Return exactly so many numbers of a key; NavigatorError if there are not."""
        numbers = self.get_floats(key)
        if numbers is None or len(numbers) != count:
            raise NavigatorError(f"{self.place}: {key} is {self.text(key)!r}, {count} numbers are needed")
        return numbers

    def get_int(self, key: str, default: int = 0) -> int:
        """Return the whole number of a key, `default` if it is missing; NavigatorError if it is none."""
        numbers = self.get_floats(key)
        if numbers is None:
            return default
        if len(numbers) != 1 or numbers[0] != int(numbers[0]):
            raise NavigatorError(f"{self.place}: {key} is {self.text(key)!r}, a whole number is needed")
        return int(numbers[0])

    def with_value(self: AnySection, key: str, value: NavValue | None) -> AnySection:
        """Return the section with a key changed in its place; None removes it.

        A new key stands where SerialEM would write it. NavigatorError if key or value do not fit into a line.
        """
        kept = tuple(pair for pair in self.entries if pair[0] != key)
        if value is None:
            return replace(self, entries=kept, source="") if kept != self.entries else self
        text = value_text(value)
        if not is_one_line(text) or not re.fullmatch(r"\w+", key):
            raise NavigatorError(f"{self.place}: a line {f'{key} = {text}'!r} cannot be written")
        places = [index for index, pair in enumerate(self.entries) if pair[0] == key]
        if places and self.entries[places[-1]][1] == text:
            return self
        rank = _RANK.get(key, len(_RANK))
        before = [index for index, pair in enumerate(kept) if _RANK.get(pair[0], len(_RANK)) <= rank]
        place = places[0] if places else before[-1] + 1 if before else 0
        return replace(self, entries=(*kept[:place], (key, text), *kept[place:]), source="")


class NavText(NamedTuple):
    """A file taken apart: the keys before the first section, the sections, what follows, and how it is written."""

    head: NavSection
    sections: tuple[NavSection, ...]
    tail: str
    is_xml: bool
    newline: str


def value_text(value: NavValue) -> str:
    """Return a value as text, numbers to a tenth of a nm when they are µm.

    >>> value_text((-3.0, 12.34567)), value_text(5), value_text("Sec 0 - a.mrc"), value_text(0.0428)
    ('-3 12.3457', '5', 'Sec 0 - a.mrc', '0.0428')
    """
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        # Six digits, as SerialEM writes, are 10 nm at the edge of a grid.
        return f"{value:.4f}".rstrip("0").rstrip(".") if 10.0 <= abs(value) < 1e6 else f"{value:.6g}"
    return " ".join(value_text(float(number)) for number in value)


def parse_text(text: str, name: str) -> NavText:
    """Take the text of a Navigator file apart.

    Raises
    ------
    NavigatorError
        If it is in neither of the two forms.
    """
    if text.lstrip(f"{BYTE_ORDER_MARK} \r\n\t").startswith("<?xml"):
        return _parse_xml(text, name)
    parsed = _parse_autodoc(text, name)
    if parsed.head.text("AdocVersion") is None:
        older = "\t" in text.split("\n", 1)[0] or any(line.count("\t") > 5 for line in text.split("\n")[:3])
        raise NavigatorError(
            f"{name}: this is the older tab-separated form of a Navigator file; open it in SerialEM and save it "
            "in the present form"
            if older
            else f"{name}: there is no AdocVersion line, so this is no Navigator file, or it is damaged"
        )
    return parsed


def render_text(parts: NavText) -> str:
    """Return the text of a file; sections that nobody changed as they were read."""
    out = parts.head.source or _rendered_head(parts)
    is_new = not parts.head.source
    for section in parts.sections:
        if out and not out.endswith("\n"):
            out += parts.newline
        spaced = parts.is_xml or out.endswith(("\n\n", "\r\n\r\n"))
        if not spaced and (is_new or not section.source):
            out += parts.newline
        is_new = not section.source
        out += section.source or _rendered(section, parts.is_xml, parts.newline)
    return out + parts.tail


def _parse_autodoc(text: str, name: str) -> NavText:
    kind, title, start = "", "", 1
    lines: list[Line] = []
    sections: list[NavSection] = []

    def close() -> None:
        entries = tuple(_entry(line.text) for line in lines[1 if kind else 0 :] if line.text.strip())
        place = f"{name}, line {start}" + (f" (item {title})" if kind == "Item" else "")
        sections.append(NavSection(kind, title, entries, "".join(line.raw for line in lines), place))

    for line in split_lines(text, name, NavigatorError):
        header = _HEADER.fullmatch(line.text)
        if header is not None:
            close()
            kind, title, start, lines = header.group(1), header.group(2), line.number, []
        lines.append(line)
    close()
    return NavText(sections[0], tuple(sections[1:]), "", False, common_newline(text))


def _entry(line: str) -> tuple[str, str]:
    key, equals, value = line.lstrip(BYTE_ORDER_MARK).partition("=")
    if not equals or not key.strip() or key.startswith("#"):
        return "", line
    return key.strip(), value[1:] if value.startswith(" ") else value


def _parse_xml(text: str, name: str) -> NavText:
    try:
        root = ElementTree.fromstring(text.lstrip(f"{BYTE_ORDER_MARK} \r\n\t").encode("utf-8", "replace"))
    except ElementTree.ParseError as err:
        raise NavigatorError(f"{name}: this is no well-formed XML ({err}); the file is damaged") from err
    if root.tag != "navigator":
        raise NavigatorError(f"{name}: the XML holds a <{root.tag}>, a <navigator> is needed")
    children = list(root)
    # What each section looks like in the text; a file laid out in another way than SerialEM's is written anew.
    sources = list(_XML_SECTION.finditer(text))
    touching = all(one.end() == next_one.start() for one, next_one in zip(sources, sources[1:]))
    tags = [child.tag for child in children]
    if not touching or tags[:1] != ["PreData"] or [match.group(1) for match in sources] != tags:
        sources = []
    head = NavSection("", "", place=name)
    sections = []
    for index, child in enumerate(children):
        entries = tuple((key.tag, key.text or "") for key in child)
        if child.tag == "PreData":
            source = text[: sources[0].end()] if sources else ""
            head = NavSection("", "", (*head.entries, *entries), source, name)
            continue
        label = child.get("name", "")
        place = f"{name} (item {label})" if child.tag == "Item" else name
        sections.append(
            NavSection(child.tag, label, entries, sources[index].group() if sources else "", place)
        )
    newline = common_newline(text)
    tail = text[sources[-1].end() :] if sources else f"</navigator>{newline}"
    return NavText(head, tuple(sections), tail, True, newline)


def _rendered_head(parts: NavText) -> str:
    if not parts.is_xml:
        return _key_lines(parts.head.entries, parts.newline)
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<navigator>", "  <PreData>"]
    lines.extend(_xml_keys(parts.head.entries))
    return "".join(line + parts.newline for line in (*lines, "  </PreData>"))


def _rendered(section: NavSection, is_xml: bool, newline: str) -> str:
    if not is_xml:
        return f"[{section.kind} = {section.name}]{newline}{_key_lines(section.entries, newline)}"
    lines = [f"  <{section.kind} name={quoteattr(section.name)}>", *_xml_keys(section.entries)]
    return "".join(line + newline for line in (*lines, f"  </{section.kind}>"))


def _key_lines(entries: Sequence[tuple[str, str]], newline: str) -> str:
    return "".join((f"{key} = {value}" if key else value) + newline for key, value in entries)


def _xml_keys(entries: Sequence[tuple[str, str]]) -> list[str]:
    return [f"    <{key}>{escape(value)}</{key}>" for key, value in entries]
