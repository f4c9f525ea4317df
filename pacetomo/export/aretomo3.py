"""AreTomo3: one ``NAME.mdoc`` a series, to be put beside the frames (``-InSuffix .mdoc``).

AreTomo3 takes the number of a section for the order of acquisition, so sections stand in that order and count from 0.
It looks for the frames, by the name at the end of `SubFramePath`, where the metadata are. ``-TiltAxis`` is the axis of
the title, in IMOD's convention.
"""

from __future__ import annotations

from collections.abc import Sequence

from pacetomo.export.mdocs import mdoc_files
from pacetomo.export.product import Options, Product
from pacetomo.export.series import Series


def aretomo3_files(all_series: Sequence[Series], options: Options) -> Product:
    """Return the files of all series, sections in order of acquisition."""
    return mdoc_files(all_series, options, "AreTomo3")
