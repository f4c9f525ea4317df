"""What stands in the beam's way: one narrow view of either sample.

Both fidelities use it, at a few places of the field (kinematic) or over a coarse raster of it (rendered).
"""

from __future__ import annotations

from typing import Protocol

from mock_serialem.sim.features import Layer, Site
from mock_serialem.sim.fiducials import Fiducials
from mock_serialem.sim.holey import HoleyMatter, holey_layers
from mock_serialem.sim.lamella import LamellaMatter, lamella_layers
from mock_serialem.sim.pose import Floats
from mock_serialem.sim.sample import HoleySpec, LamellaSpec, SampleSpec


class Matter(Protocol):
    """Mass along the beam.

    Coordinates u, v (um) are those of the sheet of `site`; `beam` is (du/dw, dv/dw, path per w) of the beam in it.
    `grain_um` is how finely the mass must be sampled.
    """

    grain_um: float

    def path_um(self, site: Site, u_um: Floats, v_um: Floats, beam: tuple[float, float, float]) -> Floats:
        """Path (um) through ice, or what absorbs as much."""
        ...

    def detail(self, site: Site, u_um: Floats, v_um: Floats) -> Floats:
        """Amount of structure to align on: 1 plenty, 0 none."""
        ...


def make_matter(spec: SampleSpec, seed: int) -> tuple[Matter, list[Layer]]:
    """Matter and structure of a specification; TypeError for an unknown kind."""
    placed: list[Layer] = [Fiducials(spec.fiducials_um)] if spec.fiducials_um else []
    if isinstance(spec, LamellaSpec):
        return LamellaMatter(spec), [*lamella_layers(spec, seed), *placed]
    if isinstance(spec, HoleySpec):
        holey = HoleyMatter(spec, seed)
        return holey, [*holey_layers(spec, holey, seed), *placed]
    raise TypeError(f"no matter known for a sample of type {type(spec).__name__}")
