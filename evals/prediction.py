"""How well ``tools.scores.prediction`` places models and benchmarks nobody measured.

    python -m evals.prediction [--jobs 24] --json

Runs on the bundled scores and registry alone. A job is four benchmarks drawn at random among
the well-covered ones. Cold models: in each of four folds a quarter of the models lose every
score they have. Cold benchmarks: the job's own columns lose every score. Rank correlations are
Spearman's over the models of one benchmark; errors are in points.

Nothing was chosen on these figures but to predict at all: the settings of the method come from
``evals.completion``.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import bootstrap, spearmanr

from memory.registry import Registry
from memory.scores import BUNDLED, resolve
from tools.scores.prediction import predict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from memory.records import Prediction, Score

Column = tuple[str, str]
JOB, FOLDS, LEAST_MODELS = 4, 4, 20


@dataclass(frozen=True)
class Judged:
    """Predictions of one benchmark beside the truth, and the mean of the scores left to see."""

    predicted: list[Prediction]
    truth: list[float]
    column_mean: float | None = None

    @property
    def correlation(self) -> float:
        """Spearman's, over the models."""
        return float(spearmanr([one.value for one in self.predicted], self.truth).statistic)


def jobs(scores: Sequence[Score], n: int, seed: int) -> Iterator[list[Column]]:
    """``n`` draws of columns, one a benchmark, each known for at least ``LEAST_MODELS`` models."""
    models: dict[Column, set[str]] = defaultdict(set)
    for score in scores:
        models[score.benchmark, score.protocol].add(score.model)
    widest: dict[str, Column] = {}
    for column in sorted(models, key=lambda column: (len(models[column]), column)):
        if len(models[column]) >= LEAST_MODELS:
            widest[column[0]] = column
    columns = sorted(widest.values())
    rng = np.random.default_rng(seed)
    for _ in range(n):
        yield [columns[i] for i in rng.choice(len(columns), JOB, replace=False)]


def cold_models(job: Sequence[Column], scores: Sequence[Score], registry: Registry) -> list[Judged]:
    """Each benchmark's models predicted from what other models scored."""
    truth = _truth(job, scores)
    models = sorted({model for found in truth.values() for model in found})
    part = np.random.default_rng(len(models)).permutation(len(models)) % FOLDS
    found: dict[Column, list[Prediction]] = defaultdict(list)
    for k in range(FOLDS):
        hidden = {model for model, p in zip(models, part, strict=True) if p == k}
        left = [score for score in scores if score.model not in hidden]
        for one in predict(sorted(hidden), dict(job), left, registry):
            if one.model in truth[one.benchmark, one.protocol]:
                found[one.benchmark, one.protocol].append(one)
    return [
        Judged(
            found[column],
            [truth[column][one.model] for one in found[column]],
            float(np.mean(list(truth[column].values()))),
        )
        for column in job
    ]


def cold_benchmarks(
    job: Sequence[Column], scores: Sequence[Score], registry: Registry
) -> list[Judged]:
    """Each benchmark's models predicted with every score of the job's benchmarks hidden."""
    truth = _truth(job, scores)
    names = {name for name, _ in job}
    left = [score for score in scores if score.benchmark not in names]
    models = sorted({model for found in truth.values() for model in found})
    found: dict[str, list[Prediction]] = defaultdict(list)
    for one in predict(models, dict(job), left, registry):
        found[one.benchmark].append(one)
    judged = []
    for column in job:
        known = [one for one in found[column[0]] if one.model in truth[column]]
        judged.append(Judged(known, [truth[column][one.model] for one in known]))
    return judged


def _truth(job: Sequence[Column], scores: Sequence[Score]) -> dict[Column, dict[str, float]]:
    cells: dict[Column, dict[str, list[Score]]] = {column: defaultdict(list) for column in job}
    for score in scores:
        if (score.benchmark, score.protocol) in cells:
            cells[score.benchmark, score.protocol][score.model].append(score)
    return {
        column: {model: resolve(seen).value for model, seen in found.items()}
        for column, found in cells.items()
    }


def measure(n: int, seed: int = 0) -> dict[str, object]:
    """All figures, as printed."""
    scores, registry = BUNDLED.find(), Registry.load()
    drawn = list(jobs(scores, n, seed))
    models = [one for job in drawn for one in cold_models(job, scores, registry)]
    benchmarks = [one for job in drawn for one in cold_benchmarks(job, scores, registry)]
    error = [abs(p.value - t) for one in models for p, t in _pairs(one)]
    of_mean = [abs((one.column_mean or 0.0) - t) for one in models for _, t in _pairs(one)]
    covered = [p.low <= t <= p.high for one in models for p, t in _pairs(one)]
    width = [p.high - p.low for one in models for p, _ in _pairs(one)]
    return {
        "jobs": len(drawn),
        "cold_models": {
            **_correlations(models),
            "medae": 100 * float(np.median(error)),
            "column_mean_medae": 100 * float(np.median(of_mean)),
            "coverage": float(np.mean(covered)),
            "width": 100 * float(np.median(width)),
            "cells": len(error),
        },
        "cold_benchmarks": _correlations(benchmarks),
    }


def _pairs(one: Judged) -> Iterator[tuple[Prediction, float]]:
    return zip(one.predicted, one.truth, strict=True)


def _correlations(judged: Sequence[Judged]) -> dict[str, float]:
    """Their median with a 90 % bootstrap interval over benchmarks."""
    found = np.array([one.correlation for one in judged])
    found = found[np.isfinite(found)]
    again = bootstrap(
        (found,), np.median, confidence_level=0.9, method="percentile", rng=0
    ).confidence_interval
    return {
        "rank_correlation": float(np.median(found)),
        "rank_correlation_low": float(again.low),
        "rank_correlation_high": float(again.high),
    }


def main() -> None:
    """Print the figures as one JSON line, or indented without ``--json``."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--jobs", type=int, default=24)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    print(json.dumps(measure(args.jobs), indent=None if args.json else 2))


if __name__ == "__main__":
    main()
