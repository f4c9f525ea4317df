"""A figure of the lattice found in an image, for the person who is asked whether it is right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pacetomo.selection.lattice import FoundLattice

ARROW_COLOURS = ("#e69f00", "#56b4e9")
SEEN_COLOUR, UNSEEN_COLOUR = "#009e73", "#d55e00"


def save_lattice_figure(path: Path, pixels: NDArray[Any], found: FoundLattice) -> None:
    """Write the image with the holes that were seen, those that were not, and both vectors.

    Parameters
    ----------
    path : Path
        A PNG file; one that is there is replaced.
    pixels : array (rows, columns)
        The image, top row first.
    found : FoundLattice
        What was found in it, with its calibration.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import Circle

    rows, columns = pixels.shape
    figure = Figure(figsize=(9, 9 * rows / columns + 0.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    low, high = np.percentile(pixels, (1, 99))
    axes.imshow(pixels, cmap="gray", vmin=float(low), vmax=float(high))
    for hole in found.holes:
        colour = SEEN_COLOUR if hole.is_seen else UNSEEN_COLOUR
        style = "-" if hole.is_seen else ":"
        axes.add_patch(
            Circle(
                (hole.at_px.x, hole.at_px.y),
                found.diameter_px / 2,
                fill=False,
                color=colour,
                ls=style,
                lw=1.5,
            )
        )
    middle = found.middle_hole.at_px
    for name, vector, colour in zip(("vecA", "vecB"), (found.a_px, found.b_px), ARROW_COLOURS):
        tip = middle.plus(vector)
        axes.annotate(
            "",
            xy=(tip.x, tip.y),
            xytext=(middle.x, middle.y),
            arrowprops={"arrowstyle": "->", "color": colour, "lw": 2.5},
        )
        axes.annotate(name, xy=(tip.x, tip.y), color=colour, fontsize=12, weight="bold")
    a, b = found.vectors_um
    axes.set_title(
        f"{found.kind.value} lattice: vecA ({a.x:.3f}, {a.y:.3f}), vecB ({b.x:.3f}, {b.y:.3f}) µm; "
        f"{len(found.seen)} of {len(found.holes)} holes seen (dotted: not seen)",
        fontsize=10,
    )
    axes.set_axis_off()
    figure.savefig(path, dpi=100)
