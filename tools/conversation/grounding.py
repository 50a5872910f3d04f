"""Every number in an answer must come from somewhere: a tool's result, or the person's own words.

A planning model writes sentences; it must not write numbers of its own into them. A number of the
answer is accepted when a source has the same one, to the precision the answer shows it with, or
the same as a percentage, in thousands, millions or billions. Small whole numbers that only count
or enumerate ("the first two", "1. ...") are no findings and are left alone.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_NUMBER = re.compile(
    r"(?<![\w.])[-+−]?\$?(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)"
    r"(?:\s*(%|percent\b|k\b|m\b|b\b|bn\b|million\b|billion\b|thousand\b|points?\b))?",
    re.IGNORECASE,
)
_ANYWHERE = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+")
_ORDINAL = re.compile(r"(?m)^\s*(?:[-*]\s*)?(\d{1,2})[.)]\s")
_SCALES = {
    "k": 1e3, "thousand": 1e3, "m": 1e6, "million": 1e6, "b": 1e9, "bn": 1e9, "billion": 1e9,
    "%": 0.01, "percent": 0.01, "point": 0.01, "points": 0.01,
}  # fmt: skip
ROUNDED = 0.02
"""Rounding may change a number by so much of it: 0.823 becomes 0.82 or 82 %, not 0.8 or 1."""

COUNTS = 3
"""Whole numbers up to this only count ("two models", "the 3 of them")."""


def unsupported(text: str, sources: Iterable[str], names: Iterable[str] = ()) -> list[str]:
    """The numbers of ``text`` that are in none of ``sources``, as they are written.

    ``names``: texts such as model ids that may appear whole, with the digits they hold.
    """
    for name in sorted(names, key=len, reverse=True):
        text = text.replace(name, " ")
    known = {value for source in sources for value in _values(source)}
    ordinals = {match.start(1) for match in _ORDINAL.finditer(text)}
    return [
        match[0].strip()
        for match in _NUMBER.finditer(text)
        if match.start(1) not in ordinals and not _borne_out(match, known)
    ]


def _borne_out(match: re.Match[str], known: set[float]) -> bool:
    digits, unit = match[1].replace(",", ""), (match[2] or "").lower()
    value = float(digits)
    if not unit and "." not in digits and "$" not in match[0] and value <= COUNTS:
        return True
    step = 10.0 ** -len(digits.partition(".")[2])
    scale = _SCALES.get(unit, 1.0)
    readings = [(value, step), (value * scale, step * scale)]
    return any(
        abs(one - read) <= min(within / 2, ROUNDED * abs(read)) + 1e-9
        for one in known
        for read, within in readings
    )


def _values(source: str) -> Iterable[float]:
    """Every number in a text, those inside names too: "Qwen2.5-7B" holds 2.5 and 7."""
    for digits in _ANYWHERE.findall(source):
        yield float(digits.replace(",", ""))
    for match in _NUMBER.finditer(source):
        if match[2]:
            yield float(match[1].replace(",", "")) * _SCALES.get(match[2].lower(), 1.0)
