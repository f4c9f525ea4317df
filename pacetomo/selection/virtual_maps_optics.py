"""How View and Preview images would be taken: from the microscope, or in a dummy instance from maps and settings."""

from __future__ import annotations

from pathlib import Path

from pacetomo.errors import PaceError
from pacetomo.files.navigator import NavFile, NavItem
from pacetomo.files.navigator_maps import find_map_file
from pacetomo.scope.desk import Desk, Optics
from pacetomo.scope.protocol import Area, Level
from pacetomo.script_tables import MontageTargetSettings
from pacetomo.selection.virtual_maps_files import PREVIEW_SET, VIEW_SET, Kind
from pacetomo.selection.virtual_maps_image import MapImage, read_map_image

RECORD_SET = 3


def kinds_of(
    desk: Desk, navigator: NavFile, folder: Path, source: MapImage, wanted: MontageTargetSettings
) -> list[Kind]:
    """View and, if wanted and known, Preview.

    Raises
    ------
    PaceError
        When the microscope cannot tell.
    """
    if not desk.is_dummy():
        kinds = [Kind(VIEW_SET, desk.optics(Area.VIEW))]
        return kinds if wanted.onlyView else [*kinds, Kind(PREVIEW_SET, desk.optics(Area.PREVIEW))]
    view = _optics_of_map(navigator, folder, (VIEW_SET,), source)
    kinds = [Kind(VIEW_SET, view or optics_of(source))]
    if wanted.onlyView:
        return kinds
    preview = _from_settings(source, wanted) or _optics_of_map(
        navigator, folder, (PREVIEW_SET, RECORD_SET), source
    )
    if preview is None:
        desk.tell(
            "Warning: nothing in this dummy instance tells how Preview images are taken, so only View maps are made: "
            "set previewPixel and previewSize, or have a Preview map in the Navigator",
            Level.WARNING,
        )
        return kinds
    return [*kinds, Kind(PREVIEW_SET, preview)]


def optics_of(image: MapImage) -> Optics:
    """How the pieces of a map were taken."""
    section = image.section(0)

    def number(key: str, default: float) -> float:
        found = None if section is None else section.get_float(key)
        return default if found is None else found

    data = image.item.map_data
    return Optics(
        columns=image.header.columns,
        rows=image.header.rows,
        pixel_um=image.pixel_um,
        binning=number("Binning", float(data.montage_binning or data.binning)),
        rotation_deg=image.rotation_deg,
        magnification_index=data.magnification_index,
        magnification=number("Magnification", 0.0),
        exposure_s=number("ExposureTime", 1.0),
    )


def _optics_of_map(
    navigator: NavFile, folder: Path, camera_sets: tuple[int, ...], source: MapImage
) -> Optics | None:
    """How images of a low-dose area were taken, by the map to cut from or another one; None if no map tells."""
    if source.item.map_data.low_dose_set in camera_sets:
        return optics_of(source)
    for item in navigator.items:
        if item.is_map and item.get_int("MapLDConSet", -1) in camera_sets and item.get_int("MapMontage") == 0:
            found = _read_optics(navigator, folder, item)
            if found is not None:
                return found
    return None


def _read_optics(navigator: NavFile, folder: Path, item: NavItem) -> Optics | None:
    try:
        return optics_of(read_map_image(item, find_map_file(navigator, folder, item)))
    except PaceError:
        # Any other map of its kind will do; without one it is told that none is there.
        return None


def _from_settings(source: MapImage, wanted: MontageTargetSettings) -> Optics | None:
    """Preview as the settings describe it, rotated as the map is; None if they do not."""
    columns, rows = wanted.previewSize
    if not (wanted.previewPixel > 0.0 and columns > 0 and rows > 0):
        return None
    return optics_of(source)._replace(columns=columns, rows=rows, pixel_um=wanted.previewPixel / 1000)
