"""Whether a quote is in its source: compared without regard to spacing and forms of letters.

Typographic quotes and dashes count as their plain ones, as do composed and compatibility forms
(NFKD), and white space not at all: a table's columns and a line's end are no words. Case counts.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cached_property

SHORTEST, LONGEST = 3, 400
"""Letters of a quote that are not white space; a longer one is a copy of the text, not a quote."""

_PLAIN = str.maketrans(
    {
        "\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u00ab": '"', "\u00bb": '"',
        "\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2013": "-", "\u2014": "-", "\u2212": "-",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Quotable:
    """A source that quotes can be looked up in."""

    text: str

    @cached_property
    def _folded(self) -> tuple[str, list[int]]:
        """The letters that count, and where in ``text`` each comes from."""
        letters: list[str] = []
        places: list[int] = []
        for place, letter in enumerate(self.text):
            for plain in _fold(letter):
                letters.append(plain)
                places.append(place)
        return "".join(letters), places

    def find(self, quote: str) -> tuple[int, int] | None:
        """The span of ``text`` that ``quote`` repeats, the first of several; None: it does not."""
        wanted = "".join(_fold(letter) for letter in quote)
        if not SHORTEST <= len(wanted) <= LONGEST:
            return None
        folded, places = self._folded
        start = folded.find(wanted)
        return None if start < 0 else (places[start], places[start + len(wanted) - 1] + 1)

    def says(self, quote: str) -> str | None:
        """The source's own words for ``quote``, on one line; None where it does not have them."""
        span = self.find(quote)
        return None if span is None else " ".join(self.text[slice(*span)].split())


def _fold(letter: str) -> str:
    plain = unicodedata.normalize("NFKD", letter).translate(_PLAIN)
    return "".join(one for one in plain if not one.isspace())
