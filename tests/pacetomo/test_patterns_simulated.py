"""Finding areas, targets and patterns on the simulator, judged by where its truth log says the images were taken."""

import itertools
import json
import math
from dataclasses import replace

import numpy as np
import pytest
from simulated import FLAT, journal_of, residuals_nm, saved

from mock_serialem.module import make_module
from mock_serialem.sim.holey import HoleyMatter
from mock_serialem.sim.profiles import IDEAL, KRIOS_SCOPE
from mock_serialem.sim.sample import HoleySpec
from mock_serialem.sim.truth import TruthLog
from mock_serialem.sim.world import World, WorldConfig
from pacetomo.acquire import acquire_area
from pacetomo.area_files import AreaFiles
from pacetomo.errors import PlanError
from pacetomo.files.mdoc import read_mdoc
from pacetomo.files.stack import section_count
from pacetomo.files.target_file import parse_targets, read_targets, write_targets
from pacetomo.frames import XY
from pacetomo.rehearse import open_session
from pacetomo.scope.serialem_scope import SerialEMScope

VECTORS = ((2.98, 0.34), (-0.34, 2.98))
TILTS = {"minTilt": -6, "maxTilt": 6, "pretilt": 1.5}
HOLES = {"missing": (), "empty": (), "missing_share": 0.0, "pretilt_deg": 1.5, **FLAT}


def lattice(turn_deg, stretch=(1.0, 1.0)):
    """The vectors of the target file, turned and stretched, as those of a real grid are."""
    c, s = math.cos(math.radians(turn_deg)), math.sin(math.radians(turn_deg))
    return tuple((k * (c * x - s * y), k * (s * x + c * y)) for k, (x, y) in zip(stretch, VECTORS))


class Grid:
    """A pattern of 5 x 5 holes copied to a grid whose lattice may differ from that of the target file."""

    def __init__(self, folder, lattice_um=VECTORS, stage=IDEAL, **settings):
        self.folder = folder
        self.files = AreaFiles(folder / "holey_tgts_p01.txt")
        self.truth = TruthLog(folder / "truth.jsonl")
        spec = HoleySpec(lattice_um=lattice_um, **HOLES)
        self.world = World(WorldConfig(spec, stage, KRIOS_SCOPE, 3, "kinematic"), self.truth)
        names = ("vecA0", "vecA1", "vecB0", "vecB1")
        given = {"tgtPattern": True, **TILTS, "size": 2, **settings}
        given.update(zip(names, itertools.chain(*VECTORS)))
        lines = [f"_{'bset' if isinstance(v, bool) else 'set'} {name} = {v}" for name, v in given.items()]
        lines += ["", "_tgt = 001", "tsfile = holey_p01_ts_001.mrc", "SSX = 0", "SSY = 0", ""]
        self.session = open_session(self.world, self.files, parse_targets("\n".join(lines)))
        self.sem = make_module(self.session)

    def acquire(self, **script_settings):
        scope = SerialEMScope(self.sem)
        try:
            acquire_area(scope, scope.item(), None, script_settings)
        finally:
            self.truth.close()
        return self

    def starts(self):
        """Hole (indices) and distance from its centre (µm) of the first image of each target."""
        matter = HoleyMatter(self.world.config.sample, self.world.config.seed)
        found = []
        for line in saved(self.folder):
            if line["section"] == 0:
                away = np.array([-line["sample_x_um"], -line["sample_y_um"], 0.0])
                here = self.world.sheet.at_centre(np.eye(3), away)
                i, j, distance = matter.nearest_hole(np.array([here.u_um]), np.array([here.v_um]))
                found.append(((int(i[0]), int(j[0])), float(distance[0])))
        return found


TURNED = [lattice(3.0, (1.02, 0.98)), lattice(-3.0, (0.98, 1.02))]


@pytest.mark.parametrize("lattice_um", TURNED)
def test_refined_vectors_bring_every_target_onto_its_hole(tmp_path, lattice_um):
    starts = Grid(tmp_path, lattice_um, refineVec=True, previewAli=False).acquire().starts()
    assert sorted(hole for hole, _ in starts) == sorted(itertools.product(range(-2, 3), repeat=2))
    assert max(off for _, off in starts) < 0.2


@pytest.mark.parametrize("lattice_um", TURNED)
def test_without_refining_the_outer_targets_miss_their_holes(tmp_path, lattice_um):
    starts = Grid(tmp_path, lattice_um, previewAli=False).acquire().starts()
    assert max(off for _, off in starts) > 0.45


