"""CTF fits of a run and what they are used for, on a scripted microscope."""

import json
import math

import pytest
from fake_scope import FakeScope
from hypothesis import given
from hypothesis import strategies as st

from pacetomo.acquire import acquire_area
from pacetomo.ctf import TRIES
from pacetomo.defocus import reshaped
from pacetomo.errors import ScopeError
from pacetomo.files.run_file import read_run
from pacetomo.frames import XY
from pacetomo.geometry import SamplePlane, height_um, seen_y_um
from pacetomo.sample_geometry import HeightPoint, fit_surface
from pacetomo.scope.protocol import CtfFit, CtfProgram, Missing
from pacetomo.tracking import SingleTargetModel, Start

TRUE = SamplePlane(-12.0, 20.0)
PLACES = {
    n: XY(3.0 * i, 3.0 * j)
    for n, (i, j) in enumerate(
        [(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, -1), (1, -1), (-1, 1)], 1
    )
}


def bend(place):
    return 0.012 * place.x**2 - 0.02 * place.y**2


def make_scope(folder, height=TRUE.height_um, start_deg=0.0):
    lines = []
    for number, place in PLACES.items():
        lines += [f"_tgt = {number:03d}", f"tsfile = area_ts_{number:03d}.mrc"]
        lines += [f"SSX = {place.x}", f"SSY = {place.y}", ""]
    (folder / "area_tgts.txt").write_text("\n".join(lines))
    points = {n: (p.x, p.y, height(p)) for n, p in PLACES.items()}
    return FakeScope(folder, points, {folder / f"area_ts_{n:03d}.mrc": n for n in points})


def acquire(scope, **settings):
    given_ = {"minTilt": -6, "maxTilt": 6, "previewAli": False, "tracker": "single", **settings}
    return acquire_area(scope, scope.item(), None, given_)


def journal(scope, event):
    path = scope.folder_path / "area_tgts_run01.jsonl"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if event == line["event"]]


def errors_um(scope, wanted_um=-5.0):
    """True less wanted defocus of each image but those at the start tilt."""
    found = []
    for line in journal(scope, "exposed"):
        scope.tilt = line["tilt_deg"]
        if line["branch"] != "start":
            found.append(line["focus_um"] + scope.height_um(line["target"]) - wanted_um)
    return found


def first_residuals_nm(scope):
    lines = journal(scope, "exposed")
    return [line["residual_nm"][1] for line in lines if abs(line["tilt_deg"]) == 3 and line["target"] > 1]


def test_defocus_goes_into_journal_metadata_and_to_the_model(tmp_path):
    scope = make_scope(tmp_path)
    acquire(scope, pretilt=-12, rotation=20, zeroDefocus=-7)
    lines = journal(scope, "exposed")
    for line in lines:
        wanted = -7.0 if line["branch"] == "start" else -5.0
        assert line["ctf_defocus_um"] == pytest.approx(wanted, abs=0.01)
    written = [call[1] for call in scope.calls if call[0] == "annotate"]
    assert len(written) == len(lines) == 45
    assert [float(entry["CtfDefocus"]) for entry in written] == pytest.approx(
        [line["ctf_defocus_um"] for line in lines], abs=1e-4
    )


def test_the_model_is_told_how_far_each_target_has_risen(tmp_path, monkeypatch):
    """A sample 0.5 µm nearer to the source than focused for has a defocus 0.5 µm less negative."""
    seen, risen = [], {}
    real, real_aim = SingleTargetModel.observe, SingleTargetModel.aim

    def aim(self, target, tilt_deg, branch):
        found = real_aim(self, target, tilt_deg, branch)
        risen[target, tilt_deg] = found.rise_um
        return found

    monkeypatch.setattr(SingleTargetModel, "aim", aim)
    monkeypatch.setattr(
        SingleTargetModel, "observe", lambda self, what: (seen.append(what), real(self, what))[1]
    )
    scope = make_scope(tmp_path)
    scope.fail["fit_ctf", 2, 3] = Missing("no rings")
    scope.autofocus = lambda wanted_um: setattr(scope, "focus", wanted_um + 0.5) or scope.focus
    acquire(scope, pretilt=-12, rotation=20, zeroDefocus=-7)
    for what in seen:
        if (what.target, what.tilt_deg) == (2, 3):
            assert what.rise_um is None
        else:
            expected_um = risen[what.target, what.tilt_deg]
            assert what.rise_um == pytest.approx(expected_um + 0.5, abs=0.01)
    assert max(map(abs, risen.values())) > 0.3


