"""What can be counted in a text without understanding it: terms, variety, numbers.

Terms are the longer words that not every document holds. Variety is the moving-average
type-token ratio (Covington & McFall 2010), since the plain ratio falls with length. Numbers
compare by value: 1,000 is 1000, 05 is 5 and "two" is 2.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

WINDOW = 50
TERM_LETTERS = 5
_NUMBER = re.compile(r"(?<![\w.])\d+(?:[.,]\d+)*(?![\d])")
_LISTED = re.compile(r"^\s*(?:\(?\d{1,2}[.)]|#+\s*\d{1,2}\b)\s", re.MULTILINE)
_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
    " fifteen sixteen seventeen eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_WORDS = {word: float(i) for i, word in enumerate(_UNITS.split(" "))} | {
    word: 10.0 * i for i, word in enumerate(_TENS.split(" "), start=2)
}
_SPELLED = re.compile(
    rf"\b(?:({_TENS.replace(' ', '|')})(?:[- ]({_UNITS.replace(' ', '|')}))?"
    rf"|({_UNITS.replace(' ', '|')}))\b",
    re.IGNORECASE,
)


def words(text: str) -> list[str]:
    """Runs of letters, digits and inner hyphens or apostrophes, in lower case."""
    return re.findall(r"\w+(?:[-'’]\w+)*", text.casefold())


def terms(documents: Sequence[str]) -> list[frozenset[str]]:
    """Each document's terms: words of five letters or more that at most half of them hold.

    Of fewer than three documents every such word is a term. Words in every document are the
    form, not the matter.
    """
    held = [frozenset(w for w in words(d) if len(w) >= TERM_LETTERS) for d in documents]
    spread = Counter(word for one in held for word in one)
    if len(documents) < 3:
        return held
    return [frozenset(w for w in one if 2 * spread[w] <= len(documents)) for one in held]


def covered(answer: str, wanted: frozenset[str]) -> float | None:
    """The share of ``wanted`` terms that the answer uses; None when there are none."""
    return len(wanted & set(words(answer))) / len(wanted) if wanted else None


def variety(text: str, window: int = WINDOW) -> float | None:
    """Mean share of different words over all windows; None for a text without words."""
    found = words(text)
    if not found:
        return None
    window = min(window, len(found))
    seen = Counter(found[:window])
    total, windows = len(seen), len(found) - window + 1
    for i in range(window, len(found)):
        seen[found[i]] += 1
        seen[found[i - window]] -= 1
        if not seen[found[i - window]]:
            del seen[found[i - window]]
        total += len(seen)
    return total / windows / window


def numbers(text: str) -> frozenset[float]:
    """The values of the numbers in a text, spelled ones up to ninety-nine too.

    The numerals of a numbered list or heading are not among them.
    """
    plain = _LISTED.sub("\n", text)
    found = {value for match in _NUMBER.findall(plain) for value in _values(match)}
    for ten, unit, alone in _SPELLED.findall(plain):
        found.add(_WORDS[(ten or alone).lower()] + (_WORDS[unit.lower()] if unit else 0.0))
    return frozenset(found)


def invented(answer: str, *sources: str) -> frozenset[float]:
    """The numbers of the answer that no source has."""
    known = frozenset[float]().union(*map(numbers, sources))
    return numbers(answer) - known


def _values(numeral: str) -> list[float]:
    """1,000.5 -> 1000.5; 3,5 -> 3.5; what is no single number (1.2.3) its parts."""
    if re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", numeral):
        return [float(numeral.replace(",", ""))]
    if re.fullmatch(r"\d+(?:[.,]\d+)?", numeral):
        return [float(numeral.replace(",", "."))]
    return [float(part) for part in re.split("[.,]", numeral)]
