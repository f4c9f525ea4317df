"""The settings of an acquisition: name, default, unit, limits and one line of help each.

Names are PACEtomo's, because scripts, target files and people already use them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple, Union

SettingValue = Union[bool, int, float, str, "tuple[int, int]", "tuple[float, ...]"]


def setting(
    default: SettingValue,
    unit: str,
    low: float | None,
    high: float | None,
    help: str,
    choices: tuple[str, ...] | None = None,
    switch: tuple[str, str] | None = None,
    length: int | None = 2,
) -> Any:
    """Declare one setting as a dataclass field.

    Parameters
    ----------
    default : bool, int, float, str, pair of int, or tuple of float
        Its value when nobody says otherwise; its type is the type of the setting.
    unit : str
        Unit of the value, "" where it has none.
    low, high : float or None
        Limits, both allowed values themselves; None for no limit.
    help : str
        One line for people.
    choices : tuple of str, optional
        The words that a text setting may be; None for any line of text.
    switch : pair of str, optional
        Which of them False and True stand for.
    length : int or None
        How many numbers a tuple has; None for one or more.
    """
    metadata = {
        "unit": unit,
        "low": low,
        "high": high,
        "help": help,
        "choices": choices,
        "switch": switch,
        "length": length,
    }
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Settings:
    """What an acquisition does; every value checked. Made by `pacetomo.settings.resolve_settings`."""

    # Attribute names are the public names of the settings, spelled as in PACEtomo.

    # tilt scheme
    startTilt: float = setting(0.0, "deg", -80, 80, "tilt at which every series starts")
    minTilt: float = setting(-60.0, "deg", -80, 80, "lowest tilt")
    maxTilt: float = setting(60.0, "deg", -80, 80, "highest tilt")
    step: float = setting(3.0, "deg", 0.01, 60, "angle between neighbouring tilts")
    groupSize: int = setting(
        2, "tilts", 1, 1000, "tilts in a row on one side before a dose-symmetric series changes sides"
    )
    scheme: str = setting(
        "dose-symmetric",
        "",
        None,
        None,
        "order of the tilts",
        choices=("dose-symmetric", "bidirectional", "unidirectional", "growing-groups"),
    )
    alternateTo: float = setting(
        30.0,
        "deg",
        0,
        160,
        "growing-groups: how far from the start tilt sides alternate; beyond, one side is finished first",
    )
    tiltTargets: float = setting(0.0, "deg", -80, 80, "stage tilt at which the targets were picked")
    autoStartTilt: bool = setting(
        False,
        "",
        None,
        None,
        "start at the tilt, in whole steps, at which the sample plane is level (startTilt is not used)",
    )

    # defocus
    minDefocus: float = setting(
        -5.0, "µm", -100, 100, "one end of the defocus range over targets; negative is underfocus"
    )
    maxDefocus: float = setting(
        -5.0, "µm", -100, 100, "other end of the defocus range over targets; negative is underfocus"
    )
    stepDefocus: float = setting(0.5, "µm", 0, 100, "step of defocus from one target to the next")
    zeroDefocus: float = setting(
        0.0, "µm", -100, 100, "defocus of the images at the start tilt; 0 for that of the other images"
    )
    focusSlope: float = setting(
        0.0, "µm/deg", -1, 1, "empirical linear focus correction, added per degree of tilt above the start"
    )

    # time and exposure
    delayIS: float = setting(0.3, "s", 0, 60, "pause between image shift and exposure")
    delayTilt: float = setting(0.3, "s", 0, 600, "pause after a tilt of the stage")
    zeroExpTime: float = setting(
        0.0, "s", 0, 600, "exposure of the images at the start tilt; 0 for that of the other images"
    )
    exposureScaling: str = setting(
        "constant",
        "",
        None,
        None,
        "exposure over tilt: the same, or longer with the path through the sample",
        choices=("constant", "cosine"),
    )
    exposurePower: float = setting(
        1.0, "", 0, 5, "exposureScaling cosine: exposure grows as 1/cos(tilt) to this power"
    )
    totalDose: float = setting(
        0.0,
        "e/Å²",
        0,
        10000,
        "dose of a whole series to which exposures are scaled; 0 to leave Record's exposure at the start tilt",
    )
    minExpTime: float = setting(0.0, "s", 0, 600, "shortest exposure that scaling may give; 0 for no limit")
    maxExpTime: float = setting(0.0, "s", 0, 600, "longest exposure that scaling may give; 0 for no limit")

    # tracking target
    trackExpTime: float = setting(
        0.0, "s", 0, 600, "exposure of the tracking target's images; 0 for that of the others"
    )
    trackDefocus: float = setting(
        0.0, "µm", -100, 100, "defocus of the tracking target; 0 for its share of the range"
    )
    trackMag: float = setting(
        0.0, "x", 0, 1000000, "nominal magnification of the tracking target's images; 0 for that of Record"
    )
    trackTwice: str = setting(
        "auto",
        "",
        None,
        None,
        "centre the tracking target by a first image: never, at each tilt, or (auto, with tracker joint) where it may "
        "be far off; auto looks in View, at little dose, where it can",
        choices=("never", "always", "auto"),
        switch=("never", "always"),
    )
    trackUseTrial: bool = setting(
        False, "", None, None, "image the tracking target in the Trial area instead of Record"
    )

    # geometry
    pretilt: float = setting(
        0.0, "deg", -80, 80, "tilt of the sample plane against the stage, about the tilt axis"
    )
    rotation: float = setting(
        0.0, "deg", -180, 180, "rotation of the pretilt's axis against the tilt axis, counter-clockwise"
    )
    measureGeo: bool = setting(
        False,
        "",
        None,
        None,
        "measure pretilt and rotation by autofocus at the geometry points, or between the targets of a pattern",
    )

    # pattern
    tgtPattern: bool = setting(
        False,
        "",
        None,
        None,
        "the targets are a pattern that was copied to this stage position: there are no references of their own",
    )
    alignToP: bool = setting(
        False, "", None, None, "align View images to the reference of a hole in buffer P"
    )
    refineVec: bool = setting(
        False, "", None, None, "correct the pattern's vectors by aligning its farthest targets to buffer P"
    )
    refineGeo: bool = setting(
        False, "", None, None, "correct pretilt and rotation by CTF fits of the images at the start tilt"
    )
    fitLimit: float = setting(
        30.0, "Å", 1, 1000, "refineGeo: resolution that a CTF fit must reach to be believed"
    )
    parabolTh: int = setting(
        9,
        "fits",
        3,
        1000,
        "refineGeo: number of good fits from which a paraboloid takes the place of the plane",
    )

    # session
    beamTiltComp: bool = setting(
        True, "", None, None, "compensate the beam tilt that image shift brings (coma)"
    )
    addAF: bool = setting(False, "", None, None, "autofocus on the tracking target at each change of branch")
    offTargetAF: str = setting(
        "never",
        "",
        None,
        None,
        "when to autofocus at a place of its own beside the targets",
        choices=("never", "branch", "tilt"),
    )
    offTargetAFAngle: float = setting(
        0.0, "deg", 0, 80, "offTargetAF tilt: only at tilts at least this far from 0"
    )
    offTargetAFX: float = setting(
        6.0, "µm", -50, 50, "place of that autofocus along the tilt axis, from the tracking target"
    )
    offTargetAFY: float = setting(
        0.0,
        "µm",
        -50,
        50,
        "place of that autofocus across the tilt axis, from the tracking target, at tilt 0",
    )
    previewAli: bool = setting(
        True, "", None, None, "align every target to its Preview reference before the series; costs dose"
    )
    viewAli: bool = setting(
        False, "", None, None, "align every target to its View reference before the series"
    )
    realignToItem: bool = setting(
        False,
        "",
        None,
        None,
        "find the area with SerialEM's Realign to Item instead of moving there and comparing View",
    )
    refFromPreview: bool = setting(
        False,
        "",
        None,
        None,
        "take a Preview of each target that has none when it has been found, as its reference",
    )
    noZeroRecAli: bool = setting(
        False, "", None, None, "do not align the images at the start tilt to the Preview references"
    )

    # output
    sortByTilt: bool = setting(
        True, "", None, None, "sort complete series by tilt; the metadata as it was goes to unsorted/"
    )
    unsortedMdoc: str = setting(
        "folder",
        "",
        None,
        None,
        "sortByTilt: keep the metadata as it was in unsorted/, or beside the stack (NAME_unsorted.mrc.mdoc), where it "
        "misleads some importers",
        choices=("folder", "beside"),
    )
    binFinalStack: int = setting(
        1,
        "",
        1,
        16,
        "binning of complete series by Fourier cropping; without frames the unbinned ones go to unbinned/",
    )
    delFinalStack: bool = setting(
        False,
        "",
        None,
        None,
        "delete complete stacks of which all frames were saved, and keep metadata and frames",
    )
    doCtfFind: bool = setting(
        False, "", None, None, "fit the CTF of each image with SerialEM's CtfFind where Ctfplotter does not"
    )
    doCtfPlotter: bool = setting(
        True, "", None, None, "fit the CTF of each image with IMOD's Ctfplotter, if it is installed"
    )
    extendedMdoc: bool = setting(
        True,
        "",
        None,
        None,
        "write position, residual, doses, order, target and settings of each image into its metadata",
    )

    # hardware
    slowTilt: bool = setting(
        False,
        "",
        None,
        None,
        "approach every tilt with a backlash step, for stages that do not reach large steps precisely",
    )
    taOffsetPos: float = setting(0.0, "µm", -20, 20, "additional tilt axis offset for tilts above the start")
    taOffsetNeg: float = setting(0.0, "µm", -20, 20, "additional tilt axis offset for tilts below the start")
    checkDewar: bool = setting(True, "", None, None, "wait before an image while dewars are being filled")
    cryoARM: bool = setting(
        False, "", None, None, "on a JEOL CRYO ARM: fill its dewars together and wait until it is done"
    )
    coldFEG: bool = setting(False, "", None, None, "flash a cold field-emission gun when it is due")
    flashInterval: float = setting(
        -1.0,
        "h",
        -1,
        1000,
        "coldFEG: hours between flashes; -1 for when dewars are filled or the microscope advises it",
    )
    slitInterval: float = setting(
        0.0, "min", 0, 10000, "minutes between refinements of the energy filter slit; 0 for never"
    )
    checkValves: bool = setting(True, "", None, None, "see before each image that the column valves are open")
    reopenValves: bool = setting(
        True, "", None, None, "checkValves: open valves that have closed; False to wait until somebody does"
    )
    valveWait: float = setting(
        30.0, "min", 0, 10000, "checkValves: how long to wait for the valves before the area is given up"
    )

    # limits and tracking model
    imageShiftLimit: float = setting(20.0, "µm", 0.1, 100, "largest image shift that may be applied")
    dataPoints: int = setting(
        4, "images", 1, 100, "latest images of a branch from which the eucentric offset is estimated"
    )
    alignLimit: float = setting(
        0.5, "µm", 0.01, 10, "largest shift that an alignment between two tilts may find"
    )
    alignImages: int = setting(
        3,
        "images",
        0,
        5,
        "latest images of a target and branch that each one is aligned to, brought to its tilt; "
        "0 for SerialEM's AlignTo with the last one",
    )
    minCounts: float = setting(
        0.0,
        "counts/s",
        0,
        1000000000.0,
        "mean counts under which a branch of a target ends; 0 to go by each target's own history only",
    )
    ignoreNegStart: bool = setting(
        True, "", None, None, "use the predicted instead of the measured first shift of the second branch"
    )
    tracker: str = setting(
        "joint",
        "",
        None,
        None,
        "model that predicts where targets move: all together, or each for itself as PACEtomo does (only then "
        "dataPoints and ignoreNegStart have an effect)",
        choices=("joint", "single"),
    )
    stageProfile: str = setting(
        "",
        "",
        None,
        None,
        "file of what past series have shown of the stage, for tracker joint; in the session folder, or with its path",
    )
    updateProfile: bool = setting(
        False, "", None, None, "add the series of each finished run to the stage profile"
    )

    # montage
    tgtMontage: bool = setting(
        False, "", None, None, "image every target as a small montage, a stack for each tile"
    )
    tgtMntSize: tuple[int, int] = setting(
        (1, 1), "tiles", 1, 15, "montage: tiles along the camera's X and Y, both odd"
    )
    tgtMntOverlap: float = setting(
        0.05, "", 0, 0.9, "montage: overlap of neighbouring tiles as a share of the image"
    )
    tgtMntXOffset: float = setting(
        0.0,
        "µm",
        -5,
        5,
        "montage: travel of all tiles along the tilt axis, from minus this at the lowest tilt to plus at the highest",
    )
    tgtMntFocusCor: bool = setting(
        False, "", None, None, "montage: correct the focus of each tile for its height on the inclined sample"
    )
    tgtTrackMnt: bool = setting(False, "", None, None, "montage: image the tracking target as a montage, too")

    # after an interruption
    retakeLost: str = setting(
        "ask",
        "",
        None,
        None,
        "take an image again that may have been exposed and is lost; ask takes it as no where nobody can answer",
        choices=("never", "ask", "always"),
        switch=("never", "always"),
    )

    # help with trouble
    watchdogFactor: float = setting(
        1.0,
        "",
        0,
        1000,
        "longer (above 1) or shorter times after which a command of SerialEM is said to hang; 0 for never",
    )
    watchdogCommand: str = setting(
        "",
        "",
        None,
        None,
        "shell command to run when one does, for example to send mail; it finds the text in PACETOMO_MESSAGE and the "
        "area in PACETOMO_AREA",
    )
    debug: bool = setting(
        False,
        "",
        None,
        None,
        "write every command to SerialEM and what it answered into a file beside the journal",
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
        bool, int, float, str, or tuple for several numbers.
    default : bool, int, float, str, pair of int, or tuple of float
        Value when nobody says otherwise.
    low, high : float or None
        Limits, both allowed values themselves.
    choices : tuple of str, or None
        The words that a text setting may be; None for any line of text, and for what is no text.
    switch : pair of str, or None
        Which of them False and True stand for.
    length : int or None
        How many numbers a tuple has; None for one or more.
    """

    name: str
    kind: type
    default: SettingValue
    unit: str
    low: float | None
    high: float | None
    help: str
    choices: tuple[str, ...] | None
    switch: tuple[str, str] | None
    length: int | None = 2

    @property
    def is_whole(self) -> bool:
        """Whether only whole numbers are values of this setting."""
        return self.kind is int or (isinstance(self.default, tuple) and isinstance(self.default[0], int))

    @property
    def allowed(self) -> str:
        """The allowed values in words.

        >>> SETTING_ROWS["startTilt"].allowed
        '-80 to 80 deg'
        """
        if self.choices is not None:
            words = " or ".join(self.choices)
            return (
                words
                if self.switch is None
                else f"{words} (False is {self.switch[0]}, True {self.switch[1]})"
            )
        if self.kind is str:
            return "text"
        if self.kind is bool:
            return "True or False"
        if self.kind is tuple:
            count = "one or more numbers" if self.length is None else "two numbers"
            return f"{count}, {self.low:g} to {self.high:g} {self.unit}"
        return f"{self.low:g} to {self.high:g} {self.unit}".rstrip()


def rows_of(table: type[Any]) -> dict[str, SettingRow]:
    """Return the settings that a dataclass declares, by name; every one of them has a default."""
    defaults = table()
    return {
        item.name: SettingRow(
            item.name, type(getattr(defaults, item.name)), getattr(defaults, item.name), **item.metadata
        )
        for item in fields(table)
    }


SETTING_ROWS: dict[str, SettingRow] = rows_of(Settings)


def describe_settings() -> tuple[SettingRow, ...]:
    """Return all settings in the order in which they are shown to people."""
    return tuple(SETTING_ROWS.values())
