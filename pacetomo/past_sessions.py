"""From the metadata of past series to what a stage profile is learnt from.

Each series is replayed through the joint model by itself; what it does not believe, and all that follows on that
branch, is left out. Series of one session are one course: they show the same motion, so they must not count
as many.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median

from pacetomo.errors import MetadataError
from pacetomo.joint.courses import Course, Visit
from pacetomo.joint.profile_learning import LEAST_TILTS
from pacetomo.past_series import PastSeries, Recorded, read_series
from pacetomo.replay import replay_joint
from pacetomo.schemes import Branch

MOST_TARGETS = 8
"""Targets of a session that are averaged at most, those nearest the axis: more teach little."""

WORST_DEFOCUS_UM = 0.4
"""Scatter of measured defocus beyond which the heights of a series are left out."""

_SAME_TILT_DEG = 0.1
_SERIES_NAME = re.compile(r"(?P<root>.+)_ts_(?P<number>\d+)(\.mrc)?\.mdoc$", re.IGNORECASE)


@dataclass(frozen=True)
class Checked:
    """A series with the places of its images that are believed."""

    series: PastSeries
    believed: frozenset[int]

    @property
    def first(self) -> Recorded:
        """Its image at the start."""
        return self.series.images[0]


def courses_of(paths: Iterable[Path]) -> tuple[tuple[Course, ...], tuple[str, ...]]:
    """Courses of past sessions, and a sentence for each series that is left out or cut.

    Parameters
    ----------
    paths : iterable of Path
        mdocs; those of one session may be in any order.
    """
    told: list[str] = []
    usable: list[Checked] = []
    for path in dict.fromkeys(paths):
        try:
            series = read_series(path)
        except MetadataError as err:
            told.append(f"{err}; it is left out")
            continue
        checked = check(series)
        told += _doubts(checked)
        if len(checked.believed) > LEAST_TILTS:
            usable.append(checked)
        else:
            told.append(f"{path.name}: {len(checked.believed) - 1} usable tilts are too few, it is left out")
    return tuple(course_of(session) for session in by_session(usable)), tuple(told)


def check(series: PastSeries) -> Checked:
    """Replay a series by itself to see which of its images are to be believed."""
    rows = replay_joint(series.path.name, series.images).rows
    return Checked(series, frozenset(n for n, row in enumerate(rows) if n == 0 or not row.doubt))


def _doubts(checked: Checked) -> list[str]:
    lost = [n for n in range(len(checked.series.images)) if n not in checked.believed]
    if not lost:
        return []
    tilts = ", ".join(f"{checked.series.images[n].tilt_deg:+.0f}°" for n in lost)
    return [f"{checked.series.path.name}: {len(lost)} images are not used ({tilts})"]


def by_session(series: Sequence[Checked]) -> list[list[Checked]]:
    """Group series of one session: taken in turn at the same tilts.

    Two belong together when one began between the first two images of the other, or where times are not known, when
    their names differ in the target's number only. Files of one name are never of one session.
    """
    sessions: list[list[Checked]] = []
    for one in series:
        able = [group for group in sessions if all(_go_together(other, one) for other in group)]
        # Two microscopes may have begun at the same time: those in the same folder go first.
        beside = [group for group in able if group[0].series.path.parent == one.series.path.parent]
        session = next(iter([*beside, *able]), None)
        if session is None:
            sessions.append([one])
        else:
            session.append(one)
    return sessions


def _go_together(one: Checked, other: Checked) -> bool:
    mine, theirs = one.series, other.series
    same_tilt = abs(one.first.tilt_deg - other.first.tilt_deg) < _SAME_TILT_DEG
    if not same_tilt or mine.path.name == theirs.path.name:
        return False
    if mine.began is None or theirs.began is None:
        names = [_SERIES_NAME.match(series.path.name) for series in (mine, theirs)]
        roots = [None if name is None else name["root"] for name in names]
        return roots[0] is not None and roots[0] == roots[1] and mine.path.parent == theirs.path.parent
    apart_min = (theirs.began - mine.began).total_seconds() / 60
    earlier = mine if apart_min >= 0 else theirs
    return len(earlier.images) > 1 and abs(apart_min) < earlier.images[1].minutes


def course_of(session: Sequence[Checked]) -> Course:
    """Average the targets of a session that were found at the most tilts."""
    most = max(len(one.believed) for one in session)
    complete = [one for one in session if len(one.believed) == most]
    complete = [one for one in complete if _tilts(one) == _tilts(complete[0])]
    chosen = sorted(complete, key=lambda one: abs(one.first.shift_um.y))[:MOST_TARGETS]
    model = chosen[0]
    heights = [one for one in chosen if _defocus_scatter_um(one) < WORST_DEFOCUS_UM]
    visits = []
    for place, image in enumerate(model.series.images):
        if image.branch is Branch.START:
            continue
        seen = [one.series.images[place] for one in chosen] if place in model.believed else []
        moved = [now.shift_um.minus(one.first.shift_um) for now, one in zip(seen, chosen)]
        shift = (fmean(by.x for by in moved), fmean(by.y for by in moved)) if moved else None
        rises = [one.series.images[place].rise_um for one in heights] if moved else []
        known = [rise for rise in rises if rise is not None]
        # All or none: the targets are at different distances from the axis, and rise by different amounts.
        rise_um = fmean(known) if known and len(known) == len(heights) == len(chosen) else None
        visits.append(Visit(image.tilt_deg, image.minutes, shift, rise_um))
    name = _SERIES_NAME.match(model.series.path.name)
    began = min((one.series.began for one in session if one.series.began is not None), default=None)
    return Course(
        model.series.path.name if name is None else name["root"],
        "" if began is None else f"{began:%Y-%m-%d %H:%M:%S}",
        model.first.tilt_deg,
        fmean(one.first.shift_um.y for one in chosen),
        len(chosen),
        tuple(visits),
    )


def _tilts(one: Checked) -> list[float]:
    """Tilts of all images, and which of them are believed."""
    return [round(image.tilt_deg) + 0.5 * (n in one.believed) for n, image in enumerate(one.series.images)]


def _defocus_scatter_um(one: Checked) -> float:
    """Scatter of the measured heights about their course, from how far each is from the mean of its neighbours."""
    apart = []
    for side in (Branch.UP, Branch.DOWN):
        images = [image for n, image in enumerate(one.series.images) if n in one.believed]
        heights = [image.rise_um for image in images if image.branch is side and image.rise_um is not None]
        apart += [
            abs(after - 2 * here + before) for before, here, after in zip(heights, heights[1:], heights[2:])
        ]
    return math.inf if len(apart) < 3 else 1.4826 * median(apart) / math.sqrt(6)
