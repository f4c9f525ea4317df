"""Targets made from a map on the simulator, judged by where the truth log says their images were taken."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from choosing import Choosing

from mock_serialem.answers import Rule
from mock_serialem.errors import SEMexited
from mock_serialem.faults import Fault, FaultPlan
from mock_serialem.montage import piece_at, read_piece
from mock_serialem.script_window import ScriptWindow
from mock_serialem.sim.landmarks import nearest_landmark
from pacetomo.desk_script import CancelledError
from pacetomo.errors import NavigatorError, PaceError, ScopeError
from pacetomo.files.navigator import read_navigator
from pacetomo.files.target_file import read_targets
from pacetomo.frames import XY
from pacetomo.scope.desk import MAP
from pacetomo.script_tables import MontageTargetSettings
from pacetomo.scripts import script_path
from pacetomo.selection import virtual_maps_saving
from pacetomo.selection.virtual_maps import targets_from_montage
from pacetomo.selection.virtual_maps_saving import nothing_half_written
from pacetomo.settings import SettingsLayer, resolve_table

STEPS = [(0.5, 0.3), (2.2, -1.0), (-2.5, 1.2), (-1.5, -2.0), (3.0, 1.5), (1.0, 2.0)]
FILES_ALONE = {"ReportIfNavOpen", "ReportNavItem", "ReportOtherItem", "GetVariable", "ReportIfNavAcquiring",
               "SaveNavigator", "ReportNavFile", "ReadNavFile", "ReportDirectory", "ReportProperty", "SetStatusLine",
               "SetNextLogOutputStyle", "Echo"}  # fmt: skip
"""Commands that need neither a microscope nor its calibrations."""


class Mapped(Choosing):
    """A sample of which a montage was taken in View and made a map, with points at its features."""

    def __init__(self, folder, sample="lamella", stage="krios", seed=5, pieces=(2, 2), **world):
        super().__init__(folder, sample, stage, seed, **world)
        self.sem = self.desk._sem
        self.sem.ParamSetToUseForMontage(2)
        self.sem.OpenNewMontage(*pieces, "mont.mrc")
        self.sem.M()
        self.sem.NewMap(0, "the map")
        self.sem.CloseFile()
        self.sem.Copy("B", "Q")
        self.overview = self.session.buffers.get("Q")

    def seen_on_map(self, point):
        """Pixel of the overview (Y down) at which a point of the sample is seen; None where a seam hides it."""
        shape = self.overview.montage
        for x in range(shape.nx):
            for y in range(shape.ny):
                piece = read_piece(self.session, self.folder / "mont.mrc", (x, y), 0)
                true = piece.shot.pose.where(tuple(point))[:2]
                along, across = self.world.optics.measured_from_true(piece.mag_index) @ np.array(true)
                c, s = np.cos(np.radians(piece.rotation_deg)), np.sin(np.radians(piece.rotation_deg))
                right, up = (
                    (c * along - s * across) / piece.pixel_um,
                    (s * along + c * across) / piece.pixel_um,
                )
                left, bottom = shape.corner(x, y)
                pixel = (
                    left + 0.5 * shape.frame_px[0] + right,
                    shape.full_px[1] - (bottom + 0.5 * shape.frame_px[1] + up),
                )
                inside = abs(right) < 0.5 * shape.frame_px[0] and abs(up) < 0.5 * shape.frame_px[1]
                if inside and piece_at(self.overview, pixel)[0] == x * shape.ny + y:
                    return pixel
        return None

    def features(self, count):
        """Features of the sample that the map shows."""
        found = []
        for dx, dy in STEPS:
            offset = np.array(self.pose.offset_um) - np.array([dx, dy, 0.0])
            point = nearest_landmark(
                self.world.sheet, self.world.config.seed, replace(self.pose, offset_um=offset), 2.0
            )
            if point is not None and self.seen_on_map(point) is not None and point not in found:
                found.append(point)
        assert len(found) >= count
        return found[:count]

    def draw(self, points):
        """A group of Navigator points where the map shows points of the sample; their places in the table."""
        group = self.desk.unique_id()
        pixels = [self.seen_on_map(point) for point in points]
        return [int(self.sem.AddImagePosAsNavPoint("Q", float(x), float(y), 0.0, group)) for x, y in pixels]

    def make(self, place, rules=(), **settings):
        """What the script does with an item selected, these answers and settings; the target file."""
        self.session.navigator.current = place - 1
        self.session.operator.rules = list(rules)
        wanted = resolve_table(MontageTargetSettings, SettingsLayer("script", settings))
        return targets_from_montage(self.desk, wanted)

    def make_in_batch(self, place, **settings):
        """What the script does at the only item that is set to Acquire."""
        navigator = self.session.navigator
        self.desk.set_acquire(place, True)
        (item,) = navigator.begin_acquiring()
        navigator.acquiring = navigator.items.index(item)
        return self.make(place, **settings)

    def missing_maps(self):
        """Image files that the Navigator names, in its table or its file, and that are not there."""
        named = [item.text("MapFile") for item in read_navigator(self.folder / "pacetomo.nav").items]
        self.session.navigator.save(self.folder / "table.nav")
        named += [item.text("MapFile") for item in read_navigator(self.folder / "table.nav").items]
        return {name for name in named if name is not None and not (self.folder / name).is_file()}

    def files(self):
        """Names and sizes of all files, but for those in which SerialEM itself keeps things."""
        names = {"truth.jsonl", "pacetomo.nav", "pacetomo.bak"}
        return {path.name: path.stat().st_size for path in self.folder.iterdir() if path.name not in names}


def test_targets_on_a_map_are_acquired_where_the_map_shows_them(tmp_path):
    here = Mapped(tmp_path)
    points = here.features(3)
    places = here.draw(points)
    before = read_navigator(here.desk.save_navigator())
    path = here.make(places[0], noUI=True, prefix="lam")
    assert here.exposures() == [] or {line["set"] for line in here.exposures()} == {"V"}  # the montage alone
    targets = read_targets(path).targets
    assert [target.reference for target in targets] == [f"lam_tgt_{n:03d}.mrc" for n in (1, 2, 3)]
    assert [target.view for target in targets] == [f"lam_tgt_{n:03d}_view.mrc" for n in (1, 2, 3)]
    # The Navigator as it was, and after it a View and a Preview map of each target.
    after = read_navigator(tmp_path / "pacetomo.nav")
    assert [item.entries for item in after.items[: len(before.items)]] == [i.entries for i in before.items]
    added = after.items[len(before.items) :]
    assert [(item.label, item.note, item.acquire) for item in added] == [
        ("lam_view_001", "lam_tgts.txt", True),
        ("lam_tgt_001", "Sec 0 - lam_tgt_001.mrc", False),
        ("lam_view_002", "Sec 0 - lam_tgt_002_view.mrc", False),
        ("lam_tgt_002", "Sec 0 - lam_tgt_002.mrc", False),
        ("lam_view_003", "Sec 0 - lam_tgt_003_view.mrc", False),
        ("lam_tgt_003", "Sec 0 - lam_tgt_003.mrc", False),
    ]
    assert all(item.item_kind == MAP for item in added)
    assert read_navigator(tmp_path / "pacetomo.nav~1").items == before.items or (
        [i.entries for i in read_navigator(tmp_path / "pacetomo.nav~1").items]
        == [i.entries for i in before.items]
    )
    assert here.acquired_from_um(points, viewAli=True, previewAli=True).max() < 0.05


def test_targets_that_show_nothing_are_found_by_view_compared_with_record_beside_them(tmp_path):
    here = Mapped(tmp_path, "holey", seed=3)
    holes = [hole for hole in here.holes(9) if here.seen_on_map(hole) is not None][:3]
    path = here.make(here.draw(holes)[0], noUI=True, prefix="lam")
    # Ice has nothing to be aligned to, so its Previews are no references.
    assert read_targets(path).targets[0].reference is None and (tmp_path / "lam_tgt_001.mrc").is_file()
    begun = len(here.exposures())
    assert here.acquired_from_um(holes, viewAli=True, previewAli=True).max() < 0.15
    # The Preview for comparing was taken where no target is.
    beam_um = 0.5
    for line in here.exposures()[begun:]:
        if line["set"] == "P":
            place = (line["sample_x_um"], line["sample_y_um"])
            assert min(np.hypot(*np.subtract(place, hole[:2])) for hole in holes) > 2 * beam_um


def test_the_area_is_found_again_by_realigning_to_its_item(tmp_path):
    here = Mapped(tmp_path, seed=7)
    points = here.features(2)
    here.make(here.draw(points)[0], noUI=True, prefix="lam")
    away = here.acquired_from_um(points, viewAli=True, previewAli=True, realignToItem=True)
    assert away.max() < 0.05
    assert not any("realigning" in line for line in here.session.log.lines if "Warning" in line)


def test_targets_without_previews_are_found_in_view(tmp_path):
    here = Mapped(tmp_path)
    points = here.features(2)
    path = here.make(here.draw(points)[0], noUI=True, onlyView=True, prefix="lam")
    assert not list(tmp_path.glob("lam_tgt_00?.mrc")) and len(list(tmp_path.glob("*_view.mrc"))) == 2
    assert [target.reference for target in read_targets(path).targets] == [None, None]
    assert here.acquired_from_um(points, viewAli=True, previewAli=False).max() < 0.15


def test_a_person_gives_the_name_and_chooses_the_tracking_target(tmp_path):
    here = Mapped(tmp_path, fidelity="rendered")
    points = here.features(3)
    places = here.draw(points)
    rules = [
        Rule("EnterDefaultedNumber", r"tracking target, 1 to 3", (0.0, 4.0, 2.0), repeat=False),
        Rule("EnterString", "Name of the area", ("my lamella", "second"), repeat=False),
    ]
    path = here.make(places[0], rules)
    assert path.name == "second_tgts.txt"
    assert [line for line in here.session.operator.asked if "There is no point" in line] == [
        f"OKBox: There is no point {n}: the group has 3 points" for n in (0, 4)
    ]
    stages = [here.desk.place(place).stage_um for place in places]
    found = [target.stage_um for target in read_targets(path).targets]
    assert np.allclose(found, [stages[1], stages[0], stages[2]], atol=1e-3)


@pytest.mark.parametrize("rules", [
    [Rule("EnterDefaultedNumber", values=(False,))],
    [Rule("EnterDefaultedNumber", values=(1.0,)), Rule("EnterString", values=(False,))],
])  # fmt: skip
def test_a_person_who_cancels_leaves_nothing_behind(tmp_path, rules):
    here = Mapped(tmp_path)
    places = here.draw(here.features(2))
    before = here.files()
    with pytest.raises(CancelledError, match="nothing is written"):
        here.make(places[0], rules)
    assert here.files() == before


def broken(here, places, trouble):
    if trouble == "map gone":
        (here.folder / "mont.mrc").unlink()
    elif trouble == "mdoc gone":
        (here.folder / "mont.mrc.mdoc").unlink()
    elif trouble == "map item gone":
        here.sem.DeleteNavigatorItem(1)
        return places[0] - 1
    elif trouble == "polygon":
        corner = here.desk.place(places[0]).stage_um
        return here.desk.add_polygon([corner, corner.plus(XY(1.0, 0.0)), corner.plus(XY(0.0, 1.0))], 0.0)
    elif trouble == "map":
        return 1
    elif trouble == "beside":
        return here.desk.add_point(here.desk.place(1).stage_um.plus(XY(200.0, 0.0)), 0.0)
    return places[0]


@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        ("map gone", r"map 1: its image .*mont\.mrc is not there"),
        ("mdoc gone", r"mont\.mrc\.mdoc is not there"),
        ("map item gone", "lie on no map"),
        ("polygon", "is not a point: select a point of the group"),
        ("map", "is not a point"),
        ("beside", "lie on no map"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(tmp_path, trouble, message):
    here = Mapped(tmp_path, pieces=(2, 1))
    places = here.draw(here.features(1))
    place = broken(here, places, trouble)
    before = here.files()
    with pytest.raises(NavigatorError if "mdoc" not in trouble else PaceError, match=message):
        here.make(place, noUI=True, prefix="lam")
    assert here.files() == before


def test_a_closed_navigator_is_said(tmp_path):
    here = Mapped(tmp_path, pieces=(1, 1))
    here.sem.CloseNavigator()
    with pytest.raises(ScopeError, match="the Navigator is not open"):
        targets_from_montage(here.desk, MontageTargetSettings(noUI=True))


def test_a_failure_half_way_leaves_neither_files_nor_a_changed_navigator(tmp_path, monkeypatch):
    here = Mapped(tmp_path, pieces=(2, 1))
    places = here.draw(here.features(1))
    before = here.files()
    here.desk.save_navigator()
    table = (tmp_path / "pacetomo.nav").read_bytes()

    def fail(path):
        raise ScopeError("the Navigator does not want to")

    monkeypatch.setattr(here.desk, "read_navigator", fail)
    with pytest.raises(ScopeError, match="does not want to"):
        here.make(places[0], noUI=True, prefix="lam")
    left = here.files()
    assert {name: size for name, size in left.items() if "~" not in name} == before
    assert (tmp_path / "pacetomo.nav").read_bytes() == table


def test_after_three_numbers_that_are_no_point_nothing_is_written(tmp_path):
    here = Mapped(tmp_path, pieces=(2, 1))
    place = here.draw(here.features(2))[0]
    before = here.files()
    with pytest.raises(CancelledError, match="3 numbers were no point: nothing is written"):
        here.make(place, [Rule("EnterDefaultedNumber", values=(3.0,))])
    assert here.files() == before


@pytest.mark.parametrize("in_batch", [False, True])
def test_items_that_a_person_adds_meanwhile_stay_in_the_navigator(tmp_path, monkeypatch, in_batch):
    here = Mapped(tmp_path, pieces=(2, 1))
    place = here.draw(here.features(1))[0]

    def add_point(text):
        here.desk.set_label(here.desk.add_point(XY(1.0, 2.0), 0.0), "meanwhile")

    monkeypatch.setattr(here.desk, "show_progress", add_point)
    make = here.make_in_batch if in_batch else here.make
    make(place, noUI=True, onlyView=True, prefix="lam")
    wanted = ["1", here.desk.place(place).label, "meanwhile", "lam_view_001"]
    assert [item.label for item in here.session.navigator.items] == wanted
    assert [item.label for item in read_navigator(tmp_path / "pacetomo.nav").items] == wanted
    ids = [item.map_id for item in here.session.navigator.items]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("when", ["before", "after"])
def test_stop_when_the_navigator_is_read_leaves_it_as_it_was(tmp_path, when):
    here = Mapped(tmp_path, pieces=(2, 1))
    place = here.draw(here.features(1))[0]
    table = here.desk.save_navigator().read_bytes()
    here.session.inject(FaultPlan((Fault("stop", ("ReadNavFile",), when=when),)))
    with pytest.raises(SEMexited):
        here.make(place, noUI=True, onlyView=True, prefix="lam")
    assert (tmp_path / "pacetomo.nav").read_bytes() == table
    assert here.missing_maps() == set()


@pytest.mark.parametrize(
    ("command", "call", "when", "is_in"),
    [
        ("MergeNavFile", 1, "before", False),
        ("MergeNavFile", 1, "after", True),
        ("SaveNavigator", 3, "before", True),
        ("SaveNavigator", 3, "after", True),
    ],
)
def test_stop_in_a_batch_deletes_no_map_that_the_navigator_has(tmp_path, command, call, when, is_in):
    here = Mapped(tmp_path, pieces=(2, 1))
    place = here.draw(here.features(1))[0]
    here.session.inject(FaultPlan((Fault("stop", (command,), call, when=when),)))
    with pytest.raises(SEMexited):
        here.make_in_batch(place, onlyView=True, prefix="lam")
    assert ("lam_view_001" in [item.label for item in here.session.navigator.items]) == is_in
    assert here.missing_maps() == set()


def test_stop_while_maps_are_cut_leaves_nothing_behind(tmp_path):
    here = Mapped(tmp_path, pieces=(2, 1))
    place = here.draw(here.features(2))[0]
    before = here.files()
    here.session.inject(FaultPlan((Fault("stop", ("SetStatusLine",), 2),)))
    with pytest.raises(SEMexited):
        here.make(place, noUI=True, onlyView=True, prefix="lam")
    assert here.files() == before


def test_a_table_that_cannot_be_put_back_lists_maps_that_are_there(tmp_path, monkeypatch):
    here = Mapped(tmp_path, pieces=(2, 1))
    place = here.draw(here.features(1))[0]

    def refuse(path, data, wait=None):
        raise PaceError(f"{path}: cannot be written")

    here.session.inject(FaultPlan((Fault("error", ("ReadNavFile",), text="no memory"),)))
    monkeypatch.setattr(virtual_maps_saving, "write_bytes_atomically", refuse)
    with pytest.raises(NavigatorError, match=r"no memory.*cannot be written.*as it was is .*pacetomo\.nav~1"):
        here.make(place, noUI=True, onlyView=True, prefix="lam")
    assert "lam_view_001" in [item.label for item in read_navigator(tmp_path / "pacetomo.nav").items]
    assert here.missing_maps() == set()


@pytest.mark.parametrize("reason", [ScopeError("the reason"), SEMexited("the reason")])
def test_a_file_that_cannot_be_deleted_hides_no_reason_and_holds_up_no_other(tmp_path, reason):
    here = Mapped(tmp_path, pieces=(1, 1))
    held, other = tmp_path / "held.mrc", tmp_path / "other.mrc"
    held.mkdir()
    with pytest.raises(type(reason), match="the reason"), nothing_half_written(here.desk) as written:
        other.touch()
        written.extend((held, other))
        raise reason
    assert not other.exists()
    assert any("held.mrc" in line for line in here.session.log.lines) == isinstance(reason, PaceError)


def test_an_area_has_a_name_that_its_item_can_note_and_labels_that_tell_it_from_others(tmp_path):
    here = Mapped(tmp_path, pieces=(2, 1))
    places = here.draw(here.features(1))
    rules = [Rule("EnterString", "Name of the area", ("Müller", "-x", ".x", "lamella_01"), repeat=False)]
    with pytest.raises(CancelledError, match="3 names could not be used"):
        here.make(places[0], rules)
    made = [
        here.make(places[0], noUI=True, onlyView=True, prefix=name) for name in ("Müller_01", "Müller_02")
    ]
    assert any("Muller_01_tgts.txt: 1 target from map" in line for line in here.session.log.lines)
    assert [path.name for path in made] == ["Muller_01_tgts.txt", "Muller_02_tgts.txt"]
    areas = [place for place in here.desk.places() if place.note in {path.name for path in made}]
    assert [place.label for place in areas] == ["Muer_01_view_001", "Muer_02_view_001"]


def test_a_second_area_of_one_map_gets_another_name(tmp_path):
    here = Mapped(tmp_path, pieces=(2, 1))
    points = here.features(1)
    first = here.make(here.draw(points)[0], noUI=True, onlyView=True)
    second = here.make(here.draw(points)[0], noUI=True, onlyView=True)
    assert (first.name, second.name) == ("1_tgts.txt", "1_2_tgts.txt")


def test_a_batch_makes_an_area_of_each_group_once(tmp_path):
    here = Mapped(tmp_path)
    one, two, three = here.features(3)
    groups = here.draw([one, two]), here.draw([three])
    for place in (*groups[0], *groups[1]):
        here.desk.set_acquire(place, True)
    navigator = here.session.navigator
    made = []
    items = navigator.begin_acquiring()
    for item in items:
        navigator.acquiring = navigator.current = navigator.items.index(item)
        made.append(targets_from_montage(here.desk, MontageTargetSettings(prefix="lam")))
        item.acquire = False
    navigator.end_acquiring()
    assert [path and path.name for path in made] == ["lam_tgts.txt", None, "lam_2_tgts.txt"]
    marked = here.desk.marked_places()
    assert [place.note for place in marked] == ["lam_tgts.txt", "lam_2_tgts.txt"]
    assert len(read_targets(made[0]).targets) == 2 and len(read_targets(made[2]).targets) == 1
    # Nothing that was there has changed its place, and there is a copy of the table as it was.
    assert [item.label for item in navigator.items[:4]] == ["1", "2", "3", "4"]
    assert (tmp_path / "pacetomo.nav~1").is_file()
    ids = [item.map_id for item in navigator.items]
    assert len(set(ids)) == len(ids)


def test_the_script_as_it_is_makes_an_area_of_each_group_at_acquire_at_items(tmp_path):
    here = Mapped(tmp_path, pieces=(2, 1))
    points = here.features(2)
    for point in points:
        here.desk.set_acquire(here.draw([point])[0], True)
    results = ScriptWindow(here.session).acquire_at_items(script_path("targetsFromMontage"))
    assert [result.error for result in results] == [None, None]
    assert [place.note for place in here.desk.marked_places()] == ["1_tgts.txt", "1_2_tgts.txt"]
    stages = [read_targets(tmp_path / f"{root}_tgts.txt").targets[0].stage_um for root in ("1", "1_2")]
    assert np.allclose(stages, [here.desk.place(place).stage_um for place in (2, 3)], atol=1e-3)


def test_a_dummy_instance_needs_no_microscope(tmp_path):
    here = Mapped(tmp_path)
    points = here.features(2)
    places = here.draw(points)
    live = read_targets(here.make(places[0], noUI=True, prefix="live")).targets
    here.session.properties.set("DummyInstance", 1.0)
    here.desk.log_commands(tmp_path / "commands.log")
    path = here.make(places[0], noUI=True, prefix="dummy")
    here.desk.log_commands(None)
    lines = (tmp_path / "commands.log").read_text(encoding="utf-8").splitlines()
    used = {line.split()[2].split("(")[0] for line in lines}
    assert "ReadNavFile" in used and used <= FILES_ALONE
    targets = read_targets(path).targets
    # The Previews that the first run left in the Navigator tell how Preview images are taken.
    for number, (target, other) in enumerate(zip(targets, live), 1):
        assert target.shift_um == other.shift_um and target.stage_um == other.stage_um
        for kind in ("", "_view"):
            names = [tmp_path / f"{root}_tgt_{number:03d}{kind}.mrc" for root in ("dummy", "live")]
            assert names[0].stat().st_size == names[1].stat().st_size


def test_a_dummy_instance_that_knows_no_preview_says_so(tmp_path):
    here = Mapped(tmp_path, pieces=(2, 1))
    places = here.draw(here.features(1))
    here.session.properties.set("DummyInstance", 1.0)
    path = here.make(places[0], noUI=True, prefix="a")
    assert read_targets(path).targets[0].reference is None and not (tmp_path / "a_tgt_001.mrc").exists()
    assert any("set previewPixel and previewSize" in line for line in here.session.log.lines)
    path = here.make(places[0], noUI=True, prefix="b", previewPixel=0.5, previewSize=(400, 300))
    assert (tmp_path / "b_tgt_001.mrc").stat().st_size == 1024 + 2 * 400 * 300
