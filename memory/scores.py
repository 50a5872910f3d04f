"""Scores: the matrix P_ij, every cell with its origin and protocol.

Two layers: the bundled facts (a read-only file) and the scores of this installation, kept
in a database. All observations stay; ``resolve`` picks the one to believe, and ``matrix``
never puts two protocols into one column unless asked to, and then says so.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memory import score_table
from memory.bundled_scores import BundledScores
from memory.database import Database
from memory.errors import AcrossProtocols
from memory.records import Origin, Score

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from sqlalchemy import Connection

BUNDLED = BundledScores()
MOST_NAMED = 5_000  # a statement holds no more parameters than SQLite's 32,766
_TRUST = {origin: rank for rank, origin in enumerate(Origin)}


@dataclass(frozen=True)
class Cell:
    """One resolved P_ij; ``observations`` are all that were compared, ``score`` among them.

    Another revision or precision of the model is another cell: it never makes a conflict.
    """

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
    if len(observations) == 1:
        return observations[0]
    latest_first = sorted(observations, key=lambda score: score.date or "", reverse=True)
    return min(
        latest_first,
        key=lambda score: (score.reduced, _TRUST[score.origin], -(score.n or 0)),
    )


class Scores:
    """The scores known here: ``database`` (a path or a database URL) over ``bundled`` facts.

    ``bundled=None`` leaves the facts out. Nothing is opened before it is needed. Any method
    raises what ``memory.database.Database`` raises.
    """

    def __init__(self, database: Path | str, bundled: BundledScores | None = BUNDLED) -> None:
        self.database = Database(database, score_table.ready, self._prepare)
        self._bundled = bundled

    def add(self, scores: Iterable[Score]) -> None:
        """Keep observations, all or none; one that is here already is not repeated."""
        rows = [score_table.to_row(score) for score in scores]
        if rows:
            with self.database.writing() as connection:
                connection.execute(score_table.insert_new(connection), rows)

    def known(self, models: Sequence[str], benchmarks: Sequence[str]) -> list[Score]:
        """Every observation of these models on these benchmarks, bundled ones first."""
        return self.observations(models, benchmarks)

    def observations(
        self, models: Sequence[str] | None = None, benchmarks: Sequence[str] | None = None
    ) -> list[Score]:
        """Every observation, bundled ones first; None means: of all of them."""
        bundled = self._bundled.find(models, benchmarks) if self._bundled else []
        return bundled + self.own(models, benchmarks)

    def own(
        self, models: Sequence[str] | None = None, benchmarks: Sequence[str] | None = None
    ) -> list[Score]:
        """The observations that this installation measured or was given, oldest first."""
        if self.database.missing:
            return []
        from sqlalchemy import select

        table = score_table.table()
        query = select(table).order_by(table.c.id)
        many: dict[str, set[str]] = {}
        for name, values in (("model", models), ("benchmark", benchmarks)):
            if values is not None and len(values) <= MOST_NAMED:
                query = query.where(table.c[name].in_(values))
            elif values is not None:
                many[name] = set(values)
        with self._readable(), self.database.reading() as connection:
            rows = connection.execute(query).mappings().all()
            found = [score_table.to_score(dict(row)) for row in rows]
        return [s for s in found if all(getattr(s, name) in many[name] for name in many)]

    def count(self) -> int:
        """How many observations ``own`` would give."""
        if self.database.missing:
            return 0
        from sqlalchemy import func, select

        with self.database.reading() as connection:
            counted = select(func.count()).select_from(score_table.table())
            return connection.execute(counted).scalar_one()

    def new(self, scores: Iterable[Score]) -> list[Score]:
        """Those that ``add`` would keep: not here yet, each once."""
        from sqlalchemy import select

        marked = {score_table.fingerprint(score): score for score in reversed(list(scores))}
        marks = list(reversed(marked))
        if self.database.missing or not marks:
            return [marked[mark] for mark in marks]
        column, here = score_table.table().c.fingerprint, set[str]()
        with self.database.reading() as connection:
            for start in range(0, len(marks), MOST_NAMED):
                some = marks[start : start + MOST_NAMED]
                here.update(connection.execute(select(column).where(column.in_(some))).scalars())
        return [marked[mark] for mark in marks if mark not in here]

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
        found_cells, left_out = {}, {}
        for key, found in grouped.items():
            same = [score for score in found if mix or score.protocol == chosen[key[1]]]
            other = tuple(score for score in found if score not in same)
            if same:
                found_cells[key] = _cell(same)
            if other:
                left_out[key] = other
        return Matrix(
            tuple(models), tuple(benchmarks), found_cells, _protocols(found_cells), left_out
        )

    def compare(
        self, models: Sequence[str], benchmarks: Sequence[str], protocol: str | None = None
    ) -> Matrix:
        """``matrix`` for someone who means to compare: no model silently left out of a column.

        Raises:
            AcrossProtocols: no protocol is shared by every model that has a score of a
                benchmark, and none was named.
        """
        if protocol is not None:
            return self.matrix(models, benchmarks, dict.fromkeys(benchmarks, protocol))
        chosen = {}
        for benchmark in benchmarks:
            column = self.known(models, [benchmark])
            if column:
                chosen[benchmark] = _shared(benchmark, column)
        return self.matrix(models, benchmarks, chosen)

    def close(self) -> None:
        """Close the database; the next use opens it again."""
        self.database.close()

    def _prepare(self, connection: Connection) -> None:
        with self._readable():
            score_table.prepare(connection)

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except score_table.Unreadable as error:
            raise self.database.damaged(str(error)) from error


def cells(scores: Iterable[Score]) -> list[Cell]:
    """Scores by their full key (model, revision, precision, benchmark, protocol), each resolved.

    Sorted by benchmark, protocol, then best first.
    """
    grouped: dict[tuple[str | None, ...], list[Score]] = defaultdict(list)
    for one in scores:
        key = (one.model, one.revision, _reduction(one), one.benchmark, one.protocol)
        grouped[key].append(one)
    made = [Cell(resolve(found), tuple(found)) for found in grouped.values()]
    return sorted(
        made,
        key=lambda cell: (
            cell.score.benchmark,
            cell.score.protocol,
            -cell.score.value,
            cell.score.model,
        ),
    )


def _cell(found: Sequence[Score]) -> Cell:
    """The score to believe, with those that speak of the same weights as far as they say."""
    best = resolve(found)
    alike = tuple(
        one
        for one in found
        if _reduction(one) == _reduction(best)
        and (one.revision == best.revision or None in (one.revision, best.revision))
    )
    return Cell(best, alike)


def _reduction(score: Score) -> str | None:
    """The precision, where it sets the weights apart from the published ones."""
    return score.precision if score.reduced else None


def _shared(benchmark: str, column: Sequence[Score]) -> str:
    """The protocol under which every model of the column has a score, the most trusted first."""
    under: dict[str, set[str]] = defaultdict(set)
    for score in column:
        under[score.protocol].add(score.model)
    everyone = set().union(*under.values())
    shared = [score for score in column if under[score.protocol] == everyone]
    if shared:
        return _widest(shared)
    told = "; ".join(f"{', '.join(sorted(who))}: {name}" for name, who in sorted(under.items()))
    raise AcrossProtocols(
        f"Scores on {benchmark} come from different protocols and don't compare ({told}). Measure"
        " the models under one of them, name one with --protocol, or see them side by side with"
        " --mix."
    )


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
