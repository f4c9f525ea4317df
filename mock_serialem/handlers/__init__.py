"""The commands, by topic: each function is registered under the command it carries out."""

from __future__ import annotations

import importlib

TOPICS = (
    "alignment",
    "areas",
    "buffers",
    "camera",
    "column",
    "ctf",
    "files",
    "fittings",
    "focus",
    "frames",
    "housekeeping",
    "image_shift",
    "log",
    "matrices",
    "navigator",
    "navigator_change",
    "navigator_move",
    "processing",
    "program",
    "stage",
    "text_files",
    "ui",
    "variables",
)


def register_all() -> None:
    """Import every topic, which registers its commands."""
    for topic in TOPICS:
        importlib.import_module(f"mock_serialem.handlers.{topic}")
