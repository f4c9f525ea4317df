"""What the images of targets tell: the field of Record, and pictures to show beside the list."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pacetomo.editor.axis import axis_deg
from pacetomo.editor.model import Document, Known
from pacetomo.editor.small import Piece, SmallImage, read_small
from pacetomo.errors import PaceError
from pacetomo.files.stack import read_header
from pacetomo.frames import XY
from pacetomo.preflight_facts import SMALLEST_IMAGE

THUMBNAIL_PX = 256


def known_from_references(document: Document) -> Known:
    """What is known, with the field of Record as the first Preview reference that can be read shows it.

    Where a microscope tells, or no reference does, it stays as it is. The camera's X axis lies clockwise of the tilt
    axis by the angle that the metadata give (`RotationAngle`), and so is turned by minus that in the specimen frame.
    """
    facts = document.known.facts
    if facts.field_um is not None:
        return document.known
    for target in document.targets.targets:
        if target.reference is None:
            continue
        path = document.path.parent / target.reference
        try:
            header = read_header(path)
            angle_deg = axis_deg(path, header)
        except PaceError:  # another reference may tell
            continue
        pixel_um = header.pixel_size_angstrom / 10_000
        if header.columns < SMALLEST_IMAGE or pixel_um <= 0:
            continue
        size_um = XY(header.columns * pixel_um, header.rows * pixel_um)
        known = replace(facts, field_um=size_um, field_rotation_deg=-(angle_deg or 0.0))
        return replace(document.known, facts=known)
    return document.known


def reference_path(document: Document, number: int) -> Path | None:
    """Preview reference of a target that is there, else its View reference; None for none."""
    target = document.target(number)
    for name in (target.reference, target.view):
        if name and (document.path.parent / name).is_file():
            return document.path.parent / name
    return None


def series_path(document: Document, number: int) -> Path | None:
    """Tilt series of a target, None if it is not there."""
    path = document.path.parent / document.target(number).series
    return path if path.is_file() else None


def reference_picture(document: Document, number: int, longest_px: int = THUMBNAIL_PX) -> SmallImage | None:
    """Reference image of a target, small; None for none.

    Raises
    ------
    StackError
        When it cannot be read.
    """
    path = reference_path(document, number)
    return None if path is None else read_small(path, [Piece(0)], longest_px)


def latest_picture(document: Document, number: int, longest_px: int = THUMBNAIL_PX) -> SmallImage | None:
    """Last image in the tilt series of a target, small; None for none.

    A series that is being written has images that its header does not name yet; those that it names count.

    Raises
    ------
    StackError
        When it cannot be read.
    """
    path = series_path(document, number)
    if path is None:
        return None
    sections = read_header(path).sections
    return read_small(path, [Piece(sections - 1)], longest_px) if sections else None
