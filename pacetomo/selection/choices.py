"""Several Previews around a position, of which a person chooses one."""

from __future__ import annotations

from pacetomo.files.atomic import move_aside
from pacetomo.files.exchange import mdoc_of
from pacetomo.frames import XY
from pacetomo.scope.protocol import Area
from pacetomo.selection.bench import Bench
from pacetomo.selection.draft import Draft

BESIDE = 0.8
"""Step between Previews to choose from, as a share of their shorter side: a little of each is in its neighbours."""


def best_of(bench: Bench, draft: Draft, shift: XY, field_um: float, count: int) -> XY | None:
    """Further Previews around the one just taken, of which one is chosen; its shift, or None for none of them.

    All are kept in a stack of their own, and in buffers to look at; the one chosen becomes the present image.
    """
    desk = bench.desk
    number = draft.next_number
    places = places_around(shift, count, BESIDE * field_um)
    path = draft.files.folder / draft.choices_name(number)
    for old in (path, mdoc_of(path)):
        move_aside(old, desk.wait)
    desk.open_series(path)
    try:
        taken: list[XY] = []
        for place in places:
            if taken and not bench.go(place):
                continue
            if taken:
                bench.look(Area.PREVIEW)
            desk.save_present()
            desk.keep_present(len(taken))
            taken.append(place)
    finally:
        desk.close_series()
    buffers = desk.keeping_buffers(len(taken))
    answer = desk.enter_number(
        f"Target {number}: which of the {len(taken)} Previews in buffers {buffers} (1 is the first; 0 for none)?",
        1,
        0,
    )
    choice = round(answer or 0)
    if not 1 <= choice <= len(taken):
        return None
    desk.bring_back(choice - 1)
    return taken[choice - 1]


def places_around(middle: XY, count: int, step_um: float) -> tuple[XY, ...]:
    """The middle and the first of the eight places around it, on a square grid.

    >>> places_around(XY(0, 0), 3, 0.8)
    (XY(x=0, y=0), XY(x=0.8, y=0.0), XY(x=0.8, y=0.8))
    """
    ring = ((1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1))
    around = [middle.plus(XY(right * step_um, up * step_um)) for right, up in ring]
    return (middle, *around[: count - 1])
