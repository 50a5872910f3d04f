"""Which licences, and which uses of them, a request asks for.

A licence name is believed where it can't be another word: with its version (apache-2.0), or
beside "licence" or "only". A name whose terms are not known is refused, with similar ones.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from memory.errors import BadRequest
from tools.choosing.constraints import scancode_categories
from tools.methods import licences
from tools.request import vocabulary as say

if TYPE_CHECKING:
    from memory.records import LicenceUse

PERMISSIVE = ("apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "cc-by-4.0")

NAME = r"(\w[\w.+-]*\w)"
APACHE = re.compile(
    r"\bapache[ -]?(?:licen[cs]e[ ,-]*)?(?:v(?:ersion )?)?2(?:\.0)?\b", re.IGNORECASE
)
VERSIONED = re.compile(
    r"(?<![\w/-])((?:apache|[al]?gpl|mpl|bsd|cc|epl|osl|afl|mit)-[\w.+-]*\w)", re.IGNORECASE
)
STATED = re.compile(
    rf"licen[cs]e\s*(?:must be|should be|:|=|named|called)\s*(?:the )?{NAME}"
    rf"|licen[cs]ed\s+under\s+(?:the )?{NAME}"
    r"|licen[cs]e\s+(\w[\w.+]*-v?\d[\w.+-]*\w|\w+-\d)",
    re.IGNORECASE,
)
BESIDE = re.compile(rf"(?<![\w/-]){NAME}(?:[- ]licen[cs]ed?\b|\s+only\b)", re.IGNORECASE)
ALTERNATIVE = re.compile(r"\b(MIT)\b(?= or\b)|(?<=\bor )\b(MIT)\b")
NOT_A_NAME = frozenset(
    ("a", "an", "the", "any", "commercial", "permissive", "open", "free", "suitable", "clear")
)
DESCRIPTIONS = frozenset(("research", "research-only", "non-commercial", "noncommercial", "fair"))
VERSIONED_NAME = re.compile(r"\w[\w.+]*-v?\d+\.\d+")
NEGATED = re.compile(r"\b(?:not|no|non|except|without|never)[ -]$", re.IGNORECASE)


def uses(text: str) -> tuple[LicenceUse, ...] | None:
    """Uses the licence must allow; () when the text says that none is needed, None: not said."""
    found: list[LicenceUse] = []
    if re.search(say.COMMERCIAL, text, re.IGNORECASE):
        found.append("commercial")
    if say.found(say.DERIVATIVE, text):
        found.append("derivative")
    if say.found(say.NETWORK, text):
        found.append("network")
    if found:
        return tuple(found)
    return () if say.found(f"{say.NOT_COMMERCIAL}|{say.ANY_LICENCE}", text) else None


def named(text: str) -> tuple[str, ...]:
    """The only licences wanted, normalized; empty when none is named.

    Raises ``BadRequest`` for a name whose terms are not known.
    """
    text = APACHE.sub("apache-2.0", text)
    if say.found(r"permissive(?:ly)?(?: open[- ]source)? licen[cs](?:ed?|es)", text):
        return PERMISSIVE
    names = [*_names(VERSIONED, text), *_names(STATED, text), *_names(ALTERNATIVE, text)]
    names += [name for name in _names(BESIDE, text) if _looks_like_one(name)]
    for name in names:
        _require_known(name)
    return tuple(dict.fromkeys(licences.normalize(name) for name in names))


def _names(pattern: re.Pattern[str], text: str) -> list[str]:
    names = [
        next(group for group in match.groups() if group).lower()
        for match in pattern.finditer(text)
        if not NEGATED.search(text[: match.start()])
    ]
    return [name for name in names if name not in NOT_A_NAME]


def _looks_like_one(name: str) -> bool:
    """Whether a word beside "licence" or "only" is a licence name, perhaps misspelt.

    "medical licence exam" and "research only" are neither known nor close to a name.
    """
    exact = licences.known(name) and name not in DESCRIPTIONS
    return (
        exact
        or VERSIONED_NAME.fullmatch(name) is not None
        or (re.search(r"\d", name) is not None and bool(licences.suggestions(name)))
    )


def _require_known(name: str) -> None:
    if not licences.known(name, scancode_categories()):
        near = licences.suggestions(name)
        hint = f"did you mean {' or '.join(near)}?" if near else "name one like apache-2.0 or mit"
        raise BadRequest(f"unknown licence {name!r}; {hint}")
