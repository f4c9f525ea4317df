"""What SerialEM does to the text of a script."""

from __future__ import annotations

import pytest

from mock_serialem.wrapper import (
    NotPythonError,
    check_python,
    expand_includes,
    script_name,
    transform_line,
    wrap,
)

LINES = [
    (r'x = "C:\data\new"', r'x = "C:\\data\\new"'),
    (r'x = "a\nb"', r'x = "a\\nb"'),
    (r'x = "a" + "\n"', r'x = "a" + "\n"'),
    (r"x = '\n' + '\r\n' + " r'"\r\n"', r"x = '\n' + '\r\n' + " r'"\r\n"'),
    (r"""x = '\n" """, r"""x = '\\n" """),
    (r'x = "a|\nb"', r'x = "a\nb"'),
    (r'r"\d+|\w"', r'r"\\d+\w"'),
    (r'"C:\\data"', r'"C:\\\\data"'),
    ("print(1)", "SEMprint(1)"),
    ("    print (1); print(2)", "    print (1); SEMprint(2)"),
    ("pprint(1); a.print(1); x=print(1)", "pprint(1); a.print(1); x=print(1)"),
    ("\tprint(1)", "\tprint(1)"),
]


@pytest.mark.parametrize(("line", "expected"), LINES)
def test_replacements_in_a_line(line: str, expected: str) -> None:
    assert transform_line(line) == expected


def test_the_whole_script_is_indented_by_two_blanks() -> None:
    text = wrap('#!Python\nif 1:\n  x = """a\nb"""\n', 50000, ["/a"], ["one"])
    assert '\n  #!Python\n  if 1:\n    x = """a\n  b"""\n' in text
    assert "mock_serialem.client.install(50000)" in text
    assert "SEMargStrings = ['one']" in text
    compile(text, "<stdin>", "exec")


def test_an_empty_script_is_legal() -> None:
    compile(wrap("#!Python", 1), "<stdin>", "exec")


def test_future_imports_cannot_work() -> None:
    with pytest.raises(SyntaxError):
        compile(wrap("#!Python\nfrom __future__ import annotations\n", 1), "<stdin>", "exec")


@pytest.mark.parametrize("text", ["#!Python\n", "#!python3.11\nx", "\n#\n# \n#!Python\n", "\t\n#!Python"])
def test_python_scripts(text: str) -> None:
    check_python(text)


@pytest.mark.parametrize("text", ["", "x = 1\n#!Python", "# comment\n#!Python", "#!/usr/bin/python"])
def test_scripts_that_are_not_python(text: str) -> None:
    with pytest.raises(NotPythonError, match="#!Python"):
        check_python(text)


def test_includes_are_replaced_by_their_text() -> None:
    parts = {"helpers": "def f():\n    return 1", "a b.py": "#include helpers\ny = 2"}

    def read(name: str, is_file: bool) -> str:
        assert is_file == (name == "a b.py")
        if name not in parts:
            raise FileNotFoundError(name)
        return parts[name]

    text = expand_includes('#!Python\n#includeFile "a b.py"\nz = 3', read)
    assert text == "#!Python\ndef f():\n    return 1\ny = 2\nz = 3"
    with pytest.raises(NotPythonError, match="missing"):
        expand_includes("#include missing", read)
    parts["loop"] = "#include loop"
    with pytest.raises(NotPythonError, match="each other"):
        expand_includes("#include loop", read)


def test_the_name_of_a_script() -> None:
    assert script_name("#!Python\n#ScriptName Acquire all \n") == "Acquire all"
    assert script_name("#!Python\nx = 1") == ""
