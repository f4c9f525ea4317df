"""Doses in the metadata against those that the simulated beam has really brought."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from fake_scope import FakeScope
from simulated import acquire_on

from mock_serialem.sim.sample import LamellaSpec
from mock_serialem.sim.world import World
from pacetomo import metadata_keys as keys
from pacetomo.area_files import AreaFiles
from pacetomo.beam_dose import FOCUS_IMAGES, BeamDose, FocusBeam
from pacetomo.errors import ScopeError
from pacetomo.files.mdoc import read_mdoc
from pacetomo.finding import EUCENTRICITY_IMAGES
from pacetomo.frames import XY, Matrix2
from pacetomo.job import make_job
from pacetomo.scope.facts import Facts
from pacetomo.scope.protocol import Area, Limits, Shot
from pacetomo.settings import SettingsLayer, resolve_settings
from pacetomo.targets import Target, TargetSet

VIEW_DOSE = 0.1


def truth_of(folder):
    """Exposures and saved sections; of these also which exposure they are of."""
    lines = [json.loads(line) for line in (folder / "truth.jsonl").read_text().splitlines()]
    exposures, saved = [], []
    for line in lines:
        if line["event"] == "exposure":
            exposures.append(line)
        elif line["event"] == "saved":
            saved.append({**line, "exposure": len(exposures) - 1})
    return exposures, saved


def share(beam, place, section):
    """Share of an image at a place that a beam exposes, from the truth log alone."""
    columns, rows, pixel_um, turn = section
    tilt = math.radians(beam["tilt_true_deg"])
    dx, dy, dz = (beam[f"sample_{axis}_um"] - place[f"sample_{axis}_um"] for axis in "xyz")
    at = dx, dy * math.cos(tilt) - dz * math.sin(tilt)
    x, y = np.meshgrid(
        (np.arange(60) / 59.0 - 0.5) * columns * pixel_um, (np.arange(60) / 59.0 - 0.5) * rows * pixel_um
    )
    c, s = math.cos(turn), math.sin(turn)
    apart = np.hypot(c * x - s * y - at[0], s * x + c * y - at[1])
    return float(np.mean(apart <= beam["beam_radius_um"]))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run in which target 2 lies so near to target 1 that their beams meet at high tilt, and where that went."""
    folder = tmp_path_factory.mktemp("dose")
    marks = []
    real = World.find_eucentric_z

    def find(world, fine, setup):
        before = world.exposures
        answer = real(world, fine, setup)
        marks.append(range(before, world.exposures))
        return answer

    def nearer(targets):
        first, second, *rest = targets.targets
        return replace(targets, targets=(first, replace(second, shift_um=XY(0.0, 0.75)), *rest))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(World, "find_eucentric_z", find)
        acquire_on(folder, LamellaSpec(), targets=3, maxTilt=48, step=6, addAF=True, edit=nearer)
    return folder, {place for mark in marks for place in mark}


@pytest.mark.parametrize("number", [1, 2, 3])
def test_prior_and_neighbour_dose_are_what_the_beam_has_brought(run, number):
    folder, eucentric = run
    mdoc = read_mdoc(folder / f"lamella_ts_{number:03d}.mrc.mdoc")
    # Images are not rendered here, so that the stacks do not tell the camera's size.
    section = (
        1440,
        1023,
        mdoc.head.need_float("PixelSpacing") / 1e4,
        -math.radians(mdoc.images[0].need_float("RotationAngle")),
    )
    exposures, saved_lines = truth_of(folder)
    name = f"lamella_ts_{number:03d}.mrc"
    own = [line for line in saved_lines if line["file"].endswith(name)]
    assert len(own) == len(mdoc.images) > 10
    mine = {line["exposure"] for line in own}
    setup = max(place for place in eucentric)
    counted = [place for place in eucentric if place < min(mine)]
    found = []
    for saved, image in zip(own, mdoc.images):
        prior = beside = 0.0
        for place, beam in enumerate(exposures[: saved["exposure"]]):
            if place in counted or (beam["set"] == "F" and place < setup):
                continue
            here = share(beam, own[0], section) * beam["dose_e_per_a2"]
            if beam["set"] == "R":
                beside, prior = (beside, prior + here) if place in mine else (beside + here, prior)
            else:
                prior += here
        said = image.need_float(keys.PRIOR_DOSE), image.need_float(keys.NEIGHBOUR_DOSE)
        assert said[0] == pytest.approx(prior + EUCENTRICITY_IMAGES * VIEW_DOSE, rel=0.02, abs=0.35)
        # The edge of the beam falls on the image: 10 nm of position are a tenth of its share.
        assert said[1] == pytest.approx(beside, rel=0.25, abs=0.4)
        found.append(said[1])
    assert (found[-1] > 1.0) == (number in (1, 2))
    assert [image.need_float(keys.ORDER) for image in mdoc.images] == list(range(1, len(own) + 1))


