"""Findings: what Mirror learned in any conversation, recalled by meaning.

A database (SQLite, or PostgreSQL for a team) is the truth. The index of vectors is only a copy:
it knows the last row and the last forgetting it has seen, so each recall asks for what is new
since, never for everything. A missing, damaged, foreign or outrun index is made anew; the vectors
are kept in the database too, so that no text is embedded twice. A damaged database is named and
left alone.
"""

from __future__ import annotations

import hashlib
from contextlib import closing, contextmanager
from functools import partial
from threading import RLock
from typing import TYPE_CHECKING

import numpy as np

from memory import finding_rows, finding_table
from memory.database import Database
from memory.errors import BadRequest
from memory.finding_index import FindingIndex, erase
from memory.finding_table import to_finding
from memory.sqlite import clear_errors, connect
from memory.vector_shard import WIDER, merged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from sqlalchemy import Connection

    from memory.records import Finding

EMBEDDED = 256  # texts embedded before their vectors are kept
READ = 20_000  # rows read at a time, where all are
MOST_LETTERS = 8_000  # of a query: no embedding reads further


class Findings:
    """The findings in ``place``: a path or a database URL, opened on first use.

    ``embed``: (n texts) -> (n, d) float32 unit rows. ``space`` names that embedding, so that
    vectors of another one are never searched. ``folder`` is where the index of a server's findings
    is kept; for a file it is the file's own. Any method raises what ``memory.database.Database``
    raises, and ``DamagedStore`` for a row that is no finding.
    """

    def __init__(
        self,
        place: Path | str,
        embed: Callable[[Sequence[str]], NDArray[np.float32]],
        space: str = "default",
        folder: Path | None = None,
    ) -> None:
        self.database = Database(place, finding_table.ready, finding_table.prepare)
        self._embed = embed
        self._space = hashlib.sha256(space.encode()).hexdigest()[:8]
        self._folder = folder
        self._index: FindingIndex | None = None
        self._turn = RLock()

    # --- writing --------------------------------------------------------------------------

    def remember(self, *findings: Finding) -> None:
        """Keep findings, all or none; one of an id that is here replaces it. Durable on return.

        One that says again what the latest on its subject says is left as it was, date and all:
        nothing new was learned.
        """
        given = {one.id: one.model_copy(update={"note": ""}) for one in findings}
        if not given:
            return
        with self._writing() as connection:
            known = finding_rows.by_id(connection, list(given))
            new = [
                one
                for id, one in given.items()
                if id not in known or finding_rows.learned(connection, one, known[id])
            ]
            # Delete and insert, never update: a new text must get a new row number.
            finding_rows.delete(connection, [known[one.id].row for one in new if one.id in known])
            finding_rows.insert(connection, new)

    def forget(self, *ids: str) -> list[str]:
        """Drop findings, and their vectors from the database and every index; returns which.

        Durable on return: no later recall, rebuild or export knows them.
        """
        if self.database.missing or not ids:
            return []
        with self._writing() as connection:
            known = finding_rows.by_id(connection, list(dict.fromkeys(ids)))
            finding_rows.delete(connection, [one.row for one in known.values()])
        if known:
            self._forget_vectors()
        return [id for id in dict.fromkeys(ids) if id in known]

    # --- reading --------------------------------------------------------------------------

    def all(self) -> Iterator[Finding]:
        """Every finding, oldest first, some thousands in memory at a time."""
        last, some = 0, self._page(0)
        while some:
            yield from (one for _, one in some)
            last = some[-1][0]
            some = self._page(last)

    def latest(self, k: int, kind: str | None = None) -> list[Finding]:
        """The ``k`` findings remembered last, the newest first."""
        with self._reading() as connection:
            found = finding_rows.newest(connection, k, kind) if connection is not None else []
            return [to_finding(one) for one in found]

    def get(self, ids: Sequence[str]) -> list[Finding]:
        """Those of these ids that are here, in the order asked for."""
        with self._reading() as connection:
            found = finding_rows.by_id(connection, ids) if connection is not None else {}
            return [to_finding(found[id].record) for id in ids if id in found]

    def last_words(self, subjects: Iterable[str]) -> dict[str, Finding]:
        """subject -> the latest finding on it, where there is any."""
        wanted = list(dict.fromkeys(subjects))
        with self._reading() as connection:
            found = finding_rows.last_words(connection, wanted) if connection is not None else []
            return {one.subject: one for one in found if one.subject is not None}

    def count(self) -> dict[str, int]:
        """kind -> how many findings."""
        with self._reading() as connection:
            return finding_rows.count(connection) if connection is not None else {}

    def recall(
        self, query: str, k: int, kind: str | Sequence[str] | None = None
    ) -> list[tuple[Finding, float]]:
        """The ``k`` findings nearest in meaning with their cosine, best first.

        Includes what other processes remembered before this call. ``kind`` (one, or several)
        restricts the search; None is all kinds. Of a very long query the beginning counts.
        """
        if k < 1 or self.database.missing:
            return []
        with self._turn:
            index = self._synchronized()
            kinds = index.shards if kind is None else [kind] if isinstance(kind, str) else kind
            shards = [index.shards[one] for one in kinds if one in index.shards]
            if not any(len(shard) for shard in shards):
                return []
            vector = np.ascontiguousarray(self._embed([query[:MOST_LETTERS]]), dtype=np.float32)
            exact = all(shard.exact for shard in shards)
            wanted = k if exact else k * WIDER
            hits = merged([shard.search(vector, wanted) for shard in shards], wanted)
        with self._reading() as connection:
            assert connection is not None, "it was there a moment ago"
            if not exact:
                hits = self._compared(connection, hits, vector)[:k]
            records = finding_rows.by_row(connection, [row for row, _ in hits])
            return [
                (to_finding(records[row]), cosine)
                for row, cosine in hits
                if row in records  # else someone forgot it a moment ago
            ]

    def close(self) -> None:
        """Close the database; the next use opens it again."""
        self.database.close()

    # --- keeping the index in step --------------------------------------------------------

    def _synchronized(self, *, write: bool = False) -> FindingIndex:
        """The index of what is in the database now; written when much has changed, or on demand."""
        if self._index is None:
            self._index = self._opened()
        index = self._index
        with self.database.reading() as connection:
            news = finding_rows.news(connection, index.row, index.change)
        if news.counts:
            self._embed_new(index.row, news.last)
            write |= self._take(index, news.counts, news.last)
        for kind, rows in news.gone.items():
            index.shard(kind).remove(np.array(rows, dtype=np.int64))
        index.row, index.change = news.last, news.change
        index.anchor = news.anchor or index.anchor
        if write:
            index.write(self._manifest)
        return index

    def _opened(self) -> FindingIndex:
        """The index on disk, or an empty one where it is not of this database."""
        index = FindingIndex.read(self._manifest)
        if index.row == 0:
            return index
        with self.database.reading() as connection:
            same = finding_rows.anchored(connection, index.row, index.anchor)
        return index if same else FindingIndex()

    def _take(self, index: FindingIndex, counts: dict[str, int], last: int) -> bool:
        """Bring new rows into the shards, from all vectors where that is less work; True: save."""
        with self.database.reading() as connection:
            totals = finding_rows.count(connection, last)
        overdue = False
        for kind, count in counts.items():
            shard, total = index.shard(kind), totals.get(kind, 0)
            if shard.outgrown(count) or (count > shard.room() and 2 * count > total):
                shard.build(partial(self._vectors, kind, 0, last), total)
                overdue = True
                continue
            for rows, vectors in self._vectors(kind, index.row, last):
                shard.add(rows, vectors)
            overdue |= shard.room() < 0
        return overdue

    def _embed_new(self, after: int, last: int) -> None:
        """Give every finding after a row up to another its vector, kept in the database at once."""
        while True:
            with self.database.reading() as connection:
                bare = finding_rows.without_vector(connection, self._space, after, last, EMBEDDED)
            if not bare:
                return
            with self._readable():
                vectors = self._embed([to_finding(one.record).text for one in bare])
            rows = [one.row for one in bare]
            with self._writing() as connection:
                finding_rows.keep_vectors(connection, self._space, rows, vectors)
            after = rows[-1]

    def _vectors(
        self, kind: str, after: int, last: int
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        while True:
            with self.database.reading() as connection:
                found = finding_rows.vectors(connection, self._space, kind, after, last, READ)
            if found is None:
                return
            yield np.array(found[0], dtype=np.int64), found[1]
            after = found[0][-1]

    def _compared(
        self, connection: Connection, hits: list[tuple[int, float]], query: NDArray[np.float32]
    ) -> list[tuple[int, float]]:
        """The hits by the cosine of their vectors as the database has them, best first."""
        held = finding_rows.vectors_at(connection, self._space, [row for row, _ in hits])
        if held is None:
            return []
        cosines = held[1] @ query[0]
        return merged([list(zip(held[0], cosines.tolist(), strict=True))], len(hits))

    def _forget_vectors(self) -> None:
        """Take what was just forgotten out of every file: the index, other indexes, the log."""
        manifest = self._manifest
        alike = f"{manifest.name.removesuffix(f'.{self._space}.json')}.*.json"
        erase([one for one in manifest.parent.glob(alike) if one != manifest])
        with self._turn:
            if manifest.exists():
                self._synchronized(write=True)
            else:
                erase([manifest])
        path = self.database.path
        if path is not None:  # what was deleted is zeros in the log; bring them into the file
            with closing(connect(path)) as connection, clear_errors(path):
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    @property
    def _manifest(self) -> Path:
        """Where the index's manifest is; a server's carries the server's name, hashed."""
        path = self.database.path
        if path is not None:
            return path.with_name(f"{path.stem}.{self._space}.json")
        if self._folder is None:
            raise BadRequest("Findings on a server need a folder here for their index.")
        server = hashlib.sha256(self.database.name.encode()).hexdigest()[:8]
        return self._folder / f"findings-{server}.{self._space}.json"

    def _page(self, after: int) -> list[tuple[int, Finding]]:
        with self._reading() as connection:
            found = finding_rows.page(connection, after, READ) if connection is not None else []
            return [(one.row, to_finding(one.record)) for one in found]

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._readable(), self.database.writing() as connection:
            finding_table.take_turns(connection)
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[Connection | None]:
        """A look at the tables; None where there is no file yet, which reading must not make."""
        if self.database.missing:
            yield None
            return
        with self._readable(), self.database.reading() as connection:
            yield connection

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except finding_table.Unreadable as error:
            raise self.database.damaged(str(error)) from error
