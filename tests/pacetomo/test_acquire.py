import json

import pytest
from fake_scope import FakeScope, Stop

from pacetomo.acquire import acquire_area
from pacetomo.errors import PaceError, PlanError, ScopeError, SettingsError, TargetFileError
from pacetomo.files.run_file import read_run
from pacetomo.scope.protocol import Area, Missing

SETTINGS = {"minTilt": -6, "maxTilt": 6, "previewAli": True}
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


def test_the_image_is_marked_before_and_saved_right_after(scope):
    acquire(scope)
    verbs = [call[0] for call in scope.calls]
    recorded = [i for i, call in enumerate(scope.calls) if call[:2] == ("take", Area.RECORD)]
    assert len(recorded) == 15
    assert all(verbs[i + 1] == "save_section" for i in recorded)
    events = [line["event"] for line in journal(scope) if line["event"] in ("expose", "exposed")]
    assert events == ["expose", "exposed"] * 15


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
    assert limits == {"ts_001": pytest.approx(0.81), "ts_002": 0.3, "ts_003": 0.3}


def test_the_run_file_is_complete_after_each_exposure_and_clean_at_the_end(scope, monkeypatch):
    seen = []
    real = scope.open_series

    def spy(path):
        seen.append(read_run(scope.folder_path / "area_tgts_run01.txt").state)
        return real(path)

    monkeypatch.setattr(scope, "open_series", spy)
    acquire(scope)
    assert [sum(t.sections for t in state.targets) for state in seen] == list(range(15))
    assert seen[4].position == (1, 0)
    assert seen[7].numbered(2).up.dose_e_per_a2 == pytest.approx(6.0)
    assert read_run(scope.folder_path / "area_tgts_run01.txt").state.is_finished


def test_a_failing_target_ends_on_its_branch_and_nothing_else(scope):
    scope.fail["take", 2, 3] = ScopeError("the camera timed out")
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
    scope.fail["take", 3, 3] = 5.0
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


def test_stop_passes_and_leaves_the_microscope_as_it_was(scope):
    scope.tilt, scope.focus = 1.5, -0.7
    scope.fail["take", 3, 3] = Stop()
    with pytest.raises(Stop):
        acquire(scope)
    assert (scope.tilt, scope.focus, scope.open) == (1.5, -0.7, None)
    end = journal(scope, "run_end")[-1]
    assert (end["state"], end["exposures"]) == ("stopped", 5)


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
    with pytest.raises(PlanError):
        acquire(scope)
    assert scope.calls == [("end",)] and not list(scope.folder_path.glob("*run01*"))


def test_a_second_start_spends_no_dose(scope):
    acquire(scope)
    taken = sum(map(len, scope.sections.values()))
    with pytest.raises(PlanError, match="twice"):
        acquire(scope)
    assert sum(map(len, scope.sections.values())) == taken


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
        elif call[:2] == ("take", Area.RECORD):
            taken.setdefault(call[2], []).append(wanted)
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
    with pytest.raises(PlanError, match="tracking target"):
        acquire(scope)
