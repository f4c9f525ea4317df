"""What is believed of stage and targets, and how one image changes it.

A tilt is kept as a list of its images beside the belief at its begin, so that it can be gone through again when its
measurements have contradicted what was believed of the first of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Optional

import numpy as np

from pacetomo.frames import ORIGIN, XY
from pacetomo.joint.adaptation import (
    CHAIN_SHARE,
    DEFOCUS_NOISE_UM,
    IMAGE_SHARE,
    NoiseScale,
    Scatter,
)
from pacetomo.joint.consensus import (
    FALSE_PEAK,
    GATE,
    Deviations,
    Verdict,
    doubt_after,
    huber_factor,
    judge,
)
from pacetomo.joint.motion import Motion, Stars
from pacetomo.joint.priors import SLIP_UM
from pacetomo.joint.profile import StageProfile
from pacetomo.joint.rows import OWN_D, OWN_E, Geometry, Moment, own_spread
from pacetomo.joint.star import Floats, Ray, Row, Star
from pacetomo.schemes import Branch

DEFOCUS_GATE = 12.0
"""Chi-square beyond which a measured defocus is not believed."""

KEPT_UM = 0.06
"""A first image that is off by less than this shows the place that the series keeps to.

Going back to the Preview's place would set the first image, which has seen the least dose, apart from all others.
"""

PROFILE_MARGIN = 5.0
"""A stage profile under which everything measured is less probable by exp(-5) than without one is dropped."""

BLIND_UM = 0.2
"""An image that shows nothing, aimed by a stage profile so far from where it had been aimed without, speaks against it.

