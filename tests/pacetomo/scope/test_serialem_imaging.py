"""Aiming in other areas and at other magnifications, on the simulator: what the camera and the column see."""

from dataclasses import replace

import pytest

from mock_serialem.module import make_module
from mock_serialem.session import Session
from mock_serialem.sim.profiles import IDEAL, KRIOS_SCOPE
from mock_serialem.sim.sample import HoleySpec
from mock_serialem.sim.truth import TruthLog
from mock_serialem.sim.world import World, WorldConfig
from pacetomo.errors import ScopeError
from pacetomo.frames import XY
from pacetomo.scope.protocol import Area, Imaging
from pacetomo.scope.serialem_scope import SerialEMScope

COLUMN = replace(KRIOS_SCOPE, calibration_scale_error=0.0, calibration_rotation_error_deg=0.0)


@pytest.fixture
def session(tmp_path):
    world = World(WorldConfig(HoleySpec(), IDEAL, COLUMN, 3, "kinematic"), TruthLog())
    return Session(world, tmp_path)


@pytest.fixture
def scope(session):
    made = SerialEMScope(make_module(session))
    made.begin(20.0)
    return made


def image(scope, session, shift, focus_um=-4.0, imaging=None, compensate=True):
    """Aim and expose; the image's place in the sample, its true defocus and the beam tilt while it was taken."""
    tilts = []
    real = session.world.expose

    def expose(setup):
        tilts.append(session.world.beam_tilt)
        return real(setup)

    session.world.expose = expose
    assert scope.aim(shift, focus_um, compensate, imaging)
    path = session.directory / f"{len(session.world.truth.events)}.mrc"
    scope.open_series(path)
    scope.record("a")
    scope.close_series()
    session.world.expose = real
    line = [event for event in session.world.truth.events if event["event"] == "saved"][-1]
    return line, tilts[0]


@pytest.mark.parametrize("shift", [XY(4.0, 3.0), XY(-5.0, 2.0)])
@pytest.mark.parametrize(
    "imaging", [Imaging(Area.TRIAL), Imaging(magnification=33000.0), Imaging(Area.TRIAL, 33000.0)]
)
def test_the_same_place_with_the_same_beam_tilt_as_in_record(scope, session, shift, imaging):
    there, tilt = image(scope, session, shift)
    here, same_tilt = image(scope, session, shift, imaging=imaging)
    assert [here[f"sample_{axis}_um"] for axis in "xy"] == pytest.approx(
        [there[f"sample_{axis}_um"] for axis in "xy"], abs=2e-3
    )
    assert here["defocus_um"] == pytest.approx(there["defocus_um"], abs=0.02)
    assert max(map(abs, tilt)) > 0.2
    if imaging.area is Area.TRIAL:
        assert same_tilt == pytest.approx(tilt, abs=2e-3)
    scope.release()
    assert session.world.beam_tilt == (0.0, 0.0)


def test_beam_tilt_does_not_add_up(scope, session):
    tilts = [image(scope, session, XY(4.0, 3.0), imaging=Imaging(Area.TRIAL))[1] for _ in range(3)]
    assert tilts[1] == pytest.approx(tilts[0]) and tilts[2] == pytest.approx(tilts[0])
    assert scope.aim(XY(0.0, 0.0), 0.0, False)
    assert session.world.beam_tilt == pytest.approx((0.0, 0.0))


def test_release_leaves_nothing_behind(scope, session):
    before = dict(session.low_dose.areas)
    image(scope, session, XY(1.0, 0.0), imaging=Imaging(magnification=33000.0))
    assert session.world.mag_index == 24 and session.low_dose.areas["R"].mag_index == 24
    scope.release()
    assert session.world.mag_index == 27 and session.low_dose.areas == before
    assert session.low_dose.updating == ""  # later changes of the optics stay out of the area


def test_the_next_aim_puts_back_what_was_not_released(scope, session):
    image(scope, session, XY(1.0, 0.0), imaging=Imaging(magnification=33000.0))
    image(scope, session, XY(2.0, 0.0))
    assert session.world.mag_index == 27


def test_a_magnification_that_is_there_is_not_touched(scope, session):
    image(scope, session, XY(1.0, 0.0), imaging=Imaging(magnification=64000.0))
    assert session.low_dose.updating == "" and session.world.mag_index == 27


def test_a_column_that_ignores_the_first_change_is_asked_again(session):
    sem = make_module(session)
    ignored = []

    class Slow:
        """The same module, but for the first change of magnification, which does nothing."""

        def __getattr__(self, name):
            if name in ("SetMag", "SetMagIndex") and ignored.count(name) < 1:
                return lambda *arguments: ignored.append(name)
            return getattr(sem, name)

    scope = SerialEMScope(Slow())
    assert scope.aim(XY(0.0, 0.0), 0.0, False, Imaging(magnification=33000.0))
    assert session.world.mag_index == 24
    scope.release()
    assert session.world.mag_index == 27 and ignored == ["SetMag", "SetMagIndex"]


def test_a_magnification_out_of_the_table_is_an_error_and_changes_nothing(scope, session):
    before = dict(session.low_dose.areas)
    with pytest.raises(ScopeError, match="magnification"):
        scope.aim(XY(0.0, 0.0), 0.0, False, Imaging(magnification=34567.0))
    scope.release()
    assert session.low_dose.areas == before and session.world.mag_index == 27


def test_the_illumination_stays(scope, session):
    def spread_with_magnification(real):
        def set_mag_index(index):
            real(index)
            session.column.intensity *= 2.0
            session.low_dose.follow(intensity=session.column.intensity)

        return set_mag_index

    found = session.column.intensity = session.low_dose.areas["R"].intensity
    session.world.set_mag_index = spread_with_magnification(session.world.set_mag_index)
    line, _ = image(scope, session, XY(0.0, 0.0), imaging=Imaging(magnification=33000.0))
    assert session.column.intensity == pytest.approx(found)
    assert line["dose_e_per_a2"] == pytest.approx(3.0, rel=1e-3)
