"""What is written about each exposure: the mark before it, its outcome in the journal, and its metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

from pacetomo import ctf
from pacetomo.annotation import Annotations, Seen
from pacetomo.books import Books
from pacetomo.errors import ScopeError
from pacetomo.frames import ORIGIN, XY
from pacetomo.plan import Exposure
from pacetomo.scope.protocol import CtfFit, FitOrMissing, Level, Microscope
from pacetomo.taking import Taken, Taking
from pacetomo.tiling import tiles_left_out
from pacetomo.tracking import Aim, Region


class Comparison(NamedTuple):
    """What was expected of an image, and what it has shown.

    `region` is where an alignment should have found the target, None for its centre within the uncertainty of the
    `aim`; `wanted_um` the defocus aimed for; `found_um` where the target was seen from its aim, None when that is not
    known; `believed` whether the model took that up; `fit` the fitted CTF, None where none was wanted.
    """

    aim: Aim
    region: Optional[Region]  # noqa: UP045 - evaluated at run time on Python 3.9
    wanted_um: float
    found_um: Optional[XY]  # noqa: UP045
    believed: bool
    fit: Optional[FitOrMissing]  # noqa: UP045

    @property
    def sigma_defocus_um(self) -> float:
        """Standard deviation of a measured defocus about the wanted one."""
        known = self.expected.sigma_defocus_um
        return self.aim.sigma_rise_um if known is None else known

    @property
    def expected(self) -> Region:
        """Where the target should have been found."""
        return self.region or Region(ORIGIN, self.aim.sigma_um)

    def sentence(self, target: int, tilt_deg: float) -> str:
        """One line for the log: measured values with what was expected of them."""
        centre, sigma, _ = self.expected
        x, y = (f"{round(1000 * c)} ± {round(1000 * s)}" for c, s in zip(centre, sigma))
        if self.found_um is None:
            text = f"not aligned (expected x {x}, y {y} nm)"
        else:
            x_nm, y_nm = (round(1000 * value) for value in self.found_um)
            text = f"x {x_nm:+d} (expected {x}), y {y_nm:+d} (expected {y}) nm"
            if not self.believed:
                text += ", not believed"
        if isinstance(self.fit, CtfFit):
            wanted = f"{self.wanted_um:.2f} ± {self.sigma_defocus_um:.2f}"
            text += f", defocus {self.fit.defocus_um:.2f} (wanted {wanted}) µm"
        return f"Target {target} at {tilt_deg:g}°: {text}"


class Chronicle:
    """Writes about exposures; nothing here can lose an image.

    Parameters
    ----------
    scope, books, taking
        Where metadata go, where events go, and how images are taken.
    annotations : Annotations
        Makes the metadata beside a CTF fit.
    """

    def __init__(self, scope: Microscope, books: Books, taking: Taking, annotations: Annotations) -> None:
        self._scope = scope
        self._books = books
        self._taking = taking
        self._annotations = annotations
        self._told: dict[int, tuple[Exposure, bool]] = {}

    def annotate(self, exposure: Exposure, seen: Seen, fit: FitOrMissing | None = None) -> None:
        """Write what is known of the image beside it; failing to do so loses no image.

        A defocus that the fit tells comes before that of `seen`.
        """
        seen = seen._replace(place_um=seen.place_um.plus(self._taking.travelled_um(exposure)))
        if isinstance(fit, CtfFit):
            seen = seen._replace(defocus=ctf.measured(fit) or seen.defocus)
        entries = self._annotations.of(exposure.target, seen)
        if isinstance(fit, CtfFit):
            entries.update(ctf.metadata(fit))
        try:
            if entries:
                self._scope.annotate(entries)
        except ScopeError as err:
            self._books.warn(f"metadata of the image could not be completed ({err})", exposure)

    def expose(self, exposure: Exposure, aim: Aim, focus_um: float, frames: str) -> None:
        """Mark an exposure before it is made, so that what died in between can be compared.

        `frames` is the base name of its frames.
        """
        self._books.note(
            "expose",
            **_where(exposure),
            shift_um=list(aim.shift_um),
            focus_um=focus_um,
            rise_um=aim.rise_um,
            present=self._books.present(),
            sigma_nm=[aim.sigma_um.x * 1000, aim.sigma_um.y * 1000],
            frames=frames,
        )

    def exposed(
        self,
        exposure: Exposure,
        focus_um: float,
        taken: Taken,
        compared: Comparison,
        before_e_per_a2: float,
        beside_e_per_a2: float | None,
        tiles: list[dict[str, Any]],
    ) -> None:
        """Write down what has come out of an exposure, and tell it in a line."""
        expected, residual_um = compared.expected, compared.found_um
        known = self._books.branch(exposure)
        rest = self._taking.montage(exposure.target).tiles[1:]
        of_tiles = {"tiles": tiles, "tiles_left_out": tiles_left_out(rest, tiles)} if rest else {}
        self._books.note(
            "exposed",
            **_where(exposure),
            **of_tiles,
            section=taken.section,
            residual_nm=None if residual_um is None else [residual_um.x * 1000, residual_um.y * 1000],
            accepted=residual_um is not None,
            believed=compared.believed,
            expected_nm=list(expected.centre_um.scaled(1000)),
            sigma_nm=list(expected.sigma_um.scaled(1000)),
            shift_um=list(known.shift_um),
            z0_um=known.z0_um,
            focus_um=focus_um,
            wanted_um=compared.wanted_um,
            sigma_defocus_um=compared.sigma_defocus_um,
            **ctf.journal_entries(compared.fit),
            mean_counts=taken.shot.mean_counts,
            dose_e_per_a2=taken.shot.dose_e_per_a2,
            prior_dose_e_per_a2=before_e_per_a2,
            neighbour_dose_e_per_a2=beside_e_per_a2,
        )
        self._scope.tell(compared.sentence(exposure.target, exposure.tilt_deg), Level.DETAIL)
        self._told[exposure.target] = (exposure, compared.believed)

    def tilt_done(self, believed: Mapping[int, bool]) -> None:
        """Write down which alignments of the tilt that is over are judged otherwise after all, by target."""
        for target, (exposure, told) in self._told.items():
            now = believed.get(target, told)
            if now is not told:
                is_or_not = "is" if now else "is not"
                self._scope.tell(
                    f"Target {target} at {exposure.tilt_deg:g}°: its alignment {is_or_not} believed after all",
                    Level.DETAIL,
                )
                self._books.note("judged", **_where(exposure), believed=now)
        self._told = {}


def _where(exposure: Exposure) -> dict[str, object]:
    return {
        "number": exposure.number,
        "target": exposure.target,
        "tilt_deg": exposure.tilt_deg,
        "branch": exposure.branch.value,
    }
