import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from simulated_joint import Session, World, grid

from pacetomo.errors import PlanError
from pacetomo.frames import XY
from pacetomo.geometry import SamplePlane, height_um, seen_y_um
from pacetomo.joint import JointModel
from pacetomo.joint.consensus import HUBER
from pacetomo.joint.priors import USUAL
from pacetomo.schemes import Bidirectional, Branch, DoseSymmetric
from pacetomo.tracking import Observation, SingleTargetModel, Start

seeds = st.integers(0, 10_000)
few = settings(max_examples=4)


def model_of(world, **options):
    return JointModel(world.starts(), world.start_deg, **options)


def rms_nm(session, without=(1,)):
    squares = [
        error.length**2
        for (number, tilt), error in session.errors_um.items()
        if number not in without and tilt != session.world.start_deg
    ]
    return 1000 * math.sqrt(np.mean(squares))


def test_errors_lie_within_the_predicted_covariance():
    nis, nees = [], []
    for seed in range(3):
        for start_deg in (0.0, 9.0):
            world = World(seed, grid(), start_deg, DoseSymmetric(start_deg, -51, 60, 3, 2).stops())
            session = Session(world, model_of(world)).run()
            nis.append(np.mean(session.nis))
            nees.append(np.mean(session.nees))
    assert np.mean(nis) == pytest.approx(1.0, abs=0.12)
    assert np.mean(nees) == pytest.approx(1.0, abs=0.25)
    assert all(0.6 < value < 1.6 for value in nis)


@given(seed=seeds, start_deg=st.sampled_from([-12.0, 0.0, 9.0]))
@few
def test_it_beats_the_single_target_model_on_any_seed(seed, start_deg):
    stops = DoseSymmetric(start_deg, -57, 60, 3, 2).stops()
    places = grid()
    joint = World(seed, places, start_deg, stops)
    mine = rms_nm(Session(joint, model_of(joint)).run())
    single = World(seed, places, start_deg, stops)
    other = SingleTargetModel(single.starts(), start_deg)
    session = Session(single, Unpredicting(other)).run()
    assert mine < 0.8 * rms_nm(session)


class Unpredicting:
    """A model that cannot tell what an alignment will show."""

    def __init__(self, model):
        self.model = model

    def __getattr__(self, name):
        return getattr(self.model, name)

    def search_region(self, *_):
        return XY(0.0, 0.0), XY(1.0, 1.0), None


@given(seed=seeds, order=st.permutations(range(1, 10)))
@few
def test_the_order_of_targets_does_not_matter_when_nothing_is_wrong(seed, order):
    stops = DoseSymmetric(0, -15, 15, 3, 2).stops()
    final = []
    for each in (None, order):
        world = World(seed, grid(), 0.0, stops, quiet(), noise=0.03)
        session = Session(world, model_of(world), each, pace_s=0.0).run()
        assume(max(np.add(session.nis[::2], session.nis[1::2])) < 0.9 * HUBER)
        final.append(session.model)
    for number in grid():
        one, other = (model.aim(number, 18.0, Branch.UP) for model in final)
        assert one.shift_um == pytest.approx(tuple(other.shift_um), abs=1e-9)
        assert one.rise_um == pytest.approx(other.rise_um, abs=1e-9)
        assert one.sigma_um == pytest.approx(tuple(other.sigma_um), abs=1e-9)


