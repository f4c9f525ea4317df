"""Targets imaged as montages: logic on a scripted microscope; places, focus and dose on the simulator's truth log."""

import json
import math
from dataclasses import replace

import mrcfile
import numpy as np
import pytest
from fake_scope import FakeScope, Stop
from scipy.ndimage import gaussian_filter

from mock_serialem.module import make_module
from mock_serialem.sim.profiles import CRYOARM_SCOPE, IDEAL, KRIOS_SCOPE
from mock_serialem.sim.sample import LamellaSpec
from mock_serialem.sim.truth import TruthLog
from mock_serialem.sim.world import World, WorldConfig
from pacetomo.acquire import acquire_area
from pacetomo.area_files import AreaFiles
from pacetomo.errors import ImageNotSavedError, ScopeError
from pacetomo.files.mdoc import read_mdoc
from pacetomo.files.run_file import read_run
from pacetomo.files.stack import read_header
from pacetomo.frames import XY
from pacetomo.geometry import SamplePlane, height_um
from pacetomo.montage import Montage, Tile
from pacetomo.rehearse import Rehearsal, choose_targets, open_session
from pacetomo.report.truth import read_truth
from pacetomo.scope.serialem_scope import SerialEMScope
from pacetomo.tile_books import read_tiles

POINTS = {1: (0.0, 0.0, 0.0), 2: (3.0, 2.0, 0.0), 3: (-2.0, -4.0, 0.0)}
ORDER = [0, 3, 6, -3, -6]
SETTINGS = {
    "minTilt": -6,
    "maxTilt": 6,
    "tgtMontage": True,
    "tgtMntSize": (3, 3),
    "tgtMntOverlap": 0.1,
    "tracker": "single",
}
FIELD_UM = XY(1.2, 0.9)
TILES = Montage(3, 3).tiles


def make_scope(folder):
    lines = []
    for number, (x, n0, _) in POINTS.items():
        lines += [
            f"_tgt = {number:03d}",
            f"tsfile = area_ts_{number:03d}.mrc",
            f"SSX = {x}",
            f"SSY = {n0}",
            "",
        ]
    (folder / "area_tgts.txt").write_text("\n".join(lines))
    return FakeScope(folder, dict(POINTS), {folder / f"area_ts_{n:03d}.mrc": n for n in POINTS})


@pytest.fixture
def scope(tmp_path):
    return make_scope(tmp_path)


def acquire(scope, **settings):
    return acquire_area(scope, scope.item(), None, {**SETTINGS, **settings})


def journal(scope, event):
    path = scope.folder_path / "area_tgts_run01.jsonl"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line["event"] == event]


def images(scope, number, tile=None):
    """(tilt, shift, seen) of the sections of a tile, or of an ordinary series."""
    name = f"area_ts_{number:03d}.mrc" if tile is None else f"area_ts_{number:03d}_{tile.name}.mrc"
    return scope.sections[scope.folder_path / name]


# --- which images, in which order


def test_every_tile_of_every_target_but_the_tracking_target(scope):
    acquire(scope)
    assert [tilt for tilt, *_ in images(scope, 1)] == ORDER
    for number in (2, 3):
        for tile in TILES:
            assert [tilt for tilt, *_ in images(scope, number, tile)] == ORDER
    stacks = [path.stem for path in scope.sections]
    assert len(stacks) == 1 + 2 * 9 and "area_ts_002" not in stacks


def test_the_tracking_target_if_asked_for(scope):
    acquire(scope, tgtTrackMnt=True, tgtMntSize=(3, 1))
    for tile in Montage(3, 1).tiles:
        assert [tilt for tilt, *_ in images(scope, 1, tile)] == ORDER


def test_the_centre_is_taken_and_aligned_first(scope):
    acquire(scope)
    taken = [stem for stem, tilt, *_ in scope.taken if tilt == 3]
    assert taken == ["area_ts_001"] + [f"area_ts_00{n}_{tile.name}" for n in (2, 3) for tile in TILES]
    compared = {call[1].name for call in scope.calls if call[0] == "offset_from_file"}
    assert compared == {"area_ts_001.mrc", "area_ts_002_0_0.mrc", "area_ts_003_0_0.mrc"}


