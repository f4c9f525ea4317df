"""What the document would acquire: exposures, dose, time, and what speaks against it. Pure but for looking at files.

`summarise` is fast enough for every keystroke; `findings` looks at files and beams and is for a worker thread.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pacetomo.editor import drawing
from pacetomo.editor.model import Document
from pacetomo.job import Job
from pacetomo.overlap import Overlap, find_overlaps
from pacetomo.pace import describe_left
from pacetomo.preflight import find_problems
from pacetomo.preflight_facts import doses_by_tilt
from pacetomo.problem import Problem
from pacetomo.scope.protocol import Missing
from pacetomo.targets import Target


@dataclass(frozen=True)
class Summary:
    """The plan in figures.

    Attributes
    ----------
    targets, tilts : int
        To be imaged, and tilts of each series.
    tilts_deg : tuple of float
        In order of acquisition.
    exposures, images : int
        Of all targets; images with all tiles of montages.
    dose_e_per_a2 : dict of int to float
        Dose of the whole series, by target, at a usual dose rate.
    total_s : float
        Time of the whole area, set-up included.
    warnings : tuple of str
        Settings without effect, one sentence each.
    missing : str or None
        Why there is no plan; the figures are then 0.
    """

    targets: int = 0
    tilts: int = 0
    tilts_deg: tuple[float, ...] = ()
    exposures: int = 0
    images: int = 0
    dose_e_per_a2: Mapping[int, float] = field(default_factory=dict)
    total_s: float = 0.0
    warnings: tuple[str, ...] = ()
    missing: str | None = None

    def describe(self) -> str:
        """One line for people."""
        if self.missing is not None:
            return self.missing
        tiles = f" ({self.images} images with all tiles)" if self.images > self.exposures else ""
        doses = sorted({round(dose) for dose in self.dose_e_per_a2.values()})
        dose = f"{doses[0]}" if len(doses) == 1 else f"{doses[0]} to {doses[-1]}"
        time = describe_left(self.total_s).replace(" left", "")
        return (
            f"{self.targets} targets x {self.tilts} tilts = {self.exposures} exposures{tiles}, "
            f"{dose} e/Å² per target, {time}"
        )


def summarise(document: Document) -> Summary:
    """Figures of the plan; with the reason in `missing` where settings or targets allow none."""
    job = document.job
    if isinstance(job, Missing):
        return Summary(missing=job.reason)
    first, *others = _representatives(job)
    one = _only(job, first).estimate()
    two = _only(job, first, *others).estimate() if others else one
    more = len(job.active) - 1  # each target but the first adds what the second one does
    prices = job.prices()
    dosing = job.dosing(prices.record_s, prices.dose_per_s)
    tracking = job.targets.tracking.number
    doses = {target.number: dosing.series_dose(target.number) or 0.0 for target in (first, *others)}
    usual = doses[others[0].number] if others else doses[first.number]
    return Summary(
        targets=len(job.active),
        tilts=len(job.stops),
        tilts_deg=tuple(stop.tilt_deg for stop in job.stops),
        exposures=one.exposures + more * (two.exposures - one.exposures),
        images=one.images + more * (two.images - one.images),
        dose_e_per_a2={t.number: doses[tracking] if t.number == tracking else usual for t in job.active},
        total_s=one.total_s + more * (two.total_s - one.total_s),
        warnings=job.resolved.warnings,
    )


def _representatives(job: Job) -> list[Target]:
    """The tracking target, whose exposures may be its own, and one that stands for all others."""
    tracking = job.targets.tracking.number
    return [
        *(t for t in job.active if t.number == tracking),
        *(t for t in job.active if t.number != tracking),
    ][:2]


def _only(job: Job, *targets: Target) -> Job:
    """The same job for these targets, of which the tracking target stays what it is."""
    kept = {target.number for target in targets}
    left = tuple(replace(t, skip=t.skip or t.number not in kept) for t in job.targets.targets)
    return replace(job, targets=replace(job.targets, targets=left))


@dataclass(frozen=True)
class Findings:
    """What a look at files and beams has found.

    Attributes
    ----------
    problems : tuple of Problem
        Worst first.
    overlaps : tuple of Overlap
        Beams that reach other targets, the one with the largest dose first.
    """

    problems: tuple[Problem, ...] = ()
    overlaps: tuple[Overlap, ...] = ()


def findings(document: Document) -> Findings:
    """What speaks against acquiring the document as it is, and which beams overlap. For a worker thread."""
    job = document.job
    if isinstance(job, Missing):
        return Findings((Problem(True, job.reason, "nothing can be acquired before that is put right"),))
    problems = find_problems(job, document.known.facts, goes_on=document.lock is not None)
    return Findings(tuple(problems), overlaps_of(document))


def overlaps_of(document: Document) -> tuple[Overlap, ...]:
    """Beams that reach other targets at any tilt of the plan, the one with the largest dose first.

    Beam and field are those of the microscope, or the usual ones of `pacetomo.editor.drawing`.
    """
    job = document.job
    if isinstance(job, Missing):
        return ()
    places = {target.number: job.untilted_um[target.number] for target in job.active}
    field, beam = drawing.record_field(document), drawing.beam_um(document)
    return tuple(find_overlaps(places, job.plane, doses_by_tilt(job), beam, field))
