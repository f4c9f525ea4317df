"""The stated model of how well positions, focus and CTF are measured.

Shift between two images (kinematic fidelity)
    The true shift, seen through the calibrated pixel and rotation, plus noise. Its standard deviation in x and
    y for two like images is

        sigma = sigma0 * (1 / cos(a))**1.3 * sqrt(3 / dose_behind) * sqrt(1 / detail)

    with sigma0 of 4 to 6 nm, a the angle between beam and sheet normal, dose_behind the electrons per square
    angstrom behind the sample (taken as 3 if more), detail the amount of structure; never less than 0.15 pixel
    of the coarser image. Most of it belongs to the images: each has an apparent displacement of 0.68 sigma of
    its own, drawn once, that enters with opposite signs where the image is aligned and where it serves as
    reference, so it does not pile up along a chain of alignments. The rest, 0.28 sigma, is drawn for each pair
    and does.

    With probability  p = p0 * (1 / cos(a)) * (2 / dose_behind) / detail**3  (p0 about 1e-4 per alignment;
    1 when dark, featureless or shifted by more than 0.7 of the field) the correlation fails: half the time no
    peak is found within the limit, half the time a false one anywhere within it, the limit being a third
    of the field where none is given. Coarse pixels gather electrons: dose_behind counts in proportion to the
    pixel size above 0.53 nm.

    A shift beyond the limit that would have been measured is no peak within the limit. But where both images show
    several holes of a film, a hole nearer than that is taken for the one meant, see `alike`.

Autofocus (both fidelities)
    True defocus at the centre of the Focus area plus noise of `autofocus_sigma_um`; fails with probability
    `autofocus_failure`, and surely where it is dark or featureless.

Eucentricity (both)
    The stage z that puts the sheet at the image centre on the tilt axis, with a fine or rough error.

CTF fit (both)
    True defocus plus noise of `ctf_sigma_um * weakness`, where

        weakness = (1 / cos(a)) * sqrt(2 / dose_behind) * sqrt(1 / detail)

    with detail as above and dose_behind as it is, taken as 2 if more: coarse pixels gain nothing. With probability
    ctf_wrong * weakness  the fit is wrong: off by 1 um, and claiming a resolution anywhere from 15 to 60 angstrom. A
    good one reaches  9 * weakness  angstrom, never finer than 2.2 pixels. No fit where dark, or where that leaves no
    rings to fit (a resolution beyond 60 angstrom).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mock_serialem.sim.alike import nearest_alike_um
from mock_serialem.sim.optics import Optics
from mock_serialem.sim.profiles import MeasurementProfile
from mock_serialem.sim.sample import Sheet
from mock_serialem.sim.shot import AutofocusResult, CtfFit, ShiftMeasurement, Shot

FINE_PIXEL_UM = 0.53e-3
"""Pixel at and below which only the dose counts, not the electrons per pixel."""

IMAGE_SHARE = 0.68
PAIR_SHARE = 0.28
"""Shares of the noise of a shift that belong to each image and to the pair: 2 * 0.68**2 + 0.28**2 = 1."""

DARK_DOSE = 0.1
"""Electrons per square angstrom behind the sample below which nothing is to be seen."""


@dataclass(frozen=True)
class View:
    """What limits measurements on an image: slant of the sheet (1/cos), dose behind the sample, detail."""

    stretch: float
    dose_behind: float
    detail: float

    @classmethod
    def of(cls, shot: Shot, stretch: float) -> View:
        """Judge an image taken through a sheet slanted by `stretch` = 1 / cos."""
        dose = shot.electrons_per_pixel / (shot.pixel_um * 1e4) ** 2
        gathered = max(1.0, shot.pixel_um / FINE_PIXEL_UM)
        return cls(stretch, dose * gathered, shot.contrast)

    @property
    def dark(self) -> bool:
        """True where hardly any electrons arrive or nothing is to be seen."""
        return self.dose_behind < DARK_DOSE or self.detail < 0.05


def shift_sigma_um(profile: MeasurementProfile, view: View, pixel_um: float) -> float:
    """Standard deviation of a measured shift, each axis."""
    dose = min(max(view.dose_behind, 0.05), 3.0)
    noise = (
        1e-3
        * profile.shift_sigma_nm
        * float(view.stretch**1.3)
        * math.sqrt(3.0 / dose / max(view.detail, 0.05))
    )
    return max(noise, 0.15 * pixel_um)


def outlier_probability(profile: MeasurementProfile, view: View) -> float:
    """Probability that the highest peak is not the true one."""
    if view.dark:
        return 1.0
    weakness = view.stretch * (2.0 / view.dose_behind) / view.detail**3
    return min(1.0, profile.shift_outlier * weakness)


def true_shift_um(image: Shot, reference: Shot) -> tuple[float, float]:
    """Shift of `image`'s content that puts the centre of `reference` at the centre, in the true specimen plane."""
    x, y, _ = image.pose.where(reference.pose.centre_um)
    return -x, -y


