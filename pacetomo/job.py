"""Everything known about an area before the microscope moves: targets, settings, plan, files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from pacetomo.area_files import AreaFiles
from pacetomo.dosing import Dosing
from pacetomo.errors import TargetFileError
from pacetomo.frames import XY, Matrix2
from pacetomo.geometry import SamplePlane
from pacetomo.montage import Montage, montage_of, series_files
from pacetomo.pattern import filled, without_foreign_references
from pacetomo.plan import Estimate, Exposure, Prices, estimate, make_plan, spread_defocus_um
from pacetomo.policies import Policies
from pacetomo.schemes import Branch, TiltStop, level_start_deg, make_scheme
from pacetomo.settings import ResolvedSettings
from pacetomo.settings_table import Settings
from pacetomo.targets import Target, TargetSet

NOMINAL_STAGE_TO_SPECIMEN = Matrix2(-1.0, 0.0, 0.0, -1.0)
"""The stage's axes taken for the specimen's, with the usual opposite sign; for use without a microscope."""


@dataclass(frozen=True)
class Job:
    """One area to acquire.

    Attributes
    ----------
    files : AreaFiles
        Where things are kept.
    targets : TargetSet
        All with specimen coordinates, relative to the tracking target.
    resolved : ResolvedSettings
        Settings in force and where they came from.
    measured_plane : SamplePlane or None
        The sample plane as measured for this run, in place of the settings' pretilt and rotation.
    """

    files: AreaFiles
    targets: TargetSet
    resolved: ResolvedSettings
    measured_plane: SamplePlane | None = None

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self.resolved.settings

    @property
    def policies(self) -> Policies:
        """What is done about each kind of trouble."""
        return self.resolved.policies

    @cached_property
    def active(self) -> tuple[Target, ...]:
        """Targets to image, the tracking target first."""
        return tuple(target for target in self.targets.targets if not target.skip)

    @cached_property
    def plane(self) -> SamplePlane:
        """The sample plane: as measured, or as pretilt and rotation describe it."""
        return self.measured_plane or SamplePlane(self.settings.pretilt, self.settings.rotation)

    def with_plane(self, plane: SamplePlane) -> Job:
        """Return the job for a sample plane as measured; places and, with autoStartTilt, tilts follow from it."""
        return replace(self, measured_plane=plane)

    @cached_property
    def untilted_um(self) -> dict[int, XY]:
        """Each target's place in the untilted specimen frame, relative to the tracking target (µm)."""
        origin = self.targets.tracking.shift_um or XY(0.0, 0.0)
        places = {}
        for target in self.targets.targets:
            relative = (target.shift_um or origin).minus(origin)
            places[target.number] = self.plane.untilted(relative, self.settings.tiltTargets)
        return places

    @cached_property
    def start_tilt_deg(self) -> float:
        """Stage tilt at which every series starts."""
        wanted = self.settings
        if not wanted.autoStartTilt:
            return wanted.startTilt
        return level_start_deg(self.plane.slopes().y, wanted.minTilt, wanted.maxTilt, wanted.step)

    @cached_property
    def stops(self) -> tuple[TiltStop, ...]:
        """Tilts in order of acquisition."""
        wanted = self.settings
        scheme = make_scheme(
            wanted.scheme,
            self.start_tilt_deg,
            wanted.minTilt,
            wanted.maxTilt,
            wanted.step,
            wanted.groupSize,
            wanted.alternateTo,
        )
        return scheme.stops()

    @cached_property
    def plan(self) -> tuple[Exposure, ...]:
        """All exposures in order."""
        return make_plan(self.stops, [target.number for target in self.active])

    @cached_property
    def wanted_defocus_um(self) -> dict[int, float]:
        """Defocus wanted for each target (µm, underfocus negative): its own, or its share of the range.

        In place of its share the tracking target has `trackDefocus`, if that is given.
        """
        wanted = self.settings
        shares = spread_defocus_um(len(self.active), wanted.minDefocus, wanted.maxDefocus, wanted.stepDefocus)
        shares[0] = wanted.trackDefocus or shares[0]
        return {
            target.number: share if target.defocus_um is None else target.defocus_um
            for target, share in zip(self.active, shares)
        }

    @property
    def second_branch(self) -> Branch:
        """The branch that is begun last; UP when there is only one."""
        begun = [stop.branch for stop in self.stops if stop.branch is not Branch.START]
        return list(dict.fromkeys(begun))[-1] if begun else Branch.UP

    @property
    def first_direction(self) -> float:
        """+1.0 when the first tilt after the start goes up, else -1.0."""
        return 1.0 if len(self.stops) < 2 or self.stops[1].branch is Branch.UP else -1.0

    def prices(self) -> Prices:
        """Usual prices of what the settings ask for."""
        usual = Prices()
        fits = self.settings.doCtfPlotter or self.settings.doCtfFind
        return replace(usual, exposure_s=usual.exposure_s + usual.ctf_s) if fits else usual

    def estimate(self, prices: Prices | None = None) -> Estimate:
        """Images, dose and time of the plan, at the usual prices or others."""
        prices = prices or self.prices()
        times = self.dosing(prices.record_s, prices.dose_per_s).seconds
        return estimate(self.plan, prices, times, self.tiles)

    def montage(self, target: int) -> Montage:
        """Tiles of a target."""
        return montage_of(self.settings, target == self.targets.tracking.number)

    def tiles(self, exposure: Exposure) -> int:
        """Images that an exposure takes."""
        return len(self.montage(exposure.target).tiles)

    def stacks(self, target: Target) -> tuple[str, ...]:
        """Names of all stacks of a target, the one that is aligned first."""
        return series_files(target, self.settings, target is self.targets.tracking)

    def dosing(self, record_s: float, dose_per_s: float | None = None) -> Dosing:
        """Exposure times, for Record's exposure (s) and dose rate (e/Å²/s, None for not known) as they are."""
        return Dosing(self.settings, self.stops, self.targets.tracking.number, record_s, dose_per_s)

    def start_reference(self, target: int) -> Path | None:
        """Preview reference to align the first image of a target to; None for none."""
        name = self.targets.numbered(target).reference
        if self.settings.noZeroRecAli or name is None:
            return None
        path = self.files.folder / name
        return path if path.is_file() else None

    def farthest_shift_um(self, target: int) -> tuple[float, float]:
        """Largest distance (µm) from the tracking target at which a target is seen, and the tilt (degrees) of it."""
        place = self.untilted_um[target]
        return max((self.plane.seen(place, stop.tilt_deg).length, stop.tilt_deg) for stop in self.stops)


def make_job(
    files: AreaFiles, targets: TargetSet, resolved: ResolvedSettings, stage_to_specimen: Matrix2
) -> Job:
    """Job with specimen coordinates for all targets.

    `stage_to_specimen` serves targets that have stage coordinates only.

    Raises
    ------
    TargetFileError
        When a target has no coordinates or file names that can be used, or none is left to image.
    """
    if resolved.settings.tgtPattern:
        targets = filled(targets)
        if files.is_copy:
            targets = without_foreign_references(targets, files.root)
    for text in targets.problems():
        raise TargetFileError(f"{files.target_file.name}: {text}")
    return Job(files, targets.resolved_shifts(stage_to_specimen, resolved.settings.tiltTargets), resolved)