@pytest.mark.parametrize("jump_um", [0.0, 0.2])
def test_tiles_abut_whatever_the_alignment_finds(scope, jump_um):
    """The camera's X is the specimen's Y, its Y is against the specimen's X; targets jump at +3 degrees."""

    def jump(seconds):
        scope.jump_um = XY(jump_um, 0.0) if scope.tilt == 3 else XY(0.0, 0.0)
        scope.time += seconds

    scope.wait = jump
    acquire(scope)
    for number in (2, 3):
        for tile in TILES:
            for (_, centre, _), (_, shift, _) in zip(
                images(scope, number, TILES[0]), images(scope, number, tile)
            ):
                wanted = (-0.9 * 0.9 * tile.y, 0.9 * 1.2 * tile.x)
                assert shift.minus(centre) == pytest.approx(wanted, abs=1e-9)


def test_without_montage_all_is_as_before(scope):
    acquire(scope, tgtMontage=False, tgtMntXOffset=0.5)
    assert {path.name for path in scope.sections} == {f"area_ts_{n:03d}.mrc" for n in POINTS}
    assert all("tiles" not in line for line in journal(scope, "exposed"))
    assert "camera_axes" not in [call[0] for call in scope.calls]


# --- travel


@pytest.mark.parametrize("travel_um", [0.4, -0.4])
def test_the_montage_travels_and_the_target_is_still_followed(scope, tmp_path, travel_um):
    scope.points = {**POINTS, 2: (3.0, 2.0, 0.4)}  # its height is not known and shows as a shift along Y
    acquire(scope, tgtMntXOffset=travel_um)
    for number in (2, 3):
        for tile in (Tile(0, 0), Tile(1, -1)):
            for tilt, shift, seen in images(scope, number, tile):
                along = shift.x - seen.x + 0.9 * 0.9 * tile.y
                assert along == pytest.approx(travel_um * tilt / 6, abs=1e-6)
    for tilt, shift, seen in images(scope, 1):
        assert shift.x == pytest.approx(seen.x, abs=1e-6), tilt
    (tmp_path / "plain").mkdir()
    plain = make_scope(tmp_path / "plain")
    plain.points = scope.points
    acquire(plain)
    for line, there in zip(journal(scope, "exposed"), journal(plain, "exposed")):
        for name in ("residual_nm", "shift_um", "z0_um"):
            assert (line[name] is None) == (there[name] is None)
            assert line[name] is None or line[name] == pytest.approx(there[name], abs=1e-3)
    assert any(line["residual_nm"] and abs(line["residual_nm"][1]) > 15 for line in journal(scope, "exposed"))


def test_a_montage_that_has_travelled_at_the_start_is_compared_with_its_preview(scope):
    for number in POINTS:
        (scope.folder_path / f"area_tgt_{number:03d}.mrc").write_bytes(b"")
    path = scope.folder_path / "area_tgts.txt"
    path.write_text(
        path.read_text().replace("tsfile = area_ts_002", "tgtfile = area_tgt_002.mrc\ntsfile = area_ts_002")
    )
    acquire(scope, startTilt=-6, scheme="unidirectional", tgtMntXOffset=0.8, alignLimit=0.3, previewAli=False)
    first = next(line for line in journal(scope, "exposed") if line["target"] == 2)
    assert first["residual_nm"] == pytest.approx([0.0, 0.0], abs=1e-6)
    assert images(scope, 2, Tile(0, 0))[0][1].x == pytest.approx(3.0 - 0.8)


# --- focus


@pytest.mark.parametrize("corrected", [True, False])
def test_focus_of_tiles_on_an_inclined_sample(scope, corrected):
    plane = SamplePlane(10.0, 20.0)
    scope.points = {n: (x, n0, plane.height_um(XY(x, n0))) for n, (x, n0, _) in POINTS.items()}
    acquire(scope, pretilt=10, rotation=20, tgtMntFocusCor=corrected, minDefocus=-5, maxDefocus=-5)
    errors = []
    for line in journal(scope, "exposed"):
        for note in line.get("tiles", ()):
            place = plane.untilted(XY(*note["shift_um"]), line["tilt_deg"])
            true_um = note["focus_um"] + height_um(place.y, plane.height_um(place), line["tilt_deg"])
            errors.append(true_um + 5.0)
    assert len(errors) == 2 * 5 * 8
    assert (max(map(abs, errors)) < 3e-3) == corrected


