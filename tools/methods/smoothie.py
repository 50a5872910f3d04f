"""Smoothie: which model answers best, from the answers alone (Guha et al. 2024, NeurIPS).

Every answer's embedding is taken as the true answer's plus noise of the model's own size. For
three models whose noises are independent, mean squared distances D give that size exactly:

    δ_i = E‖λ_i - λ*‖² = ½ (D_ij + D_ik - D_jk),    θ_i = d / (2 δ_i)

and δ_i is averaged over all pairs (j, k). *Global* weights take D over all prompts, *local* ones
over a prompt's nearest prompts. Near copies of one model break the independence: they vote for
each other. Given ``clusters`` (families, from lineage) a triplet takes three different ones.

What the paper leaves open is settled so:

- **δ_i <= 0**, an estimate of a variance that came out impossible: it is raised to ``FLOOR`` of
  the prompt's mean distance, so such a model counts as very near the truth, and several share it.
- **No triplet**: with fewer than three families in the pool, families are ignored; with fewer than
  three models, all that answered weigh alike.
- **Identical answers**: all distances are 0 and all models weigh alike.
- **A missing answer** is a row of NaN: its triplets are left out, and a model without a triplet
  weighs 0. A prompt whose neighbours hold no triplet takes the global weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

FLOOR = 1e-3
ROUNDING = 1e-12


@dataclass(frozen=True)
class Smoothie:
    """Fitted to n prompts (n, p) of which the answers of m models are known."""

    prompts: Floats
    distances: Floats
    clusters: Sequence[object] | None
    k: int | None

    def weights(self, prompts: ArrayLike) -> Floats:
        """(q, m) weights for q new prompts (q, p), each from the ``k`` nearest prompts known."""
        queries = np.asarray(prompts, dtype=np.float64)
        near = None if self.k is None else nearest(queries, self.prompts, self.k)
        found = from_distances(self.distances, clusters=self.clusters, neighbours=near)
        return found if near is not None else np.repeat(found[:1], len(queries), axis=0)


def fit(
    prompts: ArrayLike,
    embeddings: ArrayLike,
    *,
    clusters: Sequence[object] | None = None,
    k: int | None = None,
) -> Smoothie:
    """Keep what routing new prompts needs; global without ``k``. Raises as ``weights`` does."""
    distances = squared_distances(embeddings)
    known = np.asarray(prompts, dtype=np.float64)
    _require(known.ndim == 2 and len(known) == len(distances), "prompts and embeddings don't fit")
    _families(clusters, distances.shape[1])
    return Smoothie(known, distances, clusters, k)


def weights(
    embeddings: ArrayLike,
    *,
    clusters: Sequence[object] | None = None,
    neighbours: ArrayLike | None = None,
) -> Floats:
    """How far to trust each model on each prompt: (n, m), rows summing to 1.

    Args:
        embeddings: (n prompts, m models, d) of the answers; a row of NaN is a missing answer.
        clusters: m labels; triplets take models of three different ones.
        neighbours: (n, k) rows of the prompts that count for each prompt, itself among them
            (``nearest``): Smoothie-Local. Without it all count: Smoothie-Global.

    Raises:
        ValueError: a wrong shape, no model or prompt, infinite or partly missing embeddings, or
            labels or neighbours that don't fit, or no answer at all.
    """
    return from_distances(squared_distances(embeddings), clusters=clusters, neighbours=neighbours)


def squared_distances(embeddings: ArrayLike) -> Floats:
    """(n, m, d) -> (n, m, m) squared Euclidean distances; NaN where an answer is missing."""
    points = np.asarray(embeddings)
    _require(points.ndim == 3, f"embeddings have shape {points.shape}, not (prompts, models, d)")
    _require(min(points.shape) > 0, f"embeddings of shape {points.shape} hold no prompt or model")
    points = points.astype(np.float64)
    _require(not np.isinf(points).any(), "an embedding is infinite")
    absent = np.isnan(points)
    missing = absent.all(axis=2)
    _require(np.array_equal(missing, absent.any(axis=2)), "an embedding is partly NaN")
    points[missing] = 0.0
    norms = np.einsum("nmd,nmd->nm", points, points)
    gram = points @ points.transpose(0, 2, 1)
    scale = norms[:, :, None] + norms[:, None, :]
    distances: Floats = scale - 2 * gram
    distances[distances < ROUNDING * scale] = 0.0
    distances[missing[:, :, None] | missing[:, None, :]] = np.nan
    return distances


def from_distances(
    distances: Floats,
    *,
    clusters: Sequence[object] | None = None,
    neighbours: ArrayLike | None = None,
) -> Floats:
    """``weights`` from (n, m, m) ``squared_distances``, so that pools can share them."""
    n, m, _ = distances.shape
    family = _families(clusters, m)
    everywhere = _normalized(_mean(distances)[None], family)
    if not everywhere.any():
        present = ~np.isnan(np.diagonal(distances, axis1=1, axis2=2)).all(axis=0)
        _require(bool(present.any()), "no answer of any model is known")
        everywhere = (present / present.sum())[None]
    if neighbours is None:
        return np.repeat(everywhere, n, axis=0)
    near = np.asarray(neighbours)
    _require(near.ndim == 2 and near.shape[1] > 0, "neighbours are (n, k) with at least one each")
    _require(near.dtype.kind in "iu", "neighbours are row numbers")
    _require(near.size == 0 or (near.min() >= 0 and near.max() < n), "a neighbour is not a prompt")
    local = _normalized(np.stack([_mean(distances[rows]) for rows in near]), family)
    silent = local.sum(axis=1) == 0
    local[silent] = everywhere
    return local


def differences(distances: Floats, family: NDArray[np.intp]) -> Floats:
    """δ (n, m) averaged over triplets of three families; NaN where a model has no triplet.

    With V_ij = 1 when i and j differ in family and D_ij is known, the sum over all (j, k) of
    D_ij + D_ik - D_jk is a product of matrices: no triplet is ever listed.
    """
    known = ~np.isnan(distances)
    apart = ((family[:, None] != family[None, :]) & known).astype(np.float64)
    spread = np.where(apart > 0, distances, 0.0)
    thirds = apart * (apart @ apart)
    count = thirds.sum(axis=2)
    to_others = (spread * thirds).sum(axis=2)
    among_others = ((apart @ spread) * apart).sum(axis=2)
    total = to_others - among_others / 2
    delta: Floats = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
    return delta


def nearest(queries: ArrayLike, prompts: ArrayLike, k: int) -> NDArray[np.intp]:
    """(q, k) rows of ``prompts`` (n, p) nearest to each query (q, p) by cosine, nearest first."""
    left, right = (np.asarray(rows, dtype=np.float64) for rows in (queries, prompts))
    _require(left.ndim == right.ndim == 2, "queries and prompts are matrices")
    _require(1 <= k <= len(right), f"k must lie between 1 and {len(right)}, not {k}")
    _require(bool(np.isfinite(left).all() and np.isfinite(right).all()), "a prompt is not finite")
    length = np.linalg.norm(right, axis=1)
    cosines = left @ (right / np.where(length > 0, length, 1.0)[:, None]).T
    return np.argsort(-cosines, axis=1, kind="stable")[:, :k]


def _normalized(distances: Floats, family: NDArray[np.intp]) -> Floats:
    """θ scaled to sum to 1 per row; all 0 where there is no triplet."""
    delta = differences(distances, family)
    floor = FLOOR * _mean(distances.reshape(len(distances), -1).T)[:, None]
    raised = np.fmax(delta, np.where(floor > 0, floor, 1.0))
    precision = np.where(np.isnan(delta), 0.0, 1.0 / raised)
    total = precision.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(precision, total, out=np.zeros_like(precision), where=total > 0))


def _mean(values: Floats) -> Floats:
    """Mean along the first axis over what is known; NaN where nothing is."""
    known = ~np.isnan(values)
    count = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.asarray(np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0))


def _families(clusters: Sequence[object] | None, m: int) -> NDArray[np.intp]:
    """A number per family; every model its own when fewer than three families are given."""
    if clusters is None:
        return np.arange(m)
    _require(len(clusters) == m, f"{len(clusters)} cluster labels for {m} models")
    numbers: dict[object, int] = {}
    family = np.array([numbers.setdefault(label, len(numbers)) for label in clusters])
    return family if len(numbers) > 2 else np.arange(m)


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    noise = {"good": 0.3, "fair": 0.6, "other": 0.8, "weak": 1.2, "weak copy": 1.2, "third": 1.2}
    truth = rng.normal(size=(200, 1, 64))
    answers = truth + np.array(list(noise.values()))[:, None] * rng.normal(size=(200, 6, 64))
    shared = answers[:, 3:4] + 0.1 * rng.normal(size=(200, 3, 64))
    answers[:, 3:] = shared
    plain = weights(answers)[0]
    apart = weights(answers, clusters=["a", "b", "c", "w", "w", "w"])[0]
    print("three near copies of a weak model vote for each other")  # noqa: T201
    for i, name in enumerate(noise):
        print(f"{name:10} plain {plain[i]:.2f}   different families {apart[i]:.2f}")  # noqa: T201
