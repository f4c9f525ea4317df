"""An acquisition killed anywhere is finished by starting it again: nothing is lost and nothing dosed twice."""

import json
import random
import re

import pytest
from killing import Kill, Trace, make_area, run

from pacetomo.area_files import AreaFiles
from pacetomo.files.mdoc import read_mdoc
from pacetomo.files.stack import section_count

SETTINGS = {"minTilt": -6, "maxTilt": 6, "startTilt": 0, "pretilt": 0, "groupSize": 2}
TARGETS, TILTS = 3, [0.0, 3.0, 6.0, -3.0, -6.0]


def area(folder, seed=0, **settings):
    return make_area(folder, targets=TARGETS, seed=seed, **{**SETTINGS, **settings})


def finish(session, most=4):
    """Start the script until the area is finished."""
    for _ in range(most):
        result = run(session)
        assert result.ok, result.error
        if state(session) == "finished":
            return
    raise AssertionError("\n".join(session.log.lines[-20:]))


def journal(session):
    """Events of the latest run; set-ups that died before their first image have journals of their own."""
    paths = sorted(session.directory.glob("*_run[0-9][0-9].jsonl"))
    if not paths:
        return []
    lines = paths[-1].read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]


def state(session):
    ends = [line["state"] for line in journal(session) if line["event"] == "run_end"]
    return ends[-1] if ends else None


def truth(session, event):
    return [line for line in session.world.truth.events if line["event"] == event]


def series_of(line):
    found = re.search(r"_ts_(\d+)\.mrc$", line["file"])
    return int(found[1]) if found else None


def check_complete(session):
    """Every exposure of the plan is there exactly once, with its own metadata, and cost dose exactly once."""
    saved = [line for line in truth(session, "saved") if series_of(line)]
    for number in range(1, TARGETS + 1):
        mine = [line for line in saved if series_of(line) == number]
        assert sorted(round(line["tilt_nominal_deg"], 1) for line in mine) == sorted(TILTS)
        assert [line["section"] for line in mine] == list(range(len(TILTS)))
        stack = next(session.directory.glob(f"*_ts_{number:03d}.mrc"))
        assert section_count(stack) == len(TILTS)
        images = read_mdoc(stack.with_name(stack.name + ".mdoc")).images
        assert [image.name for image in images] == [str(n) for n in range(len(TILTS))]
        for image, line in zip(images, mine):
            assert image.tilt_deg == pytest.approx(line["tilt_true_deg"], abs=0.02)
            assert image.text("SpecimenShift") is not None, f"section {image.name} of {stack.name}"
    records = [line for line in truth(session, "exposure") if line["set"] == "R"]
    assert len(records) == TARGETS * len(TILTS)


def check_residuals(session, most_um):
    for line in truth(session, "saved"):
        if (series_of(line) or 0) > 1:
            assert abs(line["residual_x_um"]) < most_um and abs(line["residual_y_um"]) < most_um


def trace_of(folder):
    """Commands and writes of a whole run."""
    trace = Trace()
    session = area(folder)
    assert run(session, trace=trace).ok
    check_complete(session)
    return trace


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_ten_deaths_at_random_points(tmp_path, seed):
    """Two hundred in all: at any command, write or exposure, also while an earlier death is being made good."""
    session = area(tmp_path / "s", seed)
    rng = random.Random(seed)
    for _ in range(10):
        if state(session) == "finished":  # the last of these deaths was beyond its end
            break
        kind = rng.choice(("command", "write", "exposure"))
        moment = rng.choice(("before", "after"))
        if kind == "command":
            kill = Kill(command=rng.randint(1, 350), moment=moment)
        elif kind == "write":
            kill = Kill(write=rng.randint(1, 150), moment=rng.choice(("before", "within", "after")))
        else:
            exposures = len(truth(session, "exposure"))
            kill = Kill(exposure=exposures + rng.randint(1, 8), moment=moment)
        run(session, kill)
    finish(session)
    check_complete(session)
    check_residuals(session, 0.1)


def files_of(session):
    return AreaFiles(next(session.directory.glob("*_tgts.txt")))
