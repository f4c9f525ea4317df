"""Graphs, which nobody looks at: only the arrays to be drawn are checked."""

from __future__ import annotations

from mock_serialem.commands import command
from mock_serialem.errors import CommandError
from mock_serialem.handlers.variables import number_array
from mock_serialem.session import Session


@command("GraphValuesInArrays")
def graph_values(session: Session, kind: int, *arrays: str) -> None:
    """Draw arrays against the first one; all must have as many elements."""
    lengths = {len(number_array(session, name)) for name in arrays if name}
    if len(lengths) > 1:
        raise CommandError("The arrays for a graph do not have the same length")


@command("SetGraphAxisLabel", "SetGraphKeyLabel")
def set_label(session: Session, text: str) -> None:
    """Label of an axis or a curve of the next graph."""


@command("SetGraphTypes", "SetGraphColumns", "SetGraphSymbols")
def set_numbers(session: Session, *numbers: int) -> None:
    """Choices for the curves of the next graph."""


@command("SetGraphOptions")
def set_options(session: Session, *options: str) -> None:
    """Options of the next graph."""


@command("CloseAllGraphs")
def close_graphs(session: Session) -> None:
    """Close all graphs."""
