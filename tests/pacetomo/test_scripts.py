import ast
import re

import pytest

from pacetomo.errors import PaceError
from pacetomo.script_tables import GeometrySettings, MontageTargetSettings, OffsetSettings, SelectionSettings
from pacetomo.scripts import script_names, script_path
from pacetomo.settings_table import SETTING_ROWS, rows_of

TABLES = {
    "acquire": SETTING_ROWS,
    "selectTargets": rows_of(SelectionSettings),
    "targetsFromMontage": rows_of(MontageTargetSettings),
    "measureGeometry": rows_of(GeometrySettings),
    "measureOffset": rows_of(OffsetSettings),
}


@pytest.mark.parametrize("script", TABLES)
def test_the_settings_block_names_every_setting_with_its_default(script):
    text = script_path(script).read_text(encoding="utf-8")
    named = dict(re.findall(r"(\w+)=(\([^)]*\)|\"[^\"]*\"|[^,\s]+)", text))
    named.pop("settings_file")
    named.pop("policies", None)
    rows = TABLES[script]
    assert set(named) == set(rows)
    for name, row in rows.items():
        value = ast.literal_eval(named[name])
        given = (value,) if isinstance(row.default, tuple) and not isinstance(value, tuple) else value
        assert given == row.default, name


@pytest.mark.parametrize("name", script_names())
def test_scripts_are_what_serialem_takes(name):
    """Plain ASCII without backslashes, the interpreter line first, directives without a blank."""
    text = script_path(name).read_text(encoding="ascii")
    assert text.startswith("#!Python\n#ScriptName ") and "\\" not in text and "print(" not in text


def test_every_script_has_a_table_of_settings():
    assert set(TABLES) == set(script_names())


def test_other_names_are_refused():
    with pytest.raises(PaceError, match="acquire"):
        script_path("fly")
