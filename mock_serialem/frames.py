"""Names of frame files: only their names are simulated, no frames are written."""

from __future__ import annotations

import string
from dataclasses import dataclass
from datetime import datetime

from mock_serialem.files.autodoc import month_name

DEFAULT_FORMAT = 0x180
(
    FOLDER_BASE,
    FOLDER_ROOT,
    FOLDER_LABEL,
    BASE,
    ROOT,
    LABEL,
    NUMBER,
    DATE,
    TIME,
    LABEL_ACQUIRING,
    TILT,
    PREFIX_DATE,
) = (1 << bit for bit in range(12))
_MAGNIFICATION, _FOLDER_MAGNIFICATION = 0x2000, 0x4000


@dataclass(frozen=True)
class NameParts:
    """What a frame name may contain.

    Attributes
    ----------
    root : str
        Root of the open image file, empty without one.
    label : str
        Navigator label, empty if there is none.
    acquiring : bool
        Acquire at Items is running.
    tilt_deg : float
    magnification : int
    time : datetime
    """

    root: str
    label: str
    acquiring: bool
    tilt_deg: float
    magnification: int
    time: datetime


class FrameNames:
    """Settings and counter of frame names.

    Attributes
    ----------
    folder : str
        Folder for frames, with its own separator style.
    base : str
        Base name.
    flags : int
        Bits as in ``SetFrameNameFormat``.
    last : tuple of str or None
        Folder and name of the last frame file.
    last_count : int
        Frames in it.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.base = ""
        self.flags = DEFAULT_FORMAT
        self.last: tuple[str, str] | None = None
        self.last_count = 0
        self._prefix = ""
        self._number = 0

    @property
    def separator(self) -> str:
        """Path separator that fits the folder's style."""
        drive = self.folder[1:2] == ":" and self.folder[0] in string.ascii_letters
        return "\\" if "\\" in self.folder or (drive and "/" not in self.folder) else "/"

    def set_base_flags(self, in_file: bool, in_folder: bool) -> None:
        """Choose whether the base name is part of the file name and of the folder."""
        self.flags = self.flags & ~(BASE | FOLDER_BASE)
        self.flags |= (BASE if in_file else 0) | (FOLDER_BASE if in_folder else 0)

    @property
    def last_path(self) -> str:
        """Full path of the last frame file, empty if none was saved."""
        return self.separator.join(self.last) if self.last else ""

    def next_name(self, parts: NameParts, frames: int) -> str:
        """Name the frame file of the exposure being taken; return its full path."""
        use_label = bool(parts.label) and (parts.acquiring or not self.flags & LABEL_ACQUIRING)
        label = parts.label if use_label else ""
        magnification = str(parts.magnification)
        folders = self._chosen(
            (FOLDER_BASE, self.base),
            (FOLDER_ROOT, parts.root),
            (_FOLDER_MAGNIFICATION, magnification),
            (FOLDER_LABEL, label),
        )
        stem = self._chosen(
            (BASE, self.base), (ROOT, parts.root), (_MAGNIFICATION, magnification), (LABEL, label)
        )
        folder = self.separator.join([self.folder, "_".join(folders)]) if folders else self.folder
        prefix = "_".join([folder, *stem])
        self._number = self._number + 1 if prefix == self._prefix else 1
        self._prefix = prefix
        time = parts.time
        if self.flags & NUMBER:
            stem.append(f"{self._number:03d}")
        if self.flags & TILT:
            stem.append(f"{parts.tilt_deg:.1f}")
        if self.flags & DATE and not self.flags & PREFIX_DATE:
            stem.append(f"{month_name(time.month)}{time.day:02d}")
        if self.flags & TIME and not self.flags & PREFIX_DATE:
            stem.append(f"{time:%H.%M.%S}")
        if self.flags & PREFIX_DATE:
            stem.insert(0, f"{time:%Y-%m-%d_%H.%M.%S}")
        self.last = (folder, "_".join(stem) + ".tif")
        self.last_count = frames
        return self.last_path

    def _chosen(self, *candidates: tuple[int, str]) -> list[str]:
        return [text for flag, text in candidates if self.flags & flag and text]
