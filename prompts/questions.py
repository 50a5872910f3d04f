"""The questions that characterize a model: RELM's appendix A.1, typed.

A question is a prompt whose front matter declares what an answer is: some of a set of choices, a
list of names, a number with its unit, or a sentence. An answer of another kind is none. Departs
from the paper in one question more, after languages, which MSM's second stage weighs.
"""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple

from prompts import library
from prompts.library import HERE

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER = "characterize"
LONGEST_NAME, LONGEST_SENTENCE = 120, 400

_NUMBER = re.compile(r"(\d+(?:[ ,_]\d{3})*(?:\.\d+)?)\s*([km])?(?![a-z])", re.IGNORECASE)
_SCALE = {"": 1, "k": 1024, "m": 1024**2}


class Value(NamedTuple):
    """One answer of the right type; ``number`` only where the question asks for one."""

    text: str
    number: float | None = None


@dataclass(frozen=True)
class Question:
    """One question and the type of its answer.

    ``number``: its place in appendix A.1, None for ours. ``choices``: each with what it means in
    plain words, which is what texts are compared with.
    """

    asks: str
    number: int | None
    id: str
    text: str
    answer: Literal["choices", "list", "number", "text"]
    choices: Mapping[str, str]
    unit: str | None = None
    of: str | None = None

    @property
    def form(self) -> str:
        """What an answer must be, for whoever answers."""
        if self.answer == "choices":
            return "one of: " + ", ".join(self.choices)
        if self.answer == "number":
            return f"a number of {self.unit}"
        return self.of or "one sentence, as written"

    def read(self, answer: object) -> Value | None:
        """``answer`` as a value of this question's type; None when it is none."""
        if isinstance(answer, bool):
            answer = "yes" if answer else "no"
        if isinstance(answer, (int, float)):
            answer = f"{answer:g}" if math.isfinite(answer) else ""
        if not isinstance(answer, str):
            return None
        said = " ".join(answer.split())
        if self.answer == "choices":
            choice = said.lower().replace("-", " ")
            return Value(choice) if choice in self.choices else None
        if self.answer == "number":
            return self._number(said)
        most = LONGEST_SENTENCE if self.answer == "text" else LONGEST_NAME
        return Value(said) if 0 < len(said) <= most else None

    def _number(self, said: str) -> Value | None:
        count = number_in(said)
        if count is None or not 0 < count < 1e12:
            return None
        return Value(f"{count:,.0f} {self.unit}", count)


def number_in(said: str) -> float | None:
    """The first number of a text: "128k" is 131,072, as context lengths are written."""
    match = _NUMBER.search(said)
    if match is None:
        return None
    digits = re.sub(r"[ ,_]", "", match[1])
    return float(digits) * _SCALE[(match[2] or "").lower()] if len(digits) < 16 else None


@cache
def questions() -> Mapping[str, Question]:
    """Every question by what it asks, in the paper's order and then ours."""
    found = [_load(path.stem) for path in sorted((HERE / FOLDER).glob("*.md"))]
    return MappingProxyType({question.asks: question for question in found if question})


@cache
def edition() -> str:
    """Eight hex digits that change with any question's wording, type or version."""
    said = repr(tuple(questions().values()))
    return hashlib.sha256(said.encode()).hexdigest()[:8]


def _load(stem: str) -> Question | None:
    meta, text = library.read(f"{FOLDER}/{stem}")
    if "answer" not in meta:
        return None  # the form they are asked in
    return Question(
        asks=meta["asks"],
        number=meta["number"],
        id=f"{FOLDER}/{stem}@{meta['version']}",
        text=text,
        answer=meta["answer"],
        choices=dict(meta.get("choices") or {}),
        unit=meta.get("unit"),
        of=meta.get("of"),
    )
