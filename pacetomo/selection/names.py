"""Names of new areas, which all their files begin with, and labels of their Navigator items."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

from pacetomo.area_files import AreaFiles
from pacetomo.errors import TargetFileError
from pacetomo.files.navigator import LONGEST_LABEL

LONGEST_NAME = 60

# SerialEM takes what begins with $ in notes and file names for a variable; the others Windows does not allow.
_FORBIDDEN = re.compile(r'[<>:"/\\|?*$\s\x00-\x1f\x7f]+')
_LAST_LETTERS = 5


def trouble_with_name(folder: Path, name: str) -> str | None:
    """Tell why a name cannot be that of a new area.

    Parameters
    ----------
    folder : Path
        The session folder.
    name : str
        Beginning of all files of the area.

    Returns
    -------
    str or None
        What is wrong and what to do, for people; None for a name that can be used.
    """
    if not name:
        return "there is no name: type one"
    if not name.isascii():
        return (
            f"{name!r} has letters that SerialEM does not keep: use a to z without accents, digits, - and _"
        )
    if _FORBIDDEN.search(name):
        return f"{name!r} has blanks or signs that file names cannot have: choose a plain name"
    if name[0] in "-.":
        return f"{name!r} begins with {name[0]!r}: begin with a letter or a digit"
    if len(name) > LONGEST_NAME:
        return f"{name[:20]}... has more than {LONGEST_NAME} characters: choose a shorter name"
    taken = _file_of(folder, name)
    if taken is None:
        return None
    if _is_target_file_of(taken, name):
        return f"{taken} is there already: choose another name, or change it with pacetomo edit {taken}"
    return f"there are files of {name} already ({taken}): choose another name"


def free_name(folder: Path, wish: str) -> str:
    """Return a name for a new area that is as near to a text as names can be.

    Letters lose their accents, other signs become ``_``; where files of that name are there already, it gets ``_2``,
    ``_3`` ... appended.
    """
    bare = "".join(sign for sign in unicodedata.normalize("NFKD", wish) if not unicodedata.combining(sign))
    plain = _FORBIDDEN.sub("_", re.sub(r"[^\x00-\x7f]+", "_", bare))
    root = plain.lstrip("-._").rstrip("._")[:LONGEST_NAME] or "montage"
    name, number = root, 1
    while _file_of(folder, name) is not None:
        number += 1
        ending = f"_{number}"
        name = root[: LONGEST_NAME - len(ending)] + ending
    return name


def label(root: str, number: int, kind: str = "tgt") -> str:
    """Return the label of a target's Navigator item, which has no more characters than the table keeps.

    Long names keep their end, in which those of areas of one sample differ.

    >>> label("lam_1", 2), label("lamella_01", 2), label("lamella_02", 2, "view")
    ('lam_1_tgt_002', 'lamla_01_tgt_002', 'lala_02_view_002')
    """
    ending = f"_{kind}_{number:03d}"
    room = LONGEST_LABEL - len(ending)
    if len(root) > room:
        root = root[: room - _LAST_LETTERS] + root[-_LAST_LETTERS:]
    return root + ending


def _file_of(folder: Path, root: str) -> str | None:
    """Name of a file of an area that is there, however it is capitalised: Windows makes no difference."""
    beginnings = tuple(f"{root}_{kind}".lower() for kind in ("tgts", "tgt_", "ts_"))
    found = sorted(
        path.name
        for path in folder.iterdir()
        if path.name.lower().startswith(beginnings) or _is_target_file_of(path.name, root)
    )
    return next((name for name in found if _is_target_file_of(name, root)), found[0] if found else None)


def _is_target_file_of(file_name: str, root: str) -> bool:
    """Whether a file has the targets of an area; those of a copy, ``lam_tgts_p01.txt``, are of ``lam_p01``."""
    try:
        return AreaFiles(Path(file_name)).root.lower() == root.lower()
    except TargetFileError:
        return False
