"""What speaks against acquiring an area on this microscope as it is now: calibrations, files, beam."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PureWindowsPath

from pacetomo.errors import PaceError
from pacetomo.files.stack import read_header
from pacetomo.frames import XY
from pacetomo.job import Job
from pacetomo.overlap import Field, Overlap, find_overlaps
from pacetomo.plan import Exposure, Prices
from pacetomo.problem import Problem, listed
from pacetomo.scope.facts import Facts

NOTICED_DOSE = 0.01
"""Share of a series' dose that a neighbour's beam may add without being told."""

SIZE_TOLERANCE = 0.1
"""A reference whose field differs by more than this share from Record's was taken at another magnification."""

SMALLEST_IMAGE = 100
"""Columns of the smallest image that a camera takes; smaller ones stand for images in rehearsals without them."""


def microscope_problems(job: Job, facts: Facts) -> Iterator[Problem]:
    """Problems of an area on a microscope of which this is known."""
    yield from _calibrations(job, facts)
    yield from _files(facts)
    yield from _frames(facts)
    yield from _reference_sizes(job, facts)
    if facts.beam_um is not None and facts.field_um is not None:
        yield from _beams(job, facts, facts.beam_um, Field(facts.field_um, facts.field_rotation_deg))


def _calibrations(job: Job, facts: Facts) -> Iterator[Problem]:
    if facts.axis_offset_um == 0.0:
        yield Problem(
            False,
            "the tilt axis offset is not set (0 µm)",
            "measure it and set it in SerialEM (Tasks - Eucentricity - Set Tilt Axis Offset); without it all targets "
            "move and change focus more than they must",
        )
    if facts.is_coma_calibrated is False and job.settings.beamTiltComp:
        yield Problem(
            False,
            "beam tilt against image shift is not calibrated, so beamTiltComp has no effect",
            "calibrate Coma vs. Image Shift in SerialEM, or expect coma at large image shifts",
        )


def _files(facts: Facts) -> Iterator[Problem]:
    if facts.writes_mdoc is False:
        yield Problem(
            True,
            "SerialEM writes no metadata files (.mdoc)",
            "switch on 'Save metadata in .mdoc file' in File - Properties of the new file dialog",
        )
    if facts.is_mrc is False:
        yield Problem(True, "SerialEM's type of new files is not MRC", "choose MRC as file type in SerialEM")


def _frames(facts: Facts) -> Iterator[Problem]:
    if facts.saves_frames is False:
        yield Problem(
            False,
            "Record does not save frames",
            "switch on dose fractionation and saving of frames for Record if you want them",
        )
    elif facts.saves_frames and facts.frame_folder == "":
        yield Problem(False, "no folder for frames is set", "set it in SerialEM's camera setup (Set Folder)")
    elif facts.saves_frames and facts.frame_folder and not _is_absolute(facts.frame_folder):
        yield Problem(
            False,
            f"the folder for frames is {facts.frame_folder!r}, no whole path",
            "set it in SerialEM's camera setup (Set Folder), with the drive",
        )


def _is_absolute(folder: str) -> bool:
    return folder.startswith("/") or PureWindowsPath(folder).is_absolute()


def _reference_sizes(job: Job, facts: Facts) -> Iterator[Problem]:
    """Preview references that cannot be read, or show another field than Record's."""
    unreadable, other = [], []
    for target in job.active:
        path = None if target.reference is None else job.files.folder / target.reference
        if path is None or not path.is_file() or path.stat().st_size == 0:
            continue  # told elsewhere
        try:
            header = read_header(path)
        except PaceError:
            unreadable.append(f"{target.number} ({path.name})")
            continue
        if header.columns < SMALLEST_IMAGE:
            continue
        width_um = header.columns * header.pixel_size_angstrom / 10000
        if facts.field_um is None or width_um <= 0:
            continue
        if abs(width_um / facts.field_um.x - 1) > SIZE_TOLERANCE:
            other.append(f"{target.number} ({width_um:.2f} µm)")
    if unreadable:
        yield Problem(
            False,
            f"the Preview reference cannot be read of target {listed(unreadable)}",
            "take it again, or the coordinates in the target file are used as they are",
        )
    if other and facts.field_um is not None:
        yield Problem(
            False,
            f"the Preview reference does not show what Record does ({facts.field_um.x:.2f} µm) for target "
            f"{listed(other)}",
            "take it again at the magnification of Record; alignment between magnifications fails",
        )