Such an aim may itself be why the target was not found, and what is not found contradicts nothing.
"""

FOCUS_SLIP_UM = 0.5
AGREE_UM = 0.5
"""A height that all targets have taken on: how far two measurements of it may differ, and how much it may be."""


class Image(NamedTuple):
    """One exposure: shift set, residual found (None: not aligned), rise it showed (None: no defocus), minutes."""

    target: int
    applied_um: XY
    residual_um: Optional[XY]  # noqa: UP045 - evaluated at run time on Python 3.9
    rise_um: Optional[float]  # noqa: UP045
    minutes: float


class Outlook(NamedTuple):
    """Where a target is expected: x, y and rise (µm), and their variances."""

    shift_um: XY
    rise_um: float
    variance_um2: XY
    rise_variance_um2: float


class _Taken(NamedTuple):
    """An image with its rows, for going through a tilt again."""

    image: Image
    x_row: Row
    yz_rows: Row
    predicted_um: XY
    predicted_rise_um: float


class Belief:
    """Posterior over everything in the equations of `pacetomo.joint`.

    Parameters
    ----------
    geometry : Geometry
    level_deg : float
        Tilt at which the sample is level across the axis; noise grows away from it.
    profile : StageProfile, optional
        What is known of the stage's motion beforehand.
    """

    def __init__(self, geometry: Geometry, level_deg: float, profile: StageProfile | None = None) -> None:
        self.geometry = geometry
        self.noise = NoiseScale(level_deg)
        self.motion = Motion(geometry.start_tilt_deg, profile)
        self.dropped_profile: str | None = None
        self._advantage = 0.0
        self.tilt_deg, self.branch = geometry.start_tilt_deg, Branch.START
        self._moved = XY(0.0, 0.0)
        self._doubt: dict[int, float] = {}
        self._taken: list[_Taken] = []
        self._believed: list[bool] = []
        self._outcomes: dict[int, tuple[bool, ...]] = {}
        self._contrary_um: float | None = None
        self._contrary_before_um: float | None = None
        self._knows_focus = False
        self._is_sighted = self._slip_is_seen = False
        self._stars = Stars(Star(self.motion.x_prior()), Star(self.motion.yz_prior()))
        chain_um2 = IMAGE_SHARE * self.noise.standard_um2(geometry.start_tilt_deg)
        for target, start in geometry.starts.items():
            self._stars.x.set_ray(target, Ray.fresh(own_spread(start, chain_um2, rough=False)))
            self._stars.yz.set_ray(target, Ray.fresh(own_spread(start, chain_um2, rough=True)))
        self._before = self._stars.copy()
        self._ahead: tuple[tuple[float, Branch, int], Stars] | None = None

    # where targets are expected

    def outlook(
        self, target: int, tilt_deg: float, branch: Branch, minutes: float, *, as_found: bool = False
    ) -> Outlook:
        """Where a target is at a tilt, visited or not, or, with `as_found`, where an alignment will find it.

        The one differs from the other by the error of the chain of alignments, which is part of the belief.
        """
        if branch is Branch.START or self.is_here(tilt_deg, branch):
            stars, stops = self._stars, len(self.motion.stops)
        else:
            stars, stops = self._looking_ahead(tilt_deg, branch), len(self.motion.stops) + 1
        stop = None if branch is Branch.START else stops - 1
        at = Moment(tilt_deg, branch, stop, minutes, self._rest_s(minutes) if stars is self._stars else 0.0)
        x_row, yz_rows = (
            self.geometry.x_row(target, at, stops),
            self.geometry.yz_rows(target, at, stops),
        )
        scatter_um2 = 0.0
        if as_found:
            scatter_um2 = self.noise.variance_um2(target, tilt_deg)
            if branch is not Branch.START:
                x_row.own[0, OWN_E[branch]] = yz_rows.own[0, OWN_E[branch]] = 1.0
        x, yz = stars.x.expect(target, x_row), stars.yz.expect(target, yz_rows)
        shift, rise = self._predicted(target, tilt_deg, branch)
        if (
            not self._knows_focus
        ):  # y alone cannot tell the axis from the stage's motion: it shall not drive the focus
            rise -= float(yz_rows.common[1, :3] @ stars.yz.mean[:3])
        return Outlook(
            shift.plus(XY(float(x.mean[0]), float(yz.mean[0]))),
            rise + float(yz.mean[1]),
            XY(float(x.covariance[0, 0]) + scatter_um2, float(yz.covariance[0, 0]) + scatter_um2),
            float(yz.covariance[1, 1]),
        )

    def height_error_um(self, target: int) -> float:
        """How much higher a target is, across the beam's axis at the start tilt, than the geometry says."""
        at = Moment(self.geometry.start_tilt_deg, Branch.START, None, 0.0)
        row = self.geometry.yz_rows(target, at, len(self.motion.stops))
        common = row.common[1:].copy()
        common[0, 2], common[0, 8] = (
            1.0,
            0.0,
        )  # with the height of all over the axis, without the error of the focus
        return float(self._stars.yz.expect(target, Row(common, row.own[1:])).mean[0])

    def is_here(self, tilt_deg: float, branch: Branch) -> bool:
        """Whether a tilt is the one being visited."""
        return branch is self.branch and abs(tilt_deg - self.tilt_deg) < 1e-3

    def _looking_ahead(self, tilt_deg: float, branch: Branch) -> Stars:
        key = (tilt_deg, branch, len(self._taken) + 1000 * len(self.motion.stops))
        if self._ahead is None or self._ahead[0] != key:
            stars = self._stars.copy()
            self.motion.resolve(stars, self.motion.stop(tilt_deg, branch))
            self._ahead = (key, stars)
        return self._ahead[1]

    def _predicted(self, target: int, tilt_deg: float, branch: Branch) -> tuple[XY, float]:
        """Shift and rise by geometry, with what is known of the axis and of breaks."""
        shift, rise = self.geometry.predicted(target, tilt_deg)
        dy, dz = self.geometry.by_axis_um(tilt_deg, branch)
        return shift.plus(self._moved).plus(XY(0.0, dy)), rise + dz

    # going on

    def visit(self, tilt_deg: float, branch: Branch) -> None:
        """Learn from the tilt that has ended, and begin another one."""
        self._settle()
        self._is_sighted = self._slip_is_seen = False
        self._contrary_before_um = self._contrary_um
        self.tilt_deg, self.branch = tilt_deg, branch
        if branch is not Branch.START:
            self.motion.visit(tilt_deg, branch)
        self.motion.resolve(self._stars)
        self._before = self._stars.copy()

    def take(self, image: Image) -> bool:
        """Learn from an image at the present tilt; whether its alignment is believed."""
        at = self._moment(image.minutes)
        shift, rise = self._predicted(image.target, self.tilt_deg, self.branch)
        stops = len(self.motion.stops)
        taken = _Taken(
            image,
            self.geometry.x_row(image.target, at, stops),
            self.geometry.yz_rows(image.target, at, stops),
            shift,
            rise,
        )
        if image.residual_um is None and self.branch is not Branch.START:
            self._doubt_profile_that_misses(taken)
        self._taken.append(taken)
        self._believed.append(self._absorb(taken, None))
        self._absorb_defocus(taken)
        if image.residual_um is not None and not self._believed[-1] and self.branch is not Branch.START:
            self._reconsider()
        return self._believed[-1]

    @property
    def contradicts_latest(self) -> bool:
        """Whether the latest image does not fit: its alignment is not believed, or the stage must have slipped."""
        return bool(self._believed) and (not self._believed[-1] or self.motion.has_slipped)

    def measure_rise(self, target: int, rise_um: float, minutes: float) -> None:
        """Learn from the height of a target's place at the present tilt, before its images."""
        at = self._moment(minutes)
        rows = self.geometry.yz_rows(target, at, len(self.motion.stops))
        _, predicted_um = self._predicted(target, self.tilt_deg, self.branch)
        self._absorb_rise(target, Row(rows.common[1:], rows.own[1:]), rise_um - predicted_um)
        if not self._taken:  # part of what is known at the tilt's begin
            self._before = self._stars.copy()
            self._contrary_before_um = self._contrary_um

    def contradicts(self, target: int, residual_um: XY, minutes: float) -> bool:
        """Whether a residual at the present tilt is not what is expected of an alignment of the target there.

        `residual_um` counts from where the target itself is expected.
        """
        true = self.outlook(target, self.tilt_deg, self.branch, minutes)
        found = self.outlook(target, self.tilt_deg, self.branch, minutes, as_found=True)
        apart = true.shift_um.plus(residual_um).minus(found.shift_um)
        return apart.x**2 / found.variance_um2.x + apart.y**2 / found.variance_um2.y > GATE

    def sight(self, target: int, place_um: XY, sigma_um: float, minutes: float) -> None:
        """Learn at the present tilt where a target is, from an image outside its series.

        Such an image shows a larger field, so it cannot have missed the target: what contradicts it is a slip.

        Parameters
        ----------
        target : int
        place_um : XY
            Specimen shift that centres it.
        sigma_um : float
            Standard deviation of each coordinate.
        minutes : float
        """
        at = self._moment(minutes)
        stops = len(self.motion.stops)
        x_row = self.geometry.x_row(target, at, stops)
        both = self.geometry.yz_rows(target, at, stops)
        rows = (x_row, Row(both.common[:1], both.own[:1]))
        apart = place_um.minus(self._predicted(target, self.tilt_deg, self.branch)[0])
        chi_square = 0.0
        for star, row, value in zip(self._before, rows, apart):
            expected = star.expect(target, row)
            chi_square += (value - float(expected.mean[0])) ** 2 / (
                float(expected.covariance[0, 0]) + sigma_um**2
            )
        if chi_square > GATE and self.motion.stops and self.branch is not Branch.START:
            self._slip_is_seen = True
            self.motion.slip(SLIP_UM)
        self._is_sighted = True
        self.motion.resolve(self._before)
        noise = np.array([[sigma_um**2]])
        for star, row, value in zip(self._before, rows, apart):
            star.update(target, row, np.array([value]), noise)
        self._go_through_again(self._believed)
        if self._taken and self.branch is not Branch.START:
            self._reconsider()

    def moved(self, shift_um: XY, sigma_um: float) -> None:
        """All targets are seen elsewhere from the next tilt on, by so much with such an uncertainty."""
        self._moved = self._moved.plus(shift_um)
        self.motion.move_all(sigma_um)

    def _rest_s(self, minutes: float) -> float:
        """Time since the first image of the present tilt."""
        return 60.0 * (minutes - self._taken[0].image.minutes) if self._taken else 0.0

    def _moment(self, minutes: float) -> Moment:
        """A time at the present tilt."""
        stop = None if self.branch is Branch.START else len(self.motion.stops) - 1
        return Moment(self.tilt_deg, self.branch, stop, minutes, self._rest_s(minutes))

    # one image

    def _absorb(self, taken: _Taken, believe: bool | None) -> bool:
        """Take in an alignment; `believe` None lets the gate decide."""
        image = taken.image
        at_start = self.branch is Branch.START
        apart, rows = self._apart(taken), self._measured_rows(taken)
        noise = IMAGE_SHARE * self.noise.variance_um2(image.target, self.tilt_deg)
        if not at_start:
            self._lengthen_chain(image.target, CHAIN_SHARE / IMAGE_SHARE * noise)
        if at_start and image.residual_um is not None and image.residual_um.length <= KEPT_UM:
            self._begin_at_start(taken, image.residual_um)
            return True
        if image.residual_um is not None and believe is not False:
            chi_square = 0.0
            for star, row, value in zip(self._stars, rows, apart):
                expected = star.expect(image.target, row)
                chi_square += (value - expected.mean[0]) ** 2 / (expected.covariance[0, 0] + noise)
            if believe or chi_square <= GATE:
                wide = np.array([[noise * huber_factor(float(chi_square))]])
                for star, row, value in zip(self._stars, rows, apart):
                    star.update(image.target, row, np.array([value]), wide)
                return True
        self._begin_chain(taken, noise)
        return False

    def _apart(self, taken: _Taken) -> XY:
        """Where the target was found, or taken to be, less the geometry's prediction."""
        return taken.image.applied_um.plus(taken.image.residual_um or XY(0.0, 0.0)).minus(taken.predicted_um)

    def _measured_rows(self, taken: _Taken) -> tuple[Row, Row]:
        """Rows of a measured position: of the true one, with the error of the chain."""
        rows = []
        for row in (taken.x_row, Row(taken.yz_rows.common[:1], taken.yz_rows.own[:1])):
            own = row.own.copy()
            if self.branch is not Branch.START:
                own[0, OWN_E[self.branch]] = 1.0
            rows.append(Row(row.common, own))
        return rows[0], rows[1]

    def _lengthen_chain(self, target: int, variance_um2: float) -> None:
        for star in self._stars:
            star.set_ray(target, star.ray(target).with_step(OWN_E[self.branch], variance_um2))

    def _begin_chain(self, taken: _Taken, noise: float) -> None:
        """Let the chain begin with this image, at the place where the target was taken to be."""
        if self.branch is Branch.START:  # the target is what this image shows, whatever it was compared with
            self._begin_at_start(taken, taken.image.residual_um or ORIGIN)
            return
        target, entry = taken.image.target, OWN_E[self.branch]
        for star, row, value in zip(self._stars, (taken.x_row, taken.yz_rows), self._apart(taken)):
            single = Row(row.common[:1], row.own[:1])
            star.set_ray(target, star.ray(target).redefined(entry, float(value), single, noise))

    def _begin_at_start(self, taken: _Taken, residual_um: XY) -> None:
        """Take the place that this image shows for the target; chains begin with the residual it was given."""
        target = taken.image.target
        apart = taken.image.applied_um.minus(taken.predicted_um)
        for star, row, value, begins in zip(self._stars, (taken.x_row, taken.yz_rows), apart, residual_um):
            own = row.own[:1].copy()
            own[0, OWN_D] = 0.0
            ray = star.ray(target).redefined(OWN_D, float(value), Row(row.common[:1], own), 1e-12)
            ray.offset[1:3] = begins
            star.set_ray(target, ray)

    def _absorb_defocus(self, taken: _Taken) -> None:
        """Take in the height that an image has shown."""
        if taken.image.rise_um is not None:
            row = Row(taken.yz_rows.common[1:], taken.yz_rows.own[1:])
            self._absorb_rise(taken.image.target, row, taken.image.rise_um - taken.predicted_rise_um)

    def _absorb_rise(self, target: int, row: Row, measured_um: float) -> None:
        """Take in a height; two in a row that contradict alike show that all have risen or sunk."""
        self._knows_focus = True
        noise = np.array([[(DEFOCUS_NOISE_UM * self.noise.stretch(self.tilt_deg)) ** 2]])
        expected = self._stars.yz.expect(target, row)
        apart_um = measured_um - float(expected.mean[0])
        if apart_um**2 <= DEFOCUS_GATE * float(expected.covariance[0, 0] + noise[0, 0]):
            self._contrary_um = None
        elif self._contrary_um is not None and abs(apart_um - self._contrary_um) < AGREE_UM:
            self._contrary_um = None
            self.motion.slip_in_focus(FOCUS_SLIP_UM)
            self.motion.resolve(self._stars)
        else:
            self._contrary_um = apart_um
            return
        self._stars.yz.update(target, row, np.array([measured_um]), noise)

    # a whole tilt

    def _reconsider(self) -> None:
        """Find the most probable account of the tilt so far; go through it again if that is another one."""
        aligned = [n for n, taken in enumerate(self._taken) if taken.image.residual_um is not None]
        verdict, had_profile = self._judge(aligned, self._before), self.motion.profile is not None
        if had_profile:
            verdict = self._doubt_profile(aligned, verdict)
        believed = [False] * len(self._taken)
        for n, value in zip(aligned, verdict.believed):
            believed[n] = value
        slipped = verdict.slipped or self._slip_is_seen
        is_as_before = believed == self._believed and self.motion.has_slipped == slipped
        if is_as_before and had_profile == (self.motion.profile is not None):
            return
        self.motion.slip(SLIP_UM if slipped else None)
        self._go_through_again(believed)

    def _go_through_again(self, believed: list[bool]) -> None:
        """Take in the tilt's images once more from its begin, those that are believed."""
        self._stars = self._before.copy()
        self.motion.resolve(self._stars)
        self._believed = list(believed)
        self._contrary_um = self._contrary_before_um
        for taken, value in zip(self._taken, believed):
            self._absorb(taken, value)
            self._absorb_defocus(taken)

    def _judge(self, aligned: Sequence[int], before: Stars) -> Verdict:
        """Most probable account of some of the tilt's images, for a belief at its begin."""
        x, y = self._scatter(aligned, before)
        doubt = np.array([self._doubt.get(target, FALSE_PEAK) for target in x.targets])
        scale = np.array([self.noise.of(target) for target in x.targets]) * self.noise.common
        apart = np.stack([x.apart, y.apart], axis=1)
        return judge(
            Deviations(apart, x.predicted, y.predicted, x.noise_um2 * scale**2, doubt),
            may_slip=not self._is_sighted,
        )

    def _doubt_profile(self, aligned: Sequence[int], verdict: Verdict) -> Verdict:
        """Drop the profile if this tilt speaks against it, and all measurements together do; the verdict that holds.

        Best accounts are compared, so that a false correlation, which no prior explains, speaks against none.
        """
        before = self._before.copy()
        self.motion.resolve(before, without_profile=True)
        without = self._judge(aligned, before)
        advantage = self._advantage + verdict.score - without.score
        if advantage >= -PROFILE_MARGIN:
            return verdict
        self._drop_profile(_odds(advantage))
        self._before = before
        return without

    def _doubt_profile_that_misses(self, taken: _Taken) -> None:
        """Drop the profile if an image shows nothing where only the profile has expected its target."""
        if self.motion.profile is None:
            return
        without = self._stars.copy()
        self.motion.resolve(without, without_profile=True)
        row = Row(taken.yz_rows.common[:1], taken.yz_rows.own[:1])
        target = taken.image.target
        apart = [
            float((one.expect(target, each).mean - other.expect(target, each).mean)[0])
            for one, other, each in zip(self._stars, without, (taken.x_row, row))
        ]
        away_um = XY(*apart).length
        if away_um < BLIND_UM:
            return
        self._drop_profile(
            f"target {target} was not found where it was sent, {away_um:.2f} µm from without it"
        )
        self._stars = without
        self.motion.resolve(self._before)

    def _drop_profile(self, reason: str) -> None:
        self.motion.drop_profile()
        self._ahead = None
        tilts = len(self.motion.stops)
        self.dropped_profile = f"the stage profile is not used any more, after {tilts} tilts: {reason}"

    def _settle(self) -> None:
        """Learn scales, noise and whom to doubt from the tilt that has ended."""
        self._outcomes = self.outcomes()
        for taken, believed in zip(self._taken, self._believed):
            if taken.image.residual_um is not None:
                target = taken.image.target
                self._doubt[target] = doubt_after(self._doubt.get(target, FALSE_PEAK), believed)
        if self.motion.stops and self.branch is not Branch.START:
            before = self._before
            if self.motion.has_slipped:
                before = before.copy()
                self.motion.resolve(before)
            believed_ones = [n for n, value in enumerate(self._believed) if value]
            if len(believed_ones) > 1:
                self.noise.learn(list(self._scatter(believed_ones, before)))
            self.motion.step_scales(self._stars)
            if self.motion.profile is not None:
                self._advantage = self.motion.advantage(self._stars)
                if self._advantage < -PROFILE_MARGIN:
                    self._drop_profile(_odds(self._advantage))
        self._taken, self._believed = [], []

    def _scatter(self, chosen: Sequence[int], stars: Stars) -> tuple[Scatter, Scatter]:
        """Deviations in x and y of some of the tilt's images from a belief."""
        targets = [self._taken[n].image.target for n in chosen]
        standard = self.noise.standard_um2(self.tilt_deg)
        scatters = []
        for axis, star in enumerate(stars):
            through, means, own, apart = [], [], [], []
            for n in chosen:
                taken = self._taken[n]
                row = self._measured_rows(taken)[axis]
                ray = star.ray(taken.image.target).widened(row.common.shape[1])
                through.append((row.common + row.own @ ray.slope)[0])
                means.append(float((row.own @ ray.offset)[0]))
                own.append(float((row.own @ ray.spread @ row.own.T)[0, 0]))
                apart.append(self._apart(taken)[axis])
            levers = np.array(through)
            predicted: Floats = levers @ star.covariance @ levers.T + np.diag(own)
            scatters.append(
                Scatter(targets, np.array(apart) - levers @ star.mean - np.array(means), predicted, standard)
            )
        return scatters[0], scatters[1]

    # what there is to tell

    @property
    def stars(self) -> Stars:
        """The posterior itself; not to be changed."""
        return self._stars

    @property
    def knows_focus(self) -> bool:
        """Whether a defocus has been measured: without one, the axis cannot be told from the stage's motion."""
        return self._knows_focus

    def outcomes(self) -> dict[int, tuple[bool, ...]]:
        """Which alignments of each target away from the start were believed, in order; one without result was not."""
        known = dict(self._outcomes)
        if self.branch is not Branch.START:
            for taken, believed in zip(self._taken, self._believed):
                image = taken.image
                is_good = believed and image.residual_um is not None
                known[image.target] = (*known.get(image.target, ()), is_good)
        return known

    def verdicts(self) -> dict[int, bool]:
        """Whether the latest alignment of each target at the present tilt is believed."""
        aligned = zip(self._taken, self._believed)
        return {taken.image.target: good for taken, good in aligned if taken.image.residual_um is not None}


def _odds(advantage: float) -> str:
    """How much more probable everything is without a profile, in words."""
    return f"all that was measured is e^{-advantage:.0f} times as probable without it"
