"""The file of a stage profile: JSON that people can read, with the samples it was learnt from.

A file holds all that learning needs, so that newer series can be added to it. Numbers come back exactly.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from pacetomo.errors import ProfileError
from pacetomo.files.atomic import PathLike, Wait, as_utf8, read_bytes, write_with_backup
from pacetomo.joint.courses import AXES, Course, Visit
from pacetomo.joint.priors import Scales
from pacetomo.joint.profile import Habit, Repeats, Score, StageProfile

FORMAT = 1
KIND = "pacetomo stage profile"


def format_profile(profile: StageProfile) -> str:
    """Return a profile as the text of its file: a line per tilt and axis."""
    head = {
        "kind": KIND,
        "format": FORMAT,
        "summary": profile.describe().splitlines(),
        "score": profile.score._asdict(),
    }
    habits = [
        f"  {json.dumps(axis)}: "
        + json.dumps({"repeats": habit.repeats._asdict(), "rest": habit.rest._asdict()})
        for axis, habit in ((axis, profile.habits[axis]) for axis in AXES if axis in profile.habits)
    ]
    lines = [f" {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}," for key, value in head.items()]
    lines += [' "axes": {', ",\n".join(habits), " },", ' "sessions": [']
    lines += [",\n".join(_format_course(course) for course in profile.courses), " ]"]
    return "\n".join(["{", *lines, "}"]) + "\n"


def _format_course(course: Course) -> str:
    head = {
        "name": course.name,
        "date": course.date,
        "start_tilt_deg": course.start_tilt_deg,
        "y_start_um": course.y_start_um,
        "targets": course.targets,
    }
    visits = [
        json.dumps([visit.tilt_deg, visit.minutes, *(visit.shift_um or (None, None)), visit.rise_um])
        for visit in course.visits
    ]
    text = json.dumps(head, ensure_ascii=False)[:-1]
    rows = ",\n   ".join(visits)
    return f'  {text}, "tilt_minutes_x_y_z": [\n   {rows}]}}'


def parse_profile(text: str, name: str) -> StageProfile:
    """Return the profile that a text holds; `name` stands for the file in messages.

    Raises
    ------
    ProfileError
        When it is none, is damaged, or of another version.
    """
    try:
        table = json.loads(text)
    except (ValueError, RecursionError) as err:
        raise ProfileError(f"{name}: this is no stage profile, or it is damaged ({err}); {_CURE}") from err
    if not isinstance(table, dict) or table.get("kind") != KIND:
        raise ProfileError(f"{name}: this is no stage profile; {_CURE}")
    if table.get("format") != FORMAT:
        raise ProfileError(
            f"{name}: the stage profile has format {table.get('format')!r}, this version reads {FORMAT}; {_CURE}"
        )
    try:
        courses = tuple(_course(entry) for entry in table["sessions"])
        habits = {axis: _habit(table["axes"][axis]) for axis in AXES if axis in table["axes"]}
        score = Score(
            int(table["score"]["tilts"]), *(_number(table["score"][key]) for key in Score._fields[1:])
        )
        if not courses or not {"x", "y"} <= set(habits):
            raise ValueError("there are no sessions or no scales")
    except (KeyError, TypeError, ValueError, AttributeError) as err:
        raise ProfileError(f"{name}: the stage profile is damaged ({err!r}); {_CURE}") from err
    return StageProfile(courses, habits, score)


_CURE = "learn it anew with `pacetomo replay FILES --learn PROFILE`"


def _habit(entry: Any) -> Habit:
    repeats = Repeats(*(_positive(entry["repeats"][key]) for key in Repeats._fields))
    return Habit(repeats, Scales(*(_positive(entry["rest"][key]) for key in Scales._fields)))


def _course(entry: Any) -> Course:
    targets = entry["targets"]
    if not isinstance(targets, int) or targets < 1:
        raise ValueError(f"targets is {targets!r}")
    return Course(
        str(entry["name"]),
        str(entry["date"]),
        _number(entry["start_tilt_deg"]),
        _number(entry["y_start_um"]),
        targets,
        tuple(_visit(row) for row in entry["tilt_minutes_x_y_z"]),
    )


def _visit(row: Any) -> Visit:
    tilt_deg, minutes, x, y, z = row
    shift = None if x is None else (_number(x), _number(y))
    return Visit(_number(tilt_deg), _number(minutes), shift, None if z is None else _number(z))


def _number(value: Any) -> float:
    """A finite number; ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no number")
    return float(value)


def _positive(value: Any) -> float:
    number = _number(value)
    if number <= 0:
        raise ValueError(f"{value!r} is not above 0")
    return number


def read_profile(path: PathLike, wait: Wait | None = None) -> StageProfile:
    """Read a profile.

    Raises
    ------
    ProfileError
        As `parse_profile`, and when the file cannot be read.
    """
    data = read_bytes(path, wait, ProfileError)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as err:
        raise ProfileError(f"{path}: this is no stage profile ({err.reason}); {_CURE}") from err
    return parse_profile(text, str(path))


def write_profile(path: PathLike, profile: StageProfile, wait: Wait | None = None) -> Path | None:
    """Write a profile; a different one of that name is kept as a backup, whose name is returned.

    Raises
    ------
    ProfileError
        If the file cannot be written.
    """
    data = as_utf8(format_profile(profile), path, ProfileError)
    return write_with_backup(path, data, wait, ProfileError)
