"""Whether the frames of a series were saved: what has to be true before its images may be given up."""

from __future__ import annotations

from pathlib import Path, PureWindowsPath

from pacetomo.files.mdoc import Mdoc


def lacking_frames(mdoc: Mdoc | None, sections: int) -> str | None:
    """Return why the frames of a series cannot be relied on; None if they can.

    Every image must name a frame file of its own with at least one frame. Where the folder of the frames can be
    seen from here the file must be there and not be empty; a folder of the camera's own computer is believed.

    Parameters
    ----------
    mdoc : Mdoc or None
        Metadata of the series.
    sections : int
        Images in its stack.
    """
    if mdoc is None:
        return "there is no metadata"
    if len(mdoc.images) != sections:
        return f"the metadata describes {len(mdoc.images)} images of {sections}"
    names: dict[str, int] = {}
    for number, image in enumerate(mdoc.images):
        name = image.text("SubFramePath")
        if name is None or image.get_float("NumSubFrames") == 0:
            return f"no frames were saved with image {number}"
        if name.lower() in names:
            return f"images {names[name.lower()]} and {number} name the same frame file {name}"
        names[name.lower()] = number
        reason = _lacking_file(name)
        if reason is not None:
            return reason
    return None


def _lacking_file(name: str) -> str | None:
    folder = Path(name).parent
    if not Path(name).is_absolute() or not folder.is_dir():
        return None
    try:
        if Path(name).stat().st_size == 0:
            return f"the frame file {name} is empty"
    except OSError:
        return f"the frame file {PureWindowsPath(name).name} is not in {folder}"
    return None
