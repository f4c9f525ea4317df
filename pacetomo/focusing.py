"""Focus during a run: which defocus each image shall have, what to set for it, and measuring anew.

The focus to set is that of the start tilt, lowered by as much as the target has risen since, plus what autofocus
has found on that branch. Values are SerialEM's defocus readout in µm, underfocus negative.
"""

from __future__ import annotations

from pacetomo.annotation import AUTOFOCUS, MeasuredDefocus
from pacetomo.beam_dose import BesideBooks, FocusBeam
from pacetomo.books import Books
from pacetomo.errors import PlanError, ScopeError
from pacetomo.frames import ORIGIN, XY
from pacetomo.geometry import SamplePlane
from pacetomo.job import Job
from pacetomo.off_target import (
    USUAL_BEAM_UM,
    is_off_target_due,
    off_target_place_um,
    touched_targets,
)
from pacetomo.plan import Exposure
from pacetomo.prepare import Prepared
from pacetomo.schemes import Branch
from pacetomo.scope.protocol import Microscope, Missing
from pacetomo.tracking import Aim, Rise, TrackingModel

MOST_CHANGE_UM = 3.0
"""A focus farther than this from the predicted one is no measurement: heights are known better than that."""


class Focusing:
    """Focus of every exposure of a run.

    Parameters
    ----------
    scope, job, prepared, model
        Where, what, from which focus at the start, and how targets rise and sink.
    books : Books
        Told of every measurement.
    beside : BesideBooks
        Told of the beam of every autofocus.
    """

    def __init__(
        self,
        scope: Microscope,
        job: Job,
        prepared: Prepared,
        model: TrackingModel,
        books: Books,
        beside: BesideBooks,
    ) -> None:
        self._scope = scope
        self._job = job
        self._prepared = prepared
        self._model = model
        self._books = books
        self._plane = job.plane
        # What is left unpredicted is mostly the distance of the tilt axis: of opposite sign on the two branches.
        self._refocus_um = dict.fromkeys(Branch, 0.0)
        self._focus_place_um: XY | None = None
        self._beam_um: float | None = None
        self._beside = beside
        self._measured: dict[tuple[int, Branch, float], float] = {}
        if prepared.is_focused:
            own = job.targets.tracking.number
            self._measured[own, Branch.START, prepared.start_tilt_deg] = prepared.focus_um[own]

    def wanted_um(self, exposure: Exposure) -> float:
        """Defocus that an image shall have."""
        zero_um = self._job.settings.zeroDefocus
        if exposure.branch is Branch.START and zero_um != 0:
            return zero_um
        return self._job.wanted_defocus_um[exposure.target]

    def focus_um(self, exposure: Exposure, aim: Aim, tilt_deg: float, travelled_um: XY = ORIGIN) -> float:
        """Focus to set for an image; `travelled_um` is where a montage has its centre, as seen from its target."""
        own_um = self._own_focus_um(exposure.target, aim, tilt_deg, exposure.branch)
        focus_um = own_um + self.wanted_um(exposure) - self._job.wanted_defocus_um[exposure.target]
        if travelled_um == ORIGIN or not self._job.settings.tgtMntFocusCor:
            return focus_um
        return self.beside_um(focus_um, travelled_um, tilt_deg)

    def measured(self, exposure: Exposure, tilt_deg: float, focus_um: float) -> MeasuredDefocus | None:
        """Defocus of an image by an autofocus for its target at this tilt; None if there was none.

        `focus_um` is the focus set for the image: by as much as it differs from what autofocus has found, its defocus
        differs from the one wanted then.
        """
        found_um = self._measured.get((exposure.target, exposure.branch, tilt_deg))
        if found_um is None:
            return None
        return MeasuredDefocus(self._job.wanted_defocus_um[exposure.target] + focus_um - found_um, AUTOFOCUS)

    def beside_um(self, focus_um: float, apart_um: XY, tilt_deg: float) -> float:
        """Focus for a place of the sample that is seen `apart_um` from a target with that focus."""
        try:
            return focus_um - self._plane.rise_um(apart_um, tilt_deg)
        except PlanError as err:
            self._books.warn(f"the focus beside a target is taken to be the target's own: {err}")
            return focus_um

    def use_plane(self, plane: SamplePlane) -> None:
        """Take the sample plane for another one from here on; the focus at the start is no concern of it."""
        self._plane = plane

    def at_tilt(self, tilt_deg: float, branch: Branch, begins: bool, tracker: int | None = None) -> None:
        """Measure anew where the settings ask for it; what is found holds for all targets on this branch.

        Parameters
        ----------
        tilt_deg, branch
            Where the stage is.
        begins : bool
            Whether this is the first tilt after a change of branch.
        tracker : int, optional
            The target that tracks for the others, if it is not the area's tracking target.
        """
        if not self.is_due(tilt_deg, branch, begins):
            return
        number = tracker or self._job.targets.tracking.number
        if is_off_target_due(self._job, tilt_deg, begins):
            if self._would_touch_a_target(tilt_deg):
                return
            apart_um = off_target_place_um(self._job).minus(self._job.untilted_um[number])
            self._autofocus(tilt_deg, branch, number, self._plane.seen(apart_um, tilt_deg))
        else:
            self._autofocus(tilt_deg, branch, number, None)

    def is_due(self, tilt_deg: float, branch: Branch, begins: bool) -> bool:
        """Whether to measure anew at a tilt; `begins` as for `at_tilt`."""
        if branch is Branch.START:  # the focus has been measured there during the set-up
            return False
        return is_off_target_due(self._job, tilt_deg, begins) or (self._job.settings.addAF and begins)

    def _would_touch_a_target(self, tilt_deg: float) -> bool:
        """Whether autofocus beside the targets would cost one of them dose."""
        if self._beam_um is None:
            try:
                self._beam_um = 2 * self._scope.beam_radius_um()
            except ScopeError as err:
                self._books.warn(f"the beam is taken to be {USUAL_BEAM_UM:g} µm wide ({err})")
                self._beam_um = USUAL_BEAM_UM
        touched = touched_targets(self._job, self._plane, tilt_deg, self._beam_um / 2, self._beam_um / 2)
        if touched:
            numbers = ", ".join(str(overlap.target) for overlap in touched)
            self._fail(f"autofocus at {tilt_deg:.1f}° would expose target {numbers}")
        return bool(touched)

    def risen_um(self, number: int, aim: Aim, tilt_deg: float, branch: Branch, error_um: float) -> float:
        """How much a target has risen since the start, if its image is off by `error_um` from the wanted defocus.

        True defocus grows with the focus set and with the height, so what the focus was not lowered by shows.
        """
        lowered_um = self._prepared.focus_um[number] - self._own_focus_um(number, aim, tilt_deg, branch)
        return lowered_um + error_um

    def _own_focus_um(self, number: int, aim: Aim, tilt_deg: float, branch: Branch) -> float:
        """Focus that gives a target its usual defocus."""
        focus_um = self._prepared.focus_um[number] - aim.rise_um + self._refocus_um[branch]
        return focus_um + self._job.settings.focusSlope * (tilt_deg - self._prepared.start_tilt_deg)

    def _autofocus(self, tilt_deg: float, branch: Branch, number: int, place_um: XY | None) -> None:
        """Autofocus, and correct the focus of all targets by what differs from the prediction.

        Parameters
        ----------
        tilt_deg, branch
            Where the stage is.
        number : int
            Target whose place and focus is predicted.
        place_um : XY or None
            Where the beam of the Focus area shall fall, as seen from that target (µm); None to centre the target in
            Record, with that beam wherever it then falls.
        """
        aim = self._model.aim(number, tilt_deg, branch)
        focus_place_um = self._focus_place()
        measured_at_um = focus_place_um if place_um is None else place_um
        expected_um = self._own_focus_um(number, aim, tilt_deg, branch)
        expected_um -= self._plane.rise_um(measured_at_um, tilt_deg)
        shift = aim.shift_um.plus(measured_at_um).minus(focus_place_um)
        where = f"autofocus at {tilt_deg:.1f}°"
        if not self._scope.aim(shift, expected_um, compensate_beam_tilt=False):
            self._fail(f"{where} needs an image shift of {shift.length:.1f} µm, beyond the limit")
            return
        focus = self._scope.autofocus(self._job.wanted_defocus_um[number])
        seen = self._plane.seen(self._job.untilted_um[number], tilt_deg).plus(measured_at_um)
        self._beside.focused(FocusBeam(seen, tilt_deg))
        if isinstance(focus, Missing):
            self._fail(f"{where} failed ({focus.reason})")
            return
        change_um = focus - expected_um
        if abs(change_um) > MOST_CHANGE_UM:
            self._fail(
                f"{where} differs by {change_um:+.1f} µm from the prediction, more than {MOST_CHANGE_UM:g} µm "
                "is not believed"
            )
            return
        self._measured[number, branch, tilt_deg] = focus + self._plane.rise_um(measured_at_um, tilt_deg)
        # A place that needs a lower focus than was set has risen by as much more than was thought.
        risen_um = self.risen_um(number, aim, tilt_deg, branch, -change_um)
        if not self._model.measure_rise(Rise(number, tilt_deg, branch, risen_um, self._scope.clock_s())):
            self._refocus_um[branch] += change_um
        text = f"Autofocus at {tilt_deg:.1f}°: focus corrected by {change_um:+.2f} µm"
        self._scope.tell(text)
        self._books.note("step", name="autofocus", text=text, tilt_deg=tilt_deg, change_um=change_um)

    def _fail(self, text: str) -> None:
        self._books.warn(f"{text}; the predicted focus is used")

    def _focus_place(self) -> XY:
        """Where the Focus area lies, as seen from Record's centre."""
        if self._focus_place_um is None:
            try:
                self._focus_place_um = self._scope.focus_place_um()
            except ScopeError as err:
                self._books.warn(f"autofocus is taken to be done at Record's own place ({err})")
                self._focus_place_um = ORIGIN
        return self._focus_place_um
