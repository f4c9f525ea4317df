"""What is written for each program, byte for byte.

The input: a series sorted by tilt, taken over midnight, with all that this package notes; and a tile as PACEtomo
leaves it, in order of acquisition, with dates of two-digit years and a clock that was put back. After a wanted change,
write the files anew with ``pacetomo export --for PROGRAM golden/input --out golden/PROGRAM`` and read the difference.
"""

import shutil
from pathlib import Path

import pytest

from pacetomo.cli import main
from pacetomo.export import PROGRAMS

GOLDEN = Path(__file__).parent / "golden"


def texts(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes().replace(b"\r\n", b"\n")
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("program", PROGRAMS)
def test_files_are_what_they_were(tmp_path, program):
    shutil.copytree(GOLDEN / "input", tmp_path / "session")
    assert main(["export", "--for", program, str(tmp_path / "session")]) == 0
    written = texts(tmp_path / "session" / f"export_{program}")
    assert written == texts(GOLDEN / program) and len(written) >= 2


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_input_is_not_touched(tmp_path, program):
    shutil.copytree(GOLDEN / "input", tmp_path / "session")
    main(["export", "--for", program, str(tmp_path / "session"), "--out", str(tmp_path / "out")])
    assert texts(tmp_path / "session") == texts(GOLDEN / "input")
