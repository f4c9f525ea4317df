import json
import math
import re

import pytest
from fake_scope import FakeScope, Stop

from pacetomo.acquire import acquire_area, acquire_here, make_model
from pacetomo.errors import (
    ImageNotSavedError,
    PaceError,
    ScopeError,
    SettingsError,
    TargetFileError,
)
from pacetomo.files.run_file import read_run
from pacetomo.geometry import SamplePlane, height_um
from pacetomo.schemes import Branch
from pacetomo.scope.protocol import Missing

SETTINGS = {"minTilt": -6, "maxTilt": 6, "previewAli": True, "tracker": "single"}
POINTS = {1: (0.0, 0.0, 0.0), 2: (3.0, 2.0, 0.0), 3: (-2.0, -4.0, 0.0)}
ORDER = [0, 3, 6, -3, -6]


@pytest.fixture
def scope(tmp_path):
    lines = []
    for number, (x, n0, _) in POINTS.items():
        lines += [
            f"_tgt = {number:03d}",
            f"tgtfile = area_tgt_{number:03d}.mrc",
            f"tsfile = area_ts_{number:03d}.mrc",
        ]
        lines += [f"SSX = {x}", f"SSY = {n0}", "skip = False", ""]
        (tmp_path / f"area_tgt_{number:03d}.mrc").write_bytes(b"")
    (tmp_path / "area_tgts.txt").write_text("\n".join(lines))
    return FakeScope(tmp_path, dict(POINTS), {tmp_path / f"area_ts_{n:03d}.mrc": n for n in POINTS})


def acquire(scope, **settings):
    return acquire_area(scope, scope.item(), None, {**SETTINGS, **settings})


def journal(scope, event=None):
    path = scope.folder_path / "area_tgts_run01.jsonl"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if event in (None, line["event"])]


def tilts_of(scope, number):
    return [tilt for tilt, *_ in scope.sections[scope.folder_path / f"area_ts_{number:03d}.mrc"]]


def test_every_target_is_imaged_once_at_every_tilt_in_order(scope):
    acquire(scope)
    assert {number: tilts_of(scope, number) for number in POINTS} == dict.fromkeys(POINTS, ORDER)
    exposed = [(line["tilt_deg"], line["target"]) for line in journal(scope, "exposed")]
    assert exposed == [(tilt, number) for tilt in ORDER for number in (1, 2, 3)]


def test_targets_are_centred_when_geometry_is_known(scope):
    scope.points = {1: (0.0, 0.0, 0.0), 2: (3.0, 2.0, 0.3526), 3: (-2.0, -4.0, -0.7053)}
    acquire(scope, pretilt=10)
    for number in POINTS:
        for _, shift, seen in scope.sections[scope.folder_path / f"area_ts_{number:03d}.mrc"]:
            assert shift == pytest.approx(seen, abs=1e-3)


def test_a_pretilt_of_the_wrong_sign_shows(scope):
    scope.points = {1: (0.0, 0.0, 0.0), 2: (3.0, 2.0, 0.3526), 3: (-2.0, -4.0, -0.7053)}
    acquire(scope, pretilt=-10)
    first_step = [line for line in journal(scope, "exposed") if line["tilt_deg"] == 3 and line["target"] == 2]
    assert abs(first_step[0]["residual_nm"][1]) > 30


def test_focus_follows_the_height_of_each_target(scope):
    scope.points = {1: (0.0, 0.0, 0.0), 2: (3.0, 2.0, 0.3526), 3: (-2.0, -4.0, -0.7053)}
    acquire(scope, pretilt=10, minDefocus=-3, maxDefocus=-4, stepDefocus=0.5)
    wanted = {1: -3.0, 2: -3.5, 3: -4.0}
    for line in journal(scope, "exposed"):
        scope.tilt = line["tilt_deg"]
        assert line["focus_um"] + scope.height_um(line["target"]) == pytest.approx(
            wanted[line["target"]], abs=2e-3
        )


def test_the_image_is_marked_before_it_is_taken(scope):
    acquire(scope)
    assert [call[0] for call in scope.calls].count("record") == 15
    events = [line["event"] for line in journal(scope) if line["event"] in ("expose", "exposed")]
    assert events == ["expose", "exposed"] * 15


