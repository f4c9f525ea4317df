"""The open image files: MRC stacks with their mdoc, one of them current."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mock_serialem.errors import CommandError
from mock_serialem.files.mdoc import MdocFile, mdoc_path
from mock_serialem.files.mrc import MrcError, MrcStack, SectionInfo, mode_of


def path_key(path: Path) -> str:
    """One text per file, however its name is written."""
    return os.path.normcase(os.path.abspath(path))


@dataclass(frozen=True)
class FileOptions:
    """How new files are made.

    Attributes
    ----------
    file_type : int
        0 MRC.
    mode : int
        0 byte, 1 signed short, 2 float, 6 unsigned short.
    unsigned_option : int
        What to do with unsigned data in a mode 1 file: 0 truncate, 1 divide by 2, 2 shift.
    use_mdoc : bool
    low_percent, high_percent : float
        Truncation when bytes are stored.
    """

    file_type: int = 0
    mode: int = 1
    unsigned_option: int = 0
    use_mdoc: bool = True
    low_percent: float = 0.0
    high_percent: float = 0.0


@dataclass(frozen=True)
class MontageShape:
    """How a montage is made of pieces.

    Attributes
    ----------
    nx, ny : int
        Pieces along X and Y.
    overlap_x, overlap_y : int
        Between neighbouring pieces (binned pixels).
    by_stage : bool
        Pieces are reached by stage moves, not by image shift.
    frame_px : tuple of int
        Columns and rows of a piece (binned).
    binning : float
        Of a piece, in physical pixels.
    letter : str
        Camera set that takes the pieces.
    overview_binning : int
        Piece pixels per pixel of the overview.
    polygon_id : int
        ID of the Navigator polygon it was fitted to, 0 for none.
    """

    nx: int
    ny: int
    overlap_x: int = 0
    overlap_y: int = 0
    by_stage: bool = False
    frame_px: tuple[int, int] = (0, 0)
    binning: float = 1.0
    letter: str = "R"
    overview_binning: int = 1
    polygon_id: int = 0

    @property
    def pieces(self) -> int:
        """Number of pieces."""
        return self.nx * self.ny

    @property
    def step_px(self) -> tuple[int, int]:
        """Distance between neighbouring pieces."""
        return self.frame_px[0] - self.overlap_x, self.frame_px[1] - self.overlap_y

    @property
    def full_px(self) -> tuple[int, int]:
        """Columns and rows of the whole montage at the binning of its pieces."""
        step_x, step_y = self.step_px
        return (self.nx - 1) * step_x + self.frame_px[0], (self.ny - 1) * step_y + self.frame_px[1]

    def corner(self, x: int, y: int) -> tuple[int, int]:
        """Lower left corner of piece (x, y), counted from 0, in the montage; pixels, Y up."""
        return x * self.step_px[0], y * self.step_px[1]

    def from_centre(self, x: int, y: int) -> tuple[float, float]:
        """Centre of piece (x, y) from the montage's centre; pixels, Y up."""
        step_x, step_y = self.step_px
        return (x - 0.5 * (self.nx - 1)) * step_x, (y - 0.5 * (self.ny - 1)) * step_y


def shape_from_mdoc(mdoc: MdocFile) -> MontageShape:
    """Read the grid of pieces off the coordinates in an mdoc; what it does not tell stays at its default."""
    places = piece_coordinates(mdoc)
    scenes = mdoc.autodoc.of_kind("MontSection")
    scene = scenes[0].entries if scenes else {}
    first = mdoc.image_sections[0].entries if mdoc.image_sections else {}
    size = _integers(mdoc.autodoc.entries.get("ImageSize", ""))
    full = _integers(scene.get("FullMontSize", ""))
    counts, frames, overlaps = [], [], []
    for axis in (0, 1):
        corners = sorted({place[axis] for place in places})
        step = corners[1] - corners[0] if len(corners) > 1 else 0
        count = 1 + round((corners[-1] - corners[0]) / step) if step else 1
        # The whole is the better witness: kinematic images are stored as small patches.
        frame = full[axis] - (count - 1) * step if full else size[axis] if size else 0
        counts.append(count)
        frames.append(frame)
        overlaps.append(frame - step if step else 0)
    return MontageShape(
        counts[0],
        counts[1],
        overlaps[0],
        overlaps[1],
        by_stage=scene.get("MoveStage") == "1",
        frame_px=(frames[0], frames[1]),
        binning=float(first.get("Binning", 1.0)),
    )


