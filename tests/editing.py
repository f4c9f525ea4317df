"""Documents to edit in tests, and where their targets lie on the stage, worked out apart from the editor."""

from __future__ import annotations

import math
from pathlib import Path

from hypothesis import strategies as st

from pacetomo.editor.model import Document, Known
from pacetomo.frames import XY, Matrix2
from pacetomo.targets import GeoPoint, Override, Target, TargetSet

FILE = """_set startTilt = 9
_set pretilt = -9.5

_tgt = 001
tgtfile = L3_tgt_001.mrc
tsfile = L3_ts_001.mrc
viewfile = L3_tgt_001_view.mrc
SSX = 0
SSY = 0
stageX = -213.402
stageY = 88.117
skip = False

_tgt = 002
tgtfile = L3_tgt_002.mrc
tsfile = L3_ts_002.mrc
SSX = 2.4103
SSY = -1.0921
stageX = -215.8123
stageY = 89.2091
skip = True

_tgt = 003
tsfile = L3_ts_003.mrc
SSX = -3
SSY = 2.5
SPACEscore = 0.75
defocus = -4
colour = red

_geo = 1
SSX = 1.2
SSY = 3.4
"""
"""Three targets; stage coordinates are minus the specimen's, as with the nominal matrix."""

TURNED = Matrix2(-0.8, 0.6, -0.6, -0.8)
"""A stage whose axes are turned against the specimen's."""

places = st.builds(XY, st.floats(-12, 12), st.floats(-12, 12))


def document(targets: TargetSet, matrix: Matrix2 | None = None, names: tuple[str, ...] = ()) -> Document:
    """A document of a file that need not be there."""
    known = Known(stage_to_specimen=matrix, names=frozenset(name.casefold() for name in names))
    return Document(Path("session/L3_tgts.txt"), targets, known, original=targets)


def stage_places(targets: TargetSet, matrix: Matrix2, picked_at_deg: float) -> dict[str, XY]:
    """Stage position of each target by its series, and of geometry points: as it says, or from specimen coordinates.

    Seen along the beam Y is shortened by the cosine of the tilt, which is undone before the inverse of the matrix
    (by Cramer's rule) leads to the stage.
    """
    first = targets.targets[0]
    assert first.stage_um is not None
    origin = first.shift_um or XY(0.0, 0.0)

    def of(shift_um: XY) -> XY:
        x = shift_um.x - origin.x
        y = (shift_um.y - origin.y) / math.cos(math.radians(picked_at_deg))
        area = matrix.xpx * matrix.ypy - matrix.xpy * matrix.ypx
        return XY(
            first.stage_um.x + (x * matrix.ypy - y * matrix.xpy) / area,
            first.stage_um.y + (y * matrix.xpx - x * matrix.ypx) / area,
        )

    found = {target.series: target.stage_um or of(target.shift_um) for target in targets.targets}
    return {**found, **{f"point {n}": of(point.shift_um) for n, point in enumerate(targets.geo_points)}}


@st.composite
def areas(draw: st.DrawFn, matrix: Matrix2 = TURNED) -> Document:
    """An area of up to five targets whose two kinds of coordinates agree, with gaps in its numbers."""
    picked_at_deg = draw(st.sampled_from([0.0, 9.0, -24.0]))
    numbers = draw(st.lists(st.integers(1, 30), min_size=1, max_size=5, unique=True))
    origin = draw(st.sampled_from([XY(0.0, 0.0), XY(0.5, -1.25)]))
    at = [XY(0.0, 0.0), *(draw(places) for _ in numbers[1:])]
    bare = TargetSet(
        tuple(Target(n, f"L3_ts_{n:03d}.mrc", shift_um=origin.plus(place)) for n, place in zip(numbers, at))
    )
    first, *rest = bare.targets
    on_stage = TargetSet(
        (Target(first.number, first.series, shift_um=origin, stage_um=XY(-20.0, 35.5)), *rest)
    )
    stage = stage_places(on_stage, matrix, picked_at_deg)
    targets = [on_stage.targets[0]]
    for target in rest:
        kind = draw(st.sampled_from(["both", "shift", "stage"]))
        targets.append(
            Target(
                target.number,
                target.series,
                reference=draw(st.sampled_from([None, f"L3_tgt_{target.number:03d}.mrc"])),
                shift_um=None if kind == "stage" else target.shift_um,
                stage_um=None if kind == "shift" else stage[target.series],
                skip=draw(st.booleans()),
                score=draw(st.none() | st.floats(0, 1)),
            )
        )
    overrides = (Override("tiltTargets", f"{picked_at_deg}"), Override("startTilt", "6"))
    points = tuple(GeoPoint(origin.plus(draw(places))) for _ in range(draw(st.integers(0, 2))))
    return document(TargetSet(tuple(targets), overrides, points), matrix)
