"""Characterizations: what the sources of models were found to say, kept by content.

The key is (model, SHA-256 of its sources, reader): a changed card or a better reader makes another
row, and the same card is never read twice by the same reader.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from memory.records import Characterization
from memory.sqlite import SqliteFile, damaged

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS characterizations (
    row INTEGER PRIMARY KEY AUTOINCREMENT,
    model TEXT NOT NULL,
    content TEXT NOT NULL,
    reader TEXT NOT NULL,
    record TEXT NOT NULL,
    UNIQUE (model, content, reader)
)
"""


class Characterizations:
    """The characterizations at ``path`` (SQLite), opened on first use; reading makes no file.

    Every method raises ``DamagedStore`` when the database can't be read and ``StoreUnavailable``
    when the disk is full or the file locked.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = SqliteFile(path, _SCHEMA)

    def keep(self, found: Characterization) -> None:
        """Keep it; one of the same key is replaced, and is the latest again."""
        key = (found.model, found.content, found.reader)
        with self._file.writing() as database:
            database.execute(
                "DELETE FROM characterizations WHERE model = ? AND content = ? AND reader = ?", key
            )
            database.execute(
                "INSERT INTO characterizations (model, content, reader, record)"
                " VALUES (?, ?, ?, ?)",
                (*key, found.model_dump_json()),
            )

    def get(self, model: str, content: str, reader: str) -> Characterization | None:
        """What ``reader`` found in exactly these sources; None when it never read them.

        It is the latest again: a card that was changed back says what it said before.
        """
        condition = "WHERE model = ? AND content = ? AND reader = ?"
        found = self._select(condition, model, content, reader)
        if found and self._select("WHERE model = ? ORDER BY row DESC LIMIT 1", model) != found:
            self.keep(found[0])
        return found[0] if found else None

    def latest(self, models: Iterable[str]) -> dict[str, list[Characterization]]:
        """Model -> what each reader found in the sources that were read last, latest first.

        Models that were never read are absent.
        """
        found: dict[str, list[Characterization]] = {}
        of_these = "WHERE model IN (SELECT value FROM json_each(?)) ORDER BY row DESC"
        for one in self._select(of_these, json.dumps(list(models))):
            readings = found.setdefault(one.model, [])
            if not readings or readings[0].content == one.content:
                readings.append(one)
        return found

    def models(self) -> list[str]:
        """The models whose sources were ever read."""
        query = "SELECT DISTINCT model FROM characterizations ORDER BY model"
        return [model for (model,) in self._rows(query)]

    def close(self) -> None:
        """Release the database file."""
        self._file.close()

    def _rows(self, query: str, *values: str) -> list[Any]:
        return self._file.rows(query, *values) if self.path.exists() else []

    def _select(self, condition: str, *values: str) -> list[Characterization]:
        rows = self._rows(f"SELECT record FROM characterizations {condition}", *values)
        try:
            return [Characterization.model_validate_json(record) for (record,) in rows]
        except ValidationError as error:
            raise damaged(self.path, f"{error.error_count()} fields of a row") from error
