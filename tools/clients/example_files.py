"""Rows of the user's own files: JSON Lines, a JSON list, CSV or TSV.

A file is refused as a whole when it can't be trusted to mean what it says: too large, not UTF-8,
a line without end, a broken header. A single row that can't be used is kept out with the reason.
Nothing is replaced, cut or guessed.
"""

from __future__ import annotations

import csv
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memory.errors import BadRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FILE_BYTES = 64_000_000
LINE_BYTES = 1_000_000
ROWS = 100_000
COLUMNS = 200
BOM = b"\xef\xbb\xbf"

Row = dict[str, object]


@dataclass(frozen=True)
class Table:
    """The rows of a file, each with its number from 1 (a header is not counted).

    ``rows`` values are as JSON has them (CSV: text). ``unusable``: row -> why it is not one.
    """

    columns: tuple[str, ...]
    rows: dict[int, Row]
    unusable: dict[int, str]
    sha256: str


def read(path: Path) -> Table:
    """Read the file, whose format is its suffix's.

    Raises:
        BadRequest: the file is missing, too large, not UTF-8 or not of its format.
    """
    try:
        parse = _FORMATS[path.suffix.lower()]
    except KeyError:
        known = ", ".join(_FORMATS)
        raise BadRequest(f"{path.name}: examples are read from {known}; convert it.") from None
    content = _bytes(path)
    rows: dict[int, Row] = {}
    unusable: dict[int, str] = {}
    columns: dict[str, None] = {}
    for number, row in enumerate(parse(path.name, content.removeprefix(BOM)), start=1):
        if number > ROWS:
            raise BadRequest(f"{path.name} has more than {ROWS:,} rows; give a random part of it.")
        if isinstance(row, str):
            unusable[number] = row
        else:
            rows[number] = row
            columns.update(dict.fromkeys(row))
    if len(columns) > COLUMNS:
        raise BadRequest(f"{path.name} has {len(columns):,} columns, more than {COLUMNS}.")
    if not rows:
        why = f": {next(iter(unusable.values()))} (row {next(iter(unusable))})" if unusable else ""
        raise BadRequest(f"{path.name} has no usable row{why}.")
    return Table(tuple(columns), rows, unusable, hashlib.sha256(content).hexdigest())


def _bytes(path: Path) -> bytes:
    """The content, never more than the limit even if the file grows while it is read."""
    try:
        if not path.is_file():
            raise BadRequest(f"{path} is not a file; name the file that holds your examples.")
        size = path.stat().st_size
        with path.open("rb") as stream:
            content = stream.read(FILE_BYTES + 1) if size <= FILE_BYTES else b""
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise BadRequest(f"{path} can't be read ({error}).") from error
    if size > FILE_BYTES or len(content) > FILE_BYTES:
        raise BadRequest(
            f"{path.name} has {max(size, len(content)) / 1e6:,.0f} MB, more than "
            f"{FILE_BYTES // 10**6}; give a random part of it."
        )
    return content


def _lines(name: str, content: bytes, longest: int = LINE_BYTES) -> Iterator[str]:
    """Decoded lines without their ends. Raises ``BadRequest`` naming the line that can't be."""
    for number, line in enumerate(content.split(b"\n"), start=1):
        if len(line) > longest:
            raise BadRequest(
                f"{name}, line {number} has {len(line):,} bytes, more than {longest:,}; "
                "shorten it or check its line ends."
            )
        try:
            yield line.decode("utf-8").removesuffix("\r")
        except UnicodeDecodeError as error:
            raise BadRequest(
                f"{name}, line {number} is not UTF-8 (byte {error.start + 1}); "
                "save the file as UTF-8."
            ) from None


def _json_lines(name: str, content: bytes) -> Iterator[Row | str]:
    for line in _lines(name, content):
        if line.strip():
            try:
                yield _object(json.loads(line))
            except (ValueError, RecursionError):
                yield "not JSON"


def _json_list(name: str, content: bytes) -> Iterator[Row | str]:
    text = "\n".join(_lines(name, content, longest=FILE_BYTES))
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError) as error:
        where = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else "its numbers"
        raise BadRequest(
            f"{name} is not JSON ({where}); with one object a line, name it .jsonl."
        ) from None
    if not isinstance(whole, list):
        raise BadRequest(f"{name} must hold a list of objects, one an example.")
    yield from map(_object, whole)


def _object(value: object) -> Row | str:
    if not isinstance(value, dict):
        return "not an object with named fields"
    whole = all(name.isprintable() for name in value)  # no control character, no lone surrogate
    return value if whole else "a field's name can't be shown"


def _delimited(delimiter: str) -> Callable[[str, bytes], Iterator[Row | str]]:
    def rows(name: str, content: bytes) -> Iterator[Row | str]:
        lines = (line + "\n" for line in _lines(name, content))
        first = content.partition(b"\n")[0]
        # A spreadsheet of a country that writes 1,5 separates by semicolon.
        semicolon = delimiter == "," and b"," not in first and b";" in first
        reader = csv.reader(lines, delimiter=";" if semicolon else delimiter, strict=True)
        try:
            header = [column.strip() for column in next(reader, [])]
            _check_header(name, header)
            for fields in reader:
                if len(fields) == len(header):
                    yield dict(zip(header, fields, strict=True))
                elif fields:  # a blank line is no row
                    yield f"not {len(header)} columns, as the header has"
        except csv.Error as error:
            raise BadRequest(
                f"{name}, line {reader.line_num}: {error}; check its quotes."
            ) from error

    return rows


def _check_header(name: str, header: list[str]) -> None:
    if not any(header):
        raise BadRequest(f"{name} is empty; its first line must name the columns.")
    if len(set(header)) < len(header) or not all(header):
        raise BadRequest(f"{name}: each column needs a name of its own, found {header[:COLUMNS]}.")


_FORMATS: dict[str, Callable[[str, bytes], Iterator[Row | str]]] = {
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".json": _json_list,
    ".csv": _delimited(","),
    ".tsv": _delimited("\t"),
}