def test_an_image_is_in_the_run_file_before_anything_else_is_done_with_it(scope, monkeypatch):
    def known(reference, *rest):
        if "_ts_" in reference.name:
            state = read_run(scope.folder_path / "area_tgts_run01.txt").state
            number = scope.series[reference]
            assert state.numbered(number).sections == len(scope.sections[reference])
        return real(reference, *rest)

    real = scope.offset_from_file
    monkeypatch.setattr(scope, "offset_from_file", known)
    acquire(scope)


def test_a_failure_after_saving_costs_no_image(scope):
    scope.fail["offset_from_file", 2, 3] = ScopeError("the correlation crashed")
    acquire(scope)
    state = read_run(scope.folder_path / "area_tgts_run01.txt").state
    assert state.numbered(2).sections == len(tilts_of(scope, 2)) == 4
    assert state.numbered(2).up.dose_e_per_a2 == pytest.approx(12.0)


def test_an_image_that_cannot_be_saved_has_cost_its_dose(scope):
    scope.fail["record", 2, 3] = ImageNotSavedError("disk full", 3.0)
    acquire(scope)
    prior = [line["prior_dose_e_per_a2"] for line in journal(scope, "exposed") if line["target"] == 2]
    assert prior == pytest.approx([0, 6, 9])


def test_images_are_aligned_to_the_previous_one_of_their_branch(scope):
    acquire(scope)
    compared = [call for call in scope.calls if call[0] == "offset_from_file" and "ts_002" in str(call[1])]
    assert [call[2] for call in compared] == [0, 1, 0, 3]  # +3 to 0, +6 to +3, -3 to 0, -6 to -3


def test_the_limit_holds_for_all_but_the_tracking_target(scope):
    acquire(scope, alignLimit=0.3)
    limits = {
        call[1].name[5:11]: call[3]
        for call in scope.calls
        if call[0] == "offset_from_file" and "_ts_" in str(call[1])
    }
    assert limits == {"ts_001": pytest.approx(0.675), "ts_002": 0.3, "ts_003": 0.3}


def test_the_run_file_is_complete_after_each_exposure_and_clean_at_the_end(scope, monkeypatch):
    seen = []
    real = scope.open_series

    def spy(path):
        if (scope.folder_path / "area_tgts_run01.txt").exists():  # made when all targets are found
            seen.append(read_run(scope.folder_path / "area_tgts_run01.txt").state)
        return real(path)

    monkeypatch.setattr(scope, "open_series", spy)
    acquire(scope)
    # There is something to go on with before the first image already.
    assert [sum(t.sections for t in state.targets) for state in seen] == list(range(15))
    assert not seen[0].is_finished
    assert seen[4].position == (1, 0)
    assert seen[7].numbered(2).up.dose_e_per_a2 == pytest.approx(6.0)
    assert read_run(scope.folder_path / "area_tgts_run01.txt").state.is_finished


def test_a_failing_target_ends_on_its_branch_and_nothing_else(scope):
    scope.fail["record", 2, 3] = ScopeError("the camera timed out")
    acquire(scope)
    assert tilts_of(scope, 1) == tilts_of(scope, 3) == ORDER
    assert tilts_of(scope, 2) == [0, -3, -6]
    skipped = journal(scope, "skip")
    assert [(s["target"], s["branch"]) for s in skipped] == [(2, "up")] and "timed out" in skipped[0][
        "reason"
    ]


def test_a_target_beyond_the_limit_is_left_out_from_the_start(scope):
    acquire(scope, imageShiftLimit=4.2)
    assert set(scope.sections) == {scope.folder_path / f"area_ts_{n:03d}.mrc" for n in (1, 2)}
    assert "beyond the limit" in journal(scope, "skip")[0]["reason"]
    assert any("needs an image shift of 4.5 µm" in text for text in scope.told)


def test_a_dark_target_ends_on_its_branch(scope):
    scope.fail["record", 3, 3] = 5.0
    acquire(scope, minCounts=10)
    assert tilts_of(scope, 3) == [0, 3, -3, -6] and tilts_of(scope, 1) == ORDER


def test_a_tilt_that_is_not_reached_ends_the_branch_for_all(scope):
    scope.fail["tilt_to", None, 6] = 4.0
    acquire(scope)
    assert all(tilts_of(scope, number) == [0, 3, -3, -6] for number in POINTS)
    scope.fail.clear()


def test_an_alignment_beyond_the_limit_is_not_used(scope):
    scope.fail["offset_from_file", 2, 3] = Missing("no peak")
    acquire(scope)
    line = next(x for x in journal(scope, "exposed") if x["target"] == 2 and x["tilt_deg"] == 3)
    assert line["residual_nm"] is None and not line["accepted"]
    assert tilts_of(scope, 2) == ORDER


