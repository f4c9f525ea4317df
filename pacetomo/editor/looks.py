"""How things look: colours that colour-blind people can tell apart, and a shape for each state as well. Pure.

The palette is that of Okabe and Ito (2008), "Color Universal Design"; the scale for scores is viridis, whose
brightness rises steadily. Colours are (red, green, blue, alpha), 0 to 255.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

Colour = tuple[int, int, int, int]

ORANGE: Colour = (230, 159, 0, 255)
SKY_BLUE: Colour = (86, 180, 233, 255)
BLUISH_GREEN: Colour = (0, 158, 115, 255)
YELLOW: Colour = (240, 228, 66, 255)
BLUE: Colour = (0, 114, 178, 255)
VERMILLION: Colour = (213, 94, 0, 255)
REDDISH_PURPLE: Colour = (204, 121, 167, 255)
GREY: Colour = (190, 190, 190, 255)
WHITE: Colour = (255, 255, 255, 255)


class State(Enum):
    """What a target is, or what has become of it; the value is its name for people."""

    TRACKING = "tracking"
    WAITING = "to do"
    SKIPPED = "skipped"
    RUNNING = "running"
    ENDED = "ended early"
    FINISHED = "finished"


class Look(NamedTuple):
    """Colour, shape ("diamond", "square", "cross", "circle", "up", "down") and whether the shape is filled."""

    colour: Colour
    shape: str
    is_filled: bool


LOOKS: dict[State, Look] = {
    State.TRACKING: Look(VERMILLION, "diamond", True),
    State.WAITING: Look(SKY_BLUE, "square", True),
    State.SKIPPED: Look(GREY, "cross", False),
    State.RUNNING: Look(YELLOW, "up", True),
    State.ENDED: Look(REDDISH_PURPLE, "down", True),
    State.FINISHED: Look(BLUISH_GREEN, "circle", True),
}

GEO_POINT = Look(ORANGE, "plus", False)
SELECTION = WHITE
LIMIT = YELLOW
AXIS = GREY
BEAM = (240, 228, 66, 40)
FIELD_ALPHA = 60

_VIRIDIS = (
    (68, 1, 84),
    (72, 40, 120),
    (62, 74, 137),
    (49, 104, 142),
    (38, 130, 142),
    (31, 158, 137),
    (53, 183, 121),
    (109, 205, 89),
    (180, 222, 44),
    (253, 231, 37),
)
"""viridis at equal steps from 0 to 1."""


def faded(colour: Colour, alpha: int) -> Colour:
    """The same colour, more or less opaque.

    >>> faded(ORANGE, 60)
    (230, 159, 0, 60)
    """
    return (*colour[:3], alpha)


def scale_colour(share: float) -> Colour:
    """Colour for a share from 0 to 1; outside of that the colour of the nearer end.

    >>> scale_colour(0.0), scale_colour(1.0)
    ((68, 1, 84, 255), (253, 231, 37, 255))
    """
    place = min(max(share, 0.0), 1.0) * (len(_VIRIDIS) - 1)
    low = min(int(place), len(_VIRIDIS) - 2)
    part = place - low
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(_VIRIDIS[low], _VIRIDIS[low + 1]))
    return red, green, blue, 255


class Scale(NamedTuple):
    """Colours for scores from `low` to `high`."""

    low: float
    high: float

    def colour(self, score: float | None) -> Colour:
        """Colour of a score; grey for none."""
        if score is None:
            return GREY
        span = self.high - self.low
        return scale_colour(0.5 if span <= 0 else (score - self.low) / span)


def score_scale(scores: Iterable[float | None]) -> Scale | None:
    """Scale that spans the scores there are; None without any."""
    given = [score for score in scores if score is not None]
    return Scale(min(given), max(given)) if given else None


OVERLAP_STEPS_E_PER_A2 = (1.0, 5.0, 20.0)
"""Added doses from which an overlap is shaded more strongly."""


def overlap_colour(dose_e_per_a2: float) -> Colour:
    """Shade for a dose that a neighbour's beam adds: the more, the less transparent.

    >>> overlap_colour(0.5)[3] < overlap_colour(30.0)[3]
    True
    """
    stronger = sum(dose_e_per_a2 >= step for step in OVERLAP_STEPS_E_PER_A2)
    return faded(VERMILLION, 40 + 50 * stronger)
