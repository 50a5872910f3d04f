"""What a judge's reply says: typed, validated, and unreadable rather than guessed at."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, Field, ValidationError

if TYPE_CHECKING:
    from collections.abc import Iterator

DIMENSIONS = ("accuracy", "relevance", "consistency", "ethics", "clarity")

Form = TypeVar("Form", bound=BaseModel)


def _whole(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("a truth value is no rating")
    return value


Rating = Annotated[int, BeforeValidator(_whole), Field(ge=1, le=5)]


class Review(BaseModel):
    """What a judge answers to the rubric."""

    accuracy: Rating
    relevance: Rating
    consistency: Rating
    ethics: Rating
    clarity: Rating
    comment: str = ""


class Choice(BaseModel):
    """What a judge answers to a pair."""

    better: Literal[1, 2, "1", "2", "tie"]
    comment: str = ""


def read_reply(text: str, form: type[Form]) -> Form:
    """The one JSON object of that form in a judge's reply; prose around it is let pass.

    Raises:
        ValueError: there is none, or there are two that differ: then it is not known which one
            the judge meant and which one it only quotes. The message is for the judge.
    """
    found: list[Form] = []
    complaint = "there is no JSON object in it"
    for value in _objects(text):
        try:
            read = form.model_validate(value)
        except ValidationError as error:
            first = error.errors()[0]
            complaint = f"{'.'.join(map(str, first['loc'])) or 'the object'}: {first['msg']}"
            continue
        if read not in found:
            found.append(read)
    if len(found) > 1:
        raise ValueError("it holds more than one judgement")
    if not found:
        raise ValueError(complaint)
    return found[0]


def _objects(text: str) -> Iterator[object]:
    """Every outermost JSON object in a text, after a reasoning model's thoughts."""
    text = text.rpartition("</think>")[2]
    decoder = json.JSONDecoder()
    place = text.find("{")
    while place >= 0:
        try:
            value, end = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            end = place + 1
        else:
            yield value
        place = text.find("{", end)
