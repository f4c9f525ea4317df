"""Watching the images of a run: what speaks for ending a target on its branch. Pure judgement, no microscope.

Brightness. Behind a sample the mean counts per second fall as ``exp(-b / s)``, where s is the foreshortening of the
sample plane (its cosine to the beam) and b belongs to the target. Each image is compared with what the target's own
latest images on that branch lead to expect, so thickening with tilt is normal and a grid bar or the rim of a holder,
which takes the light away within a few tilts, is not. If all targets lose the same share at the same tilt, the beam
has changed and not the targets.

Alignment. A chain of alignments that has caught a false peak goes on finding large shifts, or none at all, and adds
them up; one that follows a stage has a large one now and then. The tracking target is the first to see what the stage
did, however far it went: what it has found counts against it only if the others, sent where it said, were not there.
In that case theirs are not held against them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import NamedTuple, Optional

from pacetomo.frames import XY
from pacetomo.policies import Policies
from pacetomo.schemes import Branch
from pacetomo.scope.protocol import Shot

BLACK_SHARE = 0.35
"""An image with less than this share of the expected counts shows nothing of the target any more."""

DARK_SHARE = 0.75
"""Less than this share of the expected counts, several times in a row, is more than a sample's thickness does."""

LARGE_SHARE = 0.25
"""A residual of more than this share of the image's shorter side is a large one."""

RUNAWAY_IMAGES = 6
RUNAWAY_SHARE = 1.2
"""Residuals of the latest images that add up to more than this share of the shorter side have run away."""

_LATEST = 5
_FIT_IMAGES = 8
_USUAL_LOSS = 0.5
_LARGEST_LOSS = 2.0
_LEAST_FORESHORTENING = 0.05
_SAME_LOSS = 0.2
"""Targets whose logarithmic losses differ by less than this have lost the same."""


class Verdict(NamedTuple):
    """Why a target should end: the kind of trouble, and in words that follow on its name."""

    kind: str
    text: str


class Look(NamedTuple):
    """One image to be judged.

    `residual_um` is where the target was seen relative to the image centre; None when that could not be told.
    `compared` says whether the image was aligned to another one at all, `tracks` whether the others followed it.
    """

    target: int
    branch: Branch
    tilt_deg: float
    shot: Shot
    residual_um: Optional[XY]  # noqa: UP045 - evaluated at run time on Python 3.9
    compared: bool = True
    tracks: bool = False


@dataclass
class _History:
    """A target on one branch: path length and log of counts of its bright images, residuals, and warnings so far."""

    bright: list[tuple[float, float]] = field(default_factory=list)
    residuals_um: list[XY] = field(default_factory=list)
    dark: int = 0
    large: int = 0
    rejected: int = 0


@dataclass
class _Claim:
    """What the tracking target has found at a tilt, and how many others were where it said."""

    histories: list[_History]
    is_large: bool
    others: int = 0
    contradictions: int = 0


