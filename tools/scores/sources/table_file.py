"""Scores as a table: CSV with a header, or JSON Lines; what ``export`` writes, ``import`` reads.

The header names fields of ``Score``: ``model``, ``benchmark``, ``protocol`` and ``value`` are
needed; ``revision``, ``precision``, ``low``, ``high`` (the 90 % interval), ``n``, ``metric``,
``origin``, ``source``, ``date``, ``cost_usd`` and ``run`` may follow. Without ``origin`` a score is
self-reported; without ``source`` it is the file. A column ``scale`` says what the row's value,
low and high are out of (100 for percent). Numbers are written so that they read back the same.
"""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from memory.errors import BadRequest
from memory.records import Origin, Score
from tools.scores.sources.bounded import lines
from tools.scores.sources.entry import Refused, entry, number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from tools.scores.sources.entry import Entry

NEEDED = ("model", "benchmark", "protocol", "value")
FIELDS = tuple(Score.model_fields)
_COUNTS = ("n",)
_AMOUNTS = ("cost_usd",)


def read_csv(path: Path, scale: float | None = None) -> Iterator[Entry]:
    """Each row as an entry, placed by its line.

    Raises:
        BadRequest: no such header, or the text can't be read as CSV; nothing can be trusted then.
    """
    reader = csv.DictReader(lines(path), strict=True, restkey="?")
    try:
        header = reader.fieldnames or ()
        _check_header(path, header)
        seen: dict[Score, str] = {}
        for row in reader:
            where = f"line {reader.line_num}"
            if "?" in row or None in row.values():
                yield Refused(where, f"it has not the {len(header)} fields of the header")
            else:
                yield _once(where, _row(path, where, row, scale), seen)
    except csv.Error as error:
        raise BadRequest(f"{path}, line {reader.reader.line_num} is no CSV ({error}).") from None


def read_jsonl(path: Path, scale: float | None = None) -> Iterator[Entry]:
    """Each line as an entry; a line that is no JSON object is refused, the others are read."""
    seen: dict[Score, str] = {}
    for place, line in enumerate(lines(path), start=1):
        if not line.strip():
            continue
        where = f"line {place}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            yield Refused(where, "it is no JSON, or cut off")
            continue
        if not isinstance(row, dict):
            yield Refused(where, "it is no JSON object")
        elif unknown := [name for name in row if name not in (*FIELDS, "scale")]:
            yield Refused(where, f"unknown field {unknown[0][:60]!r}")
        else:
            yield _once(where, _row(path, where, row, scale), seen)


def write(path: Path, scores: Iterable[Score]) -> int:
    """Write scores as ``path``'s ending says, replacing nothing; returns how many.

    Raises:
        BadRequest: another ending, the file is there already, or it can't be written.
    """
    rows = [score.model_dump(mode="json") for score in scores]
    if path.suffix == ".csv":
        text = io.StringIO()
        made = csv.DictWriter(text, FIELDS, lineterminator="\n")
        made.writeheader()
        made.writerows(rows)
        content = text.getvalue()
    elif path.suffix == ".jsonl":
        content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    else:
        raise BadRequest(f"{path.name} must end in .csv or .jsonl.")
    try:
        with path.open("x", encoding="utf-8", newline="") as file:
            file.write(content)
    except FileExistsError:
        raise BadRequest(f"{path} is there already; name another file.") from None
    except OSError as error:
        raise BadRequest(f"{path} can't be written: {error.strerror}.") from None
    return len(rows)


def _check_header(path: Path, header: Iterable[str]) -> None:
    names = list(header)
    if missing := [name for name in NEEDED if name not in names]:
        raise BadRequest(
            f"{path} has no column {', '.join(missing)}; its header must name {', '.join(NEEDED)}."
        )
    if unknown := [name for name in names if name not in (*FIELDS, "scale")]:
        raise BadRequest(
            f"{path} has an unknown column {unknown[0][:60]!r}; known are {', '.join(FIELDS)} and"
            " scale."
        )
    if len(set(names)) < len(names):
        raise BadRequest(f"{path} names a column twice.")


def _row(path: Path, where: str, row: Mapping[str, Any], scale: float | None) -> Entry:
    given = dict(row)
    own = given.pop("scale", None)
    try:
        if own not in (None, ""):
            scale = number(own)
            if scale <= 0:
                raise ValueError(f"scale {scale:g} is not above 0")
        for name in _COUNTS:
            if isinstance(given.get(name), str) and given[name]:
                given[name] = int(given[name])
        for name in _AMOUNTS:
            if given.get(name) not in (None, ""):
                given[name] = number(given[name])
    except ValueError as error:
        return Refused(where, str(error))
    stated = {name: value for name, value in given.items() if value not in (None, "")}
    return entry(where, {"origin": Origin.REPORTED, "source": path.name, **stated}, scale=scale)


def _once(where: str, found: Entry, seen: dict[Score, str]) -> Entry:
    if isinstance(found, Score):
        first = seen.setdefault(found, where)
        if first != where:
            return Refused(where, f"it repeats {first}")
    return found
