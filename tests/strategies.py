"""Hypothesis strategies for what users' files and settings may hold."""

from __future__ import annotations

from hypothesis import strategies as st

from pacetomo.files.target_keys import TARGET_KEYS
from pacetomo.frames import XY, Matrix2
from pacetomo.run_state import BranchState, RunHeader, RunState, TargetState
from pacetomo.targets import GeoPoint, Override, Target, TargetSet

numbers = st.floats(allow_nan=False, allow_infinity=False)
shifts_um = st.builds(XY, numbers, numbers)
small = st.floats(-30, 30)
small_shifts_um = st.builds(XY, small, small)

_printable = st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="\ufeff")
one_line_texts = st.text(_printable, max_size=20)
file_names = (
    st.text(_printable, min_size=1, max_size=15).map(str.strip).filter(lambda name: name not in ("", "None"))
)
words = st.text(_printable, min_size=1, max_size=8).filter(
    lambda word: word.split() == [word] and not word.startswith("_")
)
extras = st.lists(
    st.tuples(words.filter(lambda word: word not in TARGET_KEYS), one_line_texts),
    max_size=3,
    unique_by=lambda pair: pair[0],
).map(tuple)
overrides = st.lists(
    st.one_of(
        st.builds(Override, words, numbers.map(repr), st.just("set")),
        st.builds(Override, words, st.sampled_from(["True", "False", "yes"]), st.just("bset")),
    ),
    max_size=4,
    unique_by=lambda override: override.name,
).map(tuple)
geo_points = st.lists(st.builds(GeoPoint, shifts_um, extras), max_size=3).map(tuple)


@st.composite
def targets(draw: st.DrawFn, number: int = 1) -> Target:
    """One target with at least one pair of coordinates."""
    shift_um = draw(st.none() | shifts_um)
    return Target(
        number,
        draw(file_names),
        reference=draw(st.none() | file_names),
        view=draw(st.none() | file_names),
        shift_um=shift_um,
        stage_um=draw(shifts_um if shift_um is None else st.none() | shifts_um),
        skip=draw(st.booleans()),
        area=draw(st.sampled_from("RVS")),
        score=draw(st.none() | numbers),
        defocus_um=draw(st.none() | numbers),
        extra=draw(extras),
    )


@st.composite
def target_sets(draw: st.DrawFn) -> TargetSet:
    """Targets with numbers that may have gaps and any order, settings and geometry points."""
    counted = draw(st.lists(st.integers(1, 120), min_size=1, max_size=4, unique=True))
    return TargetSet(tuple(draw(targets(number)) for number in counted), draw(overrides), draw(geo_points))


@st.composite
def branch_states(draw: st.DrawFn) -> BranchState:
    """A saved branch."""
    moves = draw(st.lists(st.tuples(numbers, numbers), max_size=4))
    return BranchState(
        shift_um=draw(shifts_um),
        focus_um=draw(numbers),
        z0_um=draw(numbers),
        n0_um=draw(numbers),
        shifts_um=tuple(shift for shift, _ in moves),
        angles_deg=tuple(angle for _, angle in moves),
        image_shift=draw(shifts_um),
        aligned=draw(shifts_um),
        dose_e_per_a2=draw(numbers),
        section=draw(st.integers(-1, 500)),
        skip=draw(st.booleans()),
    )


@st.composite
def runs(draw: st.DrawFn) -> tuple[TargetSet, RunState]:
    """A target set and a state of a run over it."""
    target_set = draw(target_sets())
    states = tuple(
        TargetState(target.number, draw(st.none() | branch_states()), draw(st.none() | branch_states()))
        for target in target_set.targets
    )
    places = st.integers(0, len(states) - 1)
    position = draw(st.none() | st.tuples(st.integers(0, 200), places))
    header = RunHeader(*(draw(numbers) for _ in range(6)))
    return target_set, RunState(states, position, header)


matrices = st.builds(Matrix2, small, small, small, small)

TARGET_FILE_LINES = (
    "_tgt = 001",
    "_tgt = 002",
    "_tgt = two",
    "_geo = 1",
    "_set step = 3",
    "_set step = 4",
    "_bset addAF = yes",
    "_set step",
    "_spos = 3,0",
    "_spos = 3",
    "_pbr",
    "_nbr",
    "_abc = 1",
    "tsfile = L_ts_001.mrc",
    "tsfile = L ts 002.mrc",
    "tgtfile = None",
    "SSX = 1.5",
    "SSY = -2",
    "SSX = nan",
    "stageX = 1e999",
    "stageY = 3",
    "skip = True",
    "skip = maybe",
    "LDArea = V",
    "LDArea = Q",
    "shifts = 1,2",
    "angles = 3",
    "sec = 2",
    "foo = bar baz",
    "foo =",
    "SSX=1",
    "# a comment",
    "",
    "\ufeff",
    "\x00",
)
target_file_texts = st.builds(
    lambda lines, newline, end: newline.join(lines) + end,
    st.lists(st.sampled_from(TARGET_FILE_LINES) | st.text(max_size=12), max_size=25),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["", "\n", "\r\n"]),
)
