"""Tiles of montages that an interrupted run had taken and could not note any more."""

from __future__ import annotations

from pathlib import Path

from pacetomo.books import Books
from pacetomo.files.atomic import Wait
from pacetomo.job import Job
from pacetomo.montage import Tile
from pacetomo.tile_books import TileBooks, read_tiles
from pacetomo.witness import sections_of


def tile_stack(job: Job, target: int, tile: Tile) -> Path:
    """Stack of a tile of a target."""
    name = job.montage(target).series(job.targets.numbered(target).series, tile)
    return job.files.folder / name


def named_tile(name: str) -> Tile:
    """Tile of a name as in file names and journals.

    >>> named_tile("-1_0")
    Tile(x=-1, y=0)
    """
    x, _, y = name.partition("_")
    return Tile(int(x), int(y))


def adopt_tiles(job: Job, books: Books, wait: Wait | None = None) -> None:
    """Note the tiles of the latest montages that are in their stacks and not in the run file.

    Raises
    ------
    PlanError
        When a stack is damaged.
    """
    for target in job.active:
        if len(job.montage(target.number).tiles) == 1:
            continue
        known = read_tiles(books.state, target.number)
        for tile in known.left:
            sections = sections_of(tile_stack(job, target.number, tile), wait)
            if len(sections) > known.of(tile).section + 1:
                own = TileBooks(books, tile)
                spent = own.dose_e_per_a2(target.number) + sections[-1].dose_e_per_a2
                own.book(target.number, len(sections) - 1, spent)
                text = f"Tile {tile.name} of target {target.number} was saved and not noted, it is taken up"
                books.step("adopted", text, target=target.number, tile=tile.name)


def lacks_tiles(job: Job, books: Books) -> bool:
    """Whether a montage of a target is not complete.

    Raises
    ------
    RunFileError
        When the tiles taken cannot be read from the run's state.
    """
    return any(
        read_tiles(books.state, target.number).left
        for target in job.active
        if len(job.montage(target.number).tiles) > 1
    )
