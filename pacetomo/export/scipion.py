"""Scipion: one ``NAME.mdoc`` a series, with the stack of that name beside it or with the frames.

Scipion takes dates for the order of acquisition, adds the doses of the images up in it, and takes the sections of a
stack for images from the lowest tilt to the highest, whatever the metadata say. So the sections stand in order of tilt,
and so must those of the stack. It makes names of series out of those of the files: without dots, and without what would
give two of them the same name.
"""

from __future__ import annotations

from collections.abc import Sequence

from pacetomo.export.mdocs import mdoc_files, views_by_tilt
from pacetomo.export.product import Options, Product
from pacetomo.export.series import Series


def scipion_files(all_series: Sequence[Series], options: Options) -> Product:
    """Return the files of all series, sections in order of tilt."""
    return mdoc_files(all_series, options, "Scipion's import of movies", views_by_tilt)
