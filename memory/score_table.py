"""The table of observed scores: a column for each field of ``Score``, on SQLite and PostgreSQL.

Until 0.1 a row was a JSON text in a table named ``scores``. Where that table is found, its rows
move here whole or not at all; a row that can't be read stops the move and changes nothing.
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from memory.bundled_scores import first_complaint
from memory.records import Score

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection, Executable, Table

_NUMBERS = ("value", "low", "high", "cost_usd")
_NEEDED = ("model", "benchmark", "protocol", "value", "metric", "origin", "source")
_OLD = "scores"
_LOCK = 0x5C0_4E5  # any number, the same in every Mirror: one process prepares a server


class Unreadable(ValueError):
    """A row that is no score."""


@cache
def table() -> Table:
    """The table; ``fingerprint`` is what makes two observations one."""
    from sqlalchemy import BigInteger, Column, Double, Index, Integer, MetaData, String, Text
    from sqlalchemy import Table as Made

    def column(name: str) -> Column[Any]:
        kind = Double if name in _NUMBERS else BigInteger if name == "n" else Text
        return Column(name, kind, nullable=name not in _NEEDED)

    return Made(
        "observations",
        MetaData(),
        Column("id", Integer, primary_key=True),
        Column("fingerprint", String(64), nullable=False, unique=True),
        *(column(name) for name in Score.model_fields),
        Index("observations_by_cell", "benchmark", "model", "protocol"),
        Index("observations_by_model", "model"),
    )


def ready(connection: Connection) -> bool:
    """Whether the table is there, and nothing is left in the old one."""
    from sqlalchemy import inspect

    names = inspect(connection).get_table_names()
    return table().name in names and _OLD not in names


def prepare(connection: Connection) -> None:
    """Make the table and move the rows of the old one, inside the transaction of ``connection``.

    Raises:
        Unreadable: an old row is no score.
    """
    from sqlalchemy import inspect, text
    from sqlalchemy.schema import CreateIndex, CreateTable

    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    connection.execute(CreateTable(table(), if_not_exists=True))
    for index in table().indexes:
        connection.execute(CreateIndex(index, if_not_exists=True))
    if _OLD not in inspect(connection).get_table_names():
        return
    old = connection.execute(text(f"SELECT fingerprint, record FROM {_OLD} ORDER BY id")).all()
    rows = [to_row(_parsed(record)) | {"fingerprint": mark} for mark, record in old]
    if rows:
        connection.execute(insert_new(connection), rows)
    connection.execute(text(f"DROP TABLE {_OLD}"))


def insert_new(connection: Connection) -> Executable:
    """An INSERT that passes over what is there already."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert
    else:
        from sqlalchemy.dialects.sqlite import insert  # type: ignore[assignment]
    return insert(table()).on_conflict_do_nothing()


def to_row(score: Score) -> dict[str, Any]:
    """A score as a row, without its id."""
    return score.model_dump(mode="json") | {"fingerprint": fingerprint(score)}


def to_score(row: Mapping[str, Any]) -> Score:
    """A row as a score. Raises ``Unreadable``."""
    try:
        return Score.model_validate({name: row[name] for name in Score.model_fields})
    except ValidationError as error:
        raise Unreadable(first_complaint(error)) from error


def fingerprint(score: Score) -> str:
    """What makes two observations one: all but the day, the run and the cost of writing it down.

    A later run that reuses paid results observes nothing new.
    """
    told = score.model_dump_json(exclude={"date", "run", "cost_usd"})
    return hashlib.sha256(told.encode()).hexdigest()


def _parsed(record: str) -> Score:
    try:
        return Score.model_validate_json(record)
    except ValidationError as error:
        raise Unreadable(first_complaint(error)) from error
