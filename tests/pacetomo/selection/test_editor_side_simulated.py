"""What the target editor does with a microscope, on the simulator."""

from __future__ import annotations

import numpy as np
import pytest
from choosing import Choosing

from mock_serialem.sim.sample import LamellaSpec
from pacetomo.editor.model import Document
from pacetomo.errors import PlanError, TargetFileError
from pacetomo.files.target_file import read_targets, write_targets
from pacetomo.frames import XY
from pacetomo.selection.editor_side import EditorSide
from pacetomo.targets import GeoPoint, Target, TargetSet


@pytest.fixture
def at_the_editor(tmp_path):
    """A microscope with an area of two targets at its stage position, and the document of its file."""

    def make(points=(), sample="lamella", **world):
        here = Choosing(tmp_path, sample=sample, fidelity="kinematic", **world)
        x_um, y_um, _ = here.desk.stage_um()
        targets = TargetSet(
            (
                Target(1, "lam_ts_001.mrc", shift_um=XY(0, 0), stage_um=XY(x_um, y_um)),
                Target(2, "lam_ts_002.mrc", shift_um=XY(2.0, 1.0)),
            ),
            geo_points=tuple(GeoPoint(XY(*point)) for point in points),
        )
        path = tmp_path / "lam_tgts.txt"
        write_targets(path, targets)
        return here, EditorSide(here.desk), Document(path, targets)

    return make


def test_what_the_microscope_knows(at_the_editor):
    _, side, _ = at_the_editor()
    known = side.known()
    assert known.has_microscope and "lam_tgts.txt" in known.names
    assert known.stage_to_specimen.xpx == pytest.approx(-1.0, abs=0.05)


def test_views_are_taken_where_the_targets_are(at_the_editor):
    here, side, document = at_the_editor(stage="ideal")
    told = []
    saved = side.save_views(document, [1, 2], lambda done, of: told.append((done, of)))
    assert saved == {1: "lam_tgt_001_view.mrc", 2: "lam_tgt_002_view.mrc"}
    assert all((here.folder / name).is_file() for name in saved.values())
    assert told == [(0, 2), (1, 2), (2, 2)]
    first, second = here.exposures("V")
    step = here.seen_um((second["sample_x_um"], second["sample_y_um"], 0.0)) - here.seen_um(
        (first["sample_x_um"], first["sample_y_um"], 0.0)
    )
    assert step == pytest.approx((2.0, 1.0), abs=0.1)


def test_the_document_as_it_is_shown_is_copied(at_the_editor):
    here, side, document = at_the_editor()
    here.desk.set_acquire(here.desk.add_point(XY(30.0, 0.0), 0.0), True)
    changed = TargetSet(document.targets.targets[:1])
    files = side.copy_to_acquire(Document(document.path, changed), lambda done, of: None)
    assert [path.name for path in files] == ["lam_tgts_p01.txt"]
    assert len(read_targets(files[0]).targets) == 1


def test_the_geometry_is_measured_at_its_points(at_the_editor):
    points = [(-3.0, -3.0), (3.0, -3.0), (3.0, 3.0), (-3.0, 3.0), (0.0, -4.0)]
    sample = LamellaSpec(pretilt_deg=-12.0, rotation_deg=0.0, curvature_um=(0.0, 0.0))
    here, side, document = at_the_editor(points, sample=sample, stage="ideal")
    before = np.array(here.desk.stage_um())
    found = side.measure_geometry(document, lambda done, of: None)
    assert found.pretilt_deg == pytest.approx(-12.0, abs=1.5)
    assert found.figure is not None and found.figure.is_file()
    assert len(found.points_um) == 5
    assert np.array(here.desk.stage_um()) == pytest.approx(before, abs=0.1)


def test_too_few_points_are_said_before_anything_moves(at_the_editor):
    here, side, document = at_the_editor([(1.0, 1.0)])
    with pytest.raises(PlanError, match="1 geometry points are there, at least 3"):
        side.measure_geometry(document, lambda done, of: None)
    assert here.exposures() == []


def test_no_point_set_to_acquire_is_said(at_the_editor):
    _, side, document = at_the_editor()
    with pytest.raises(TargetFileError, match="no place to copy the targets to"):
        side.copy_to_acquire(document, lambda done, of: None)