# --- dose, books, journal


def test_each_tile_has_its_own_dose_and_account(scope):
    acquire(scope, zeroExpTime=2.0)
    accounts = {2: 0, 3: 0}
    assert len(scope.doses) == 1 + 2 * 9
    for number in accounts:
        lines = [line for line in journal(scope, "exposed") if line["target"] == number]
        assert [line["prior_dose_e_per_a2"] for line in lines] == [0, 6, 9, 12, 15]
        for place in range(8):
            assert [line["tiles"][place]["prior_dose_e_per_a2"] for line in lines] == [0, 6, 9, 12, 15]


def test_one_line_of_the_journal_tells_of_all_tiles(scope):
    acquire(scope)
    exposed = journal(scope, "exposed")
    assert len(exposed) == 15 and "tiles" not in exposed[0]
    assert [note["tile"] for note in exposed[1]["tiles"]] == [tile.name for tile in TILES[1:]]
    assert {note["section"] for line in exposed[-2:] for note in line["tiles"]} == {4}
    assert all(line["tiles_left_out"] == [] for line in exposed if line["target"] != 1)
    assert len(journal(scope, "expose_tile")) == 2 * 5 * 8


def test_metadata_of_a_tile_tells_its_place(scope):
    acquire(scope, minTilt=-3, maxTilt=3)
    entries = [call[1] for call in scope.calls if call[0] == "annotate"][1:10]
    assert [entry["TargetTile"] for entry in entries] == [f"{tile.x} {tile.y}" for tile in TILES]
    places = [tuple(map(float, entry["SpecimenShift"].split())) for entry in entries]
    for tile, place in zip(TILES, places):
        assert place == pytest.approx((3.0 - 0.81 * tile.y, 2.0 + 1.08 * tile.x), abs=1e-4)


def test_the_run_file_tells_a_half_taken_montage(scope):
    """STOP while the fourth tile of target 2 is being taken at +3 degrees."""
    scope.fail["record", 2, 3] = None
    real, seen = scope.record, []

    def record(frame_name, floor_per_s=0.0):
        seen.append(frame_name)
        if scope.tilt == 3 and scope.open.stem == "area_ts_002_1_-1":
            scope.stopped = True
            raise Stop
        return real(frame_name, floor_per_s)

    scope.record = record
    with pytest.raises(Stop):
        acquire(scope)
    state = read_run(scope.folder_path / "area_tgts_run01.txt").state
    tiles = read_tiles(state, 2)
    assert state.numbered(2).sections == 2
    assert tiles.left == TILES[3:]
    for tile in TILES[1:]:
        known = tiles.of(tile)
        assert known.section + 1 == len(images(scope, 2, tile)) == (2 if tile in TILES[1:3] else 1)
        assert known.dose_e_per_a2 == pytest.approx(3.0 * (known.section + 1))
    assert read_tiles(state, 3).left == () and read_tiles(state, 3).of(TILES[8]).section == 0
    assert [note["tile"] for note in journal(scope, "exposed")[-1]["tiles"]] == [t.name for t in TILES[1:3]]


def test_what_is_to_follow_is_in_the_run_file_with_the_centre_tile(scope):
    real = scope.offset_from_file

    def offset(reference, *rest):
        if reference.name == "area_ts_002_0_0.mrc":
            state = read_run(scope.folder_path / "area_tgts_run01.txt").state
            assert read_tiles(state, 2).left == TILES[1:]
            assert state.numbered(2).sections == len(scope.sections[reference])
        return real(reference, *rest)

    scope.offset_from_file = offset
    acquire(scope)


# --- trouble


