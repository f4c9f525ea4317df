"""Focus during a run: which defocus each image shall have, what to set for it, and measuring anew.

The focus to set is that of the start tilt, lowered by as much as the target has risen since, plus what autofocus
has found since then. Values are SerialEM's defocus readout in µm, underfocus negative.
"""

from __future__ import annotations

from pacetomo.books import Books
from pacetomo.job import Job
from pacetomo.plan import Exposure
from pacetomo.prepare import Prepared
from pacetomo.schemes import Branch
from pacetomo.scope.protocol import Microscope, Missing
from pacetomo.tracking import Aim, TrackingModel


class Focusing:
    """Focus of every exposure of a run.

    Parameters
    ----------
    scope, job, prepared, model
        Where, what, from which focus at the start, and how targets rise and sink.
    books : Books
        Told of every measurement.
    """

    def __init__(
        self, scope: Microscope, job: Job, prepared: Prepared, model: TrackingModel, books: Books
    ) -> None:
        self._scope = scope
        self._job = job
        self._prepared = prepared
        self._model = model
        self._books = books
        self._refocus_um = 0.0

    def wanted_um(self, exposure: Exposure) -> float:
        """Defocus that an image shall have."""
        zero_um = self._job.settings.zeroDefocus
        if exposure.branch is Branch.START and zero_um != 0:
            return zero_um
        return self._job.wanted_defocus_um[exposure.target]

    def focus_um(self, exposure: Exposure, aim: Aim, tilt_deg: float) -> float:
        """Focus to set for an image."""
        number = exposure.target
        focus_um = self._prepared.focus_um[number] - aim.rise_um + self._refocus_um
        focus_um += self._job.settings.focusSlope * (tilt_deg - self._prepared.start_tilt_deg)
        return focus_um + self.wanted_um(exposure) - self._job.wanted_defocus_um[number]

    def at_tilt(self, tilt_deg: float, branch: Branch, begins: bool) -> None:
        """Measure anew where the settings ask for it; `begins` at the first tilt after a change of branch."""
        if self._job.settings.addAF and begins:
            self._at_tracking_target(tilt_deg, branch)

    def _at_tracking_target(self, tilt_deg: float, branch: Branch) -> None:
        """Autofocus on the tracking target; what it finds holds for all targets from here on."""
        number = self._job.targets.tracking.number
        aim = self._model.aim(number, tilt_deg, branch)
        expected_um = self._prepared.focus_um[number] - aim.rise_um + self._refocus_um
        self._scope.aim(aim.shift_um, expected_um, compensate_beam_tilt=False)
        focus_um = self._scope.autofocus(self._job.wanted_defocus_um[number])
        if isinstance(focus_um, Missing):
            self._books.warn(
                f"autofocus at {tilt_deg:.1f}° failed ({focus_um.reason}); the predicted focus is used"
            )
            return
        self._refocus_um += focus_um - expected_um
        text = f"Autofocus at {tilt_deg:.1f}°: focus corrected by {focus_um - expected_um:+.2f} µm"
        self._scope.tell(text)
        self._books.note("step", name="autofocus", text=text)
