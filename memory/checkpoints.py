"""A LangGraph saver in SQLite whose writes are whole or not at all.

``SqliteSaver`` commits on its way out, also after an error: when the disk filled up between two
results of a node, the first stayed and the node passed for done. Resuming then did nothing.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from langgraph.checkpoint.sqlite import SqliteSaver

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator


class WholeSaver(SqliteSaver):
    """As ``SqliteSaver``, but what fails leaves nothing behind."""

    @contextmanager
    def cursor(self, transaction: bool = True) -> Iterator[sqlite3.Cursor]:
        """A cursor whose statements are committed together at the end, if ``transaction``."""
        with self.lock:
            self.setup()
            cursor = self.conn.cursor()
            try:
                yield cursor
            except BaseException:
                self.conn.rollback()
                raise
            else:
                if transaction:
                    self.conn.commit()
            finally:
                cursor.close()
