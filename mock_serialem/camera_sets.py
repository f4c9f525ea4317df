"""The camera parameter sets V F T R P S M, with what a script changed and has to be put back."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mock_serialem.errors import CommandError
from mock_serialem.image import SET_LETTERS
from mock_serialem.sim.profiles import CameraProfile

AREA_OF_SET = {"V": "V", "F": "F", "T": "T", "R": "R", "P": "R", "S": "S", "M": "R"}
"""Low-dose area in which a set takes its images."""


@dataclass(frozen=True)
class CameraSet:
    """One parameter set.

    Attributes
    ----------
    exposure_s, drift_s : float
    binning : float
        In physical pixels.
    size_px : tuple of int
        Columns and rows, binned.
    offset_px : tuple of float
        Middle of that area from the middle of the camera: unbinned pixels, X right and Y down.
    dose_frac, save_frames, align_frames : bool
    align_method, sum_count : int
    frame_s : float
        Frame time.
    read_mode : int
        0 linear, 1 counting, 2 super-resolution.
    processing : int
        2 gain normalized.
    continuous : bool
    """

    exposure_s: float
    binning: float
    size_px: tuple[int, int]
    drift_s: float = 0.0
    dose_frac: bool = False
    save_frames: bool = False
    align_frames: bool = False
    align_method: int = 0
    sum_count: int = 0
    frame_s: float = 0.1
    read_mode: int = 1
    processing: int = 2
    continuous: bool = False
    offset_px: tuple[float, float] = (0.0, 0.0)


class CameraSets:
    """All sets of one camera.

    Parameters
    ----------
    camera : CameraProfile
        Size and legal binnings.
    """

    def __init__(self, camera: CameraProfile) -> None:
        self.camera = camera
        full = self.binned_size(4)
        small = (full[0] // 2, full[1] // 2)
        # Search is binned harder: its field is the camera's, and it serves only to look around.
        self._sets = {
            "V": CameraSet(0.5, 4, full),
            "F": CameraSet(0.4, 4, small),
            "T": CameraSet(0.2, 4, full),
            "R": CameraSet(1.0, 4, full, dose_frac=True, save_frames=True),
            "P": CameraSet(0.3, 4, full),
            "S": CameraSet(0.5, 8, self.binned_size(8)),
            "M": CameraSet(0.3, 4, full),
        }
        self._saved: dict[str, CameraSet] = {}

    def binned_size(self, binning: float) -> tuple[int, int]:
        """Columns and rows of the full camera at a binning."""
        columns, rows = self.camera.size_px
        return int(columns / binning), int(rows / binning)

    def letter(self, given: str) -> str:
        """Turn a command's camera-set argument into a letter.

        Raises
        ------
        CommandError
            It names no set.
        """
        name = given.strip().upper()
        if name.isdecimal() and int(name) < len(SET_LETTERS):
            return SET_LETTERS[int(name)]
        if name and name[0] in SET_LETTERS:
            return name[0]
        raise CommandError(f"{given!r} is not the letter of a camera parameter set")

    def get(self, letter: str) -> CameraSet:
        """The set of a letter."""
        return self._sets[letter]

    def change(self, letter: str, **changes: object) -> CameraSet:
        """Change parameters of a set; the state before the first change is kept for the end of the script."""
        self._saved.setdefault(letter, self._sets[letter])
        self._sets[letter] = replace(self._sets[letter], **changes)  # type: ignore[arg-type]
        return self._sets[letter]

    def set_binning(self, letter: str, binning: float) -> None:
        """Change the binning; the recorded part of the camera stays the same.

        Raises
        ------
        CommandError
            The camera has no such binning.
        """
        if binning == 0.5:
            raise CommandError("Super-resolution images are not simulated, the smallest binning is 1")
        if binning not in self.camera.binnings:
            raise CommandError(f"{binning:g} is not a legal binning for this camera")
        old = self._sets[letter]
        factor = old.binning / binning
        size = (int(old.size_px[0] * factor), int(old.size_px[1] * factor))
        most = self.binned_size(binning)
        self.change(letter, binning=binning, size_px=(min(size[0], most[0]), min(size[1], most[1])))

    def restore(self, letter: str | None = None) -> bool:
        """Put back one set, or all; tell whether there was anything to put back."""
        letters = list(self._saved) if letter is None else [letter] if letter in self._saved else []
        for each in letters:
            self._sets[each] = self._saved.pop(each)
        return bool(letters)

    def keep(self, letter: str | None = None) -> None:
        """Make the changes of one set, or of all, last."""
        if letter is None:
            self._saved.clear()
        else:
            self._saved.pop(letter, None)
