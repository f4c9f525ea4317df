"""Whole sessions, right ones and damaged ones, and what is said of them."""

import json
import shutil
import struct

import pytest
from finished_run import TILTS, make_run
from hypothesis import given
from hypothesis import strategies as st
from killing import Kill, make_area, run
from stacks import stack_bytes

from pacetomo.cli import main
from pacetomo.errors import PaceError
from pacetomo.files.excluding import exclude_views
from pacetomo.files.mdoc import format_mdoc, read_mdoc
from pacetomo.files.view_rules import Rules
from pacetomo.finishing import finish_run
from pacetomo.output_check import check_output
from pacetomo.rehearse import Rehearsal, rehearse

FIRST, SECOND = "area_ts_001.mrc", "area_ts_002.mrc"


def verdicts(folder):
    return {verdict.name: verdict for verdict in check_output(folder)}


def edit(folder, change, name=FIRST):
    """Change the images of a series; `change` gets them all and returns the new ones."""
    path = folder / f"{name}.mdoc"
    mdoc = read_mdoc(path)
    path.write_bytes(format_mdoc(mdoc.with_images(change(list(mdoc.images)))).encode())


def with_values(key, values):
    """A change that gives images other values of a key, by section."""

    def change(images):
        for section, value in values.items():
            images[section] = images[section].with_value(key, value)
        return images

    return change


def pack(folder, form, place, *values):
    path = folder / FIRST
    raw = bytearray(path.read_bytes())
    struct.pack_into(form, raw, place, *values)
    path.write_bytes(raw)


def cut(folder):
    path = folder / FIRST
    path.write_bytes(path.read_bytes()[:-100])


def times(*clock):
    return {n: f"{day:02d}-Oct-2026  {time}" for n, (day, time) in enumerate(clock)}


def journal_edit(folder, change):
    path = folder / "area_tgts_run01.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines if change(line)))


def drop_last(line):
    return not (line["event"] == "exposed" and line["target"] == 1 and line["section"] == 4)


PIECES = stack_bytes(b"\0" * 1440, b"\0" * 2048, numbers=(10, 19), mode=1, size=(12, 12, 5))

WRONG = {
    "truncated": (cut, "the stack is cut short"),
    "no header": (lambda f: (f / FIRST).write_bytes(b"MAP"), "cut short"),
    "empty": (lambda f: (f / FIRST).write_bytes(b""), "cut short"),
    "more in the file than in the header": (
        lambda f: pack(f, "<i", 8, 4),
        "holds 5 whole images, its header names 4",
    ),
    "fewer sections in the metadata": (lambda f: edit(f, lambda i: i[:4]), "5 sections and its metadata 4"),
    "no metadata": (lambda f: (f / f"{FIRST}.mdoc").unlink(), "there is no metadata"),
    "metadata cut": (
        lambda f: (f / f"{FIRST}.mdoc").write_text("[ZValue = 0]\nTilt"),
        "damaged or cut short",
    ),
    "no images in the metadata": (
        lambda f: (f / f"{FIRST}.mdoc").write_text("Voltage = 300\n"),
        "no section",
    ),
    "no stack": (lambda f: (f / FIRST).unlink(), "the stack is not there"),
    "another size": (lambda f: pack(f, "<2i", 0, 6, 24), "6 x 24 pixels, 12 x 12 in the metadata"),
    "another tilt in the extended header": (
        lambda f: pack(f, "<h", 1024 + 8, 500),
        "other tilts in section 2",
    ),
    "pieces of a montage": (lambda f: (f / FIRST).write_bytes(PIECES), "pieces of a montage"),
    "a dose less than before": (
        lambda f: edit(f, with_values("PriorRecordDose", {1: 9.0, 3: 3.0})),
        "grows by less than the dose",
    ),
    "a dose that leaves an image out": (
        lambda f: edit(f, with_values("ExposureDose", dict.fromkeys(range(5), 3.5))),
        "from 0.0° to 3.0°",
    ),
    "no dose in one section": (
        lambda f: edit(f, lambda images: [images[0].without("PriorRecordDose"), *images[1:]]),
        "missing in some",
    ),
    "one blank in the date": (
        lambda f: edit(f, with_values("DateTime", {2: "15-Aug-2026 12:30:02"})),
        "not in SerialEM's form",
    ),
    "the day not changed at midnight": (
        lambda f: edit(
            f,
            with_values(
                "DateTime",
                times(
                    (15, "23:58:00"), (15, "23:59:00"), (15, "00:00:00"), (15, "00:01:00"), (15, "00:02:00")
                ),
            ),
        ),
        "time goes back from 2026-10-15 23:59:00 to 2026-10-15 00:00:00",
    ),
    "a section without frames": (
        lambda f: edit(f, lambda images: [*images[:4], images[4].without("SubFramePath")]),
        "section 4 names no frames",
    ),
    "frames of another section": (
        lambda f: edit(f, with_values("SubFramePath", {1: "X:\\frames\\a_000_0.0.tif"})),
        "two sections name the same frames",
    ),
    "no whole path": (lambda f: edit(f, with_values("SubFramePath", {1: "a_9.tif"})), "no whole path"),
    "an interrupted sort": (lambda f: (f / f"{FIRST}.exchange").write_text("{}"), "left of an interrupted"),
    "an image missing in the journal": (
        lambda f: journal_edit(f, drop_last),
        "the journal tells of 4 images",
    ),
    "another tilt than the journal's": (
        lambda f: edit(f, with_values("TiltAngle", {4: 9.0})),
        "by the journal at 6.0°",
    ),
    "order given twice": (
        lambda f: edit(f, with_values("AcquisitionOrder", {0: 1, 1: 1})),
        "AcquisitionOrder is missing",
    ),
    "metadata under a second name": (
        lambda f: copy_metadata(f, "area_ts_001.mdoc"),
        "area_ts_001.mdoc describes it, too",
    ),
    "damaged metadata under a second name": (
        lambda f: (f / "area_ts_001.mdoc").write_text("[ZValue = 0]\nTilt"),
        "area_ts_001.mdoc describes it, too",
    ),
    "metadata of a series under another stack's name": (
        lambda f: copy_metadata(f, "renamed.mdoc", f"X:\\data\\{FIRST}"),
        "renamed.mdoc describes it, too",
    ),
    "words for a number": (lambda f: edit(f, with_values("TiltAngle", {1: "north"})), "numbers are needed"),
}