def _integers(text: str) -> list[int]:
    try:
        return [int(word) for word in text.split()[:2]]
    except ValueError:
        return []


def piece_coordinates(mdoc: MdocFile) -> list[tuple[int, int, int]]:
    """``PieceCoordinates`` of every section: lower left corner (pixels, Y up) and number of the montage."""
    found = []
    for section in mdoc.image_sections:
        x, y, z = (section.entries.get("PieceCoordinates", "0 0 0").split() + ["0"] * 3)[:3]
        found.append((int(x), int(y), int(z)))
    return found


class OpenFile:
    """One open image file; the stack takes its size from the first image saved.

    Attributes
    ----------
    path : Path
    stack : MrcStack or None
        None until the first image is saved.
    mdoc : MdocFile or None
    montage : MontageShape or None
    """

    def __init__(
        self, path: Path, options: FileOptions, mdoc: MdocFile | None, montage: MontageShape | None
    ) -> None:
        self.path = path
        self.options = options
        self.mdoc = mdoc
        self.montage = montage
        self.stack: MrcStack | None = None

    @property
    def count(self) -> int:
        """Number of sections."""
        return self.stack.count if self.stack is not None else 0

    def save(
        self,
        pixels: NDArray[Any],
        pixel_a: float,
        titles: list[str],
        voltage_kv: float,
        version: str,
        info: SectionInfo,
        keys: dict[str, str],
    ) -> int:
        """Append one image and its mdoc section; return the section number.

        Raises
        ------
        CommandError
            The image does not fit, or the file cannot be written.
        """
        try:
            data = self._converted(pixels)
            if self.stack is None:
                self._start(data, pixel_a, titles, voltage_kv, version)
            assert self.stack is not None
            section = self.stack.append(data, info)
            if self.mdoc is not None:
                self.mdoc.append(keys)
        except MrcError as err:
            raise CommandError(f"Cannot save to {self.path.name}: {err}") from err
        except OSError as err:
            raise CommandError(f"Error writing to {self.path}: {err}") from err
        return section

    def _converted(self, pixels: NDArray[Any]) -> NDArray[Any]:
        wanted = self.stack.mode if self.stack is not None else self.options.mode
        if pixels.dtype == np.uint16 and wanted == 1:
            if self.options.unsigned_option == 1:
                return (pixels >> 1).astype(np.int16)
            if self.options.unsigned_option == 2:
                return (pixels.astype(np.int32) - 32768).astype(np.int16)
            truncated: NDArray[Any] = np.minimum(pixels, 32767).astype(np.int16)
            return truncated
        return pixels

    def _start(
        self, pixels: NDArray[Any], pixel_a: float, titles: list[str], voltage_kv: float, version: str
    ) -> None:
        pieces = self.montage.nx * self.montage.ny if self.montage else 0
        shape = (int(pixels.shape[0]), int(pixels.shape[1]))
        by_stage = self.montage is not None and self.montage.by_stage
        self.stack = MrcStack.create(
            self.path, shape, mode_of(pixels), pixel_a, titles, pieces=pieces, with_stage=by_stage
        )
        if self.mdoc is None:
            return
        entries = {
            "PixelSpacing": f"{pixel_a:g}",
            "Voltage": f"{voltage_kv:g}",
            "Version": version,
            "ImageFile": self.path.name,
            "ImageSize": f"{shape[1]} {shape[0]}",
        }
        if self.montage:
            entries["Montage"] = "1"
        entries["DataMode"] = str(self.stack.mode)
        self.mdoc.begin(entries, titles)

    def has_grown(self) -> bool:
        """Tell whether the file on disk has more sections than are remembered; False if it cannot be read."""
        try:
            if self.stack is None:
                return self.path.stat().st_size > 0
            disk = MrcStack.open(self.path, writable=False)
        except (OSError, MrcError):
            return False
        disk.close()
        return disk.count > self.stack.count

    def reopen(self, undo: bool, torn: bool) -> None:
        """Open the file again after this object has come out of a pickle.

        Parameters
        ----------
        undo : bool
            Sections beyond those remembered are to be written once more.
        torn : bool
            A command was under way, so that the mdoc may be half written.

        Raises
        ------
        OSError
            A file is not there, or cannot be used.
        MrcError
            The stack is another one.
        """
        if self.stack is None:
            self.path.open("r+b").close()
        else:
            self.stack.reopen(undo)
        if self.mdoc is not None:
            self.mdoc.reopen(undo or torn)

    def close(self) -> None:
        """Close the stack."""
        if self.stack is not None:
            self.stack.close()


