"""CTF fits of the images of a run: by which program, and which results are measurements.

A fit tells the defocus of one image and of no other. What cannot be believed is `Missing`, with the reason.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from pacetomo.annotation import MeasuredDefocus
from pacetomo.errors import ScopeError
from pacetomo.scope.protocol import CtfFit, CtfProgram, FitOrMissing, Level, Microscope, Missing
from pacetomo.settings_table import Settings

SEARCH_UM = 5.0
"""How far on either side of the expected defocus is searched."""

WEAKEST_UM = -0.2
"""Nearer to focus there are no Thon rings to fit."""

STRONGEST_UM = -100.0
"""The programs search no farther."""

EDGE_UM = 0.05
"""A fit this near to an end of the range has found that end, not a defocus."""

TRIES = 8
"""Failures in a row, with not one fit before, after which a program is not used any more."""


def search_range_um(expected_um: float) -> tuple[float, float]:
    """Range of defocus (µm, the stronger underfocus first) to search where one is expected.

    >>> search_range_um(-4.0)
    (-9.0, -0.2)
    """
    middle_um = max(STRONGEST_UM, min(expected_um, WEAKEST_UM))
    return max(STRONGEST_UM, middle_um - SEARCH_UM), min(WEAKEST_UM, middle_um + SEARCH_UM)


def judged(fit: CtfFit, expected_um: float) -> FitOrMissing:
    """The fit, or why it is none: a number that is none, a defocus not about the expected one, no resolution."""
    if not all(math.isfinite(value) for value in fit[:6]):
        return Missing("the fit is not a number")
    low_um, high_um = search_range_um(expected_um)
    if not low_um + EDGE_UM < fit.defocus_um < high_um - EDGE_UM:
        return Missing(
            f"a defocus of {fit.defocus_um:.2f} µm was fitted, between {low_um:g} and {high_um:g} µm is believed"
        )
    if not 0 <= fit.astigmatism_um < -fit.defocus_um:
        return Missing(f"an astigmatism of {fit.astigmatism_um:.2f} µm was fitted")
    if fit.resolution_angstrom <= 0:
        return Missing(f"the fit reaches {fit.resolution_angstrom:g} Å")
    return fit


def measured(fit: CtfFit) -> MeasuredDefocus | None:
    """The defocus that a fit tells; None if nobody knows what made the fit."""
    return None if fit.program is None else MeasuredDefocus(fit.defocus_um, fit.program.value)


def metadata(fit: CtfFit) -> dict[str, str]:
    """What a fit adds to the metadata of its image: µm (underfocus negative), degrees, Å."""
    return {
        "CtfDefocus": f"{fit.defocus_um:.4f}",
        "CtfAstigmatism": f"{fit.astigmatism_um:.4f}",
        "CtfAstigmatismAngle": f"{fit.angle_deg:.2f}",
        "CtfPhaseShift": f"{fit.phase_deg:.2f}",
        "CtfFitResolution": f"{fit.resolution_angstrom:.2f}",
        "CtfScore": f"{fit.score:.4f}",
    }


def journal_entries(fit: FitOrMissing | None) -> dict[str, object]:
    """What the journal says of a fit: the defocus, or None and, where one was tried, why there is none."""
    if isinstance(fit, CtfFit):
        return {"ctf_defocus_um": fit.defocus_um, "ctf_resolution_angstrom": fit.resolution_angstrom}
    return {"ctf_defocus_um": None} if fit is None else {"ctf_defocus_um": None, "ctf_missing": fit.reason}


class CtfFitting:
    """Fits the CTF of images by the best program there is.

    Ctfplotter comes before CtfFind where the settings ask for both. A program that cannot be run, or has failed
    `TRIES` times without having worked once, gives way to the next; after the last one there are no more fits. The
    operator is told once.

    Parameters
    ----------
    scope : Microscope
        Where the images are.
    settings : Settings
        Which programs are wanted. Refining the geometry needs fits at the start tilt in any case: CtfFind, which is
        part of SerialEM, makes them where nothing else can.
    """

    def __init__(self, scope: Microscope, settings: Settings) -> None:
        self._scope = scope
        wanted = ((settings.doCtfPlotter, CtfProgram.CTFPLOTTER), (settings.doCtfFind, CtfProgram.CTFFIND))
        self._always = [program for is_wanted, program in wanted if is_wanted]
        self._at_start = [] if settings.doCtfFind or not settings.refineGeo else [CtfProgram.CTFFIND]
        self._failures = dict.fromkeys(CtfProgram, 0)
        self._worked: set[CtfProgram] = set()

    def fit(self, expected_um: float, slope_deg: float, at_start: bool = False) -> FitOrMissing | None:
        """CTF of the present image; None when no program is to fit it.

        Parameters
        ----------
        expected_um : float
            Defocus that the image should have.
        slope_deg : float
            Inclination of the sample across the tilt axis at stage tilt 0.
        at_start : bool
            Whether it is an image at the start tilt.
        """
        found: FitOrMissing | None = None
        for program in self._programs(at_start):
            found = self._try(program, expected_um, slope_deg)
            if isinstance(found, CtfFit) or program in self._programs(at_start):
                return found
        return found

    def _programs(self, at_start: bool) -> tuple[CtfProgram, ...]:
        return (*self._always, *(self._at_start if at_start else ()))

    def _try(self, program: CtfProgram, expected_um: float, slope_deg: float) -> FitOrMissing:
        try:
            found = self._scope.fit_ctf(program, search_range_um(expected_um), slope_deg)
        except ScopeError as err:
            found = Missing(str(err))
            if program not in self._worked:  # it is not there: no need to try it again
                self._failures[program] = TRIES
        else:
            if isinstance(found, CtfFit):
                found = judged(found._replace(program=program), expected_um)
        if isinstance(found, CtfFit):
            self._worked.add(program)
            return found
        self._failures[program] += 1
        if program not in self._worked and self._failures[program] >= TRIES:
            self._give_up(program, found.reason)
        return found

    def _give_up(self, program: CtfProgram, reason: str) -> None:
        for programs in (self._always, self._at_start):
            if program in programs:
                programs.remove(program)
        left = _listed(self._always)
        self._scope.tell(
            f"Warning: {program.value} is not used ({reason}); "
            + (f"CTFs are fitted by {left} instead" if left else "images get no CTF fit"),
            Level.WARNING,
        )


def _listed(programs: Iterable[CtfProgram]) -> str:
    return " and ".join(program.value for program in programs)
