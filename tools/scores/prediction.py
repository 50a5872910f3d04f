"""What the missing P_ij of a shortlist are likely to be, and how far to believe it.

The evidence is every observed score of the job's benchmarks and of the best-covered others, one
protocol a column, with what the registry knows of the models (``tools.methods.completion``).
Few enough columns are taken that a person does not wait for it.

A model without a score of its own is placed by its size, date, family and name; a benchmark
nobody was measured on by its name alone. Both keep the order of models (``evals.prediction``),
the second not their level: such predictions lie about 0.5, which is what Eq. 1 takes for an unknown
cell, have no interval but [0, 1], and are never trusted.

A score that is suspected of contamination counts by its weight, as in Eq. 1: for the rest it is as
if missing, so it is mixed with what the others say of its cell before they learn from it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from memory.records import Origin, Prediction
from memory.scores import resolve
from tools.herd.contamination import suspicion
from tools.methods.completion import complete

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from memory.records import Contamination, Score
    from memory.registry import Registry
    from tools.methods.completion import Completion
    from tools.methods.gaussian_process import Side

Column: TypeAlias = tuple[str, str]
"""A benchmark and the protocol it was measured under."""

MOST_COLUMNS = 12
"""Columns looked at beside the job's own."""

MOST_CELLS = 500
"""Observed cells looked at: the work grows with their cube."""

MOST_MODELS = 120
"""Models of one column looked at: those asked for, then those of which most is known."""

ASKED_FOR = 4.0
"""How much more a score says that is of a model asked for."""

LEAST_MODELS = 8
"""A benchmark that fewer models were measured on tells little of any other."""


@dataclass(frozen=True)
class _Evidence:
    """Observed scores (models x columns), NaN where missing; the first columns are the job's.

    A column is a benchmark under one protocol, so that no two protocols are mixed. ``lent``:
    cells (model, column) that hold a copy's score for want of the model's own. ``weights``: by
    how much each score counts, 1 where nothing is suspected.
    """

    models: tuple[str, ...]
    columns: tuple[Column, ...]
    values: NDArray[np.float64]
    lent: Mapping[tuple[str, Column], Score]
    weights: NDArray[np.float64]


def predict(
    models: Sequence[str],
    benchmarks: Mapping[str, str | None],
    observations: Iterable[Score],
    registry: Registry,
    copies: Mapping[str, Sequence[str]] | None = None,
    suspected: Sequence[Contamination] = (),
) -> list[Prediction]:
    """Predict each of ``models`` on each of ``benchmarks`` that it has no score on.

    Args:
        models: Rows that are asked for, in the order of the answer.
        benchmarks: Each with the protocol it is looked at under; None: the one that most models
            were measured under.
        observations: All there are, of any model and benchmark.
        registry: What is known of the models.
        copies: Quantized or mirrored copies of a model; a score of theirs is *inherited*.
        suspected: What is known of contamination; a score that it doubts teaches less.

    Empty when so little is observed anywhere that nothing can be said.
    """
    evidence = _gather(models, benchmarks, observations, copies or {}, suspected)
    if evidence is None:
        return []
    done = _completed(_tempered(evidence, registry), evidence, registry)
    rows = {model: i for i, model in enumerate(evidence.models)}
    asked = [rows[model] for model in models]
    mean = _without_level(done.mean, evidence, asked)
    done = replace(done, mean=mean)
    cells = ((i, j) for i in asked for j in range(len(benchmarks)))
    found = (_prediction(i, j, evidence, done) for i, j in cells)
    return [one for one in found if one is not None]


def _completed(values: NDArray[np.float64], evidence: _Evidence, registry: Registry) -> Completion:
    return complete(
        values,
        models=_facts(evidence.models, registry),
        benchmarks={"name": [f"{name} {protocol}" for name, protocol in evidence.columns]},
        bounds=(0.0, 1.0),
    )


def _tempered(evidence: _Evidence, registry: Registry) -> NDArray[np.float64]:
    """The scores, each that is doubted mixed with what the others say of its cell."""
    doubted = evidence.weights < 1
    if not doubted.any():
        return evidence.values
    others = np.where(doubted, np.nan, evidence.values)
    said = np.full(others.shape, 0.5)
    if np.isfinite(others).sum() >= LEAST_MODELS:
        said = _completed(others, evidence, registry).mean
    mixed = evidence.weights * evidence.values + (1 - evidence.weights) * said
    return np.where(doubted, mixed, evidence.values)


def _without_level(
    mean: NDArray[np.float64], evidence: _Evidence, asked: Sequence[int]
) -> NDArray[np.float64]:
    """The same with columns nobody was measured on moved to about 0.5 for the models asked for."""
    unseen = ~np.isfinite(evidence.values).any(axis=0)
    if not unseen.any():
        return mean
    moved = mean.copy()
    moved[:, unseen] += 0.5 - mean[list(asked)][:, unseen].mean(axis=0)
    return moved


