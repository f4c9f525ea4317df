"""An acquisition killed anywhere is finished by starting it again: nothing is lost and nothing dosed twice."""

import json
import math
import random
import re
import shutil

import pytest
from killing import Kill, Trace, make_area, run
from thoroughness import THOROUGH

from mock_serialem.faults import Fault, FaultPlan
from mock_serialem.module import make_module
from pacetomo.acquire import acquire_area
from pacetomo.area_files import AreaFiles
from pacetomo.errors import PaceError
from pacetomo.files.mdoc import read_mdoc
from pacetomo.files.stack import section_count
from pacetomo.files.target_file import read_targets
from pacetomo.job import NOMINAL_STAGE_TO_SPECIMEN, make_job
from pacetomo.resume import (
    job_to_go_on_with,
    prepared_again,
    read_interrupted,
    state_to_go_on_with,
    taken_so_far,
)
from pacetomo.scope.serialem_scope import SerialEMScope
from pacetomo.settings import resolve_settings

SETTINGS = {"minTilt": -3, "maxTilt": 6, "startTilt": 0, "pretilt": 0, "groupSize": 2}
TARGETS, TILTS = 3, [0.0, 3.0, 6.0, -3.0]


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
@pytest.mark.parametrize("seed", range(20 if THOROUGH else 3))
def test_ten_deaths_at_random_points(tmp_path, seed):
    """At any command, write or exposure, also while an earlier death is being made good; thoroughly, two hundred."""
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


@pytest.mark.slow
def test_before_within_and_after_every_write_of_one_exposure(tmp_path):
    """From the last write of the exposure before it, through mark, run file and memory, to that of its own."""
    trace = trace_of(tmp_path / "whole")
    saves = [
        n for n, line in enumerate(trace.writes, 1) if line.startswith("replace") and "run01.txt" in line
    ]
    first, last = saves[8], saves[10]
    assert 10 < last - first < 40
    moments = ("before", "within", "after")
    for write in range(first, last + 1):
        for moment in moments if THOROUGH else moments[write % 3 :][:1]:
            session = area(tmp_path / f"{write}{moment}")
            run(session, Kill(write=write, moment=moment))
            finish(session)
            check_complete(session)
            shutil.rmtree(session.directory)


@pytest.mark.slow
def test_each_command_fails_once(tmp_path):
    """Each kind of command in the middle, thoroughly at its first and last call, too; the next start does the rest."""
    trace = trace_of(tmp_path / "whole")
    places = {}
    for number, name in enumerate(trace.commands, 1):
        places.setdefault(name, []).append(number)
    chosen = {
        calls[n]
        for calls in places.values()
        for n in ((0, len(calls) // 2, -1) if THOROUGH else (len(calls) // 2,))
    }
    assert len(chosen) > (80 if THOROUGH else 30)
    for number in sorted(chosen):
        session = area(tmp_path / str(number))
        session.inject(FaultPlan((Fault("error", (), number),)))
        result = in_process(session)
        assert result is None or str(result), f"command {number}, {trace.commands[number - 1]}"
        session.inject(FaultPlan(()))
        for _ in range(3):
            if state(session) == "finished":
                break
            assert in_process(session) is None
        check_complete_but_for_retaken(session)
        shutil.rmtree(session.directory)


def in_process(session):
    """Run the area in this process; the error that ended it, if it is one of ours, and None if there was none."""
    scope = SerialEMScope(make_module(session))
    try:
        scope.switch_off_message_boxes()
        acquire_area(scope, scope.item(), None, {})
    except PaceError as err:
        return err
    return None


def check_complete_but_for_retaken(session):
    """As `check_complete`, but that a set-up may have failed before the first image."""
    for number in range(1, TARGETS + 1):
        mine = [line for line in truth(session, "saved") if series_of(line) == number]
        latest = {round(line["tilt_nominal_deg"], 1): line for line in mine}
        assert sorted(latest) == sorted(TILTS) and len(mine) == len(TILTS)
    records = [line for line in truth(session, "exposure") if line["set"] == "R"]
    # Where no View image could be kept, a first image in a stack of its own centres the tracking target.
    first = [line for line in truth(session, "saved") if line["file"].endswith("_track.mrc")]
    assert len(records) == TARGETS * len(TILTS) + len(first) and len(first) <= 1


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory):
    """A session whose script died in the middle of the third tilt."""
    session = area(tmp_path_factory.mktemp("interrupted") / "s")
    assert not run(session, Kill(command=8, name="Save", moment="after")).ok
    return session


def copied(session, folder, **changes):
    """The files of a session in another folder."""
    shutil.copytree(session.directory, folder)
    return AreaFiles(next(folder.glob("*_tgts.txt")))


def test_a_run_file_cut_anywhere_hides_nothing(interrupted, tmp_path):
    files = copied(interrupted, tmp_path / "copy")
    whole = files.run_file(1).read_bytes()
    job = job_of(files)
    for length in range(0, len(whole) + 1, 7):
        files.run_file(1).write_bytes(whole[:length])
        before = read_interrupted(files, 1)
        assert not before.is_over
        going_on, _ = job_to_go_on_with(job, before)
        taken = taken_so_far(going_on)
        assert len(taken.numbers) == len([line for line in truth(interrupted, "saved") if series_of(line)])
        state = state_to_go_on_with(going_on, before)
        prepared = prepared_again(going_on, before)
        assert len(state.targets) == TARGETS and set(prepared.focus_um) == {1, 2, 3}


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.8, 0.97])
def test_a_cut_run_file_is_gone_on_with(tmp_path, share):
    session = area(tmp_path / "s")
    run(session, Kill(command=8, name="Save", moment="after"))
    path = AreaFiles(next(session.directory.glob("*_tgts.txt"))).run_file(1)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    finish(session)
    check_complete(session)
    check_residuals(session, 0.1)


