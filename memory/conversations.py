"""Conversations: LangGraph checkpoints in SQLite, one writer per thread.

With ``memory.checkpoints`` the only module of ``memory`` that knows LangGraph, and only inside
functions: locking a thread doesn't load it.
"""

from __future__ import annotations

import hashlib
import re
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from inspect import isclass
from typing import TYPE_CHECKING

from memory import records
from memory.errors import ThreadBusy, UnknownThread
from memory.sqlite import clear_errors, connect
from memory.talk import Talk

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path

    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
    from langgraph.checkpoint.sqlite import SqliteSaver


@dataclass(frozen=True)
class Thread:
    """A conversation and the time (ISO 8601, UTC) of its last checkpoint."""

    id: str
    last_activity: str


def serializer() -> JsonPlusSerializer:
    """Msgpack that revives our own records, LangChain's messages and nothing else."""
    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

    own = [
        kind
        for kind in vars(records).values()
        if isclass(kind)
        and issubclass(kind, (records.Record, Enum))
        and kind.__module__ == records.__name__
    ]
    return JsonPlusSerializer(allowed_msgpack_modules=own)


class Conversations:
    """The checkpoints at ``path``, opened on first use.

    Raises ``DamagedStore`` naming the path when the file can't be read, and leaves it as it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection: sqlite3.Connection | None = None
        self._saver: SqliteSaver | None = None

    def checkpointer(self) -> SqliteSaver:
        """The saver to compile the graph with; always the same object."""
        if self._saver is None:
            from memory.checkpoints import WholeSaver

            saver = WholeSaver(self._open(), serde=serializer())
            with clear_errors(self.path):
                saver.setup()
            self._saver = saver
        return self._saver

    @cached_property
    def talk(self) -> Talk:
        """What was said beside the state machine, in a file next to the checkpoints."""
        return Talk(self.path.with_name("talk.sqlite"))

    def threads(self) -> list[Thread]:
        """Every conversation, the most recently active first."""
        saver = self.checkpointer()
        with clear_errors(self.path):
            rows = self._open().execute(
                "SELECT thread_id, max(checkpoint_id) AS last FROM checkpoints"
                " WHERE checkpoint_ns = '' GROUP BY thread_id ORDER BY last DESC"
            )
            ids = [row[0] for row in rows]
            found = [saver.get_tuple({"configurable": {"thread_id": id}}) for id in ids]
        return [
            Thread(id, last.checkpoint["ts"])
            for id, last in zip(ids, found, strict=True)
            if last is not None
        ]

    def require(self, thread: str) -> None:
        """Raise ``UnknownThread`` unless ``thread`` has a checkpoint."""
        self.checkpointer()
        with clear_errors(self.path):
            row = self._open().execute(
                "SELECT 1 FROM checkpoints WHERE thread_id = ? LIMIT 1", (thread,)
            )
            if row.fetchone() is None:
                raise UnknownThread(
                    f"There is no conversation {thread!r} in {self.path};"
                    " `mirror threads` lists them."
                )

    @contextmanager
    def lock(self, thread: str) -> Iterator[None]:
        """Hold ``thread`` for this process; it is freed on exit, even by ``kill -9``.

        Raises:
            ThreadBusy: at once, when anyone else holds it.
        """
        from filelock import FileLock, Timeout

        folder = self.path.parent / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f"{_file_name(thread)}.lock", blocking=False)
        try:
            lock.acquire()
        except Timeout:
            raise ThreadBusy(
                f"Another process is working on thread {thread!r}; wait for it or stop it first."
            ) from None
        try:
            yield
        finally:
            lock.release()

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        if self._connection is not None:
            self._connection.close()
        self._connection = self._saver = None
        self.talk.close()

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = connect(self.path)
            # The saver commits for itself and expects sqlite3's implicit transactions.
            connection.isolation_level = "DEFERRED"
            self._connection = connection
        return self._connection


def _file_name(thread: str) -> str:
    """A thread's id as a file name: readable, and unlike any other thread's."""
    readable = re.sub(r"[^A-Za-z0-9-]+", "-", thread)[:40].strip("-")
    return f"{readable}-{hashlib.sha256(thread.encode()).hexdigest()[:12]}"
