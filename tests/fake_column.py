"""What a scripted microscope says of its dewars, valves, gun and filter: by default that all is well."""

from __future__ import annotations

import math

from pacetomo.errors import ScopeError


class FakeColumn:
    """Upkeep of `FakeScope`.

    `fills` are (first, last) clock times of fillings of a dewar (1, 2 or 3 for both); `lacks` names verbs that the
    column does not have. `done` lists what has been done: (clock time, verb, details).
    """

    time = 0.0

    def __init__(self) -> None:
        self.fills: list[tuple[float, float, int]] = []
        self.next_fill: float | None = None
        self.valves: bool | None = True
        self.valves_stuck_until = -math.inf
        self.advised: dict[bool, bool] = {False: False, True: False}
        self.last_flash = -math.inf
        self.lacks: set[str] = set()
        self.done: list[tuple] = []
        self.notes: dict[str, float] = {}
        self.logged_into: list[object] = []

    def _has(self, verb: str) -> None:
        if verb in self.lacks:
            raise ScopeError(f"no such thing as {verb}")

    def _do(self, verb: str, *details: object, takes_s: float = 0.0) -> None:
        self._has(verb)
        self.done.append((self.time, verb, *details))
        self.time += takes_s

    def verbs(self) -> list[str]:
        return [verb for _, verb, *_ in self.done]

    def log_commands(self, path):
        self.logged_into.append(path)

    def recall_s(self, name):
        return self.notes.get(name)

    def remember_s(self, name, seconds):
        self.notes[name] = seconds

    def dewars_filling(self):
        self._has("dewars_filling")
        return max((kind for first, last, kind in self.fills if first <= self.time < last), default=0)

    def next_dewar_fill_s(self):
        self._has("next_dewar_fill_s")
        return None if self.next_fill is None else max(0.0, self.next_fill - self.time)

    def fill_stage_dewar(self):
        self._do("fill_stage_dewar", takes_s=100.0)

    def fill_transfer_dewar(self):
        self._do("fill_transfer_dewar", takes_s=100.0)

    def valves_open(self):
        self._has("valves_open")
        return self.valves

    def open_valves(self):
        self._do("open_valves")
        if self.time < self.valves_stuck_until:
            raise ScopeError("the pressure is too high")
        self.valves = True

    def flash_advised(self, hot):
        self._has("flash_advised")
        return self.advised[hot]

    def hours_since_flash(self):
        self._has("hours_since_flash")
        return (self.time - self.last_flash) / 3600

    def flash_gun(self, hot):
        self._do("flash_gun", hot, takes_s=60.0)
        self.advised[hot] = False

    def has_energy_filter(self):
        self._has("has_energy_filter")
        return True

    def refine_slit(self, shift_um):
        self._do("refine_slit", shift_um, takes_s=12.0)

    def beam_radius_um(self):
        return 0.6
