"""What choosing the targets has cost them: the dose of their reference images, by those images' metadata."""

from __future__ import annotations

from pathlib import Path

from pacetomo.errors import MetadataError
from pacetomo.files.atomic import Wait
from pacetomo.files.exchange import mdoc_of
from pacetomo.files.mdoc import read_mdoc
from pacetomo.job import Job


def selection_doses(job: Job, wait: Wait | None = None) -> tuple[dict[int, float], list[str]]:
    """Dose (e/Å²) of each target of a job by number, and why that of a reference is not known.

    A Preview has exposed its own target, a View all of the area. A reference without metadata counts nothing.
    """
    doses = dict.fromkeys((target.number for target in job.active), 0.0)
    troubles: list[str] = []
    for target in job.active:
        for name, numbers in ((target.reference, [target.number]), (target.view, list(doses))):
            path = None if name is None else mdoc_of(job.files.folder / name)
            dose = 0.0 if path is None or not path.is_file() else _dose(path, wait, troubles)
            for number in numbers:
                doses[number] += dose
    return {number: dose for number, dose in doses.items() if dose > 0}, troubles


def _dose(path: Path, wait: Wait | None, troubles: list[str]) -> float:
    try:
        return sum(image.get_float("ExposureDose") or 0.0 for image in read_mdoc(path, wait).images)
    except MetadataError as err:
        troubles.append(str(err))
        return 0.0
