"""Whole sessions on the simulator, judged by its truth log."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from simulated import FLAT, acquire_on, journal_of, residuals_nm, saved

from mock_serialem.restoring import began_with
from mock_serialem.sim.profiles import IDEAL, KRIOS_SCOPE
from mock_serialem.sim.sample import HoleySpec, LamellaSpec
from pacetomo.area_files import AreaFiles
from pacetomo.errors import PaceError
from pacetomo.files.mdoc import read_mdoc
from pacetomo.files.mdoc_order import acquisition_order
from pacetomo.files.stack import read_section, section_count
from pacetomo.rehearsal_record import ACQUIRING, STATE, read_record
from pacetomo.rehearse import Rehearsal, choose_targets, nearest_free_folder, open_session, rehearse

# --- a wrong sign anywhere shows


def first_steps_nm(folder, targets=5):
    """How far non-tracking targets are off at the first tilt of each branch, where nothing has been learnt yet."""
    return max(np.abs(residuals_nm(folder, number)[[1, 3], 1]).max() for number in range(2, targets + 1))


@pytest.mark.parametrize("pretilt", [-20.0, 20.0])
def test_prediction_follows_the_pretilt(tmp_path, pretilt):
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    for folder, assumed in ((right, pretilt), (wrong, -pretilt)):
        folder.mkdir()
        sample = LamellaSpec(pretilt_deg=pretilt, rotation_deg=0.0, **FLAT)
        acquire_on(folder, sample, pretilt=assumed, rotation=0)
    assert first_steps_nm(right) < 25
    assert first_steps_nm(wrong) > 70


@pytest.mark.parametrize("rotation", [-40.0, 40.0])
def test_prediction_follows_the_rotation(tmp_path, rotation):
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    for folder, assumed in ((right, rotation), (wrong, -rotation)):
        folder.mkdir()
        sample = LamellaSpec(pretilt_deg=15.0, rotation_deg=rotation, **FLAT)
        acquire_on(folder, sample, pretilt=15, rotation=assumed)
    assert first_steps_nm(right) < 25
    assert first_steps_nm(wrong) > 50


@pytest.mark.parametrize("offset_um", [-2.0, 2.0])
def test_focus_follows_the_tilt_axis_offset(tmp_path, offset_um):
    """A known axis offset is taken out; one of the wrong sign tilts the focus of all targets."""
    spread = {}
    for sign in (1, -1):
        folder = tmp_path / str(sign)
        folder.mkdir()
        stage = replace(IDEAL, tilt_axis_offset_um=offset_um, measured_axis_offset_um=sign * offset_um)
        acquire_on(folder, HoleySpec(pretilt_deg=0.0, **FLAT), stage, pretilt=0, tracker="single")
        spread[sign] = np.ptp([s["defocus_um"] for s in saved(folder, 1)])
    assert spread[1] < 0.4
    assert spread[-1] > 2.0


@pytest.mark.parametrize("mirrored", [False, True])
def test_image_shift_of_either_handedness(tmp_path, mirrored):
    microscope = replace(KRIOS_SCOPE, is_mirrored=mirrored)
    acquire_on(tmp_path, HoleySpec(**FLAT), microscope=microscope, pretilt=1.5)
    assert first_steps_nm(tmp_path) < 25
    assert max(np.abs(residuals_nm(tmp_path, number)).max() for number in range(1, 6)) < 50


def test_focus_of_each_target_follows_its_own_height(tmp_path):
    sample = LamellaSpec(pretilt_deg=15.0, rotation_deg=10.0, **FLAT)
    acquire_on(tmp_path, sample, pretilt=15, rotation=10, minDefocus=-3, maxDefocus=-5, stepDefocus=0.5)
    for number in range(1, 6):
        off = [s["defocus_um"] - (-3.0 - 0.5 * (number - 1)) for s in saved(tmp_path, number)]
        assert np.abs(off).max() < 0.5
        assert np.ptp(off) < 0.35


# --- the command's own way: the script in a process of its own


@pytest.mark.parametrize(
    ("sample", "stage"),
    [
        ("lamella", "krios"),
        ("holey", "krios"),
        ("lamella", "cryoarm"),
        ("holey", "cryoarm"),
        ("lamella", "side-entry"),
        ("holey", "side-entry"),
    ],
)
def test_a_session_without_images(tmp_path, sample, stage):
    outcome = rehearse(Rehearsal(tmp_path / "r", sample=sample, stage=stage, fidelity="kinematic"))
    assert outcome.error is None
    check_session(outcome, targets=10, complete=stage != "side-entry")
    if stage == "krios":
        others = np.concatenate([residuals_nm(tmp_path / "r", number)[1:] for number in range(2, 11)])
        assert np.percentile(np.abs(others), 95) < 50


@pytest.mark.slow
@pytest.mark.parametrize("sample", ["lamella", "holey"])
def test_a_session_with_images(tmp_path, sample):
    outcome = rehearse(Rehearsal(tmp_path / "r", sample=sample, targets=3))
    assert outcome.error is None
    check_session(outcome, targets=3)
    others = np.concatenate([residuals_nm(tmp_path / "r", number)[1:] for number in (2, 3)])
    assert np.abs(others).max() < 50


def dose_before(outcome, area, since_s=-math.inf):
    """Dose of all images of a kind before the first Record, from the truth log."""
    lines = [json.loads(line) for line in outcome.truth.read_text().splitlines()]
    exposures = [line for line in lines if line["event"] == "exposure"]
    first_s = min(line["t_s"] for line in exposures if line["set"] == "R")
    mine = [line for line in exposures if line["set"] == area and since_s <= line["t_s"] < first_s]
    return sum(line["dose_e_per_a2"] for line in mine)


def check_session(outcome, targets, complete=True):
    """Each series is whole, in order, and says of each section what the truth log says."""
    folder = outcome.files.folder
    journal = journal_of(outcome.files)
    job_tilts = journal[0]["tilts_deg"]
    assert len(job_tilts) == 41
    spent = {line["target"]: line["spent_e_per_a2"] for line in journal if line["event"] == "start"}
    # A Preview lights its own target, a View image all of them; those of choosing the targets count, too, but for the
    # View images with which somebody found the eucentric height before.
    previews, views = dose_before(outcome, "P"), dose_before(outcome, "V")
    own_views = dose_before(outcome, "V", journal[0]["t_s"])
    focus = dose_before(outcome, "F", journal[0]["t_s"])
    total = sum(spent.values())
    assert previews + targets * own_views <= total + 1e-6 and total <= previews + targets * views + 1e-6
    for number in range(1, targets + 1):
        stack = folder / f"{outcome.files.root}_ts_{number:03d}.mrc"
        sections = read_mdoc(stack.with_name(stack.name + ".mdoc")).need_images()
        if complete:  # others may be gone on with, so they stay in order of acquisition
            assert [image.tilt_deg for image in sections] == sorted(image.tilt_deg for image in sections)
        images = [sections[place] for place in acquisition_order(sections)]
        truth = saved(folder, number)
        assert section_count(stack) == len(images) == len(truth)
        assert [s["section"] for s in truth] == list(range(len(truth)))
        tilts = [image.tilt_deg for image in images]
        assert tilts == pytest.approx([s["tilt_nominal_deg"] for s in truth], abs=0.15)
        if complete:
            assert tilts == pytest.approx(job_tilts, abs=0.15)
        doses = [image.need_float("PriorRecordDose") for image in images]
        # Beside it looks in View, which cost a thirtieth of an image each, and the beam of autofocus where it reaches.
        for n, dose in enumerate(doses):
            least = spent[number] + 3.0 * n
            assert least - 0.01 <= dose <= 1.06 * least + 0.3 + focus


def test_mdoc_and_stack_are_read_by_others(tmp_path):
    import mdocfile
    import mrcfile

    outcome = rehearse(
        Rehearsal(tmp_path / "r", fidelity="kinematic", targets=2, overrides=("minTilt=0", "maxTilt=18"))
    )
    assert outcome.error is None
    stack = tmp_path / "r" / "lamella_ts_002.mrc"
    assert mrcfile.validate(stack)
    table = mdocfile.read(f"{stack}.mdoc")
    assert list(table.TiltAngle.round()) == [0, 3, 6, 9, 12, 15, 18]
    own = table.PriorRecordDose - table.PriorRecordDose.min()  # without what the set-up has cost
    assert list((own / 3).round()) == [6, 4, 3, 0, 1, 2, 5]
    with mrcfile.open(stack) as mrc:
        assert np.array_equal(mrc.data[3], read_section(stack, 3))


def test_same_seed_same_bytes(tmp_path):
    made = []
    for name in "ab":
        overrides = ("minTilt=3", "maxTilt=15")
        outcome = rehearse(
            Rehearsal(tmp_path / name, fidelity="kinematic", targets=2, overrides=overrides, seed=5)
        )
        assert outcome.error is None
        made.append({p.name: p.read_bytes() for p in (tmp_path / name).iterdir() if p.suffix == ".mrc"})
        made[-1]["truth"] = (tmp_path / name / "truth.jsonl").read_bytes()
    assert made[0] == made[1]


def test_a_target_out_of_reach_is_left_out_and_said(tmp_path):
    overrides = ("imageShiftLimit=4", "minTilt=3", "maxTilt=15")
    outcome = rehearse(Rehearsal(tmp_path / "r", fidelity="kinematic", targets=6, overrides=overrides))
    assert outcome.error is None
    assert not saved(tmp_path / "r", 6) and len(saved(tmp_path / "r", 5)) == 5
    assert any("target 6 needs an image shift of" in line for line in outcome.log)


def test_nothing_is_written_for_a_file_that_makes_no_sense(tmp_path):
    targets = tmp_path / "x_tgts.txt"
    targets.write_text("_tgt = 001\ntsfile = x_ts_001.mrc\nSSX = 0\nSSY = 0\nskip = True\n")
    with pytest.raises(PaceError, match="skip"):
        rehearse(Rehearsal(tmp_path / "r", target_file=targets, fidelity="kinematic"))
    assert not (tmp_path / "r").exists()


def test_a_file_from_another_machine(tmp_path):
    targets = tmp_path / "L 3_tgts.txt"
    text = (
        "_tgt = 001\r\ntgtfile = X:\\sess\\L3_tgt_001.mrc\r\ntsfile = L3_ts_001.mrc\r\nSSX = 0\r\nSSY = 0\r\n"
    )
    targets.write_bytes(text.encode())
    overrides = ("minTilt=0", "maxTilt=6")
    outcome = rehearse(Rehearsal(tmp_path / "r", targets, fidelity="kinematic", overrides=overrides))
    assert outcome.error is None
    assert len(saved(tmp_path / "r", 1)) == 3
    assert (tmp_path / "r" / "L3_tgt_001.mrc").is_file()


def test_an_interrupted_rehearsal_keeps_what_was_taken(tmp_path):
    command = [sys.executable, "-m", "pacetomo", "rehearse", "--targets", "3", "--out", str(tmp_path / "r")]
    flags = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP} if os.name == "nt" else {}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **flags)
    truth = tmp_path / "r" / "truth.jsonl"
    while process.poll() is None and not (
        truth.exists() and '"saved"' in truth.read_text() and saved(tmp_path / "r")
    ):
        time.sleep(0.2)
    process.send_signal(signal.CTRL_BREAK_EVENT if os.name == "nt" else signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 1
    assert len(err.strip().splitlines()) == 1 and "interrupted" in err
    assert f"`pacetomo rehearse --out {tmp_path / 'r'}` goes on with it" in err
    assert read_record(tmp_path / "r").phase == ACQUIRING
    assert began_with(tmp_path / "r" / STATE).truth == truth
    journal = journal_of(AreaFiles(tmp_path / "r" / "lamella_tgts.txt"))
    assert journal[-1]["event"] == "run_end" and journal[-1]["state"] == "stopped"
    taken = sum(line["event"] == "exposed" for line in journal)
    assert taken <= len(saved(tmp_path / "r")) <= taken + 1


def test_the_next_free_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert str(nearest_free_folder("r")) == "r"
    (tmp_path / "r").mkdir()
    assert str(nearest_free_folder("r")) == "r"
    (tmp_path / "r" / "x").touch()
    assert str(nearest_free_folder("r")) == "r_2"


def test_a_night_of_areas_outlives_a_failing_one(tmp_path):
    """Acquire at Items: the middle area's target file is broken; the others are acquired all the same."""
    from mock_serialem.script_window import ScriptWindow
    from mock_serialem.sim.world import make_world
    from pacetomo.scripts import script_path

    overrides = ("startTilt=0", "minTilt=0", "maxTilt=6")
    _, chosen = choose_targets(Rehearsal(tmp_path, targets=2, overrides=overrides))
    world = make_world("lamella", "krios", 0, "kinematic", tmp_path / "truth.jsonl")
    session = open_session(world, AreaFiles(tmp_path / "lamella_tgts.txt"), chosen)
    text = (tmp_path / "lamella_tgts.txt").read_text()
    (tmp_path / "broken_tgts.txt").write_text("_tgt = 001\nSSX = 0\nSSY = 0\n")
    (tmp_path / "third_tgts.txt").write_text(text.replace("tsfile = lamella", "tsfile = third"))
    item = session.navigator.items[-1]
    x_um, y_um, z_um = item.stage_um
    for note in ("broken_tgts.txt", "third_tgts.txt"):
        session.navigator.add_point(x_um, y_um, z_um, note=note, acquire=True)
    results = ScriptWindow(session).acquire_at_items(script_path("acquire"))
    world.truth.close()
    assert [result.ok for result in results] == [True, False, True]
    assert any("broken_tgts.txt" in line and "tsfile" in line for line in results[1].log)
    for root in ("lamella", "third"):
        assert [section_count(tmp_path / f"{root}_ts_{n:03d}.mrc") for n in (1, 2)] == [3, 3]
