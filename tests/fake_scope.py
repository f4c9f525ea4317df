"""A scripted microscope for the engine's logic: it does what it is told, remembers it, and fails where asked."""

from __future__ import annotations

from pathlib import Path

from pacetomo.errors import ScopeError
from pacetomo.frames import XY, Calibration, Matrix2
from pacetomo.geometry import height_um, seen_y_um
from pacetomo.scope.protocol import Item, Limits, Missing, Shot


class Stop(Exception):
    """The operator's STOP; not an error of ours, like SerialEM's SEMexited."""


class FakeScope:
    """Points of the sample (x, n0, z0 in µm) by target; the true place of each is exactly what geometry says.

    `fail` maps (verb, target or None, tilt or None) to an exception to raise, or to a value to return.
    `jump_um` is added to every seen position from tilt number `jump_from` on.
    """

    def __init__(
        self, folder: Path, points: dict[int, tuple[float, float, float]], series: dict[Path, int]
    ) -> None:
        self.calls: list[tuple] = []
        self.folder_path = folder
        self.points, self.series = points, series
        self.tilt, self.shift, self.focus, self.time = 0.0, XY(0.0, 0.0), -1.0, 0.0
        self.sections: dict[Path, list[tuple[float, XY]]] = {}
        self.open: Path | None = None
        self.fail: dict[tuple, object] = {}
        self.jump_um = XY(0.0, 0.0)
        self.limit_um = 20.0
        self.counts = 100.0
        self.exposure_s = 1.0
        self.found: tuple | None = None
        self.doses: dict[int, float] = {}
        self.told: list[str] = []
        self.stopped = False

    def _note(self, verb: str, *details: object) -> object:
        if self.stopped:
            raise Stop
        self.time += 1.0
        self.calls.append((verb, *details))
        target = self.series.get(self.open) if self.open is not None else None
        for key in (
            (verb, target, self.tilt),
            (verb, target, None),
            (verb, None, self.tilt),
            (verb, None, None),
        ):
            if key in self.fail:
                outcome = self.fail[key]
                if isinstance(outcome, Exception):
                    self.stopped = isinstance(outcome, Stop)
                    raise outcome
                return outcome
        return None

    def seen_um(self, target: int) -> XY:
        x, n0, z0 = self.points[target]
        return XY(x, seen_y_um(n0, z0, self.tilt)).plus(self.jump_um)

    def height_um(self, target: int) -> float:
        _, n0, z0 = self.points[target]
        return height_um(n0, z0, self.tilt)

    def clock_s(self):
        return self.time

    def wait(self, seconds):
        self._note("wait", seconds)

    def tell(self, text, level=None):
        self.told.append(text)

    def save_log(self, path):
        self._note("save_log", path)

    def show_progress(self, text):
        self.told.append(text)

    def version(self):
        return "fake"

    def folder(self):
        return self.folder_path

    def item(self):
        return Item(1, "1", "area_tgts.txt", XY(0.0, 0.0))

    def limits(self):
        return Limits(self.limit_um, 70.0)

    def calibration(self):
        return Calibration(Matrix2(0.5, 0.0, 0.0, 0.5), Matrix2(-1.0, 0.0, 0.0, -1.0))

    def begin(self, image_shift_limit_um):
        self.limit_um = image_shift_limit_um
        self.found = (self.tilt, self.focus)

    def end(self):
        if self.stopped:
            raise Stop
        if self.found is not None:
            self.tilt, self.focus = self.found
            self.shift, self.open, self.found = XY(0.0, 0.0), None, None
        self.calls.append(("end",))

    def move_to_item(self, item):
        self._note("move_to_item", item.place)

    def tilt_deg(self):
        return self.tilt

    def tilt_to(self, tilt_deg):
        before, self.tilt = self.tilt, tilt_deg
        outcome = None
        try:
            outcome = self._note("tilt_to", tilt_deg)
        except ScopeError:
            self.tilt = before
            raise
        return tilt_deg if outcome is None else outcome

    walk_to = tilt_to

    def find_eucentric_height(self):
        self._note("find_eucentric_height")

    def recentre_stage(self):
        self._note("recentre_stage")
        moved = self.shift
        self.points = {n: (x - moved.x, n0 - moved.y, z0) for n, (x, n0, z0) in self.points.items()}
        self.shift = XY(0.0, 0.0)

    def shift_um(self):
        return self.shift

    def focus_um(self):
        return self.focus

    def aim(self, shift_um, focus_um, compensate_beam_tilt):
        if shift_um.length > self.limit_um:
            return False
        self._note("aim", shift_um, focus_um, compensate_beam_tilt)
        self.shift, self.focus = shift_um, focus_um
        return True

    def set_wanted_defocus(self, defocus_um):
        self._note("set_wanted_defocus", defocus_um)

    def autofocus(self, wanted_um):
        outcome = self._note("autofocus", wanted_um)
        if outcome is not None:
            return outcome
        self.focus = wanted_um - self.height_um(1)
        return self.focus

    def can_compensate_beam_tilt(self):
        return True

    def set_record_exposure(self, seconds):
        self.exposure_s = 1.0 if seconds is None else seconds

    def take(self, area):
        self._note("take", area)
        self.area = area
        return self._shot(None)

    def record(self, frame_name):
        outcome = self._note("record", frame_name)
        self.sections[self.open].append((self.tilt, self.shift, self.seen_um(self.series[self.open])))
        return self._shot(outcome), len(self.sections[self.open]) - 1

    def _shot(self, counts):
        counts = self.counts * self.exposure_s if counts is None else counts
        return Shot(counts, self.exposure_s, 3.0 * self.exposure_s, XY(1.2, 0.9))

    def offset_from_file(self, reference, section, limit_um):
        outcome = self._note("offset_from_file", reference, section, limit_um)
        if outcome is not None:
            return outcome
        if reference in self.series:
            then_shift, then_seen = self.sections[reference][section][1:]
            residual = (
                self.seen_um(self.series[reference]).minus(self.shift).minus(then_seen.minus(then_shift))
            )
            inside = residual.length <= limit_um
            return residual if inside else Missing("no correlation peak")
        target = int(reference.stem.replace("_view", "").rsplit("_", 1)[-1])
        return self.seen_um(target).minus(self.shift)

    def open_series(self, path):
        self.open = path
        self._note("open_series", path)
        return len(self.sections.setdefault(path, []))

    def annotate(self, entries):
        self._note("annotate", dict(entries))

    def close_series(self):
        self.open = None

    def set_prior_dose(self, account, e_per_a2):
        self.doses[account] = e_per_a2