def test_the_program_is_told_range_and_slope(tmp_path):
    scope = make_scope(tmp_path)
    acquire(scope, pretilt=-12, minTilt=0, maxTilt=3)
    for call in scope.calls:
        if call[0] == "fit_ctf":
            assert call[1:] == (CtfProgram.CTFPLOTTER, (-10.0, -0.2), pytest.approx(-12.0))


@pytest.mark.parametrize(
    "fault", [Missing("no rings"), CtfFit(0.0, 0, 0, 0, 9, 0.2), ScopeError("timed out")]
)
def test_a_failed_fit_is_no_value_for_that_image_alone(tmp_path, fault):
    scope = make_scope(tmp_path)
    scope.fail["fit_ctf", 2, 3] = fault
    acquire(scope, pretilt=-12, rotation=20)
    lines = journal(scope, "exposed")
    assert len(lines) == 45
    for line, call in zip(lines, [call for call in scope.calls if call[0] == "annotate"]):
        if (line["target"], line["tilt_deg"]) == (2, 3):
            assert line["ctf_defocus_um"] is None and line["ctf_missing"]
            assert not any(key.startswith("Ctf") for key in call[1])
        else:
            assert line["ctf_defocus_um"] == pytest.approx(-5.0, abs=0.01)


def test_no_program_at_all_costs_one_call_and_one_warning(tmp_path):
    scope = make_scope(tmp_path)
    scope.fail["fit_ctf", None, None] = ScopeError("Ctfplotter is not installed")
    acquire(scope)
    assert len([call for call in scope.calls if call[0] == "fit_ctf"]) == 1
    assert sum("Ctfplotter" in text for text in scope.told) == 1
    assert len(journal(scope, "exposed")) == 45


def test_a_program_that_finds_nothing_is_left_alone_soon(tmp_path):
    scope = make_scope(tmp_path)
    scope.fail["fit_ctf", None, None] = Missing("status 1")
    acquire(scope)
    assert len([call for call in scope.calls if call[0] == "fit_ctf"]) == TRIES


@pytest.mark.parametrize("start_deg", [0, 12])
@pytest.mark.parametrize("pretilt", [12, 0])
def test_a_wrong_pretilt_is_put_right_before_the_first_tilt(tmp_path, start_deg, pretilt):
    scope = make_scope(tmp_path)
    tilts = {"startTilt": start_deg, "minTilt": start_deg - 6, "maxTilt": start_deg + 6}
    acquire(scope, pretilt=pretilt, rotation=20, refineGeo=True, alignLimit=2, parabolTh=1000, **tilts)
    step = next(step for step in journal(scope, "step") if step["name"] == "refine_geo")
    if start_deg == 0:  # targets were found where they are
        assert (step["pretilt_deg"], step["rotation_deg"]) == pytest.approx((-12.0, 20.0), abs=0.05)
        assert max(map(abs, errors_um(scope))) < 0.01
        assert max(map(abs, first_residuals_nm(scope))) < 2
        header = read_run(tmp_path / "area_tgts_run01.txt").state.header
        assert header.pretilt_deg == pytest.approx(-12.0, abs=0.05)
        assert {t["target"]: t["z0_um"] for t in step["targets"]} == pytest.approx(
            {number: TRUE.height_um(place) for number, place in PLACES.items()}, abs=0.01
        )
    else:  # and aimed at beside them, but the focus follows from the fits all the same
        assert max(map(abs, errors_um(scope))) < 0.12


