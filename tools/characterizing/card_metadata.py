"""What a card's front matter states: licence, languages, base models, data sets and task.

Facts in the sense that their form leaves nothing to interpret; whether they are true, nobody
checked. Values of other shapes than the Hub's are passed over, not guessed at.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import yaml

from memory.records import Characteristic
from prompts.questions import questions
from tools.request.domains import DOMAINS
from tools.request.languages import CODES, LANGUAGES
from tools.scores.sources.model_card import parsed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tools.characterizing.documents import Document

SOURCE = "card metadata"
CONFIDENCE = 0.95
MOST = 50
"""Values of one field; the longest real list of languages has some 200, of data sets 40."""

_FIELDS = {
    "licence": ("license",),
    "languages": ("language", "languages"),
    "base model": ("base_model",),
    "training data": ("datasets",),
    "tasks": ("pipeline_tag",),
    "domain": ("tags",),
}


def stated(document: Document) -> dict[str, list[str]]:
    """Question -> the values that front matter states; empty where it can't be read."""
    try:
        front = parsed(document.text)
    except (yaml.YAMLError, ValueError):
        return {}
    if not isinstance(front, dict):
        return {}
    found = {
        question: list(dict.fromkeys(islice(_values(question, front, fields), MOST)))
        for question, fields in _FIELDS.items()
    }
    return {question: values for question, values in found.items() if values}


def read(document: Document) -> Iterator[Characteristic]:
    """The same as characteristics, each quoting its line."""
    lines = document.text.splitlines()
    for question, values in stated(document).items():
        for said in values:
            value = questions()[question].read(said)
            quote = _line(lines, said, question)
            if value is not None and quote:
                yield Characteristic(
                    question=question,
                    value=value.text,
                    source=document.name,
                    quote=quote,
                    confidence=CONFIDENCE,
                    origin="rule",
                )


def _values(question: str, front: dict[object, object], fields: tuple[str, ...]) -> Iterator[str]:
    for field in fields:
        for said in _strings(front.get(field)):
            if question == "languages":
                code = CODES.get(said.lower(), said.lower())
                if code in LANGUAGES:
                    yield LANGUAGES[code]
            elif question == "licence":
                name = front.get("license_name") if said == "other" else said
                if isinstance(name, str) and name.strip():
                    yield name.strip()
            elif question == "tasks":
                yield said.replace("-", " ")
            elif question == "domain":
                if said.lower() in DOMAINS:
                    yield said.lower()
            else:
                yield said


def _strings(value: object) -> Iterator[str]:
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, bool):
            yield "no"  # YAML reads the code of Norwegian as a truth value
        elif isinstance(one, str) and one.strip():
            yield one.strip()


def _line(lines: list[str], said: str, question: str) -> str:
    """The line that states a value; "" where YAML put it together from several."""
    wanted = {said.lower(), said.lower().replace(" ", "-")}
    if question == "languages":
        wanted.add(CODES[said.lower()])
    for line in lines:
        words = line.lower().replace(":", " ").replace("[", " ").replace("]", " ")
        held = {word.strip("'\",-") for word in (*words.split(), words.partition(" ")[2].strip())}
        if held & wanted:
            return line.strip()
    return ""