class ImageFiles:
    """All open files in the order of opening.

    Attributes
    ----------
    files : list of OpenFile
    index : int
        Current file from 0, -1 if none is open.
    options, montage_options : FileOptions
        For new files.
    """

    def __init__(self, line_end: str) -> None:
        self.files: list[OpenFile] = []
        self.index = -1
        self.options = FileOptions()
        self.montage_options = FileOptions()
        self._line_end = line_end

    @property
    def current(self) -> OpenFile:
        """The current file; CommandError if none is open."""
        if not 0 <= self.index < len(self.files):
            raise CommandError("There is no image file open")
        return self.files[self.index]

    def by_number(self, number: int) -> OpenFile:
        """File by its number from 1; CommandError if there is none."""
        if not 1 <= number <= len(self.files):
            raise CommandError(f"There is no open image file number {number}")
        return self.files[number - 1]

    def number_of(self, path: Path) -> int:
        """Number from 1 of the open file with this path, 0 if it is not open."""
        key = path_key(path)
        for number, file in enumerate(self.files, start=1):
            if path_key(file.path) == key:
                return number
        return 0

    def open_new(self, path: Path, overwrite: bool, montage: MontageShape | None = None) -> OpenFile:
        """Make a new file and make it current; the mdoc of an older one is renamed to ``name~``.

        Raises
        ------
        CommandError
            The file exists and may not be replaced, is open, or cannot be made.
        """
        if self.number_of(path):
            raise CommandError(f"File {path} is already open")
        if path.exists() and not overwrite:
            raise CommandError(f"File {path} already exists and overwriting is not allowed")
        options = self.montage_options if montage else self.options
        try:
            path.write_bytes(b"")
            mdoc = MdocFile.create(mdoc_path(path), self._line_end) if options.use_mdoc else None
        except OSError as err:
            raise CommandError(f"Cannot open file {path}: {err}") from err
        return self._add(OpenFile(path, options, mdoc, montage))

    def open_old(self, path: Path) -> OpenFile:
        """Open an existing file for appending and make it current.

        Raises
        ------
        CommandError
            It does not exist, is open already, or is not an image file.
        """
        if self.number_of(path):
            raise CommandError(f"File {path} is already open")
        try:
            stack = MrcStack.open(path)
            beside = mdoc_path(path)
            mdoc = MdocFile.open(beside, self._line_end) if beside.exists() else None
        except (OSError, MrcError) as err:
            raise CommandError(f"Cannot open file {path}: {err}") from err
        montage = None
        if mdoc is not None and mdoc.autodoc.entries.get("Montage") == "1":
            montage = shape_from_mdoc(mdoc)
        file = OpenFile(path, self.options, mdoc, montage)
        file.stack = stack
        return self._add(file)

    def _add(self, file: OpenFile) -> OpenFile:
        self.files.append(file)
        self.index = len(self.files) - 1
        return file

    def reopen(self, undo: bool, torn: bool) -> list[str]:
        """Open all files again, see `OpenFile.reopen`; return a line about each that is open no more."""
        lost, current = [], self.files[self.index] if self.index >= 0 else None
        for file in list(self.files):
            try:
                file.reopen(undo, torn)
            except (OSError, MrcError) as err:
                lost.append(f"{file.path} is open no more: {err}")
                self.files.remove(file)
        if current is not None and current in self.files:
            self.index = self.files.index(current)
        else:
            self.index = len(self.files) - 1
        return lost

    def close_current(self) -> None:
        """Close the current file; the one before it, or else the first, becomes current."""
        self.current.close()
        del self.files[self.index]
        self.index = max(self.index - 1, 0) if self.files else -1

    def close_all(self) -> None:
        """Close every file."""
        for file in self.files:
            file.close()
        self.files.clear()
        self.index = -1