def test_a_tile_out_of_reach_is_left_out_and_the_others_are_there(scope):
    # Target 3 at (-2, -4): its lower and left tiles are beyond 4.9 µm, the centre is not.
    acquire(scope, imageShiftLimit=4.9)
    assert [tilt for tilt, *_ in images(scope, 3, Tile(0, 0))] == ORDER
    missing = {
        tile for tile in TILES if scope.folder_path / f"area_ts_003_{tile.name}.mrc" not in scope.sections
    }
    assert missing == {Tile(-1, -1), Tile(-1, 0), Tile(-1, 1)}
    exposed = [line for line in journal(scope, "exposed") if line["target"] == 3]
    assert all(line["tiles_left_out"] == ["-1_-1", "-1_0", "-1_1"] for line in exposed)
    told = [
        line["text"]
        for line in journal(scope, "warning")
        if "beyond the limit: it is left out" in line["text"]
    ]
    assert len(told) == 3
    assert not journal(scope, "skip")


def test_a_tile_that_fails_ends_its_target_on_that_branch(scope):
    real = scope.record

    def record(frame_name, floor_per_s=0.0):
        if scope.tilt == 3 and scope.open.stem == "area_ts_002_-1_0":
            raise ImageNotSavedError("disk full", 3.0)
        return real(frame_name, floor_per_s)

    scope.record = record
    acquire(scope)
    assert [tilt for tilt, *_ in images(scope, 2, Tile(0, 0))] == [0, 3, -3, -6]
    assert [tilt for tilt, *_ in images(scope, 2, Tile(-1, 0))] == [0, -3, -6]
    skip = journal(scope, "skip")
    assert [(line["target"], line["branch"]) for line in skip] == [(2, "up")] and "tile -1_0" in skip[0][
        "reason"
    ]
    down = [line for line in journal(scope, "exposed") if line["target"] == 2 and line["tilt_deg"] < 0]
    prior = {note["tile"]: note["prior_dose_e_per_a2"] for note in down[0]["tiles"]}
    assert (
        prior["-1_0"] == prior["-1_-1"] == 6.0 and prior["1_1"] == 3.0
    )  # what was not saved has cost its dose
    assert down[0]["prior_dose_e_per_a2"] == 6.0


def test_a_target_that_goes_dark_costs_no_more_tiles(scope):
    scope.fail["record", 3, 3] = 0.5
    scope.fail["record", 2, -6] = ScopeError("the camera timed out")  # so that the state is kept
    acquire(scope)
    assert [tilt for tilt, *_ in images(scope, 3, Tile(0, 0))] == [0, 3, -3, -6]
    assert [tilt for tilt, *_ in images(scope, 3, Tile(1, 0))] == [0, -3, -6]
    state = read_run(scope.folder_path / "area_tgts_run01.txt").state
    assert not state.is_finished and read_tiles(state, 3).left == ()


def test_a_black_tile_is_judged_by_its_own_images(scope):
    """A tile on a bar of the grid is black from the start: that is not the beam's fault."""
    real = scope.record

    def record(frame_name, floor_per_s=0.0):
        bright, scope.counts = scope.counts, 2.0 if scope.open.stem.endswith("_1_1") else scope.counts
        try:
            return real(frame_name, floor_per_s)
        finally:
            scope.counts = bright

    scope.record = record
    acquire(scope)
    assert not [call for call in scope.calls if call[0] == "set_aside"]
    assert [tilt for tilt, *_ in images(scope, 2, Tile(1, 1))] == ORDER


def test_no_tiles_where_the_size_of_the_image_is_not_known(scope):
    real = scope._shot
    scope._shot = lambda counts: real(counts)._replace(field_um=XY(0.0, 0.0))
    acquire(scope)
    assert {len(sections) for sections in scope.sections.values()} == {5} and len(scope.sections) == 3
    assert any("only the centre tile is taken" in line["text"] for line in journal(scope, "warning"))


def test_uncalibrated_axes_end_targets_that_need_them_only(scope):
    scope.fail["camera_axes", None, None] = ScopeError("not calibrated")
    acquire(scope)
    assert len(images(scope, 1)) == 5
    assert {line["target"] for line in journal(scope, "skip")} == {2, 3}