def own_displacement_um(
    shot: Shot, view: View, profile: MeasurementProfile, seed: int
) -> tuple[float, float]:
    """Apparent displacement of an image's content by its own noise; the same whenever asked."""
    x, y = np.random.default_rng([seed, 31, shot.number]).standard_normal(2).tolist()
    sigma = IMAGE_SHARE * shift_sigma_um(profile, view, shot.pixel_um)
    return sigma * x, sigma * y


@dataclass(frozen=True)
class Pair:
    """What a correlation has to deal with.

    Attributes
    ----------
    seen_um : (x, y)
        Shift that a correlation without noise of its own would give.
    view : View
        The poorer of the two images.
    field_um : float
        Smaller side of the smaller field.
    pixel_um : float
        The coarser pixel.
    """

    seen_um: tuple[float, float]
    view: View
    field_um: float
    pixel_um: float


def draw_shift(
    pair: Pair, limit_um: float | None, profile: MeasurementProfile, rng: np.random.Generator
) -> ShiftMeasurement:
    """One measured shift by the model above; `limit_um` is the largest shift looked for."""
    # Always the same number of draws, so that one bad image does not disturb the noise of the next ones.
    noise_x, noise_y = rng.standard_normal(2).tolist()
    fate, kind, radius, angle, quality = rng.random(5).tolist()
    view = pair.view
    reach = limit_um if limit_um is not None else pair.field_um / 3.0
    if fate < outlier_probability(profile, view) or math.hypot(*pair.seen_um) > 0.7 * pair.field_um:
        if kind < 0.5:
            return ShiftMeasurement(None, None, 0.01 * quality)
        far, turn = reach * math.sqrt(radius), 2.0 * math.pi * angle
        return ShiftMeasurement(far * math.cos(turn), far * math.sin(turn), 0.02 + 0.02 * quality)
    sigma = PAIR_SHARE * shift_sigma_um(profile, view, pair.pixel_um)
    x, y = pair.seen_um[0] + sigma * noise_x, pair.seen_um[1] + sigma * noise_y
    if limit_um is not None and math.hypot(x, y) > limit_um:
        return ShiftMeasurement(None, None, 0.02)
    return ShiftMeasurement(x, y, 0.5 * view.detail / view.stretch + 0.05 * quality)


def draw_autofocus(
    true_um: float, view: View, profile: MeasurementProfile, rng: np.random.Generator
) -> AutofocusResult:
    """One autofocus result; a failed one reports a meaningless number with code -1."""
    noise, fate = float(rng.standard_normal()), float(rng.random())
    # Tilted-beam images need more signal than an alignment.
    if view.dark or fate < profile.autofocus_failure:
        return AutofocusResult(true_um + 5.0 * noise, -1)
    return AutofocusResult(true_um + profile.autofocus_sigma_um * math.sqrt(view.stretch) * noise, 0)


def ctf_weakness(view: View) -> float:
    """How much less than a sound untilted image of 2 e/A^2 an image tells of its CTF; 1 for that one."""
    dose = min(max(view.dose_behind, 0.05), 2.0)
    return float(view.stretch * math.sqrt(2.0 / dose / max(view.detail, 0.05)))


