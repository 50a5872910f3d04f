"""How well missing scores are predicted: BenchPress' official folds, MTEB, five probes.

    python -m evals.completion --data DIR [--folds 30] [--ablation] --json

The last line is one JSON object. Errors are in points (hundredths of a bounded scale, raw units
elsewhere). Only training cells reach ``complete``: the bounds too are read off them.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import math
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tools.methods.completion import Completion, complete
from tools.methods.least_squares import least_squares

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]
    Side = dict[str, ArrayLike | Sequence[str | None]]

WITHIN = 5.0
LEVEL_OF_REFERENCE = {"medae": 4.60, "medape": 7.8, "coverage": 0.899, "width": 27.2}


@dataclass(frozen=True)
class Table:
    """A real score matrix (M, B) and what is known of its rows and columns."""

    scores: Floats
    models: Side
    benchmarks: Side


# ---- BenchPress


def benchpress_table(folder: Path) -> Table:
    """The 84 x 133 cited scores. Predictions the file also holds are not read."""
    with gzip.open(folder / "scores/benchpress/website_data.json.gz", "rt") as file:
        raw = json.load(file)
    scores = np.array(
        [[np.nan if v is None else v for v in row] for row in raw["observed"]], dtype=np.float64
    )
    settings = [m["canonical_setting"] or {} for m in raw["models"]]
    models: Side = {
        "id": [m["id"] for m in raw["models"]],
        "name": [m["name"] for m in raw["models"]],
        "provider": [m["provider"] for m in raw["models"]],
        "release_date": np.array([_year(m["release_date"]) for m in raw["models"]]),
        "thinking": np.array([s.get("mode") == "thinking" for s in settings]),
    }
    names = [b["name"] for b in raw["benchmarks"]]
    return Table(scores, models, {"id": [b["id"] for b in raw["benchmarks"]], "name": names})


def _year(released: str) -> float:
    """Years, from a date, a month (its middle) or a quarter or year alone (its middle)."""
    day = {4: "-07-01", 7: "-15"}.get(len(released), "")
    try:
        return date.fromisoformat(released + day).toordinal() / 365.25
    except ValueError:
        return _year(released[:4])


def percent_bounds(known: Floats) -> list[tuple[float, float] | None]:
    """0-100 for the columns whose known scores lie there; none for the others."""
    inside = (np.nanmin(known, 0) >= 0) & (np.nanmax(known, 0) <= 100)
    return [(0.0, 100.0) if i else None for i in inside]


def folds(folder: Path, shape: tuple[int, ...]) -> Iterator[Bools]:
    """The 30 official masks (M, B) of test cells."""
    with gzip.open(folder / "scores/benchpress/folds_s10_f3_bs42_ms1.json.gz", "rt") as file:
        for fold in json.load(file)["folds"]:
            mask = np.zeros(shape, dtype=bool)
            mask[tuple(np.array(fold["test_cells"]).T)] = True
            yield mask


def benchpress(table: Table, masks: Sequence[Bools]) -> dict[str, float]:
    """Errors, coverage and median width over the test cells of all folds; seconds a fold."""
    rows: list[Floats] = []
    spent = 0.0
    for mask in masks:
        known = np.where(mask, np.nan, table.scores)
        began = time.perf_counter()
        done = complete(
            known, models=table.models, benchmarks=table.benchmarks, bounds=percent_bounds(known)
        )
        spent += time.perf_counter() - began
        rows.append(np.stack(_judged(done, table.scores, mask), axis=1))
    error, relative, covered, width, trusted = np.concatenate(rows).T
    use = trusted > 0
    return {
        "medae": float(np.median(error)),
        "medape": float(np.median(relative)),
        "within5": float(np.mean(error <= WITHIN)),
        "coverage": float(covered.mean()),
        "width": float(np.median(width)),
        "seconds": spent / len(masks),
        "trusted_share": float(use.mean()),
        "trusted_medae": float(np.median(error[use])),
        "untrusted_medae": float(np.median(error[~use])),
        "cells": len(error),
    }


def _judged(done: Completion, truth: Floats, mask: Bools) -> tuple[Floats, ...]:
    t, mean, low, high = (x[mask] for x in (truth, done.mean, done.low, done.high))
    error = np.abs(mean - t)
    relative = 100 * error / np.maximum(np.abs(t), 1e-9)
    covered = ((low <= t) & (t <= high)).astype(np.float64)
    return error, relative, covered, high - low, done.trusted[mask].astype(np.float64)


def ablation(table: Table, masks: Sequence[Bools]) -> dict[str, float]:
    """MedAE with each kind of side information left out, and with none."""
    lacking = {f"no model {k}": (k, "") for k in table.models if k != "id"}
    lacking |= {f"no benchmark {k}": ("", k) for k in table.benchmarks if k != "id"}
    found = {"all": benchpress(table, masks)["medae"]}
    for label, (of_model, of_benchmark) in lacking.items():
        models = {k: v for k, v in table.models.items() if k != of_model}
        benchmarks = {k: v for k, v in table.benchmarks.items() if k != of_benchmark}
        part = Table(table.scores, models, benchmarks)
        found[label] = benchpress(part, masks)["medae"]
    found["none"] = benchpress(Table(table.scores, {}, {}), masks)["medae"]
    return found


def five_probe(table: Table, parts: int = 6, probes: int = 5, seed: int = 0) -> dict[str, float]:
    """New models known by at most five benchmarks, chosen on the other models.

    Candidates are known for half of the models. Also the share of pairs of models, within a
    benchmark and both predicted, that keep their order.
    """
    part = np.random.default_rng(seed).permutation(len(table.scores)) % parts
    predicted = np.full(table.scores.shape, np.nan)
    for k in range(parts):
        new = part == k
        kept = _probes(np.where(new[:, None], np.nan, table.scores), probes)
        hidden = new[:, None] & ~np.isin(np.arange(table.scores.shape[1]), kept)
        known = np.where(hidden, np.nan, table.scores)
        done = complete(
            known, models=table.models, benchmarks=table.benchmarks, bounds=percent_bounds(known)
        )
        predicted[hidden] = done.mean[hidden]
    error = np.abs(predicted - table.scores)
    return {"medae": float(np.nanmedian(error)), "order": _order_kept(predicted, table.scores)}


def _probes(known: Floats, n: int) -> list[int]:
    """Greedy: the benchmark that explains most of what is left of all benchmarks' variance."""
    share = np.isfinite(known).sum(0) / np.isfinite(known).any(1).sum()
    ranked = (known - np.nanmean(known, 0)) / np.maximum(np.nanstd(known, 0), 1e-9)
    filled = least_squares(ranked)[np.isfinite(known).any(1)]
    left = np.cov(filled.T)
    chosen: list[int] = []
    for _ in range(n):
        gain = (left**2).sum(0) / (np.diag(left) + 0.1)
        gain[chosen] = -1
        best = int(np.argmax(np.where(share >= 0.5, gain, -1)))
        left = left - np.outer(left[:, best], left[best]) / (left[best, best] + 0.1)
        chosen.append(best)
    return chosen


