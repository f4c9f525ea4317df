"""What speaks against imaging targets as montages, found before the first electron. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

from pacetomo.frames import XY
from pacetomo.job import Job
from pacetomo.montage import CENTRE
from pacetomo.overlap import Field
from pacetomo.problem import Problem, listed


def montage_problems(job: Job, fields: Mapping[str, Field]) -> Iterator[Problem]:
    """Problems of the tiles of a job.

    `fields` are those of the low-dose areas by their letters; empty if not even that of Record ("R") is known, which
    stands for those that are missing.
    """
    if job.settings.tgtMontage and tuple(job.settings.tgtMntSize) == (1, 1):
        yield Problem(False, "tgtMontage has no effect", "set tgtMntSize to the tiles wanted along X and Y")
    if not fields or all(job.montage(target.number).is_single for target in job.active):
        return
    of_targets = {target.number: fields.get(target.area, fields["R"]) for target in job.active}
    yield from _out_of_reach(job, of_targets)
    yield from _on_each_other(job, of_targets)


def _out_of_reach(job: Job, fields: Mapping[int, Field]) -> Iterator[Problem]:
    """Targets some tiles of which are beyond the image-shift limit while the target itself is not."""
    limit_um = job.settings.imageShiftLimit
    beyond = {}
    for target in job.active:
        centre_um, tile_um = farthest_tile_um(job, target.number, fields[target.number])
        if centre_um <= limit_um < tile_um:
            beyond[target.number] = tile_um
    if beyond:
        yield Problem(
            False,
            f"tiles of target {listed([f'{n} ({um:.1f} µm)' for n, um in beyond.items()])} need an image shift "
            f"beyond the limit of {limit_um:g} µm",
            "they are left out where out of reach; use fewer tiles, or choose targets nearer to the tracking target",
        )


def farthest_tile_um(job: Job, target: int, field: Field) -> tuple[float, float]:
    """Largest image shift that a target needs over the series for its centre tile, and for any tile (µm)."""
    montage, tilts_deg = job.montage(target), [stop.tilt_deg for stop in job.stops]
    shifts: dict[bool, float] = {True: 0.0, False: 0.0}
    for tilt_deg in tilts_deg:
        seen = job.plane.seen(job.untilted_um[target], tilt_deg)
        centre = seen.plus(montage.travelled_um(tilt_deg, tilts_deg))
        for tile in montage.tiles:
            shift = centre.plus(montage.offset_um(tile, field.size_um, field.axes))
            shifts[tile == CENTRE] = max(shifts[tile == CENTRE], shift.length)
    return shifts[True], max(shifts.values())


def _on_each_other(job: Job, fields: Mapping[int, Field]) -> Iterator[Problem]:
    """Targets of which one's tiles show what another's show, at any tilt."""
    pairs = []
    for first, second in itertools.combinations([target.number for target in job.active], 2):
        tilts = [stop.tilt_deg for stop in job.stops if _meet(job, first, second, stop.tilt_deg, fields)]
        if tilts:
            pairs.append(f"{first} and {second} (from {min(map(abs, tilts)):g}° of tilt on)")
    if pairs:
        yield Problem(
            False,
            f"the montages of these targets overlap: {listed(pairs, most=6)}",
            "what both show is exposed by both; use fewer tiles, or choose targets farther apart",
        )


def _meet(job: Job, first: int, second: int, tilt_deg: float, fields: Mapping[int, Field]) -> bool:
    seen = [job.plane.seen(job.untilted_um[number], tilt_deg) for number in (first, second)]
    apart = fields[first].axes.inverse().apply(seen[1].minus(seen[0]))
    sizes = [_covered_um(job, number, fields[number].size_um) for number in (first, second)]
    return abs(apart.x) < (sizes[0].x + sizes[1].x) / 2 and abs(apart.y) < (sizes[0].y + sizes[1].y) / 2


def _covered_um(job: Job, target: int, field_um: XY) -> XY:
    """Size of what all tiles of a target show together."""
    montage = job.montage(target)
    step = 1 - montage.overlap
    return XY(field_um.x * (1 + (montage.columns - 1) * step), field_um.y * (1 + (montage.rows - 1) * step))
