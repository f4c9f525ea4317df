"""Parallel cryo-ET tilt series in SerialEM: prediction, tracking, recovery, metadata."""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"
__all__ = [
    "__version__",
    "acquire_here",
    "measure_geometry_here",
    "measure_offset_here",
    "select_targets_here",
    "targets_from_montage_here",
]


def acquire_here(settings_file: str | None = None, **settings: Any) -> None:
    """Acquire the area of the Navigator item in progress; see `pacetomo.acquire.acquire_here`."""
    # Imported late: looking up the version must not load NumPy.
    from pacetomo.acquire import acquire_here as acquire

    acquire(settings_file, **settings)


def measure_geometry_here(settings_file: str | None = None, **settings: Any) -> None:
    """Measure pretilt and rotation of the sample; see `pacetomo.measurement.geometry.measure_geometry_here`."""
    from pacetomo.measurement.geometry import measure_geometry_here as measure

    measure(settings_file, **settings)


def measure_offset_here(settings_file: str | None = None, **settings: Any) -> None:
    """Measure the tilt axis offset; see `pacetomo.measurement.offset.measure_offset_here`."""
    from pacetomo.measurement.offset import measure_offset_here as measure

    measure(settings_file, **settings)


def select_targets_here(settings_file: str | None = None, **settings: Any) -> None:
    """Choose the targets of an area; see `pacetomo.selection.session.select_targets_here`."""
    from pacetomo.selection.session import select_targets_here as select

    select(settings_file, **settings)


def targets_from_montage_here(settings_file: str | None = None, **settings: Any) -> None:
    """Make targets of points on a map; see `pacetomo.selection.virtual_maps.targets_from_montage_here`."""
    from pacetomo.selection.virtual_maps import targets_from_montage_here as make_targets

    make_targets(settings_file, **settings)
