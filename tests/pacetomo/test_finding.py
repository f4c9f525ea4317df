"""Finding areas and targets: which images are compared with what, and what a failure leads to."""

import json

import pytest
from fake_scope import FakeScope

from pacetomo.acquire import acquire_area
from pacetomo.errors import PlanError, ScopeError
from pacetomo.files.run_file import read_run
from pacetomo.finding import EUCENTRICITY_IMAGES, Finding
from pacetomo.frames import XY
from pacetomo.scope.protocol import Area, Missing

POINTS = {1: (0.0, 0.0, 0.0), 2: (3.0, 2.0, 0.0), 3: (-2.0, -4.0, 0.0)}
TILTS = [0, 3, -3]


def make_scope(folder, preview=True, view=False, points=None):
    """Three targets; their true places may differ from those of the target file."""
    lines = []
    for number, (x, n0, _) in POINTS.items():
        name = f"area_tgt_{number:03d}"
        lines += [f"_tgt = {number:03d}", f"tsfile = area_ts_{number:03d}.mrc", f"SSX = {x}", f"SSY = {n0}"]
        if preview:
            lines.append(f"tgtfile = {name}.mrc")
            (folder / f"{name}.mrc").touch()
        if view:
            lines.append(f"viewfile = {name}_view.mrc")
            (folder / f"{name}_view.mrc").touch()
    (folder / "area_tgts.txt").write_text("\n".join(lines))
    return FakeScope(folder, dict(points or POINTS), {folder / f"area_ts_{n:03d}.mrc": n for n in POINTS})


SETTINGS = {"minTilt": -3, "maxTilt": 3, "tracker": "single"}


def acquire(scope, **settings):
    return acquire_area(scope, scope.item(), None, {**SETTINGS, "groupSize": 1, **settings})


def journal(scope, event):
    text = (scope.folder_path / "area_tgts_run01.jsonl").read_text(encoding="utf-8")
    return [line for line in map(json.loads, text.splitlines()) if line["event"] == event]


def first_shifts(scope):
    """Shift at which the first image of each target was taken."""
    return {number: scope.sections[path][0][1] for path, number in scope.series.items()}


def looks(scope):
    """Areas of the set-up images and what each was compared with, in order."""
    names = {"take": lambda call: call[1].value, "offset_from_hole": lambda call: "hole"}
    names["offset_from_file"] = lambda call: call[1].name
    set_up = scope.calls[: [call[0] for call in scope.calls].index("record")]
    return [names[call[0]](call) for call in set_up if call[0] in names]


OFF = {1: (0.3, -0.2, 0.0), 2: (3.1, 1.9, 0.0), 3: (-2.2, -4.1, 0.0)}


@pytest.mark.parametrize("settings", [{}, {"viewAli": True, "previewAli": False}, {"alignToP": True}])
def test_targets_are_centred_by_whatever_shows_them(tmp_path, settings):
    scope = make_scope(tmp_path, view=True, points=OFF)
    acquire(scope, noZeroRecAli=True, **settings)
    for number, shift in first_shifts(scope).items():
        assert shift == pytest.approx(scope.points[number][:2], abs=1e-6), number


def test_coordinates_are_used_where_nothing_is_to_be_aligned(tmp_path):
    scope = make_scope(tmp_path, points=OFF)
    acquire(scope, noZeroRecAli=True, previewAli=False)
    # Beside the tracking target, which was centred.
    assert first_shifts(scope)[2] == pytest.approx((3.3, 1.8))


