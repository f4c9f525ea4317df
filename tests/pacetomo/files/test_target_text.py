from __future__ import annotations

import pytest
from hypothesis import given
from strategies import one_line_texts, target_file_texts, words

from pacetomo.errors import PaceError, RunFileError
from pacetomo.files.target_text import parse_document, split_entry, split_override


@pytest.mark.parametrize(
    "text, entry",
    [
        ("SSX = 1.5", ("SSX", "1.5")),
        ("  SSX = 1.5", ("SSX", "1.5")),
        ("tsfile = my lamella = 3 ts.mrc", ("tsfile", "my lamella = 3 ts.mrc")),
        ("note =  two blanks ", ("note", " two blanks ")),
        ("shifts = ", ("shifts", "")),
        ("shifts =", ("shifts", "")),
        ("SSX=1.5", None),
        ("SSX 1.5", None),
        ("two words = 1", None),
        (" = 1", None),
        ("SSX", None),
        ("", None),
    ],
)
def test_lines_with_a_key(text, entry):
    assert split_entry(text) == entry


@given(words, one_line_texts)
def test_a_written_line_gives_back_key_and_value(key, value):
    assert split_entry(f"{key} = {value}") == (key, value)


@pytest.mark.parametrize(
    "text, override",
    [
        ("_set pretilt = -9.5", ("set", "pretilt", "-9.5")),
        ("_bset addAF = yes \r\n", ("bset", "addAF", "yes")),
        ("_set pretilt -9.5", None),
        ("_set pretilt = ", None),
        ("_set = 3", None),
        ("_tgt = 001", None),
    ],
)
def test_lines_with_a_setting(text, override):
    assert split_override(text) == override


def test_blocks_keep_their_lines_and_know_their_keys():
    text = (
        "_set step = 2\n\n_tgt = 002\nSSX = 1\n_bset addAF = yes\n_pbr\nSSX = 3\n_nbr\n\n"
        "_geo = 1\nSSX = 4\n_tgt = 001\nSSX = 5\n_spos = 7,1\n"
    )
    document = parse_document(text, "f", PaceError)
    assert [(block.kind, block.number, block.line) for block in document.blocks] == [
        ("head", 0, 1),
        ("target", 2, 3),
        ("geo", 0, 10),
        ("target", 1, 12),
    ]
    assert [[entry.value for entry in block.entries] for block in document.blocks] == [
        [],
        ["1"],
        ["4"],
        ["5"],
    ]
    assert document.blocks[1].branches == {"up": [(7, "SSX", "3")], "down": []}
    assert [(one.kind, one.name, one.value, one.line) for one in document.overrides] == [
        ("set", "step", "2", 1),
        ("bset", "addAF", "yes", 5),
    ]
    assert document.position == (14, "_spos", "7,1")
    assert "".join(raw for block in document.blocks for raw in block.raws) == text
    assert document.warnings == []


def test_markers_of_unknown_kind_are_kept_with_a_warning():
    document = parse_document(
        "_tgt = 001\n_xset a = 1\nSSX = 2\n_abc = 1\nSSX = 3\nany thing\n", "f", PaceError
    )
    assert [block.kind for block in document.blocks] == ["head", "target", "text"]
    assert [entry.value for entry in document.blocks[1].entries] == ["2"]
    assert [warning.split(";")[0] for warning in document.warnings] == [
        "f, line 2: the marker '_xset' is not known",
        "f, line 4: the marker '_abc' is not known",
    ]


@pytest.mark.parametrize("text", ["_tgt = 001\nSSX = 1", "_tgt = 001\r\nSSX = 1"])
def test_a_last_line_without_end_may_be_cut_short(text):
    assert parse_document(text, "f", PaceError).warnings == [
        "f, line 2: has no line end; check that the file was not cut short"
    ]


@pytest.mark.parametrize(
    "text, line, word",
    [
        ("SSX = 1\n", 1, "a line '_tgt = 001' must come first"),
        ("garbage\n", 1, "'key = value'"),
        ("_tgt = 001\nSSX=1\n", 2, "blanks around ="),
        ("_tgt = 001\n# note\n", 2, "'key = value'"),
        ("_tgt = 001\nSSX = 1\nSSX = 1\n", 3, "SSX already has a value in line 2"),
        ("_tgt = 001\n_pbr\nz0 = 1\nz0 = 2\n", 4, "z0 already has a value in line 3"),
        ("_tgt = 001\n\n_tgt = 1\n", 3, "target 1 already stands in line 1"),
        ("_tgt = one\n", 1, "counting from 1"),
        ("_tgt = 0\n", 1, "counting from 1"),
        ("_tgt\n", 1, "counting from 1"),
        ("_set step 3\n", 1, "'_set NAME = VALUE'"),
        ("_bset addAF =\n", 1, "'_bset NAME = True'"),
        ("_set step = 3\n_set step = 4\n", 2, "step already has another value in line 1"),
        ("_set addAF = 1\n_bset addAF = True\n", 2, "addAF already has another value"),
        ("_pbr\n", 1, "outside a target"),
        ("_tgt = 001\n_geo = 1\n_nbr\n", 3, "outside a target"),
        ("_tgt = 001\n_pbr\n_pbr\n", 3, "_pbr stands twice in target 1"),
        ("_spos\n", 1, "'_spos = SECTION,POSITION'"),
        ("_spos = 1,1\n_spos = 1,1\n", 2, "_spos already stands in line 1"),
        ("_tgt = 001\n\x00\x01\x02\n", 2, "control character"),
    ],
)
def test_broken_grammar_is_refused_with_its_line(text, line, word):
    for newline in ("\n", "\r\n"):
        with pytest.raises(RunFileError) as caught:
            parse_document(text.replace("\n", newline), "L3 ü_tgts.txt", RunFileError)
        assert str(caught.value).startswith(f"L3 ü_tgts.txt, line {line}: ")
        assert word in str(caught.value)


def test_a_setting_given_twice_alike_counts_once():
    document = parse_document("_set step = 3\n_set step = 3\n", "f", PaceError)
    assert len(document.overrides) == 1


@given(target_file_texts)
def test_no_line_is_lost(text):
    try:
        document = parse_document(text, "f", PaceError)
    except PaceError as err:
        assert str(err).startswith("f, line ")
    else:
        kept = "".join(raw for block in document.blocks for raw in block.raws)
        assert ("\ufeff" if document.byte_order_mark else "") + kept == text
