"""One entry of a source of scores: a score, or why it is none.

A source is a function that yields entries. What is no score on [0, 1] by its nature (a
perplexity, an average rank) is *skipped*; what can't be read or can't be true is *refused*, and
its place is told so that a person can mend it. Neither stops the entries around it, and the
source itself is never changed. All text is data from outside.
"""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from memory.bundled_scores import first_complaint
from memory.records import Score

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST = 4_000  # characters of one text field
MODEL = re.compile(r"[^\s/@]{1,200}(/[^\s/@]{1,200})?")
LOWER_IS_BETTER = re.compile(
    r"(?i)(.*[_\- ])?(perplexity|ppl|loss|wer|cer|ter|mae|mse|rmse|bits_per_byte|error|brier\w*)"
)
NO_SCALE = re.compile(r"(?i)(score|rating|elo|points?|rank|average|mt[-_ ]?bench)")
_NUMBERS = ("value", "low", "high")


@dataclass(frozen=True)
class Refused:
    """An entry that can't be read or can't be true: its place in the source, and why."""

    where: str
    reason: str


@dataclass(frozen=True)
class Skipped:
    """An entry that is understood and is no score on [0, 1]."""

    where: str
    reason: str


Entry = Score | Refused | Skipped


def entry(
    where: str, given: Mapping[str, Any], *, scale: float | None = None, fractions: bool = True
) -> Score | Refused:
    """``given`` (fields of ``Score``; None or "" is unknown) as a score, numbers over ``scale``.

    ``fractions=False``: the source mixes percent and fractions, so under a ``scale`` a value of
    at most 1 is refused as likely a fraction.
    """
    try:
        fields = {name: value for name, value in given.items() if value not in (None, "")}
        _check_texts(fields)
        if not MODEL.fullmatch(str(fields.get("model", ""))):
            raise ValueError(f"{_short(fields.get('model'))} is no model id (<org>/<name>)")
        for name in _NUMBERS:
            if name in fields:
                fields[name] = _on_unit_scale(name, fields[name], scale, fractions)
        if "date" in fields:
            datetime.fromisoformat(str(fields["date"]))
        made = Score.model_validate(fields)
    except ValidationError as error:
        return Refused(where, first_complaint(error))
    except ValueError as error:
        return Refused(where, " ".join(str(error).split()))
    if not (made.low or 0.0) <= made.value <= (1.0 if made.high is None else made.high):
        return Refused(where, f"value {made.value:g} lies outside its interval")
    if made.n is not None and not 0 < made.n < 2**63:
        return Refused(where, f"n is {made.n}, no number of items")
    return made


def number(value: object) -> float:
    """A finite number, written as one or as text. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"{_short(value)} is no number")
    try:
        found = float(value)
        if isinstance(value, str) and "_" in value:  # Python's own spelling, nobody else's
            raise ValueError
    except (ValueError, OverflowError):
        raise ValueError(f"{_short(value)} is no number") from None
    if not math.isfinite(found):
        raise ValueError(f"{_short(value)} is not finite")
    return found


def word(value: object) -> str:
    """A plain value as text, "" for none. Raises ValueError for lists and tables."""
    if value is None:
        return ""
    if isinstance(value, date):  # YAML reads 2026-01-02 as one
        return value.isoformat()
    if not isinstance(value, str | int | float):
        raise ValueError(f"{_short(value)} where one word is expected")
    return str(value)


def _on_unit_scale(name: str, value: object, scale: float | None, fractions: bool) -> float:
    found = number(value)
    most = scale or 1.0
    if not 0.0 <= found <= most:
        hint = "" if scale else "; if that is percent, add --scale 100"
        raise ValueError(f"{name} {found:g} is outside [0, {most:g}]{hint}")
    if scale and scale > 1 and not fractions and 0.0 < found <= 1.0:
        raise ValueError(
            f"{name} {found:g} on a scale of {scale:g} is likely a fraction; import it without"
            " --scale"
        )
    # In decimal: 49.81 percent is 0.4981, where floats would give 0.49810000000000004.
    return float(Decimal(repr(found)) / Decimal(repr(scale))) if scale else found


def _check_texts(fields: Mapping[str, Any]) -> None:
    for name, value in fields.items():
        if not isinstance(value, str):
            continue
        if len(value) > LONGEST:
            raise ValueError(f"{name} is longer than {LONGEST:,} characters")
        if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in value):
            raise ValueError(f"{name} holds characters that are no text")
        if not value.strip():
            raise ValueError(f"{name} is blank")


def _short(value: object) -> str:
    if value is not None and not isinstance(value, str | float | bool):
        # Aliases can make a nested value endless, and Python won't spell a huge integer.
        return f"{type(value).__name__} {'value' if not isinstance(value, int) else 'too long'}"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
