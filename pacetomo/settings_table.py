"""The settings of an acquisition: name, default, unit, limits and one line of help each.

Names are PACEtomo's, because scripts, target files and people already use them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple, Union

SettingValue = Union[bool, int, float, str]


def setting(
    default: SettingValue,
    unit: str,
    low: float | None,
    high: float | None,
    help: str,
    choices: tuple[str, ...] | None = None,
) -> Any:
    """Declare one setting as a dataclass field.

    Parameters
    ----------
    default : bool, int, float or str
        Its value when nobody says otherwise; its type is the type of the setting.
    unit : str
        Unit of the value, "" where it has none.
    low, high : float or None
        Limits, both allowed values themselves; None for no limit.
    help : str
        One line for people.
    choices : tuple of str, optional
        The words that a text setting may be.
    """
    metadata = {"unit": unit, "low": low, "high": high, "help": help, "choices": choices}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Settings:
    """What an acquisition does; every value checked. Made by `pacetomo.settings.resolve_settings`."""

    # Attribute names are the public names of the settings, spelled as in PACEtomo.
    startTilt: float = setting(0.0, "deg", -80, 80, "tilt at which every series starts")  # noqa: N815
    minTilt: float = setting(-60.0, "deg", -80, 80, "lowest tilt")  # noqa: N815
    maxTilt: float = setting(60.0, "deg", -80, 80, "highest tilt")  # noqa: N815
    step: float = setting(3.0, "deg", 0.01, 60, "angle between neighbouring tilts")
    groupSize: int = setting(  # noqa: N815
        2, "tilts", 1, 1000, "tilts in a row on one side before a dose-symmetric series changes sides"
    )
    scheme: str = setting(
        "dose-symmetric",
        "",
        None,
        None,
        "order of the tilts",
        choices=("dose-symmetric", "bidirectional", "unidirectional"),
    )
    tiltTargets: float = setting(  # noqa: N815
        0.0, "deg", -80, 80, "stage tilt at which the targets were picked"
    )
    minDefocus: float = setting(  # noqa: N815
        -5.0, "µm", -100, 100, "one end of the defocus range over targets; negative is underfocus"
    )
    maxDefocus: float = setting(  # noqa: N815
        -5.0, "µm", -100, 100, "other end of the defocus range over targets; negative is underfocus"
    )
    stepDefocus: float = setting(  # noqa: N815
        0.5, "µm", 0, 100, "step of defocus from one target to the next"
    )
    zeroDefocus: float = setting(  # noqa: N815
        0.0, "µm", -100, 100, "defocus of the images at the start tilt; 0 for that of the other images"
    )
    focusSlope: float = setting(  # noqa: N815
        0.0, "µm/deg", -1, 1, "empirical linear focus correction, added per degree of tilt above the start"
    )
    delayIS: float = setting(  # noqa: N815
        0.3, "s", 0, 60, "pause between image shift and exposure"
    )
    delayTilt: float = setting(0.3, "s", 0, 600, "pause after a tilt of the stage")  # noqa: N815
    zeroExpTime: float = setting(  # noqa: N815
        0.0, "s", 0, 600, "exposure of the images at the start tilt; 0 for that of Record"
    )
    pretilt: float = setting(
        0.0, "deg", -80, 80, "tilt of the sample plane against the stage, about the tilt axis"
    )
    rotation: float = setting(
        0.0, "deg", -180, 180, "rotation of the pretilt's axis against the tilt axis, counter-clockwise"
    )
    beamTiltComp: bool = setting(  # noqa: N815
        True, "", None, None, "compensate the beam tilt that image shift brings (coma)"
    )
    previewAli: bool = setting(  # noqa: N815
        True, "", None, None, "align every target to its Preview reference before the series; costs dose"
    )
    viewAli: bool = setting(  # noqa: N815
        False, "", None, None, "align every target to its View reference before the series"
    )
    addAF: bool = setting(  # noqa: N815
        False, "", None, None, "autofocus on the tracking target at each change of branch"
    )
    imageShiftLimit: float = setting(  # noqa: N815
        20.0, "µm", 0.1, 100, "largest image shift that may be applied"
    )
    dataPoints: int = setting(  # noqa: N815
        4, "images", 1, 100, "latest images of a branch from which the eucentric offset is estimated"
    )
    alignLimit: float = setting(  # noqa: N815
        0.5, "µm", 0.01, 10, "largest shift that an alignment between two tilts may find"
    )
    minCounts: float = setting(  # noqa: N815
        0.0, "counts/s", 0, 1e9, "mean counts under which a branch of a target ends; 0 for never"
    )
    ignoreNegStart: bool = setting(  # noqa: N815
        True, "", None, None, "use the predicted instead of the measured first shift of the second branch"
    )
    taOffsetPos: float = setting(  # noqa: N815
        0.0, "µm", -20, 20, "additional tilt axis offset for tilts above the start"
    )
    taOffsetNeg: float = setting(  # noqa: N815
        0.0, "µm", -20, 20, "additional tilt axis offset for tilts below the start"
    )
    tracker: str = setting(
        "single", "", None, None, "model that predicts where targets move", choices=("single",)
    )


# Names that PACEtomo's scripts and target files may hold and that this version does not act on.
NOT_SUPPORTED_YET = frozenset(
    {
        "autoStartTilt",
        "slowTilt",
        "trackExpTime",
        "trackDefocus",
        "trackMag",
        "trackTwice",
        "trackUseTrial",
        "measureGeo",
        "tgtPattern",
        "alignToP",
        "refineVec",
        "refineGeo",
        "fitLimit",
        "parabolTh",
        "realignToItem",
        "refFromPreview",
        "noZeroRecAli",
        "sortByTilt",
        "binFinalStack",
        "delFinalStack",
        "doCtfFind",
        "doCtfPlotter",
        "extendedMdoc",
        "checkDewar",
        "cryoARM",
        "coldFEG",
        "flashInterval",
        "slitInterval",
        "checkValves",
        "tgtMontage",
        "tgtMntSize",
        "tgtMntOverlap",
        "tgtMntXOffset",
        "tgtMntFocusCor",
        "tgtTrackMnt",
        "debug",
    }
)

# Values that target selection leaves in target files for its own use (pattern half-size and lattice vectors
# in µm).
SELECTION_NAMES = frozenset({"size", "vecA0", "vecA1", "vecB0", "vecB1"})


class SettingRow(NamedTuple):
    """What there is to know about one setting.

    Attributes
    ----------
    name, unit, help : str
        Public name, unit ("" for none), one line of help.
    kind : type
        bool, int, float or str.
    default : bool, int, float or str
        Value when nobody says otherwise.
    low, high : float or None
        Limits, both allowed values themselves.
    choices : tuple of str, or None
        The words that a text setting may be.
    """

    name: str
    kind: type
    default: SettingValue
    unit: str
    low: float | None
    high: float | None
    help: str
    choices: tuple[str, ...] | None

    @property
    def allowed(self) -> str:
        """The allowed values in words.

        >>> SETTING_ROWS["startTilt"].allowed
        '-80 to 80 deg'
        """
        if self.choices is not None:
            return " or ".join(self.choices)
        if self.kind is bool:
            return "True or False"
        return f"{self.low:g} to {self.high:g} {self.unit}".rstrip()


_DEFAULTS = Settings()

SETTING_ROWS: dict[str, SettingRow] = {
    item.name: SettingRow(
        item.name, type(getattr(_DEFAULTS, item.name)), getattr(_DEFAULTS, item.name), **item.metadata
    )
    for item in fields(Settings)
}


def describe_settings() -> tuple[SettingRow, ...]:
    """Return all settings in the order in which they are shown to people."""
    return tuple(SETTING_ROWS.values())
