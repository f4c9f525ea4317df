import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacetomo.errors import PlanError
from pacetomo.plan import Prices, estimate, make_plan, plan_table, spread_defocus_um
from pacetomo.schemes import DoseSymmetric

STOPS = DoseSymmetric(0, -3, 3, 3, 1).stops()


def test_at_each_tilt_all_targets_the_tracking_target_first():
    plan = make_plan(STOPS, [1, 3, 4])
    assert [(e.number, e.stop, e.target, e.tilt_deg) for e in plan] == [
        (0, 0, 1, 0.0),
        (1, 0, 3, 0.0),
        (2, 0, 4, 0.0),
        (3, 1, 1, 3.0),
        (4, 1, 3, 3.0),
        (5, 1, 4, 3.0),
        (6, 2, 1, -3.0),
        (7, 2, 3, -3.0),
        (8, 2, 4, -3.0),
    ]


def test_nothing_to_image_is_refused():
    with pytest.raises(PlanError, match="no target"):
        make_plan(STOPS, [])


def test_prices_add_up():
    price = estimate(make_plan(STOPS, [1, 2]), Prices(2.0, 8.0, 5.0, 60.0, 10.0))
    assert (price.exposures, price.images_per_target, price.dose_per_target_e_per_a2) == (6, 3, 6.0)
    assert price.total_s == 60 + 2 * 10 + 3 * 5 + 6 * 8
    assert "6 exposures, 3 per target, 6 e/Å² per target, about 2 min" == price.describe()


def test_the_table_runs_to_the_estimate():
    prices = Prices(2.0, 8.0, 5.0, 60.0, 10.0)
    last = plan_table(make_plan(STOPS, [1, 2]), prices, 2).splitlines()[-1].split()
    assert last == ["3", "-3.0°", "down", "2", "6.0", "2.4"]


def test_longer_exposures_cost_time_and_dose():
    prices = Prices(2.0, 8.0, 5.0, 60.0, 10.0, record_s=0.5)
    plan = make_plan(STOPS, [1, 2])

    def first_longer(exposure):
        return 2.5 if exposure.stop == 0 else None

    price = estimate(plan, prices, first_longer)
    assert price.dose_per_target_e_per_a2 == pytest.approx(10.0 + 2.0 + 2.0)
    assert price.total_s == pytest.approx(60 + 2 * 10 + 3 * 5 + 6 * 8 + 2 * 2.0)
    last = plan_table(plan, prices, 2, first_longer).splitlines()[-1].split()
    assert last == ["3", "-3.0°", "down", "2", "14.0", "2.5"]


def test_tiles_cost_time_but_no_dose_of_one_place():
    prices = Prices(2.0, 8.0, 5.0, 60.0, 10.0, record_s=1.0, tile_s=4.0)
    plan = make_plan(STOPS, [1, 2])

    def nine_but_for_tracking(exposure):
        return 1 if exposure.target == 1 else 9

    price = estimate(plan, prices, lambda _: 1.5, nine_but_for_tracking)
    assert (price.exposures, price.images, price.images_per_target) == (6, 3 + 27, 3)
    assert price.dose_per_target_e_per_a2 == pytest.approx(3 * 1.5 * 2.0)
    assert price.total_s == pytest.approx(60 + 2 * 10 + 3 * 5 + 6 * 8 + 3 * 8 * 4 + 30 * 0.5)
    assert price.describe().startswith("6 exposures (30 images with all tiles), 3 per target")
    last = plan_table(plan, prices, 2, lambda _: 1.5, nine_but_for_tracking).splitlines()[-1].split()
    assert last[3] == "10" and float(last[-1]) == pytest.approx(price.total_s / 60, abs=0.06)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((5, -3, -5, 0.5), [-3, -3.5, -4, -4.5, -5]),
        ((7, -3, -5, 1.0), [-3, -4, -5, -3, -4, -5, -3]),
        ((3, -5, -3, 1.0), [-3, -4, -5]),
        ((3, -5, -5, 0.5), [-5, -5, -5]),
        ((3, -3, -5, 0), [-3, -3, -3]),
        ((3, 0, -1, 1e-313), [0, 0, 0]),
    ],
)
def test_defocus_spread(arguments, expected):
    assert spread_defocus_um(*arguments) == expected


@given(st.integers(1, 50), st.floats(-10, 0), st.floats(-10, 0), st.floats(0, 3))
def test_defocus_stays_within_the_range(count, first, last, step):
    values = spread_defocus_um(count, first, last, step)
    assert len(values) == count
    assert min(first, last) - 1e-5 <= min(values) and max(values) <= max(first, last) + 1e-5
