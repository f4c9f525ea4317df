import json

import mdocfile
import mrcfile
import numpy as np
import pytest
from finished_run import TILTS, make_run

from pacetomo.cli import main
from pacetomo.errors import RunFileError
from pacetomo.files.binning import binned_by
from pacetomo.files.mdoc import read_mdoc
from pacetomo.files.run_file import read_run
from pacetomo.files.stack import read_header, read_section
from pacetomo.finishing import finish_run, finishing_state
from pacetomo.rehearse import Rehearsal, rehearse
from pacetomo.report import read_journal

BY_TILT = [3, 2, 0, 1, 4]


def finish(run_file, **options):
    told = []
    return finish_run(run_file, told.append, **options), told


def places(stack):
    return [int(read_section(stack, number).mean().round()) for number in range(len(TILTS))]


def without_frames(folder, section=2):
    for path in folder.glob("*.mdoc"):
        lines = path.read_text().splitlines(True)
        frames = [number for number, line in enumerate(lines) if line.startswith("SubFramePath")]
        del lines[frames[section]]
        path.write_text("".join(lines))


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_all_series_are_sorted_by_default_and_the_journal_tells(tmp_path):
    run_file = make_run(tmp_path)
    finished, told = finish(run_file)
    assert finished == (2, ()) and len(told) == 2
    for number in (1, 2):
        assert places(tmp_path / f"area_ts_{number:03d}.mrc") == BY_TILT
    journal = run_file.with_suffix(".jsonl")
    events = [json.loads(line) for line in journal.read_text().splitlines()]
    assert [event["state"] for event in events if event["event"] == "finish"] == [
        "begun",
        "series",
        "series",
        "done",
    ]
    assert {event["t_s"] for event in events if event["event"] == "finish"} == {130.0}
    assert finishing_state(journal) == ("done", "2 of 2 series finished")
    assert read_journal(journal).elapsed_s == 120.0 and read_journal(journal).end.state == "finished"


def test_done_again_changes_nothing(tmp_path):
    run_file = make_run(tmp_path, binFinalStack=2)
    finish(run_file)
    once = {name: data for name, data in contents(tmp_path).items() if not name.endswith(".jsonl")}
    finish(run_file)
    assert {name: data for name, data in contents(tmp_path).items() if not name.endswith(".jsonl")} == once
    assert binned_by(tmp_path / "area_ts_001.mrc") == 2


def test_sorting_can_be_switched_off(tmp_path):
    finish(make_run(tmp_path, sortByTilt=False))
    assert places(tmp_path / "area_ts_001.mrc") == [0, 1, 2, 3, 4]


def test_the_metadata_as_it_was_can_be_kept_beside_the_stack(tmp_path):
    finish(make_run(tmp_path, targets=1, unsortedMdoc="beside"))
    assert (tmp_path / "area_ts_001_unsorted.mrc.mdoc").is_file() and not (tmp_path / "unsorted").exists()


def test_binned_stacks_take_the_name_and_the_recorded_ones_are_kept_without_frames(tmp_path):
    run_file = make_run(tmp_path, binFinalStack=3)
    without_frames(tmp_path)
    recorded = (tmp_path / "area_ts_001.mrc").stat().st_size
    finish(run_file)
    stack = tmp_path / "area_ts_001.mrc"
    assert read_header(stack).columns == 4 and places(stack) == BY_TILT
    assert read_mdoc(f"{stack}.mdoc").images[0].get_float("Binning") == 3
    assert (tmp_path / "unbinned" / stack.name).stat().st_size == recorded
    assert read_mdoc(tmp_path / "unbinned" / f"{stack.name}.mdoc").images[0].get_float("Binning") == 1


def test_with_frames_of_all_images_the_recorded_stacks_are_not_kept(tmp_path):
    finish(make_run(tmp_path, binFinalStack=3))
    assert not (tmp_path / "unbinned").exists()
    assert places(tmp_path / "area_ts_001.mrc") == BY_TILT


def test_stacks_are_deleted_where_frames_were_saved(tmp_path):
    run_file = make_run(tmp_path, delFinalStack=True)
    finish(run_file)
    assert not list(tmp_path.glob("*_ts_*.mrc"))
    for number in (1, 2):
        images = read_mdoc(tmp_path / f"area_ts_{number:03d}.mrc.mdoc").images
        assert [image.tilt_deg for image in images] == sorted(TILTS)
        assert all(image.text("SubFramePath") for image in images)
    assert finish(run_file)[0].troubles == ()


@pytest.mark.parametrize(
    "why", ["one missing", "same name", "no mdoc", "none in file", "gone from disk", "empty"]
)
def test_no_stack_is_deleted_whose_frames_are_in_doubt(tmp_path, why):
    run_file = make_run(tmp_path, targets=1, delFinalStack=True)
    path = tmp_path / "area_ts_001.mrc.mdoc"
    if why == "one missing":
        without_frames(tmp_path)
    elif why == "same name":
        path.write_text(path.read_text().replace("a_001_3.0", "A_000_0.0"))
    elif why == "no mdoc":
        path.unlink()
    elif why == "none in file":
        path.write_text(path.read_text().replace("NumSubFrames = 10", "NumSubFrames = 0", 1))
    else:
        for place, tilt in enumerate(TILTS):
            (tmp_path / f"a_{place:03d}_{tilt:.1f}.tif").write_bytes(b"frames")
        path.write_text(path.read_text().replace("X:\\frames\\", f"{tmp_path}/"))
        victim = tmp_path / "a_003_-6.0.tif"
        victim.unlink() if why == "gone from disk" else victim.write_bytes(b"")
    finished, told = finish(run_file)
    assert places(tmp_path / "area_ts_001.mrc") == BY_TILT
    assert finished.troubles == () and any("is not deleted, because" in text for text in told)
    notes = [note.text for note in read_journal(run_file.with_suffix(".jsonl")).notes]
    assert any("is not deleted" in text for text in notes)


