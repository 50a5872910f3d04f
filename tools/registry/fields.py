"""Values from outside, one at a time: what can be true is kept, what can't is left out and told.

A record with one absurd number is still a record, so nothing here raises; ``dropped`` says which
fields were left out and why, in words that can be counted.
"""

from __future__ import annotations

import math
import re
import unicodedata
from datetime import UTC, datetime

MOST_WEIGHTS = 10**15
MOST = 2**63 - 1  # what a column of whole numbers holds
LONGEST_TEXT = 200  # characters
MOST_TEXTS = 200
ID = re.compile(r"\w[\w.-]{0,95}(?:/[\w.-]{1,96})?", re.ASCII)
LONGEST_ID = 193


def trouble_with_id(id: object) -> str | None:
    """Why this can't be a model's id on the Hub; None if it can.

    The Hub's ids are ASCII. ``validate_repo_id`` of huggingface_hub lets letters of every
    alphabet pass, and with them one model under the name of another.
    """
    if not isinstance(id, str) or not id:
        return "it has no id"
    if len(id) > LONGEST_ID:
        return "its id is longer than any on the Hub"
    if not (id.isascii() and id.isprintable()):
        return "its id holds characters that no id on the Hub has"
    if not ID.fullmatch(id) or ".." in id or "--" in id or id.endswith((".git", ".", "-")):
        return "its id is not written <org>/<name>"
    return None


def readable(text: str) -> bool:
    """Whether a text shows as what it is: no control, direction or unpaired characters."""
    return (
        text.isascii()
        and text.isprintable()
        or not any(unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Co") for letter in text)
    )


class Fields:
    """Reads values and remembers in ``dropped`` which could not be true."""

    def __init__(self) -> None:
        self.dropped: list[str] = []

    def count(self, name: str, value: object, most: int = MOST) -> int | None:
        """A whole number from 0 to ``most``."""
        if value is None:
            return None
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
            self.dropped.append(f"{name}: no number there can be of it")
            return None
        return value

    def number(self, name: str, value: object) -> float | None:
        """A finite number."""
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.dropped.append(f"{name}: no number")
            return None
        if not math.isfinite(value) or abs(value) > MOST:
            self.dropped.append(f"{name}: no number there can be of it")
            return None
        return float(value)

    def text(self, name: str, value: object, longest: int = LONGEST_TEXT) -> str | None:
        """One short text; blank is none."""
        if value is None or value == "":
            return None
        if not isinstance(value, str) or len(value) > longest or not readable(value):
            self.dropped.append(f"{name}: no short plain text")
            return None
        return value.strip() or None

    def texts(self, name: str, value: object) -> tuple[str, ...]:
        """Short texts, each once; one alone counts as a list of one."""
        if value is None or value == "":
            return ()
        if not isinstance(value, list | tuple):
            value = [value]
        if len(value) > MOST_TEXTS:
            self.dropped.append(f"{name}: more than {MOST_TEXTS} of them")
        if all(type(one) is str and len(one) <= LONGEST_TEXT and readable(one) for one in value):
            return tuple(dict.fromkeys(filter(None, map(str.strip, value[:MOST_TEXTS]))))
        found = (self.text(name, one) for one in value[:MOST_TEXTS])
        return tuple(dict.fromkeys(one for one in found if one))

    def instant(self, name: str, value: object) -> str | None:
        """An ISO 8601 instant in UTC to the second; one without a zone is taken as UTC."""
        if value is None or value == "":
            return None
        try:
            found = datetime.fromisoformat(value if isinstance(value, str) else str(value))
            found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
        except (ValueError, OverflowError):
            self.dropped.append(f"{name}: no date and time")
            return None
        if not 2000 <= found.year < 2100:
            self.dropped.append(f"{name}: no date there can be of it")
            return None
        return found.isoformat(timespec="seconds")

    def table(self, name: str, value: object) -> dict[str, object]:
        """A table of named values; anything else is an empty one."""
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.dropped.append(f"{name}: no table")
            return {}
        return value