def _order_kept(predicted: Floats, truth: Floats) -> float:
    kept = total = 0
    for p, t in zip(predicted.T, truth.T, strict=True):
        use = np.isfinite(p) & np.isfinite(t)
        up, real = (np.sign(x[use][:, None] - x[use]) for x in (p, t))
        different = np.triu(real) != 0
        kept += int((up == real)[different].sum())
        total += int(different.sum())
    return kept / max(total, 1)


# ---- MTEB


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


def mteb(scores: Floats, hidden_share: float, seed: int = 0) -> dict[str, float]:
    """``complete`` beside column means, rank-2 least squares and k nearest models."""
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
    covered = (done.low <= truth) & (truth <= done.high)
    found = {
        f"{name}medae": float(np.median(np.abs(values - truth)[target]))
        for name, values in {
            "": done.mean,
            "als_": rank2,
            "mean_": np.broadcast_to(means, known.shape),
            "knn_": nearest(known),
        }.items()
    }
    width = float(np.median((done.high - done.low)[target]))
    return found | {"coverage": float(covered[target].mean()), "width": width, "seconds": spent}


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


def cold_start(scores: Floats, known_scores: int, seed: int = 0) -> float:
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


# ---- command


def measure(folder: Path, n_folds: int, *, ablate: bool) -> dict[str, object]:
    """All figures, as printed."""
    table = benchpress_table(folder)
    masks = list(folds(folder, table.scores.shape))[:n_folds]
    probes = five_probe(table)
    embeddings = mteb_matrix(folder)
    found: dict[str, object] = {
        "benchpress": benchpress(table, masks),
        "mteb": {"half": mteb(embeddings, 0.5), "tenth": mteb(embeddings, 0.9)},
        "mteb_cold_start": {str(k): cold_start(embeddings, k) for k in (0, 1, 3, 5)},
        "five_probe_medae": probes["medae"],
        "five_probe_order_kept": probes["order"],
        "reference": LEVEL_OF_REFERENCE,
    }
    if ablate:
        found["ablation_medae"] = ablation(table, masks[::5])
    return found


def main() -> None:
    """Print the figures as one JSON line, or indented without ``--json``."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--folds", type=int, default=30)
    parser.add_argument("--ablation", action="store_true")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    found = measure(args.data, args.folds, ablate=args.ablation)
    print(json.dumps(found, indent=None if args.json else 2))


if __name__ == "__main__":
    main()
