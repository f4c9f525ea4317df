"""The keys of a target: what their values mean, and how they are spelled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Union

from pacetomo.errors import PaceError
from pacetomo.files.target_text import Block, Entry
from pacetomo.files.text_lines import is_one_line
from pacetomo.frames import XY
from pacetomo.number_text import format_float, parse_bool, parse_float
from pacetomo.targets import AREAS, GeoPoint, Target

Value = Union[str, float, bool, None]

FILE_KEYS = ("tgtfile", "tsfile", "viewfile")
COORDINATE_KEYS = ("SSX", "SSY", "stageX", "stageY")
TARGET_KEYS = (*FILE_KEYS, *COORDINATE_KEYS, "skip", "LDArea", "defocus", "SPACEscore")
GEO_KEYS = ("SSX", "SSY")


class UnreadableError(ValueError):
    """A value does not mean anything; the text says what is needed."""


def value_of(key: str, text: str) -> Value:
    """Return what the text of a known key means; None where it says that there is no value.

    Raises
    ------
    UnreadableError
        With the form that is needed.
    """
    text = text.strip()
    if text in ("", "None"):
        return None
    if key in FILE_KEYS:
        return text
    if key == "skip":
        answer = {"1": True, "0": False}.get(text, parse_bool(text))
        if answer is None:
            raise UnreadableError("True or False is needed")
        return answer
    if key == "LDArea":
        if text not in AREAS:
            raise UnreadableError("R, V or S is needed")
        return text
    number = parse_float(text)
    if number is None and not (key == "SPACEscore" and text.lower() == "nan"):
        raise UnreadableError("a number is needed" if key == "SPACEscore" else "a number in µm is needed")
    return number


def text_of(value: Value) -> str:
    """Return a value as it stands in a file."""
    if isinstance(value, (bool, str)) or value is None:
        return str(value)
    return format_float(value)


def make_target(block: Block, name: str, error: type[PaceError]) -> Target:
    """Return the target that a block describes; an error of the given kind if it does not describe one."""
    values, extra = _read(block.entries, TARGET_KEYS, f"{name}, target {block.number}", error)
    where = f"{name}, line {block.line}: target {block.number}"
    series = values.get("tsfile")
    if not isinstance(series, str):
        raise error(f"{where} has no tsfile; the file name of its tilt series is needed")
    shift_um = _pair(values, "SSX", "SSY", where, error)
    stage_um = _pair(values, "stageX", "stageY", where, error)
    if shift_um is None and stage_um is None:
        raise error(f"{where} has no coordinates; SSX and SSY, or stageX and stageY are needed")
    score, defocus_um = values.get("SPACEscore"), values.get("defocus")
    return Target(
        block.number,
        series,
        reference=_text(values.get("tgtfile")),
        view=_text(values.get("viewfile")),
        shift_um=shift_um,
        stage_um=stage_um,
        skip=values.get("skip") is True,
        area=_text(values.get("LDArea")) or "R",
        score=score if isinstance(score, float) else None,
        defocus_um=defocus_um if isinstance(defocus_um, float) else None,
        extra=extra,
        source=tuple(block.raws),
    )


def make_geo_point(block: Block, name: str, error: type[PaceError]) -> GeoPoint:
    """Return the geometry point that a block describes; an error of the given kind if it is none."""
    values, extra = _read(block.entries, GEO_KEYS, f"{name}, _geo of line {block.line}", error)
    where = f"{name}, line {block.line}: _geo"
    shift_um = _pair(values, "SSX", "SSY", where, error)
    if shift_um is None:
        raise error(f"{where} has no coordinates; SSX and SSY are needed")
    return GeoPoint(shift_um, extra, tuple(block.raws))


def target_values(target: Target) -> dict[str, Value]:
    """Return the known keys of a target with the values that its lines must have; None for no line."""
    return {
        "tgtfile": target.reference,
        "tsfile": target.series,
        "viewfile": target.view,
        **_coordinates("SSX", "SSY", target.shift_um),
        **_coordinates("stageX", "stageY", target.stage_um),
        "skip": target.skip,
        "LDArea": target.area,
        "defocus": target.defocus_um,
        "SPACEscore": target.score,
    }


def geo_values(point: GeoPoint) -> dict[str, Value]:
    """Return the known keys of a geometry point with their values."""
    return _coordinates("SSX", "SSY", point.shift_um)


def check_writable(
    values: Mapping[str, Value], extra: Iterable[tuple[str, str]], where: str, error: type[PaceError]
) -> None:
    """Refuse values that could not be read back from a file as what they are.

    Raises
    ------
    PaceError
        Of the given kind: a line break in a name, a coordinate that is no number, an unknown key that is a
        known one ...
    """
    for key, value in values.items():
        text = text_of(value)
        try:
            same = is_one_line(text) and value_of(key, text) == value
        except UnreadableError:
            same = False
        if not same:
            raise error(f"{where}: {key} cannot be {text!r}")
    seen = set(values)
    for key, text in extra:
        one_word = key.split() == [key] and not key.startswith(("_", "\ufeff"))
        if not (one_word and is_one_line(key + text) and not text.endswith("\r")) or key in seen:
            raise error(f"{where}: a line '{key!r} = {text!r}' cannot be written or is there already")
        seen.add(key)


def _read(
    entries: Iterable[Entry], keys: tuple[str, ...], where: str, error: type[PaceError]
) -> tuple[dict[str, Value], tuple[tuple[str, str], ...]]:
    """Return the values of known keys, and unknown keys with their texts."""
    values: dict[str, Value] = {}
    extra = []
    for entry in entries:
        if entry.key not in keys:
            extra.append((entry.key, entry.value))
            continue
        try:
            values[entry.key] = value_of(entry.key, entry.value)
        except UnreadableError as err:
            raise error(
                f"{where}, line {entry.line}: {entry.key} is {entry.value.strip()!r}, {err}"
            ) from None
    return values, tuple(extra)


def _pair(
    values: Mapping[str, Value], x_key: str, y_key: str, where: str, error: type[PaceError]
) -> XY | None:
    """Return a pair of coordinates, None if neither is there."""
    x, y = values.get(x_key), values.get(y_key)
    if isinstance(x, float) and isinstance(y, float):
        return XY(x, y)
    if x is None and y is None:
        return None
    given, lacking = (x_key, y_key) if y is None else (y_key, x_key)
    raise error(f"{where} has {given} without {lacking}; both or none are needed")


def _coordinates(x_key: str, y_key: str, pair: XY | None) -> dict[str, Value]:
    return {x_key: None, y_key: None} if pair is None else {x_key: float(pair.x), y_key: float(pair.y)}


def _text(value: Value) -> str | None:
    return value if isinstance(value, str) else None
