"""The page on exports speaks of what there is."""

import re
from pathlib import Path

import pytest

from pacetomo.cli import main
from pacetomo.export import PROGRAMS
from pacetomo.export import relion5 as relion

PAGE = Path(__file__).parents[3] / "docs" / "exports.md"


def test_every_program_and_option_stands_in_the_page(capsys):
    text = PAGE.read_text(encoding="utf-8")
    with pytest.raises(SystemExit):
        main(["export", "--help"])
    options = set(re.findall(r"--[a-z-]+", capsys.readouterr().out)) - {"--help"}
    assert {
        name for name in (*options, *(f"`{program}`" for program in PROGRAMS)) if name not in text
    } == set()


def test_every_label_of_relion_stands_in_the_page():
    text = PAGE.read_text(encoding="utf-8")
    tables = Path(relion.__file__).read_text(encoding="utf-8")
    labels = set(re.findall(r'"(rln\w+)"', tables))
    assert len(labels) > 20
    silent = {"rlnTomoTiltSeriesStarFile", "rlnOpticsGroupName", "rlnTomoXTilt"}
    assert {label for label in labels - silent if label not in text} == set()
