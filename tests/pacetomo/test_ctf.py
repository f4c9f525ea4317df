import math

import pytest
from fake_scope import FakeScope

from pacetomo.ctf import TRIES, CtfFitting, journal_entries, judged, measured, metadata, search_range_um
from pacetomo.errors import ScopeError
from pacetomo.scope.protocol import CtfFit, CtfProgram, Missing
from pacetomo.settings_table import Settings

GOOD = CtfFit(-4.8, 0.05, 30.0, 0.0, 9.0, 0.2)
FIND, PLOTTER = CtfProgram.CTFFIND, CtfProgram.CTFPLOTTER


def by(program):
    """The good fit, made by a program."""
    return GOOD._replace(program=program)


class Programs(FakeScope):
    """Answers by program: a fit, a Missing or an exception; a list is used up from the front."""

    def __init__(self, **answers):
        super().__init__(None, {}, {})
        self.answers = {CtfProgram[name.upper()]: answer for name, answer in answers.items()}
        self.asked = []

    def fit_ctf(self, program, search_um, slope_deg):
        self.asked.append(program)
        answer = self.answers[program]
        if isinstance(answer, list):
            answer = answer.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.mark.parametrize(
    "bad",
    [
        GOOD._replace(defocus_um=0.0),
        GOOD._replace(defocus_um=4.8),
        GOOD._replace(defocus_um=math.nan),
        GOOD._replace(defocus_um=-0.21),
        GOOD._replace(defocus_um=-9.98),
        GOOD._replace(defocus_um=-14.0),
        GOOD._replace(astigmatism_um=-0.1),
        GOOD._replace(astigmatism_um=6.0),
        GOOD._replace(resolution_angstrom=0.0),
        GOOD._replace(score=math.inf),
    ],
)
def test_what_cannot_be_is_no_fit(bad):
    assert judged(GOOD, -5.0) == GOOD
    found = judged(bad, -5.0)
    assert isinstance(found, Missing) and found.reason


@pytest.mark.parametrize("expected_um", [-120.0, -98.0, -5.0, -1.0, 0.0, 2.0])
def test_the_range_searched_is_one_the_programs_accept(expected_um):
    low, high = search_range_um(expected_um)
    assert -100.0 <= low < high < 0


def test_ctfplotter_comes_first_and_ctffind_only_where_it_is_not_there():
    scope = Programs(ctfplotter=GOOD, ctffind=GOOD)
    fitting = CtfFitting(scope, Settings(doCtfPlotter=True, doCtfFind=True))
    assert fitting.fit(-5.0, 0.0) == by(PLOTTER) and scope.asked == [PLOTTER]
    scope = Programs(ctfplotter=ScopeError("no such program"), ctffind=GOOD)
    fitting = CtfFitting(scope, Settings(doCtfPlotter=True, doCtfFind=True))
    assert [fitting.fit(-5.0, 0.0) for _ in range(3)] == [by(FIND)] * 3
    assert scope.asked == [PLOTTER, FIND, FIND, FIND]
    assert sum("Warning" in text for text in scope.told) == 1


def test_a_program_that_is_not_there_costs_one_call_and_one_warning():
    scope = Programs(ctfplotter=ScopeError("no such program"))
    fitting = CtfFitting(scope, Settings())
    assert isinstance(fitting.fit(-5.0, 0.0), Missing)
    assert [fitting.fit(-5.0, 0.0) for _ in range(5)] == [None] * 5
    assert scope.asked == [PLOTTER] and len(scope.told) == 1 and "no such program" in scope.told[0]


def test_a_program_that_never_works_is_given_up():
    scope = Programs(ctfplotter=Missing("status 1"))
    fitting = CtfFitting(scope, Settings())
    assert [type(fitting.fit(-5.0, 0.0)) for _ in range(TRIES + 2)] == [Missing] * TRIES + [type(None)] * 2
    assert len(scope.told) == 1


def test_a_program_that_has_worked_is_not_given_up():
    failures = [Missing("no rings"), ScopeError("timeout"), GOOD._replace(defocus_um=0.0)] * 4
    scope = Programs(ctfplotter=[GOOD, *failures, GOOD])
    fitting = CtfFitting(scope, Settings())
    found = [fitting.fit(-5.0, 0.0) for _ in range(14)]
    assert found[0] == found[-1] == by(PLOTTER) and not any(found[1:-1])
    assert not scope.told


def test_nothing_is_fitted_where_nothing_is_wanted():
    scope = Programs()
    assert CtfFitting(scope, Settings(doCtfPlotter=False)).fit(-5.0, 0.0) is None


def test_refining_the_geometry_needs_fits_at_the_start_only():
    scope = Programs(ctffind=GOOD)
    fitting = CtfFitting(scope, Settings(doCtfPlotter=False, refineGeo=True))
    assert fitting.fit(-5.0, 0.0, at_start=True) == by(FIND)
    assert fitting.fit(-5.0, 0.0) is None
    scope = Programs(ctffind=GOOD, ctfplotter=ScopeError("not there"))
    fitting = CtfFitting(scope, Settings(refineGeo=True))
    assert fitting.fit(-5.0, 0.0, at_start=True) == by(FIND)
    assert fitting.fit(-5.0, 0.0) is None


def test_what_is_written_of_a_fit():
    assert measured(GOOD) is None and measured(by(FIND)) == (-4.8, "CtfFind")
    assert metadata(GOOD)["CtfDefocus"] == "-4.8000" and len(metadata(GOOD)) == 6
    assert journal_entries(GOOD)["ctf_defocus_um"] == -4.8
    assert journal_entries(Missing("dark")) == {"ctf_defocus_um": None, "ctf_missing": "dark"}
    assert journal_entries(None) == {"ctf_defocus_um": None}
