import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacetomo.errors import RunFileError
from pacetomo.files.run_file import format_run, parse_run
from pacetomo.files.target_file import parse_targets
from pacetomo.montage import Tile
from pacetomo.run_state import BranchState, RunState, TargetState
from pacetomo.tile_books import TilesState, TileState, read_tiles, with_tiles

TARGETS = parse_targets(
    "".join(f"_tgt = {n:03d}\ntsfile = a_ts_{n:03d}.mrc\nSSX = {n}\nSSY = 0\n\n" for n in (1, 2))
)
TILES = st.tuples(st.integers(-7, 7), st.integers(-7, 7)).map(lambda xy: Tile(*xy))
STATES = st.builds(TileState, st.integers(-1, 200), st.floats(0, 1e4))
ALL = st.builds(
    TilesState,
    st.dictionaries(TILES, STATES, max_size=9).map(lambda taken: tuple(taken.items())),
    st.lists(TILES, unique=True, max_size=9).map(tuple),
)


def fresh():
    up = BranchState(section=3, dose_e_per_a2=12.0, extra=(("tilt", "3.0"),))
    return RunState((TargetState(1, up, BranchState()), TargetState(2)), (3, 0))


@given(ALL, ALL)
def test_tiles_survive_the_run_file(first, second):
    state = with_tiles(with_tiles(fresh(), 1, first), 2, second)
    read = parse_run(format_run(TARGETS, state)).state
    assert read_tiles(read, 1) == first and read_tiles(read, 2) == second
    assert ("tilt", "3.0") in read.numbered(1).up.extra and read.numbered(1).sections == 4


@given(ALL)
def test_writing_again_replaces(tiles):
    state = with_tiles(with_tiles(fresh(), 1, TilesState(((Tile(5, 5), TileState(9, 1.0)),))), 1, tiles)
    assert read_tiles(state, 1) == tiles
    assert with_tiles(state, 1, TilesState()) == fresh()


def test_what_is_left():
    tiles = TilesState(left=(Tile(-1, 0), Tile(1, 0)))
    taken = tiles.without(Tile(-1, 0)).plus(Tile(-1, 0), TileState(0, 3.0))
    assert taken.left == (Tile(1, 0),)
    assert taken.of(Tile(-1, 0)) == TileState(0, 3.0) and taken.of(Tile(1, 0)) == TileState(-1, 0.0)


@pytest.mark.parametrize("extra", [("tiles", "1_0:2"), ("tilesLeft", "1"), ("tiles", "1_0:x:3")])
def test_a_damaged_entry_is_told(extra):
    state = RunState((TargetState(1, BranchState(extra=(extra,)), None),))
    with pytest.raises(RunFileError, match="target 1"):
        read_tiles(state, 1)
