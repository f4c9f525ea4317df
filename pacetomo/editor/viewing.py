"""Which part of the specimen plane is shown, and which way round. Pure.

The view is a rectangle of the *plot plane*, whose X runs to the right and Y up on the screen. It is the specimen
plane with axes swapped or mirrored as the user wishes, so that it looks like SerialEM's image.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from pacetomo.frames import ORIGIN, XY, Matrix2

CLOSEST_UM_PER_PX = 1e-4
FARTHEST_UM_PER_PX = 10.0


@dataclass(frozen=True)
class Orientation:
    """How the specimen plane lies on the screen.

    Attributes
    ----------
    swap : bool
        Whether the specimen's X axis runs up instead of to the right.
    mirror_x, mirror_y : bool
        Whether the specimen's axis points the other way.
    """

    swap: bool = False
    mirror_x: bool = False
    mirror_y: bool = False

    def matrix(self) -> Matrix2:
        """Specimen to plot plane; its own inverse up to the swap."""
        x, y = (-1.0 if self.mirror_x else 1.0), (-1.0 if self.mirror_y else 1.0)
        return Matrix2(0.0, y, x, 0.0) if self.swap else Matrix2(x, 0.0, 0.0, y)

    def to_plot(self, place_um: XY) -> XY:
        """Specimen coordinates (µm) to those of the plot plane.

        >>> Orientation(swap=True, mirror_x=True).to_plot(XY(1.0, 2.0))
        XY(x=2.0, y=-1.0)
        """
        return self.matrix().apply(place_um)

    def to_specimen(self, plot_um: XY) -> XY:
        """Coordinates of the plot plane (µm) to those of the specimen."""
        return self.matrix().inverse().apply(plot_um)


@dataclass(frozen=True)
class View:
    """The part of the plot plane that is shown; a µm is as long in X as in Y.

    Attributes
    ----------
    centre_um : XY
        Middle of the view in the plot plane.
    um_per_px : float
        Scale.
    size_px : (float, float)
        Width and height of the plot on the screen.
    """

    centre_um: XY = ORIGIN
    um_per_px: float = 0.02
    size_px: tuple[float, float] = (800.0, 600.0)

    @property
    def limits(self) -> tuple[float, float, float, float]:
        """Left, right, bottom and top of the view (µm)."""
        x, y = (size * self.um_per_px / 2 for size in self.size_px)
        return self.centre_um.x - x, self.centre_um.x + x, self.centre_um.y - y, self.centre_um.y + y

    def at(self, x_px: float, y_px: float) -> XY:
        """Place (µm) under a pixel, counted from the upper left corner of the plot."""
        left, _, _, top = self.limits
        return XY(left + x_px * self.um_per_px, top - y_px * self.um_per_px)

    def pixel(self, plot_um: XY) -> tuple[float, float]:
        """Pixel, from the upper left corner of the plot, at which a place (µm) is."""
        left, _, _, top = self.limits
        return (plot_um.x - left) / self.um_per_px, (top - plot_um.y) / self.um_per_px

    def panned(self, dx_px: float, dy_px: float) -> View:
        """Return the view after its content was pulled to the right and down by so many pixels."""
        return replace(
            self, centre_um=self.centre_um.plus(XY(-dx_px * self.um_per_px, dy_px * self.um_per_px))
        )

    def zoomed(self, factor: float, fixed_um: XY | None = None) -> View:
        """Return the view with its content larger by a factor; one place stays where it is on the screen."""
        fixed = self.centre_um if fixed_um is None else fixed_um
        scale = min(max(self.um_per_px / factor, CLOSEST_UM_PER_PX), FARTHEST_UM_PER_PX)
        away = self.centre_um.minus(fixed).scaled(scale / self.um_per_px)
        return replace(self, um_per_px=scale, centre_um=fixed.plus(away))

    def resized(self, width_px: float, height_px: float) -> View:
        """Return the view on a plot of another size, with the same middle and scale."""
        return replace(self, size_px=(max(width_px, 1.0), max(height_px, 1.0)))

    def fitted(self, places_um: Iterable[XY], margin_um: float = 1.0) -> View:
        """Return the view that shows all these places of the plot plane with a margin; itself without any."""
        places = list(places_um)
        if not places:
            return self
        left, right = min(p.x for p in places) - margin_um, max(p.x for p in places) + margin_um
        bottom, top = min(p.y for p in places) - margin_um, max(p.y for p in places) + margin_um
        scale = max((right - left) / self.size_px[0], (top - bottom) / self.size_px[1], CLOSEST_UM_PER_PX)
        return replace(self, centre_um=XY((left + right) / 2, (bottom + top) / 2), um_per_px=scale)
