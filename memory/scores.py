"""Scores: the matrix P_ij, every cell with its origin and protocol.

Two layers: the bundled facts (a read-only file) and the scores of this installation, kept
in a database. All observations stay; ``resolve`` picks the one to believe, and ``matrix``
never puts two protocols into one column unless asked to, and then says so.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from memory.bundled_scores import BundledScores, first_complaint
from memory.records import Origin, Score
from memory.sqlite import connect, damaged, explain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import Engine, Table

BUNDLED = BundledScores()
_TRUST = {origin: rank for rank, origin in enumerate(Origin)}


@dataclass(frozen=True)
class Cell:
    """One resolved P_ij; ``observations`` are all that were compared, ``score`` among them."""

    score: Score
    observations: tuple[Score, ...]

    @property
    def conflict(self) -> float:
        """How far the observations lie apart (0: they agree, or there is only one)."""
        values = [observation.value for observation in self.observations]
        return max(values) - min(values)


@dataclass(frozen=True)
class Matrix:
    """P_ij for some models and benchmarks. A missing cell has no key.

    ``protocols``: the protocols in each column, more than one only where mixing was asked for.
    ``left_out``: scores of a cell that exist under other protocols and were not used.
    """

    models: tuple[str, ...]
    benchmarks: tuple[str, ...]
    cells: Mapping[tuple[str, str], Cell]
    protocols: Mapping[str, tuple[str, ...]]
    left_out: Mapping[tuple[str, str], tuple[Score, ...]] = field(default_factory=dict)

    @property
    def mixed(self) -> tuple[str, ...]:
        """Benchmarks whose column compares different protocols."""
        return tuple(name for name, found in self.protocols.items() if len(found) > 1)


def resolve(observations: Sequence[Score]) -> Score:
    """The observation to believe.

    The weights as published before a reduced precision, then ``Origin``'s order of trust,
    then most items, then the latest. Raises ValueError when there is none: a missing cell
    is not a score of zero.
    """
    if not observations:
        raise ValueError("no observation to resolve; a missing cell has no score")
    latest_first = sorted(observations, key=lambda score: score.date or "", reverse=True)
    return min(
        latest_first,
        key=lambda score: (score.precision is not None, _TRUST[score.origin], -(score.n or 0)),
    )


class Scores:
    """The scores known here: ``database`` (a path or an SQLAlchemy URL) over ``bundled`` facts.

    ``bundled=None`` leaves the facts out. Nothing is opened before it is needed. Raises
    ``DamagedStore`` or ``StoreUnavailable`` (``memory.sqlite``) from any method.
    """

    def __init__(self, database: Path | str, bundled: BundledScores | None = BUNDLED) -> None:
        self.database = database
        self._bundled = bundled

    def add(self, scores: Iterable[Score]) -> None:
        """Keep observations, all or none; one that is here already is not repeated."""
        rows = [
            {
                "fingerprint": _fingerprint(score),
                "model": score.model,
                "benchmark": score.benchmark,
                "record": score.model_dump_json(),
            }
            for score in scores
        ]
        if not rows:
            return
        with self._clear_errors(), self._engine.begin() as connection:
            if self._engine.dialect.name == "postgresql":
                from sqlalchemy.dialects.postgresql import insert
            else:
                from sqlalchemy.dialects.sqlite import insert  # type: ignore[assignment]
            connection.execute(insert(self._table).on_conflict_do_nothing(), rows)

    def known(self, models: Sequence[str], benchmarks: Sequence[str]) -> list[Score]:
        """Every observation of these models on these benchmarks, bundled ones first."""
        facts = self._bundled
        bundled = [
            score
            for model, benchmark in product(models, benchmarks)
            for score in (facts.get(model, benchmark) if facts else ())
        ]
        return bundled + self._stored(models, benchmarks)

    def observations(self) -> list[Score]:
        """Every observation there is, bundled ones first."""
        return [*(self._bundled.all() if self._bundled else ()), *self._stored()]

    def matrix(
        self,
        models: Sequence[str],
        benchmarks: Sequence[str],
        protocols: Mapping[str, str] | None = None,
        *,
        mix: bool = False,
    ) -> Matrix:
        """P_ij for these rows and columns, one protocol a column.

        ``protocols`` names a column's protocol; for the others the one that covers most of the
        models is taken (then the most trusted, then by name). ``mix=True`` fills each cell from
        whatever protocol there is; ``Matrix.mixed`` then names the columns to distrust.
        """
        grouped: dict[tuple[str, str], list[Score]] = defaultdict(list)
        for score in self.known(models, benchmarks):
            grouped[score.model, score.benchmark].append(score)
        chosen = dict(protocols or {})
        for benchmark in benchmarks:
            column = [s for (_, name), found in grouped.items() if name == benchmark for s in found]
            if column and benchmark not in chosen:
                chosen[benchmark] = _widest(column)
        cells, left_out = {}, {}
        for key, found in grouped.items():
            same = [score for score in found if mix or score.protocol == chosen[key[1]]]
            other = tuple(score for score in found if score not in same)
            if same:
                cells[key] = Cell(resolve(same), tuple(same))
            if other:
                left_out[key] = other
        return Matrix(tuple(models), tuple(benchmarks), cells, _protocols(cells), left_out)

    def close(self) -> None:
        """Close the database; the next use opens it again."""
        if "_engine" in self.__dict__:
            self._engine.dispose()
            del self._engine

    # --- this installation's own scores -------------------------------------------------

    @cached_property
    def _table(self) -> Table:
        from sqlalchemy import Column, Index, Integer, MetaData, String, Table, Text

        return Table(
            "scores",
            MetaData(),
            Column("id", Integer, primary_key=True),
            Column("fingerprint", String(64), nullable=False, unique=True),
            Column("model", Text, nullable=False),
            Column("benchmark", Text, nullable=False),
            Column("record", Text, nullable=False),
            Index("scores_by_cell", "model", "benchmark"),
        )

    @cached_property
    def _engine(self) -> Engine:
        from sqlalchemy import create_engine
        from sqlalchemy.pool import QueuePool
        from sqlalchemy.schema import CreateIndex, CreateTable

        if isinstance(self.database, str) and "://" in self.database:
            engine = create_engine(self.database)
        else:
            path = Path(self.database)
            engine = create_engine("sqlite://", creator=lambda: connect(path), poolclass=QueuePool)
        with self._clear_errors(), engine.begin() as connection:
            connection.execute(CreateTable(self._table, if_not_exists=True))
            for index in self._table.indexes:
                connection.execute(CreateIndex(index, if_not_exists=True))
        return engine

    def _stored(
        self, models: Sequence[str] | None = None, benchmarks: Sequence[str] | None = None
    ) -> list[Score]:
        if isinstance(self.database, Path) and not self.database.exists():
            return []
        from sqlalchemy import select

        table = self._table
        query = select(table.c.record).order_by(table.c.id)
        if models is not None:
            query = query.where(table.c.model.in_(models))
        if benchmarks is not None:
            query = query.where(table.c.benchmark.in_(benchmarks))
        with self._clear_errors(), self._engine.connect() as connection:
            records = connection.execute(query).scalars().all()
        try:
            return [Score.model_validate_json(record) for record in records]
        except ValidationError as error:
            raise damaged(Path(self.database), first_complaint(error)) from error

    @contextmanager
    def _clear_errors(self) -> Iterator[None]:
        from sqlalchemy.exc import DBAPIError

        try:
            yield
        except DBAPIError as error:
            if isinstance(error.orig, sqlite3.Error):
                clear = explain(error.orig, Path(self.database))
                if clear is not None:
                    raise clear from error
            raise


def _widest(column: Sequence[Score]) -> str:
    """The protocol that covers most models; ties go to the most trusted, then by name."""
    models: dict[str, set[str]] = defaultdict(set)
    trust: dict[str, int] = {}
    for score in column:
        models[score.protocol].add(score.model)
        rank = _TRUST[score.origin]
        trust[score.protocol] = min(rank, trust.get(score.protocol, rank))
    return min(models, key=lambda name: (-len(models[name]), trust[name], name))


def _protocols(cells: Mapping[tuple[str, str], Cell]) -> dict[str, tuple[str, ...]]:
    used: dict[str, set[str]] = defaultdict(set)
    for (_, benchmark), cell in cells.items():
        used[benchmark].add(cell.score.protocol)
    return {benchmark: tuple(sorted(found)) for benchmark, found in used.items()}


def _fingerprint(score: Score) -> str:
    """What makes two observations one: all but the day, the run and the cost of writing it down.

    A later run that reuses paid results observes nothing new.
    """
    told = score.model_dump_json(exclude={"date", "run", "cost_usd"})
    return hashlib.sha256(told.encode()).hexdigest()
