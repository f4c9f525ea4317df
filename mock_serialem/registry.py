"""What is known about the images in files, by file and section."""

from __future__ import annotations

from typing import Any

from mock_serialem.image import Image

Key = tuple[str, int]
"""File as `path_key` writes it, and section; a negative number is a montage, -1 the first."""


class Registry(dict[Key, Image]):
    """Images without their pixels; an entry is replaced or removed, never changed.

    Attributes
    ----------
    changed : set of keys
        Set or removed since this was last emptied.
    """

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.changed: set[Key] = set(self)

    def __setitem__(self, key: Key, image: Image) -> None:
        self.changed.add(key)
        super().__setitem__(key, image)

    def __delitem__(self, key: Key) -> None:
        self.changed.add(key)
        super().__delitem__(key)

    def clear(self) -> None:
        """Remove all."""
        self.changed.update(self)
        super().clear()
