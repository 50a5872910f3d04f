"""The label in a free-text answer: "The answer is (B)." -> "B".

An answer without a label, or torn between two, is missing (None): the model did not do the job
in a form that can be read, which is not the same as choosing wrongly.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# What announces a final answer. The last one counts: a model may correct itself.
_CUE = (
    r"(?:answer|label|class|classification|category|verdict|decision|conclusion|diagnosis|choice"
    r"|prediction|option)(?:\s+(?:is|was|would be|should be))?\s*[:=]?"
)
_MARKS = r"[\s*_`\"'“”‘’()\[\]<>]*"
# Words that English needs anyway: seeing one inside a sentence is no verdict.
_COMMON = frozenset({"no", "not", "none", "other", "or", "and", "yes", "so", "it"})


def find_label(answer: str, labels: Sequence[str]) -> str | None:
    """The one of ``labels`` that the answer gives, else None.

    In this order: the whole answer; after the last cue such as "answer is"; at the start; on a
    last line of its own; the only label named anywhere, unless it is a single letter or an
    everyday word. Letter case counts for single letters only. Raises ValueError when two labels
    differ in nothing that counts.
    """
    known = {_key(label): label for label in labels}
    if len(known) < len(labels):
        raise ValueError(f"labels that can't be told apart: {list(labels)}")
    if not known:
        return None
    alternatives = "|".join(_pattern(k) for k in sorted(known, key=len, reverse=True))
    one = rf"(?P<label>{alternatives})(?![\w-])"

    def named(match: re.Match[str] | None) -> str | None:
        return known.get(_key(match["label"])) if match else None

    text = answer.strip()
    if whole := re.fullmatch(rf"{_MARKS}{one}[\s*_`\"'“”‘’()\[\]<>.!]*", text):
        return named(whole)
    cues = list(re.finditer(rf"\b(?i:{_CUE}){_MARKS}{one}", text))
    if cues and not _torn(text, cues[-1], one):
        return named(cues[-1])
    lines = [line for line in text.splitlines() if line.strip()]
    start = re.match(
        rf"{_MARKS}{one}(?={_MARKS}(?:[.,:;!)\-–—\n]|$|(?i:because|since|as)\b))", text
    )
    if start and not cues and not _torn(text, start, one):
        return named(start)
    if lines and (last := re.fullmatch(rf"{_MARKS}{one}[\s*_`\"'()\[\].!]*", lines[-1])):
        return named(last)
    return _sole_mention(text, known, one)


def _torn(text: str, match: re.Match[str], one: str) -> bool:
    """Whether another label follows at once: "yes or no", "A/B"."""
    return bool(re.match(rf"{_MARKS}(?:/|,?\s*\b(?:or|and)\b){_MARKS}{one}", text[match.end() :]))


def _sole_mention(text: str, known: dict[str, str], one: str) -> str | None:
    mentioned = {_key(match["label"]) for match in re.finditer(rf"(?<![\w-]){one}", text)}
    if len(mentioned) != 1:
        return None
    key = mentioned.pop()
    return None if len(key) == 1 or key in _COMMON else known[key]


def _key(label: str) -> str:
    plain = " ".join(label.split())
    return plain if len(plain) == 1 else plain.casefold()


def _pattern(key: str) -> str:
    words = r"\s+".join(re.escape(word) for word in key.split())
    return words if len(key) == 1 else f"(?i:{words})"
