"""What is known of the tiles of a target during a run, kept in the run file beside the target's own state.

Both sides of a target carry two further keys. ``tiles`` lists each tile but the centre with its last section and its
dose (``1_0:12:39.0,-1_0:12:39.0``). ``tilesLeft`` lists the tiles of the latest image that are neither taken nor left
out; it is not there once a montage is complete. After a run that died in the middle of one, ``tilesLeft`` says what it
lacks, and a stack with a section more than ``tiles`` knows shows that its tile was taken and could not be noted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from pacetomo.books import Books
from pacetomo.errors import RunFileError
from pacetomo.job import Job
from pacetomo.montage import Tile
from pacetomo.run_state import BRANCHES, BranchState, RunState

TAKEN, LEFT = "tiles", "tilesLeft"


class TileState(NamedTuple):
    """Last section of a tile's stack (-1 before its first image) and the tile's own dose (e/Å²)."""

    section: int = -1
    dose_e_per_a2: float = 0.0


@dataclass(frozen=True)
class TilesState:
    """Tiles of one target: what has been taken of each, and which the latest image lacks, in order."""

    taken: tuple[tuple[Tile, TileState], ...] = ()
    left: tuple[Tile, ...] = ()

    def of(self, tile: Tile) -> TileState:
        """State of a tile; an empty one before its first image."""
        return dict(self.taken).get(tile, TileState())

    def without(self, tile: Tile) -> TilesState:
        """Return the state once a tile is not waited for any more."""
        return replace(self, left=tuple(other for other in self.left if other != tile))

    def plus(self, tile: Tile, state: TileState) -> TilesState:
        """Return the state with another one of a tile."""
        return replace(self, taken=tuple({**dict(self.taken), tile: state}.items()))


def read_tiles(state: RunState, number: int) -> TilesState:
    """Tiles of a target as a run's state has them.

    Raises
    ------
    RunFileError
        When they cannot be read.
    """
    target = state.numbered(number)
    branch = target.up or target.down or BranchState()
    entries = dict(branch.extra)
    try:
        return TilesState(
            tuple(_read_state(text) for text in _listed(entries, TAKEN)),
            tuple(_read_tile(text) for text in _listed(entries, LEFT)),
        )
    except ValueError as err:
        raise RunFileError(
            f"target {number}: the tiles taken so far cannot be read ({err}); look at its stacks"
        ) from err


def _listed(entries: dict[str, str], key: str) -> list[str]:
    return [text for text in entries.get(key, "").split(",") if text.strip()]


def _read_tile(text: str) -> Tile:
    x, y = text.split("_")
    return Tile(int(x), int(y))


def _read_state(text: str) -> tuple[Tile, TileState]:
    name, section, dose = text.split(":")
    return _read_tile(name), TileState(int(section), float(dose))


def with_tiles(state: RunState, number: int, tiles: TilesState) -> RunState:
    """Return the state with the tiles of a target; both sides carry them."""
    texts = {
        TAKEN: ",".join(f"{tile.name}:{one.section}:{one.dose_e_per_a2!r}" for tile, one in tiles.taken),
        LEFT: ",".join(tile.name for tile in tiles.left),
    }
    for side in BRANCHES:
        old = state.numbered(number).branch(side) or BranchState()
        kept = tuple(entry for entry in old.extra if entry[0] not in texts)
        own = tuple((key, text) for key, text in texts.items() if text)
        state = state.with_branch(number, side, replace(old, extra=(*kept, *own)))
    return state


class TileBooks:
    """Books of one place in the montages of a run: the dose of that tile of each target.

    Parameters
    ----------
    books : Books
        Of the run.
    tile : Tile
        Which; not the centre, whose dose is the target's.
    """

    def __init__(self, books: Books, tile: Tile) -> None:
        self._books = books
        self._tile = tile

    def dose_e_per_a2(self, number: int) -> float:
        """Dose of all images of this tile of a target so far."""
        return read_tiles(self._books.state, number).of(self._tile).dose_e_per_a2

    def spend(self, number: int, dose_e_per_a2: float) -> None:
        """Set the dose so far."""
        tiles = read_tiles(self._books.state, number)
        changed = tiles.plus(self._tile, tiles.of(self._tile)._replace(dose_e_per_a2=dose_e_per_a2))
        self._books.state = with_tiles(self._books.state, number, changed)

    def book(self, number: int, section: int, dose_e_per_a2: float) -> None:
        """Write down that an image has been saved; `dose_e_per_a2` is the sum, this image included."""
        tiles = read_tiles(self._books.state, number).without(self._tile)
        changed = tiles.plus(self._tile, TileState(section, dose_e_per_a2))
        self._books.state = with_tiles(self._books.state, number, changed)
        self._books.save()

    def leave_out(self, number: int) -> None:
        """Write down that the latest image of a target has no such tile and is not to get one."""
        tiles = read_tiles(self._books.state, number).without(self._tile)
        self._books.state = with_tiles(self._books.state, number, tiles)


def expect(books: Books, number: int, tiles: Iterable[Tile]) -> None:
    """Note which tiles are to follow the centre tile that is about to be taken."""
    known = read_tiles(books.state, number)
    books.state = with_tiles(books.state, number, replace(known, left=tuple(tiles)))


def half_taken(job: Job, state: RunState, done: Collection[int]) -> frozenset[int]:
    """Places in the plan of montages of which the centre has been taken and other tiles are waited for."""
    found = set()
    for target in job.active:
        if len(job.montage(target.number).tiles) == 1 or not read_tiles(state, target.number).left:
            continue
        mine = [one.number for one in job.plan if one.target == target.number and one.number in done]
        if mine:
            found.add(max(mine))
    return frozenset(found)
