"""One database for a path or a URL: SQLite as ``memory.sqlite`` opens it, or PostgreSQL.

Every write is one transaction, whole or not at all. A URL may hold a password, so errors name
the server and the database and never the URL; what the driver says is shown with every secret
of the URL blotted out.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memory.errors import BadRequest, DamagedStore, MirrorError
from memory.sqlite import StoreUnavailable, connect, damaged, explain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import URL, Connection, Engine

CONNECT_SECONDS = 10
# insufficient_privilege, read_only_sql_transaction, disk_full, lock_not_available
_REFUSALS = {"42501", "25006", "53100", "55P03"}


class Database:
    """``place``: a path, or a URL that begins with ``sqlite:///`` or ``postgresql://``.

    ``prepare`` makes the tables in a write transaction; it runs once, before the first use, and
    only where ``ready`` says that they are not there yet. Nothing is opened before it is needed.

    Raises, from any method:
        BadRequest: the URL can't be one, or its driver is not installed.
        DamagedStore: an SQLite file can't be read; it stays as it is.
        StoreUnavailable: the server can't be reached or refuses; the disk is full or locked.
    """

    def __init__(
        self,
        place: Path | str,
        ready: Callable[[Connection], bool],
        prepare: Callable[[Connection], None],
    ) -> None:
        self._place = place
        self._ready = ready
        self._prepare = prepare

    @cached_property
    def path(self) -> Path | None:
        """The SQLite file; None on a server."""
        if isinstance(self._place, Path) or "://" not in self._place:
            return Path(self._place)
        if self._url.get_backend_name() != "sqlite":
            return None
        if not self._url.database or self._url.database == ":memory:":
            raise BadRequest("An SQLite database URL must name a file: sqlite:////path/to/file.")
        return Path(self._url.database)

    @property
    def name(self) -> str:
        """The file, or server and database: safe to show."""
        if self.path is not None:
            return str(self.path)
        port = f":{self._url.port}" if self._url.port else ""
        return f"{self._url.host or 'local'}{port}/{self._url.database or ''}"

    @property
    def missing(self) -> bool:
        """Whether it is a file that nothing was written to yet: reading should not make it."""
        return self.path is not None and not self.path.exists()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A consistent look at the tables."""
        with self._clear_errors(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One write transaction; any error inside rolls everything back."""
        with self._clear_errors(), _writer(self._engine).begin() as connection:
            yield connection

    def damaged(self, detail: str) -> DamagedStore:
        """The error for content that can't be trusted."""
        if self.path is not None:
            return damaged(self.path, detail)
        return DamagedStore(
            f"The database {self.name} holds what can't be read ({detail}); it was left untouched."
        )

    def close(self) -> None:
        """Close every connection; the next use opens them again."""
        if "_engine" in self.__dict__:
            self._engine.dispose()
            del self._engine

    # --- opening it ---------------------------------------------------------------------

    @cached_property
    def _url(self) -> URL:
        from sqlalchemy import make_url
        from sqlalchemy.exc import ArgumentError

        text = str(self._place)
        advice = "write it as postgresql://user:password@host:5432/database"
        try:
            url = make_url(text)
        except (ArgumentError, ValueError):
            raise BadRequest(f"The database URL can't be read; {advice}.") from None
        if text.count("@") > 1:
            raise BadRequest("The database URL has more than one @; write that in a password %40.")
        if url.get_backend_name() in ("postgres", "postgresql"):
            return url.set(drivername="postgresql+psycopg")
        if url.get_backend_name() != "sqlite":
            raise BadRequest(f"Scores go to SQLite or PostgreSQL: {advice}.")
        return url

    @cached_property
    def _engine(self) -> Engine:
        engine = self._server() if self.path is None else _file(self.path)
        try:
            with self._clear_errors():
                with engine.connect() as connection:
                    ready = self._ready(connection)
                if not ready:
                    with _writer(engine).begin() as connection:
                        self._prepare(connection)
        except BaseException:
            engine.dispose()
            raise
        return engine

    def _server(self) -> Engine:
        from sqlalchemy import create_engine

        patience: dict[str, Any] = {"connect_timeout": CONNECT_SECONDS}
        patience = {k: v for k, v in patience.items() if k not in self._url.query}
        try:
            return create_engine(self._url, connect_args=patience, pool_pre_ping=True)
        except ModuleNotFoundError:
            raise BadRequest(
                "PostgreSQL needs its driver: pip install 'mirror-llm[postgres]'."
            ) from None

    # --- what went wrong ----------------------------------------------------------------

    @contextmanager
    def _clear_errors(self) -> Iterator[None]:
        from sqlalchemy.exc import DBAPIError

        try:
            yield
        except DBAPIError as error:
            clear = self._explain(error.orig)
            if clear is None:
                raise
            raise clear from error

    def _explain(self, error: BaseException | None) -> MirrorError | None:
        """The line for a driver's error; None when the error is a bug of ours."""
        if self.path is not None:
            return explain(error, self.path) if isinstance(error, sqlite3.Error) else None
        import psycopg

        unreachable = isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
        if not unreachable and getattr(error, "sqlstate", None) not in _REFUSALS:
            return None
        said = " ".join(str(error).split()).rstrip(".?")
        return StoreUnavailable(
            f"Can't use the database {self.name}: {self._blotted(said)}. Check"
            " MIRROR_DATABASE_URL and that the server runs; what was kept is kept."
        )

    def _blotted(self, text: str) -> str:
        listed = [v if isinstance(v, tuple) else (v,) for v in self._url.query.values()]
        for secret in (self._url.password, *(value for values in listed for value in values)):
            if secret:
                text = text.replace(str(secret), "***")
        return text


def _file(path: Path) -> Engine:
    from sqlalchemy import create_engine, event
    from sqlalchemy.pool import QueuePool

    engine = create_engine("sqlite://", creator=lambda: connect(path), poolclass=QueuePool)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # memory.sqlite opens in autocommit mode; without this each row would be its own commit.
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _writer(engine: Engine) -> Engine:
    return engine.execution_options(writes=True)
