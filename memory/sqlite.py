"""One way to open a SQLite file: durable, shared between processes, checked, never overwritten.

A file that can't be read is named and left alone (``DamagedStore``); a full disk, a file
that can't be opened or one that stays locked is one clear line (``StoreUnavailable``).
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from memory.errors import DamagedStore, MirrorError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

BUSY_SECONDS = 15.0
MOST_CHECKED = 100_000_000  # bytes: 0.1 s; of a larger file only what is read is checked
_PAUSE = 0.05
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_ADVICE = {
    sqlite3.SQLITE_FULL: "the disk is full; free some space and run the same command again",
    sqlite3.SQLITE_IOERR: "the disk refused the write; check its space and health, then try again",
    sqlite3.SQLITE_BUSY: "another process keeps it locked; wait for it to finish, then try again",
    sqlite3.SQLITE_LOCKED: "another process keeps it locked; wait for it to finish, then try again",
    sqlite3.SQLITE_CANTOPEN: "it can't be opened; check that its folder exists and is yours",
    sqlite3.SQLITE_READONLY: "it can't be written; check the permissions of the file and folder",
}


class StoreUnavailable(MirrorError):
    """A store is sound but can't be used now: disk full, locked, or not permitted."""


def explain(error: sqlite3.Error, path: Path) -> MirrorError | None:
    """The line a person can act on for a SQLite error; None when the error is a bug of ours."""
    # The low byte is the primary code; SQLITE_IOERR_WRITE and its like only add detail.
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    if code in _DAMAGED:
        return damaged(path, str(error))
    if code in _ADVICE:
        return StoreUnavailable(f"Can't use {path}: {_ADVICE[code]} ({error}).")
    return None


def damaged(path: Path, detail: str) -> DamagedStore:
    """The error for a file whose content can't be trusted; the file stays as it is."""
    return DamagedStore(
        f"{path} is damaged ({detail}); it was left untouched: move it away or restore a copy."
    )


@contextmanager
def clear_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite reports about ``path`` into the errors of ``memory.errors``.

    Raises:
        DamagedStore: the file is no database or is corrupt.
        StoreUnavailable: full disk, lock, permissions.
    """
    try:
        yield
    except sqlite3.Error as error:
        clear = explain(error, path)
        if clear is None:
            raise
        raise clear from error


def connect(path: Path) -> sqlite3.Connection:
    """Open or create ``path`` in WAL mode with full syncs, after a quick check unless it is large.

    The connection may be used from several threads, one at a time, and is in autocommit
    mode: open a transaction with ``writing``. Raises as ``clear_errors`` does.
    """
    with clear_errors(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnavailable(f"Can't make the folder {path.parent}: {error}.") from error
        connection = sqlite3.connect(
            path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            _prepare(connection, path)
        except BaseException:
            connection.close()
            raise
        return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    if path.stat().st_size <= MOST_CHECKED:
        verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise damaged(path, verdict)
    _to_wal(connection)
    # FULL: an approval or a paid result must survive a power cut, not only a crash.
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")


def _to_wal(connection: sqlite3.Connection) -> None:
    """Switch to WAL, waiting for another process that does so: SQLite itself doesn't, for this."""
    for _ in range(int(BUSY_SECONDS / _PAUSE)):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if (error.sqlite_errorcode & 0xFF) != sqlite3.SQLITE_BUSY:
                raise
            time.sleep(_PAUSE)
    connection.execute("PRAGMA journal_mode=WAL")


@contextmanager
def writing(connection: sqlite3.Connection, path: Path) -> Iterator[sqlite3.Connection]:
    """One write transaction: whole or not at all, never interleaved with another process.

    Raises as ``clear_errors`` does; any error inside rolls everything back.
    """
    with clear_errors(path):
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


class SqliteFile:
    """The file at ``path``, opened on first use; ``schema`` is run then.

    Every method raises as ``clear_errors`` does.
    """

    def __init__(self, path: Path, schema: str) -> None:
        self.path = path
        self._schema = schema
        self._connection: sqlite3.Connection | None = None

    @property
    def connection(self) -> sqlite3.Connection:
        """The open file, in autocommit mode."""
        if self._connection is None:
            connection = connect(self.path)
            with clear_errors(self.path):
                connection.executescript(self._schema)
            self._connection = connection
        return self._connection

    def writing(self) -> AbstractContextManager[sqlite3.Connection]:
        """One write transaction, as ``writing`` makes it."""
        return writing(self.connection, self.path)

    def rows(self, query: str, *values: object) -> list[Any]:
        """What ``query`` selects."""
        with clear_errors(self.path):
            return self.connection.execute(query, values).fetchall()

    def close(self) -> None:
        """Release the file; the next use opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
