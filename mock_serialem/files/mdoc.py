"""The ``.mdoc`` beside an image stack: one ``[ZValue = n]`` section per image.

Saving an image appends only its section; keys added later are in memory until `MdocFile.write`, as in SerialEM.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from mock_serialem.files.autodoc import Autodoc, Section, entries_text, parse_autodoc, section_text

ENCODING = "utf-8"
ERRORS = "surrogateescape"


def mdoc_path(image_path: Path) -> Path:
    """Name of the mdoc of an image file: its name with ``.mdoc`` appended."""
    return image_path.with_name(image_path.name + ".mdoc")


class MdocFile:
    r"""The mdoc of one open image file.

    Parameters
    ----------
    path : Path
        The mdoc file.
    line_end : str
        ``"\\r\\n"`` as on Windows, or ``"\\n"``.
    autodoc : Autodoc, optional
        Content already on disk.
    """

    def __init__(self, path: Path, line_end: str, autodoc: Autodoc | None = None) -> None:
        self.path = path
        self.line_end = line_end
        self.autodoc = autodoc or Autodoc()
        self._ends: list[int] = []  # file offset after each section
        self._start = 0  # file offset after the global part and the titles
        self._dirty_from: int | None = (
            None  # first section not on disk as it is in memory; -1 the global part
        )
        if autodoc is not None:
            self._dirty_from = -1

    @classmethod
    def create(cls, path: Path, line_end: str) -> MdocFile:
        """Start a new mdoc; an existing file of that name is renamed to ``name~``.

        Raises
        ------
        OSError
            The old file cannot be renamed.
        """
        if path.exists():
            os.replace(path, path.with_name(path.name + "~"))
        return cls(path, line_end)

    @classmethod
    def open(cls, path: Path, line_end: str) -> MdocFile:
        """Open an existing mdoc for appending.

        Raises
        ------
        OSError
            The file cannot be read.
        """
        return cls(path, line_end, parse_autodoc(path.read_bytes().decode(ENCODING, ERRORS)))

    def reopen(self, rewrite: bool = False) -> None:
        """See that the file is as remembered after this object has come out of a pickle.

        Parameters
        ----------
        rewrite : bool
            The file may have been in the writing; else it is written only if it has another length.

        Raises
        ------
        OSError
            The file cannot be written.
        """
        if not self.autodoc.sections or (self._dirty_from == -1 and not rewrite):
            return
        end = (self._ends or [self._start])[-1]
        if rewrite or not self.path.exists() or self.path.stat().st_size != end:
            self._write_all()
            self._dirty_from = None

    @property
    def image_sections(self) -> list[Section]:
        """The ``[ZValue = n]`` sections."""
        return self.autodoc.of_kind("ZValue")

    def begin(self, entries: dict[str, str], titles: list[str]) -> None:
        """Set global keys and titles before the first section; keys already added by a script come after them."""
        added = self.autodoc.entries
        self.autodoc.entries = {**entries, **added}
        self.autodoc.sections = [Section("T", title) for title in titles]
        self._dirty_from = -1

    def append(self, entries: dict[str, str]) -> None:
        """Add the section of the image just saved and append it, alone, to the file.

        Raises
        ------
        OSError
            The file cannot be written; the section then stays in memory only.
        """
        self.append_section(Section("ZValue", str(len(self.image_sections)), dict(entries)))

    def append_section(self, section: Section) -> None:
        """Add a section of any kind at the end, on disk as well; errors as in `append`."""
        self.autodoc.sections.append(section)
        if self._dirty_from == -1:
            self.write()
            return
        data = self._encode(section_text(section, self.line_end))
        with self.path.open("ab") as stream:
            stream.write(data)
            self._ends.append(stream.tell())

    def set_key(self, key: str, value: str) -> None:
        """Add or replace a key in the last section, or in the global part if no image was saved yet."""
        sections = self.autodoc.sections
        if self.image_sections:
            sections[-1].entries[key] = value
            changed = len(sections) - 1
        else:
            self.autodoc.entries[key] = value
            changed = -1
        if self._dirty_from is None or changed < self._dirty_from:
            self._dirty_from = changed

    def add_title(self, title: str) -> None:
        """Add a title section after the existing ones."""
        place = len(self.autodoc.of_kind("T"))
        self.autodoc.sections.insert(place, Section("T", title))
        self._dirty_from = -1
        self.write()

    def write(self) -> None:
        """Bring the file up to date, rewriting from the first changed section on.

        Raises
        ------
        OSError
            The file cannot be written.
        """
        first = self._dirty_from
        if first is None:
            return
        if first < 0:
            self._write_all()
        else:
            self._ends = self._ends[:first]
            with self.path.open("r+b") as stream:
                stream.seek(self._ends[-1] if first else self._start)
                self._write_sections(stream, first)
                stream.truncate()
        self._dirty_from = None

    def _write_all(self) -> None:
        self._ends = []
        with self.path.open("wb") as stream:
            stream.write(self._encode(entries_text(self.autodoc.entries, self.line_end)))
            self._start = stream.tell()
            self._write_sections(stream, 0)

    def _write_sections(self, stream: BinaryIO, first: int) -> None:
        for section in self.autodoc.sections[first:]:
            stream.write(self._encode(section_text(section, self.line_end)))
            self._ends.append(stream.tell())

    @staticmethod
    def _encode(text: str) -> bytes:
        return text.encode(ENCODING, ERRORS)
