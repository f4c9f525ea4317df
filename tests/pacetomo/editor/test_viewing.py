"""Which way round the specimen is shown, and which part of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacetomo.editor.viewing import Orientation, View
from pacetomo.frames import XY

places = st.builds(XY, st.floats(-50, 50), st.floats(-50, 50))
orientations = st.builds(Orientation, st.booleans(), st.booleans(), st.booleans())
views = st.builds(View, places, st.floats(1e-3, 1.0), st.tuples(st.floats(200, 2000), st.floats(200, 2000)))


@given(orientations, places)
def test_the_way_back_from_the_plot_leads_to_the_same_place(orientation: Orientation, place: XY) -> None:
    assert orientation.to_specimen(orientation.to_plot(place)) == pytest.approx(place)


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        (Orientation(), (1.0, 2.0)),
        (Orientation(mirror_x=True), (-1.0, 2.0)),
        (Orientation(mirror_y=True), (1.0, -2.0)),
        (Orientation(swap=True), (2.0, 1.0)),
        (Orientation(swap=True, mirror_x=True), (2.0, -1.0)),
    ],
)
def test_swapping_exchanges_the_axes_and_mirroring_turns_the_specimens_own(
    orientation: Orientation, expected: tuple[float, float]
) -> None:
    assert orientation.to_plot(XY(1.0, 2.0)) == pytest.approx(expected)


@given(views, st.floats(0, 200), st.floats(0, 200))
def test_a_pixel_leads_to_a_place_and_back(view: View, x: float, y: float) -> None:
    assert view.pixel(view.at(x, y)) == pytest.approx((x, y), abs=1e-3)


def test_y_runs_up_while_pixels_run_down() -> None:
    view = View(XY(0.0, 0.0), 0.1, (100.0, 50.0))
    assert view.at(0, 0) == pytest.approx((-5.0, 2.5))
    assert view.at(100, 50) == pytest.approx((5.0, -2.5))


@given(views, st.floats(0, 200), st.floats(0, 200), st.floats(-300, 300), st.floats(-300, 300))
def test_panning_pulls_the_content_along(view: View, x: float, y: float, dx: float, dy: float) -> None:
    place = view.at(x, y)
    assert view.panned(dx, dy).pixel(place) == pytest.approx((x + dx, y + dy), abs=1e-3)


@given(views, places, st.floats(0.5, 2.0))
def test_zooming_keeps_the_place_under_the_mouse_where_it_is(view: View, fixed: XY, factor: float) -> None:
    assert view.zoomed(factor, fixed).pixel(fixed) == pytest.approx(view.pixel(fixed), rel=1e-6, abs=1e-2)


@given(views, st.lists(places, min_size=1, max_size=8))
def test_what_is_fitted_is_all_in_view(view: View, wanted: list[XY]) -> None:
    left, right, bottom, top = view.fitted(wanted).limits
    assert all(left <= p.x <= right and bottom <= p.y <= top for p in wanted)


def test_a_view_of_nothing_stays_as_it_is() -> None:
    assert View().fitted([]) == View()
