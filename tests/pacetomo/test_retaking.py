"""Images taken again, on the scripted microscope."""

import json

import pytest
from fake_scope import FakeScope

from pacetomo.acquire import acquire_area
from pacetomo.errors import AreaError, ImageNotSavedError, ScopeError
from pacetomo.files.run_file import read_run

POINTS = {1: (0.0, 0.0, 0.0), 2: (3.0, 2.0, 0.0), 3: (-2.0, -4.0, 0.0)}
ORDER = [0, 3, 6, -3, -6]
KEY = ("record", 2, 3)


@pytest.fixture
def scope(tmp_path):
    lines = []
    for number, (x, n0, _) in POINTS.items():
        lines += [
            f"_tgt = {number:03d}",
            f"tsfile = area_ts_{number:03d}.mrc",
            f"SSX = {x}",
            f"SSY = {n0}",
            "",
        ]
    (tmp_path / "area_tgts.txt").write_text("\n".join(lines))
    return FakeScope(tmp_path, dict(POINTS), {tmp_path / f"area_ts_{n:03d}.mrc": n for n in POINTS})


SETTINGS = {"minTilt": -6, "maxTilt": 6, "tracker": "single"}


def acquire(scope):
    return acquire_area(scope, scope.item(), None, {**SETTINGS, "previewAli": False})


def journal(scope, event):
    path = scope.folder_path / "area_tgts_run01.jsonl"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line["event"] == event]


def tilts_of(scope, number):
    return [tilt for tilt, *_ in scope.sections[scope.folder_path / f"area_ts_{number:03d}.mrc"]]


def answers(scope: FakeScope, *counts: float, after=lambda call: None) -> list[float]:
    """Let the images of target 2 at 3° have these counts, one after the other; the last one stays."""
    left, real = list(counts), scope.record

    def record(frame_name, floor_per_s=0.0):
        if scope.series.get(scope.open) == 2 and scope.tilt == 3:
            scope.fail[KEY] = left.pop(0) if len(left) > 1 else left[0]
            after(len(counts) - len(left))
        return real(frame_name, floor_per_s)

    scope.record = record
    return left


def dose_of(scope, number):
    lines = [line for line in journal(scope, "exposed") if line["target"] == number]
    return [line["prior_dose_e_per_a2"] for line in lines]


def asides(scope):
    return [call[1].name for call in scope.calls if call[0] == "set_aside"]


def test_a_black_image_is_taken_again_and_costs_no_more_than_its_counts(scope):
    answers(scope, 2.0, 100.0)
    acquire(scope)
    assert tilts_of(scope, 2) == ORDER
    assert asides(scope) == ["area_ts_002_rejected.mrc"]
    assert dose_of(scope, 2) == pytest.approx([0, 3.06, 6.06, 9.06, 12.06])
    assert dose_of(scope, 3) == pytest.approx([0, 3, 6, 9, 12])
    (rejected,) = journal(scope, "rejected")
    assert (rejected["target"], rejected["tilt_deg"], rejected["mean_counts"]) == (2, 3, 2.0)


def test_an_image_that_stays_black_is_kept_and_both_have_cost_their_dose(scope):
    answers(scope, 2.0, 2.0)
    acquire(scope)
    assert tilts_of(scope, 2)[:2] == [0, 3] and len(asides(scope)) == 1
    assert dose_of(scope, 2)[:2] == pytest.approx([0, 6])


def test_half_of_the_light_gone_is_no_reason_with_open_valves(scope):
    answers(scope, 40.0)
    acquire(scope)
    assert asides(scope) == [] and 3 in tilts_of(scope, 2)


def test_half_of_the_light_gone_behind_closed_valves_is(scope):
    def close(call):
        scope.valves = call > 1

    answers(scope, 40.0, 100.0, after=close)
    acquire(scope)
    assert tilts_of(scope, 2) == ORDER and len(asides(scope)) == 1
    assert dose_of(scope, 2)[1:3] == pytest.approx([3 + 0.4 * 3, 6 + 0.4 * 3])


