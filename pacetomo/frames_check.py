"""Whether the frames on disk are those that the metadata of a session name."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PureWindowsPath
from typing import NamedTuple

from pacetomo.errors import PaceError
from pacetomo.files.atomic import Wait
from pacetomo.files.frame_stack import FRAME_SUFFIXES, frame_count
from pacetomo.files.mdoc import MdocSection, read_mdoc
from pacetomo.files.sorting import is_unsorted
from pacetomo.frame_names import noted_names
from pacetomo.problem import listed
from pacetomo.verdict import Verdict


class _Named(NamedTuple):
    """A frame file as an image names it."""

    file: str
    section: MdocSection


def check_frames(folder: Path, places: Sequence[Path] = (), wait: Wait | None = None) -> list[Verdict]:
    """Compare frames with the metadata of all stacks of a folder, a verdict for each stack with frames.

    The last one is of frame files that no image names, if there are any: of images taken again or lost, by the
    journals, they are expected.

    Parameters
    ----------
    folder : Path
        Session folder.
    places : sequence of Path
        Folders with frames, searched with all below them; where the metadata's own folder is seen from here it is
        looked into as well.
    wait : callable, optional
        Waits for the given seconds when another program holds a file.

    Raises
    ------
    PaceError
        If a folder is not there, no image names frames, or no folder of frames can be seen.
    """
    for place in (folder, *places):
        if not place.is_dir():
            raise PaceError(f"{place}: there is no such folder")
    named, verdicts = _named(folder, wait)
    if not named and not verdicts:
        raise PaceError(f"{folder}: no image here names frames (SubFramePath)")
    own = {Path(one.file).parent for frames in named.values() for one in frames}
    seen = [place for place in own if place.is_absolute() and place.is_dir()]
    if named and not seen and not places:
        example = next(iter(named.values()))[0].file
        raise PaceError(
            f"{folder}: the folder of frames such as {example} is not seen from here; name it with --frames"
        )
    there = _files_in([*places, *seen])
    owners: dict[str, str] = {}
    for stack, frames in named.items():
        verdicts.append(_check(stack, frames, there, owners))
    verdicts += _unnamed(folder, there, owners, named, wait)
    return verdicts


def _named(folder: Path, wait: Wait | None) -> tuple[dict[str, list[_Named]], list[Verdict]]:
    """Frames named by each stack's metadata, and what cannot be read."""
    named: dict[str, list[_Named]] = {}
    wrong = []
    for path in sorted(folder.iterdir()):
        if not path.name.lower().endswith(".mdoc") or is_unsorted(Path(path.stem)):
            continue
        try:
            images = read_mdoc(path, wait).images
        except PaceError as err:
            wrong.append(Verdict(path.stem, (" ".join(str(err).split()),)))
            continue
        files = [(image.text("SubFramePath"), image) for image in images]
        found = [_Named(file, image) for file, image in files if file is not None]
        if found:
            named[path.stem] = found
            if len(found) < len(files):
                wrong.append(Verdict(path.stem, (f"{len(files) - len(found)} sections name no frames",)))
    return named, wrong


def _files_in(places: Iterable[Path]) -> dict[str, Path]:
    """Frame files by name in lower case."""
    found: dict[str, Path] = {}
    for place in places:
        for root, _, names in os.walk(place):
            for name in names:
                if name.lower().endswith(FRAME_SUFFIXES):
                    found.setdefault(name.lower(), Path(root) / name)
    return found


def _check(stack: str, frames: Sequence[_Named], there: dict[str, Path], owners: dict[str, str]) -> Verdict:
    wrong = []
    missing = [one for one in frames if _key(one) not in there]
    if missing:
        names = listed([PureWindowsPath(one.file).name for one in missing], 3)
        wrong.append(f"{len(missing)} of {len(frames)} frame files are not there: {names}")
    shared, faults = [], []
    for one in frames:
        where = f"section {one.section.name}"
        owner = owners.setdefault(_key(one), f"{where} of {stack}")
        if owner != f"{where} of {stack}":
            shared.append(f"{where} names the frames of {owner}")
        path = there.get(_key(one))
        if path is not None:
            faults += [f"{where}: {text}" for text in _faults(path, one.section)]
    wrong += [listed(texts, 3) for texts in (shared, faults) if texts]
    return Verdict(stack, tuple(wrong), summary=f"{len(frames)} frame files are there")


def _key(one: _Named) -> str:
    return PureWindowsPath(one.file).name.lower()


def _faults(path: Path, section: MdocSection) -> Iterator[str]:
    try:
        count, wanted = frame_count(path), section.get_float("NumSubFrames")
    except PaceError as err:
        yield " ".join(str(err).split())
        return
    if count is not None and wanted is not None and count != wanted:
        yield f"{path.name} holds {count} frames, the metadata name {wanted:g}"


def _unnamed(
    folder: Path,
    there: dict[str, Path],
    owners: dict[str, str],
    named: dict[str, list[_Named]],
    wait: Wait | None,
) -> list[Verdict]:
    """Files that no image names: foreign ones, those of the journals' other exposures, and those nobody knows of."""
    noted: set[str] = set()
    for journal in sorted(folder.glob("*_run[0-9]*.jsonl")):
        noted |= {name.lower() for name in noted_names(journal, wait)}
    stems = tuple(PureWindowsPath(stack).stem.lower() for stack in named)
    ours = [name for name in sorted(there) if name not in owners and name.startswith(stems)]
    known = [name for name in ours if _is_noted(name, noted)]
    unknown = [name for name in ours if name not in known]
    verdicts = []
    if known:
        text = f"{len(known)} of images that were taken again, left out or lost: {listed(known, 3)}"
        verdicts.append(Verdict("other frames", summary=text))
    if unknown:
        text = f"{len(unknown)} frame files of these series are named by no image: {listed(unknown, 3)}"
        verdicts.append(Verdict("other frames", (text,)))
    return verdicts


def _is_noted(name: str, noted: set[str]) -> bool:
    """Whether a file's name is one of the journals', with what SerialEM puts behind it."""
    stem = PureWindowsPath(name).stem
    return any(stem == one or stem.startswith(f"{one}_") for one in noted)