@given(seed=seeds, start_deg=st.sampled_from([0.0, 9.0]), pretilt=st.sampled_from([0.0, -9.0]))
@few
def test_a_mirrored_session_gives_mirrored_aims(seed, start_deg, pretilt):
    """Seen from the other end of the axis: tilts, pretilt, branches and y change their signs, x and heights do not."""
    up = Bidirectional(start_deg, -30, 39, 3).stops()
    world = World(seed, grid(), start_deg, up)
    plane = SamplePlane(pretilt)
    models = (
        JointModel(world.starts(), start_deg, plane=plane),
        JointModel(
            {n: s._replace(shift_um=flip(s.shift_um), n0_um=-s.n0_um) for n, s in world.starts().items()},
            -start_deg,
            plane=SamplePlane(-pretilt),
        ),
    )
    sides = {Branch.START: Branch.START, Branch.UP: Branch.DOWN, Branch.DOWN: Branch.UP}
    for stop in up:
        models[0].begin_tilt(stop.tilt_deg, stop.branch)
        models[1].begin_tilt(-stop.tilt_deg, sides[stop.branch])
        for number in world.places:
            one = models[0].aim(number, stop.tilt_deg, stop.branch)
            other = models[1].aim(number, -stop.tilt_deg, sides[stop.branch])
            assert flip(other.shift_um) == pytest.approx(one.shift_um, abs=1e-8)
            assert other.rise_um == pytest.approx(one.rise_um, abs=1e-8)
            assert other.sigma_um == pytest.approx(one.sigma_um, abs=1e-8)
            seen, rise = world.seen(number, stop)
            residual = seen.minus(one.shift_um)
            focus = rise
            for model, aim, tilt, side, found in (
                (models[0], one.shift_um, stop.tilt_deg, stop.branch, residual),
                (models[1], flip(one.shift_um), -stop.tilt_deg, sides[stop.branch], flip(residual)),
            ):
                model.observe(Observation(number, tilt, side, aim, found, focus, 0.0))


def flip(point):
    return XY(point.x, -point.y)


@given(seed=seeds)
@few
def test_turning_the_sample_half_round_turns_x(seed):
    """X may be counted from either end of the axis if y is, too, and the tilt is seen from the other end."""
    world = World(seed, grid(), 0.0, DoseSymmetric(0, -18, 18, 3, 2).stops())
    one, other = (
        model_of(world),
        JointModel(
            {
                n: s._replace(shift_um=s.shift_um.scaled(-1), n0_um=-s.n0_um)
                for n, s in world.starts().items()
            },
            0.0,
        ),
    )
    sides = {Branch.START: Branch.START, Branch.UP: Branch.DOWN, Branch.DOWN: Branch.UP}
    for stop in world.stops:
        one.begin_tilt(stop.tilt_deg, stop.branch)
        other.begin_tilt(-stop.tilt_deg, sides[stop.branch])
        for number in world.places:
            a = one.aim(number, stop.tilt_deg, stop.branch)
            b = other.aim(number, -stop.tilt_deg, sides[stop.branch])
            assert b.shift_um.scaled(-1) == pytest.approx(a.shift_um, abs=1e-8)
            seen = world.seen(number, stop)[0].minus(a.shift_um)
            one.observe(Observation(number, stop.tilt_deg, stop.branch, a.shift_um, seen))
            turned = Observation(
                number, -stop.tilt_deg, sides[stop.branch], a.shift_um.scaled(-1), seen.scaled(-1)
            )
            other.observe(turned)


@given(
    n0=st.floats(-10, 10),
    z0=st.floats(-3, 3),
    tilt=st.floats(-60, 60),
    start=st.sampled_from([-9.0, 0.0, 9.0]),
)
def test_with_nothing_measured_the_geometry_stands(n0, z0, tilt, start):
    begun = Start(XY(1.0, seen_y_um(n0, z0, start)), n0, z0, is_found=True)
    model = JointModel({1: begun}, start)
    aim = model.aim(1, tilt, Branch.UP if tilt > start else Branch.DOWN)
    assert aim.shift_um == pytest.approx((1.0, seen_y_um(n0, z0, tilt)), abs=1e-9)
    assert aim.rise_um == pytest.approx(height_um(n0, z0, tilt) - height_um(n0, z0, start), abs=1e-9)