def test_stop_passes_and_what_was_taken_is_known(scope):
    scope.fail["record", 3, 3] = Stop()
    with pytest.raises(Stop):
        acquire(scope)
    end = journal(scope, "run_end")[-1]
    assert (end["state"], end["exposures"]) == ("stopped", 5) and "Stop" in end["text"]
    state = read_run(scope.folder_path / "area_tgts_run01.txt").state
    assert [state.numbered(n).sections for n in (1, 2, 3)] == [2, 2, 1]


def test_the_microscope_is_left_as_it_was(scope):
    scope.tilt, scope.focus = 1.5, -0.7
    acquire(scope)
    assert (scope.tilt, scope.focus, scope.open) == (1.5, -0.7, None)


def test_why_an_area_failed_is_not_hidden_by_a_column_that_cannot_be_put_back(scope, monkeypatch):
    def end():
        raise ScopeError("the stage is stuck")

    monkeypatch.setattr(scope, "end", end)
    scope.fail["move_to_item", None, None] = ScopeError("the item is out of reach")
    with pytest.raises(ScopeError, match="out of reach"):
        acquire(scope)
    assert any("the stage is stuck" in text for text in scope.told)
    assert ("save_log", scope.folder_path / "area.log") in scope.calls


def test_an_area_whose_column_cannot_be_put_back_says_so_in_the_end(scope, monkeypatch):
    def end():
        raise ScopeError("the stage is stuck")

    monkeypatch.setattr(scope, "end", end)
    with pytest.raises(ScopeError, match="the stage is stuck"):
        acquire(scope)
    assert journal(scope, "run_end")[-1]["state"] == "finished"


def test_outside_serialem_a_script_ends_with_one_sentence():
    with pytest.raises(SystemExit, match="ERROR: no module named serialem: start this script from SerialEM"):
        acquire_here()


def test_a_pause_or_upkeep_that_fails_costs_no_image(scope, monkeypatch):
    pause, trouble = scope.wait, []

    def wait(seconds):
        if seconds == 7:
            trouble.append(seconds)
            raise ScopeError("waiting: SerialEM's Delay failed")
        pause(seconds)

    def slit(shift_um):
        trouble.append(shift_um)
        raise ScopeError("refining the slit failed")

    monkeypatch.setattr(scope, "wait", wait)
    monkeypatch.setattr(scope, "recall_s", slit)
    acquire(scope, delayTilt=7, slitInterval=1)
    assert {number: tilts_of(scope, number) for number in POINTS} == dict.fromkeys(POINTS, ORDER)
    assert trouble.count(7) == len(ORDER) - 1 and len(trouble) > len(ORDER)
    assert any("Delay failed" in line["text"] for line in journal(scope, "warning"))


def test_an_earlier_log_is_kept_and_a_log_that_cannot_be_saved_costs_no_area(scope):
    (scope.folder_path / "area.log").write_text("earlier")
    scope.fail["save_log", None, None] = ScopeError("no log window")
    acquire(scope)
    assert [path.read_text() for path in scope.folder_path.glob("area.log*")] == ["earlier"]
    assert journal(scope, "run_end")[-1]["state"] == "finished"
    assert any("no log window" in text for text in scope.told)


def test_an_incomplete_run_keeps_its_state_and_says_so(scope):
    scope.fail["record", 2, 3] = ScopeError("the camera timed out")
    acquire(scope)
    assert not read_run(scope.folder_path / "area_tgts_run01.txt").state.is_finished
    end = journal(scope, "run_end")[-1]
    assert end["state"] == "incomplete" and end["text"].startswith("13 of 15 images")


ENDS = {
    "dark": (("record", 3, 3), 5.0, "finished"),
    "stage stops short": (("tilt_to", None, 6), 4.0, "finished"),
    "stage does not move": (("tilt_to", None, 6), 3.0, "incomplete"),
    "stage is busy": (("tilt_to", None, 6), ScopeError("the stage is busy"), "incomplete"),
    "camera fails": (("record", 3, 3), ScopeError("the camera timed out"), "incomplete"),
}


@pytest.mark.parametrize(("where", "what", "state"), ENDS.values(), ids=ENDS.keys())
def test_only_what_may_be_cured_keeps_a_run_from_being_finished(scope, where, what, state):
    scope.fail[where] = what
    acquire(scope, minCounts=10)
    end = journal(scope, "run_end")[-1]
    assert end["state"] == state and re.match(r"1\d of 15 images", end["text"])
    assert read_run(scope.folder_path / "area_tgts_run01.txt").state.is_finished is (state == "finished")