def test_a_lattice_turned_by_a_third_of_a_hole_is_still_followed(tmp_path):
    grid = Grid(tmp_path, lattice(9.0), refineVec=True, alignToP=True).acquire()
    assert len({hole for hole, _ in grid.starts()}) == 25
    assert max(off for _, off in grid.starts()) < 0.2
    told = next(line for line in journal_of(grid.files) if line.get("name") == "vectors")
    # Specimen coordinates are those of the microscope's calibration, which is off by up to 1 % and 0.3 degrees.
    assert np.array(told["after_um"]) == pytest.approx(np.array(lattice(9.0)), abs=0.05)


def test_each_target_is_put_onto_its_hole_by_the_operator_s_image(tmp_path):
    """`previewAli` with `alignToP` means: see to it that start images are on target, by View and buffer P."""
    grid = Grid(tmp_path, TURNED[0], alignToP=True, previewAli=True).acquire()
    assert max(off for _, off in grid.starts()) < 0.2
    assert len({hole for hole, _ in grid.starts()}) == 25
    set_up = [line["set"] for line in grid.truth.events if line["event"] == "exposure"]
    before_first_record = set_up[: set_up.index("R")]
    assert "P" not in before_first_record  # the dose of a Preview is not spent


def test_the_hole_survives_the_whole_run(tmp_path):
    grid = Grid(tmp_path, TURNED[0], alignToP=True, refineVec=True, refFromPreview=True)
    before = grid.session.buffers.get("P")
    shot, pixels = before.shot, before.pixels.copy()
    grid.acquire()
    after = grid.session.buffers.get("P")
    assert after.shot.number == shot.number
    assert np.array_equal(after.pixels, pixels)


@pytest.mark.parametrize("setting", ["alignToP", "refineVec"])
def test_an_empty_buffer_p_is_refused_without_an_electron(tmp_path, setting):
    grid = Grid(tmp_path)
    exposures = len(grid.truth.events)
    with pytest.raises(PlanError, match="buffer P is empty"):
        grid.acquire(**{setting: True})
    assert len(grid.truth.events) == exposures


def test_an_image_of_another_magnification_in_buffer_p_is_refused(tmp_path):
    grid = Grid(tmp_path, alignToP=True)
    grid.sem.R()
    grid.sem.Copy("A", "P")
    with pytest.raises(PlanError, match="was not taken in View"):
        grid.acquire()


def test_a_hole_of_other_binning_will_do(tmp_path):
    grid = Grid(tmp_path, TURNED[0], alignToP=True)
    grid.sem.SetBinning("V", 8)
    grid.acquire()
    assert max(off for _, off in grid.starts()) < 0.25


# --- references and dose


def test_previews_become_references_and_their_dose_is_counted(tmp_path):
    grid = Grid(tmp_path, TURNED[0], alignToP=True, refFromPreview=True, trackTwice="never").acquire()
    previews = [line for line in grid.truth.events if line["event"] == "exposure" and line["set"] == "P"]
    assert len(previews) == 25
    # View images light all targets; those of the set-up before the area's own are none of it.
    views = [line for line in grid.truth.events if line["event"] == "exposure" and line["set"] == "V"]
    spent = sum(line["dose_e_per_a2"] for line in views)
    for number in range(1, 26):
        assert section_count(tmp_path / f"holey_p01_tgt_{number:03d}.mrc") == 1
        images = read_mdoc(tmp_path / f"holey_p01_ts_{number:03d}.mrc.mdoc").need_images()
        priors = [image.need_float("PriorRecordDose") for image in images]
        dose = previews[0]["dose_e_per_a2"]
        assert dose > 0.5
        assert dose < priors[0] - 1.0 and priors[0] == pytest.approx(dose + spent, abs=1.5)
        assert priors == pytest.approx([priors[0] + 3.0 * n for n in range(len(images))], abs=0.01)
        x_um, y_um = images[0].need_floats("TargetResidual", 2)
        assert math.hypot(x_um, y_um) < 0.06


