"""What is told of findings and exposures, and how often."""

import math

import pytest

from pacetomo.chronicle import Comparison
from pacetomo.frames import XY
from pacetomo.scope.protocol import CtfFit, Missing
from pacetomo.telling import Findings
from pacetomo.tracking import Aim, Finding, Region


class Listener:
    def __init__(self):
        self.found = []

    def find(self, finding):
        self.found.append(finding)


def axis(value):
    return Finding("axis", value, 0.1, "µm", "it is off", "set it", worth_telling=0.3)


def told(*rounds):
    listener = Listener()
    findings = Findings(listener)
    for each in rounds:
        findings.tell(each)
    return listener.found


def test_a_finding_is_told_once_and_again_when_it_has_changed_enough():
    values = [
        found.value for found in told([axis(0.5)], [axis(0.7)], [], [axis(0.79)], [axis(0.81)], [axis(0.9)])
    ]
    assert values == [0.5, 0.81]


def test_another_cause_or_place_is_told_by_itself():
    first = Finding("contrast", 0.6, 0.1, "", "target 2", "leave it", target=2)
    slips = [Finding("slip", 0.4, 0.1, "µm", "slip", "see", tilt_deg=tilt) for tilt in (12.0, 15.0, 12.0)]
    found = told([first, axis(0.5)], [first._replace(target=3)], slips, [first])
    assert [(one.name, one.target, one.tilt_deg) for one in found] == [
        ("contrast", 2, None),
        ("axis", None, None),
        ("contrast", 3, None),
        ("slip", None, 12.0),
        ("slip", None, 15.0),
    ]


AIM = Aim(XY(1.0, 2.0), 0.3, XY(0.02, 0.03), 0.12)
FIT = CtfFit(-4.91, 0.0, 0.0, 0.0, 5.0, 0.5)


@pytest.mark.parametrize(
    ("region", "found", "believed", "fit", "text"),
    [
        (
            Region(XY(0.0, -0.002), XY(0.009, 0.012), 0.12),
            XY(0.004, -0.013),
            True,
            FIT,
            "Target 3 at -12°: x +4 (expected 0 ± 9), y -13 (expected -2 ± 12) nm, "
            "defocus -4.91 (wanted -5.00 ± 0.12) µm",
        ),
        (
            None,
            XY(-0.4, 0.0),
            False,
            Missing("no rings"),
            "Target 3 at -12°: x -400 (expected 0 ± 20), y +0 (expected 0 ± 30) nm, not believed",
        ),
        (None, None, False, None, "Target 3 at -12°: not aligned (expected x 0 ± 20, y 0 ± 30 nm)"),
    ],
)
def test_a_line_for_each_exposure(region, found, believed, fit, text):
    assert Comparison(AIM, region, -5.0, found, believed, fit).sentence(3, -12.0) == text
    assert len(text) < 120


def test_without_a_model_of_fits_the_height_alone_makes_the_defocus_unsure():
    assert Comparison(AIM, None, -5.0, None, False, None).sigma_defocus_um == 0.12
    region = Region(XY(0, 0), XY(1, 1), 0.5)
    assert Comparison(AIM, region, -5.0, None, False, None).sigma_defocus_um == 0.5


def test_a_slip_is_never_told_twice():
    slip = Finding("slip", 0.4, 0.1, "µm", "slip", "see", tilt_deg=12.0)
    assert slip.worth_telling == math.inf
    assert len(told([slip], [slip._replace(value=4.0)])) == 1
