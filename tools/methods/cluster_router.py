"""A router for when labels exist: regions of prompts, and each model's mean score in each.

In the manner of Avengers (Zhang et al. 2025, arXiv 2505.19797): k-means on prompt embeddings, the
best model per region. Three things are added. A region's mean is drawn towards the model's mean
everywhere, as if ``prior`` more prompts had scored that, so that a small region says little. A
price may weigh against a score. And the number of regions is chosen by cross-validation with 1
among the candidates, which is the best single model: where routing doesn't help, there is none.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.cluster.vq import kmeans2

from tools.methods.routing import choose

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ClusterRouter:
    """r regions: their ``centres`` (r, p), and ``value`` (r, m) of each model, price deducted."""

    centres: Floats
    value: Floats

    def weights(self, prompts: ArrayLike) -> Floats:
        """(q, m): the value of each model in the region of each prompt (q, p); most is best."""
        return np.asarray(self.value[region_of(_rows(prompts), self.centres)])


def fit(
    prompts: ArrayLike,
    scores: ArrayLike,
    *,
    regions: int = 32,
    prior: float = 10.0,
    costs: ArrayLike | None = None,
    cost_weight: float = 0.0,
    seed: int = 0,
) -> ClusterRouter:
    """Learn from n prompts that were scored.

    Args:
        prompts: (n, p) embeddings.
        scores: (n, m), more is better; NaN where a model was not scored. A model nobody scored
            has value NaN and must not be chosen.
        regions: at most so many; 1 is the best single model.
        prior: prompts' worth of the model's overall mean added to each region.
        costs: (m,) price per prompt in any unit, not negative.
        cost_weight: score points given up per unit of price.
        seed: of k-means++ starts; the same seed gives the same regions.

    Raises:
        ValueError: shapes that don't fit, no prompt, prompts that are not finite, nothing scored.
    """
    known_prompts, known_scores = _rows(prompts), np.asarray(scores, dtype=np.float64)
    fits = known_scores.ndim == 2 and len(known_scores) == len(known_prompts)
    _require(fits, "scores must have one row per prompt")
    _require(not np.isnan(known_scores).all(), "no score is known")
    _require(regions >= 1 and prior >= 0, "regions must be at least 1 and prior not negative")
    price = _prices(costs, known_scores.shape[1])
    centres = prompt_regions(known_prompts, regions, seed)
    region = region_of(known_prompts, centres)
    value = _region_means(known_scores, region, len(centres), prior)
    return ClusterRouter(centres, value - cost_weight * price)


def fit_best(
    prompts: ArrayLike,
    scores: ArrayLike,
    *,
    candidates: Sequence[int] = (1, 8, 16, 32, 64, 128),
    folds: int = 5,
    prior: float = 10.0,
    costs: ArrayLike | None = None,
    cost_weight: float = 0.0,
    seed: int = 0,
) -> ClusterRouter:
    """``fit`` with the number of regions that does best on folds held out, fewest on a tie."""
    known_prompts, known_scores = _rows(prompts), np.asarray(scores, dtype=np.float64)
    _require(bool(candidates), "no number of regions to choose from")
    _require(2 <= folds <= len(known_prompts), f"folds must lie between 2 and {len(known_prompts)}")
    price = cost_weight * _prices(costs, known_scores.shape[1])
    fold = np.random.default_rng(seed).permutation(len(known_prompts)) % folds

    def held_out(regions: int) -> float:
        gained = []
        for i in range(folds):
            out = fold == i
            router = fit(
                known_prompts[~out],
                known_scores[~out],
                regions=regions,
                prior=prior,
                costs=costs,
                cost_weight=cost_weight,
                seed=seed,
            )
            chosen = choose(router.weights(known_prompts[out]))
            gained.append((known_scores[out] - price)[np.arange(out.sum()), chosen])
        held = np.concatenate(gained)
        return float(np.nanmean(held)) if np.isfinite(held).any() else -np.inf

    best = max(sorted(set(candidates)), key=held_out)
    return fit(
        known_prompts,
        known_scores,
        regions=best,
        prior=prior,
        costs=costs,
        cost_weight=cost_weight,
        seed=seed,
    )


def prompt_regions(prompts: Floats, regions: int, seed: int = 0) -> Floats:
    """(r, p) k-means centres of (n, p) prompts, r <= ``regions``; empty regions are dropped."""
    k = min(regions, len(np.unique(prompts, axis=0)))
    if k == 1:
        return np.asarray(prompts.mean(axis=0, keepdims=True))
    rng = np.random.default_rng(seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "One of the clusters is empty")  # dropped below
        centres, region = kmeans2(prompts, k, iter=20, minit="++", rng=rng)
    return np.asarray(centres[np.unique(region)], dtype=np.float64)


def region_of(prompts: Floats, centres: Floats) -> NDArray[np.intp]:
    """(n,) the nearest centre to each prompt, by Euclidean distance."""
    fits = prompts.shape[1] == centres.shape[1]
    _require(fits, f"prompts have {prompts.shape[1]} dimensions, not {centres.shape[1]}")
    return np.asarray(np.argmin((centres**2).sum(axis=1) - 2 * prompts @ centres.T, axis=1))


def _region_means(scores: Floats, region: NDArray[np.intp], regions: int, prior: float) -> Floats:
    known = ~np.isnan(scores)
    filled = np.where(known, scores, 0.0)
    count = known.sum(axis=0)
    overall = np.divide(filled.sum(axis=0), count, out=np.full(len(count), np.nan), where=count > 0)
    total = np.zeros((regions, scores.shape[1]))
    seen = np.zeros_like(total)
    np.add.at(total, region, filled)
    np.add.at(seen, region, known)
    weight = seen + prior
    drawn = total + prior * overall
    return np.asarray(np.where(weight > 0, drawn / np.where(weight > 0, weight, 1.0), overall))


def _prices(costs: ArrayLike | None, m: int) -> Floats:
    if costs is None:
        return np.zeros(m)
    prices = np.asarray(costs, dtype=np.float64)
    _require(prices.shape == (m,), f"costs have shape {prices.shape}, not ({m},)")
    _require(bool(np.all(np.isfinite(prices) & (prices >= 0))), "a cost is negative or unknown")
    return prices


def _rows(prompts: ArrayLike) -> Floats:
    rows = np.asarray(prompts, dtype=np.float64)
    _require(rows.ndim == 2 and rows.size > 0, "prompts must be a matrix (n, p) with a row")
    _require(bool(np.isfinite(rows).all()), "a prompt is not finite")
    return rows


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    topic = rng.integers(2, size=400)
    prompts = np.eye(2)[topic] + 0.1 * rng.normal(size=(400, 2))
    right = np.stack([np.where(topic == 0, 0.9, 0.3), np.where(topic == 0, 0.5, 0.7)], axis=1)
    scores = (rng.random((400, 2)) < right).astype(float)
    for price in (0.0, 1.0):
        router = fit_best(prompts, scores, candidates=(1, 2), costs=[0.0, 0.5], cost_weight=price)
        chosen = choose(router.weights(np.eye(2)))
        print(f"cost weight {price}: {len(router.centres)} region(s), choose {chosen}")  # noqa: T201
