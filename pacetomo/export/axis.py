"""Direction of the tilt axis in the images of a series, in IMOD's convention.

SerialEM's `RotationAngle` leads from the image's X axis counter-clockwise to the tilt axis, about which a positive tilt
turns counter-clockwise (`pacetomo.frames`). IMOD counts from the image's Y axis, so its angle is 90 degrees less; where
the column's stage X is inverted, SerialEM turns the axis round by another 180. Only the title of the metadata tells
whether it is, to one decimal: it decides about the direction, `RotationAngle` about the decimals.

With the axis turned to the image's Y, a point at (x, y, z) of the untilted sample, z towards the electron source, is
then seen at ``x cos t + z sin t``, which is what IMOD, RELION, AreTomo and Warp reckon with.
"""

from __future__ import annotations

import re

from pacetomo.files.mdoc import Mdoc, MdocSection
from pacetomo.number_text import parse_float

AXIS_TITLE = re.compile(r"tilt\s*axis\s*angle\s*=\s*([-+]?[0-9.]+)", re.IGNORECASE)
"""Title in which SerialEM, or Tomography ("TiltAxisAngle"), names the angle."""

_ROUNDING_DEG = 0.051
"""The title has one decimal."""


def axis_angle_deg(mdoc: Mdoc) -> float | None:
    r"""Return the angle from the image's Y axis counter-clockwise to the tilt axis (degrees, over -180 up to 180).

    None if neither a title nor `RotationAngle` of the first image tells.

    >>> from pacetomo.files.mdoc import parse_mdoc
    >>> text = "[T = Tilt axis angle = 94.0, binning = 1]\n\n[ZValue = 0]\nRotationAngle = -176.04\n"
    >>> axis_angle_deg(parse_mdoc(text))
    93.96
    """
    told = _title_deg(mdoc)
    rotation = mdoc.images[0].get_float("RotationAngle") if mdoc.images else None
    if rotation is None:
        return told
    straight = wrapped_deg(rotation - 90.0)
    if told is None:
        return straight
    for candidate in (straight, wrapped_deg(straight + 180.0)):
        if abs(wrapped_deg(candidate - told)) <= _ROUNDING_DEG:
            return candidate
    return told


def is_axis_title(section: MdocSection) -> bool:
    """Whether a section of an mdoc is the title that names the angle."""
    return section.kind == "T" and AXIS_TITLE.search(section.name) is not None


def wrapped_deg(angle_deg: float) -> float:
    """Return an angle between -180 (excluded) and 180 degrees, rid of the dust of its last digits.

    >>> wrapped_deg(-266.04), wrapped_deg(180.0), wrapped_deg(-180.0)
    (93.96, 180.0, 180.0)
    """
    turned = (angle_deg + 180.0) % 360.0 - 180.0
    return 180.0 if turned == -180.0 else round(turned, 9)


def _title_deg(mdoc: Mdoc) -> float | None:
    for section in mdoc.sections:
        if is_axis_title(section):
            found = AXIS_TITLE.search(section.name)
            angle = None if found is None else parse_float(found[1])
            if angle is not None:
                return wrapped_deg(angle)
    return None