@pytest.mark.parametrize(
    ("settings", "others"),
    [
        ({"previewAli": True}, ["preview", "area_tgt_002.mrc", "preview", "area_tgt_003.mrc"]),
        ({"previewAli": False, "viewAli": True}, ["view", "area_tgt_002_view.mrc"]),
        ({"viewAli": True}, ["view", "area_tgt_002_view.mrc", "preview", "area_tgt_002.mrc"]),
        ({"alignToP": True}, ["view", "hole", "view", "hole"]),
        ({"alignToP": True, "viewAli": True}, ["view", "hole", "view", "hole"]),
        ({"alignToP": True, "previewAli": False, "viewAli": True}, ["view", "hole", "view", "hole"]),
        ({"previewAli": False}, []),
        ({"alignToP": True, "previewAli": False}, []),
    ],
)
def test_what_the_other_targets_are_compared_with(tmp_path, monkeypatch, settings, others):
    scope = make_scope(tmp_path, view=True)
    real = Finding.tracking_target

    def noted(finding, focus_um):
        shift = real(finding, focus_um)
        scope.calls.append(("tracking target found",))
        return shift

    monkeypatch.setattr(Finding, "tracking_target", noted)
    acquire(scope, **settings)
    begun = [call[0] for call in scope.calls].index("tracking target found")
    scope.calls = scope.calls[begun:]
    assert looks(scope)[: len(others)] == others
    assert bool(looks(scope)) == bool(others)


def test_the_hole_takes_the_place_of_the_tracking_target_s_references(tmp_path):
    scope = make_scope(tmp_path, view=True)
    acquire(scope, alignToP=True, previewAli=False)
    assert set(looks(scope)) == {"view", "hole"}


def test_the_tracking_target_is_not_moved_again_by_a_coarser_image(tmp_path):
    scope = make_scope(tmp_path, view=True)
    acquire(scope, viewAli=True)
    begun = [call[0] for call in scope.calls].index("autofocus")
    scope.calls = scope.calls[begun:]
    assert "area_tgt_001_view.mrc" not in looks(scope)


def test_a_tracking_target_that_no_image_shows_is_not_looked_for_without_end(tmp_path):
    scope = make_scope(tmp_path, view=True)
    take, taken = scope.take, []

    def take_at_most(area):
        taken.append(area)
        assert len(taken) < 20
        return take(area)

    scope.take = take_at_most
    scope.fail["offset_from_file", None, None] = Missing("no correlation peak")
    acquire(scope, previewAli=False)
    assert taken == [Area.VIEW, Area.PREVIEW, Area.VIEW, Area.PREVIEW, Area.PREVIEW]
    assert first_shifts(scope)[1] == XY(0.0, 0.0)


def test_valves_that_close_while_targets_are_looked_for_are_waited_for(tmp_path):
    scope = make_scope(tmp_path, points=OFF)
    take, failed = scope.take, []

    def refuse_first(area):
        if not failed:
            failed.append(area)
            scope.valves = False
            raise ScopeError("the column valves are closed")
        return take(area)

    scope.take = refuse_first
    acquire(scope)
    assert failed and scope.verbs() == ["open_valves"]
    assert first_shifts(scope)[1] == pytest.approx(scope.points[1][:2])


def test_a_camera_that_fails_behind_open_valves_is_not_asked_again(tmp_path):
    scope = make_scope(tmp_path)
    scope.fail["take", None, None] = ScopeError("the camera timed out")
    with pytest.raises(ScopeError, match="timed out"):
        acquire(scope)
    assert [call[0] for call in scope.calls].count("take") == 1


def test_without_a_preview_reference_the_tracking_target_is_found_in_view(tmp_path):
    scope = make_scope(tmp_path, view=True, points=OFF)
    (tmp_path / "area_tgt_001.mrc").unlink()
    acquire(scope, noZeroRecAli=True)
    assert first_shifts(scope)[1] == pytest.approx(scope.points[1][:2])


@pytest.mark.parametrize("setting", ["alignToP", "refineVec"])
def test_an_empty_buffer_is_refused_before_anything_moves(tmp_path, setting):
    scope = make_scope(tmp_path)
    scope.fail["hole_field_um", None, None] = Missing("buffer P is empty")
    with pytest.raises(PlanError, match=f"{setting} cannot be done: buffer P is empty.*copy it to buffer P"):
        acquire(scope, **{setting: True})
    assert not {"take", "record", "autofocus", "move_to_item", "tilt_to"} & {call[0] for call in scope.calls}


def test_nobody_asks_for_a_hole_that_is_not_wanted(tmp_path):
    scope = make_scope(tmp_path)
    acquire(scope)
    assert "hole_field_um" not in [call[0] for call in scope.calls]


