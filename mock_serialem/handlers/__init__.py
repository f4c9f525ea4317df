"""The commands, by topic: each function is registered under the command it carries out."""

from __future__ import annotations

import importlib

TOPICS = (
    "alignment",
    "areas",
    "beam",
    "buffers",
    "camera",
    "column",
    "ctf",
    "dialogs",
    "files",
    "fittings",
    "focus",
    "frames",
    "graphs",
    "holes",
    "housekeeping",
    "image_shift",
    "log",
    "matrices",
    "montage",
    "navigator",
    "navigator_acquire",
    "navigator_change",
    "navigator_move",
    "processing",
    "next_shot",
    "program",
    "squares",
    "stage",
    "states",
    "subscripts",
    "text_files",
    "transforms",
    "ui",
    "variables",
)


def register_all() -> None:
    """Import every topic, which registers its commands."""
    for topic in TOPICS:
        importlib.import_module(f"mock_serialem.handlers.{topic}")
