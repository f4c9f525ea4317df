"""Which rows of the list are selected by keys and clicks, and how they change places. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def range_to(shown: Sequence[int], selected: Collection[int], number: int) -> list[int]:
    """Numbers from the first selected row to that of a target; it alone where none is selected.

    >>> range_to([1, 4, 2, 3], {4}, 3), range_to([1, 4, 2, 3], {3}, 4), range_to([1, 4], (), 4)
    ([4, 2, 3], [4, 2, 3], [4])
    """
    chosen = _places(shown, selected)
    if number not in shown or not chosen:
        return [number]
    first, last = sorted((chosen[0], shown.index(number)))
    return list(shown[first : last + 1])


def stepped(shown: Sequence[int], selected: Collection[int], step: int, extend: bool = False) -> list[int]:
    """Numbers selected after a step of so many rows down; from the end that lies in its direction.

    >>> stepped([1, 4, 2, 3], {4}, 1), stepped([1, 4, 2, 3], {4}, 2, extend=True), stepped([1, 4, 2, 3], {4}, -9)
    ([2], [4, 2, 3], [1])
    """
    if not shown:
        return []
    chosen = _places(shown, selected)
    if not chosen:
        return [shown[0 if step > 0 else -1]]
    edge = chosen[-1] if step > 0 else chosen[0]
    place = min(max(edge + step, 0), len(shown) - 1)
    if not extend:
        return [shown[place]]
    passed = shown[min(edge, place) : max(edge, place) + 1]
    return [number for number in shown if number in selected or number in passed]


def shifted(order: Sequence[int], selected: Collection[int], step: int) -> list[int]:
    """An order in which the selected ones are one place earlier (-1) or later (1); the first place stays as it is.

    >>> shifted([1, 2, 3, 4], {3, 4}, -1), shifted([1, 2, 3, 4], {1, 2}, 1), shifted([1, 2, 3, 4], {2}, -1)
    ([1, 3, 4, 2], [1, 3, 2, 4], [1, 2, 3, 4])
    """
    moved = list(order)
    chosen = _places(order, selected)
    for place in chosen if step < 0 else reversed(chosen):
        other = place + step
        if 0 < other < len(moved) and place > 0 and moved[other] not in selected:
            moved[place], moved[other] = moved[other], moved[place]
    return moved


def _places(shown: Sequence[int], selected: Collection[int]) -> list[int]:
    return [place for place, number in enumerate(shown) if number in selected]