def add_vectors(folder, values):
    names = ("vecA0", "vecA1", "vecB0", "vecB1")
    lines = [f"_set {name} = {value}\n" for name, value in zip(names, values)]
    path = folder / "area_tgts.txt"
    path.write_text("".join(lines) + path.read_text())


def test_holes_are_looked_for_within_half_their_distance(tmp_path):
    scope = make_scope(tmp_path)
    add_vectors(tmp_path, (2, 0, 0, 1.5))
    acquire(scope, alignToP=True)
    limits = [call[1] for call in scope.calls if call[0] == "offset_from_hole"]
    assert limits and limits == pytest.approx([0.675] * len(limits))


def test_the_limit_shrinks_with_the_lattice_when_the_stage_is_tilted(tmp_path):
    scope = make_scope(tmp_path)
    add_vectors(tmp_path, (2, 0, 0, 2))
    acquire(scope, alignToP=True, startTilt=60, minTilt=57, maxTilt=63)
    limits = [call[1] for call in scope.calls if call[0] == "offset_from_hole"]
    assert min(limits) == pytest.approx(0.45, abs=1e-6)


# --- Realign to Item


def verbs(scope):
    return [call[0] for call in scope.calls]


def test_realigning_takes_the_place_of_comparing_view(tmp_path):
    scope = make_scope(tmp_path, view=True)
    acquire(scope, realignToItem=True)
    assert "view" not in looks(scope)
    # Finding the height moves the stage, so it comes first.
    assert verbs(scope).index("find_eucentric_height") < verbs(scope).index("realign_to_item")


def test_an_item_without_a_map_is_looked_for_in_view_with_a_warning(tmp_path):
    scope = make_scope(tmp_path, view=True)
    scope.fail["realign_to_item", None, None] = ScopeError("the item is not inside any map")
    acquire(scope, realignToItem=True)
    assert looks(scope)[:2] == ["view", "area_tgt_001_view.mrc"]
    assert any("not inside any map" in line["text"] for line in journal(scope, "warning"))


def test_without_the_setting_nothing_is_realigned(tmp_path):
    scope = make_scope(tmp_path, view=True)
    acquire(scope)
    assert "realign_to_item" not in verbs(scope)


def test_the_shift_that_realigning_leaves_is_where_the_area_is(tmp_path):
    scope = make_scope(tmp_path, preview=False, points=OFF)

    def realign():
        scope.shift = XY(*OFF[1][:2])

    scope.realign_to_item = realign
    acquire(scope, realignToItem=True)
    assert "recentre_stage" not in verbs(scope)
    assert first_shifts(scope)[1] == pytest.approx(OFF[1][:2])


# --- what cannot be had


def test_a_target_that_alignment_moves_out_of_reach_is_left_out(tmp_path):
    scope = make_scope(tmp_path, points={**POINTS, 3: (-2.0, -4.4, 0.0)})
    acquire(scope, imageShiftLimit=4.7)
    skipped = journal(scope, "skip")
    assert [(line["target"], line["branch"]) for line in skipped] == [(3, None)]
    assert "image shift of 4.8 µm" in skipped[0]["reason"]
    assert len(scope.sections[tmp_path / "area_ts_002.mrc"]) == 3


def test_a_target_that_is_not_found_is_imaged_at_its_coordinates(tmp_path):
    scope = make_scope(tmp_path)
    scope.fail["offset_from_hole", None, None] = Missing("no correlation peak")
    acquire(scope, alignToP=True)
    assert first_shifts(scope)[3] == pytest.approx((-2.0, -4.0))
    warned = [line.get("target") for line in journal(scope, "warning") if "not found" in line["text"]]
    assert {1, 2, 3} == set(warned)


# --- the first images


def residuals(scope, target):
    return [line["residual_nm"] for line in journal(scope, "exposed") if line["target"] == target]


