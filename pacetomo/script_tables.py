"""The settings of the scripts beside the acquisition: choosing targets, measuring geometry and tilt axis offset.

Names and defaults are PACEtomo's where it has them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from pacetomo.settings_table import setting


@dataclass(frozen=True)
class SelectionSettings:
    """What `scripts/selectTargets.py` does."""

    # ways
    guidance: bool = setting(
        True, "", None, None, "message boxes that say what to do; off: keys b, v, r, f and the log"
    )
    targetByShift: bool = setting(
        False, "", None, None, "type the shifts of targets instead of dragging them"
    )
    targetPattern: bool = setting(False, "", None, None, "targets on a lattice, such as the holes of a film")
    targetPolygon: bool = setting(
        False, "", None, None, "targets filling the Navigator polygon that is selected"
    )
    fromGroup: str = setting(
        "ask",
        "",
        None,
        None,
        "what to do with the points of the selected item's group",
        choices=("ask", "refine", "as they are", "no"),
    )
    allViewsFirst: bool = setting(
        False, "", None, None, "choose all positions in View first, then take all Previews in one go"
    )
    previewsPerTarget: int = setting(
        1, "images", 1, 9, "Previews around each position to choose from, with allViewsFirst"
    )
    useSearch: bool = setting(False, "", None, None, "drag in Search instead of View")
    outputName: str = setting("", "", None, None, "root name of the files; empty to be asked")

    # pattern
    alignToP: bool = setting(False, "", None, None, "refine the lattice by the image of a hole in buffer P")
    size: int = setting(1, "holes", 0, 20, "how many holes the pattern reaches to each side: 1 is 3 x 3")
    vecA: tuple[float, ...] = setting(
        (0.0, 0.0), "µm", -1000, 1000, "vector from a hole to its neighbour (specimen); 0, 0 to be found"
    )
    vecB: tuple[float, ...] = setting(
        (0.0, 0.0), "µm", -1000, 1000, "vector to the neighbour on the other side; 0, 0 to be found"
    )
    registerPattern: bool = setting(
        True,
        "",
        None,
        None,
        "measure at holes around the pattern how View and Record differ (a Preview of each)",
    )
    patternRot: float = setting(
        0.0, "deg", -360, 360, "turn of the pattern that fills a polygon against the tilt axis"
    )
    packing: str = setting(
        "hexagonal", "", None, None, "how a polygon is filled", choices=("hexagonal", "square")
    )
    avoid: str = setting(
        "nothing",
        "",
        None,
        None,
        "what is left out when a polygon is filled, by the brightness of its map",
        choices=("nothing", "bright", "dark", "bright and dark"),
    )
    copyToAcquire: bool = setting(
        False, "", None, None, "copy the pattern to all Navigator points that are set to Acquire"
    )

    # beam and shift
    drawBeam: bool = setting(True, "", None, None, "draw the beam at each target as a Navigator polygon")
    beamDiameter: float = setting(
        0.0, "µm", 0, 100, "diameter of the beam; 0 for the illuminated area that the column reports"
    )
    maxTilt: float = setting(
        60.0, "deg", 0, 80, "tilt for which the beam is drawn, stretched across the tilt axis"
    )
    tgtMntSize: tuple[int, int] = setting(
        (1, 1), "tiles", 1, 99, "tiles of each target, whose outline is drawn in place of the beam"
    )
    tgtMntOverlap: float = setting(0.05, "", 0, 0.9, "overlap of neighbouring tiles")
    imageShiftLimit: float = setting(
        20.0, "µm", 0.1, 100, "farthest image shift, which targets must not pass"
    )
    edit: bool = setting(False, "", None, None, "open the target editor when all targets are chosen")


@dataclass(frozen=True)
class MontageTargetSettings:
    """What `scripts/targetsFromMontage.py` does."""

    noUI: bool = setting(
        False, "", None, None, "ask nothing, as in a batch: take names and all points as they are"
    )
    prefix: str = setting("", "", None, None, "beginning of the files' names; empty for the map's label")
    onlyView: bool = setting(
        False, "", None, None, "cut View maps only; Previews are taken when the area is acquired"
    )
    previewPixel: float = setting(
        0.0,
        "nm",
        0,
        100,
        "pixel of Preview images in a dummy instance; 0 for that of a Preview map in the Navigator",
    )
    previewSize: tuple[int, ...] = setting(
        (0, 0), "px", 0, 20000, "columns and rows of Preview images in a dummy instance, with previewPixel"
    )
    imageShiftLimit: float = setting(
        20.0, "µm", 0.1, 100, "farthest image shift, which targets must not pass"
    )


@dataclass(frozen=True)
class GeometrySettings:
    """What `scripts/measureGeometry.py` does."""

    points: str = setting(
        "ask",
        "",
        None,
        None,
        "where defocus is measured",
        choices=("ask", "group", "file", "placed"),
    )
    delayIS: float = setting(0.3, "s", 0, 60, "pause between image shift and measurement")
    imageShiftLimit: float = setting(20.0, "µm", 0.1, 100, "farthest image shift, which points must not pass")
    apply: bool = setting(
        False, "", None, None, "write pretilt and rotation into the target file without asking"
    )
    plot: bool = setting(True, "", None, None, "save a figure, and show it where there is a display")


@dataclass(frozen=True)
class OffsetSettings:
    """What `scripts/measureOffset.py` does."""

    increment: float = setting(5.0, "deg", 0.5, 30, "step from tilt to tilt")
    maxTilt: float = setting(15.0, "deg", 2, 60, "largest tilt to each side")
    offset: tuple[float, ...] = setting(
        (5.0,),
        "µm",
        0.5,
        20,
        "distances from the axis at which defocus is measured, on both sides",
        length=None,
    )
    passes: int = setting(
        8,
        "",
        2,
        20,
        "most runs through the tilts, up and down in turn; fewer where they are accurate enough",
    )
    accuracy: float = setting(
        0.04, "µm", 0.005, 1, "standard error of the offset at which no further run is needed"
    )
    eucentric: bool = setting(True, "", None, None, "find the eucentric height first")
    delayIS: float = setting(0.3, "s", 0, 60, "pause between image shift and measurement")
    delayTilt: float = setting(1.0, "s", 0, 600, "pause after a tilt of the stage")
    imageShiftLimit: float = setting(20.0, "µm", 0.1, 100, "farthest image shift")
    plot: bool = setting(True, "", None, None, "save a figure, and show it where there is a display")
    apply: bool = setting(False, "", None, None, "set the tilt axis offset in SerialEM without asking")


OTHER_NAMES = frozenset(
    item.name
    for table in (SelectionSettings, MontageTargetSettings, GeometrySettings, OffsetSettings)
    for item in fields(table)
)
"""All names of settings that these scripts know."""