def test_a_run_without_an_image_has_failed(scope):
    scope.fail["record", None, None] = ScopeError("the camera is off")
    for number in POINTS:
        scope.fail["record", number, None] = ScopeError("the camera is off")
    with pytest.raises(ScopeError, match="not one image"):
        acquire(scope)
    assert journal(scope, "run_end")[-1]["state"] == "failed"


def test_brackets_in_a_name_do_not_hide_an_earlier_run(scope):
    path = scope.folder_path / "L[1]_tgts.txt"
    path.write_text((scope.folder_path / "area_tgts.txt").read_text())
    item = scope.item()._replace(note=path.name)
    acquire_area(scope, item, None, SETTINGS)
    exposed = scope.exposed
    acquire_area(scope, item, None, SETTINGS)
    assert scope.exposed == exposed


def test_after_a_rejected_alignment_the_chain_begins_anew_at_that_image(scope):
    scope.fail["offset_from_file", 2, 3] = Missing("no peak")
    acquire(scope, maxTilt=9, minTilt=0)
    compared = [call[2] for call in scope.calls if call[0] == "offset_from_file" and "ts_002" in str(call[1])]
    assert compared == [0, 1, 2]


def test_the_beam_tilt_is_compensated_if_wanted(scope):
    acquire(scope)
    assert sum(call[0] == "aim" and call[3] for call in scope.calls) == 15
    scope.calls.clear()
    for path in scope.folder_path.glob("*run01*"):
        path.unlink()
    acquire(scope, beamTiltComp=False)
    assert not any(call[0] == "aim" and call[3] for call in scope.calls)


def test_pauses_come_before_each_exposure_and_after_each_tilt(scope):
    acquire(scope, delayIS=0.7, delayTilt=1.1)
    waits = [call[1] for call in scope.calls if call[0] == "wait"]
    assert (waits.count(0.7), waits.count(1.1)) == (15, 4)


# --- setting up


def test_targets_are_found_where_they_are_and_not_where_the_file_says(scope):
    """Every true point differs from the file, the stage is off, and the start tilt is not 0."""
    plane = math.tan(math.radians(10))
    off = {1: (0.0, 0.0), 2: (0.2, -0.15), 3: (-0.1, 0.25)}
    scope.points = {
        n: (x + off[n][0] + 0.4, y + off[n][1] - 0.3, plane * y) for n, (x, y, _) in POINTS.items()
    }
    acquire(scope, startTilt=9, maxTilt=15, minTilt=3, pretilt=10)
    scope.tilt = 9.0
    starts = {line["target"]: line for line in journal(scope, "start")}
    for number, (_, n0, z0) in scope.points.items():
        start = starts[number]
        assert start["shift_um"] == pytest.approx(scope.seen_um(number), abs=1e-6)
        assert start["n0_um"] == pytest.approx(n0, abs=1e-6)
        assert start["z0_um"] == pytest.approx(z0, abs=1e-6)
        # The focus is measured before the tracking target is centred; all follow by their place in the plane.
        there = height_um(POINTS[number][1], z0, 9.0) + SamplePlane(10.0).rise_um(scope.seen_um(1), 9.0)
        assert start["focus_um"] == pytest.approx(-5.0 - scope.height_um(1) - there, abs=1e-6)


def test_references_are_compared_at_raised_underfocus(scope):
    acquire(scope, minDefocus=-2, maxDefocus=-2)
    aims = [call for call in scope.calls if call[0] == "aim"]
    looks = [aims[i][2] for i in range(len(aims)) if not aims[i][3]]
    assert min(looks) == pytest.approx(-5.0)


def test_the_stage_is_moved_when_view_finds_the_area_off(scope):
    path = scope.folder_path / "area_tgts.txt"
    path.write_text(path.read_text().replace("tsfile", "viewfile = area_tgt_001_view.mrc\ntsfile", 1))
    (scope.folder_path / "area_tgt_001_view.mrc").touch()
    scope.points = {n: (x + 1.5, y - 1.2, z) for n, (x, y, z) in POINTS.items()}
    acquire(scope)
    assert [call[0] for call in scope.calls].count("recentre_stage") == 1
    assert journal(scope, "start")[0]["shift_um"] == pytest.approx([0.0, 0.0], abs=1e-6)


