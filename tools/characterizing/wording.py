"""What the usual wordings of cards say: patterns, one question each, with the line as the quote.

A pattern names the value itself; what only hints at an answer is left to ``label_similarity`` or
to a language model. Chosen by reading one half of the real cards of ``evals.characterization``;
the other half is reported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memory.records import Characteristic
from prompts.questions import questions
from tools.characterizing import named_values, set_phrases
from tools.characterizing.passages import split
from tools.characterizing.set_phrases import LONGEST_LINE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tools.characterizing.documents import Document

_FINDERS = {**named_values.FINDERS, **set_phrases.FINDERS}


def read(document: Document) -> Iterator[Characteristic]:
    """Everything the patterns find in its sentences and lines, in the order of the text."""
    for sentence in split(document.text):
        said = " ".join(sentence.split())
        if len(said) > 10 * LONGEST_LINE:
            continue
        for question, find in _FINDERS.items():
            for value, confidence in find(said):
                typed = questions()[question].read(value)
                quote = _around(said, value)
                if typed is not None and quote:
                    yield Characteristic(
                        question=question,
                        value=typed.text,
                        number=typed.number,
                        source=document.name,
                        quote=quote,
                        confidence=confidence,
                        origin="rule",
                    )


def _around(line: str, value: str) -> str:
    """The line, or of a long one its part around the value."""
    if len(line) <= LONGEST_LINE:
        return line
    place = max(line.lower().find(value.lower()), 0)
    start = max(0, min(place - LONGEST_LINE // 3, len(line) - LONGEST_LINE))
    return line[start : start + LONGEST_LINE].strip()
