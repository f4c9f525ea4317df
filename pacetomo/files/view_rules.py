"""Which views of a series to leave out: by number, for want of light or contrast, or because the target was lost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Optional

import numpy as np

from pacetomo.errors import StackError
from pacetomo.files.atomic import Wait
from pacetomo.files.mdoc import Mdoc, MdocSection
from pacetomo.files.stack import StackHeader, StackLayout, read_header
from pacetomo.metadata_keys import RESIDUAL

BLANK_SHARE = 0.1
"""Contrast (standard deviation), as a share of the series' median, below which a view is blank."""

_STRIP_PX = 1 << 20


class Rules(NamedTuple):
    """What to leave out.

    `views` are numbers from 1, as 3dmod counts; `dark` is a share of the median counts per second, `residual_nm` the
    largest distance at which a target may have been found from its aim. None of either asks nothing.
    """

    views: frozenset[int] = frozenset()
    dark: Optional[float] = None  # noqa: UP045 - evaluated at run time on Python 3.9
    blank: bool = False
    residual_nm: Optional[float] = None  # noqa: UP045


class LeftOut(NamedTuple):
    """A view and why it is left out; `section` from 0."""

    section: int
    reason: str


class _Light(NamedTuple):
    """Mean and standard deviation of an image."""

    mean: float
    deviation: float


def choose_views(
    stack: Path, layout: StackLayout, mdoc: Mdoc | None, rules: Rules, wait: Wait | None
) -> tuple[list[LeftOut], list[str]]:
    """Views of a stack to be left out, in order, and what to know about the choice.

    Raises
    ------
    StackError
        If a view is not there, or pixels are to be looked at that are no plain numbers.
    """
    beyond = sorted(view for view in rules.views if view > layout.sections)
    if beyond:
        raise StackError(f"{stack}: there is no view {beyond[0]}, the stack has {layout.sections}")
    reasons: dict[int, list[str]] = {view - 1: ["by its number"] for view in rules.views}
    warnings: list[str] = []
    if rules.dark is not None or rules.blank:
        header = read_header(stack, wait)
        lights = [_light(stack, header, section) for section in range(layout.sections)]
        for section, reason in _without_contrast(lights) if rules.blank else ():
            reasons.setdefault(section, []).append(reason)
        if rules.dark is not None:
            dark = _dark(lights, mdoc, rules.dark)
            if dark is None:
                warnings.append("its counts are not above zero by the median: no view is left out as dark")
            for section, reason in dark or ():
                reasons.setdefault(section, []).append(reason)
    if rules.residual_nm is not None:
        images = () if mdoc is None else mdoc.images
        residuals = [_residual_nm(image) for image in images]
        if not any(residual is not None for residual in residuals):
            warnings.append(f"there is no {RESIDUAL} in its metadata: no view is left out for it")
        for section, residual in enumerate(residuals):
            if residual is not None and residual > rules.residual_nm:
                reasons.setdefault(section, []).append(f"residual {residual:.0f} nm")
    return [LeftOut(section, ", ".join(why)) for section, why in sorted(reasons.items())], warnings


def _dark(lights: Sequence[_Light], mdoc: Mdoc | None, share: float) -> list[tuple[int, str]] | None:
    """Sections that are dark for their exposure, and how dark; None where most of them show nothing."""
    seconds = [1.0] * len(lights)
    if mdoc is not None:
        exposures = [image.get_float("ExposureTime") for image in mdoc.images]
        if all(exposure is not None and exposure > 0 for exposure in exposures):
            seconds = [float(exposure or 1.0) for exposure in exposures]
    per_s = [light.mean / exposure_s for light, exposure_s in zip(lights, seconds)]
    usual = float(np.median(per_s))
    if not usual > 0:
        return None
    shares = [value / usual for value in per_s]
    return [(n, f"dark, {part:.0%} of the median counts") for n, part in enumerate(shares) if part < share]


def _without_contrast(lights: Sequence[_Light]) -> list[tuple[int, str]]:
    """Sections that are blank, and how much so."""
    usual = float(np.median([light.deviation for light in lights]))
    return [
        (section, f"blank, standard deviation {light.deviation:.3g} of {usual:.3g}")
        for section, light in enumerate(lights)
        if light.deviation == 0 or light.deviation < BLANK_SHARE * usual
    ]


def _light(stack: Path, header: StackHeader, section: int) -> _Light:
    """Mean and standard deviation of a section, read strip by strip; values that are no numbers are left out."""
    count, total, squares = 0, 0.0, 0.0
    pixels, size = header.columns * header.rows, np.dtype(header.dtype).itemsize
    first: float | None = None
    with stack.open("rb") as stream:
        stream.seek(header.data_start + section * header.section_bytes)
        for start in range(0, pixels, _STRIP_PX):
            data = np.frombuffer(stream.read(min(_STRIP_PX, pixels - start) * size), header.dtype)
            strip = data.astype(np.float64)
            strip = strip[np.isfinite(strip)]
            if not strip.size:
                continue
            first = float(strip[0]) if first is None else first
            strip -= first  # so that the sum of squares keeps its digits
            count, total, squares = (
                count + strip.size,
                total + float(strip.sum()),
                squares + float(strip @ strip),
            )
    if first is None:
        return _Light(0.0, 0.0)
    mean = total / count
    return _Light(first + mean, math.sqrt(max(0.0, squares / count - mean * mean)))


def _residual_nm(image: MdocSection) -> float | None:
    residual_um = image.get_floats(RESIDUAL)
    return None if residual_um is None else 1000 * math.hypot(*residual_um)
