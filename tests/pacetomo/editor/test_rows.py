import pytest
from editing import FILE, document

from pacetomo.editor.looks import State
from pacetomo.editor.rows import COLUMNS, filtered, rows_of, sorted_rows, state_of
from pacetomo.files.target_file import parse_targets

AREA = document(parse_targets("_set minDefocus = -3\n_set maxDefocus = -5\n_set stepDefocus = 1\n" + FILE))


def numbers(rows):
    return [row.number for row in rows]


def test_a_row_says_all_about_its_target():
    first, second, third = rows_of(AREA)
    assert [third.text(column) for column in COLUMNS] == [
        "3",
        "L3_ts_003.mrc",
        "-3.000",
        "2.500",
        "0.750",
        "-4.00",
        "R",
        "",
        "to do",
    ]
    assert [second.text(column) for column in ("files", "score", "defocus", "skip", "state")] == [
        "L3_ts_002.mrc, L3_tgt_002.mrc",
        "",
        "",
        "skip",
        "skipped",
    ]
    assert (first.text("defocus"), first.state) == ("(-3.00)", State.TRACKING)


def test_wrong_settings_leave_the_rows_without_shares_of_defocus():
    wrong = document(parse_targets("_set minTilt = 70\n" + FILE))
    assert [row.defocus_um for row in rows_of(wrong)] == [None, None, -4.0]


@pytest.mark.parametrize(
    ("column", "descending", "order"),
    [
        ("number", False, [1, 2, 3]),
        ("SSX", False, [3, 1, 2]),
        ("SSX", True, [2, 1, 3]),
        ("score", False, [3, 1, 2]),
        ("score", True, [3, 1, 2]),
        ("skip", True, [2, 1, 3]),
        ("files", True, [3, 2, 1]),
        ("defocus", False, [3, 1, 2]),
    ],
)
def test_rows_are_sorted_with_missing_values_last(column, descending, order):
    assert numbers(sorted_rows(rows_of(AREA), column, descending)) == order


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", [1, 2, 3]),
        ("TGT", [1, 2]),
        ("tgt skip", [2]),
        ("view", [1]),
        ("score>0.5", [3]),
        ("score>=0.75 ssx<0", [3]),
        ("ssx<=-3", [3]),
        ("number=2", [2]),
        ("defocus<-3.5", [3]),
        ("skip>0", [2]),
        ("files>3", []),
        ("score>high", []),
        ("to do", [3]),
    ],
)
def test_a_filter_keeps_what_agrees_with_all_its_words(text, found):
    assert numbers(filtered(rows_of(AREA), text)) == found


@pytest.mark.parametrize(
    ("is_tracking", "skip", "in_run", "shown"),
    [
        (True, False, None, State.TRACKING),
        (True, False, State.WAITING, State.TRACKING),
        (True, False, State.RUNNING, State.RUNNING),
        (False, True, State.WAITING, State.SKIPPED),
        (False, False, State.FINISHED, State.FINISHED),
        (False, False, None, State.WAITING),
    ],
)
def test_what_has_become_of_a_target_goes_before_what_it_is(is_tracking, skip, in_run, shown):
    assert state_of(is_tracking, skip, in_run) is shown
