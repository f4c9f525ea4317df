from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacetomo.errors import PaceError
from pacetomo.frames import XY
from pacetomo.report.records import Note, RunEnd, RunLog, read_journal

HEAD = (
    '{"event": "run_start", "t_s": 10, "version": "1", "area": "lam", "targets": [{"number": 1, "series": "a.mrc", '
    '"shift_um": [0, 0], "skip": false}, {"number": 2, "series": "b.mrc", "shift_um": [1.5, -2], "skip": true}], '
    '"settings": {"groupSize": {"value": 4, "origin": "script"}}, "tilts_deg": [0, 3, -3], "exposures": 3, '
    '"geometry": {"pretilt_deg": 9, "rotation_deg": -2}}\n'
)


def journal(tmp_path, text):
    path = tmp_path / "run.jsonl"
    path.write_text(text, encoding="utf-8")
    return read_journal(path)


def test_the_plan_is_read(tmp_path):
    log = journal(tmp_path, HEAD)
    assert (log.area, log.version, log.planned, log.tilts_deg) == ("lam", "1", 3, (0.0, 3.0, -3.0))
    assert (log.pretilt_deg, log.rotation_deg) == (9.0, -2.0)
    assert [(target.number, target.series, target.skip) for target in log.targets] == [
        (1, "a.mrc", False),
        (2, "b.mrc", True),
    ]
    assert log.targets[1].shift_um == XY(1.5, -2.0)
    assert [(setting.name, setting.value, setting.origin) for setting in log.settings] == [
        ("groupSize", 4, "script")
    ]
    assert math.isnan(log.estimated_s) and log.end is None


def test_a_whole_run_is_read(make_run):
    log = read_journal(make_run(targets=3, reach=2).journal)
    assert len(log.images) == 15 and len(log.stops) == 5 and len(log.found) == len(log.starts) == 3
    assert log.pending == ()
    assert log.end == RunEnd("finished", "")
    assert [step.name for step in log.steps[-3:]] == ["find_targets", "acquire", "finish"]


def test_steps_last_until_the_next_one(tmp_path):
    log = journal(
        tmp_path,
        HEAD
        + '{"event": "step", "t_s": 12, "name": "move"}\n{"event": "step", "t_s": 20, "name": "acquire"}\n'
        + '{"event": "run_end", "t_s": 50.5, "state": "stopped", "text": "STOP"}\n',
    )
    assert [(step.name, step.seconds) for step in log.steps] == [("move", 8.0), ("acquire", 30.5)]
    assert log.elapsed_s == 40.5


def test_an_autofocus_in_between_does_not_end_the_acquisition(tmp_path):
    log = journal(
        tmp_path,
        HEAD
        + '{"event": "step", "t_s": 20, "name": "acquire"}\n{"event": "step", "t_s": 30, "name": "autofocus"}\n'
        + '{"event": "expose", "t_s": 32, "number": 1}\n{"event": "step", "t_s": 50, "name": "finish"}\n',
    )
    assert [(step.name, step.seconds) for step in log.steps] == [
        ("acquire", 10.0),
        ("autofocus", 2.0),
        ("acquire", 18.0),
        ("finish", 0.0),
    ]


def test_a_resumed_run_counts_only_the_time_it_ran(tmp_path):
    step = '{"event": "step", "t_s": 20, "name": "acquire"}\n'
    late = HEAD.replace('"t_s": 10', '"t_s": 1000')
    log = journal(
        tmp_path,
        HEAD + step + '{"event": "expose", "t_s": 30, "number": 5}\n{"event": "warn\n' + late
        + '{"event": "step", "t_s": 1001, "name": "acquire"}\n{"event": "run_end", "t_s": 1007, "state": "finished"}\n',
    )  # fmt: skip
    assert log.elapsed_s == 20 + 7
    assert [round(entry.seconds) for entry in log.steps] == [10, 6]
    assert log.pending == (5,)


def test_an_exposure_without_result_is_pending_until_it_has_one(tmp_path):
    expose = '{"event": "expose", "t_s": 30, "number": 5}\n'
    exposed = (
        '{"event": "exposed", "t_s": 33, "number": 5, "target": 1, "section": 0, "residual_nm": [3, -4]}\n'
    )
    assert journal(tmp_path, HEAD + expose).pending == (5,)
    log = journal(tmp_path, HEAD + expose + exposed)
    assert log.pending == ()
    assert log.images[0].residual_nm == XY(3.0, -4.0) and math.isnan(log.images[0].z0_um)


