"""What is asked of the tables of findings: each function is one question or one change.

All take an open connection, so that a caller decides what belongs into one transaction.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from memory.finding_table import pack, tables, to_finding, to_row, unpack

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from sqlalchemy import Connection

    from memory.records import Finding

    T = TypeVar("T")

NAMED = 5_000  # a statement holds no more parameters than SQLite's 32,766


class Row(NamedTuple):
    """Where a finding is, and its record."""

    row: int
    record: str


class News(NamedTuple):
    """What an index that has seen up to some row and change has missed.

    ``counts``: new findings by kind; ``last`` and ``anchor``: the newest one's row and id (the old
    row and "" where there is none); ``gone``: forgotten rows by kind; ``change``: the last of them.
    """

    counts: dict[str, int]
    last: int
    anchor: str
    gone: dict[str, list[int]]
    change: int


# --- changes ------------------------------------------------------------------------------


def insert(connection: Connection, findings: Sequence[Finding]) -> None:
    """Add findings whose ids are not here."""
    if findings:
        connection.execute(tables().findings.insert(), [to_row(one) for one in findings])


def delete(connection: Connection, rows: Sequence[int]) -> None:
    """Delete rows with their vectors, and note that they are gone."""
    from sqlalchemy import delete as removal
    from sqlalchemy import select

    table, _, forgotten = tables()
    for some in chunks(rows):
        here = table.c.row.in_(some)
        connection.execute(
            forgotten.insert().from_select(
                ["row", "kind"], select(table.c.row, table.c.kind).where(here)
            )
        )
        connection.execute(removal(table).where(here))


def keep_vectors(
    connection: Connection, space: str, rows: Sequence[int], vectors: NDArray[np.float32]
) -> None:
    """Keep vectors of rows that are still here and have none yet."""
    from sqlalchemy import select

    table = tables().vectors
    still = by_row(connection, rows)
    held = select(table.c.row).where(table.c.space == space, table.c.row.in_(rows))
    known = set(connection.execute(held).scalars())
    given = [
        {"space": space, "row": row, "vector": vector}
        for row, vector in zip(rows, pack(vectors), strict=True)
        if row in still and row not in known
    ]
    if given:
        connection.execute(table.insert(), given)


# --- questions ----------------------------------------------------------------------------


def by_id(connection: Connection, ids: Sequence[str]) -> dict[str, Row]:
    """id -> row and record, of those that are here."""
    from sqlalchemy import select

    table = tables().findings
    found: dict[str, Row] = {}
    for some in chunks(ids):
        query = select(table.c.id, table.c.row, table.c.record).where(table.c.id.in_(some))
        found |= {id: Row(row, record) for id, row, record in connection.execute(query)}
    return found


def by_row(connection: Connection, rows: Sequence[int]) -> dict[int, str]:
    """row -> record, of those that are here."""
    from sqlalchemy import select

    table = tables().findings
    found: dict[int, str] = {}
    for some in chunks(rows):
        query = select(table.c.row, table.c.record).where(table.c.row.in_(some))
        found |= {one.row: one.record for one in map(Row._make, connection.execute(query))}
    return found


def learned(connection: Connection, finding: Finding, known: Row) -> bool:
    """Whether ``finding`` says something new beside the one ``known`` under its id."""
    from sqlalchemy import func, select

    old = to_finding(known.record)
    when = {"at": old.at, "thread": old.thread, "run": old.run}
    if finding.model_copy(update=when) != old:
        return True
    table = tables().findings
    last = select(func.max(table.c.row)).where(table.c.subject == finding.subject)
    return finding.subject is not None and connection.execute(last).scalar_one() != known.row


def last_words(connection: Connection, subjects: Sequence[str]) -> list[Finding]:
    """The latest finding on each subject that there is one on."""
    from sqlalchemy import func, select

    table = tables().findings
    found: list[Finding] = []
    for some in chunks(subjects):
        last = select(func.max(table.c.row)).where(table.c.subject.in_(some))
        query = select(table.c.record).where(table.c.row.in_(last.group_by(table.c.subject)))
        found += map(to_finding, connection.execute(query).scalars())
    return found


def page(connection: Connection, after: int, most: int) -> list[Row]:
    """The next findings by row."""
    from sqlalchemy import select

    table = tables().findings
    query = select(table.c.row, table.c.record).where(table.c.row > after).order_by(table.c.row)
    return [Row(*found) for found in connection.execute(query.limit(most))]


def newest(connection: Connection, most: int, kind: str | None) -> list[str]:
    """The records of the last findings, the newest first."""
    from sqlalchemy import select

    table = tables().findings
    query = select(table.c.record).order_by(table.c.row.desc()).limit(most)
    if kind is not None:
        query = query.where(table.c.kind == kind)
    return list(connection.execute(query).scalars())


def count(connection: Connection, last: int | None = None) -> dict[str, int]:
    """kind -> how many, of all or up to a row."""
    from sqlalchemy import func, select

    table = tables().findings
    query = select(table.c.kind, func.count()).group_by(table.c.kind).order_by(table.c.kind)
    if last is not None:
        query = query.where(table.c.row <= last)
    return {kind: int(n) for kind, n in connection.execute(query)}


# --- what an index asks -------------------------------------------------------------------


def news(connection: Connection, row: int, change: int) -> News:
    """What came after ``row`` and went after ``change``."""
    from sqlalchemy import func, select

    table, _, forgotten = tables()
    new = select(table.c.kind, func.count(), func.max(table.c.row)).where(table.c.row > row)
    found = connection.execute(new.group_by(table.c.kind)).all()
    last, anchor = max((top for _, _, top in found), default=row), ""
    if last > row:
        anchor = connection.execute(select(table.c.id).where(table.c.row == last)).scalar_one()
    gone: dict[str, list[int]] = defaultdict(list)
    went = select(forgotten).where(forgotten.c.change > change).order_by(forgotten.c.change)
    for number, place, kind in connection.execute(went):
        gone[kind].append(place)
        change = number
    return News({kind: n for kind, n, _ in found}, last, anchor, dict(gone), change)


def anchored(connection: Connection, row: int, anchor: str) -> bool:
    """Whether ``row`` holds the finding ``anchor``, or is known to be forgotten."""
    from sqlalchemy import exists, select

    table, _, forgotten = tables()
    held = select(table.c.id).where(table.c.row == row)
    id = connection.execute(held).scalar_one_or_none()
    if id is not None:
        return bool(id == anchor)
    return bool(connection.execute(select(exists().where(forgotten.c.row == row))).scalar_one())


def without_vector(
    connection: Connection, space: str, after: int, last: int, most: int
) -> list[Row]:
    """Findings after one row up to another that have no vector in ``space``."""
    from sqlalchemy import and_, select

    table, vectors, _ = tables()
    mine = and_(vectors.c.row == table.c.row, vectors.c.space == space)
    query = (
        select(table.c.row, table.c.record)
        .join(vectors, mine, isouter=True)
        .where(table.c.row > after, table.c.row <= last, vectors.c.row.is_(None))
        .order_by(table.c.row)
        .limit(most)
    )
    return [Row(*found) for found in connection.execute(query)]


def vectors(
    connection: Connection, space: str, kind: str, after: int, last: int, most: int
) -> tuple[list[int], NDArray[np.float32]] | None:
    """Rows of a kind after one row up to another, and their (n, d) vectors; None at the end."""
    from sqlalchemy import and_, select

    table, held, _ = tables()
    mine = and_(held.c.row == table.c.row, held.c.space == space)
    query = (
        select(table.c.row, held.c.vector)
        .join(held, mine)
        .where(table.c.kind == kind, table.c.row > after, table.c.row <= last)
        .order_by(table.c.row)
        .limit(most)
    )
    found = connection.execute(query).all()
    return ([row for row, _ in found], unpack(vector for _, vector in found)) if found else None


def vectors_at(
    connection: Connection, space: str, rows: Sequence[int]
) -> tuple[list[int], NDArray[np.float32]] | None:
    """Those of these rows that have a vector, and their (n, d) vectors; None when none has."""
    from sqlalchemy import select

    table = tables().vectors
    query = select(table.c.row, table.c.vector).where(table.c.space == space, table.c.row.in_(rows))
    found = connection.execute(query).all()
    return ([row for row, _ in found], unpack(vector for _, vector in found)) if found else None


def chunks(values: Iterable[T], most: int = NAMED) -> Iterator[list[T]]:
    """``values`` in lists of at most ``most``."""
    held = list(values)
    return (held[start : start + most] for start in range(0, len(held), most))
