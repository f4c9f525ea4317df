"""Correcting the vectors of a pattern where it is: the grid lies otherwise at each stage position."""

from __future__ import annotations

from dataclasses import replace

from pacetomo.finding import hole_limit_um
from pacetomo.frames import XY
from pacetomo.job import Job
from pacetomo.looking import Looking
from pacetomo.notes import Notes
from pacetomo.pattern import Index, Lattice, moved_along, read_lattice, refit, way_out
from pacetomo.scope.protocol import Microscope


class Refining:
    """Measures the vectors of a job's pattern by View images of its farthest holes.

    The tracking target's hole has been centred. Along each vector its neighbour comes first, then holes ever twice as
    far, each looked for where the measurements so far expect it: so the error never reaches half a hole's distance,
    at which the next hole would be taken for the right one.

    Parameters
    ----------
    scope, job, looking, notes
        Where, what, how, and who is told.
    """

    def __init__(self, scope: Microscope, job: Job, looking: Looking, notes: Notes) -> None:
        self._scope = scope
        self._job = job
        self._looking = looking
        self._notes = notes
        self._tilt_deg = scope.tilt_deg()

    def refined(self, track_shift: XY, look_um: float) -> Job:
        """The job with vectors, targets and geometry points as measured; as it was, where nothing could be.

        Parameters
        ----------
        track_shift : XY
            Specimen shift (µm) that centres the tracking target.
        look_um : float
            Focus for the View images.
        """
        job, plane = self._job, self._job.plane
        lattice = read_lattice(job.targets)
        if lattice is None:
            return job
        self._notes.step("refine_vectors", "Refining the vectors of the pattern")
        picked_at_deg = job.settings.tiltTargets
        flat = lattice.mapped(lambda vector: plane.untilted(vector, picked_at_deg))
        now = flat
        seen: list[tuple[Index, XY]] = []
        indices = [flat.nearest(job.untilted_um[target.number]) for target in job.active]
        for axis in (0, 1):
            for index in way_out(indices, axis):
                shift = self._look(index, now, track_shift, look_um)
                if shift is None:
                    break  # farther out it would be a guess
                seen.append((index, plane.untilted(shift.minus(track_shift), self._tilt_deg)))
                now = refit(flat, seen)
        if not seen:
            self._notes.warn("the vectors of the pattern could not be refined and stay as they are")
            return job
        new = now.mapped(lambda vector: plane.seen(vector, picked_at_deg))
        self._tell(lattice, new, len(seen))
        return replace(job, targets=moved_along(job.targets, lattice, new))

    def _look(self, index: Index, lattice: Lattice, track_shift: XY, look_um: float) -> XY | None:
        """Specimen shift (µm) that centres a hole; None if it is out of reach or not to be found."""
        expected = track_shift.plus(self._job.plane.seen(lattice.at(index), self._tilt_deg))
        if not self._scope.aim(expected, look_um, compensate_beam_tilt=False):
            self._notes.warn(
                f"hole ({index[0]}, {index[1]}) of the pattern needs an image shift of {expected.length:.1f} µm, "
                "beyond the limit: the vectors are refined without it"
            )
            return None
        offset = self._looking.compare_with_hole(None, hole_limit_um(self._job, self._tilt_deg))
        return expected.plus(offset) if isinstance(offset, XY) else None

    def _tell(self, old: Lattice, new: Lattice, holes: int) -> None:
        parts = [
            f"{name} ({before.x:.3f}, {before.y:.3f}) -> ({after.x:.3f}, {after.y:.3f}) µm"
            for name, before, after in zip(("vecA", "vecB"), old, new)
        ]
        self._notes.step(
            "vectors",
            f"Vectors refined with {holes} holes: {', '.join(parts)}",
            before_um=[list(vector) for vector in old],
            after_um=[list(vector) for vector in new],
        )