def job_of(files):
    targets = read_targets(files.target_file)
    resolved = resolve_settings(targets.settings_layer(files.target_file.name))
    return make_job(files, targets, resolved, NOMINAL_STAGE_TO_SPECIMEN)


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{}, {"tracker": "single"}], ids=["joint", "single"])
def test_a_run_file_of_pacetomo_is_gone_on_with(tmp_path, settings):
    """Without journal, memory, View images, and what only our run files say."""
    session = area(tmp_path / "s", **settings)
    run(session, Kill(command=11, name="Save", moment="after"))
    files = AreaFiles(next(session.directory.glob("*_tgts.txt")))
    run(session, Kill(command=1, name="TiltTo"))  # so that what was taken is noted
    for path in (files.memory(1), files.journal(1), *session.directory.glob("*_view.mrc*")):
        if "_tgt_" not in path.name:
            path.unlink(missing_ok=True)
    ours = ("tilt =", "fromAngles", "offCentre", "startFocus", "failed")
    lines = files.run_file(1).read_text().splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith(ours)]
    assert len(kept) < len(lines)
    files.run_file(1).write_text("".join(kept))
    finish(session)
    saved = [line for line in truth(session, "saved") if series_of(line)]
    for number in range(1, TARGETS + 1):
        mine = [round(line["tilt_nominal_deg"], 1) for line in saved if series_of(line) == number]
        assert sorted(mine) == sorted(TILTS)
    check_residuals(session, 0.3)


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("call", [11, 12, 14])
def test_a_montage_that_lacks_tiles_gets_them(tmp_path, call, moment):
    session = make_area(
        tmp_path / "s",
        targets=2,
        **{**SETTINGS, "minTilt": -3, "maxTilt": 3, "tgtMontage": True, "tgtMntSize": "(3,1)"},
    )
    run(session, Kill(command=call, name="Record", moment=moment))
    finish(session)
    stacks = {}
    for line in truth(session, "saved"):
        name = re.search(r"_ts_(\d+_-?\d_-?\d)\.mrc$", line["file"])
        if name:
            stacks.setdefault(name[1], []).append(round(line["tilt_nominal_deg"], 1))
    assert sorted(stacks) == ["001_0_0", "002_-1_0", "002_0_0", "002_1_0"] or sorted(stacks) == [
        "002_-1_0",
        "002_0_0",
        "002_1_0",
    ]
    for tilts in stacks.values():
        assert sorted(tilts) == [-3.0, 0.0, 3.0]