def _prediction(i: int, j: int, evidence: _Evidence, done: Completion) -> Prediction | None:
    """What is said of one cell; None where the model's own score is known."""
    model, column = evidence.models[i], evidence.columns[j]
    if copied := evidence.lent.get((model, column)):
        return Prediction(
            model=model,
            benchmark=column[0],
            protocol=column[1],
            value=copied.value,
            low=copied.value if copied.low is None else copied.low,
            high=copied.value if copied.high is None else copied.high,
            trusted=True,
            basis=f"its copy {copied.model}, {copied.origin}",
            origin=Origin.INHERITED,
        )
    seen = np.isfinite(evidence.values)
    if seen[i, j]:
        return None
    of_model, of_column = int(seen[i].sum()), int(seen[:, j].sum())
    return Prediction(
        model=model,
        benchmark=column[0],
        protocol=column[1],
        value=float(np.clip(done.mean[i, j], 0, 1)),
        low=float(np.clip(done.low[i, j], 0, 1)) if of_column else 0.0,
        high=float(np.clip(done.high[i, j], 0, 1)) if of_column else 1.0,
        trusted=of_column > 0 and bool(done.trusted[i, j]),
        basis=_basis(of_model, of_column, column[0]),
    )


def _gather(
    models: Sequence[str],
    benchmarks: Mapping[str, str | None],
    observations: Iterable[Score],
    copies: Mapping[str, Sequence[str]],
    suspected: Sequence[Contamination],
) -> _Evidence | None:
    """The job's columns, then the most telling others; None when that is too little."""
    observed: dict[Column, dict[str, list[Score]]] = defaultdict(lambda: defaultdict(list))
    for score in observations:
        observed[score.benchmark, score.protocol][score.model].append(score)
    by_cover = sorted(observed, key=lambda column: (-len(observed[column]), column))
    observed = _best_known(observed, {*models, *(copy for of in copies.values() for copy in of)})
    most_used = dict(reversed(by_cover))
    job = [(name, protocol or most_used.get(name, "")) for name, protocol in benchmarks.items()]
    chosen = [*job, *_telling(set(models), job, observed)]
    measured = {model for column in chosen for model in observed.get(column, ())}
    rows = tuple(dict.fromkeys([*models, *sorted(measured)]))
    values, lent = np.full((len(rows), len(chosen)), np.nan), {}
    weights = np.ones(values.shape)
    for j, column in enumerate(chosen):
        scores = observed.get(column, {})
        for i, model in enumerate(rows):
            if found := scores.get(model):
                score = resolve(found)
            elif found := [one for copy in copies.get(model, ()) for one in scores.get(copy, ())]:
                score = lent[model, column] = resolve(found)
            else:
                continue
            values[i, j] = score.value
            if doubt := suspicion(score, suspected):
                weights[i, j] = doubt.weight
    if np.isfinite(values).sum() < LEAST_MODELS or min(values.shape) < 2:
        return None
    return _Evidence(rows, tuple(chosen), values, lent, weights)


def _telling(
    models: set[str], job: Sequence[Column], observed: Mapping[Column, Mapping[str, list[Score]]]
) -> list[Column]:
    """The columns to learn from, greedily: those that say something of models not heard of yet.

    A model counts for less each time it is heard of; one of ``models`` for ``ASKED_FOR`` times.
    """
    worth = {
        model: ASKED_FOR if model in models else 1.0
        for column in observed.values()
        for model in column
    }
    chosen: list[Column] = []
    left = {c for c, column in observed.items() if c not in job and len(column) >= LEAST_MODELS}
    room = MOST_CELLS - sum(len(observed.get(column, ())) for column in job)
    heard = [*job]
    while len(chosen) < MOST_COLUMNS:
        for model in (model for column in heard for model in observed.get(column, ())):
            worth[model] /= 2
        left = {column for column in left if len(observed[column]) <= room}
        gains = {column: sum(worth[model] for model in observed[column]) for column in left}
        best = max(left, key=lambda column: (gains[column], column), default=None)
        if best is None:
            break
        chosen.append(best)
        left.remove(best)
        room -= len(observed[best])
        heard = [best]
    return chosen


def _best_known(
    observed: Mapping[Column, Mapping[str, list[Score]]], asked_for: set[str]
) -> dict[Column, dict[str, list[Score]]]:
    """The same with at most ``MOST_MODELS`` a column: a leaderboard may have a hundred thousand."""
    known = Counter(model for column in observed.values() for model in column)
    return {
        name: dict(column)
        if len(column) <= MOST_MODELS
        else {
            model: column[model]
            for model in sorted(
                column, key=lambda model: (model not in asked_for, -known[model], model)
            )[:MOST_MODELS]
        }
        for name, column in observed.items()
    }


def _facts(names: Sequence[str], registry: Registry) -> Side:
    """What the registry knows of the models, a column a fact; missing is NaN or empty."""
    models = [registry.models.get(name) for name in names]
    return {
        "released": np.array([_year(m.released) if m else np.nan for m in models]),
        "size": np.array([np.log10(m.params) if m and m.params else np.nan for m in models]),
        "provider": [name.split("/")[0] for name in names],
        "architecture": [m.architecture if m else None for m in models],
        "base": [m.bases[0].parent if m and m.bases else None for m in models],
        "name": [name.split("/")[-1] for name in names],
    }


def _year(released: str | None) -> float:
    """A year with its fraction, from an ISO date, a month (its middle) or a year (its middle)."""
    if not released:
        return float("nan")
    try:
        day = date.fromisoformat(released + {4: "-07-01", 7: "-15"}.get(len(released), ""))
    except ValueError:
        return float("nan")
    return day.toordinal() / 365.25


def _basis(of_model: int, of_benchmark: int, benchmark: str) -> str:
    own = f"its own {of_model} known scores" if of_model else "its size, date, family and name"
    if not of_benchmark:
        return f"{own}; nobody was measured on {benchmark}, so only the order of models counts"
    return f"{own} and {of_benchmark} models measured on {benchmark}"
