"""What a model was told brings another one to the same state."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_joint import Session, World, grid

from pacetomo.errors import PlanError, RunFileError
from pacetomo.frames import XY
from pacetomo.joint import JointModel
from pacetomo.memory import MemoryFile, Origin, RememberingModel, read_memory, recall
from pacetomo.schemes import Branch
from pacetomo.tracking import Rise, Sight, SingleTargetModel, Start

WORLD = World(3, grid(2))
MODELS = {"joint": JointModel, "single": SingleTargetModel}


class Silent:
    """A model of which no region is asked: the single one has none."""

    def __init__(self, model):
        self.model = model

    def __getattr__(self, name):
        return getattr(self.model, name)

    def search_region(self, *_):
        return XY(0.0, 0.0), XY(1.0, 1.0)


def told(world, kind, cut):
    """A model led through some tilts and everything else that may happen, and what it was told."""
    lines = []
    model = RememberingModel(MODELS[kind](world.starts(), world.start_deg), lines.append)
    session = Session(world, Silent(model), lies={(3, world.stops[1].tilt_deg): XY(0.3, 0.2)})
    session.run(world.stops[:cut])
    stop, now_s = world.stops[cut], session.clock_s
    model.recovered(XY(0.1, -0.2), 0.05)
    model.begin_tilt(stop.tilt_deg, stop.branch)
    model.measure_rise(Rise(2, stop.tilt_deg, stop.branch, 0.4, now_s))
    model.sight(Sight(1, stop.tilt_deg, stop.branch, XY(0.3, -0.1), 0.03, now_s + 3))
    model.follow(2)
    session.run([stop])
    return model, lines


def state(model, world, stop):
    """All that can be asked of a model at a tilt."""
    return [
        (
            model.aim(number, stop.tilt_deg, stop.branch),
            model.search_region(number, stop.tilt_deg, stop.branch),
            model.export(number, stop.branch),
        )
        for number in world.places
    ]


@given(seed=st.integers(0, 1000), cut=st.integers(1, 12), kind=st.sampled_from(sorted(MODELS)))
@settings(max_examples=10)
def test_a_model_told_the_same_is_the_same_bit_for_bit(seed, cut, kind):
    world = World(seed, grid(2))
    first, lines = told(world, kind, cut)
    again = MODELS[kind](world.starts(), world.start_deg)
    recall(again, lines)
    here, there = world.stops[cut], world.stops[cut + 1]
    assert state(again, world, here) == state(first, world, here)
    for model in (first, again):
        model.begin_tilt(there.tilt_deg, there.branch)
    assert state(again, world, there) == state(first, world, there)


@pytest.mark.parametrize("kind", sorted(MODELS))
def test_each_line_counts(kind):
    """A model that was not told one of them is another one; so nothing is recorded in vain."""
    model, lines = told(WORLD, kind, 3)
    stop = WORLD.stops[4]
    model.begin_tilt(stop.tilt_deg, stop.branch)
    kinds = {json.loads(line)[0] for line in lines}
    # To the single model each target is where it was seen last; who tracks does not matter to the joint one.
    expected = {"seen"} | ({"rise", "sight", "moved"} if kind == "joint" else set())
    for each in expected:
        assert each in kinds
        lesser = MODELS[kind](WORLD.starts(), WORLD.start_deg)
        recall(lesser, [line for line in lines if json.loads(line)[0] != each])
        lesser.begin_tilt(stop.tilt_deg, stop.branch)
        assert state(lesser, WORLD, stop) != state(model, WORLD, stop)


def test_places_put_back_and_shapes_are_remembered():
    starts = {1: Start(XY(0.0, 0.0), 0.0, 0.0), 2: Start(XY(1.0, 2.0), 2.0, 0.1)}
    lines = []
    model = RememberingModel(JointModel(starts, 0.0), lines.append)
    model.reshape(2, 2.2, 0.4)
    record = model.export(2, Branch.UP)._replace(shift_um=XY(1.1, 1.9), tilt_deg=6.0)
    model.restore(2, Branch.UP, record)
    again = JointModel(starts, 0.0)
    recall(again, lines)
    assert again.export(2, Branch.UP) == record
    assert again.aim(2, 9.0, Branch.UP) == model.aim(2, 9.0, Branch.UP)


@pytest.mark.parametrize("line", ["{", '["dance", 1]', '["tilt", 3.0, "sideways"]', '["seen", 1]', "[]"])
def test_what_is_no_memory_is_refused(line):
    with pytest.raises(PlanError, match="memory"):
        recall(JointModel({1: Start(XY(0, 0), 0.0, 0.0)}, 0.0), [line])


# --- on disk


def origin():
    return Origin(
        {1: Start(XY(0.1, 1 / 3), 0.7, -0.2, True), 12: Start(XY(2, 1), 1.0, 0.0)}, 8.99, {"tracker": "x"}
    )


def test_the_file_gives_back_what_was_written(tmp_path):
    path = tmp_path / "model.jsonl"
    memory = MemoryFile(path)
    memory.begin(origin())
    memory.append('["tilt", 3.0, "up"]')
    memory.close()
    again = MemoryFile(path)
    again.append('["follow", 2]')
    again.close()
    assert read_memory(path) == (origin(), ('["tilt", 3.0, "up"]', '["follow", 2]'))


def test_a_line_cut_in_half_is_dropped_wherever_it_was_cut(tmp_path):
    path = tmp_path / "model.jsonl"
    memory = MemoryFile(path)
    memory.begin(origin())
    memory.append('["tilt", 3.0, "up"]')
    memory.close()
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for length in range(first, len(whole)):
        path.write_bytes(whole[:length])
        assert read_memory(path) == (origin(), ())
        again = MemoryFile(path)
        again.append('["follow", 2]')
        again.close()
        assert read_memory(path)[1] == ('["follow", 2]',)
    for length in range(first):
        path.write_bytes(whole[:length])
        with pytest.raises(RunFileError, match="line 1"):
            read_memory(path)


def test_lines_that_cannot_be_written_come_later(tmp_path):
    folder = tmp_path / "share"
    memory = MemoryFile(folder / "model.jsonl")
    memory.begin(origin())
    assert "model.jsonl" in memory.trouble
    folder.mkdir()
    memory.append('["follow", 2]')
    memory.close()
    assert memory.trouble is None
    assert read_memory(folder / "model.jsonl") == (origin(), ('["follow", 2]',))


def test_a_memory_of_another_format_is_refused(tmp_path):
    path = tmp_path / "model.jsonl"
    path.write_text('{"format": 2, "starts": {}, "start_tilt_deg": 0}\n')
    with pytest.raises(RunFileError, match="format 2"):
        read_memory(path)
