"""The tables of findings: what was found, the vectors of its text, and what was forgotten.

Row numbers are never reused and become visible in order, because writers take turns. So an
index that knows the last row and the last forgetting it has seen can ask for the rest. Until 0.1
a table had no ``subject``; it gets the column where it is found.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from pydantic import ValidationError

from memory.bundled_scores import first_complaint
from memory.records import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray
    from sqlalchemy import Connection, Table

_LOCK = 0xF1_4D1  # any number, the same in every Mirror: writers to a server take turns


class Unreadable(ValueError):
    """A row that is no finding."""


class Tables(NamedTuple):
    """``findings`` by row; ``vectors`` (float16) by row and embedding; ``forgotten`` rows."""

    findings: Table
    vectors: Table
    forgotten: Table


@cache
def tables() -> Tables:
    """The three tables."""
    from sqlalchemy import (
        BigInteger,
        Column,
        ForeignKey,
        Index,
        Integer,
        LargeBinary,
        MetaData,
        String,
        Table,
        Text,
    )

    everything = MetaData()
    number = BigInteger().with_variant(Integer, "sqlite")
    findings = Table(
        "findings",
        everything,
        Column("row", number, primary_key=True, quote=True),
        Column("id", Text, nullable=False, unique=True),
        Column("kind", Text, nullable=False),
        Column("record", Text, nullable=False),
        Column("subject", Text),
        Index("findings_by_kind", "kind", "row"),
        Index("findings_by_subject", "subject", "row"),
        sqlite_autoincrement=True,
    )
    vectors = Table(
        "finding_vectors",
        everything,
        Column("space", String(16), primary_key=True),
        Column(
            "row",
            number,
            ForeignKey(findings.c.row, ondelete="CASCADE"),
            primary_key=True,
            autoincrement=False,
            quote=True,
        ),
        Column("vector", LargeBinary, nullable=False),
        Index("finding_vectors_by_row", "row"),
    )
    forgotten = Table(
        "forgotten_findings",
        everything,
        Column("change", number, primary_key=True),
        Column("row", number, nullable=False, quote=True),
        Column("kind", Text, nullable=False),
        Index("forgotten_findings_by_row", "row"),
        sqlite_autoincrement=True,
    )
    return Tables(findings, vectors, forgotten)


def ready(connection: Connection) -> bool:
    """Whether the tables are there, with every column."""
    from sqlalchemy import inspect

    look = inspect(connection)
    if not {table.name for table in tables()} <= set(look.get_table_names()):
        return False
    return "subject" in {column["name"] for column in look.get_columns("findings")}


def prepare(connection: Connection) -> None:
    """Make what is missing, inside the transaction of ``connection``."""
    from sqlalchemy import inspect, text
    from sqlalchemy.schema import CreateIndex, CreateTable

    take_turns(connection)
    for table in tables():
        connection.execute(CreateTable(table, if_not_exists=True))
    if "subject" not in {one["name"] for one in inspect(connection).get_columns("findings")}:
        connection.execute(text("ALTER TABLE findings ADD COLUMN subject TEXT"))
    for table in tables():
        for index in table.indexes:
            connection.execute(CreateIndex(index, if_not_exists=True))


def take_turns(connection: Connection) -> None:
    """Wait for other writers, so that rows become visible in the order of their numbers.

    SQLite has one writer at a time anyway; there, what is deleted is overwritten with zeros.
    """
    from sqlalchemy import text

    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    else:
        connection.execute(text("PRAGMA secure_delete=ON"))


def to_row(finding: Finding) -> dict[str, str | None]:
    """A finding as a row, without its number."""
    return {
        "id": finding.id,
        "kind": finding.kind,
        "record": finding.model_dump_json(exclude_defaults=True),
        "subject": finding.subject,
    }


def to_finding(record: str) -> Finding:
    """A row's record as a finding. Raises ``Unreadable``."""
    try:
        return Finding.model_validate_json(record)
    except ValidationError as error:
        raise Unreadable(first_complaint(error)) from error


def pack(vectors: NDArray[np.float32]) -> list[bytes]:
    """(n, d) unit rows -> n texts of 2 d bytes: what they lose is below 0.001 of a cosine."""
    return [row.tobytes() for row in vectors.astype("<f2")]


def unpack(vectors: Iterable[bytes]) -> NDArray[np.float32]:
    """The counterpart of ``pack``: (n, d) float32."""
    packed = list(vectors)
    flat = np.frombuffer(b"".join(packed), dtype="<f2")
    return flat.reshape(len(packed), -1).astype(np.float32)
