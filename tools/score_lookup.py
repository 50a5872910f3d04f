"""What is known of the candidates on the benchmarks, and the shortlist that follows (Eq. 1)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from memory.errors import BadRequest
from memory.records import BenchmarkChoice, Score, Selected
from tools.herd.contamination import suspicion
from tools.methods import selection

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from memory.records import Candidate, Contamination, Prediction
    from memory.scores import Matrix, Scores
    from tools.scores.related import Related

RELATED = 0.75
"""The weight in Eq. 1 of what benchmarks related to the request say; the job's own share the rest.

With ``ALPHA`` chosen on the development half of ``evals.recommend``.
"""

ALPHA = 0.25
"""The weight of relevance σ against benchmarks in Eq. 1; of equals the larger was taken."""


@dataclass(frozen=True)
class Known:
    """P_ij for some models on some benchmarks, missing cells and all."""

    matrix: Matrix

    @property
    def scores(self) -> list[Score]:
        """The score believed of each known cell."""
        return [cell.score for cell in self.matrix.cells.values()]

    @property
    def cells(self) -> int:
        """How many cells there are, known or not."""
        return len(self.matrix.models) * len(self.matrix.benchmarks)

    def describe(self) -> str:
        """One line: how much is known, from where, and what must not be compared."""
        origins = [score.origin for score in self.scores]
        counts = {origin: origins.count(origin) for origin in dict.fromkeys(origins)}
        line = f"Known scores: {len(origins)} of {self.cells:,} cells"
        if counts:
            line += f" ({', '.join(f'{count} {origin}' for origin, count in counts.items())})"
        if self.matrix.left_out:
            line += f"; {len(self.matrix.left_out)} more under other protocols, not compared"
        if self.matrix.mixed:
            line += f"; protocols are mixed in {', '.join(self.matrix.mixed)}"
        return line


@dataclass(frozen=True)
class Gap:
    """A cell without a score; ``others``: the protocols under which the model has one after all."""

    model: str
    benchmark: str
    others: tuple[str, ...]


def gaps(known: Known) -> list[Gap]:
    """The missing cells, by model, then benchmark, in the order that was asked for."""
    matrix = known.matrix
    cells = ((model, name) for model in matrix.models for name in matrix.benchmarks)
    return [
        Gap(*cell, tuple(sorted({score.protocol for score in matrix.left_out.get(cell, ())})))
        for cell in cells
        if cell not in matrix.cells
    ]


def shortlist(held: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """The models and benchmarks of a dossier, live or as a report's JSON keeps it.

    Raises:
        BadRequest: it has got no shortlist yet.
        pydantic.ValidationError: what is kept is no shortlist.
    """
    models = [Selected.model_validate(one).model for one in held.get("selected") or ()]
    tasks = [BenchmarkChoice.model_validate(one).task for one in held.get("benchmarks") or ()]
    if not models or not tasks:
        raise BadRequest("There is no shortlist yet; name --model and --benchmark instead.")
    return models, tasks


def look_up(
    models: Sequence[str],
    benchmarks: Sequence[str],
    scores: Scores,
    *,
    protocols: Mapping[str, str] | None = None,
    mix: bool = False,
) -> Known:
    """Look the models up on the benchmarks; ``protocols`` and ``mix`` as in ``Scores.matrix``."""
    return Known(scores.matrix(models, benchmarks, protocols, mix=mix))


def select(
    candidates: Sequence[Candidate],
    benchmarks: Sequence[BenchmarkChoice],
    scores: Sequence[Score],
    predicted: Sequence[Prediction] = (),
    suspected: Sequence[Contamination] = (),
    related: Related | None = None,
    *,
    alpha: float = ALPHA,
    beta: float = 0.9,
    k: int = 10,
    share: float = RELATED,
) -> list[Selected]:
    """S* of RELM Eq. 1 over ``candidates``, largest s first.

    ``scores``: at most one per cell, as ``Known.scores`` gives them. ``predicted`` fills cells
    without one, trusted or not: even a prediction that is too vague to be cited has already been
    drawn towards its column's mean, which is what an empty cell would get. A score that is
    ``suspected`` of contamination counts by its weight there, the rest as if it were missing.
    ``related`` is one more column, which has ``share`` of the benchmarks' weight: RELM sums over
    all benchmarks, and those recommended are often ones that nobody was measured on.
    Other parameters as in ``tools.methods.selection.select``.
    """
    row = {candidate.model: i for i, candidate in enumerate(candidates)}
    column = {choice.task: j for j, choice in enumerate(benchmarks)}
    grid = np.full((len(row), len(column)), np.nan)
    belief = np.ones(grid.shape)
    cells: list[Prediction | Score] = [*predicted, *scores]
    for cell in cells:  # an observation, later in the list, outweighs any prediction
        if cell.model in row and cell.benchmark in column:
            place = row[cell.model], column[cell.benchmark]
            grid[place] = cell.value
            if isinstance(cell, Score) and (found := suspicion(cell, suspected)):
                belief[place] = found.weight
    known = Counter(score.model for score in scores if score.benchmark in column)
    filled = np.sum(~np.isnan(grid), axis=1)
    weights = [choice.weight for choice in benchmarks]
    placed = related.value if related else {}
    if placed:
        total = sum(weights) or 1.0
        weights = [*((1 - share) * weight / total for weight in weights), share]
        others = [placed.get(candidate.model, np.nan) for candidate in candidates]
        grid, belief = np.column_stack([grid, others]), np.column_stack([belief, np.ones(len(row))])
    result = selection.select(
        [candidate.sigma for candidate in candidates],
        weights,
        grid,
        belief=belief,
        alpha=alpha,
        beta=beta,
        k=k,
    )
    return [
        Selected(
            model=candidates[i].model,
            s=float(result.s[i]),
            sigma=candidates[i].sigma,
            benchmark_term=float(result.benchmark_term[i]),
            known_cells=known[candidates[i].model],
            predicted_cells=int(filled[i]) - known[candidates[i].model],
            cells=len(column),
            related=placed.get(candidates[i].model),
            related_cells=related.cells.get(candidates[i].model, 0) if related else 0,
        )
        for i in result.chosen
    ]


def shortlisted(
    selected: Sequence[Selected],
    predicted: Sequence[Prediction],
    related: Related | None = None,
) -> str:
    """One line: who leads by Eq. 1, and on how many observed and predicted cells that rests."""
    leading = ", ".join(f"{one.model} ({one.s:.2f})" for one in selected[:3])
    names = {one.model for one in selected}
    trusted = sum(one.trusted and one.model in names for one in predicted)
    known, filled, cells = (
        sum(getattr(one, part) for one in selected)
        for part in ("known_cells", "predicted_cells", "cells")
    )
    line = f"Shortlist of {len(selected)} by Eq. 1: {leading}; of its {cells} cells {known} known"
    line += f", {filled} predicted ({trusted} reliably)" if filled else ""
    placed = sum(one.related is not None for one in selected)
    if related is None or not placed:
        return line
    return f"{line}; {placed} placed by related benchmarks ({', '.join(related.nearest)})"


def doubted(scores: Sequence[Score], suspected: Sequence[Contamination]) -> str:
    """What else must be said: which scores count less, and by how much."""
    told = [
        f"{found.arm} on {found.benchmark} x{found.weight:g}"
        for score in scores
        if (found := suspicion(score, suspected))
    ]
    return f"; may have been trained on, so it counts less: {', '.join(told)}" if told else ""
