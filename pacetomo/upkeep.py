"""What the column needs now and then during a run: dewars, valves, the gun, the energy filter.

All of it happens between exposures. Hardware that a column does not have is asked for once, said so, and let be.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from pacetomo.errors import ScopeError
from pacetomo.frames import XY
from pacetomo.notes import Notes
from pacetomo.policies import Policies
from pacetomo.policy_table import Then
from pacetomo.room import ending
from pacetomo.scope.protocol import Microscope
from pacetomo.settings_table import Settings
from pacetomo.upkeep_times import Retries, is_due, pause_before_fill_s

DEWAR_SETTLE_S = 60.0
"""After a filling: the column shakes until the nitrogen has come to rest."""

VALVE_SETTLE_S = 5.0

LAST_FLASH = "paceLastFlash"
LAST_SLIT = "paceLastSlit"
"""Notes with clock times that outlive the script: each area of a night is a script of its own."""

Answer = TypeVar("Answer")


class Upkeep:
    """Looks after the column between images.

    Parameters
    ----------
    scope, settings, notes
        What is looked after, how, and who is told.
    policies : Policies, optional
        What is done when it takes long or fails.
    """

    def __init__(
        self, scope: Microscope, settings: Settings, notes: Notes, policies: Policies | None = None
    ) -> None:
        policies = policies or Policies()
        self._dewars, self._valves = policies.of("dewars"), policies.of("valves")
        self._most_failures = policies.of("equipment").limit
        self._scope = scope
        self._settings = settings
        self._notes = notes
        self._off: set[str] = set()
        self._failures: dict[str, int] = {}
        self._slit_retries = Retries()
        self._place_told = False

    def before_tilt(self, find_place: Callable[[float], XY | None]) -> None:
        """Do what is due before the stage tilts: gun and slit; image shift and focus come back.

        Parameters
        ----------
        find_place : callable
            For the radius of the beam (µm), the specimen shift at which it touches no target, or None.
        """
        self._flash_if_due()
        self._refine_slit_if_due(find_place)

    def before_image(self) -> None:
        """Wait until an image can be taken: nothing is moved.

        Raises
        ------
        AreaError
            When the column valves stay closed; when dewars are filled for too long, if that is to end an area.
        """
        while self._wait_for_dewars() or self._wait_for_valves():
            pass  # while one was waited for the other may have begun

    def valves_are_closed(self) -> bool:
        """Whether the column says that its valves are closed; False where nobody is to look."""
        return self._settings.checkValves and self._ask("column valves", self._scope.valves_open) is False

    def despite_valves(self, expose: Callable[[], Answer]) -> Answer:
        """What `expose` returns; with valves that closed just before it, the camera fails and no dose is spent."""
        for _ in range(self.most_retakes):
            try:
                return expose()
            except ScopeError:
                if not self.valves_are_closed():
                    raise
            self.before_image()
        return expose()

    @property
    def most_retakes(self) -> int:
        """How often an image is taken again while valves keep closing."""
        return self._valves.retry

    # dewars

    def _wait_for_dewars(self) -> bool:
        """Wait while dewars are being filled, or are about to be; whether there was anything to wait for."""
        if not (self._settings.checkDewar or self._settings.cryoARM):
            return False
        if not self._filling():
            pause_s = pause_before_fill_s(self._next_fill_s())
            if not pause_s:
                return False
            self._notes.step("dewars", "Waiting for the dewars, which are about to be filled")
            self._scope.wait(pause_s)
            if not self._filling():
                return False
        began_s = self._scope.clock_s()
        self._notes.step("dewars", "Dewars are being filled: waiting")
        if self._settings.cryoARM:
            self._fill_the_other()
        while self._filling():
            if self._scope.clock_s() - began_s > self._dewars.patience_s:
                text = f"dewars are said to be filled for {self._dewars.patience_min:g} min"
                if self._dewars.then is not Then.GO_ON:
                    raise ending(self._dewars.then, f"{text}: see to them, then start this area again")
                self._off.add("dewars")
                self._notes.warn(f"{text}: they are no longer looked after")
                return False
            self._scope.wait(self._dewars.pause_s)
        minutes = (self._scope.clock_s() - began_s) / 60
        self._notes.step("dewars", f"Dewars are full after {minutes:.1f} min: letting the column settle")
        if self._settings.coldFEG and self._settings.flashInterval <= 0:
            self._flash(hot=False)
        self._scope.wait(DEWAR_SETTLE_S)
        return True

    def _filling(self) -> int:
        return self._ask("dewars", self._scope.dewars_filling) or 0

    def _next_fill_s(self) -> float | None:
        if "next filling" in self._off:
            return None
        try:
            return self._scope.next_dewar_fill_s()
        except ScopeError:
            # Columns that know of fillings under way need not know of those to come: asking for the former will do.
            self._off.add("next filling")
            return None

    def _fill_the_other(self) -> None:
        """Fill the dewar that is not being filled too, so that the next pause serves both again."""
        filling = self._filling()
        if filling == 1:
            self._ask("filling the transfer dewar", self._scope.fill_transfer_dewar)
        elif filling == 2:
            self._ask("filling the stage's dewar", self._scope.fill_stage_dewar)

    # valves

    def _wait_for_valves(self) -> bool:
        """Wait while the column valves are closed; whether they were."""
        if not self.valves_are_closed():
            return False
        began_s = self._scope.clock_s()
        deadline_s = began_s + 60 * self._settings.valveWait
        policy = "opening them" if self._settings.reopenValves else "waiting until somebody opens them"
        self._notes.warn(f"the column valves are closed: {policy}")
        while not self._opened():
            left_s = deadline_s - self._scope.clock_s()
            if left_s <= 0:
                raise ending(
                    self._valves.then,
                    f"the column valves stayed closed for {self._settings.valveWait:g} min: "
                    "see to the vacuum, then start this area again",
                )
            self._scope.wait(min(self._valves.pause_s, left_s))
        minutes = (self._scope.clock_s() - began_s) / 60
        self._notes.step("valves", f"The column valves are open again after {minutes:.1f} min")
        self._scope.wait(VALVE_SETTLE_S)
        return True

    def _opened(self) -> bool:
        """Open the valves if that is wanted; whether they are open."""
        if self._settings.reopenValves:
            try:
                self._scope.open_valves()
            except ScopeError as err:  # the vacuum is not good yet: it is tried again
                self._notes.note("step", name="valves", text=f"The valves do not open yet ({err})")
        return not self.valves_are_closed()

    # gun

    def _flash_if_due(self) -> None:
        if not self._settings.coldFEG:
            return
        hours = self._settings.flashInterval
        if hours > 0:
            if is_due(self._last_flash_s(), self._scope.clock_s(), 3600 * hours):
                self._flash(hot=False)
        elif self._ask("advice on flashing", lambda: self._scope.flash_advised(True)):
            self._flash(hot=True)
        elif self._ask("advice on flashing", lambda: self._scope.flash_advised(False)):
            self._flash(hot=False)

    def _last_flash_s(self) -> float | None:
        """Clock time of the last flash, by our own note or the control program's."""
        noted_s = self._scope.recall_s(LAST_FLASH)
        if noted_s is not None:
            return noted_s
        hours = self._ask("time of the last flash", self._scope.hours_since_flash)
        return None if hours is None else self._scope.clock_s() - 3600 * hours

    def _flash(self, hot: bool) -> None:
        if "flashing the gun" in self._off:
            return
        self._notes.step("flash", f"Flashing the gun ({'high' if hot else 'low'} temperature)")
        began_s = self._scope.clock_s()
        if self._try("flashing the gun", lambda: self._scope.flash_gun(hot)):
            self._scope.remember_s(LAST_FLASH, self._scope.clock_s())
            self._notes.step("flash", f"The gun is flashed after {self._scope.clock_s() - began_s:.0f} s")

    # energy filter

    def _refine_slit_if_due(self, find_place: Callable[[float], XY | None]) -> None:
        interval_s = 60 * self._settings.slitInterval
        if interval_s <= 0:
            return
        now_s = self._scope.clock_s()
        if not self._slit_retries.is_due(self._scope.recall_s(LAST_SLIT), now_s, interval_s):
            return
        if not self._ask("energy filter", self._scope.has_energy_filter):
            return
        place = self._slit_place(find_place)
        if place is None:
            return
        self.before_image()
        self._notes.step("slit", f"Refining the slit at {place.x:.1f}, {place.y:.1f} µm")
        try:
            self._scope.refine_slit(place)
        except ScopeError as err:
            self._slit_retries.note(False, self._scope.clock_s())
            self._notes.warn(f"the slit could not be refined ({err})")
            return
        now_s = self._scope.clock_s()
        self._slit_retries.note(True, now_s)
        self._scope.remember_s(LAST_SLIT, now_s)

    def _slit_place(self, find_place: Callable[[float], XY | None]) -> XY | None:
        """Where the beam touches no target; None, said once, if there is no such place or nobody knows the beam."""
        radius_um = self._ask("size of the beam", self._scope.beam_radius_um)
        if radius_um is None:
            return None
        place = find_place(radius_um)
        if place is None and not self._place_told:
            self._place_told = True
            self._notes.warn(
                f"at {self._scope.tilt_deg():.1f}° no place within the image-shift limit is free of targets: the slit "
                "is refined at a tilt where there is one"
            )
        return place

    # asking and telling

    def _ask(self, what: str, question: Callable[[], Answer]) -> Answer | None:
        """Answer of the column; None where it cannot tell, which is said once."""
        if what in self._off:
            return None
        try:
            answer = question()
        except ScopeError as err:
            self._note_failure(what, err)
            return None
        self._failures[what] = 0
        return answer

    def _try(self, what: str, step: Callable[[], object]) -> bool:
        """Whether a step could be done; see `_ask`."""
        return self._ask(what, lambda: (step(), True)[1]) is True

    def _note_failure(self, what: str, err: ScopeError) -> None:
        """Let be what has never worked; what has may fail for once."""
        failures = self._failures.get(what)
        self._failures[what] = 1 if failures is None else failures + 1
        if failures is None or failures + 1 >= self._most_failures:
            self._off.add(what)
            self._notes.warn(f"{what}: not available here ({err}); it is not tried again")
        elif failures == 0:
            self._notes.warn(f"{what}: failed for now ({err})")
