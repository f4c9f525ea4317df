"""Maps taken on the simulated microscope: the editor has them where the true sample is."""

import numpy as np
import pytest

from mock_serialem.module import make_module
from mock_serialem.session import Session
from mock_serialem.sim.world import make_world
from pacetomo.editor.maps import MapItem, place_on_plot, read_map, stage_matrix
from pacetomo.editor.model import Document, Known
from pacetomo.files.navigator import read_navigator
from pacetomo.frames import XY
from pacetomo.targets import Override, Target, TargetSet


def simulated_map(folder, tilt_deg):
    """A session with a View map at a tilt, and the map as its Navigator file has it."""
    session = Session(make_world("lamella", "ideal", 3, "rendered"), folder)
    sem = make_module(session)
    sem.OpenNavigator()
    sem.TiltTo(tilt_deg)
    sem.OpenNewFile("maps.mrc")
    sem.V()
    sem.NewMap()
    sem.SaveNavigator("lam.nav")
    navigator = read_navigator(folder / "lam.nav")
    (entry,) = navigator.items
    data = entry.map_data
    item = MapItem(
        entry.label,
        folder / "maps.mrc",
        data.section,
        data.is_montage,
        entry.stage_um,
        data.stage_to_pixel,
        data.size,
        data.tilt_deg,
    )
    return session, sem, item


@pytest.mark.parametrize("tilt_deg", [0.0, 35.0])
def test_a_map_tells_the_stage_as_the_microscope_has_it(tmp_path, tilt_deg):
    _, sem, item = simulated_map(tmp_path / "session", tilt_deg)
    found = stage_matrix(item)
    sem.GoToLowDoseArea("R")
    true = sem.StageToSpecimenMatrix(0)
    assert (found.xpx, found.xpy, found.ypx, found.ypy) == pytest.approx(true[:4], abs=0.01)


def test_what_is_seen_in_a_map_is_where_image_shift_finds_it(tmp_path):
    _, sem, item = simulated_map(tmp_path / "session", 20.0)
    x, y, _ = sem.ReportStageXYZ()
    first = Target(1, "a_ts_001.mrc", shift_um=XY(0.0, 0.0), stage_um=XY(x, y))
    targets = TargetSet((first,), (Override("tiltTargets", "20"),))
    document = Document(tmp_path / "a_tgts.txt", targets, Known(stage_to_specimen=stage_matrix(item)))
    shown = read_map(item, longest_px=400)
    rows, columns = shown.image.pixels.shape
    to_specimen = sem.CameraToSpecimenMatrix(0)[:4]
    place = place_on_plot(document, shown.stage_at(0.7 * columns, 0.2 * rows))
    # The microscope's own way there: pixels of View, Y up, to the specimen's axes.
    sem.V()
    width, height, _, _, pixel_nm = sem.ImageProperties("A")[:5]
    right_um, up_um = 0.2 * width * pixel_nm / 1000, 0.3 * height * pixel_nm / 1000
    xpx, xpy, ypx, ypy = (value / np.hypot(*to_specimen[::2]) for value in to_specimen)
    assert place == pytest.approx((xpx * right_um + xpy * up_um, ypx * right_um + ypy * up_um), abs=0.02)
