"""What the program keeps about montages beside the files themselves."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class MontageSettings:
    """What the next montage takes over from the program.

    Attributes
    ----------
    use : int
        Parameters for the pieces: 0 Record, 1 the Montage set, 2 View and 3 Search in low dose.
    next_use : int or None
        The same for the next montage that this script opens, None for no difference.
    shift_in_overview, very_sloppy, multiple_peaks : int
        Options of the montage panel.
    overview_binning : int
    grid_um : tuple of float
        Left, right, bottom and top of the grid area (stage).
    """

    use: int = 0
    next_use: int | None = None
    shift_in_overview: int = 1
    very_sloppy: int = 0
    multiple_peaks: int = 0
    overview_binning: int = 1
    grid_um: tuple[float, float, float, float] = (-250.0, 250.0, -250.0, 250.0)

    def letter(self) -> str:
        """Camera set for a montage opened now."""
        use = self.use if self.next_use is None else self.next_use
        return {1: "M", 2: "V", 3: "S"}.get(use, "R")
