"""Findings: what Mirror learned in any conversation, recalled by meaning.

SQLite is the truth. Beside it lies a FAISS index that is only a copy: its ids are SQLite's row
numbers, never reused, so comparing the two sets of numbers shows exactly what another process
added or forgot. A missing, damaged or foreign index is made anew; a damaged database is named
and left alone.

The index is flat (exact, 27 ms a query at 200,000 findings of 384 dimensions, measured). Above
some 50,000 findings an IVF index would answer faster; nobody has that many conversations yet.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from memory.records import Finding
from memory.sqlite import clear_errors, connect, writing
from memory.vectors import write_atomically

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_SCHEMA = """
CREATE TABLE IF NOT EXISTS findings (
    row INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    record TEXT NOT NULL
)
"""
_DIGEST = hashlib.sha256().digest_size


class Findings:
    """The findings at ``path`` (SQLite), opened on first use.

    ``embed``: (n texts) -> (n, d) float32 unit rows. ``space`` names that embedding, so that
    vectors of another one are never searched. Every method raises ``DamagedStore`` when the
    database can't be read and ``StoreUnavailable`` when the disk is full or the file locked.
    """

    def __init__(
        self,
        path: Path,
        embed: Callable[[Sequence[str]], NDArray[np.float32]],
        space: str = "default",
    ) -> None:
        self.path = path
        label = hashlib.sha256(space.encode()).hexdigest()[:8]
        self.index_path = path.with_name(f"{path.stem}.{label}.faiss")
        self._embed = embed
        self._connection: sqlite3.Connection | None = None
        self._index: Any = None

    def remember(self, finding: Finding) -> None:
        """Keep a finding; one of the same id is replaced. Durable when this returns."""
        record = (finding.id, finding.kind, finding.model_dump_json())
        with writing(self._database(), self.path) as database:
            # Delete and insert, never update: a new text must get a new row number.
            database.execute("DELETE FROM findings WHERE id = ?", (finding.id,))
            database.execute("INSERT INTO findings (id, kind, record) VALUES (?, ?, ?)", record)

    def forget(self, id: str) -> bool:
        """Drop a finding; False when there was none of that id."""
        with writing(self._database(), self.path) as database:
            return database.execute("DELETE FROM findings WHERE id = ?", (id,)).rowcount > 0

    def all(self) -> list[Finding]:
        """Every finding, oldest first."""
        return list(self._rows().values())

    def recall(self, query: str, k: int, kind: str | None = None) -> list[tuple[Finding, float]]:
        """The ``k`` findings nearest in meaning with their cosine, best first.

        Includes what other processes remembered before this call. ``kind`` restricts the search.
        """
        import faiss

        rows = self._rows()
        wanted = [row for row, finding in rows.items() if kind in (None, finding.kind)]
        if not wanted or k < 1:
            return []
        index = self._synchronized(rows)
        only = faiss.SearchParameters()
        only.sel = selector = faiss.IDSelectorBatch(np.array(wanted, dtype=np.int64))
        cosines, found = index.search(self._embed([query]), min(k, len(wanted)), params=only)
        del selector  # faiss doesn't keep it alive, so this name did
        return [
            (rows[int(row)], float(cosine))
            for row, cosine in zip(found[0], cosines[0], strict=True)
            if int(row) in rows
        ]

    def close(self) -> None:
        """Release the database file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _database(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = connect(self.path)
            with clear_errors(self.path):
                connection.execute(_SCHEMA)
            self._connection = connection
        return self._connection

    def _rows(self) -> dict[int, Finding]:
        database = self._database()
        with clear_errors(self.path):
            rows = database.execute("SELECT row, record FROM findings ORDER BY row").fetchall()
        return {row: Finding.model_validate_json(record) for row, record in rows}

    def _synchronized(self, rows: dict[int, Finding]) -> Any:
        """The index holding exactly ``rows``; only what changed is embedded, then written."""
        import faiss

        index = self._index or self._read_index()
        held = set(faiss.vector_to_array(index.id_map).tolist()) if index is not None else set()
        gone, new = held - rows.keys(), sorted(rows.keys() - held)
        if gone:
            index.remove_ids(np.array(sorted(gone), dtype=np.int64))
        if new:
            vectors = self._embed([rows[row].text for row in new])
            if index is None:
                index = faiss.IndexIDMap2(faiss.IndexFlatIP(vectors.shape[1]))
            index.add_with_ids(vectors, np.array(new, dtype=np.int64))
        if gone or new:
            self._write_index(index)
        self._index = index
        return index

    def _read_index(self) -> Any:
        """The index on disk, None when it is missing or not what was written."""
        import faiss

        try:
            content = self.index_path.read_bytes()
        except OSError:
            return None
        digest, body = content[:_DIGEST], content[_DIGEST:]
        if hashlib.sha256(body).digest() != digest:
            return None
        return faiss.deserialize_index(np.frombuffer(body, dtype=np.uint8))

    def _write_index(self, index: Any) -> None:
        import faiss

        body = faiss.serialize_index(index).tobytes()
        try:
            write_atomically(self.index_path, hashlib.sha256(body).digest() + body)
        except OSError:
            return  # only a copy: SQLite has everything, the next recall makes it again
