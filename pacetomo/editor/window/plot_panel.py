"""The targets drawn on the plot: which figures go into which layer."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Optional

import dearpygui.dearpygui as dpg

from pacetomo.editor import drawing, looks, shapes
from pacetomo.editor.desk import Desk
from pacetomo.editor.looks import LOOKS, Look, Scale, State
from pacetomo.editor.rows import Row
from pacetomo.editor.shapes import Lines, Shade
from pacetomo.editor.viewing import Orientation
from pacetomo.editor.window.canvas import Canvas, Label
from pacetomo.errors import PlanError
from pacetomo.frames import ORIGIN, XY
from pacetomo.overlap import Overlap

_SCORE_STEPS = 10
_LEAST_SPACING_FOR_LABELS_EM = 2.6
_MOST_LABELS_OF_A_CROWD = 30
_COARSE = ((10.0, 6), (20.0, 4), (48.0, 2))


@dataclass(frozen=True)
class Shown:
    """What the plot shows beside the targets.

    Attributes
    ----------
    orientation : Orientation
        Which way round.
    tilt_deg : float
        Stage tilt at which beams are drawn.
    with_beams, by_score, with_map : bool
        Whether beam footprints, colours by score and the map are shown.
    """

    orientation: Orientation = field(default_factory=Orientation)
    tilt_deg: float = 0.0
    with_beams: bool = False
    by_score: bool = False
    with_map: bool = True


@dataclass(eq=False)
class PlotPanel:
    """Draws the document of a desk into a canvas.

    Attributes
    ----------
    desk : Desk
    canvas : Canvas
    shown : Shown
        What is shown beside the targets.
    overlaps : sequence of Overlap
        Beams that reach other targets, as far as known.
    shaded : list of Shaded
        Regions of overlaps at the tilt shown.
    is_fitted, is_touched : bool
        Whether a view has been chosen, and whether by the user.
    """

    desk: Desk
    canvas: Canvas
    shown: Shown = field(default_factory=Shown)
    overlaps: Sequence[Overlap] = ()
    shaded: list[drawing.Shaded] = field(default_factory=list)
    is_fitted: bool = False
    is_touched: bool = False
    _drawn: Optional[tuple[object, ...]] = None  # noqa: UP045 - evaluated at run time on Python 3.9
    _rows: list[Row] = field(default_factory=list)
    _spacing_um: float = 1.0

    def __post_init__(self) -> None:
        weight = max(self.canvas.text_px / 10, 1.2)
        canvas = self.canvas
        canvas.add_shade("beams", looks.BEAM)
        for dose in (0.0, *looks.OVERLAP_STEPS_E_PER_A2):
            canvas.add_shade(f"overlap {dose}", looks.overlap_colour(dose))
        canvas.add_lines("axis", looks.AXIS, weight)
        canvas.add_lines("limit", looks.LIMIT, weight * 1.2)
        canvas.add_lines("beam outlines", looks.faded(looks.YELLOW, 170), weight * 0.8)
        canvas.add_shade("skipped", (0, 0, 0, 110))
        for state, look in LOOKS.items():
            canvas.add_shade(f"field {state.name}", looks.faded(look.colour, looks.FIELD_ALPHA))
            canvas.add_lines(f"outline {state.name}", look.colour, weight)
        for step in range(_SCORE_STEPS + 1):
            colour = looks.GREY if step == _SCORE_STEPS else looks.scale_colour(step / (_SCORE_STEPS - 1))
            canvas.add_shade(f"score {step}", looks.faded(colour, 150))
            canvas.add_lines(f"score outline {step}", colour, weight)
        canvas.add_lines("selection edge", (0, 0, 0, 200), weight * 3.4)
        canvas.add_lines("selection", looks.SELECTION, weight * 1.8)
        for state, look in LOOKS.items():
            canvas.add_markers(f"marker {state.name}", look, canvas.text_px * 0.36)
        canvas.add_markers("points", looks.GEO_POINT, canvas.text_px * 0.5)
        ring = Look(looks.SELECTION, "circle", False)
        canvas.add_markers("selected points", ring, canvas.text_px * 0.7)
        canvas.add_lines("ghost", looks.YELLOW, weight * 1.3)

    # --- all of it

    def redraw(self) -> None:
        """Draw the document as it is now, or only what is selected if nothing else has changed."""
        document = self.desk.document
        if not self.is_fitted:
            self.fit()
        drawn = (document.targets, document.known.facts, self.desk.states, self.shown)
        if self._drawn is None or any(a is not b for a, b in zip(drawn, self._drawn)):
            self._drawn = drawn
            self._rows = self.desk.all_rows()
            self._spacing_um = _spacing(row.place_um for row in self._rows)
            self._draw_fields()
            self._draw_markers()
            self._draw_surroundings()
            self.redraw_beams()
        self._draw_selection()
        self.redraw_labels()

    def _plot(self, points: Iterable[XY]) -> list[XY]:
        matrix = self.shown.orientation.matrix()
        return [matrix.apply(point) for point in points]

    def _shape(self, area: str) -> list[XY]:
        """Corners of a field around its centre."""
        return self._plot(drawing.field_corners(ORIGIN, drawing.field_of(self.desk.document, area)))

    def _outlines(self, rows: Iterable[Row], with_dashes: bool = False) -> Lines:
        """Outlines of the fields of targets."""
        dash_um = drawing.record_field(self.desk.document).size_um.y / 12
        drawn = Lines([], [])
        for area, places in self._by_area(rows).items():
            shape = self._shape(area)
            lines = shapes.dashed([shape], dash_um) if with_dashes else shapes.outlines([shape])
            more = shapes.stamped(lines, places)
            drawn = Lines(drawn.x + more.x, drawn.y + more.y)
        return drawn

    def _shades(self, rows: Iterable[Row]) -> Shade:
        """Fields of targets."""
        drawn = Shade([], [], [])
        for area, places in self._by_area(rows).items():
            more = shapes.stamped_shade(shapes.shaded([self._shape(area)]), places)
            drawn = Shade(drawn.x + more.x, drawn.low + more.low, drawn.high + more.high)
        return drawn

    def _by_area(self, rows: Iterable[Row]) -> dict[str, list[XY]]:
        """Places in the plot plane by low-dose area."""
        found: dict[str, list[XY]] = defaultdict(list)
        for row in rows:
            found[row.area].append(row.place_um)
        return {area: self._plot(places) for area, places in found.items()}

    def _draw_fields(self) -> None:
        scale = looks.score_scale(row.score for row in self._rows) if self.shown.by_score else None
        by_state: dict[State, list[Row]] = defaultdict(list)
        by_score: dict[int, list[Row]] = defaultdict(list)
        for row in self._rows:
            if scale is None:
                by_state[row.state].append(row)
            else:
                by_score[_step(scale, row.score)].append(row)
        for state in LOOKS:
            is_skipped = state is State.SKIPPED
            self.canvas.draw_lines(f"outline {state.name}", self._outlines(by_state[state], is_skipped))
            # Skipped fields are darkened, which keeps their dashes visible on a bright map.
            layer = "skipped" if is_skipped else f"field {state.name}"
            self.canvas.draw_shade(layer, self._shades(by_state[state]))
        for step in range(_SCORE_STEPS + 1):
            self.canvas.draw_lines(f"score outline {step}", self._outlines(by_score[step]))
            self.canvas.draw_shade(f"score {step}", self._shades(by_score[step]))

    def _draw_selection(self) -> None:
        document = self.desk.document
        chosen = [row for row in self._rows if row.number in document.selected]
        outlines = self._outlines(chosen)
        self.canvas.draw_lines("selection edge", outlines)
        self.canvas.draw_lines("selection", outlines)
        points = [document.point_places_um[place] for place in sorted(document.selected_points)]
        self.canvas.draw_markers("selected points", self._plot(points))

    def _draw_markers(self) -> None:
        by_state: dict[State, list[XY]] = defaultdict(list)
        for row in self._rows:
            by_state[row.state].append(row.place_um)
        for state in LOOKS:
            self.canvas.draw_markers(f"marker {state.name}", self._plot(by_state[state]))
        self.canvas.draw_markers("points", self._plot(self.desk.document.point_places_um))

    def _draw_surroundings(self) -> None:
        document = self.desk.document
        self.canvas.draw_lines("limit", shapes.outlines([self._plot(drawing.limit_circle(document))]))
        start, end = self._plot(drawing.axis_line(document, drawing.bounds_of(document)))
        length = end.minus(start)
        dashes = [
            (start.plus(length.scaled(place / 60)), start.plus(length.scaled((place + part) / 60)))
            for place in range(60)
            for part in (0.25 if place % 2 else 0.75,)
        ]
        self.canvas.draw_lines("axis", shapes.strokes(dashes))

    def redraw_beams(self) -> None:
        """Draw the beams' footprints and overlaps at the tilt shown."""
        document = self.desk.document
        lines, shade = Lines([], []), Shade([], [], [])
        self.shaded = []
        if self.shown.with_beams:
            try:
                lines, shade = self._beams()
                self.shaded = drawing.shaded_overlaps(document, self.shown.tilt_deg, self.overlaps)
            except PlanError as err:  # seen edge-on there is nothing to draw, and the lower edge tells why
                self.desk.status = str(err)
        self.canvas.draw_lines("beam outlines", lines)
        self.canvas.draw_shade("beams", shade)
        steps = (0.0, *looks.OVERLAP_STEPS_E_PER_A2)
        for low, high in zip(steps, (*steps[1:], float("inf"))):
            regions = [self._plot(s.region_um) for s in self.shaded if low <= s.dose_e_per_a2 < high]
            self.canvas.draw_shade(f"overlap {low}", shapes.shaded(regions))

    def _beams(self) -> tuple[Lines, Shade]:
        """Footprints of all beams: the same ellipse around each target."""
        document = self.desk.document
        number = document.targets.tracking.number
        every = self._coarseness(self.canvas.view.um_per_px)
        shape = self._plot(drawing.footprint(document, number, self.shown.tilt_deg)[::every])
        places = self._plot(row.place_um for row in self._rows if not row.skip)
        return (
            shapes.stamped(shapes.outlines([shape]), places),
            shapes.stamped_shade(shapes.shaded([shape]), places),
        )

    def _coarseness(self, um_per_px: float) -> int:
        """Of how many corners of a footprint one is drawn: small ones are round with few."""
        radius_px = drawing.beam_um(self.desk.document) / 2 / um_per_px
        return next((every for below_px, every in _COARSE if radius_px < below_px), 1)

    def redraw_labels(self) -> None:
        """Draw the targets' numbers where there is room for them, else those of some selected ones."""
        document, em = self.desk.document, self.canvas.text_px
        crowded = self._is_crowded(self.canvas.view.um_per_px)
        some = [row for row in self._rows if not crowded or row.number in document.selected]
        if crowded and len(some) > _MOST_LABELS_OF_A_CROWD:
            some = []
        # Beside the upper right corner of the field, where the number covers neither its outline nor the marker.
        corner = {area: _upper_right(self._shape(area)) for area in {row.area for row in some}}
        labels = [
            Label(place.plus(corner[row.area]), str(row.number), (0.15 * em, -0.75 * em))
            for row, place in zip(some, self._plot(row.place_um for row in some))
        ]
        labels += [
            Label(place, f"G{number}", (0.5 * em, -1.25 * em))
            for number, place in enumerate(self._plot(document.point_places_um), start=1)
        ]
        self.canvas.draw_labels(labels)

    def _is_crowded(self, um_per_px: float) -> bool:
        """Whether numbers beside all targets would cover each other."""
        return self._spacing_um / um_per_px < _LEAST_SPACING_FOR_LABELS_EM * self.canvas.text_px

    # --- view

    def fit(self, with_limit: bool = False) -> None:
        """Show all targets, and the image-shift limit if that is wanted, too."""
        document = self.desk.document
        bounds = drawing.bounds_of(document)
        limit = drawing.limit_circle(document) if with_limit else ()
        places = self._plot([bounds.low_um, bounds.high_um, *limit])
        before = self.canvas.view.um_per_px
        self.canvas.show(self.canvas.view.fitted(places, 0.5), self.shown.orientation)
        self.is_fitted = True
        if self.shown.with_beams and self._coarseness(self.canvas.view.um_per_px) != self._coarseness(before):
            self.redraw_beams()

    def turn(self, orientation: Orientation) -> None:
        """Show the specimen another way round, with the same place in the middle."""
        view = self.canvas.view
        middle = orientation.to_plot(self.shown.orientation.to_specimen(view.centre_um))
        self.shown = replace(self.shown, orientation=orientation)
        self.canvas.show(replace(view, centre_um=middle), orientation)

    def zoom(self, factor: float, fixed_um: XY | None = None) -> None:
        """Enlarge the content by a factor; a place of the plot plane stays where it is on the screen."""
        self.is_touched = True
        before = self.canvas.view.um_per_px
        self.canvas.show(self.canvas.view.zoomed(factor, fixed_um), self.shown.orientation)
        after = self.canvas.view.um_per_px
        if self._is_crowded(after) is not self._is_crowded(before):
            self.redraw_labels()
        if self.shown.with_beams and self._coarseness(after) != self._coarseness(before):
            self.redraw_beams()

    def pan(self, dx_px: float, dy_px: float) -> None:
        """Pull the content so many pixels to the right and down."""
        self.is_touched = True
        self.canvas.show(self.canvas.view.panned(dx_px, dy_px), self.shown.orientation)

    def specimen_at(self, x_px: float, y_px: float) -> XY:
        """Specimen coordinates (µm) under a pixel of the window."""
        left, top = self.canvas.corner_px
        return self.shown.orientation.to_specimen(self.canvas.view.at(x_px - left, y_px - top))

    def is_under_mouse(self) -> bool:
        """Whether the mouse is on the plot, with nothing in front of it."""
        return bool(dpg.is_item_hovered(self.canvas.plot))

    def draw_ghost(self, polygons_um: Iterable[Sequence[XY]] = (), closed: bool = True) -> None:
        """Draw outlines of something that is under way: a dragged target, a box, a polygon."""
        drawn = [self._plot(polygon) for polygon in polygons_um]
        if closed:
            self.canvas.draw_lines("ghost", shapes.outlines(drawn))
        else:
            self.canvas.draw_lines("ghost", shapes.strokes(pair for p in drawn for pair in zip(p, p[1:])))

    def field_at(self, number: int, place_um: XY) -> Sequence[XY]:
        """Corners of a target's field if it were at a place."""
        document = self.desk.document
        return drawing.field_corners(place_um, drawing.field_of(document, document.target(number).area))

    def dose_at(self, place_um: XY) -> str:
        """What neighbours' beams add at a place, in words; empty for nothing."""
        said = [
            f"beam of {s.by} adds {s.dose_e_per_a2:.1f} e/Å² to {s.number}"
            for s in self.shaded
            if shapes.is_inside(place_um, s.region_um)
        ]
        return ", ".join(said[:3])


def _step(scale: Scale, score: float | None) -> int:
    """Which of the colours a score has; the last one for no score."""
    if score is None:
        return _SCORE_STEPS
    span = scale.high - scale.low
    share = 0.5 if span <= 0 else (score - scale.low) / span
    return min(int(share * _SCORE_STEPS), _SCORE_STEPS - 1)


def _upper_right(corners: Sequence[XY]) -> XY:
    return XY(max(corner.x for corner in corners), max(corner.y for corner in corners))


def _spacing(places: Iterable[XY]) -> float:
    """About how far from each other places are (µm), if they are spread evenly."""
    there = list(places)
    width = max(p.x for p in there) - min(p.x for p in there)
    height = max(p.y for p in there) - min(p.y for p in there)
    return math.sqrt(max(width * height, width, height, 0.01) / len(there))