def test_a_wrong_pretilt_is_found_for_all_targets_at_once():
    world = World(3, grid(), 0.0, DoseSymmetric(0, -60, 60, 3, 2).stops(), quiet())
    slope = math.tan(math.radians(4.0))
    world.higher_um = {n: slope * place.y for n, place in world.places.items()}
    session = Session(world, model_of(world)).run(world.stops[:12])
    stop = world.stops[40]
    for number in world.places:  # 60 degrees, 45 beyond all that was seen
        aim = session.model.aim(number, stop.tilt_deg, stop.branch)
        relative = aim.rise_um - session.model.aim(1, stop.tilt_deg, stop.branch).rise_um
        true = world.seen(number, stop)[1] - world.seen(1, stop)[1]
        assert relative == pytest.approx(true, abs=0.06)


def quiet():
    return {
        axis: scales._replace(smooth_um=0.02, jitter_um=0.004, swing_um=0.003)
        for axis, scales in USUAL.items()
    }


@pytest.mark.parametrize("axis_um", [-1.0, 1.0])
def test_measured_defocus_shows_an_axis_offset(axis_um):
    world = World(5, grid(), 0.0, (), quiet(), axis_um=axis_um)
    session = Session(world, model_of(world)).run()
    late = [abs(value) for (_, tilt), value in session.rises_um.items() if abs(tilt) > 24]
    assert np.median(late) < 0.06
    assert abs(axis_um) * math.sin(math.radians(45)) > 0.7  # what it would be, unknown


@pytest.mark.parametrize("axis_um", [-1.0, 1.0])
def test_without_measured_defocus_the_axis_does_not_drive_the_focus(axis_um):
    """What y shows may be the axis or the stage; until a defocus tells, the focus follows heights only."""
    world = World(5, grid(), 0.0, (), quiet(), axis_um=axis_um)
    world.higher_um = dict.fromkeys(world.places, 0.0)
    session = Session(world, model_of(world), defocus=False).run(world.stops[:30])
    stop = world.stops[29]
    geometry_um = height_um(0.0, 0.0, stop.tilt_deg)
    assert session.model.aim(1, stop.tilt_deg, stop.branch).rise_um == pytest.approx(geometry_um, abs=0.15)
    session.defocus = True
    session.run(world.stops[30:])
    late = [abs(session.rises_um[n, world.stops[-1].tilt_deg]) for n in world.places]
    assert max(late) < 0.25


@given(seed=seeds, number=st.integers(1, 9), place=st.integers(4, 30), angle=st.floats(0, 6.2))
@few
def test_one_false_correlation_leads_nobody_astray(seed, number, place, angle):
    world = World(seed, grid())
    tilt = world.stops[place].tilt_deg
    lie = XY(0.3 * math.cos(angle), 0.3 * math.sin(angle))
    honest = Session(World(seed, grid()), model_of(world)).run()
    session = Session(world, model_of(world), lies={(number, tilt): lie}).run()
    after = [stop.tilt_deg for stop in world.stops[place + 1 :]]
    off = [session.errors_um[number, t].minus(honest.errors_um[number, t]).length for t in after]
    assert np.median(off) < 0.02
    others = [n for n in world.places if n != number]
    assert all(
        session.errors_um[n, t].minus(honest.errors_um[n, t]).length < 0.05 for n in others for t in after
    )


@given(seed=seeds)
@few
def test_a_tracking_target_that_lies_is_found_out(seed):
    world = World(seed, grid())
    rng = np.random.default_rng(seed)
    liar = {(1, stop.tilt_deg): XY(*rng.normal(0, 0.3, 2)) for stop in world.stops[5:]}
    session = Session(world, model_of(world), lies=liar).run()
    errors = [e.length for (n, _), e in session.errors_um.items() if n > 1]
    assert np.median(errors) < 0.02
    assert np.mean(np.array(errors) > 0.1) < 0.05


