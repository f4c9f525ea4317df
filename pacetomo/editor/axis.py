"""The direction of the tilt axis in an image file, from its metadata or its titles."""

from __future__ import annotations

import re
from pathlib import Path

from pacetomo.files.mdoc import Mdoc, read_mdoc
from pacetomo.files.stack import StackHeader

_TITLE = re.compile(r"Tilt axis angle = (-?[\d.]+)")


def axis_deg(path: Path, header: StackHeader) -> float | None:
    """Direction of the tilt axis from the image's X axis, counter-clockwise (degrees); None if nobody tells.

    Raises
    ------
    MetadataError
        When there are metadata that cannot be read.
    """
    mdoc = mdoc_of(path)
    for image in () if mdoc is None else mdoc.images:
        angle = image.get_float("RotationAngle")
        if angle is not None:
            return angle
    for label in header.labels:
        match = _TITLE.search(label)
        if match is not None:
            return float(match[1]) + 90.0  # titles count from the image's Y axis
    return None


def mdoc_of(path: Path) -> Mdoc | None:
    """Metadata beside an image file; None if there are none."""
    beside = path.with_name(path.name + ".mdoc")
    return read_mdoc(beside) if beside.is_file() else None
