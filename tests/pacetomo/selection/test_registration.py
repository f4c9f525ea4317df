"""Learning the transform from View to Record."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacetomo.frames import XY, Matrix2
from pacetomo.selection.registration import Centred, NoRegistration, Registration, learn_registration

PLACES = [XY(0, 0), XY(6, 1), XY(-5, 2), XY(1, 7), XY(-2, -6), XY(4, -4), XY(3, 3)]
TRUE = Matrix2(1.03, -0.05, 0.04, 0.97)
OFFSET = XY(0.3, -0.2)


def centred(places: list[XY], matrix: Matrix2 = TRUE, noise_um: float = 0.0, seed: int = 0) -> list[Centred]:
    rng = np.random.default_rng(seed)
    return [
        Centred(at, matrix.apply(at).plus(OFFSET).plus(XY(*(noise_um * rng.standard_normal(2)))))
        for at in places
    ]


def learnt(targets: list[Centred]) -> Registration:
    found = learn_registration(targets)
    assert isinstance(found, Registration), found
    return found


def refusal(targets: list[Centred]) -> str:
    found = learn_registration(targets)
    assert isinstance(found, NoRegistration)
    assert not bool(found)
    return found.reason


small = st.floats(-0.1, 0.1)


@given(small, small, small, small)
def test_an_exact_transform_is_found_exactly(a: float, b: float, c: float, d: float) -> None:
    true = Matrix2(1 + a, b, c, 1 + d)
    found = learnt(centred(PLACES, true))
    assert found.worst_um < 1e-9 and found.expected_um < 1e-9
    new = XY(-7.0, 5.0)
    assert found.apply(new) == pytest.approx(true.apply(new).plus(OFFSET))


def test_what_it_expects_is_what_new_targets_show() -> None:
    new = [XY(2, -2), XY(-4, -3), XY(0, 4), XY(5, -1)]
    expected, seen = [], []
    for seed in range(60):
        found = learnt(centred(PLACES, noise_um=0.05, seed=seed))
        expected.append(found.expected_um**2)
        seen += [
            found.apply(one.view_um).minus(one.record_um).length ** 2
            for one in centred(new, noise_um=0.05, seed=seed + 1000)
        ]
        assert found.mean_um <= found.worst_um < found.uncorrected_um
        assert found.mean_um < found.expected_um
    # Targets left out lie farther out than new ones in between, so a little more is expected.
    assert 0.8 < np.sqrt(np.mean(expected) / np.mean(seen)) < 1.8


def test_one_target_centred_on_the_wrong_thing_shows_and_does_not_spoil_the_rest() -> None:
    targets = centred([*PLACES, XY(-3, 5), XY(5, 5)], noise_um=0.01)
    targets[6] = Centred(targets[6].view_um, targets[6].record_um.plus(XY(1.0, 0.5)))
    found = learnt(targets)
    assert max(range(len(targets)), key=lambda n: found.errors_um[n]) == 6
    at = XY(2.0, -3.0)
    assert found.apply(at).minus(TRUE.apply(at).plus(OFFSET)).length < 0.1


def test_rotation_is_counter_clockwise() -> None:
    turned = Matrix2(np.cos(0.1), -np.sin(0.1), np.sin(0.1), np.cos(0.1))
    found = learnt(centred(PLACES, turned))
    assert found.rotation_deg == pytest.approx(np.degrees(0.1))
    assert found.scale == pytest.approx(1.0)


def test_too_few_targets_or_targets_in_line_are_refused() -> None:
    assert "at least 5" in refusal(centred(PLACES[:4]))
    assert "one line" in refusal(centred([XY(n, 2.0 * n + 0.01 * n * n) for n in range(6)]))
    assert "would rest on it" in refusal(centred([*(XY(float(n), 0.0) for n in range(6)), XY(2.0, 5.0)]))
    assert "finite" in refusal([*centred(PLACES), Centred(XY(1, 1), XY(float("nan"), 0))])


def test_a_transform_that_does_not_help_is_refused() -> None:
    believed = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        scattered = [Centred(at, at.plus(XY(*(0.2 * rng.standard_normal(2))))) for at in PLACES]
        found = learn_registration(scattered)
        believed += bool(found)
        assert found or "does not help" in found.reason
    assert believed <= 5
    assert "does not help" in refusal([Centred(at, at) for at in PLACES])


def test_mixed_up_targets_are_refused() -> None:
    mirrored = [Centred(at, XY(-at.x, at.y)) for at in PLACES]
    assert "mirror" in refusal(mirrored)
    assert "scale View by 2.00" in refusal([Centred(at, at.scaled(2.0)) for at in PLACES])
