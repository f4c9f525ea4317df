import pytest

from mock_serialem.faults import Fault, FaultPlan
from mock_serialem.module import make_module
from mock_serialem.session import Session
from mock_serialem.sim.world import make_world
from pacetomo.ctf import search_range_um
from pacetomo.errors import ScopeError
from pacetomo.frames import XY
from pacetomo.scope.protocol import CtfFit, CtfProgram, Missing
from pacetomo.scope.serialem_scope import SerialEMScope

FIND, PLOTTER = CtfProgram.CTFFIND, CtfProgram.CTFPLOTTER


class Sem:
    """A `serialem` module that gives fixed answers."""

    class SEMerror(Exception):
        pass

    def __init__(self, **answers):
        self.answers, self.calls = {"IsVersionAtLeast": 1.0, **answers}, []

    def __getattr__(self, name):
        def call(*arguments):
            self.calls.append((name, *arguments))
            if isinstance(self.answers[name], Exception):
                raise self.answers[name]
            return self.answers[name]

        return call


@pytest.mark.parametrize("last_two", [(8.0, 0.9), (0.9, 8.0)])
def test_resolution_and_score_are_told_apart_in_either_order(last_two):
    sem = Sem(Ctfplotter=(-4.5, 0.1, 20.0, 0.0, *last_two))
    fit = SerialEMScope(sem).fit_ctf(PLOTTER, (-9.0, -1.0), 12.0)
    assert fit == CtfFit(-4.5, 0.1, 20.0, 0.0, resolution_angstrom=8.0, score=0.9)
    assert sem.calls[-1] == ("Ctfplotter", "A", -9.0, -1.0, 1, 0.0, 12.0)


def test_ctffind_gives_the_score_before_the_resolution():
    sem = Sem(CtfFind=(-4.5, 0.1, 20.0, 0.0, 0.2, 8.0))
    fit = SerialEMScope(sem).fit_ctf(FIND, (-9.0, -1.0), 12.0)
    assert fit == CtfFit(-4.5, 0.1, 20.0, 0.0, resolution_angstrom=8.0, score=0.2)


def test_a_program_that_ended_with_an_error_has_no_fit():
    found = SerialEMScope(Sem(Ctfplotter=(1.0, 2.0))).fit_ctf(PLOTTER, (-9.0, -1.0), 0.0)
    assert isinstance(found, Missing) and "status 2" in found.reason
    found = SerialEMScope(Sem(CtfFind=Sem.SEMerror("no fit"))).fit_ctf(FIND, (-9.0, -1.0), 0.0)
    assert isinstance(found, Missing) and "no fit" in found.reason


@pytest.mark.parametrize("answers", [{"Ctfplotter": Sem.SEMerror("not found")}, {"IsVersionAtLeast": 0.0}])
def test_a_program_that_cannot_be_run_is_an_error(answers):
    with pytest.raises(ScopeError, match=r"not found|too old"):
        SerialEMScope(Sem(**answers)).fit_ctf(PLOTTER, (-9.0, -1.0), 0.0)


@pytest.fixture
def session(tmp_path):
    return Session(make_world("holey", "ideal", 1, "kinematic"), tmp_path)


@pytest.mark.parametrize("program", [FIND, PLOTTER])
def test_the_defocus_of_the_simulated_image_has_the_true_sign_and_size(session, program):
    scope = SerialEMScope(make_module(session))
    assert isinstance(scope.autofocus(-4.0), float)
    make_module(session).R()
    before_s = scope.clock_s()
    fit = scope.fit_ctf(program, search_range_um(-4.0), 0.0)
    assert fit.defocus_um == pytest.approx(-4.0, abs=0.4)
    assert fit.astigmatism_um >= 0 and 3 < fit.resolution_angstrom < 20
    assert scope.clock_s() - before_s > 1.0
    assert isinstance(scope.fit_ctf(program, (-1.0, -0.2), 0.0), Missing)


@pytest.mark.parametrize("told_um", [0.0, 80.0])
def test_autofocus_that_measured_nothing_leaves_the_focus_as_it_was(session, told_um):
    scope = SerialEMScope(make_module(session))
    scope.aim(XY(0.0, 0.0), -7.0, compensate_beam_tilt=False)
    session.inject(FaultPlan((Fault("autofocus_nonsense", defocus_um=told_um),)))
    found = scope.autofocus(-4.0)
    assert isinstance(found, Missing) and "autofocus" in found.reason
    assert scope.focus_um() == pytest.approx(-7.0)


def test_autofocus_without_drift_is_no_measurement(session):
    scope = SerialEMScope(make_module(session))
    scope.aim(XY(0.0, 0.0), -7.0, compensate_beam_tilt=False)
    session.inject(FaultPlan((Fault("error", commands=("ReportFocusDrift",)),)))
    assert isinstance(scope.autofocus(-4.0), Missing)
    assert scope.focus_um() == pytest.approx(-7.0)


@pytest.mark.parametrize("code", [-1, 1, 2, 3, 4, 5, 9])
def test_every_code_of_autofocus_but_zero_is_a_failure(code):
    sem = Sem(
        GoToLowDoseArea=None,
        ReportDefocus=-1.0,
        SetTargetDefocus=None,
        G=None,
        ReportAutoFocus=(-4.0, float(code)),
        ReportFocusDrift=(0.1, 0.1),
    )
    assert isinstance(SerialEMScope(sem).autofocus(-4.0), Missing)
    sem.answers["ReportAutoFocus"] = (-4.0, 0.0)
    assert SerialEMScope(sem).autofocus(-4.0) == -1.0


def test_the_place_of_the_focus_area_is_where_its_beam_falls(session):
    """Seen on the sample: an image in the Focus area shows what Record shows after shifting by that place."""
    sem = make_module(session)
    scope = SerialEMScope(sem)
    truth = session.world.truth.events
    scope.aim(XY(1.0, -2.0), -5.0, compensate_beam_tilt=False)
    sem.F()
    seen = truth[-1]
    place = scope.focus_place_um()
    assert place == pytest.approx((2.5, 0.0))
    scope.aim(XY(1.0, -2.0).plus(place), -5.0, compensate_beam_tilt=False)
    sem.R()
    for key in ("sample_x_um", "sample_y_um"):
        assert truth[-1][key] == pytest.approx(seen[key], abs=0.1)