def test_notes_keep_kind_text_and_place(tmp_path):
    log = journal(
        tmp_path,
        '{"event": "skip", "t_s": 1, "target": 2, "branch": "up", "tilt_deg": 42, "reason": "too dark"}\n'
        '{"event": "skip", "t_s": 1, "target": 2, "branch": null, "tilt_deg": null, "reason": "limit"}\n'
        '{"event": "wait", "t_s": 2, "text": "dewar", "seconds": 120}\n{"event": "error", "t_s": 3, "text": "lost"}\n',
    )
    assert log.notes[0] == Note("skip", 1.0, "too dark (branch up)", 2, 42.0)
    assert log.notes[1].text == "limit" and math.isnan(log.notes[1].tilt_deg)
    assert log.notes[2] == Note("wait", 2.0, "dewar (120 s)", None, log.notes[2].tilt_deg)
    assert log.notes[3].kind == "error"


IMAGE = '{"event": "exposed", "t_s": 1, "number": 4, "target": 2, "section": 1, "residual_nm": [3, -4]'


def test_what_was_expected_of_an_image(tmp_path):
    keys = ', "accepted": true, "believed": false, "expected_nm": [1, 2], "sigma_nm": [5, 6]'
    focus = ', "ctf_defocus_um": -4.9, "wanted_um": -5, "sigma_defocus_um": 0.2}\n'
    (image,) = journal(tmp_path, IMAGE + keys + focus).images
    assert (image.expected_nm, image.sigma_nm, image.believed) == (XY(1.0, 2.0), XY(5.0, 6.0), False)
    assert (image.fitted_um, image.wanted_um, image.sigma_defocus_um) == (-4.9, -5.0, 0.2)


@pytest.mark.parametrize("accepted", [True, False])
def test_an_older_journal_believes_what_was_accepted(tmp_path, accepted):
    (image,) = journal(tmp_path, IMAGE + f', "accepted": {str(accepted).lower()}}}\n').images
    assert image.believed is accepted
    assert math.isnan(image.sigma_nm.x) and math.isnan(image.sigma_defocus_um)


def test_second_thoughts_count(tmp_path):
    lines = (
        IMAGE
        + ', "accepted": true, "believed": true}\n'
        + IMAGE.replace("4,", "5,", 1)
        + ', "accepted": true}\n'
    )
    log = journal(
        tmp_path, lines + '{"event": "judged", "t_s": 2, "number": 4, "target": 2, "believed": false}\n'
    )
    assert [(image.number, image.believed) for image in log.images] == [(4, False), (5, True)]


def test_the_latest_finding_of_each_place_counts(tmp_path):
    def line(name, value, tilt="null"):
        return (
            f'{{"event": "finding", "t_s": 3, "name": "{name}", "value": {value}, "sigma": 0.1, "unit": "µm", '
            f'"cause": "c", "cure": "d", "target": null, "tilt_deg": {tilt}, "branch": null}}\n'
        )

    log = journal(
        tmp_path, line("axis", 0.5) + line("slip", 0.3, 12) + line("slip", 0.4, 15) + line("axis", 0.9)
    )
    assert [(found.name, found.value) for found in log.findings] == [
        ("axis", 0.9),
        ("slip", 0.3),
        ("slip", 0.4),
    ]
    assert (log.findings[0].unit, log.findings[0].cause, log.findings[0].cure) == ("µm", "c", "d")


def test_unknown_events_and_keys_are_ignored(tmp_path):
    assert journal(tmp_path, '{"event": "news", "t_s": 1}\n{"event": 7}\n{}\n').images == ()
    assert journal(tmp_path, HEAD.replace('"t_s"', '"colour": {}, "t_s"')).area == "lam"


def test_an_empty_journal_is_an_empty_run(tmp_path):
    assert journal(tmp_path, "") == RunLog()


def test_wrong_types_name_the_line(tmp_path):
    with pytest.raises(PaceError, match=r"run\.jsonl, line 2: 'target'"):
        journal(
            tmp_path, HEAD + '{"event": "exposed", "t_s": 1, "number": 1, "target": "one", "section": 0}\n'
        )
    with pytest.raises(PaceError, match=r"line 1: 'section' is missing"):
        journal(tmp_path, '{"event": "exposed", "t_s": 1, "number": 1, "target": 1}\n')


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "run.jsonl"
    path.write_bytes(content)
    try:
        assert isinstance(read_journal(path), RunLog)
    except PaceError as err:
        assert f"{path}, line" in str(err)