@given(seed=seeds, place=st.integers(5, 25), size=st.floats(0.3, 0.8))
@few
def test_a_stage_that_slips_is_followed(seed, place, size):
    world = World(seed, grid())
    slip_side = world.stops[place].branch
    for stop in world.stops[place:]:
        if stop.branch is slip_side:
            world.motion[stop.tilt_deg] = world.motion[stop.tilt_deg] + [0.6 * size, -0.8 * size, 0.0]
    session = Session(world, model_of(world)).run()
    tilt = world.stops[place].tilt_deg
    at_slip = [session.errors_um[n, tilt].length for n in list(world.places)[3:]]
    assert max(at_slip) < 0.1
    after = [
        session.errors_um[n, s.tilt_deg].length
        for n in world.places
        if n > 1
        for s in world.stops[place + 1 :]
    ]
    assert np.percentile(after, 95) < 0.08


def test_a_break_in_the_middle_is_taken_into_account():
    world = World(8, grid())
    session = Session(world, model_of(world)).run(world.stops[:20])
    moved = XY(0.8, -0.5)
    for stop in world.stops[20:]:
        world.motion[stop.tilt_deg] = world.motion[stop.tilt_deg] + [moved.x + 0.02, moved.y - 0.02, 0.0]
    session.model.recovered(moved, 0.05)
    session.run(world.stops[20:])
    after = [session.errors_um[n, s.tilt_deg].length for n in world.places if n > 1 for s in world.stops[20:]]
    assert np.percentile(after, 95) < 0.06


def test_a_record_alone_tells_where_a_target_was():
    world = World(2, grid())
    session = Session(world, model_of(world)).run(world.stops[:21])
    fresh = model_of(world)
    for number in world.places:
        for side in (Branch.UP, Branch.DOWN):
            record = session.model.export(number, side)
            fresh.restore(number, side, record)
            assert fresh.export(number, side) == record
    stop = world.stops[21]
    fresh.begin_tilt(stop.tilt_deg, stop.branch)
    for number in world.places:
        off = fresh.aim(number, stop.tilt_deg, stop.branch).shift_um.minus(world.seen(number, stop)[0])
        assert off.length < 0.15


def test_records_of_other_targets_are_refused():
    world = World(1, grid(2))
    model = model_of(world)
    record = model.export(1, Branch.UP)
    with pytest.raises(PlanError, match="n0"):
        model.restore(1, Branch.UP, record._replace(n0_um=record.n0_um + 1, tilt_deg=3.0))


def test_moves_and_height_are_exported_for_older_programs():
    world = World(6, grid())
    session = Session(world, model_of(world, data_points=3)).run()
    record = session.model.export(4, Branch.UP)
    assert [move.to_deg for move in record.moves] == [54.0, 57.0, 60.0]
    assert [move.from_deg for move in record.moves] == [51.0, 54.0, 57.0]
    before = session.model.export(4, Branch.DOWN)
    assert before.tilt_deg == -60.0
    true = world.higher_um[4] + world.height_um
    assert record.z0_um == pytest.approx(true, abs=0.5)


@pytest.mark.parametrize(
    ("residual", "is_found", "moves"),
    [(XY(0.02, -0.03), True, False), (XY(0.3, -0.2), True, False), (XY(0.3, -0.2), False, True)],
    ids=["a little off", "far off where an image has shown it", "far off where none has"],
)
def test_what_the_first_image_says_of_the_place(residual, is_found, moves):
    begun = {1: Start(XY(0.0, 0.0), 0.0, 0.0, True), 2: Start(XY(3.0, 0.0), 0.0, 0.0, is_found)}
    model = JointModel(begun, 0.0)
    model.begin_tilt(0.0, Branch.START)
    for number in begun:
        seen = residual if number == 2 else XY(0.0, 0.0)
        model.observe(Observation(number, 0.0, Branch.START, begun[number].shift_um, seen))
    place = XY(3.0, 0.0).plus(residual) if moves else XY(3.0, 0.0)
    aim = model.aim(2, 0.0, Branch.UP).shift_um
    assert aim.minus(place).length < 0.06
    # The chain of alignments goes on from where this image was said to show the target.
    found = aim.plus(model.search_region(2, 0.0, Branch.UP)[0])
    assert found.minus(XY(3.0, 0.0).plus(residual)).length < 0.06
