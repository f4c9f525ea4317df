"""Imaging states: named ways to set up the column that a script can go to, and the way back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mock_serialem.areas import go_to_area, set_low_dose
from mock_serialem.sim.profiles import MicroscopeProfile

if TYPE_CHECKING:
    from mock_serialem.session import Session


@dataclass(frozen=True)
class ImagingState:
    """One state.

    Attributes
    ----------
    name : str
    area : str
        Letter of its low-dose area, empty for a state outside low dose.
    mag_index : int
    """

    name: str
    area: str
    mag_index: int


@dataclass(frozen=True)
class ColumnSnapshot:
    """What `restore` goes back to."""

    low_dose: bool
    area: str
    mag_index: int
    spot: int
    intensity: float


def default_states(scope: MicroscopeProfile) -> list[ImagingState]:
    """The states of a usual session: one per low-dose area that looks around, and one for the whole grid."""
    mags = scope.area_mag_index
    lowest = min(mag.index for mag in scope.magnifications)
    return [
        ImagingState("Grid map", "", lowest),
        ImagingState("Search", "S", mags["S"]),
        ImagingState("View", "V", mags["V"]),
        ImagingState("Record", "R", mags["R"]),
    ]


def find_state(session: Session, text: str) -> int:
    """Index from 0 of the state with this name (any case) or number from 1, -1 if there is none."""
    wanted = text.strip().lower()
    for place, state in enumerate(session.imaging_states):
        if state.name.lower() == wanted:
            return place
    if wanted.isdecimal() and 1 <= int(wanted) <= len(session.imaging_states):
        return int(wanted) - 1
    return -1


def remember(session: Session) -> None:
    """Keep the present state for `restore` unless an earlier one is kept already."""
    if session.saved_state is None:
        low_dose, column = session.low_dose, session.column
        session.saved_state = ColumnSnapshot(
            low_dose.on, low_dose.area, session.world.mag_index, column.spot, column.intensity
        )


def go_to_state(session: Session, state: ImagingState) -> None:
    """Bring the column to a state."""
    remember(session)
    set_low_dose(session, bool(state.area))
    if state.area:
        go_to_area(session, state.area)
    else:
        session.world.set_mag_index(state.mag_index)


def restore(session: Session) -> bool:
    """Go back to the state that was kept; tell whether there was one."""
    kept = session.saved_state
    if kept is None:
        return False
    session.saved_state = None
    set_low_dose(session, kept.low_dose)
    if kept.low_dose and kept.area:
        go_to_area(session, kept.area)
    elif not kept.low_dose:
        session.world.set_mag_index(kept.mag_index)
    session.column.spot, session.column.intensity = kept.spot, kept.intensity
    return True
