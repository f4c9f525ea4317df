"""Reading a finished series for an export: from its metadata, checked against its stack."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from pacetomo.errors import MetadataError, StackError
from pacetomo.export.axis import axis_angle_deg
from pacetomo.export.series import Fit, Series, View
from pacetomo.files.atomic import Wait
from pacetomo.files.exchange import mdoc_of, recover
from pacetomo.files.extended_header import tilts_deg
from pacetomo.files.mdoc import Mdoc, MdocSection, read_mdoc
from pacetomo.files.mdoc_order import acquisition_order, date_time
from pacetomo.files.sorting import refuse_montage
from pacetomo.files.stack import read_layout
from pacetomo.frames import XY
from pacetomo.metadata_keys import ORDER, PRIOR_DOSE, RESIDUAL
from pacetomo.past_series import DEFOCUS_KEYS

_ROUNDING_DEG = 0.02
"""The extended header of a stack has two decimals."""


def read_series(path: Path, dose_e_per_a2: float | None = None, wait: Wait | None = None) -> Series:
    """Read a series.

    Parameters
    ----------
    path : Path
        The stack, or its ``.mdoc``.
    dose_e_per_a2 : float, optional
        Dose of an image where the metadata do not tell.
    wait : callable, optional
        Waits for the given seconds when another program holds a file; without it that is an error at once.

    Raises
    ------
    MetadataError
        If there are no metadata, they are not those of a tilt series, or lack what no program can do without.
    StackError
        If the stack is damaged, or has another number of images than its metadata.
    """
    stack = path.with_name(path.name[: -len(".mdoc")]) if path.name.lower().endswith(".mdoc") else path
    recover(stack, wait)
    mdoc_path = mdoc_of(stack)
    if not mdoc_path.is_file():
        missing = (
            "there is no such file" if not stack.is_file() else f"there is no {mdoc_path.name} beside it"
        )
        raise MetadataError(f"{stack}: {missing}; metadata are what is exported")
    mdoc = read_mdoc(mdoc_path, wait)
    images = mdoc.need_images()
    _refuse_other_kinds(stack, mdoc, wait)
    order = _ranks(images)
    pixel_angstrom = _pixel_angstrom(mdoc)
    axis_deg = axis_angle_deg(mdoc)
    if axis_deg is None:
        raise MetadataError(
            f"{mdoc.name}: neither a title ('Tilt axis angle = ...') nor RotationAngle tells the tilt axis"
        )
    doses = [_own_dose(image) or dose_e_per_a2 for image in images]
    warnings: list[str] = []
    views = tuple(
        View(
            section=place,
            order=order[place],
            tilt_deg=image.tilt_deg,
            dose_e_per_a2=doses[place],
            prior_dose_e_per_a2=prior,
            nominal_defocus_um=image.get_float("TargetDefocus"),
            fit=_fit(image),
            off_centre_px=_off_centre_px(image, pixel_angstrom, axis_deg),
            frames=image.text("SubFramePath"),
            frame_count=_count(image),
            taken=date_time(image),
            image=image,
        )
        for place, (image, prior) in enumerate(zip(images, _prior_doses(images, order, doses, warnings)))
    )
    size_px = mdoc.head.get_floats("ImageSize")
    if size_px is None or len(size_px) != 2:
        raise MetadataError(f"{mdoc.name}: there is no ImageSize, which is needed here")
    return Series(
        stack=stack,
        has_stack=stack.is_file(),
        mdoc=mdoc,
        views=views,
        pixel_angstrom=pixel_angstrom,
        size_px=(int(size_px[0]), int(size_px[1])),
        axis_deg=axis_deg,
        voltage_kv=mdoc.head.get_float("Voltage"),
        warnings=tuple(warnings),
    )


def _refuse_other_kinds(stack: Path, mdoc: Mdoc, wait: Wait | None) -> None:
    """MetadataError or StackError for what is no tilt series, or does not fit its stack."""
    if any(image.kind != "ZValue" for image in mdoc.images):
        raise MetadataError(f"{mdoc.name}: these are the metadata of frames, not of a tilt series")
    if any(section.kind == "MontSection" for section in mdoc.sections) or mdoc.head.text("Montage"):
        raise MetadataError(f"{mdoc.name}: its images are pieces of a montage, not those of a tilt series")
    if not stack.is_file():
        return
    layout = read_layout(stack, wait)
    refuse_montage(stack, layout, mdoc)
    if layout.sections != len(mdoc.images):
        raise StackError(
            f"{stack}: the stack has {layout.sections} sections and its metadata {len(mdoc.images)}; "
            "which belongs to which cannot be told"
        )
    told = tilts_deg(layout)
    noted = [image.tilt_deg for image in mdoc.images]
    if told is not None and _differ(told, noted) and not _differ(sorted(told), sorted(noted)):
        raise StackError(
            f"{stack}: its images are in another order than its metadata; sort neither by itself"
        )


def _differ(first: Sequence[float], second: Sequence[float]) -> bool:
    """Whether tilts are others than their rounding explains."""
    return any(abs(one - other) > _ROUNDING_DEG for one, other in zip(first, second))


def _ranks(images: Sequence[MdocSection]) -> list[int]:
    """Place of each image by time."""
    given = [image.get_float(ORDER) for image in images]
    known = [number for number in given if number is not None]
    if len(set(known)) == len(images):
        places = sorted(range(len(images)), key=known.__getitem__)
    else:
        places = acquisition_order(images)
    ranks = [0] * len(images)
    for rank, place in enumerate(places):
        ranks[place] = rank
    return ranks


def _pixel_angstrom(mdoc: Mdoc) -> float:
    pixel = mdoc.head.get_float("PixelSpacing") or mdoc.images[0].get_float("PixelSpacing")
    if pixel is None or not pixel > 0:
        raise MetadataError(f"{mdoc.name}: there is no PixelSpacing, which is needed here")
    return pixel


def _own_dose(image: MdocSection) -> float | None:
    """Dose of an image (e/Å²); None where it is not calibrated."""
    dose = image.get_float("ExposureDose")
    if dose:
        return dose
    pairs = image.get_floats("FrameDosesAndNumber") or ()
    return sum(each * count for each, count in zip(pairs[::2], pairs[1::2])) or None


def _prior_doses(
    images: Sequence[MdocSection],
    order: Sequence[int],
    doses: Sequence[float | None],
    warnings: list[str],
) -> list[float | None]:
    """Dose before each image: as noted, else summed up in order of acquisition."""
    noted = [image.get_float(PRIOR_DOSE) for image in images]
    if None not in noted and len(set(noted)) == len(images):
        return noted
    known = [dose for dose in doses if dose is not None]
    if len(known) < len(images):
        warnings.append("the dose of its images is not known; state it with --dose")
        return [None] * len(images)
    warnings.append("the dose before each image is not noted; it is summed up from the images that are there")
    total, sums = 0.0, [0.0] * len(images)
    for place in sorted(range(len(images)), key=order.__getitem__):
        sums[place] = round(total, 6)
        total += known[place]
    return list(sums)


def _fit(image: MdocSection) -> Fit | None:
    """CTF fit of this package or of PACEtomo."""
    for key in DEFOCUS_KEYS:
        numbers = image.get_floats(key)
        if numbers:
            astigmatism = image.get_float("CtfAstigmatism")
            if key != "CtfDefocus":
                astigmatism = None
            return Fit(
                numbers[0],
                astigmatism,
                image.get_float("CtfAstigmatismAngle") or 0.0,
                image.get_float("CtfPhaseShift") or 0.0,
            )
    return None


def _off_centre_px(image: MdocSection, pixel_angstrom: float, axis_deg: float) -> XY | None:
    """Where the target is seen from the image's centre, in pixels, from what tracking has measured.

    In the image (X right, Y up) the specimen's X axis lies `RotationAngle` from X, counter-clockwise.
    """
    numbers = image.get_floats(RESIDUAL)
    if numbers is None or len(numbers) != 2:
        return None
    along, across = (1e4 * number / pixel_angstrom for number in numbers)
    rotation_deg = image.get_float("RotationAngle")
    turn = math.radians(axis_deg + 90.0 if rotation_deg is None else rotation_deg)
    c, s = math.cos(turn), math.sin(turn)
    return XY(c * along - s * across, s * along + c * across)


def _count(image: MdocSection) -> int | None:
    count = image.get_float("NumSubFrames")
    return None if count is None else int(count)
