"""The plan of an area: scheme x targets as a list of exposures, priced before the first electron.

Each `Exposure` carries all it needs, so that skipping and resuming need no memory of the ones before it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Optional

from pacetomo.errors import PlanError
from pacetomo.schemes import Branch, TiltStop


class Exposure(NamedTuple):
    """One Record image of one target.

    `number` is its place in the plan from 0, `stop` that of its tilt, `target` the target's number from 1,
    `tilt_deg` the planned stage tilt.
    """

    number: int
    stop: int
    target: int
    tilt_deg: float
    branch: Branch


@dataclass(frozen=True)
class Prices:
    """What exposures cost, for estimates.

    Attributes
    ----------
    dose_e_per_a2 : float
        Dose of one Record image (e/Å²).
    record_s : float
        Exposure of one Record image (s).
    ctf_s : float
        Time of one CTF fit (s), not in the others.
    exposure_s : float
        Time per target and tilt (s), all included; parallel sessions with a K3 take about 9 s.
    tilt_s : float
        Time per tilt spent on the stage (s).
    setup_s, setup_target_s : float
        Time before the first image (s), once and per target.
    tile_s : float
        Time per further tile of a montage (s), which needs no alignment.
    """

    dose_e_per_a2: float = 3.0
    exposure_s: float = 8.3
    tilt_s: float = 5.0
    setup_s: float = 90.0
    setup_target_s: float = 10.0
    record_s: float = 1.0
    ctf_s: float = 2.0
    tile_s: float = 6.4

    @property
    def dose_per_s(self) -> float:
        """Dose rate (e/Å²/s)."""
        return self.dose_e_per_a2 / self.record_s


@dataclass(frozen=True)
class Estimate:
    """Price of a plan: images, dose per target (e/Å²) and total time (s).

    An exposure of a montage counts once in `exposures` and with all its tiles in `images`; dose is that of one tile.
    """

    exposures: int
    images_per_target: int
    dose_per_target_e_per_a2: float
    total_s: float
    images: int = 0

    def describe(self) -> str:
        """One line for people."""
        tiles = f" ({self.images} images with all tiles)" if self.images > self.exposures else ""
        return (
            f"{self.exposures} exposures{tiles}, {self.images_per_target} per target, "
            f"{self.dose_per_target_e_per_a2:.0f} e/Å² per target, about {self.total_s / 60:.0f} min"
        )


def make_plan(stops: Sequence[TiltStop], targets: Iterable[int]) -> tuple[Exposure, ...]:
    """All exposures in order: at each tilt every target, the tracking target first.

    Raises
    ------
    PlanError
        When there is nothing to image.
    """
    order = list(targets)
    if not order:
        raise PlanError("there is no target to image: all are skipped")
    return tuple(
        Exposure(stop * len(order) + place, stop, target, tilt.tilt_deg, tilt.branch)
        for stop, tilt in enumerate(stops)
        for place, target in enumerate(order)
    )


ExposureTime = Callable[[Exposure], Optional[float]]
"""Exposure time of an image in seconds; None for Record's own."""


TileCount = Callable[[Exposure], int]
"""Images that an exposure takes: the tiles of a montage."""


def _one(exposure: Exposure) -> int:
    """No target is a montage."""
    return 1


def _record_time(exposure: Exposure) -> float | None:
    """Every image is exposed as Record is set."""
    return None


def estimate(
    plan: Sequence[Exposure],
    prices: Prices,
    exposure_time: ExposureTime = _record_time,
    tiles: TileCount = _one,
) -> Estimate:
    """Number of images, dose and time of a plan; the dose is that of a target that does not track."""
    stops = len({exposure.stop for exposure in plan})
    last = max(exposure.target for exposure in plan)
    targets = len({exposure.target for exposure in plan})
    return Estimate(
        exposures=len(plan),
        images_per_target=stops,
        dose_per_target_e_per_a2=sum(
            _seconds(image, prices, exposure_time) * prices.dose_per_s
            for image in plan
            if image.target == last
        ),
        total_s=prices.setup_s
        + targets * prices.setup_target_s
        + stops * prices.tilt_s
        + sum(_price_s(image, prices, exposure_time, tiles) for image in plan),
        images=sum(tiles(image) for image in plan),
    )


def _seconds(exposure: Exposure, prices: Prices, exposure_time: ExposureTime) -> float:
    wanted = exposure_time(exposure)
    return prices.record_s if wanted is None else wanted


def _price_s(exposure: Exposure, prices: Prices, exposure_time: ExposureTime, tiles: TileCount) -> float:
    """Time that an exposure takes, all included."""
    longer_s, count = _seconds(exposure, prices, exposure_time) - prices.record_s, tiles(exposure)
    return prices.exposure_s + (count - 1) * prices.tile_s + count * longer_s


def spread_defocus_um(count: int, first_um: float, last_um: float, step_um: float) -> list[float]:
    """Wanted defocus (µm) of each target: from the weaker to the stronger underfocus in steps, then again.

    >>> spread_defocus_um(4, -3.0, -4.0, 0.5)
    [-3.0, -3.5, -4.0, -3.0]
    """
    weak, strong = max(first_um, last_um), min(first_um, last_um)
    steps = 0.0 if step_um <= 0 else (weak - strong) / step_um + 1e-6
    values = 1 + int(min(steps, count))
    return [round(weak - (place % values) * step_um, 6) for place in range(count)]


def plan_table(
    plan: Sequence[Exposure],
    prices: Prices,
    targets: int,
    exposure_time: ExposureTime = _record_time,
    tiles: TileCount = _one,
) -> str:
    """Text table of a plan, a line per tilt: number, tilt, branch, images, running dose per target and time.

    The dose is that of a target that does not track.
    """
    lines = [f"{'tilt':>4} {'angle':>8}  {'branch':<6} {'images':>6} {'dose e/Å²':>10} {'time min':>9}"]
    total_s, dose = prices.setup_s + targets * prices.setup_target_s, 0.0
    for stop, group in itertools.groupby(plan, key=lambda exposure: exposure.stop):
        exposures = list(group)
        last = exposures[-1]
        total_s += prices.tilt_s + sum(_price_s(image, prices, exposure_time, tiles) for image in exposures)
        dose += _seconds(last, prices, exposure_time) * prices.dose_per_s
        lines.append(
            f"{stop + 1:>4} {last.tilt_deg:>+7.1f}°  {last.branch.value:<6} {sum(map(tiles, exposures)):>6} "
            f"{dose:>10.1f} {total_s / 60:>9.1f}"
        )
    return "\n".join(lines)
