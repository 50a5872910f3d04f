"""Files of human labels, to calibrate a judge with: CSV with a header, or JSON lines.

Pairs have ``label`` (1 or 2: the answer people prefer) and, where the judge has spoken, ``verdict``
(1, 2, "tie" or empty) with answer 1 shown first and ``verdict_swapped`` with answer 2 first, both
counting the answers as ``label`` does. Ratings have ``human`` and ``verdict``, 1 to 5. ``input``
and ``answer_1``, ``answer_2`` or ``answer`` are the texts: needed to ask a judge, else for length.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from memory.errors import BadRequest

if TYPE_CHECKING:
    from pathlib import Path

MOST_BYTES = 64_000_000
MOST_ROWS = 200_000
SAID = {"1": 1.0, "2": -1.0, "tie": 0.0, "": None}

Row = dict[str, str]


@dataclass(frozen=True)
class LabelledPair:
    """People's preference, 1 (answer 1) or -1, and the judge's in each order (None: missing)."""

    label: float
    first: float | None
    second: float | None
    texts: tuple[str, str, str] | None


@dataclass(frozen=True)
class LabelledRating:
    """People's rating and the judge's (None: missing), 1 to 5."""

    human: int
    verdict: int | None
    texts: tuple[str, str] | None


@dataclass(frozen=True)
class Labelled:
    """A file's rows. ``judged``: whether it holds verdicts, and ``swapped``: in both orders.

    ``judges``: the names its ``judge`` column holds.
    """

    kind: Literal["pairs", "ratings"]
    pairs: tuple[LabelledPair, ...]
    ratings: tuple[LabelledRating, ...]
    judged: bool
    swapped: bool
    judges: tuple[str, ...]


def read(path: Path) -> Labelled:
    """The labels in ``path``, all of them or none.

    Raises:
        BadRequest: the file is absent, too large, empty, not UTF-8, lacks a column or holds a label
            that is none; the line says which line of the file, and what to write.
    """
    rows = _rows(path, _text(path))
    if not rows:
        raise BadRequest(f"{path} holds no labels; a row needs 'label' (1 or 2) or 'human' (1-5).")
    columns = set().union(*(row.keys() for _, row in rows))
    kind: Literal["pairs", "ratings"] = "pairs" if "label" in columns else "ratings"
    if kind == "ratings" and "human" not in columns:
        raise BadRequest(
            f"{path} lacks the column 'label' (1 or 2, the better answer of a pair) or 'human'"
            f" (1 to 5); it has: {', '.join(sorted(columns))[:200]}."
        )
    pairs = tuple(_pair(path, n, row) for n, row in rows) if kind == "pairs" else ()
    ratings = tuple(_rating(path, n, row) for n, row in rows) if kind == "ratings" else ()
    judges = sorted({row["judge"].strip() for _, row in rows if row.get("judge", "").strip()})
    swapped = kind == "pairs" and "verdict_swapped" in columns
    return Labelled(kind, pairs, ratings, "verdict" in columns, swapped, tuple(judges))


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise BadRequest(
                f"{path} is larger than {MOST_BYTES // 10**6} MB; give a sample of it."
            )
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise BadRequest(f"{path} can't be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise BadRequest(f"{path} is not UTF-8 (line {line}); save it as UTF-8.") from None


def _rows(path: Path, text: str) -> list[tuple[int, Row]]:
    """(line, row) with every value as text."""
    rows: list[tuple[int, Row]] = []
    if path.suffix.lower() in (".jsonl", ".json") or text.lstrip().startswith("{"):
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                rows.append((number, _object(path, number, line)))
    else:
        reader = csv.DictReader(io.StringIO(text, newline=""), restkey="", restval="")
        try:
            for found in reader:
                row = {str(k).strip(): v for k, v in found.items() if k and isinstance(v, str)}
                rows.append((reader.line_num, row))
        except csv.Error as error:
            raise BadRequest(f"{path}, line {reader.line_num}: no CSV ({error}).") from None
    if len(rows) > MOST_ROWS:
        raise BadRequest(f"{path} has more than {MOST_ROWS:,} rows; give a sample of it.")
    return rows


def _object(path: Path, number: int, line: str) -> Row:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise BadRequest(f"{path}, line {number}: no JSON object; write one a line.")
    return {key: _plain(given) for key, given in value.items()}


def _plain(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _pair(path: Path, number: int, row: Row) -> LabelledPair:
    label = row.get("label", "").strip()
    if label not in ("1", "2"):
        raise BadRequest(f"{path}, line {number}: label is {label[:40]!r}; write 1 or 2.")
    verdicts = []
    for column in ("verdict", "verdict_swapped"):
        said = row.get(column, "").strip().lower()
        if said not in SAID:
            raise BadRequest(
                f"{path}, line {number}: {column} is {said[:40]!r}; write 1, 2, tie or nothing."
            )
        verdicts.append(SAID[said])
    texts = None
    if row.get("answer_1") is not None and row.get("answer_2") is not None:
        texts = (row.get("input", ""), row["answer_1"], row["answer_2"])
    return LabelledPair(1.0 if label == "1" else -1.0, verdicts[0], verdicts[1], texts)


def _rating(path: Path, number: int, row: Row) -> LabelledRating:
    human, verdict = (row.get(column, "").strip() for column in ("human", "verdict"))
    for column, given, allowed in (("human", human, "12345"), ("verdict", verdict, "12345")):
        empty = column == "verdict" and not given
        if not empty and (len(given) != 1 or given not in allowed):
            raise BadRequest(f"{path}, line {number}: {column} is {given[:40]!r}; write 1 to 5.")
    texts = (row.get("input", ""), row["answer"]) if row.get("answer") is not None else None
    return LabelledRating(int(human), int(verdict) if verdict else None, texts)
