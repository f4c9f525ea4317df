"""Low-dose areas: the optics that belong to each."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mock_serialem.errors import CommandError
from mock_serialem.image import AREA_LETTERS
from mock_serialem.sim.profiles import MicroscopeProfile


@dataclass(frozen=True)
class LowDoseArea:
    """Optics of one area.

    Attributes
    ----------
    mag_index, spot, probe_mode : int
    intensity : float
        Raw, 0 to 1.
    dose_rate_e_per_a2_s : float
        At the specimen without sample, for this spot and intensity.
    beam_radius_um : float
    axis_um : float
        Distance from Record along the tilt axis.
    defocus_um : float
        Offset of View and Search.
    shift_um : tuple of float
        Shift offset of View and Search in the specimen plane.
    slit_in : bool
    slit_width_ev, energy_loss_ev : float
    beam_shift, beam_tilt : tuple of float
        Offsets against Record.
    """

    mag_index: int
    spot: int
    intensity: float
    dose_rate_e_per_a2_s: float
    beam_radius_um: float
    axis_um: float = 0.0
    defocus_um: float = 0.0
    shift_um: tuple[float, float] = (0.0, 0.0)
    probe_mode: int = 0
    slit_in: bool = True
    slit_width_ev: float = 20.0
    energy_loss_ev: float = 0.0
    beam_shift: tuple[float, float] = (0.0, 0.0)
    beam_tilt: tuple[float, float] = (0.0, 0.0)
    duty_percent: float = 100.0


def default_areas(scope: MicroscopeProfile) -> dict[str, LowDoseArea]:
    """Areas of a usual tomography session on this column."""
    mags, radii_um = scope.area_mag_index, scope.area_beam_radius_um
    # Record: about 3 e/A^2 in a second; the beam just covers the camera, Focus and Trial lie clear of it.
    record = LowDoseArea(mags["R"], 8, 0.4812, 3.0, radii_um["R"])
    return {
        "V": LowDoseArea(mags["V"], 8, 0.6021, 0.2, radii_um["V"], defocus_um=-60.0),
        "F": replace(record, mag_index=mags["F"], beam_radius_um=radii_um["F"], axis_um=2.5),
        "T": replace(record, mag_index=mags["T"], beam_radius_um=radii_um["T"], axis_um=2.5),
        "R": record,
        "S": LowDoseArea(
            mags["S"], 9, 0.7214, 0.02, radii_um["S"], defocus_um=-200.0, slit_in=False, probe_mode=1
        ),
    }


class LowDose:
    """Low-dose mode.

    Attributes
    ----------
    on : bool
    area : str
        Letter of the area the microscope is in; empty before any was visited.
    areas : dict
        Parameters by letter.
    calibrated : dict
        Areas with the spot and intensity to which their dose rates and beam radii belong.
    opposite : bool
        Focus or Trial was gone to on the other side of Record.
    continuous_update : bool
        Changes of the optics go into the present area.
    """

    def __init__(self, scope: MicroscopeProfile) -> None:
        self.on = True
        self.area = ""
        self.areas = default_areas(scope)
        self.calibrated = default_areas(scope)
        self.opposite = False
        self.continuous_update = False
        self.updating = ""  # area named by UpdateLowDoseParams
        self.last_shift_change_um = (0.0, 0.0)  # of the shift offset of View or Search
        self._saved: dict[str, LowDoseArea] = {}

    def letter(self, given: str) -> str:
        """Area letter of a command's argument: its first letter, upper case only.

        Raises
        ------
        CommandError
            It names no area.
        """
        if not given or given[0] not in AREA_LETTERS:
            raise CommandError(f"{given!r} is not the letter of a low dose area")
        return given[0]

    def require_on(self) -> None:
        """Raise CommandError outside low dose."""
        if not self.on:
            raise CommandError("Low dose mode needs to be on")

    def change(self, letter: str, **changes: object) -> None:
        """Change parameters of an area."""
        self.areas[letter] = replace(self.areas[letter], **changes)  # type: ignore[arg-type]

    def begin_update(self, letter: str, keep: bool) -> None:
        """Let optics commands in this area change its parameters."""
        self.updating = letter
        if not keep:
            self._saved.setdefault(letter, self.areas[letter])

    def restore(self, letter: str | None = None) -> bool:
        """Put back areas changed since `begin_update`; tell whether there were any."""
        letters = list(self._saved) if letter is None else [letter] if letter in self._saved else []
        for each in letters:
            self.areas[each] = self._saved.pop(each)
        self.updating = ""
        return bool(letters)

    def follow(self, **changes: object) -> None:
        """Store a change of the optics in the present area if it is to follow."""
        if self.on and self.area and (self.continuous_update or self.updating == self.area):
            self.change(self.area, **changes)