def _beams(job: Job, facts: Facts, beam_um: float, field: Field) -> Iterator[Problem]:
    """Beams that reach other targets, and a Focus area that lies on Record."""
    overlaps = _overlaps(job, beam_um, field)
    series_dose = sum(dose for _, dose in doses_by_tilt(job))
    noticed = [o for o in overlaps if o.dose_e_per_a2 > NOTICED_DOSE * series_dose]
    if noticed:
        worst = noticed[0]
        yield Problem(
            False,
            f"the beam ({beam_um:.2f} µm) on target {worst.by} exposes {worst.share:.0%} of target {worst.target} "
            f"({worst.area_um2:.2f} µm²) at {worst.tilt_deg:g}° and adds {worst.dose_e_per_a2:.0f} e/Å² over the "
            f"series; {len(noticed)} such pairs: "
            + listed([f"{o.by} on {o.target} (+{o.dose_e_per_a2:.0f} e/Å²)" for o in noticed], most=6),
            "move or skip targets across the tilt axis, or make the beam smaller",
        )
    reach_um = (beam_um + field.size_um.x) / 2
    wants_focus = job.settings.addAF or job.settings.offTargetAF != "never"
    if facts.focus_axis_um is not None and abs(facts.focus_axis_um) < reach_um:
        yield Problem(
            False,
            f"the Focus area is {abs(facts.focus_axis_um):.2f} µm from Record, its beam reaches the tracking target"
            + (" at each autofocus of the series" if wants_focus else " at the autofocus before the series"),
            f"move it to at least {reach_um:.1f} µm along the tilt axis in SerialEM's Low Dose Control",
        )
    touched = _under_focus(job, facts.focus_axis_um or 0.0, reach_um) if facts.focus_axis_um else []
    if touched:
        yield Problem(
            False,
            f"the Focus area is {facts.focus_axis_um:.2f} µm from the tracking target along the tilt axis, its beam "
            f"reaches target {listed(touched)}"
            + (" at each change of branch" if job.settings.addAF else " at the autofocus before the series"),
            "turn its offset round or choose another one in SerialEM's Low Dose Control",
        )


def _under_focus(job: Job, focus_axis_um: float, reach_um: float) -> list[str]:
    """Targets beside the tracking target that the Focus area's beam reaches, and at which tilt first."""
    stops = job.stops if job.settings.addAF else job.stops[:1]
    found = []
    for target in job.active:
        if target.number == job.targets.tracking.number:
            continue
        place = job.untilted_um[target.number]
        for stop in stops:
            if job.plane.seen(place, stop.tilt_deg).minus(XY(focus_axis_um, 0.0)).length < reach_um:
                found.append(f"{target.number} (at {stop.tilt_deg:g}°)")
                break
    return found


def _overlaps(job: Job, beam_um: float, field: Field) -> list[Overlap]:
    places = {target.number: job.untilted_um[target.number] for target in job.active}
    return find_overlaps(places, job.plane, doses_by_tilt(job), beam_um, field)


def doses_by_tilt(job: Job) -> list[tuple[float, float]]:
    """Tilt (degrees) and usual dose (e/Å²) of each image of a series, in order of acquisition."""
    prices = Prices()
    times = job.dosing(prices.record_s, prices.dose_per_s)
    doses = []
    for number, stop in enumerate(job.stops):
        seconds = times.seconds(Exposure(0, number, 0, stop.tilt_deg, stop.branch))
        doses.append((stop.tilt_deg, prices.dose_per_s * (prices.record_s if seconds is None else seconds)))
    return doses