def test_the_first_image_is_measured_by_the_preview_reference_and_corrected(tmp_path):
    scope = make_scope(tmp_path, points={**POINTS, 2: (3.2, 1.9, 0.0)})
    acquire(scope, previewAli=False)
    assert residuals(scope, 2)[0] == pytest.approx([200, -100])
    for later in residuals(scope, 2)[1:]:
        assert later == pytest.approx([0, 0], abs=1)
    entries = [call[1] for call in scope.calls if call[0] == "annotate"]
    assert [entry["TargetResidual"] for entry in entries[:3]] == ["0 0", "0.2 -0.1", "0 0"]


def test_the_first_image_may_be_left_where_it_is(tmp_path):
    scope = make_scope(tmp_path, points={**POINTS, 2: (3.2, 1.9, 0.0)})
    acquire(scope, previewAli=False, noZeroRecAli=True)
    assert residuals(scope, 2)[0] is None
    for _, shift, seen in scope.sections[tmp_path / "area_ts_002.mrc"]:
        assert seen.minus(shift) == pytest.approx((0.2, -0.1), abs=2e-3)


def test_a_first_image_that_cannot_be_aligned_has_no_value_and_ends_nothing(tmp_path):
    scope = make_scope(tmp_path, points={**POINTS, 2: (3.2, 1.9, 0.0)})
    scope.fail["offset_from_file", 2, 0] = Missing("no correlation peak")
    acquire(scope, previewAli=False)
    assert residuals(scope, 2)[0] is None and residuals(scope, 1)[0] is not None
    assert [tilt for tilt, *_ in scope.sections[tmp_path / "area_ts_002.mrc"]] == TILTS
    assert not journal(scope, "skip")


def test_the_first_image_is_looked_for_within_the_limit(tmp_path):
    scope = make_scope(tmp_path)
    acquire(scope, previewAli=False, alignLimit=0.3)
    first = verbs(scope).index("record")
    compared = [
        call for call in scope.calls[first:] if call[0] == "offset_from_file" and "_tgt_" in call[1].name
    ]
    assert [(call[1].name, call[2], call[3]) for call in compared] == [
        (f"area_tgt_{number:03d}.mrc", 0, 0.3) for number in POINTS
    ]


# --- references taken in the set-up


def test_a_reference_is_taken_where_there_is_none(tmp_path):
    scope = make_scope(tmp_path, preview=False, view=True, points=OFF)
    (tmp_path / "area_tgt_003.mrc").touch()  # of an earlier try
    path = tmp_path / "area_tgts.txt"
    series = "tsfile = area_ts_002.mrc"
    path.write_text(path.read_text().replace(series, f"{series}\ntgtfile = mine_002.mrc"))
    (tmp_path / "mine_002.mrc").touch()
    acquire(scope, refFromPreview=True, viewAli=True, previewAli=False)
    taken_at = {path.name: images[0][1] for path, images in scope.sections.items() if "_tgt_" in path.name}
    assert set(taken_at) == {"area_tgt_001.mrc", "area_tgt_003.mrc"}
    for number in (1, 3):
        assert taken_at[f"area_tgt_{number:03d}.mrc"] == pytest.approx(OFF[number][:2], abs=1e-6)
    assert (tmp_path / "area_tgt_003.mrc~").exists() or list(tmp_path.glob("area_tgt_003.mrc~*"))
    names = [target.reference for target in read_run(tmp_path / "area_tgts_run01.txt").targets.targets]
    assert names == ["area_tgt_001.mrc", "mine_002.mrc", "area_tgt_003.mrc"]
    assert all(residuals(scope, number)[0] is not None for number in POINTS)


def test_a_reference_that_cannot_be_kept_costs_a_warning(tmp_path):
    scope = make_scope(tmp_path, preview=False)
    save = scope.save_section

    def save_series_only():
        if "_tgt_" in scope.open.name:
            raise ScopeError("the disk is full")
        return save()

    scope.save_section = save_series_only
    acquire(scope, refFromPreview=True)
    assert residuals(scope, 2)[0] is None
    assert any("the disk is full" in line["text"] for line in journal(scope, "warning"))


def test_no_reference_is_taken_unasked(tmp_path):
    scope = make_scope(tmp_path, preview=False)
    acquire(scope)
    assert not list(tmp_path.glob("area_tgt_*"))


