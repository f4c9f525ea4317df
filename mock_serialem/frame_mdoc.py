"""The frame mdoc a script opens: one ``[FrameSet = n]`` section per exposure that saved frames."""

from __future__ import annotations

from pathlib import Path

from mock_serialem.errors import CommandError
from mock_serialem.files.autodoc import Autodoc, Section, autodoc_text


class FrameMdoc:
    """One open frame mdoc.

    Parameters
    ----------
    path : Path
    line_end : str
    header : dict of str to str
        Global keys: title and voltage.
    """

    def __init__(self, path: Path, line_end: str, header: dict[str, str]) -> None:
        self.path = path
        self.deferred = False
        self.next_keys: dict[str, str] = {}
        self._line_end = line_end
        self._autodoc = Autodoc(dict(header))

    def add_exposure(self, keys: dict[str, str]) -> None:
        """Add the section of an exposure, with keys given in advance, and write unless writing is deferred."""
        number = len(self._autodoc.sections)
        self._autodoc.sections.append(Section("FrameSet", str(number), {**keys, **self.next_keys}))
        self.next_keys = {}
        if not self.deferred:
            self.write()

    def set_key(self, key: str, value: str) -> None:
        """Add or replace a key of the last section; CommandError without one."""
        if not self._autodoc.sections:
            raise CommandError("No frames were saved since the frame mdoc was opened")
        self._autodoc.sections[-1].entries[key] = value

    def write(self) -> None:
        """Write the file; CommandError if that fails."""
        try:
            text = autodoc_text(self._autodoc, self._line_end)
            self.path.write_bytes(text.encode("utf-8", "surrogateescape"))
        except OSError as err:
            raise CommandError(f"Cannot write frame mdoc {self.path}: {err}") from err
