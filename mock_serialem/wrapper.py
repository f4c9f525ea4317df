"""What SerialEM makes of a Python script before it runs it: includes, replaced text, and the wrapper around it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

_FIRST = re.compile(r"^#!Python(\d+\.\d+)?\s*$", re.IGNORECASE)
_INCLUDE = re.compile(r"^\s*#include(File)?\s+(.+?)\s*$", re.IGNORECASE)
_BACKSLASH = re.compile(r"""(["'])(?:\\r)?\\n\1|\|\\|\\""")
_PRINT = re.compile(r"(?:^|(?<= ))print\(")
_NAME = re.compile(r"^\s*#(?:ScriptName|MacroName)\s+(.+?)\s*$", re.IGNORECASE)

FAILED, TRACEBACK, STOPPED, SYSTEM_EXIT = 11, 12, 13, 14
"""Exit status of the script's process: uncaught SEMerror, other exception, STOP, SystemExit that is not 0."""

_HEAD = """\
import sys
globals().pop("__file__", None)
for _path in {paths!r}:
    if _path not in sys.path:
        sys.path.append(_path)
del _path
import mock_serialem.client
mock_serialem.client.install({port})
import serialem as SEMmodule
from serialem import SEMexited, SEMerror, ConnectToSEM
from serialem import Echo as SEMecho
SEMmodule.ScriptIsInitialized()
ConnectToSEM({port})
SEMargStrings = {arguments!r}
def SEMarrayToFloats(text):
    return [float(word) for word in text.split("\\n") if word]
def SEMarrayToInts(text):
    return [int(float(word)) for word in text.split("\\n") if word]
def listToSEMarray(values):
    return "\\n".join(str(value) for value in values)
def SEMprint(*args):
    print(*args)
    sys.stdout.flush()
def SEMflush():
    sys.stdout.flush()
SEMstatus = 0
try:
"""

_TAIL = """
  pass
except SEMexited as SEMended:
  if str(SEMended) != {normal!r}:
    SEMstatus = {stopped}
except SEMerror as SEMended:
  sys.stderr.write("SEMerror: " + str(SEMended).strip())
  SEMstatus = {failed}
except SystemExit as SEMended:
  if SEMended.code not in (None, 0):
    sys.stderr.write("SystemExit: " + str(SEMended.code))
    SEMstatus = {system_exit}
except BaseException:
  import traceback
  traceback.print_exc()
  SEMstatus = {traceback}
sys.stdout.flush()
sys.stderr.flush()
sys.exit(SEMstatus)
"""


class NotPythonError(Exception):
    """The script does not start with ``#!Python``, or an include cannot be found."""


def check_python(text: str) -> None:
    """Refuse a script whose first line with content is not ``#!Python``.

    Raises
    ------
    NotPythonError
        It is not a Python script for SerialEM.
    """
    for line in text.splitlines():
        if _FIRST.match(line):
            return
        if line.strip(" #\t"):
            break
    raise NotPythonError("a Python script must start with the line #!Python")


def script_name(text: str) -> str:
    """Name given by ``#ScriptName``, empty if there is none."""
    for line in text.splitlines():
        found = _NAME.match(line)
        if found:
            return found.group(1)
    return ""


def expand_includes(text: str, read: Callable[[str, bool], str], depth: int = 0) -> str:
    """Replace ``#include NAME`` and ``#includeFile PATH`` lines by the text they name.

    Parameters
    ----------
    text : str
    read : callable
        Takes the name, and whether it is a file; returns the text or raises OSError.
    depth : int
        Level of nesting.

    Raises
    ------
    NotPythonError
        A text cannot be found, or includes go round in a circle.
    """
    if depth > 20:
        raise NotPythonError("the includes of the script include each other")
    lines: list[str] = []
    for line in text.splitlines():
        found = _INCLUDE.match(line)
        if found is None:
            lines.append(line)
            continue
        try:
            inner = read(found.group(2).strip("\"'"), found.group(1) is not None)
        except OSError as err:
            raise NotPythonError(f"cannot include {found.group(2)}: {err}") from err
        lines.append(expand_includes(inner, read, depth + 1))
    return "\n".join(lines)


def transform_line(line: str) -> str:
    r"""Make the replacements of one line: backslashes doubled, ``print(`` to ``SEMprint(``.

    A backslash after ``|`` stays single and the bar goes; the quoted line ends stay as they are.

    >>> transform_line(r'print("C:\new", "\n", "a|\tb")')
    'SEMprint("C:\\\\new", "\\n", "a\\tb")'
    """
    return _PRINT.sub("SEMprint(", _BACKSLASH.sub(_one_backslash, line))


def _one_backslash(found: re.Match[str]) -> str:
    text = found.group()
    if text == "\\":
        return "\\\\"
    return "\\" if text == "|\\" else text


def wrap(text: str, port: int, paths: Sequence[str] = (), arguments: Sequence[str] = ()) -> str:
    """Make the program that is fed to Python.

    Parameters
    ----------
    text : str
        The script with its includes expanded.
    port : int
        Where SerialEM listens.
    paths : sequence of str
        Entries for ``sys.path``.
    arguments : sequence of str
        Become ``SEMargStrings``.
    """
    head = _HEAD.format(paths=list(paths), port=port, arguments=list(arguments))
    body = "\n".join(f"  {transform_line(line)}" for line in text.splitlines())
    tail = _TAIL.format(
        normal="Normal exit", stopped=STOPPED, failed=FAILED, system_exit=SYSTEM_EXIT, traceback=TRACEBACK
    )
    return head + body + tail
