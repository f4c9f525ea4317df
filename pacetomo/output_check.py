"""Whether the output of a session is complete and right: every series of every run in a folder, a line each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath

from pacetomo.errors import MetadataError, PaceError
from pacetomo.files.atomic import Wait
from pacetomo.files.exchange import mdoc_of
from pacetomo.files.mdoc import described_stacks, read_mdoc
from pacetomo.files.sorting import is_unsorted
from pacetomo.montage import aligned_stack, tile_stacks
from pacetomo.run_record import RunRecord, read_record, series_name
from pacetomo.series_check import check_series
from pacetomo.verdict import Verdict

_RUN_FILE = re.compile(r"(?P<area>.+_tgts(_p\d+)?)_run(?P<number>\d+)\.txt", re.IGNORECASE)
_SERIES = re.compile(r".+_ts_\d+(_-?\d+_-?\d+)?\.(mrc|st|mrcs)", re.IGNORECASE)


def check_output(folder: Path, wait: Wait | None = None) -> list[Verdict]:
    """Check every series of a folder: those of the newest run of each area, then others named like series.

    Parameters
    ----------
    folder : Path
        The session folder; only read.
    wait : callable, optional
        Waits for the given seconds when another program holds a file.

    Raises
    ------
    PaceError
        If there is no such folder, or nothing to check in it.
    """
    if not folder.is_dir():
        raise PaceError(f"{folder}: there is no such folder")
    verdicts: list[Verdict] = []
    checked: set[str] = set()
    for run_file in _newest_runs(folder):
        for stack, verdict in _of_run(run_file, wait):
            checked.add(stack.name.lower())
            verdicts.append(verdict)
    for stack in _others(folder):
        if stack.name.lower() not in checked:
            verdicts.append(check_series(stack, wait=wait))
    if not verdicts:
        raise PaceError(f"{folder}: there is no run and no series (NAME_ts_001.mrc) to be checked here")
    return _with_second_metadata(folder, _without_shared_frames(folder, verdicts, wait), wait)


def _newest_runs(folder: Path) -> list[Path]:
    """Run file of the newest run of each area: the series of earlier ones have got backup names."""
    newest: dict[str, tuple[int, Path]] = {}
    for path in sorted(folder.iterdir()):
        match = _RUN_FILE.fullmatch(path.name)
        if match is not None:
            area, number = match["area"].lower(), int(match["number"])
            newest[area] = max(newest.get(area, (0, path)), (number, path))
    return [path for _, path in newest.values()]


def _of_run(run_file: Path, wait: Wait | None) -> Iterator[tuple[Path, Verdict]]:
    try:
        record = read_record(run_file, wait)
    except PaceError as err:
        yield run_file, Verdict(run_file.name, (" ".join(str(err).split()),))
        return
    for target in record.targets:
        series = run_file.parent / series_name(target)
        own = aligned_stack(series)
        tiles = [path for path in tile_stacks(series) if path != own]
        if target.skip and not own.is_file():
            yield own, Verdict(own.name, summary="skipped in the target file")
            continue
        if not own.is_file() and not mdoc_of(own).is_file() and not record.of(target.number).images:
            yield own, _never_begun(own, record, record.of(target.number).reasons)
            continue
        yield own, check_series(own, record, record.of(target.number), wait)
        for tile in tiles:
            name = tile.stem[len(series.stem) + 1 :]
            yield tile, check_series(tile, record, record.of(target.number, name), wait)


def _never_begun(stack: Path, record: RunRecord, reasons: list[str]) -> Verdict:
    """A series of which no image was taken."""
    if reasons:
        return Verdict(stack.name, remarks=(reasons[0],), summary="no image was taken")
    if not record.is_finished:
        return Verdict(stack.name, remarks=("the run is not finished",), summary="no image was taken")
    return Verdict(stack.name, ("the stack is not there, and nothing says why",))


def _others(folder: Path) -> list[Path]:
    """Stacks named like tilt series, also those of which only the metadata are left."""
    stacks = {}
    for path in folder.iterdir():
        name = path.name[: -len(".mdoc")] if path.name.lower().endswith(".mdoc") else path.name
        if _SERIES.fullmatch(name):
            stacks[name] = folder / name
    return [stacks[name] for name in sorted(stacks)]


def _with_second_metadata(folder: Path, verdicts: list[Verdict], wait: Wait | None) -> list[Verdict]:
    """Add to each series which other metadata in the folder importers take for a second one."""
    names = {verdict.name.lower() for verdict in verdicts}
    second: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()):
        stack = path.with_name(path.stem)
        if path.suffix.lower() != ".mdoc" or stack.name.lower() in names or stack.is_file():
            continue
        for name in _described(path, wait):
            second.setdefault(name, []).append(path)
    found = []
    for verdict in verdicts:
        name = verdict.name.lower()
        for path in sorted({*second.get(name, []), *second.get(Path(name).stem, [])}):
            if is_unsorted(path.with_name(path.stem)):
                text = f"{path.name} keeps its metadata as before sorting, which some importers take for a series"
                verdict = verdict._replace(remarks=(*verdict.remarks, text))
            else:
                text = f"{path.name} describes it, too, and importers take two metadata files for two series"
                verdict = verdict._replace(wrong=(*verdict.wrong, text))
        found.append(verdict)
    return found


def _described(path: Path, wait: Wait | None) -> frozenset[str]:
    """Names of stacks that a metadata file may be about; by its own name alone if it cannot be read."""
    try:
        return described_stacks(path, wait)
    except MetadataError:
        return frozenset({path.stem.lower()})


def _without_shared_frames(folder: Path, verdicts: list[Verdict], wait: Wait | None) -> list[Verdict]:
    """Add to each series which of its frames another one names, too."""
    owners: dict[str, str] = {}
    found = []
    for verdict in verdicts:
        shared = set()
        for name in _frames(folder / f"{verdict.name}.mdoc", wait):
            owner = owners.setdefault(name.lower(), verdict.name)
            if owner != verdict.name:
                shared.add(f"{PureWindowsPath(name).name} belongs to {owner}, too")
        found.append(verdict._replace(wrong=(*verdict.wrong, *sorted(shared)[:1])))
    return found


def _frames(path: Path, wait: Wait | None) -> list[str]:
    """Frame files that metadata name; none where there are none that can be read, which is told elsewhere."""
    if not path.is_file():
        return []
    try:
        names = [image.text("SubFramePath") for image in read_mdoc(path, wait).images]
    except MetadataError:
        return []
    return [name for name in names if name is not None]