def test_existing_stacks_of_tiles_are_kept(scope):
    for name in ("area_ts_002_0_0.mrc", "area_ts_002_2_-2.mrc", "area_ts_002_2_-2.mrc.mdoc"):
        (scope.folder_path / name).write_text("earlier")
    acquire(scope)
    for name in ("area_ts_002_0_0.mrc", "area_ts_002_2_-2.mrc", "area_ts_002_2_-2.mrc.mdoc"):
        assert (scope.folder_path / f"{name}~1").read_text() == "earlier"
        assert not (scope.folder_path / name).exists()


# --- on the simulator

SAMPLE = LamellaSpec(pretilt_deg=-12.0, rotation_deg=10.0, curvature_um=(0.0, 0.0))


def exact(profile, turn_deg=0.0):
    """A column measured without error, its camera turned."""
    return replace(
        profile,
        calibration_scale_error=0.0,
        calibration_rotation_error_deg=0.0,
        focus_wander_um=0.0,
        magnifications=tuple(
            replace(m, rotation_deg=m.rotation_deg + turn_deg) for m in profile.magnifications
        ),
    )


class Run:
    """One acquisition of a lamella; what happened is in `truth`."""

    def __init__(self, folder, column=None, fidelity="kinematic", area="R", **settings):
        given = {
            "startTilt": 0,
            "minTilt": -6,
            "maxTilt": 6,
            "pretilt": -12,
            "rotation": 10,
            "noZeroRecAli": True,
            "tgtMontage": True,
            "tgtMntSize": "3,3",
            "tgtMntOverlap": 0.1,
            "minDefocus": -5,
            "maxDefocus": -5,
            **settings,
        }
        overrides = tuple(f"{name}={value}" for name, value in given.items())
        name, chosen = choose_targets(Rehearsal(folder, sample="lamella", targets=2, overrides=overrides))
        chosen = replace(chosen, targets=(chosen.targets[0], replace(chosen.targets[1], area=area)))
        self.folder, self.files, self.column = folder, AreaFiles(folder / name), column or exact(KRIOS_SCOPE)
        with TruthLog(folder / "truth.jsonl") as self.truth:
            world = World(WorldConfig(SAMPLE, IDEAL, self.column, 3, fidelity), self.truth)
            self.session = open_session(world, self.files, chosen)
            scope = SerialEMScope(make_module(self.session))
            acquire_area(scope, scope.item(), None, {})

    def path(self, tile, number=2):
        return self.folder / f"{self.files.root}_ts_{number:03d}_{tile.name}.mrc"

    def saved(self, tile, number=2):
        name = self.path(tile, number).name
        return [line for line in self.truth.events if line["event"] == "saved" and line["file"] == name]

    def apart_um(self, tile, number=2):
        """Where a tile shows the sample from the centre tile, seen along the beam: a row for each section."""
        rows = []
        for centre, line in zip(self.saved(TILES[0], number), self.saved(tile, number)):
            x, y, z = (line[f"sample_{c}_um"] - centre[f"sample_{c}_um"] for c in "xyz")
            tilt = math.radians(line["tilt_true_deg"])
            rows.append((x, y * math.cos(tilt) - z * math.sin(tilt)))
        return np.array(rows)

    def field_um(self, area="R"):
        """Size of an image, whose shape is that of the small one that stands for it where nothing is rendered."""
        optics, camera = self.session.world.optics, self.column.camera
        width_um = camera.size_px[0] * optics.true_pixel_um(self.session.low_dose.areas[area].mag_index)
        columns, rows = make_module(self.session).ImageProperties("A")[:2]
        return np.array([width_um, width_um * rows / columns])