@pytest.mark.parametrize(
    ("settings", "approach"),
    [
        ({}, -8.0),
        ({"startTilt": 6, "scheme": "unidirectional"}, 14.0),
        ({"startTilt": 3, "minTilt": 0}, -5.0),
    ],
)
def test_the_start_tilt_is_approached_from_the_side_of_the_first_branch(scope, settings, approach):
    acquire(scope, **settings)
    tilts = [call[1] for call in scope.calls if call[0] == "tilt_to"]
    start = settings.get("startTilt", 0)
    assert tilts[:2] == [approach, start]


def test_a_start_tilt_that_is_not_reached_is_refused(scope):
    scope.fail["tilt_to", None, 3.0] = 1.0
    with pytest.raises(ScopeError, match="start tilt 3"):
        acquire(scope, startTilt=3)
    assert not scope.sections


def test_a_failed_setup_does_not_block_the_next_start_and_keeps_its_journal(scope):
    scope.fail["tilt_to", None, 3.0] = 1.0
    with pytest.raises(ScopeError):
        acquire(scope, startTilt=3)
    scope.fail.clear()
    acquire(scope)
    assert (scope.folder_path / "area_tgts_run02.jsonl").exists()
    assert len(journal(scope, "run_start")) == 1


def test_targets_picked_at_a_tilt_are_found_there(scope):
    plane = math.tan(math.radians(10))
    scope.points = {n: (x, y, plane * y) for n, (x, y, _) in POINTS.items()}
    text = (scope.folder_path / "area_tgts.txt").read_text()
    scope.tilt = 20.0
    for n, (_, y, _z) in POINTS.items():
        text = text.replace(f"SSY = {y}\n", f"SSY = {scope.seen_um(n).y!r}\n")
    scope.tilt = 0.0
    (scope.folder_path / "area_tgts.txt").write_text(text)
    acquire(scope, pretilt=10, tiltTargets=20, previewAli=False)
    for line in journal(scope, "start"):
        assert line["shift_um"] == pytest.approx(scope.points[line["target"]][:2], abs=1e-6)


@pytest.mark.parametrize(
    ("settings", "attribute", "value"),
    [
        ({"dataPoints": 7}, "_data_points", 7),
        ({"ignoreNegStart": False}, "_predict_first_of_second", False),
        ({"taOffsetPos": 1.0, "taOffsetNeg": 2.0}, "_axis_offsets_um", {Branch.UP: -1.0, Branch.DOWN: -2.0}),
        ({"minTilt": 0}, "_second_branch", Branch.UP),
        ({}, "_second_branch", Branch.DOWN),
    ],
)
def test_settings_reach_the_model(scope, monkeypatch, settings, attribute, value):
    made = []
    monkeypatch.setattr("pacetomo.acquire.make_model", lambda *a: made.append(make_model(*a)) or made[0])
    acquire(scope, **settings)
    assert getattr(made[0], attribute) == value


def test_the_area_of_the_operator_is_remembered_before_anything_is_asked(scope):
    order = []
    for name in ("begin", "calibration", "end"):
        real = getattr(scope, name)
        setattr(scope, name, lambda *a, real=real, name=name: (order.append(name), real(*a))[1])
    acquire(scope)
    assert order[0] == "begin" and order[-1] == "end" and order.count("begin") == order.count("end") == 1


def test_a_refused_area_leaves_the_microscope_as_it_was(scope):
    path = scope.folder_path / "area_tgts.txt"
    path.write_text(path.read_text().replace("skip = False", "skip = True", 1))
    with pytest.raises(TargetFileError):
        acquire(scope)
    assert [call for call in scope.calls if call[0] != "save_log"] == [("end",)] and not list(
        scope.folder_path.glob("*run01*")
    )


@pytest.mark.parametrize("answer", [None, True])
def test_a_second_start_spends_no_dose(scope, answer):
    """Neither at Acquire at Items, where nobody answers, nor where the operator leaves the area as it is."""
    acquire(scope)
    exposed = scope.exposed
    scope.fail["ask", None, None] = answer
    acquire(scope)
    assert scope.exposed == exposed
    assert any("nothing is exposed" in text for text in scope.told)


def test_existing_images_are_kept(scope):
    old = scope.folder_path / "area_ts_001.mrc"
    old.write_bytes(b"precious")
    acquire(scope)
    kept = [
        path for path in scope.folder_path.iterdir() if path.is_file() and path.read_bytes() == b"precious"
    ]
    assert len(kept) == 1 and kept[0] != old


