"""Targets on a lattice of holes, found in View images."""

from __future__ import annotations

from collections.abc import Iterator

from pacetomo.errors import SettingsError
from pacetomo.figure_showing import show_figure
from pacetomo.finding import STAGE_PRECISION_UM
from pacetomo.frames import ORIGIN, XY
from pacetomo.number_text import format_float
from pacetomo.pattern import VECTOR_NAMES, Index, Lattice, hole_reach_um, refit, way_out
from pacetomo.scope.protocol import Area, Level, Missing, ShiftOrMissing
from pacetomo.script_tables import SelectionSettings
from pacetomo.selection.areas_apart import ALIKE, AreasApart, fit_apart, mean_apart, spare_holes
from pacetomo.selection.bench import FULL_PX, Bench, Chosen
from pacetomo.selection.draft import Draft
from pacetomo.selection.dragging import Dragging
from pacetomo.selection.hole_edge import hole_centre
from pacetomo.selection.lattice import FoundLattice, NoLattice
from pacetomo.selection.lattice_figure import save_lattice_figure
from pacetomo.selection.lattice_finding import find_lattice
from pacetomo.selection.pattern_order import spiral
from pacetomo.selection.person import Person, Verdict

LATTICE_PX = 2048
"""Longer side of the View images in which the lattice is looked for."""

LEAST_SINE = 0.2
"""Of the angle between the vectors of a lattice."""

LEAST_CONFIDENCE = 0.4
"""Below it structures that are no holes have been taken for some."""

TIMES_CENTRED = 3
ENOUGH_EDGES = 6
FARTHEST_APART_UM = 0.6
WELL_APART_UM = 0.35
"""How far View and Record may be apart, and from what was measured before."""


