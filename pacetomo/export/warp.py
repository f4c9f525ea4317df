"""Warp: metadata for `WarpTools ts_import`, a folder with one ``NAME.mdoc`` a series.

Warp finds the order of acquisition by `DateTime`, in SerialEM's form with two blanks, the frames by the name at the end
of `SubFramePath`, and the tilt axis by the title, in IMOD's convention; it turns the tilt angles' sign by itself. The
dose of an image is stated with ``--tilt_exposure``.
"""

from __future__ import annotations

from collections.abc import Sequence

from pacetomo.export.mdocs import mdoc_files
from pacetomo.export.product import Options, Product
from pacetomo.export.series import Series


def warp_files(all_series: Sequence[Series], options: Options) -> Product:
    """Return the files of all series, sections in order of acquisition."""
    return mdoc_files(all_series, options, "Warp")
