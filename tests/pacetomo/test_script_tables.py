"""Settings of the scripts beside the acquisition."""

from __future__ import annotations

from pathlib import Path

import pytest

from pacetomo.errors import SettingsError
from pacetomo.script_tables import OffsetSettings, SelectionSettings
from pacetomo.settings import SettingsLayer, read_settings_toml, resolve_settings, resolve_table


def test_one_number_stands_for_a_list_of_one() -> None:
    assert resolve_table(OffsetSettings, SettingsLayer("script", {"offset": 4})).offset == (4.0,)
    assert resolve_table(OffsetSettings, SettingsLayer("script", {"offset": [2, 4, 6]})).offset == (
        2.0,
        4.0,
        6.0,
    )


@pytest.mark.parametrize("value", [[], "far", [1, "x"], 0, [1, 30]])
def test_a_list_that_is_none_is_refused_by_name(value: object) -> None:
    with pytest.raises(SettingsError, match=r"script: offset is .*(needed|0\.5 to 20 µm is allowed)"):
        resolve_table(OffsetSettings, SettingsLayer("script", {"offset": value}))


@pytest.mark.parametrize("value", [(1.0,), (1, 2, 3), "a, b"])
def test_a_vector_has_two_numbers(value: object) -> None:
    with pytest.raises(SettingsError, match="vecA is"):
        resolve_table(SelectionSettings, SettingsLayer("script", {"vecA": value}))


def test_a_mistyped_name_is_refused_with_the_right_one() -> None:
    with pytest.raises(SettingsError, match="'beamdiametre'; did you mean beamDiameter"):
        resolve_table(SelectionSettings, SettingsLayer("script", {"beamdiametre": 2}))


def test_one_file_of_a_facility_serves_all_scripts(tmp_path: Path) -> None:
    file = tmp_path / "facility.toml"
    file.write_text("step = 2\nbeamDiameter = 1.5\noffset = [3, 6]\n[policies]\nfile_held = {retry = 3}\n")
    layer = read_settings_toml(file)
    assert resolve_settings(layer).settings.step == 2
    assert resolve_table(SelectionSettings, layer).beamDiameter == 1.5
    assert resolve_table(OffsetSettings, layer).offset == (3.0, 6.0)


def test_a_script_refuses_the_settings_of_another() -> None:
    with pytest.raises(SettingsError, match="there is no setting 'step'"):
        resolve_table(OffsetSettings, SettingsLayer("script", {"step": 2}))