def draw_ctf_fit(
    true_um: float, view: View, profile: MeasurementProfile, rng: np.random.Generator, pixel_um: float = 1e-4
) -> CtfFit | None:
    """One CTF fit, or None where nothing can be fitted; `pixel_um` limits what it reaches."""
    noise, off, astigmatism, score = (float(value) for value in rng.standard_normal(4))
    fate, angle, claim = (float(value) for value in rng.random(3))
    weakness = ctf_weakness(view)
    resolution_a = max(9.0 * weakness, 2.2e4 * pixel_um)
    if view.dark or resolution_a > 60.0:
        return None
    wrong = fate < profile.ctf_wrong * weakness
    good = 0.25 / weakness + 0.02 * score
    return CtfFit(
        defocus_um=true_um + (off if wrong else profile.ctf_sigma_um * weakness * noise),
        astigmatism_um=abs(0.03 * astigmatism),
        angle_deg=180.0 * angle - 90.0,
        score=0.2 * good if wrong else good,
        resolution_a=max(15.0 + 45.0 * claim, 2.2e4 * pixel_um) if wrong else resolution_a,
    )


class Observer:
    """Measurements on the images of one session.

    Parameters
    ----------
    profile : MeasurementProfile
    optics : Optics
    sheet : Sheet
    seed : int
    streams : mapping
        Generators named "shift", "routine" and "ctf", so that one kind of measurement does not disturb another.
    """

    def __init__(
        self,
        profile: MeasurementProfile,
        optics: Optics,
        sheet: Sheet,
        seed: int,
        streams: Mapping[str, np.random.Generator],
    ) -> None:
        self._profile = profile
        self._optics = optics
        self._sheet = sheet
        self._seed = seed
        self._streams = streams

    def view(self, shot: Shot) -> View:
        """What limits measurements on an image."""
        return View.of(shot, self._sheet.beam(shot.pose.rotation)[2])

    def shift(self, image: Shot, reference: Shot, limit_um: float | None) -> ShiftMeasurement:
        """Shift between two images by the model of kinematic fidelity."""
        views = [self.view(shot) for shot in (image, reference)]
        poorer = View(
            max(view.stretch for view in views),
            min(view.dose_behind for view in views),
            min(view.detail for view in views),
        )
        seen = self._optics.measured_from_true(image.setup.mag_index) @ self._matching_um(
            image, reference, limit_um
        )
        if image.number != reference.number:
            seen -= own_displacement_um(image, views[0], self._profile, self._seed)
            seen += own_displacement_um(reference, views[1], self._profile, self._seed)
        pair = Pair(
            seen_um=(float(seen[0]), float(seen[1])),
            view=poorer,
            field_um=min(*image.field_um, *reference.field_um),
            pixel_um=max(image.pixel_um, reference.pixel_um),
        )
        return draw_shift(pair, limit_um, self._profile, self._streams["shift"])

    def _matching_um(self, image: Shot, reference: Shot, limit_um: float | None) -> tuple[float, float]:
        """Shift of the highest peak: the true one, or beyond reach that of the nearest hole."""
        true_um = true_shift_um(image, reference)
        field_um = min(*image.field_um, *reference.field_um)
        if math.hypot(*true_um) <= (0.7 * field_um if limit_um is None else limit_um):
            return true_um
        alike = nearest_alike_um(self._sheet, self._seed, image.pose, reference.pose, field_um)
        return true_um if alike is None else alike

    def autofocus(self, shots: Sequence[Shot]) -> AutofocusResult:
        """Defocus from tilted-beam images."""
        true_um = sum(shot.pose.defocus_um for shot in shots) / len(shots)
        return draw_autofocus(true_um, self.view(shots[-1]), self._profile, self._streams["routine"])

    def eucentric_error_um(self, shots: Sequence[Shot], fine: bool) -> float | None:
        """Error of a eucentric height found from images at small tilts; None if one of them shows nothing."""
        profile = self._profile
        sigma = profile.eucentric_fine_sigma_um if fine else profile.eucentric_rough_sigma_um
        error = sigma * float(self._streams["routine"].standard_normal())
        return None if any(self.view(shot).dark for shot in shots) else error

    def ctf_fit(self, shot: Shot) -> CtfFit | None:
        """CTF fit of one image."""
        view = View(
            self.view(shot).stretch, shot.electrons_per_pixel / (shot.pixel_um * 1e4) ** 2, shot.contrast
        )
        return draw_ctf_fit(shot.pose.defocus_um, view, self._profile, self._streams["ctf"], shot.pixel_um)