@pytest.fixture
def session(tmp_path):
    make_run(tmp_path)
    # Two series of one session have frames of their own.
    edit(tmp_path, with_values("SubFramePath", {n: f"X:\\frames\\b_{n}.tif" for n in range(5)}), SECOND)
    return tmp_path


def test_a_right_session_has_a_line_each_and_nothing_wrong(session, capsys):
    assert main(["check-output", str(session)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{FIRST}: 5 images, -6.0 to 6.0°",
        f"{SECOND}: 5 images, -6.0 to 6.0°",
        "2 checked, nothing wrong",
    ]


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_in_one_line_and_fails(session, capsys, case):
    damage, said = WRONG[case]
    damage(session)
    before = {path.name: path.read_bytes() for path in session.iterdir()}
    assert main(["check-output", str(session)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and lines[0].startswith(f"{FIRST}: WRONG: ") and said in lines[0], lines
    assert lines[1].startswith(f"{SECOND}: 5 images") and lines[2].endswith("something is wrong with 1")
    assert {path.name: path.read_bytes() for path in session.iterdir()} == before


def copy_metadata(folder, name, image_file=FIRST):
    path = folder / f"{FIRST}.mdoc"
    (folder / name).write_bytes(path.read_bytes().replace(b"a_ts_001.mrc", image_file.encode()))


def metadata_of_nothing_here(folder):
    copy_metadata(folder, "other.mdoc", "other_ts_001.mrc")
    copy_metadata(folder, "area_ts_001_view.mrc.mdoc")
    (folder / "area_ts_001_view.mrc").write_bytes((folder / FIRST).read_bytes())


def foreign_header(folder):
    raw = (folder / FIRST).read_bytes()
    header = bytearray(raw[:1024])
    header[104:108] = b"XYZ1"
    (folder / FIRST).write_bytes(bytes(header) + b"\xff" * 2048 + raw[3072:])


def other_order(folder):
    """The whole stack again, big-endian."""
    import numpy as np
    from stacks import serialem_records

    data = np.stack([np.full((12, 12), place, ">i2") for place in range(5)])
    (folder / FIRST).write_bytes(stack_bytes(data, serialem_records(TILTS, ">"), order=">"))


REMARKS = {
    "metadata as before sorting beside it": (
        lambda f: copy_metadata(f, "area_ts_001_unsorted.mrc.mdoc"),
        "area_ts_001_unsorted.mrc.mdoc keeps its metadata as before sorting",
    ),
    "metadata of other stacks": (metadata_of_nothing_here, ""),
    "foreign extended header": (foreign_header, "of an unknown form and not compared"),
    "big-endian": (other_order, "big-endian"),
    "over midnight": (
        lambda f: edit(
            f,
            with_values(
                "DateTime",
                times(
                    (15, "23:58:00"), (15, "23:59:00"), (16, "00:00:00"), (16, "00:01:00"), (16, "00:02:00")
                ),
            ),
        ),
        "",
    ),
    "a clock put back": (
        lambda f: edit(
            f,
            with_values(
                "DateTime",
                times(
                    (25, "02:50:00"), (25, "02:59:00"), (25, "02:01:00"), (25, "02:02:00"), (25, "02:03:00")
                ),
            ),
        ),
        "as when a clock is put back",
    ),
    "years of two digits": (
        lambda f: edit(f, with_values("DateTime", {n: f"15-Aug-26  12:30:0{n}" for n in range(5)})),
        "",
    ),
    "no frames at all": (
        lambda f: edit(f, lambda images: [image.without("SubFramePath") for image in images]),
        "without frames",
    ),
    "sorted": (lambda f: finish_run(f / "area_tgts_run01.txt", lambda text: None), ""),
    "views left out": (
        lambda f: exclude_views(f / FIRST, Rules(frozenset({2, 5}))),
        "2 views left out by exclude",
    ),
}


@pytest.mark.parametrize("case", REMARKS)
def test_what_is_odd_is_said_and_not_wrong(session, case):
    change, said = REMARKS[case]
    change(session)
    found = verdicts(session)
    assert not found[FIRST].wrong and not found[SECOND].wrong
    assert said in found[FIRST].line and bool(found[FIRST].remarks) == bool(said)


def test_frames_that_two_series_name_are_told(tmp_path):
    make_run(tmp_path)
    found = verdicts(tmp_path)
    assert not found[FIRST].wrong
    assert found[SECOND].wrong == (f"a_000_0.0.tif belongs to {FIRST}, too",)


def test_a_branch_that_ended_explains_what_is_missing(session):
    for name in (FIRST,):
        path = session / name
        raw = bytearray(path.read_bytes()[: -2 * 144])
        struct.pack_into("<i", raw, 8, 4)
        path.write_bytes(raw)
    edit(session, lambda images: images[:4])
    journal_edit(session, drop_last)
    assert "1 of 5 planned images were not taken and nothing says why" in verdicts(session)[FIRST].line
    path = session / "area_tgts_run01.jsonl"
    skip = {"event": "skip", "t_s": 99, "target": 1, "branch": "up", "reason": "too dark"}
    path.write_text(path.read_text() + json.dumps(skip) + "\n")
    found = verdicts(session)[FIRST]
    assert not found.wrong and "(1 of 5 planned images were not taken: up branch: too dark)" in found.line


def test_skipped_targets_and_unfinished_runs_are_explained(tmp_path):
    make_run(tmp_path, targets=3, state="stopped")
    run_file = tmp_path / "area_tgts_run01.txt"
    text = run_file.read_text().replace(f"tsfile = {SECOND}\n", f"tsfile = {SECOND}\nskip = True\n")
    run_file.write_text(text)
    for name in (SECOND, "area_ts_003.mrc"):
        (tmp_path / name).unlink()
        (tmp_path / f"{name}.mdoc").unlink()
    journal_edit(tmp_path, lambda line: line.get("target") != 3)
    found = verdicts(tmp_path)
    assert found[SECOND].line == f"{SECOND}: skipped in the target file"
    assert found["area_ts_003.mrc"].line.endswith("no image was taken (the run is not finished)")
    assert not any(verdict.wrong for verdict in found.values())


def test_deleted_stacks_are_expected_where_the_settings_ask_for_it(tmp_path):
    make_run(tmp_path, targets=1, delFinalStack=True)
    (tmp_path / FIRST).unlink()
    found = verdicts(tmp_path)[FIRST]
    assert not found.wrong and "its stack was deleted" in found.line


@pytest.mark.parametrize("name", ["area_tgts_run01.txt", "area_tgts_run01.jsonl"])
def test_a_run_that_cannot_be_read_is_wrong_and_its_series_are_checked_alone(session, name):
    (session / name).write_bytes(b"_tgt = \xff\nnonsense\n{}\n")
    found = verdicts(session)
    assert found["area_tgts_run01.txt"].wrong and not found[FIRST].wrong and not found[SECOND].wrong


def test_a_folder_of_series_alone_is_checked_by_their_files(session):
    for path in session.glob("area_tgts*"):
        path.unlink()
    cut(session)
    found = verdicts(session)
    assert found[FIRST].wrong and not found[SECOND].wrong


def test_folders_without_anything_are_refused(tmp_path, capsys):
    assert main(["check-output", str(tmp_path)]) == 1
    assert "no series" in capsys.readouterr().err
    with pytest.raises(PaceError, match="no such folder"):
        check_output(tmp_path / "none")


def test_a_read_only_folder_can_be_checked(session):
    session.chmod(0o555)
    try:
        assert not any(verdict.wrong for verdict in check_output(session))
    finally:
        session.chmod(0o755)


@given(
    st.sampled_from([FIRST, f"{FIRST}.mdoc", "area_tgts_run01.txt", "area_tgts_run01.jsonl"]),
    st.binary(min_size=1, max_size=40),
    st.integers(0, 4000),
)
def test_any_damage_is_a_sentence_and_no_crash(tmp_path_factory, name, junk, place):
    folder = tmp_path_factory.mktemp("damage")
    make_run(folder)
    path = folder / name
    raw = bytearray(path.read_bytes())
    place %= len(raw)
    raw[place : place + len(junk)] = junk
    path.write_bytes(raw)
    assert all(verdict.line for verdict in check_output(folder))
    shutil.rmtree(folder)


# --- against what the library itself writes


def test_rehearsals_leave_nothing_to_object_to(tmp_path):
    overrides = (
        "startTilt=0",
        "minTilt=-6",
        "maxTilt=6",
        "tgtMontage=True",
        "tgtMntSize=3,1",
        "binFinalStack=2",
    )
    outcome = rehearse(Rehearsal(tmp_path / "r", fidelity="kinematic", targets=2, overrides=overrides))
    assert outcome.error is None
    found = check_output(tmp_path / "r")
    assert len(found) == 4 and not any(verdict.wrong or verdict.remarks for verdict in found), [
        verdict.line for verdict in found
    ]
    # What a run wrote is checked in earnest: one dose changed shows.
    path = tmp_path / "r" / "lamella_ts_001.mrc.mdoc"
    mdoc = read_mdoc(path)
    image = mdoc.images[0].with_value("PriorRecordDose", 500.0)
    path.write_bytes(format_mdoc(mdoc.with_image(0, image)).encode())
    assert "PriorRecordDose" in verdicts(tmp_path / "r")["lamella_ts_001.mrc"].wrong[0]


@pytest.mark.parametrize(
    "kill",
    [
        Kill(command=4, name="S", moment="after"),
        Kill(command=4, name="AddToAutodoc"),
        Kill(command=4, name="WriteAutodoc"),
        Kill(command=4, name="WriteAutodoc", moment="after"),
    ],
    ids=lambda kill: f"{kill.name} {kill.moment}",
)
def test_an_image_that_going_on_takes_up_is_not_wrong(tmp_path, kill):
    session = make_area(tmp_path / "a", targets=2, minTilt=-3, maxTilt=3, startTilt=0, pretilt=0)
    assert not run(session, kill).ok
    found = check_output(session.directory)
    said = [verdict.line for verdict in found if "saved and not yet noted" in verdict.line]
    assert len(said) == 1 and not any(verdict.wrong for verdict in found), found
    assert run(session).ok
    found = check_output(session.directory)
    assert not any(verdict.wrong or "not yet noted" in verdict.line for verdict in found)


def last_lacks_keys(images):
    return [*images[:-1], images[-1].without("AcquisitionOrder").without("PriorRecordDose")]


def middle_lacks_keys(images):
    return [*images[:2], images[2].without("AcquisitionOrder"), *images[3:]]


@pytest.mark.parametrize(
    ("state", "change", "lines", "is_right"),
    [
        ("stopped", last_lacks_keys, 4, True),
        ("stopped", list, 4, True),
        ("finished", last_lacks_keys, 4, False),
        ("finished", list, 4, False),
        ("stopped", last_lacks_keys, 3, False),
        ("stopped", last_lacks_keys, 5, False),
        ("stopped", middle_lacks_keys, 4, False),
    ],
)
def test_only_the_last_image_of_an_unfinished_run_may_be_unnoted(tmp_path, state, change, lines, is_right):
    make_run(tmp_path, targets=1, state=state)
    edit(tmp_path, with_values("AcquisitionOrder", {n: n + 1 for n in range(5)}))
    edit(tmp_path, change)
    journal_edit(tmp_path, lambda line: line["event"] != "exposed" or line["section"] < lines)
    found = verdicts(tmp_path)[FIRST]
    assert bool(found.wrong) != is_right and ("not yet noted" in found.line) == is_right


def test_a_sentence_is_said_once(session):
    edit(session, with_values("TiltAngle", {1: "north"}))
    found = verdicts(session)[FIRST]
    assert len(found.wrong) == len(set(found.wrong)) and "north" in found.line


def test_a_run_killed_between_exposure_and_saving_and_gone_on_with_is_right(tmp_path):
    session = make_area(tmp_path / "a", targets=2, minTilt=-3, maxTilt=3, startTilt=0, pretilt=0)
    run(session, Kill(command=4, name="R", moment="after"))
    found = check_output(session.directory)
    assert not any(verdict.wrong for verdict in found) and "not finished" in found[0].line
    assert run(session).ok
    found = check_output(session.directory)
    assert [verdict.line for verdict in found if verdict.wrong] == [] and len(found) == 2