@pytest.mark.parametrize(
    ("moved_um", "most_um"), [(0.0, None), (2.0, 0.3)], ids=["stage as it was", "stage moved by 2 µm"]
)
@pytest.mark.slow
def test_the_first_images_after_a_break_are_where_they_should_be(tmp_path, moved_um, most_um):
    after, whole = [], []
    for seed in range(3):
        undisturbed = area(tmp_path / f"whole{seed}", seed)
        run(undisturbed)
        whole += residuals_um(undisturbed)
        session = area(tmp_path / f"broken{seed}", seed)
        run(session, Kill(command=8, name="Record"))
        before = len(residuals_um(session))
        x, y, z = session.world.stage_position_um()
        if moved_um:
            session.world.move_stage_to(x + 0.8 * moved_um, y - 0.6 * moved_um, z)
        finish(session)
        after += residuals_um(session)[before : before + 3]
    most = most_um if most_um is not None else 2 * max(whole)
    assert max(after) < most


def residuals_um(session):
    """True residuals of all images but the first ones and those of the tracking target, in order."""
    return [
        math.hypot(line["residual_x_um"], line["residual_y_um"])
        for line in truth(session, "saved")
        if (series_of(line) or 0) > 1 and line["section"] > 0
    ]


def test_a_finished_area_says_so_and_exposes_nothing(tmp_path):
    session = area(tmp_path / "s")
    assert run(session).ok
    exposed = len(truth(session, "exposure"))
    assert run(session).ok
    assert len(truth(session, "exposure")) == exposed
    assert any("nothing is exposed" in line for line in session.log.lines)


def test_an_operator_who_says_no_gets_it_once_more(tmp_path):
    session = area(tmp_path / "s")
    assert run(session).ok
    session.operator.yes = False
    assert run(session).ok
    records = [line for line in truth(session, "exposure") if line["set"] == "R"]
    assert len(records) == 2 * TARGETS * len(TILTS)
    assert len(list(session.directory.glob("*_ts_002.mrc*~1"))) == 2


def test_what_is_left_follows_todays_settings(tmp_path):
    """A target left out, a wider range and other groups: what was taken stays, and it is said."""
    session = area(tmp_path / "s")
    run(session, Kill(command=8, name="Record"))
    path = next(session.directory.glob("*_tgts.txt"))
    text = path.read_text().replace("maxTilt = 6", "maxTilt = 9").replace("groupSize = 2", "groupSize = 1")
    blocks = text.split("_tgt = ")
    blocks[3] = (
        blocks[3].replace("skip = False", "skip = True")
        if "skip" in blocks[3]
        else blocks[3].rstrip() + "\nskip = True\n"
    )
    path.write_text("_tgt = ".join(blocks))
    result = run(session)
    assert result.ok, [line for line in result.log if "ERROR" in line]
    tilts = {}
    for line in truth(session, "saved"):
        if series_of(line):
            tilts.setdefault(series_of(line), []).append(round(line["tilt_nominal_deg"], 1))
    assert sorted(tilts[1]) == sorted(tilts[2]) == sorted([*TILTS, 9.0])
    assert tilts[3] == [0.0, 3.0]
    said = "\n".join(line["text"] for line in journal(session) if line["event"] == "change")
    assert "maxTilt is 9.0 from here on, it was 6.0" in said and "groupSize is 1" in said


def test_another_start_tilt_is_refused_in_one_sentence(tmp_path):
    session = area(tmp_path / "s")
    run(session, Kill(command=8, name="Record"))
    exposed = len(truth(session, "exposure"))
    path = next(session.directory.glob("*_tgts.txt"))
    path.write_text(path.read_text().replace("startTilt = 0", "startTilt = 3"))
    result = run(session)
    assert not result.ok and any("set startTilt back" in line for line in session.log.lines)
    assert len(truth(session, "exposure")) == exposed


def test_a_stack_that_cannot_be_read_ends_the_area_before_anything_is_exposed(tmp_path):
    session = area(tmp_path / "s")
    run(session, Kill(command=8, name="Record"))
    exposed = len(truth(session, "exposure"))
    session.files.close_all() if hasattr(session.files, "close_all") else None
    stack = next(session.directory.glob("*_ts_002.mrc"))
    stack.write_bytes(stack.read_bytes()[:1500])
    assert not run(session).ok
    assert any("what has been taken cannot be told" in line for line in session.log.lines)
    assert len(truth(session, "exposure")) == exposed