@pytest.mark.parametrize(
    ("column", "turn_deg"),
    [(KRIOS_SCOPE, 0.0), (KRIOS_SCOPE, 110.0), (CRYOARM_SCOPE, 0.0), (CRYOARM_SCOPE, -70.0)],
)
def test_true_places_of_tiles(tmp_path, column, turn_deg):
    """An image less the overlap apart along the camera's axes, for both hands of the image shift."""
    run = Run(tmp_path, exact(column, turn_deg), tgtMntXOffset=0.3)
    mag = run.session.low_dose.areas["R"].mag_index
    # The tilt axis lies that much counter-clockwise from the camera's X.
    turn = -math.radians(run.session.world.optics.true_rotation_deg(mag))
    right, up = (math.cos(turn), math.sin(turn)), (-math.sin(turn), math.cos(turn))
    step = 0.9 * run.field_um()
    for tile in TILES[1:]:
        wanted = tile.x * step[0] * np.array(right) + tile.y * step[1] * np.array(up)
        apart = run.apart_um(tile)
        assert len(apart) == 5 and np.abs(apart - wanted).max() < 0.012
    # All tiles travel along the tilt axis; the target is found again all the same.
    way = [line["sample_x_um"] for line in run.saved(TILES[0])]
    assert np.array(way) - way[0] == pytest.approx([0, 0.15, 0.3, -0.15, -0.3], abs=0.03)


