"""The scripts that users paste into SerialEM, found wherever the package is installed."""

from __future__ import annotations

from pathlib import Path

from pacetomo.errors import PaceError

_HERE = Path(__file__).resolve().parent


def script_folder() -> Path:
    """Folder of the scripts: inside the installed package, or beside it in a checkout.

    Raises
    ------
    PaceError
        When neither is there.
    """
    for folder in (_HERE / "_scripts", _HERE.parent / "scripts"):
        if (folder / "acquire.py").is_file():
            return folder
    raise PaceError(f"the scripts are missing from the installation at {_HERE}: install pacetomo again")


def script_names() -> list[str]:
    """Names of the scripts, without ending."""
    return sorted(path.stem for path in script_folder().glob("*.py"))


def script_path(name: str) -> Path:
    """Path of a script by its name.

    Raises
    ------
    PaceError
        When there is none of that name.
    """
    names = script_names()
    if name not in names:
        raise PaceError(f"there is no script {name!r}; there are: {', '.join(names)}")
    return script_folder() / f"{name}.py"