# --- dose


def prior_doses(scope, target):
    return [line["prior_dose_e_per_a2"] for line in journal(scope, "exposed") if line["target"] == target]


@pytest.mark.parametrize(
    ("preview", "settings", "looked"),
    [
        (True, {}, {1: 1, 2: 1, 3: 1}),
        (True, {"previewAli": False}, {1: 1, 2: 0, 3: 0}),
        (True, {"viewAli": True, "previewAli": False}, {1: 1, 2: 0, 3: 0}),
        (True, {"alignToP": True}, {1: 0, 2: 0, 3: 0}),
        (False, {"refFromPreview": True}, {1: 1, 2: 1, 3: 1}),
    ],
)
def test_previews_count_into_the_dose_of_their_target_and_views_into_all(tmp_path, preview, settings, looked):
    scope = make_scope(tmp_path, preview=preview, view=True)
    scope.look_dose_e_per_a2 = 0.5
    acquire(scope, **settings)
    views = sum(call == ("take", Area.VIEW) for call in scope.calls)
    assert views
    for number, images in looked.items():
        spent = 0.5 * (images + views + EUCENTRICITY_IMAGES)
        assert prior_doses(scope, number) == pytest.approx([spent + dose for dose in (0, 3, 6)])
        assert scope.doses[number] == pytest.approx(spent + 6)


def test_a_second_look_at_the_tracking_target_counts_too(tmp_path):
    scope = make_scope(tmp_path, points=OFF)
    scope.look_dose_e_per_a2 = 0.5
    acquire(scope)
    assert prior_doses(scope, 1)[0] == pytest.approx(1.0)


# --- patterns


def test_a_pattern_of_one_listed_target_is_filled(tmp_path):
    text = "_set size = 1\n_set vecA0 = 3\n_set vecA1 = 0\n_set vecB0 = 0\n_set vecB1 = 3\n"
    text += "_tgt = 001\ntgtfile = grid_tgt_001.mrc\ntsfile = grid_p02_ts_001.mrc\nSSX = 0\nSSY = 0\n"
    (tmp_path / "grid_tgt_001.mrc").touch()
    (tmp_path / "grid_tgts_p02.txt").write_text(text)
    places = [(0.0, 0.0)] + [(3.0 * i, 3.0 * j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)]
    points = {number: (*place, 0.0) for number, place in enumerate(places, 1)}
    series = {tmp_path / f"grid_p02_ts_{number:03d}.mrc": number for number in points}
    scope = FakeScope(tmp_path, points, series)
    item = scope.item()._replace(note="grid_tgts_p02.txt")
    acquire_area(scope, item, None, {**SETTINGS, "tgtPattern": True, "viewAli": True})
    assert all(len(scope.sections[path]) == 3 for path in series)
    assert first_shifts(scope) == {number: pytest.approx(place) for number, place in enumerate(places, 1)}
    # The reference of the original position shows another hole; that a copy has none is nothing to warn of.
    assert "take" not in verbs(scope)
    assert not any("reference" in text for text in scope.told)
    run = read_run(tmp_path / "grid_tgts_p02_run01.txt")
    assert len(run.targets.targets) == 9


def test_previews_of_a_copied_pattern_bear_its_own_name(tmp_path):
    scope = make_scope(tmp_path, preview=False)
    (tmp_path / "area_tgts.txt").rename(tmp_path / "area_tgts_p07.txt")
    item = scope.item()._replace(note="area_tgts_p07.txt")
    acquire_area(scope, item, None, {**SETTINGS, "tgtPattern": True, "refFromPreview": True})
    assert sorted(path.name for path in tmp_path.glob("*_tgt_*")) == [
        f"area_p07_tgt_{number:03d}.mrc" for number in POINTS
    ]


def test_view_images_are_taken_in_view(tmp_path):
    scope = make_scope(tmp_path)
    acquire(scope, alignToP=True)
    areas = [
        scope.calls[place - 1][1] for place, call in enumerate(scope.calls) if call[0] == "offset_from_hole"
    ]
    assert set(areas) == {Area.VIEW}