def test_frames_that_can_be_seen_allow_deletion(tmp_path):
    run_file = make_run(tmp_path, targets=1, delFinalStack=True)
    path = tmp_path / "area_ts_001.mrc.mdoc"
    for place, tilt in enumerate(TILTS):
        (tmp_path / f"a_{place:03d}_{tilt:.1f}.tif").write_bytes(b"frames")
    path.write_text(path.read_text().replace("X:\\frames\\", f"{tmp_path}/"))
    finish(run_file)
    assert not (tmp_path / "area_ts_001.mrc").exists()


def test_pieces_of_a_montage_target_are_series_like_others(tmp_path):
    run_file = make_run(tmp_path, targets=1)
    other = make_run(tmp_path / "other", targets=1)
    for piece in ("_0_0", "_-1_2"):
        for end in (".mrc", ".mrc.mdoc"):
            (tmp_path / f"area_ts_001{piece}{end}").write_bytes(
                (other.parent / f"area_ts_001{end}").read_bytes()
            )
    (tmp_path / "area_ts_001_track.mrc").write_bytes(b"not one of them")
    finished, _ = finish(run_file)
    assert finished == (3, ())
    assert places(tmp_path / "area_ts_001_-1_2.mrc") == BY_TILT == places(tmp_path / "area_ts_001_0_0.mrc")


def test_a_damaged_series_is_noted_and_the_others_are_finished(tmp_path):
    run_file = make_run(tmp_path, targets=3)
    broken = tmp_path / "area_ts_002.mrc"
    broken.write_bytes(broken.read_bytes()[:-7])
    finished, told = finish(run_file)
    assert len(finished.troubles) == 1 and "cut short" in finished.troubles[0]
    assert places(tmp_path / "area_ts_001.mrc") == places(tmp_path / "area_ts_003.mrc") == BY_TILT
    assert finishing_state(run_file.with_suffix(".jsonl")) == ("failed", "2 of 3 series finished")
    assert any("cut short" in text for text in told)


@pytest.mark.parametrize("state", ["incomplete", "stopped"])
def test_a_run_that_may_be_gone_on_with_stays_in_order_of_acquisition(tmp_path, state):
    run_file = make_run(tmp_path, state=state)
    before = contents(tmp_path)
    with pytest.raises(RunFileError, match="may be gone on with"):
        finish(run_file)
    assert contents(tmp_path) == before
    finish(run_file, incomplete=True)
    assert places(tmp_path / "area_ts_001.mrc") == BY_TILT
    assert read_run(run_file).state.is_finished
    assert (tmp_path / f"{run_file.name}~1").read_bytes() == before[run_file.name]


def test_progress_is_told(tmp_path):
    seen = []
    finish(make_run(tmp_path, targets=1), progress=lambda *numbers: seen.append(numbers))
    assert seen == [(n, 5) for n in range(1, 6)]
    assert np.ptp(read_section(tmp_path / "area_ts_001.mrc", 0)) == 0


@pytest.mark.parametrize("extended", [True, False])
def test_a_simulated_session_with_output_settings(tmp_path, extended):
    overrides = ("startTilt=0", "minTilt=-6", "maxTilt=6", "binFinalStack=2", f"extendedMdoc={extended}")
    outcome = rehearse(Rehearsal(tmp_path / "r", fidelity="kinematic", targets=2, overrides=overrides))
    assert outcome.error is None
    for number in (1, 2):
        stack = tmp_path / "r" / f"lamella_ts_{number:03d}.mrc"
        images = read_mdoc(f"{stack}.mdoc").need_images()
        tilts = [image.tilt_deg for image in images]
        assert tilts == sorted(tilts) and len(tilts) == 5
        assert mrcfile.validate(stack) and binned_by(stack) == 2
        assert all(image.get_float("Binning") == 8 for image in images)  # the camera's 4, binned by 2
        assert all((image.text("SpecimenShift") is not None) == extended for image in images)
        assert (images[0].text("TargetResidual") is not None) == extended
        assert len(mdocfile.read(f"{stack}.mdoc")) == 5
    assert not (tmp_path / "r" / "unbinned").exists()  # the simulated camera names frames of every image


def test_a_simulated_session_that_keeps_frames_only(tmp_path, capsys):
    overrides = ("startTilt=0", "minTilt=-3", "maxTilt=3", "delFinalStack=True")
    outcome = rehearse(Rehearsal(tmp_path / "r", fidelity="kinematic", targets=2, overrides=overrides))
    assert outcome.error is None
    assert not list((tmp_path / "r").glob("*_ts_00[12].mrc"))
    images = read_mdoc(tmp_path / "r" / "lamella_ts_002.mrc.mdoc").images
    assert [round(image.tilt_deg) for image in images] == [-3, 0, 3]
    assert main(["report", str(outcome.files.journal(1)), "--truth", str(outcome.truth)]) == 0
    assert main(["replay", str(tmp_path / "r" / "lamella_ts_002.mrc.mdoc")]) == 0
    assert "3 images" in capsys.readouterr().out
