"""Rows of the settings panel, from the settings' declaration, and what typing into them does. Pure.

A setting is written to the target file as an override only where the file shall say something else than what holds
without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Union

from pacetomo.editor.model import Document, EditError
from pacetomo.errors import SettingsError
from pacetomo.number_text import format_float
from pacetomo.scope.protocol import Missing
from pacetomo.settings import (
    DEFAULT_ORIGIN,
    NOT_OF_A_TARGET,
    SettingRow,
    Settings,
    SettingsLayer,
    SettingValue,
    parse_setting_text,
    resolve_settings,
    resolve_table,
)
from pacetomo.settings_table import SETTING_ROWS

GROUPS = {
    "startTilt": "Tilt scheme",
    "minDefocus": "Defocus",
    "delayIS": "Time and exposure",
    "trackExpTime": "Tracking target",
    "pretilt": "Geometry",
    "tgtPattern": "Pattern",
    "beamTiltComp": "Session",
    "sortByTilt": "Output",
    "slowTilt": "Hardware",
    "imageShiftLimit": "Limits and tracking model",
    "tgtMontage": "Montage",
    "retakeLost": "After an interruption",
    "watchdogFactor": "Help with trouble",
}
"""Headings, by the first setting under each in the order of the declaration."""

_TYPED = "typed"

ValueOrMissing = Union[SettingValue, Missing]


@dataclass(frozen=True)
class PanelRow:
    """A setting in the panel.

    Attributes
    ----------
    name, unit, help, allowed : str
        Public name, unit, one line of help, and the allowed values in words.
    group : str
        Heading that it stands under.
    kind : str
        "bool", "choice", "number" or "text": what to enter it with.
    choices : tuple of str
        Words to choose from.
    default : str
        Its value when nobody says otherwise, as text.
    inherited : str
        Its value without the target file, as text.
    value : str
        Its value in force as text; what the file says, where that cannot be used.
    origin : str
        Where the value comes from: "default", "target file NAME" or the like.
    is_override : bool
        Whether the target file gives it.
    problem : str or None
        What is wrong with the value.
    locked : str or None
        Why it cannot be changed.
    """

    name: str
    unit: str
    help: str
    allowed: str
    group: str
    kind: str
    choices: tuple[str, ...]
    default: str
    inherited: str
    value: str
    origin: str
    is_override: bool
    problem: str | None = None
    locked: str | None = None


def panel_rows(document: Document) -> list[PanelRow]:
    """Rows of all settings in the order of their declaration."""
    inherited, origins = _inherited(document)
    layer = document.targets.settings_layer(document.path.name)
    texts = {override.name: override.value for override in document.targets.overrides}
    rows, group = [], ""
    for name, row in SETTING_ROWS.items():
        group = GROUPS.get(name, group)
        rows.append(
            _row(
                document,
                row,
                group,
                inherited[name],
                origins.get(name, DEFAULT_ORIGIN),
                layer,
                texts.get(name),
            )
        )
    return rows


def _row(
    document: Document,
    row: SettingRow,
    group: str,
    inherited: SettingValue,
    origin: str,
    layer: SettingsLayer,
    text: str | None,
) -> PanelRow:
    is_override = text is not None and row.name not in NOT_OF_A_TARGET
    value = inherited if text is None else _checked_alone(row.name, text)
    shown = text or "" if isinstance(value, Missing) else text_of(value)
    return PanelRow(
        name=row.name,
        unit=row.unit,
        help=row.help,
        allowed=row.allowed,
        group=group,
        kind=_kind(row),
        choices=row.choices or (),
        default=text_of(row.default),
        inherited=text_of(inherited),
        value=shown if is_override else text_of(inherited),
        origin=layer.origin if is_override else origin,
        is_override=is_override,
        problem=value.reason if is_override and isinstance(value, Missing) else None,
        locked=locked(document, row.name),
    )


def _kind(row: SettingRow) -> str:
    if row.choices is not None:
        return "choice"
    if row.kind is bool:
        return "bool"
    return "number" if row.kind in (int, float) else "text"


def locked(document: Document, name: str) -> str | None:
    """Why a setting cannot be given for this area, None if it can."""
    if name in NOT_OF_A_TARGET:
        return "it has no effect in a target file, only in a script or TOML file"
    return None if document.lock is None else document.lock.of_setting(name)


def check(document: Document, name: str, text: str) -> ValueOrMissing:
    """What a typed text means as the value of a setting; Missing, with the reason, where it cannot be used.

    Also told is what contradicts another setting, unless the settings contradict each other without it as well.
    """
    alone = _checked_alone(name, text)
    if isinstance(alone, Missing):
        return alone
    trial = SettingsLayer(_TYPED, {name: alone})
    target_file = document.targets.without_override(name).settings_layer(document.path.name)
    try:
        resolve_settings(*document.known.layers, target_file, trial)
    except SettingsError as err:
        contradicts = str(err)
        try:
            resolve_settings(*document.known.layers, target_file)
        except SettingsError:
            return alone
        return Missing(contradicts)
    return alone


def _checked_alone(name: str, text: str) -> ValueOrMissing:
    """What a text means by the declaration of its setting alone."""
    layer = SettingsLayer(_TYPED, {name: parse_setting_text(name, text)})
    try:
        value: SettingValue = getattr(resolve_table(Settings, layer), name)
    except SettingsError as err:
        return Missing(str(err).removeprefix(f"{_TYPED}: "))
    return value


def set_setting(document: Document, name: str, text: str) -> Document:
    """Give a setting for this area; one that holds anyway is not written.

    Raises
    ------
    EditError
        When the text cannot be used, or the setting cannot be changed.
    """
    why_not = locked(document, name)
    if why_not is not None:
        raise EditError(f"{name} cannot be changed: {why_not}")
    value = check(document, name, text)
    if isinstance(value, Missing):
        raise EditError(value.reason)
    if value == _inherited(document)[0][name]:
        return document.with_targets(document.targets.without_override(name))
    kind = "bset" if isinstance(value, bool) else "set"
    return document.with_targets(document.targets.with_override(name, text_of(value), kind))


def clear_setting(document: Document, name: str) -> Document:
    """Let a setting be what it is without the target file; also one that this version does not know.

    Raises
    ------
    EditError
        When it cannot be changed.
    """
    why_not = locked(document, name) if name in SETTING_ROWS and name not in NOT_OF_A_TARGET else None
    if why_not is not None:
        raise EditError(f"{name} cannot be changed: {why_not}")
    return document.with_targets(document.targets.without_override(name))


def odd_overrides(document: Document) -> list[str]:
    """Names that the target file gives and that are no settings of an acquisition: others' and the pattern's own."""
    return [override.name for override in document.targets.overrides if override.name not in SETTING_ROWS]


def _inherited(document: Document) -> tuple[Mapping[str, SettingValue], Mapping[str, str]]:
    """Values and origins without the target file; the defaults where those cannot be used."""
    try:
        resolved = resolve_settings(*document.known.layers)
    except SettingsError:  # told as the reason why the document has no settings
        resolved = resolve_settings()
    return resolved.values(), resolved.origins


def text_of(value: SettingValue) -> str:
    """A value as it stands in a file.

    >>> text_of(3.0), text_of(True), text_of((3, 5))
    ('3.0', 'True', '3 5')
    """
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    return format_float(value) if isinstance(value, float) else str(value)
