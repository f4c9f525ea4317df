"""Figures of the plot as rows of numbers that draw fast: all outlines of one colour are one series. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pacetomo.frames import XY

Points = Sequence[XY]


class Lines(NamedTuple):
    """Line segments: points 0 and 1, 2 and 3 and so on are joined."""

    x: list[float]
    y: list[float]


class Shade(NamedTuple):
    """Regions between two curves over X."""

    x: list[float]
    low: list[float]
    high: list[float]


def outlines(polygons: Iterable[Points]) -> Lines:
    """Edges of closed polygons.

    >>> outlines([[XY(0, 0), XY(1, 0), XY(0, 1)]])
    Lines(x=[0, 1, 1, 0, 0, 0], y=[0, 0, 0, 1, 1, 0])
    """
    x: list[float] = []
    y: list[float] = []
    for polygon in polygons:
        corners = [*polygon, polygon[0]]
        for before, point in zip(corners, corners[1:]):
            x += (before.x, point.x)
            y += (before.y, point.y)
    return Lines(x, y)


def stamped(shape: Lines, places: Points) -> Lines:
    """The same lines around each of many places.

    >>> stamped(Lines([0.0, 1.0], [0.0, 0.0]), [XY(0, 0), XY(5, 1)])
    Lines(x=[0.0, 1.0, 5.0, 6.0], y=[0.0, 0.0, 1.0, 1.0])
    """
    return Lines(*(_stamped(values, axis) for values, axis in zip(shape, _axes(places))))


def stamped_shade(shape: Shade, places: Points) -> Shade:
    """The same region around each of many places."""
    x, y = _axes(places)
    return Shade(_stamped(shape.x, x), _stamped(shape.low, y), _stamped(shape.high, y))


def _axes(places: Points) -> NDArray[np.float64]:
    return np.array(places, dtype=np.float64).reshape(-1, 2).T


def _stamped(values: Sequence[float], around: NDArray[np.float64]) -> list[float]:
    added: list[float] = (around[:, None] + np.array(values, dtype=np.float64)[None, :]).ravel().tolist()
    return added


def dashed(polygons: Iterable[Points], dash_um: float) -> Lines:
    """Edges of closed polygons in dashes of about this length, with gaps as long."""
    x: list[float] = []
    y: list[float] = []
    for polygon in polygons:
        corners = [*polygon, polygon[0]]
        for start, end in zip(corners, corners[1:]):
            step = end.minus(start)
            dashes = max(round(step.length / (2 * dash_um)), 1)
            for place in range(dashes):
                for part in ((place + 0.25) / dashes, (place + 0.75) / dashes):
                    x.append(start.x + step.x * part)
                    y.append(start.y + step.y * part)
    return Lines(x, y)


def strokes(pairs: Iterable[tuple[XY, XY]]) -> Lines:
    """Single lines."""
    flat = [point for pair in pairs for point in pair]
    return Lines([point.x for point in flat], [point.y for point in flat])


def shaded(polygons: Iterable[Points]) -> Shade:
    """Convex polygons as regions between curves; what joins one to the next has no height and so is not seen.

    >>> shaded([[XY(0, 0), XY(2, 0), XY(1, 1)]])
    Shade(x=[0, 0, 1, 2, 2], low=[0.0, 0.0, 0.0, 0.0, 0.0], high=[0.0, 0.0, 1.0, 0.0, 0.0])
    """
    x: list[float] = []
    low: list[float] = []
    high: list[float] = []
    for polygon in polygons:
        across = sorted({point.x for point in polygon})
        spans = [_span(polygon, place) for place in across]
        x += (across[0], *across, across[-1])
        low += (spans[0][0], *(span[0] for span in spans), spans[-1][0])
        high += (spans[0][0], *(span[1] for span in spans), spans[-1][0])
    return Shade(x, low, high)


def _span(polygon: Points, place: float) -> tuple[float, float]:
    """Lowest and highest Y of a convex polygon at an X."""
    low, high = math.inf, -math.inf
    before = polygon[-1]
    for point in polygon:
        left, right = sorted((before, point))
        if left.x <= place <= right.x:
            span = right.x - left.x
            for y in (
                (left.y, right.y) if span == 0 else (left.y + (right.y - left.y) * (place - left.x) / span,)
            ):
                low, high = min(low, y), max(high, y)
        before = point
    return low, high


def ticks(low: float, high: float, most: int) -> tuple[list[float], int]:
    """Round numbers between two values, at most so many, and the decimals that they need.

    >>> ticks(-0.7, 1.3, 5)
    ([-0.5, 0.0, 0.5, 1.0], 1)
    """
    step = nice_step((high - low) / max(most, 1))
    decimals = max(-math.floor(math.log10(step) + 1e-9), 0)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(place * step, decimals + 1) + 0.0 for place in range(first, last + 1)], decimals


def nice_step(least: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that is not below `least`.

    >>> nice_step(0.3)
    0.5
    """
    power = 10.0 ** math.floor(math.log10(least))
    for factor in (1.0, 2.0, 5.0, 10.0):
        if factor * power >= least * (1 - 1e-9):
            return round(factor * power, 12)
    return 10.0 * power


def is_inside(point: XY, polygon: Points) -> bool:
    """Whether a point lies inside a polygon: a line from it to the right crosses an odd number of edges.

    >>> is_inside(XY(0.2, 0.2), [XY(0, 0), XY(1, 0), XY(0, 1)])
    True
    """
    inside = False
    for start, end in zip(polygon, (*polygon[1:], polygon[0])):
        if (start.y > point.y) != (end.y > point.y):
            crossing = start.x + (end.x - start.x) * (point.y - start.y) / (end.y - start.y)
            inside ^= crossing > point.x
    return inside
