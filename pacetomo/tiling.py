"""Taking the tiles of a target around its centre tile, which has been taken and aligned before."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

from pacetomo.annotation import Annotations, Seen
from pacetomo.beam_dose import BesideBooks
from pacetomo.books import Books
from pacetomo.errors import ImageNotSavedError, ScopeError
from pacetomo.focusing import Focusing
from pacetomo.frames import XY, Matrix2
from pacetomo.job import Job
from pacetomo.montage import CENTRE, Tile
from pacetomo.plan import Exposure
from pacetomo.scope.protocol import Imaging, Microscope, Shot
from pacetomo.taking import Taking
from pacetomo.tile_books import TileBooks, expect
from pacetomo.upkeep import Upkeep


class Centre(NamedTuple):
    """The centre tile just taken.

    `aim_um` is the specimen shift that was to centre the target, `found_um` the one that would have, `focus_um` and
    `tilt_deg` what it was taken with, `shot` the image.
    """

    aim_um: XY
    found_um: XY
    focus_um: float
    tilt_deg: float
    shot: Shot


class Tiling:
    """Tiles of the montages of a run.

    A tile that is out of reach is left out of that image; the first time it is said. A tile that fails ends its target
    on that branch, as a failing centre tile does.

    Parameters
    ----------
    scope, job, books
        Where, what, and what has been spent so far.
    taking, focusing, upkeep
        By which images are taken.
    annotations, beside
        What the metadata say of an image, and who counts what its beam does to others.
    """

    def __init__(
        self,
        scope: Microscope,
        job: Job,
        books: Books,
        taking: Taking,
        focusing: Focusing,
        upkeep: Upkeep,
        annotations: Annotations,
        beside: BesideBooks,
    ) -> None:
        self._scope = scope
        self._job = job
        self._books = books
        self._taking = taking
        self._focusing = focusing
        self._upkeep = upkeep
        self._annotations = annotations
        self._beside = beside
        self._axes: dict[Imaging, Matrix2] = {}
        self._fields_um: dict[int, XY] = {}
        self._told: set[tuple[int, Tile]] = set()

    def expect_rest(self, exposure: Exposure) -> None:
        """Note which tiles are to follow, together with the centre tile that is about to be booked."""
        rest = self._rest(exposure.target)
        if rest:
            expect(self._books, exposure.target, rest)

    def leave_out_rest(self, exposure: Exposure) -> None:
        """Note that no more tiles are to follow."""
        if self._rest(exposure.target):
            expect(self._books, exposure.target, ())

    def take_rest(
        self,
        exposure: Exposure,
        centre: Centre,
        notes: list[dict[str, Any]],
        only: Collection[Tile] | None = None,
    ) -> None:
        """Take all tiles but the centre, or `only` some, and add for each what the journal is to know.

        Raises
        ------
        ScopeError
            When one of them could not be exposed or saved; its dose is on the books.
        """
        rest = self._rest(exposure.target)
        if not rest:
            return
        field_um = self._field_um(exposure.target, centre.shot)
        if field_um is None:
            self._books.warn("the size of its image is not known: only the centre tile is taken", exposure)
            self.leave_out_rest(exposure)
            return
        axes = self._camera_axes(self._taking.imaging(exposure.target))
        travelled = self._taking.travelled_um(exposure)
        montage = self._taking.montage(exposure.target)
        for tile in rest:
            if only is not None and tile not in only:
                continue
            offset_um = montage.offset_um(tile, field_um, axes).plus(travelled)
            note = self._take(exposure, tile, centre, offset_um)
            if note is not None:
                notes.append(note)

    def _rest(self, target: int) -> tuple[Tile, ...]:
        return self._taking.montage(target).tiles[1:]

    def _field_um(self, target: int, shot: Shot) -> XY | None:
        """Size of a target's images; that of an earlier one where this one could not be measured."""
        if shot.field_um.x > 0 and shot.field_um.y > 0:
            self._fields_um[target] = shot.field_um
        return self._fields_um.get(target)

    def _camera_axes(self, imaging: Imaging) -> Matrix2:
        """Camera's axes as the centre tile, which is the present image, was taken."""
        if imaging not in self._axes:
            self._axes[imaging] = self._scope.camera_axes()
        return self._axes[imaging]

    def _take(self, exposure: Exposure, tile: Tile, centre: Centre, offset_um: XY) -> dict[str, Any] | None:
        """Take one tile; None if it is out of reach."""
        own = TileBooks(self._books, tile)
        shift_um, focus_um = centre.aim_um.plus(offset_um), centre.focus_um
        if self._job.settings.tgtMntFocusCor:
            apart_um = offset_um.minus(self._taking.travelled_um(exposure))
            focus_um = self._focusing.beside_um(focus_um, apart_um, centre.tilt_deg)
        if not self._taking.aim(exposure, shift_um, focus_um):
            self._leave_out(exposure, tile, shift_um)
            own.leave_out(exposure.target)
            return None
        self._scope.wait(self._job.settings.delayIS)
        self._upkeep.before_image()
        where = {"tile": tile.name, "shift_um": list(shift_um), "focus_um": focus_um}
        self._books.note(
            "expose_tile",
            target=exposure.target,
            tilt_deg=exposure.tilt_deg,
            present=self._books.present(),
            frames=self._taking.name_frames(exposure, tile=tile),
            **where,
        )
        self._taking.open(exposure, tile=tile)
        try:
            wanted_um = self._focusing.wanted_um(exposure)
            taken = self._taking.record(exposure, own.dose_e_per_a2(exposure.target), wanted_um, tile)
            before_e_per_a2 = own.dose_e_per_a2(exposure.target)
            own.book(exposure.target, taken.section, before_e_per_a2 + taken.shot.dose_e_per_a2)
            imaging = self._taking.imaging(exposure.target)
            self._beside.recorded(
                exposure.target, centre.tilt_deg, taken.shot.dose_e_per_a2, imaging.area, offset_um
            )
            place_um = centre.found_um.plus(offset_um)
            z0_um = self._books.branch(exposure).z0_um
            self._annotate(exposure, Seen(taken.section, place_um, z0_um, tile=tile))
        except ImageNotSavedError as err:
            own.spend(exposure.target, own.dose_e_per_a2(exposure.target) + err.dose_e_per_a2)
            raise ScopeError(f"tile {tile.name}: {err}") from err
        except ScopeError as err:
            raise ScopeError(f"tile {tile.name}: {err}") from err
        finally:
            self._taking.close()
        return {
            **where,
            "section": taken.section,
            "mean_counts": taken.shot.mean_counts,
            "dose_e_per_a2": taken.shot.dose_e_per_a2,
            "prior_dose_e_per_a2": before_e_per_a2,
        }

    def _leave_out(self, exposure: Exposure, tile: Tile, shift_um: XY) -> None:
        if (exposure.target, tile) not in self._told:
            self._told.add((exposure.target, tile))
            self._books.warn(
                f"tile {tile.name} needs an image shift of {shift_um.length:.1f} µm, beyond the limit: "
                "it is left out wherever it is out of reach",
                exposure,
            )

    def _annotate(self, exposure: Exposure, seen: Seen) -> None:
        """Write what is known of a tile beside it; failing to do so loses no image."""
        entries = self._annotations.of(exposure.target, seen)
        try:
            if entries:
                self._scope.annotate(entries)
        except ScopeError as err:
            self._books.warn(f"metadata of tile {seen.tile.name} could not be completed ({err})", exposure)


def tiles_left_out(rest: Iterable[Tile], notes: Iterable[dict[str, Any]]) -> list[str]:
    """Names of the tiles of a montage of which there is no note."""
    taken = {note["tile"] for note in notes} | {CENTRE.name}
    return [tile.name for tile in rest if tile.name not in taken]
