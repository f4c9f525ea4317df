"""What the microscope needs now and then during a run: dewars, valves, the gun, the energy filter."""

from __future__ import annotations

from pacetomo.books import Books
from pacetomo.scope.protocol import Microscope
from pacetomo.settings_table import Settings


class Upkeep:
    """Looks after the column between images.

    Parameters
    ----------
    scope, settings, books
        What is looked after, how, and who is told.
    """

    def __init__(self, scope: Microscope, settings: Settings, books: Books) -> None:
        self._scope = scope
        self._settings = settings
        self._books = books

    def before_tilt(self) -> None:
        """Do what is due before the stage tilts; image shift and focus may be changed by it."""

    def before_image(self) -> None:
        """Wait until an image can be taken; nothing may be moved here."""