class PatternWay:
    """A pattern around the hole nearest to the centre of View.

    Parameters
    ----------
    bench, person, draft, dragging, wanted
        Where images are taken, who says yes, what grows, how things are done by hand, and the settings.
    """

    def __init__(
        self, bench: Bench, person: Person, draft: Draft, dragging: Dragging, wanted: SelectionSettings
    ) -> None:
        self._bench = bench
        self._desk = bench.desk
        self._person = person
        self._draft = draft
        self._dragging = dragging
        self._wanted = wanted

    def choose(self) -> None:
        """Find the lattice, centre a hole, measure the vectors, and take all of the pattern in."""
        self._bench.go(self._desk.shift_um())
        self._bench.look(Area.VIEW)
        lattice = self._given() or self._found()
        if lattice is None or not self._centre(lattice):
            lattice = self._dragged()
        if lattice is None:
            return
        middle = self._desk.shift_um()
        lattice = self._refined(lattice, middle)
        apart = self._areas_apart(lattice, middle)
        if self._dragging.preview(middle.plus(apart.offset_um)) is not Verdict.ACCEPT:
            return
        self._dragging.view_reference()
        self._take_in(lattice.mapped(apart.recorded_step))

    # the lattice

    def _given(self) -> Lattice | None:
        """Vectors of the settings; None where they are to be found."""
        a, b = XY(*self._wanted.vecA), XY(*self._wanted.vecB)
        if a == b == ORIGIN:
            return None
        if not spans(a, b):
            raise SettingsError(
                f"vecA ({a.x:g}, {a.y:g}) and vecB ({b.x:g}, {b.y:g}) µm must lead from a hole to two neighbours in "
                "different directions; leave both at 0, 0 to have them found"
            )
        return Lattice(a, b)

    def _found(self) -> Lattice | None:
        """Vectors found in the present View image, if the person agrees with them."""
        picture = self._bench.picture(LATTICE_PX)
        found = find_lattice(picture.pixels, picture.to_specimen)
        reason = _doubt(found)
        if reason is not None or not isinstance(found, FoundLattice):
            self._person.warn(f"no lattice of holes was found ({reason}): its holes are to be dragged")
            return None
        path = self._draft.files.folder / f"{self._draft.files.root}_lattice.png"
        save_lattice_figure(path, picture.pixels, found)
        show_figure(path)
        a, b = found.vectors_um
        text = (
            f"A {found.kind.value} lattice, {len(found.seen)} holes seen ({path.name}): vecA {a.x:.3f}, {a.y:.3f}; "
            f"vecB {b.x:.3f}, {b.y:.3f} µm; holes of {found.diameter_um:.2f} µm. Use it?"
        )
        return found.vectors_um if self._person.agrees(text) else None

    def _dragged(self) -> Lattice | None:
        """Vectors from three holes that the person drags into the centre, which is left at the first of them."""
        middle = self._dragging.centred("Hole in the middle of the pattern", self._desk.shift_um())
        if middle is None:
            return None
        picture = self._bench.picture()
        middle = self._dragging.onto_axis(middle, picture, middle.minus(self._dragging.exposed_at))
        if middle is None:
            return None
        steps: list[XY] = []
        for name in ("vecA", "vecB"):
            at = self._dragging.centred(f"Neighbour of that hole along {name}", middle)
            if at is None:
                return None
            steps.append(at.minus(middle))
        if not spans(*steps):
            self._person.warn("the three holes lie in a row or at one place: there is no pattern of them")
            return None
        self._bench.go(middle)
        return Lattice(*steps)

    # holes

    def _centre(self, lattice: Lattice) -> bool:
        """Bring the nearest hole to the centre of View, by the stage and what that leaves by image shift."""
        reach_um = 2 * hole_reach_um(lattice, ())
        for _ in range(TIMES_CENTRED):
            offset = self._hole(reach_um)
            if isinstance(offset, Missing):
                self._person.warn(f"no hole was found near the centre ({offset.reason})")
                return False
            shift = self._desk.shift_um().plus(offset)
            self._bench.go(shift)
            if shift.length < STAGE_PRECISION_UM:
                break
            self._desk.recentre_stage()
            self._bench.go(self._desk.shift_um())
            self._bench.look(Area.VIEW)
        return True

    def _hole(self, reach_um: float, near: XY = ORIGIN) -> ShiftOrMissing:
        """Where the hole nearest to a place lies in the present View image (µm from its centre)."""
        if self._wanted.alignToP:
            return self._desk.offset_from_hole(reach_um + near.length)
        picture = self._bench.picture(LATTICE_PX)
        found = find_lattice(picture.pixels, picture.to_specimen)
        if not isinstance(found, FoundLattice):
            return Missing(found.reason)
        places = [found.place_um(hole.at_px) for hole in found.seen]
        nearest = min(places, key=lambda place: place.minus(near).length)
        away_um = nearest.minus(near).length
        if away_um > reach_um:
            return Missing(f"the nearest one seen is {away_um:.2f} µm away")
        return nearest

    def _refined(self, lattice: Lattice, middle: XY) -> Lattice:
        """Vectors measured by the neighbours, then by ever farther holes."""
        now = lattice
        seen: list[tuple[Index, XY]] = []
        for index in self._ways_out():
            expected = middle.plus(now.at(index))
            if not self._bench.go(expected):
                continue
            self._bench.look(Area.VIEW)
            offset = self._hole(hole_reach_um(now, ()))
            if isinstance(offset, Missing):
                self._desk.tell(
                    f"Warning: hole ({index[0]}, {index[1]}) of the pattern was not seen ({offset.reason}): the "
                    "vectors are measured without it",
                    Level.WARNING,
                )
                continue
            seen.append((index, expected.plus(offset).minus(middle)))
            now = refit(lattice, seen)
        if seen:
            a, b = now
            self._desk.tell(
                f"Vectors measured at {len(seen)} holes: vecA {a.x:.3f}, {a.y:.3f}; vecB {b.x:.3f}, {b.y:.3f} µm"
            )
        return now

    def _ways_out(self) -> Iterator[Index]:
        side = self._wanted.size
        indices = [(i, j) for i in range(-side, side + 1) for j in range(-side, side + 1)]
        for axis in (0, 1):
            yield from way_out(indices, axis)

    # View and Record

    def _areas_apart(self, lattice: Lattice, middle: XY) -> AreasApart:
        """Where the holes are in Record, by the edges of holes around the pattern, which are no targets.

        Without them the holes are where View shows them, which is some 0.3 µm off.
        """
        self._bench.go(middle)
        self._bench.look(Area.VIEW)
        picture = self._bench.picture(LATTICE_PX)
        found = find_lattice(picture.pixels, picture.to_specimen)
        if not self._wanted.registerPattern or not isinstance(found, FoundLattice):
            return ALIKE
        pairs: list[tuple[XY, XY]] = []
        radius_um = found.diameter_um / 2
        for hole in spare_holes(lattice, self._wanted.size):
            if len(pairs) == ENOUGH_EDGES:
                break
            known = mean_apart(pairs)
            # The outer edge, so that the beam keeps away from the targets.
            outward = hole.scaled(radius_um / hole.length)
            place = middle.plus(hole).plus(outward).plus(known)
            if not self._bench.go(place):
                continue
            self._bench.look(Area.PREVIEW)
            centre = hole_centre(
                self._bench.picture(FULL_PX),
                radius_um,
                found.holes_are_bright,
                outward.scaled(-1.0),
                WELL_APART_UM if pairs else FARTHEST_APART_UM,
            )
            if isinstance(centre, Missing):
                self._desk.tell(f"An edge could not be used: {centre.reason}", Level.DETAIL)
                continue
            pairs.append((hole, place.plus(centre).minus(middle.plus(hole))))
        answer = fit_apart(pairs)
        if isinstance(answer, Missing):
            self._desk.tell(
                f"Warning: how View and Record differ is not known ({answer.reason}): holes may be missed by some "
                "0.3 µm; centre the first one in Preview",
                Level.WARNING,
            )
            return ALIKE
        self._desk.tell(answer.describe())
        return answer

    # targets

    def _take_in(self, lattice: Lattice) -> None:
        """Take all other holes in, in a spiral around the first; those out of reach are left out by number."""
        first = self._draft.chosen[0]
        chosen = []
        for index in spiral(self._wanted.size)[1:]:
            step = lattice.at(index)
            if step.length > self._bench.limit_um:
                self._desk.tell(
                    f"Warning: hole ({index[0]}, {index[1]}) is {step.length:.1f} µm away, beyond the limit of "
                    f"{self._bench.limit_um:g} µm (imageShiftLimit): it is left out",
                    Level.WARNING,
                )
                continue
            stage = first.stage_um.plus(self._bench.stage_step_um(step))
            chosen.append(Chosen(first.shift_um.plus(step), stage))
        values = (*lattice.a_um, *lattice.b_um)
        overrides = {name: format_float(round(value, 4)) for name, value in zip(VECTOR_NAMES, values)}
        self._draft.add_all(chosen, {"size": str(self._wanted.size), **overrides})


def spans(a: XY, b: XY) -> bool:
    """Whether two vectors are those of a lattice: neither nothing nor in one line.

    >>> spans(XY(3.0, 0.1), XY(0.0, 3.0)), spans(XY(3.0, 0.1), XY(6.0, 0.2)), spans(XY(0.0, 0.0), XY(1.0, 0.0))
    (True, False, False)
    """
    return abs(a.x * b.y - a.y * b.x) > LEAST_SINE * a.length * b.length > 0


def _doubt(found: FoundLattice | NoLattice) -> str | None:
    """Why a lattice is not believed in; None if it is."""
    if not isinstance(found, FoundLattice):
        return found.reason
    if found.confidence < LEAST_CONFIDENCE:
        return f"{len(found.seen)} places look like holes, but not much alike"
    return None
