"""nextPYP: ``NAME.mdoc``, ``NAME.rawtlt`` and names of frames, each series for itself.

nextPYP takes a series by the name of its metadata. Where it is to go by the names of frames instead, their numbers must
count the images of one series; those of a parallel session count all targets. ``NAME_frames.txt`` says what each frame
file would have to be called for the pattern ``TILTSERIES_SCANORD_ANGLE``: present name, a tabulator, new name.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from pacetomo.export.mdocs import mdoc_files
from pacetomo.export.product import File, Options, Product, safe_name
from pacetomo.export.series import Series, View


def nextpyp_files(all_series: Sequence[Series], options: Options) -> Product:
    """Return the files of all series; metadata and tilts in the order of `nextpyp_views`."""
    product = mdoc_files(all_series, options, "nextPYP's import of frames", nextpyp_views)
    files = list(product.files)
    for series in all_series:
        name = safe_name(series.name)
        files.append(
            File(f"{name}.rawtlt", "".join(f"{view.tilt_deg:7.2f}\n" for view in nextpyp_views(series)))
        )
        if series.has_frames:
            files.append(File(f"{name}_frames.txt", _frame_names(series, name)))
    return product._replace(files=tuple(files))


def nextpyp_views(series: Series) -> Sequence[View]:
    """Return views in order of acquisition, as nextPYP counts frames; in that of the stack where that is all."""
    return series.by_time if series.has_frames else series.views


def _frame_names(series: Series, name: str) -> str:
    lines = []
    for view in series.by_time:
        frames = view.frame_name or ""
        new = f"{name}_{view.order:03d}_{round(view.tilt_deg, 1) + 0.0:.1f}{PurePosixPath(frames).suffix}"
        lines.append(f"{frames}\t{new}\n")
    return "".join(lines)