# --- by themselves


def beams_of(tmp_path, **changes):
    """Three targets, the second 1 µm across the tilt axis from the first, the third far along it."""
    places = [XY(0.0, 0.0), XY(0.0, 1.0), XY(8.0, 0.0)]
    targets = [Target(n, f"area_ts_{n:03d}.mrc", shift_um=place) for n, place in enumerate(places, 1)]
    job = make_job(
        AreaFiles(tmp_path / "area_tgts.txt"),
        TargetSet(tuple(targets)),
        resolve_settings(SettingsLayer("script", {})),
        Matrix2(-1.0, 0.0, 0.0, -1.0),
    )
    known = {"beam_um": 1.2, "field_um": XY(1.0, 0.8), **changes}
    return BeamDose(FakeScope(tmp_path, {}, {}), job, Facts(Limits(20.0, 70.0), **known), {})


def test_neighbours_across_the_axis_get_more_at_high_tilt_and_one_aims_at_itself_only(tmp_path):
    beams = beams_of(tmp_path)
    assert set(beams.by_record(1, 0.0, 3.0, Area.RECORD)) <= {2}
    low, high = (beams.by_record(1, tilt, 3.0, Area.RECORD)[2] for tilt in (20.0, 60.0))
    assert 0 < low < high < 3.0
    assert beams.by_record(3, 60.0, 3.0, Area.RECORD) == {}


def test_a_tile_reaches_its_own_target_and_a_view_image_lights_all(tmp_path):
    beams = beams_of(tmp_path)
    assert beams.by_record(3, 0.0, 3.0, Area.RECORD, XY(0.9, 0.0))[3] > 0
    assert beams.by_record(3, 0.0, 0.5, Area.VIEW) == {1: 0.5, 2: 0.5}


def test_an_autofocus_counts_where_its_beam_falls(tmp_path):
    beams = beams_of(tmp_path)
    at_third = FocusBeam(XY(8.0, 0.0), 0.0)
    assert beams.by_focus(at_third) == {}  # the dose rate is not known yet
    beams.learn_rate(Shot(100.0, 2.0, 6.0, XY(1.0, 0.8)))
    # Images of 0.5 s at 3 e/Å²/s; the beam leaves out the corners of the image.
    assert beams.by_focus(at_third) == {3: pytest.approx(FOCUS_IMAGES * 1.5, rel=0.1)}
    assert beams.by_focus(FocusBeam(XY(3.0, 0.0), 0.0)) == {}


def test_without_the_size_of_the_beam_nothing_is_told(tmp_path):
    beams = beams_of(tmp_path, beam_um=None)
    assert not beams.is_known and beams.by_record(1, 60.0, 3.0, Area.RECORD) == {}


def test_an_exposure_of_focus_that_cannot_be_read_is_the_scopes_error(tmp_path):
    beams = beams_of(tmp_path)
    beams.learn_rate(Shot(100.0, 1.0, 3.0, XY(1.0, 0.8)))

    def fail():
        raise ScopeError("busy")

    beams._scope.focus_exposure_s = fail
    with pytest.raises(ScopeError):
        beams.by_focus(FocusBeam(XY(0.0, 0.0), 0.0))
