"""Finding the holes of a film, and Navigator points at them."""

from __future__ import annotations

from mock_serialem.commands import command
from mock_serialem.errors import CommandError
from mock_serialem.session import Session


@command("ReportHoleFinderParams")
def report_params(session: Session) -> tuple[float, float, float, float]:
    """Diameter, spacing (µm), hexagonal or not, largest error (µm)."""
    finder = session.hole_finder
    return finder.diameter_um, finder.spacing_um, float(finder.hexagonal), finder.max_error_um


@command("SetHoleFinderParams")
def set_params(
    session: Session,
    diameter: float,
    spacing: float,
    hexagonal: int,
    max_error: float | None = None,
    sigmas: str = "",
    thresholds: str = "",
    exclude: int = 0,
) -> None:
    """What holes to look for; how the image is filtered does not matter, because no image is searched."""
    if not 0.0 < diameter < spacing:
        raise CommandError(f"Holes of {diameter:g} microns cannot be spaced by {spacing:g} microns")
    finder = session.hole_finder
    finder.diameter_um, finder.spacing_um, finder.hexagonal = diameter, spacing, bool(hexagonal)
    if max_error is not None and max_error > 0.0:
        finder.max_error_um = max_error


@command("FindHoles")
def find_holes(session: Session, buffer: str = "A", sigmas: str = "", thresholds: str = "") -> None:
    """Find the holes in an image."""
    number = session.hole_finder.find(session, session.buffers.get(buffer))
    session.log.add(f"Found {number} holes")


@command("MakeNavPointsAtHoles")
def make_points(
    session: Session,
    layout: int = -1,
    low_mean: float = 0.0,
    high_mean: float = 0.0,
    low_sd: float = 0.0,
    high_sd: float = 0.0,
    black: float = 0.0,
    edge: int = 0,
) -> None:
    """Add a group of points marked Acquire at the holes; all have sound ice, so none is left out for its brightness."""
    navigator, finder = session.navigator, session.hole_finder
    navigator.require_open()
    if not finder.stage_um:
        raise CommandError("No holes have been found")
    group = navigator.unique_id()
    for x, y in finder.stage_um:
        navigator.add_point(x, y, finder.stage_z_um, acquire=True, group=group, drawn_on=finder.map_id)


@command("ClearHoleFinder")
def clear_finder(session: Session) -> None:
    """Forget the holes that were found."""
    session.hole_finder.stage_um = []