@pytest.mark.parametrize("column", [KRIOS_SCOPE, CRYOARM_SCOPE], ids=lambda column: column.name)
def test_tiles_show_what_lies_beside_the_centre(tmp_path, column):
    """With half of the image as overlap the right half of the centre is the left half of its right neighbour."""
    run = Run(tmp_path, exact(column), "rendered", tgtMntOverlap=0.5, step=1, minTilt=-1, maxTilt=0)
    shown = {}
    for tile in TILES:
        image = mrcfile.read(run.path(tile))[0].astype(float)  # bottom row first
        shown[tile] = gaussian_filter(image, 6)
    rows, columns = (side // 2 for side in shown[TILES[0]].shape)

    def alike(one, other):
        return np.corrcoef(one.ravel(), other.ravel())[0, 1]

    centre = shown[TILES[0]]
    assert alike(centre[:, -columns:], shown[Tile(1, 0)][:, :columns]) > 0.8
    assert alike(centre[-rows:], shown[Tile(0, 1)][:rows]) > 0.8
    assert alike(centre[-rows:, :columns], shown[Tile(-1, 1)][:rows, -columns:]) > 0.8


@pytest.mark.parametrize("corrected", [True, False])
def test_true_defocus_of_tiles_on_an_inclined_lamella(tmp_path, corrected):
    run = Run(tmp_path, minTilt=-45, maxTilt=45, step=15, tgtMntFocusCor=corrected)
    worst = worst_defocus_of_tiles_um(run)
    assert worst < 0.02 if corrected else worst > 0.5


def test_true_defocus_of_tiles_that_travel(tmp_path):
    """The centre tile travels over the inclined sample, too."""
    # The joint tracker corrects the focus by each fit, and so by its noise.
    focus = {"tgtMntFocusCor": True, "tgtMntXOffset": 1.5, "tracker": "single"}
    run = Run(tmp_path, minTilt=-30, maxTilt=30, step=7.5, **focus)
    assert len(run.saved(TILES[0])) == 9 and worst_defocus_of_tiles_um(run) < 0.02
    own = [line["defocus_um"] for line in run.saved(TILES[0])]
    assert max(own) - min(own) < 0.03


def worst_defocus_of_tiles_um(run):
    """Largest difference from the centre tile's."""
    worst = 0.0
    for tile in TILES[1:]:
        for centre, line in zip(run.saved(TILES[0]), run.saved(tile)):
            worst = max(worst, abs(line["defocus_um"] - centre["defocus_um"]))
    return worst


def test_stacks_are_complete_and_metadata_tell_the_truth(tmp_path):
    run = Run(tmp_path, zeroExpTime=2.0, tgtTrackMnt=True, tgtMntSize="3,1", trackTwice="never")
    for number in (1, 2):
        for tile in Montage(3, 1).tiles:
            lines, sections = (
                run.saved(tile, number),
                read_mdoc(f"{run.path(tile, number)}.mdoc").need_images(),
            )
            assert read_header(run.path(tile, number)).sections == len(lines) == len(sections) == 5
            assert [line["dose_e_per_a2"] for line in lines] == pytest.approx([6, 3, 3, 3, 3])
            prior = [section.need_float("PriorRecordDose") for section in sections]
            assert np.array(prior) - prior[0] == pytest.approx([0, 6, 9, 12, 15])
            assert [section.tilt_deg for section in sections] == pytest.approx([0, 3, 6, -3, -6], abs=0.02)
            assert {section.text("TargetTile") for section in sections} == {f"{tile.x} {tile.y}"}
            centre = read_mdoc(f"{run.path(TILES[0], number)}.mdoc").need_images()
            for here, there, apart in zip(sections, centre, run.apart_um(tile, number)):
                place, middle = (np.array(s.text("SpecimenShift").split(), float) for s in (here, there))
                assert place - middle == pytest.approx(apart, abs=0.02)


def test_the_tracking_target_as_a_montage_at_its_own_magnification(tmp_path):
    run = Run(tmp_path, tgtTrackMnt=True, tgtMntSize="3,1", trackMag=33000, minTilt=-3, maxTilt=3)
    steps = {}
    for number, mag in ((1, 33000), (2, 64000)):
        for tile in Montage(3, 1).tiles:
            sections = read_mdoc(f"{run.path(tile, number)}.mdoc").need_images()
            assert {section.need_float("Magnification") for section in sections} == {mag}
        steps[number] = np.linalg.norm(run.apart_um(Tile(1, 0), number), axis=1)
        assert steps[number] == pytest.approx([steps[number][0]] * 3, abs=5e-3)
        assert run.apart_um(Tile(-1, 0), number) == pytest.approx(-run.apart_um(Tile(1, 0), number), abs=5e-3)
    pixels = {m.magnification: m.pixel_nm for m in run.column.magnifications if not m.low_mag}
    assert steps[1][0] / steps[2][0] == pytest.approx(pixels[33000] / pixels[64000], rel=0.01)


def test_rejected_images_of_a_tile_cost_that_tile(scope):
    """The valves close while a tile is being taken: it is taken again, and its stack is complete."""
    real, dark = scope.record, []

    def record(frame_name, floor_per_s=0.0):
        bright = scope.counts
        if scope.tilt == 3 and scope.open.stem == "area_ts_002_1_0" and not dark:
            dark.append(frame_name)
            scope.counts = 1.0
        try:
            return real(frame_name, floor_per_s)
        finally:
            scope.counts = bright

    scope.record = record
    acquire(scope)
    assert [tilt for tilt, *_ in images(scope, 2, Tile(1, 0))] == ORDER
    aside = [call[1].name for call in scope.calls if call[0] == "set_aside"]
    assert aside == ["area_ts_002_1_0_rejected.mrc"]
    prior = {}
    for line in journal(scope, "exposed"):
        if line["target"] == 2:
            prior.setdefault("0_0", []).append(line["prior_dose_e_per_a2"])
            for note in line["tiles"]:
                prior.setdefault(note["tile"], []).append(note["prior_dose_e_per_a2"])
    assert prior["0_0"] == prior["1_1"] == [0, 3, 6, 9, 12]
    assert prior["1_0"] == pytest.approx([0, 3.03, 6.03, 9.03, 12.03])


def test_the_report_takes_the_centre_tile_for_its_target(tmp_path):
    run = Run(tmp_path)
    truth = read_truth(run.folder / "truth.jsonl")
    sections = truth.sections_of(f"{run.files.root}_ts_002.mrc")
    assert [sections[n].file for n in range(5)] == [run.path(TILES[0]).name] * 5


def test_a_montage_in_view_is_one_of_views_field(tmp_path):
    run = Run(tmp_path, area="V", tgtMntSize="3,1", minTilt=-3, maxTilt=3, imageShiftLimit=60)
    assert {line["lda"] for tile in Montage(3, 1).tiles for line in run.saved(tile)} == {"V"}
    step = 0.9 * run.field_um("V")[0]
    assert step > 3
    for tile in Montage(3, 1).tiles[1:]:
        assert np.linalg.norm(run.apart_um(tile), axis=1) == pytest.approx([step] * 3, rel=0.01)
    right, left = run.apart_um(Tile(1, 0)), run.apart_um(Tile(-1, 0))
    assert right == pytest.approx(-left, abs=0.05)
