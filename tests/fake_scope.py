"""A scripted microscope for the engine's logic: it does what it is told, remembers it, and fails where asked."""

from __future__ import annotations

import re
from pathlib import Path

from fake_column import FakeColumn

from pacetomo.errors import ScopeError
from pacetomo.frames import ORIGIN, XY, Calibration, Matrix2
from pacetomo.geometry import SamplePlane, height_um, seen_y_um
from pacetomo.scope.facts import Facts
from pacetomo.scope.protocol import Area, CtfFit, Imaging, Item, Limits, Missing, PresentImage, Shot


class Stop(Exception):
    """The operator's STOP; not an error of ours, like SerialEM's SEMexited."""


class FakeScope(FakeColumn):
    """Points of the sample (x, n0, z0 in µm) by target; the true place of each is exactly what geometry says.

    `fail` maps (verb, target or None, tilt or None) to an exception to raise, or to a value to return.
    `jump_um` is added to every seen position from tilt number `jump_from` on.
    """

    def __init__(
        self, folder: Path, points: dict[int, tuple[float, float, float]], series: dict[Path, int]
    ) -> None:
        super().__init__()
        self.calls: list[tuple] = []
        self.folder_path = folder
        self.points, self.series = points, series
        self.tilt, self.shift, self.focus, self.time = 0.0, XY(0.0, 0.0), -1.0, 0.0
        self.sections: dict[Path, list[tuple[float, XY]]] = {}
        self.open: Path | None = None
        self.fail: dict[tuple, object] = {}
        self.jump_um = XY(0.0, 0.0)
        self.limit_um = 20.0
        self.surface: SamplePlane | None = None  # where autofocus measures; None for the height of target 1
        self.focus_place = XY(0.0, 0.0)
        self.axes = Matrix2(0.0, -1.0, 1.0, 0.0)  # the camera's X is the specimen's Y
        self.counts = 100.0
        self.look_dose_e_per_a2 = 0.0
        self.exposures: dict[Area, float | None] = {}
        self.imaging = Imaging()
        self.taken: list[tuple] = []
        self.found: tuple | None = None
        self.doses: dict[int, float] = {}
        self.told: list[str] = []
        self.stage = (10.0, -5.0, 1.0)
        self.present: tuple | None = None
        self.exposed = 0
        self.stopped = False

    def _note(self, verb: str, *details: object) -> object:
        if self.stopped:
            raise Stop
        self.time += 1.0
        self.calls.append((verb, *details))
        target = self._target_of(self.open) if self.open is not None else None
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

    def _target_of(self, path):
        """Target that a stack belongs to; one of first images, or of a tile, belongs to the same."""
        return self.series.get(path.with_name(re.sub(r"(_track|_-?\d+_-?\d+)(?=\.)", "", path.name)))

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
        self.time += seconds

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

    def items_to_come(self):
        return None

    def limits(self):
        return Limits(self.limit_um, 70.0)

    def facts(self):
        return Facts(self.limits())

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

    def watch_commands(self, watchdog):
        self.watchdog = watchdog

    def heed(self, policies, note):
        self.policies = policies

    def end_batch(self):
        self._note("end_batch")

    def low_dose_change(self):
        return self._note("low_dose_change")

    def restore_low_dose(self):
        self._note("restore_low_dose")

    def ask(self, question):
        self.told.append(question)
        return self._note("ask", question)

    def stage_um(self):
        return self.stage

    def move_stage_to(self, stage_um):
        self._note("move_stage_to", stage_um)
        self.stage = tuple(stage_um)

    def present_image(self):
        if self.present is None:
            return None
        return PresentImage(f"image {self.exposed}", self.present[0])

    def load_section(self, path, section):
        self._note("load_section", path, section)
        self.present = self.sections[path][section]

    def close_left_open(self, paths):
        if self.open in paths:
            self.open = None

    def move_to_item(self, item):
        self._note("move_to_item", item.place)

    def realign_to_item(self):
        self._note("realign_to_item")

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

    def aim(self, shift_um, focus_um, compensate_beam_tilt, imaging=None):
        if shift_um.length > self.limit_um:
            return False
        self._note("aim", shift_um, focus_um, compensate_beam_tilt)
        self.shift, self.focus, self.imaging = shift_um, focus_um, imaging or Imaging()
        return True

    def release(self):
        self.imaging = self.imaging._replace(magnification=None)

    def set_wanted_defocus(self, defocus_um):
        self._note("set_wanted_defocus", defocus_um)

    def autofocus(self, wanted_um):
        outcome = self._note("autofocus", wanted_um, self.shift)
        if outcome is not None:
            return outcome
        if self.surface is None:
            self.focus = wanted_um - self.height_um(1)
        else:
            seen = self.shift.plus(self.focus_place)
            place = self.surface.untilted(seen, self.tilt)
            self.focus = wanted_um - height_um(place.y, self.surface.height_um(place), self.tilt)
        return self.focus

    def focus_place_um(self):
        return self.focus_place

    def fit_ctf(self, program, search_um, slope_deg):
        outcome = self._note("fit_ctf", program, search_um, slope_deg)
        if outcome is not None:
            return outcome
        true_um = self.focus + self.height_um(self._target_of(self.open))
        if not search_um[0] <= true_um <= search_um[1]:
            return Missing("no fit in the range of defocus")
        return CtfFit(true_um, 0.02, 30.0, 0.0, 9.0, 0.2)

    def can_compensate_beam_tilt(self):
        return True

    def record_exposure_s(self):
        return 1.0

    def focus_exposure_s(self):
        return 0.5

    def set_exposure(self, area, seconds):
        self.exposures[area] = seconds

    def take(self, area):
        self._note("take", area)
        self.area = area
        self.present = (self.tilt, self.shift, self.shift)
        self.exposed += 1
        return self._shot(None)._replace(dose_e_per_a2=self.look_dose_e_per_a2)

    def record(self, frame_name, floor_per_s=0.0):
        outcome = self._note("record", frame_name)
        self.taken.append((self.open.stem, self.tilt, self.imaging, self.exposure_s, self.focus))
        self.exposed += 1
        self.present = (self.tilt, self.shift, self.seen_um(self._target_of(self.open)))
        shot = self._shot(outcome)
        return shot, None if shot.mean_counts < floor_per_s * shot.exposure_s else self.save_section()

    def save_section(self):
        self.sections[self.open].append(self.present)
        if "_tgt_" in self.open.name:
            self.open.touch()  # whether there is a reference is asked of the folder
        return len(self.sections[self.open]) - 1

    def set_aside(self, path):
        self._note("set_aside", path)

    @property
    def exposure_s(self):
        return self.exposures.get(self.imaging.area) or 1.0

    def _shot(self, counts):
        counts = self.counts * self.exposure_s if counts is None else counts
        field = {Area.VIEW: XY(24.0, 18.0), Area.SEARCH: XY(48.0, 36.0)}.get(self.imaging.area, XY(1.2, 0.9))
        return Shot(counts, self.exposure_s, 3.0 * self.exposure_s, field)

    def picture(self, longest_px):
        return Missing("there are no images here")

    def saved_picture(self, path, section, longest_px):
        return Missing("there are no images here")

    def offset_from_file(self, reference, section, limit_um, centre_um=ORIGIN):
        outcome = self._note("offset_from_file", reference, section, limit_um, centre_um)
        if outcome is not None:
            return outcome
        if self._target_of(reference) is not None:
            then_shift, then_seen = self.sections[reference][section][1:]
            residual = (
                self.seen_um(self._target_of(reference)).minus(self.shift).minus(then_seen.minus(then_shift))
            )
            inside = residual.minus(centre_um).length <= limit_um
            return residual if inside else Missing("no correlation peak")
        target = int(reference.stem.replace("_view", "").rsplit("_", 1)[-1])
        return self.seen_um(target).minus(self.shift)

    def camera_axes(self):
        self._note("camera_axes")
        return self.axes

    def hole_field_um(self):
        outcome = self._note("hole_field_um")
        return XY(20.0, 15.0) if outcome is None else outcome

    def offset_from_hole(self, limit_um):
        """All holes look alike: the one nearest to the centre is found. Each point of the sample is a hole."""
        outcome = self._note("offset_from_hole", limit_um)
        if outcome is not None:
            return outcome
        nearest = min(
            (self.seen_um(number).minus(self.shift) for number in self.points), key=lambda at: at.length
        )
        return nearest if nearest.length <= limit_um else Missing("no correlation peak")

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
