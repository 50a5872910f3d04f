"""MTEB (CC0, 662 models x 1,555 tasks): half or nine tenths of the known cells hidden.

``complete`` beside column means, rank-2 least squares (Koren et al. 2009) and the nearest
models. It was developed on the cells hidden by seeds 100-103 of the same matrix, so many cells
met then are hidden again; ``SEED`` was first used when the predictor was done.
"""

from __future__ import annotations

import csv
import gzip
import math
import time
from typing import TYPE_CHECKING

import numpy as np

from evals.completion_benchpress import percent_bounds
from tools.methods.completion import complete
from tools.methods.least_squares import least_squares

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SEED = 2026


def mteb_matrix(folder: Path) -> Floats:
    """Main scores (M, B) in points, the mean over splits and revisions of one model and task."""
    cells: dict[tuple[str, str], list[float]] = {}
    with gzip.open(folder / "scores/mteb_cc0/scores_long.csv.gz", "rt") as file:
        for row in csv.DictReader(file):
            score = float(row["main_score_mean"] or "nan")
            if math.isfinite(score):
                cells.setdefault((row["model"], row["task"]), []).append(100 * score)
    models = {m: i for i, m in enumerate(sorted({m for m, _ in cells}))}
    tasks = {t: j for j, t in enumerate(sorted({t for _, t in cells}))}
    scores = np.full((len(models), len(tasks)), np.nan)
    for (m, t), values in cells.items():
        scores[models[m], tasks[t]] = np.mean(values)
    return scores


def mteb(scores: Floats, hidden_share: float, seed: int = SEED) -> dict[str, float]:
    """MedAE of each predictor, coverage and median width, seconds of ``complete``."""
    hidden = np.isfinite(scores) & (np.random.default_rng(seed).random(scores.shape) < hidden_share)
    known = np.where(hidden, np.nan, scores)
    rows, columns = np.isfinite(known).any(1), np.isfinite(known).any(0)
    known = known[np.ix_(rows, columns)]
    truth = np.where(hidden, scores, np.nan)[np.ix_(rows, columns)]
    target = np.isfinite(truth)
    began = time.perf_counter()
    done = complete(known, bounds=percent_bounds(known))
    spent = time.perf_counter() - began
    means = np.nanmean(known, 0)
    spread = np.maximum(np.nanstd(known, 0), 1.0)
    rank2 = means + spread * least_squares((known - means) / spread)
    found = {
        f"{name}medae": float(np.median(np.abs(values - truth)[target]))
        for name, values in {
            "": done.mean,
            "als_": rank2,
            "mean_": np.broadcast_to(means, known.shape),
            "knn_": nearest(known),
        }.items()
    }
    covered = ((done.low <= truth) & (truth <= done.high))[target]
    error, trusted = np.abs(done.mean - truth)[target], done.trusted[target]
    return found | {
        "coverage": float(covered.mean()),
        "width": float(np.median((done.high - done.low)[target])),
        "trusted_share": float(trusted.mean()),
        "trusted_medae": float(np.median(error[trusted])),
        "untrusted_medae": float(np.median(error[~trusted])),
        "seconds": spent,
    }


def nearest(known: Floats, k: int = 10) -> Floats:
    """Column mean plus the deviations of the ``k`` models most like this one, (M, B)."""
    means = np.nanmean(known, 0)
    seen = np.isfinite(known).astype(np.float64)
    away = np.where(seen > 0, known - means, 0.0)
    shared = seen @ seen.T
    distance = (away**2 @ seen.T + seen @ (away**2).T - 2 * away @ away.T) / np.maximum(shared, 1)
    likeness = np.where(shared >= 2, shared / (shared + 3) / (1 + distance), 0.0)
    np.fill_diagonal(likeness, 0.0)
    cut = np.partition(likeness, -k, axis=1)[:, -k]
    likeness[likeness < np.maximum(cut, 1e-9)[:, None]] = 0.0
    found: Floats = means + likeness @ away / np.maximum(likeness @ seen, 1e-6)
    return found


def cold_start(scores: Floats, known_scores: int, seed: int = SEED) -> float:
    """MedAE for a fifth of the models, each left with ``known_scores`` scores."""
    rng = np.random.default_rng(seed)
    new = rng.random(len(scores)) < 0.2
    order = np.where(np.isfinite(scores), rng.random(scores.shape), np.inf).argsort(1).argsort(1)
    hidden = np.isfinite(scores) & new[:, None] & (order >= known_scores)
    known = np.where(hidden, np.nan, scores)
    columns = np.isfinite(known).any(0)
    known = known[:, columns]
    done = complete(known, bounds=percent_bounds(known))
    return float(np.median(np.abs(done.mean - scores[:, columns])[hidden[:, columns]]))
