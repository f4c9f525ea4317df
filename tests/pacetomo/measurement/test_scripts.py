"""The scripts themselves, run as SerialEM runs them."""

from __future__ import annotations

import pytest
from measuring_stage import AtAnArea, Measuring, make_world

from mock_serialem.answers import Operator, Rule
from mock_serialem.script_window import ScriptWindow
from mock_serialem.sim.sample import LamellaSpec
from pacetomo.files.target_file import read_targets
from pacetomo.scripts import script_path


@pytest.fixture(autouse=True)
def no_display(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)


def changed(folder, name, **settings):
    """A copy of a script with values in its settings block."""
    lines = "".join(f"    {setting}={value!r},\n" for setting, value in settings.items())
    path = folder / f"{name}.py"
    path.write_text(script_path(name).read_text(encoding="ascii").replace("_here(\n", f"_here(\n{lines}"))
    return path


def test_the_geometry_is_measured_and_written_by_the_script_that_users_paste(tmp_path):
    operator = Operator(
        rules=[Rule("ThreeChoiceBox", "at which points", (1.0,)), Rule("YesNoBox", "Write pretilt", (True,))]
    )
    sample = LamellaSpec(pretilt_deg=-13.0, rotation_deg=0.0, curvature_um=(0.0, 0.0))
    measuring = AtAnArea(tmp_path, make_world(sample=sample, seed=1), operator, pretilt=9)
    measuring.add_group()
    result = ScriptWindow(measuring.session).run(script_path("measureGeometry"))
    assert result.ok, result.log
    overrides = {item.name: float(item.value) for item in read_targets(measuring.file).overrides}
    assert overrides["pretilt"] == pytest.approx(-13.0, abs=1.5)
    assert (tmp_path / "lamella_geometry.png").is_file()
    assert [line for line in result.log if "the sign of pretilt is mistaken" in line]


def test_the_offset_is_measured_and_set_by_the_script(tmp_path):
    measuring = Measuring(tmp_path, make_world(seed=1, measured_axis_offset_um=3.0))
    script = changed(tmp_path, "measureOffset", increment=7.5, passes=2, apply=True)
    result = ScriptWindow(measuring.session).run(script)
    assert result.ok, result.log
    assert measuring.session.axis_offset_um == pytest.approx(1.3, abs=0.5)
    assert (tmp_path / "tilt_axis_offset.png").is_file()


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("measureGeometry", {}, "ERROR: the Navigator is not open"),
        (
            "measureOffset",
            {"maxtilt": 20},
            "ERROR: script: there is no setting 'maxtilt'; did you mean maxTilt?",
        ),
        ("measureOffset", {"settings_file": "lost.toml"}, "lost.toml: the settings cannot be read"),
    ],
)
def test_a_refusal_is_one_line_of_the_log_and_no_traceback(tmp_path, name, settings, said):
    measuring = Measuring(tmp_path, make_world(seed=1))
    result = ScriptWindow(measuring.session).run(changed(tmp_path, name, **settings))
    assert not result.ok
    assert [line for line in result.log if said in line]
    assert not [line for line in result.log if "Traceback" in line]
    assert measuring.world.exposures == 0