class Watch:
    """Judges each image of a run by limits and by the target's own history.

    Parameters
    ----------
    min_counts_per_s : float
        Mean counts per second under which an image is dark; 0 for no such limit.
    slope_y : float
        Rise of the sample plane per µm across the tilt axis, for the path of the beam through it.
    policies : Policies, optional
        How many bad images in a row are too many.
    """

    def __init__(
        self, min_counts_per_s: float, slope_y: float = 0.0, policies: Policies | None = None
    ) -> None:
        policies = policies or Policies()
        self._most_dim = policies.of("dark_image").limit
        self._most_large = policies.of("alignment_off").limit
        self._most_rejected = policies.of("alignment_lost").limit
        self._min_counts_per_s = min_counts_per_s
        self._slope_y = slope_y
        self._histories: dict[tuple[int, Branch], _History] = {}
        self._beam_log = 0.0
        self._losses: dict[tuple[int, Branch], float] = {}
        self._claim: _Claim | None = None
        self._fields_um: dict[int, float] = {}

    def begin_tilt(self) -> None:
        """Look back on the tilt that is over: what all targets share is not the fault of one."""
        self._settle_claim()
        losses = list(self._losses.values())
        if len(losses) >= 3 and max(losses) < math.log(DARK_SHARE) and max(losses) - min(losses) < _SAME_LOSS:
            self._beam_log += median(losses)
            for key in self._losses:
                self._histories[key].dark = 0
        self._losses = {}

    def _settle_claim(self) -> None:
        """Take what the tracking target has found for the stage's, unless most others contradict it."""
        claim, self._claim = self._claim, None
        if claim is None or claim.others == 0:
            return
        contradicted = 2 * claim.contradictions >= claim.others
        for history in claim.histories:
            history.large = history.large + 1 if contradicted and claim.is_large else 0
            if not contradicted:
                history.residuals_um[-1] = XY(0.0, 0.0)

    def judge(self, look: Look) -> Verdict | None:
        """Why the target ends on this branch after this image; None if it goes on."""
        shot = look.shot
        if 0 < self._min_counts_per_s and shot.mean_counts < self._min_counts_per_s * shot.exposure_s:
            text = f"is dark: {shot.mean_counts:.0f} counts, {self._min_counts_per_s:g} per second are wanted"
            return Verdict("dark_image", text)
        dim, off = self._judge_brightness(look), self._judge_alignment(look)
        return dim or off

    def rejected_in_a_row(self, target: int, branch: Branch) -> int:
        """How many of a target's latest alignments on a branch were not used."""
        return self._of(target, branch)[0].rejected

    def _judge_brightness(self, look: Look) -> Verdict | None:
        histories = self._of(look.target, look.branch)
        loss = self._loss(histories[0], look.tilt_deg, look.shot)
        if loss is None or loss >= math.log(DARK_SHARE):
            rate = _rate(look.shot)
            if rate is not None and rate > 0:
                for history in histories:
                    history.bright.append((self._path(look.tilt_deg), math.log(rate) - self._beam_log))
                    history.dark = 0
            if loss is not None:
                self._losses[look.target, look.branch] = loss
            return None
        share = math.exp(loss)
        for history in histories:
            history.dark += 1
        self._losses[look.target, look.branch] = loss
        if share >= BLACK_SHARE and histories[0].dark < self._most_dim:
            return None
        how = "is black" if share < BLACK_SHARE else "goes dark"
        counts = f"{look.shot.mean_counts:.0f} counts, {share:.0%} of what its earlier images let expect"
        return Verdict("dark_image", f"{how}: {counts}")

    def _loss(self, history: _History, tilt_deg: float, shot: Shot) -> float | None:
        """Log of the share of the expected counts that an image has; None without an earlier image or counts."""
        rate = _rate(shot)
        if rate is None or not history.bright:
            return None
        path = self._path(tilt_deg)
        per_path = _loss_per_path(history.bright[-_FIT_IMAGES:])
        expected = median(log - per_path * (path - there) for there, log in history.bright[-_LATEST:])
        return math.log(max(rate, 1e-9)) - self._beam_log - expected

    def _judge_alignment(self, look: Look) -> Verdict | None:
        if not look.compared:
            return None
        histories = self._of(look.target, look.branch)
        history, residual, field_um = histories[0], look.residual_um, self._field_um(look)
        is_large = residual is not None and residual.length > LARGE_SHARE * field_um
        if self._claim is not None and not look.tracks:
            self._claim.others += 1
            self._claim.contradictions += is_large or residual is None
        if residual is None:
            for each in histories:
                each.rejected += 1
            if history.rejected >= self._most_rejected:
                text = f"is lost: {history.rejected} alignments in a row could not be used"
                return Verdict("alignment_lost", text)
            return None
        before = history.large
        borrowed = not look.tracks and self._claim is not None and self._claim.is_large
        for each in histories:
            each.rejected = 0
            each.residuals_um.append(XY(0.0, 0.0) if borrowed else residual)
            if not look.tracks and not borrowed:
                each.large = each.large + 1 if is_large else 0
        if look.tracks:
            self._claim = _Claim(histories, is_large)
        if is_large and not borrowed and before >= self._most_large - 1:
            text = (
                f"runs away: it was off by {residual.length:.2f} µm and nearly as much {before} times before"
            )
            return Verdict("alignment_off", text)
        latest = history.residuals_um[-RUNAWAY_IMAGES:]
        sum_um = XY(sum(one.x for one in latest), sum(one.y for one in latest)).length
        if len(latest) > 2 and sum_um > RUNAWAY_SHARE * field_um:
            text = f"runs away: off by {sum_um:.2f} µm in all over {len(latest)} images"
            return Verdict("alignment_off", text)
        return None

    def _field_um(self, look: Look) -> float:
        """Shorter side of a target's images; that of an earlier one, or infinity, where this could not be described."""
        own_um = min(look.shot.field_um)
        if own_um > 0:
            self._fields_um[look.target] = own_um
        return self._fields_um.get(look.target, math.inf)

    def _path(self, tilt_deg: float) -> float:
        """Path of the beam through the sample, relative to its thickness along the beam at tilt 0 of a level one."""
        tilt = math.radians(tilt_deg)
        return 1 / max(_LEAST_FORESHORTENING, math.cos(tilt) - self._slope_y * math.sin(tilt))

    def _of(self, target: int, branch: Branch) -> list[_History]:
        """Histories that an image belongs to: the start image begins both branches."""
        branches = (Branch.UP, Branch.DOWN) if branch is Branch.START else (branch,)
        return [self._histories.setdefault((target, each), _History()) for each in branches]


def _rate(shot: Shot) -> float | None:
    """Counts per second; None when the image could not be described."""
    if not math.isfinite(shot.mean_counts) or not shot.exposure_s > 0:
        return None
    return shot.mean_counts / shot.exposure_s


def _loss_per_path(bright: Sequence[tuple[float, float]]) -> float:
    """How the log of the counts falls with the path: median over pairs of images, within what samples can do."""
    slopes = [
        (log - other_log) / (other - path)
        for place, (path, log) in enumerate(bright)
        for other, other_log in bright[:place]
        if abs(path - other) > 1e-3
    ]
    return min(max(median(slopes), 0.0), _LARGEST_LOSS) if len(slopes) >= 3 else _USUAL_LOSS