def test_valves_that_close_each_time_do_not_lead_to_endless_images(scope):
    def close(call):
        scope.valves = False

    answers(scope, 0.0, after=close)
    acquire(scope)
    assert len(asides(scope)) == 3 and tilts_of(scope, 2)[:2] == [0, 3]


def test_an_image_that_cannot_be_put_aside_is_taken_again_all_the_same(scope):
    answers(scope, 2.0, 100.0)
    scope.fail["set_aside", 2, None] = ImageNotSavedError("disk full", 0.0)
    acquire(scope)
    assert tilts_of(scope, 2) == ORDER
    assert any("disk full" in text for text in scope.told)


def test_nothing_is_exposed_for_a_series_that_is_no_longer_open(scope):
    answers(scope, 2.0, 100.0)
    scope.fail["set_aside", 2, None] = ScopeError("the series is locked")
    acquire(scope)
    assert [call[0] for call in scope.calls].count("record") == 14  # all but +6, and +3 only once
    assert [line["branch"] for line in journal(scope, "skip")] == ["up"]


def test_an_image_that_its_series_does_not_take_is_kept_elsewhere(scope):
    scope.fail["record", 2, 3] = ImageNotSavedError("the series is locked", 3.0)
    acquire(scope)
    assert asides(scope) == ["area_ts_002_unsaved.mrc"]
    (skip,) = journal(scope, "skip")
    assert skip["reason"] == "the series is locked; it is kept in area_ts_002_unsaved.mrc"
    assert dose_of(scope, 2) == pytest.approx([0, 6, 9])


def test_an_area_ends_when_its_images_cannot_be_saved_any_more(scope):
    """Each further target would spend its dose on an image that is lost."""
    for number in POINTS:
        scope.fail["record", number, 3] = ImageNotSavedError("disk full", 3.0)
        scope.fail["set_aside", number, None] = ImageNotSavedError("disk full", 0.0)
    with pytest.raises(AreaError, match="3 images in a row could not be saved"):
        acquire(scope)
    assert [call[0] for call in scope.calls].count("record") == 6
    end = journal(scope, "run_end")[-1]
    assert (end["state"], end["exposures"]) == ("failed", 3)
    state = read_run(scope.folder_path / "area_tgts_run01.txt").state
    assert [state.numbered(n).up.dose_e_per_a2 for n in POINTS] == pytest.approx([6, 6, 6])


def test_two_images_that_cannot_be_saved_end_their_branches_only(scope):
    for number in (1, 2):
        scope.fail["record", number, 3] = ImageNotSavedError("the series is locked", 3.0)
    acquire(scope)
    assert tilts_of(scope, 3) == ORDER


def test_valves_that_stay_closed_end_the_area_with_the_dose_on_the_books(scope):
    def close(call):
        scope.valves, scope.valves_stuck_until = False, 1e9

    answers(scope, 0.0, after=close)
    with pytest.raises(AreaError, match="valves"):
        acquire(scope)
    end = journal(scope, "run_end")[-1]
    assert (end["state"], end["exposures"]) == ("failed", 4)
    assert [call[0] for call in scope.calls][-2:] == ["end", "save_log"]
    assert all(len(tilts_of(scope, number)) <= 2 for number in POINTS)


def test_frames_of_an_image_taken_again_have_a_name_of_their_own(scope):
    answers(scope, 0.0, 100.0)
    acquire(scope)
    names = [call[1] for call in scope.calls if call[0] == "record"]
    assert len(names) == len(set(names)) == 16
    assert [name for name in names if name.startswith("area_ts_002_002")] == [
        "area_ts_002_002_3.0",
        "area_ts_002_002_3.0_try2",
    ]
    assert journal(scope, "rejected")[0]["frames"] == "area_ts_002_002_3.0_try2"
