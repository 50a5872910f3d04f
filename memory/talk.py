"""What was said in a conversation beside the state machine: questions, and their answers.

The checkpoints hold what was found out; this holds the talk about it, which must not disturb a
plan that waits for approval. Append-only, in the order of saying.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from memory.sqlite import clear_errors, connect, writing

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

Who = Literal["person", "mirror"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS talk (
    row INTEGER PRIMARY KEY,
    thread TEXT NOT NULL,
    who TEXT NOT NULL,
    text TEXT NOT NULL,
    at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS talk_of_thread ON talk (thread, row);
"""


class Remark(NamedTuple):
    """One thing said; ``at`` is ISO 8601."""

    who: Who
    text: str
    at: str


class Talk:
    """The talk at ``path`` (SQLite), opened on first use.

    Every method raises ``DamagedStore`` or ``StoreUnavailable`` as ``memory.sqlite`` does.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection: sqlite3.Connection | None = None

    def note(self, thread: str, *remarks: Remark) -> None:
        """Keep ``remarks`` of ``thread``, all or none."""
        with writing(self._database(), self.path) as database:
            database.executemany(
                "INSERT INTO talk (thread, who, text, at) VALUES (?, ?, ?, ?)",
                [(thread, *remark) for remark in remarks],
            )

    def last(self, thread: str, n: int) -> list[Remark]:
        """The last ``n`` remarks of ``thread``, oldest first."""
        database = self._database()
        with clear_errors(self.path):
            rows = database.execute(
                "SELECT who, text, at FROM talk WHERE thread = ? ORDER BY row DESC LIMIT ?",
                (thread, n),
            ).fetchall()
        return [Remark(*row) for row in reversed(rows)]

    def close(self) -> None:
        """Release the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _database(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = connect(self.path)
            with clear_errors(self.path):
                connection.executescript(_SCHEMA)
            self._connection = connection
        return self._connection
