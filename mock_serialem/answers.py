"""Who sits at the microscope: the answers to SerialEM's questions.

A rehearsal has nobody to ask, so an `Operator` answers at once: yes to questions, the default to numbers. A question
without a default needs an answer given beforehand; otherwise the script gets an error that quotes the question.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Union

Answer = Union[bool, float, str]


@dataclass
class Operator:
    """Prepared answers.

    Attributes
    ----------
    answers : mapping of str to answer
        Regular expressions searched in ``COMMAND: prompt`` (any case), in order, with the answer. ``False`` means
        No or Cancel, ``True`` Yes or OK.
    yes : bool
        Answer to yes/no questions without a match.
    thinking_s : float
        Simulated time an answer takes.
    keys : str
        Keys that ``KeyBreak`` will find pressed, each once.
    asked : list of str
        Questions so far, as ``COMMAND: prompt``.
    """

    answers: Mapping[str, Answer] = field(default_factory=dict)
    yes: bool = True
    thinking_s: float = 3.0
    keys: str = ""
    asked: list[str] = field(default_factory=list)

    def answer(self, command: str, prompt: str) -> Answer | None:
        """Note a question and return the prepared answer to it, None if there is none."""
        question = f"{command}: {prompt}"
        self.asked.append(question)
        for pattern, answer in self.answers.items():
            if re.search(pattern, question, re.IGNORECASE | re.DOTALL):
                return answer
        return None

    def key_pressed(self, key: str) -> bool:
        """Tell whether `key` was pressed since the last check."""
        place = self.keys.upper().find(key.upper())
        if place < 0:
            return False
        self.keys = self.keys[:place] + self.keys[place + 1 :]
        return True