def off_by(folder, shift_um, **settings):
    """The bundled holes with references, then the coordinates of target 2 spoilt; its residuals (nm)."""
    folder.mkdir()
    files = AreaFiles(folder / "holey_tgts.txt")
    truth = TruthLog(folder / "truth.jsonl")
    world = World(WorldConfig(HoleySpec(**HOLES), IDEAL, KRIOS_SCOPE, 3, "kinematic"), truth)
    lines = [f"_set {name} = {value}" for name, value in TILTS.items()]
    for number, (x_um, y_um) in enumerate(((0.0, 0.0), VECTORS[0]), 1):
        name = f"holey_tgt_{number:03d}.mrc"
        lines += ["", f"_tgt = {number:03d}", f"tsfile = holey_ts_{number:03d}.mrc", f"tgtfile = {name}"]
        lines += [f"SSX = {x_um}", f"SSY = {y_um}"]
    session = open_session(world, files, parse_targets("\n".join(lines)))
    targets = read_targets(files.target_file)
    place = targets.numbered(2).shift_um
    write_targets(files.target_file, targets.with_shift(2, place.plus(XY(*shift_um))))
    scope = SerialEMScope(make_module(session))
    acquire_area(scope, scope.item(), None, {"previewAli": False, **settings})
    truth.close()
    return residuals_nm(folder, 2)


def test_the_start_image_is_corrected_by_its_preview_reference(tmp_path):
    """Aimed 0.2 µm beyond the target in X, the later images come back by as much."""
    corrected = off_by(tmp_path / "corrected", (0.2, -0.1))[1:]
    assert np.abs(corrected - (200, -100)).max() < 40
    left = off_by(tmp_path / "left", (0.2, -0.1), noZeroRecAli=True)[1:]
    assert np.abs(left).max() < 40


def test_the_start_image_is_not_corrected_beyond_the_limit(tmp_path):
    """What is farther off than alignLimit is no value, and the series goes on where it was."""
    residuals = off_by(tmp_path / "far", (0.2, -0.1), alignLimit=0.15)
    assert len(residuals) == 5 and np.abs(residuals[1:]).max() < 40
    lines = [
        json.loads(line) for line in (tmp_path / "far" / "holey_tgts_run01.jsonl").read_text().splitlines()
    ]
    first = next(line for line in lines if line["event"] == "exposed" and line["target"] == 2)
    assert first["residual_nm"] is None
    assert not any(line["event"] == "skip" for line in lines)


# --- Realign to Item


def away_um(folder, with_map, **settings):
    """How far from the place of the item the tracking target's first image was taken, on a stage that misses by far."""
    folder.mkdir()
    grid = Grid(folder, stage=replace(IDEAL, move_error_um=0.9), previewAli=False, size=0, **settings)
    item = grid.session.navigator.items[0]
    grid.sem.MoveStageTo(*item.stage_um)
    if with_map:
        grid.sem.V()
        grid.sem.OpenNewFile("map.mrc")
        grid.sem.NewMap()
        grid.sem.CloseFile()
        columns, rows = grid.session.buffers.get("A").size_px
        point = grid.sem.AddImagePosAsNavPoint("A", columns / 2, rows / 2)
        grid.sem.ChangeItemNote(int(point), grid.files.target_file.name)
    grid.sem.GoToLowDoseArea("R")
    place = grid.world.pose("R").centre_um[:2]
    grid.sem.MoveStage(30, -20)
    grid.acquire()
    first = saved(folder, 1)[0]
    return math.dist(place, (first["sample_x_um"], first["sample_y_um"])), grid


def test_an_area_is_found_again_by_its_map(tmp_path):
    realigned, _ = away_um(tmp_path / "realigned", True, realignToItem=True)
    assert realigned < 0.2
    moved, _ = away_um(tmp_path / "moved", True)
    assert moved > 0.6


def test_an_item_on_no_map_is_moved_to(tmp_path):
    _, grid = away_um(tmp_path / "r", False, realignToItem=True)
    warnings = [line["text"] for line in journal_of(grid.files) if line["event"] == "warning"]
    assert any("not inside any map" in text for text in warnings)
    assert len(saved(tmp_path / "r", 1)) == 5


@pytest.mark.parametrize("shift_um", [(1.3, 1.3), (-1.4, 1.0)])
def test_a_pattern_that_comes_down_between_holes_goes_to_one_of_them(tmp_path, shift_um):
    """Farther from its own hole than half the way to the next one, as after the moves of some stages."""
    grid = Grid(tmp_path, alignToP=True, size=1)
    item = grid.session.navigator.items[-1]
    x_um, y_um, z_um = item.floats("StageXYZ")
    item.set("StageXYZ", f"{x_um + shift_um[0]} {y_um + shift_um[1]} {z_um}")
    grid.acquire()
    starts = grid.starts()
    assert len(starts) == 9 and len({hole for hole, _ in starts}) == 9
    assert max(distance for _, distance in starts) < 0.4
