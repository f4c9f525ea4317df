"""RELION 5: the table of all series that its import writes, one table for each series, and metadata for its importer.

``tilt_series.star`` goes in place of an import job: series by name, with optics, and the table of each in
``tilt_series/NAME.star``, its images in order of acquisition. With frames it is what motion correction takes; where no
frames were saved it names the sections of the stack, as if motion correction had been done. ``mdoc/`` holds one
``NAME.mdoc`` a series for those who let RELION import: two of one series would be taken for two series.

RELION projects a tomogram with ``Rz(ZRot) Ry(YTilt)`` about the pixel ``size // 2`` of the image, then shifts by
`rlnTomoXShiftAngst`, `rlnTomoYShiftAngst`: ZRot is the axis in IMOD's convention, and the shift is where the target is
seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from pacetomo.export.mdocs import mdoc_files
from pacetomo.export.product import File, Options, Product, Remark, safe_name, stack_name
from pacetomo.export.series import Fit, Series, View
from pacetomo.export.star import Value, star_table
from pacetomo.frames import ORIGIN

_GLOBAL = (
    "rlnTomoName",
    "rlnTomoTiltSeriesStarFile",
    "rlnVoltage",
    "rlnSphericalAberration",
    "rlnAmplitudeContrast",
    "rlnMicrographOriginalPixelSize",
    "rlnTomoHand",
    "rlnOpticsGroupName",
    "rlnTomoTiltSeriesPixelSize",
)
_VIEW = (
    "rlnTomoNominalStageTiltAngle",
    "rlnTomoNominalTiltAxisAngle",
    "rlnMicrographPreExposure",
    "rlnTomoXTilt",
    "rlnTomoYTilt",
    "rlnTomoZRot",
    "rlnTomoXShiftAngst",
    "rlnTomoYShiftAngst",
)
_NOMINAL = ("rlnTomoNominalDefocus",)
_FIT = ("rlnDefocusU", "rlnDefocusV", "rlnDefocusAngle", "rlnCtfAstigmatism")
_FRAMES = ("rlnMicrographMovieName", "rlnTomoTiltMovieFrameCount")
_SECTION = ("rlnMicrographName",)

_SUPER_RESOLUTION = "2"
_DEFAULT_FRAMES = "frames"
_OPTICS_GROUP = "opticsGroup1"


def relion5_files(all_series: Sequence[Series], options: Options) -> Product:
    """Return the files of all series."""
    rows: list[list[Value]] = []
    files: list[File] = []
    remarks: list[Remark] = []
    for series in all_series:
        name = safe_name(series.name)
        table = f"tilt_series/{name}.star"
        files.append(File(table, _table(series, name, options)))
        rows.append(
            [
                name,
                table,
                float(series.voltage_kv or options.voltage_kv),
                options.spherical_aberration_mm,
                options.amplitude_contrast,
                _frame_pixel(series, options),
                options.hand,
                _OPTICS_GROUP,
                series.pixel_angstrom,
            ]
        )
        remarks += [Remark(series.name, text) for text in _warnings(series, options)]
    mdocs = mdoc_files(all_series, options, "RELION")
    table_of_all = File("tilt_series.star", star_table("global", _GLOBAL, rows))
    beside = tuple(File(f"mdoc/{file.name}", file.text) for file in mdocs.files)
    return Product((*files, *beside, table_of_all), (*remarks, *mdocs.remarks))


def _table(series: Series, name: str, options: Options) -> str:
    """Images in order of acquisition; what is not known of all of them gets no column."""
    labels = [*(_FRAMES if series.has_frames else _SECTION), *_VIEW]
    rows = [[*_names(series, view, options), *_values(series, view)] for view in series.by_time]
    nominal = [view.nominal_defocus_um for view in series.by_time]
    fits = [view.fit for view in series.by_time]
    if None not in nominal:
        labels += _NOMINAL
        rows = [[*row, value] for row, value in zip(rows, nominal) if value is not None]
    if None not in fits:
        labels += _FIT
        rows = [[*row, *_fit_values(fit)] for row, fit in zip(rows, fits) if fit is not None]
    return star_table(name, labels, rows)


def _names(series: Series, view: View, options: Options) -> list[Value]:
    if series.has_frames and view.frame_name is not None:
        folder = PurePosixPath(options.frames or _DEFAULT_FRAMES)
        return [str(folder / view.frame_name), view.frame_count or 1]
    # RELION takes a file for a volume whose name does not end in .mrcs, unless told otherwise behind a colon.
    return [f"{view.section + 1:06d}@{stack_name(series)}:mrcs"]


def _values(series: Series, view: View) -> list[Value]:
    seen = view.off_centre_px or ORIGIN
    columns, rows = series.size_px
    # Pixel `size // 2` lies half a pixel beyond the centre of an even number of pixels.
    right, up = seen.x + (columns - 1) / 2 - columns // 2, seen.y + (rows - 1) / 2 - rows // 2
    return [
        view.tilt_deg,
        series.axis_deg,
        view.prior_dose_e_per_a2 or 0.0,
        0.0,
        view.tilt_deg,
        series.axis_deg,
        right * series.pixel_angstrom,
        up * series.pixel_angstrom,
    ]


def _fit_values(fit: Fit) -> list[Value]:
    strongest, weakest = 10 * fit.strongest_nm, 10 * fit.weakest_nm
    return [strongest, weakest, fit.angle_deg, strongest - weakest]


def _frame_pixel(series: Series, options: Options) -> float:
    """Å per pixel of the frames: of a physical pixel, which is what most cameras' frames have."""
    if options.frame_pixel_angstrom is not None:
        return options.frame_pixel_angstrom
    binning = series.views[0].image.get_float("Binning") or 1.0
    return series.pixel_angstrom / max(1.0, binning)


def _warnings(series: Series, options: Options) -> list[str]:
    views, warnings = series.views, []
    if series.voltage_kv is None:
        warnings.append(f"the metadata do not tell the voltage, {options.voltage_kv:g} kV is written")
    fits = sum(view.fit is not None for view in views)
    if 0 < fits < len(views):
        warnings.append(
            f"{len(views) - fits} of {len(views)} images have no CTF fit, so no defocus is written"
        )
    modes = {view.image.text("OperatingMode") for view in views}
    if series.has_frames and options.frame_pixel_angstrom is None and _SUPER_RESOLUTION in modes:
        warnings.append(
            "recorded in super-resolution: if the frames have half the pixel of the camera, state it with --frame-pixel"
        )
    if not series.has_frames:
        warnings.append(
            "no frames are named, so the sections of the stack are: put it beside tilt_series.star"
        )
    return warnings
