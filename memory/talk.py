"""What was said in a conversation beside the state machine: questions, and their answers.

The checkpoints hold what was found out; this holds the talk about it, which must not disturb a
plan that waits for approval. Append-only, in the order of saying.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from memory.sqlite import SqliteFile

if TYPE_CHECKING:
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
        self._file = SqliteFile(path, _SCHEMA)

    def note(self, thread: str, *remarks: Remark) -> None:
        """Keep ``remarks`` of ``thread``, all or none."""
        with self._file.writing() as database:
            database.executemany(
                "INSERT INTO talk (thread, who, text, at) VALUES (?, ?, ?, ?)",
                [(thread, *remark) for remark in remarks],
            )

    def last(self, thread: str, n: int) -> list[Remark]:
        """The last ``n`` remarks of ``thread``, oldest first."""
        rows = self._file.rows(
            "SELECT who, text, at FROM talk WHERE thread = ? ORDER BY row DESC LIMIT ?", thread, n
        )
        return [Remark(*row) for row in reversed(rows)]

    def close(self) -> None:
        """Release the file."""
        self._file.close()
