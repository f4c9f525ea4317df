"""CTF fits through SerialEM."""

from __future__ import annotations

from pacetomo.errors import ScopeError
from pacetomo.scope.protocol import CtfFit, CtfProgram, FitOrMissing, Missing
from pacetomo.scope.serialem_base import SerialEMCommands

PRESENT_IMAGE = "A"


class SerialEMCtf(SerialEMCommands):
    """Fitting the CTF of the image in buffer A."""

    def fit_ctf(self, program: CtfProgram, search_um: tuple[float, float], slope_deg: float) -> FitOrMissing:
        low_um, high_um = map(float, search_um)
        if program is CtfProgram.CTFFIND:
            return self._ctffind(low_um, high_um)
        return self._ctfplotter(low_um, high_um, slope_deg)

    def _ctffind(self, low_um: float, high_um: float) -> FitOrMissing:
        try:  # a search in one dimension is much faster, and enough where astigmatism is small
            found = self._do("fitting the CTF", "CtfFind", PRESENT_IMAGE, low_um, high_um, 1)
        except ScopeError as err:  # SerialEM answers a failed fit by failing
            return Missing(str(err))
        defocus_um, astigmatism_um, angle_deg, phase_deg, score, resolution = map(float, found)
        return CtfFit(defocus_um, astigmatism_um, angle_deg, phase_deg, resolution, score)

    def _ctfplotter(self, low_um: float, high_um: float, slope_deg: float) -> FitOrMissing:
        doing = "fitting the CTF"
        if not self._do("asking for the version", "IsVersionAtLeast", "40100", "20220824"):
            raise ScopeError(f"{doing}: this SerialEM is too old for Ctfplotter")
        # 1: with astigmatism, without a phase plate; the image's own tilt is known from its metadata.
        found = self._do(doing, "Ctfplotter", PRESENT_IMAGE, low_um, high_um, 1, 0.0, float(slope_deg))
        if len(found) < 6:
            return Missing(f"{doing}: Ctfplotter ended with status {found[-1]:g}")
        defocus_um, astigmatism_um, angle_deg, phase_deg, resolution, score = map(float, found)
        if abs(resolution) <= 1.0 < score:  # SerialEM's versions differ in the order of these two
            resolution, score = score, resolution
        return CtfFit(defocus_um, astigmatism_um, angle_deg, phase_deg, resolution, score)