def test_autofocus_at_the_change_of_branch_corrects_all(scope):
    def drifted(wanted):
        scope.calls.append(("autofocus", wanted))
        lens = 0.4 if scope.tilt < 0 else 0.0
        scope.focus = wanted - scope.height_um(1) + lens
        return scope.focus

    scope.autofocus = drifted
    acquire(scope, addAF=True)
    focus = {(line["target"], line["tilt_deg"]): line["focus_um"] for line in journal(scope, "exposed")}
    expected = {}
    for target, tilt in focus:
        scope.tilt = tilt
        expected[target, tilt] = -5.0 - scope.height_um(target) + (0.4 if tilt < 0 else 0.0)
    assert focus == pytest.approx(expected, abs=1e-6)


def test_a_failed_autofocus_is_no_measurement(scope):
    scope.fail["autofocus", None, None] = Missing("weak correlation")
    acquire(scope)
    assert any("autofocus" in line["text"] for line in journal(scope, "warning"))
    assert tilts_of(scope, 1) == ORDER


def test_exposure_and_defocus_of_the_start_tilt(scope):
    acquire(scope, zeroExpTime=2.5, zeroDefocus=-8)
    lines = journal(scope, "exposed")
    assert {line["dose_e_per_a2"] for line in lines if line["tilt_deg"] == 0} == {7.5}
    assert {line["dose_e_per_a2"] for line in lines if line["tilt_deg"] != 0} == {3.0}
    assert scope.exposure_s == 1.0
    zero = next(line for line in lines if line["tilt_deg"] == 0 and line["target"] == 1)
    assert zero["focus_um"] == pytest.approx(-8.0, abs=1e-6)


def test_the_wanted_defocus_goes_with_each_image(scope):
    acquire(scope, minDefocus=-3, maxDefocus=-4, stepDefocus=0.5, zeroDefocus=-8)
    wanted, taken = None, {}
    for call in scope.calls:
        if call[0] == "set_wanted_defocus":
            wanted = call[1]
        elif call[0] == "record":
            taken.setdefault(call[1][: len("area_ts_001")], []).append(wanted)
    assert taken == {f"area_ts_{n:03d}": [-8] + [want] * 4 for n, want in ((1, -3), (2, -3.5), (3, -4))}


def test_focus_slope(scope):
    acquire(scope, focusSlope=0.05)
    focus = {line["tilt_deg"]: line["focus_um"] for line in journal(scope, "exposed") if line["target"] == 1}
    assert focus[6] - focus[-6] == pytest.approx(12 * 0.05)


def test_prior_dose_counts_all_images_of_the_target(scope):
    acquire(scope)
    prior = [line["prior_dose_e_per_a2"] for line in journal(scope, "exposed") if line["target"] == 2]
    assert prior == pytest.approx([0, 3, 6, 9, 12])
    assert scope.doses == pytest.approx({1: 12, 2: 12, 3: 12})


def test_metadata_says_where_the_target_was(scope):
    acquire(scope)
    noted = [call[1] for call in scope.calls if call[0] == "annotate"]
    assert len(noted) == 15 and all("SpecimenShift" in entries for entries in noted)
    assert noted[1]["SpecimenShift"].split() == ["3", "2"]


@pytest.mark.parametrize(
    ("change", "kind", "said"),
    [
        (lambda s: (s.folder_path / "area_tgts.txt").unlink(), TargetFileError, "area_tgts.txt"),
        (
            lambda s: (s.folder_path / "area_tgts.txt").write_bytes(b"\x00\xff\x00"),
            TargetFileError,
            "area_tgts.txt",
        ),
        (lambda s: (s.folder_path / "area_tgts.txt").write_text("_tgt = 001\n"), TargetFileError, "tsfile"),
    ],
)
def test_bad_input_moves_nothing(scope, change, kind, said):
    change(scope)
    with pytest.raises(kind, match=said):
        acquire(scope)
    assert not scope.calls and not list(scope.folder_path.glob("*run01*"))


def test_wrong_settings_move_nothing(scope):
    with pytest.raises(SettingsError, match="groupSize"):
        acquire(scope, groupsize=3)
    with pytest.raises(PaceError, match="step"):
        acquire(scope, step="three")
    assert not scope.calls


def test_a_skipped_tracking_target_is_refused(scope):
    path = scope.folder_path / "area_tgts.txt"
    path.write_text(path.read_text().replace("skip = False", "skip = True", 1))
    with pytest.raises(TargetFileError, match="tracking target"):
        acquire(scope)
