"""Texts as they are shown to people. Pure."""

from __future__ import annotations


def sentence(text: str) -> str:
    """A text with a capital and a full stop, unless it begins with a name that is spelled otherwise.

    >>> sentence("there is no target 7"), sentence("startTilt is wrong"), sentence("a_tgts.txt: no SSX")
    ('There is no target 7.', 'startTilt is wrong.', 'a_tgts.txt: no SSX.')
    """
    first = text.split(" ", 1)[0]
    is_name = any(sign in first for sign in "._/\\") or first[1:].lower() != first[1:]
    capital = text if is_name else f"{text[:1].upper()}{text[1:]}"
    return capital if capital.endswith((".", "!", "?")) else f"{capital}."


def cut(text: str, longest: int) -> str:
    """A text with its middle left out where it is too long.

    >>> cut("a_very_long_name_of_a_series_ts_001.mrc", 20)
    'a_very_lo…ts_001.mrc'
    """
    if len(text) <= longest:
        return text
    return f"{text[: (longest - 1) // 2]}…{text[-(longest // 2) :]}"