def test_without_refining_the_wrong_pretilt_stays(tmp_path):
    scope = make_scope(tmp_path)
    acquire(scope, pretilt=12, rotation=20, alignLimit=2)
    assert max(map(abs, errors_um(scope))) > 1.0
    assert max(map(abs, first_residuals_nm(scope))) > 50


@pytest.mark.parametrize(("threshold", "largest_um"), [(9, 0.01), (10, 0.4)])
def test_enough_fits_make_a_paraboloid(tmp_path, threshold, largest_um):
    scope = make_scope(tmp_path, lambda place: TRUE.height_um(place) + bend(place))
    acquire(scope, pretilt=-12, rotation=20, refineGeo=True, parabolTh=threshold)
    step = next(step for step in journal(scope, "step") if step["name"] == "refine_geo")
    assert step["paraboloid"] is (threshold == 9)
    assert (max(map(abs, errors_um(scope))) < 0.01) is (threshold == 9)
    assert max(map(abs, errors_um(scope))) < largest_um


def test_failed_and_poor_fits_do_not_count_and_their_targets_are_put_right_too(tmp_path):
    scope = make_scope(tmp_path)
    poor = CtfFit(-8.0, 0.02, 0.0, 0.0, 31.0, 0.1)
    scope.fail.update({("fit_ctf", 3, 0.0): Missing("dark"), ("fit_ctf", 6, 0.0): poor})
    acquire(scope, pretilt=12, rotation=20, refineGeo=True, fitLimit=30)
    step = next(step for step in journal(scope, "step") if step["name"] == "refine_geo")
    assert step["fits"] == 7
    assert max(map(abs, errors_um(scope))) < 0.01


def test_too_few_fits_change_nothing_and_say_so(tmp_path):
    scope = make_scope(tmp_path)
    for number in range(1, 8):
        scope.fail["fit_ctf", number, 0.0] = Missing("dark")
    acquire(scope, pretilt=-12, rotation=20, refineGeo=True)
    assert any("2 good measurements" in line["text"] for line in journal(scope, "warning"))
    assert max(map(abs, errors_um(scope))) < 0.01


def test_fits_are_made_for_the_geometry_where_no_others_are_wanted(tmp_path):
    scope = make_scope(tmp_path)
    acquire(scope, pretilt=12, rotation=20, refineGeo=True, doCtfPlotter=False)
    assert {call[1] for call in scope.calls if call[0] == "fit_ctf"} == {CtfProgram.CTFFIND}
    assert len([call for call in scope.calls if call[0] == "fit_ctf"]) == 9
    assert max(map(abs, errors_um(scope))) < 0.01


@given(st.floats(-30, 30), st.floats(-60, 60), st.floats(-20, 20), st.floats(-3, 3))
def test_targets_keep_the_place_where_they_are_seen(pretilt, rotation, tilt_deg, constant_um):
    plane = SamplePlane(pretilt, rotation)
    true = {
        n: Start(XY(p.x, seen_y_um(p.y, plane.height_um(p), tilt_deg)), p.y, plane.height_um(p))
        for n, p in PLACES.items()
    }
    points = [
        HeightPoint(start.shift_um, height_um(start.n0_um, start.z0_um, tilt_deg) + constant_um)
        for start in true.values()
    ]
    wrong = {n: start._replace(n0_um=start.n0_um + 1.0, z0_um=3.0) for n, start in true.items()}
    first = true[1]
    wrong[1] = first
    found = reshaped(wrong, 1, fit_surface(points, tilt_deg), dict.fromkeys(PLACES, -5.0))
    for number, start in true.items():
        assert found.starts[number][:3] == (
            start.shift_um,
            pytest.approx(start.n0_um, abs=1e-6),
            pytest.approx(start.z0_um, abs=1e-6),
        )
        seen = seen_y_um(found.starts[number].n0_um, found.starts[number].z0_um, tilt_deg)
        assert seen == pytest.approx(start.shift_um.y)
        rise = height_um(start.n0_um, start.z0_um, tilt_deg)
        assert found.focus_um[number] == pytest.approx(-5.0 - rise - constant_um)
    assert not math.isnan(found.focus_um[1])
