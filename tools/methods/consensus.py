"""Consensus: a model is good where it agrees with the others, region by region of prompts.

The label-free rival to Smoothie, in the manner of CASCAL (Niu et al. 2026, arXiv 2601.09692):
prompts are clustered hierarchically into regions, and in each a model is rated by how far its
answers agree with the vote of the others, every vote weighed by its own rating. CASCAL votes on
multiple-choice answers; free text has no equal answers, so here the vote is the weighted mean of
the others' embeddings and agreement the cosine with it. As in ``smoothie``, relatives have no
vote on one another when ``clusters`` (families, from lineage) are given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.cluster.hierarchy import fcluster, ward

from tools.methods.cluster_router import region_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

ROUNDS = 5


@dataclass(frozen=True)
class Consensus:
    """r regions: their ``centres`` (r, p), and the ``rating`` (r, m) of each model in each."""

    centres: Floats
    rating: Floats

    def weights(self, prompts: ArrayLike) -> Floats:
        """(q, m) ratings in the region of each prompt (q, p), rows summing to 1; most is best."""
        rating = self.rating[region_of(np.asarray(prompts, dtype=np.float64), self.centres)]
        return np.asarray(rating / rating.sum(axis=1, keepdims=True))


def fit(
    prompts: ArrayLike,
    embeddings: ArrayLike,
    *,
    clusters: Sequence[object] | None = None,
    regions: int = 8,
) -> Consensus:
    """Rate m models by their answers to n prompts.

    Args:
        prompts: (n, p) embeddings of the prompts.
        embeddings: (n, m, d) of the answers; a row of NaN is a missing answer and has no vote.
        clusters: m labels; models with the same one have no vote on each other. With a single
            family they are ignored.
        regions: at most so many; each prompt counts in one.

    A model without an answer in a region takes its rating over all prompts there; one without
    any answer is rated 0. A model alone, or models that never answer together, rate alike.

    Raises:
        ValueError: shapes that don't fit, no prompt or model, no answer, values not finite.
    """
    known, answers = np.asarray(prompts, dtype=np.float64), _unit(embeddings)
    fits = known.ndim == 2 and len(known) == len(answers)
    _require(fits, "prompts must be a matrix with one row per prompt answered")
    _require(bool(np.isfinite(known).all()), "a prompt is not finite")
    _require(regions >= 1, "regions must be at least 1")
    voters = _voters(clusters, answers.shape[1])
    region = _regions(known, regions)
    everywhere = ratings(answers, voters)
    labels = np.unique(region)
    local = np.stack([ratings(answers[region == label], voters) for label in labels])
    rating = np.where(np.isnan(local), everywhere, local)
    return Consensus(
        np.stack([known[region == label].mean(axis=0) for label in labels]),
        _filled(rating, answers),
    )


def ratings(answers: Floats, voters: NDArray[np.bool_]) -> Floats:
    """(m,) agreement in [0, 1] of each model's unit answers (n, m, d) with its voters' mean.

    ``voters`` (m, m): who votes on whom. NaN for a model that never met a voter.
    """
    present = ~np.isnan(answers[:, :, 0])
    seen = np.where(present[:, :, None], answers, 0.0)
    gram = seen @ seen.transpose(0, 2, 1)
    rating = np.ones(answers.shape[1])
    for _ in range(ROUNDS):
        ballot = voters * np.nan_to_num(rating)
        towards = np.einsum("ij,nij->ni", ballot, gram)
        length = np.sqrt(np.maximum(np.einsum("ij,njk,ik->ni", ballot, gram, ballot), 0.0))
        met = present & (length > 0)
        cosine = np.divide(towards, length, out=np.zeros_like(towards), where=met)
        count = met.sum(axis=0)
        total = np.where(met, np.clip(cosine, 0.0, 1.0), 0.0).sum(axis=0)
        rating = np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)
    return rating


def _regions(prompts: Floats, regions: int) -> NDArray[np.int32]:
    if regions == 1 or len(prompts) == 1:
        return np.ones(len(prompts), dtype=np.int32)
    return np.asarray(fcluster(ward(prompts), regions, criterion="maxclust"), dtype=np.int32)


def _voters(clusters: Sequence[object] | None, m: int) -> NDArray[np.bool_]:
    if clusters is not None:
        _require(len(clusters) == m, f"{len(clusters)} cluster labels for {m} models")
        apart = np.array([[one != other for other in clusters] for one in clusters])
        if apart.any():
            return apart
    return ~np.eye(m, dtype=np.bool_)


def _filled(rating: Floats, answers: Floats) -> Floats:
    """No NaN: what never met a voter is alike, what never answered is 0."""
    answered = ~np.isnan(answers[:, :, 0]).all(axis=0)
    silent = np.isnan(rating)
    count = (~silent).sum(axis=1, keepdims=True)
    mean = np.where(silent, 0.0, rating).sum(axis=1, keepdims=True) / np.maximum(count, 1)
    usual = np.where(count > 0, mean, 1.0)
    filled = np.where(silent, usual, rating) * answered
    nothing = filled.sum(axis=1, keepdims=True) == 0
    return np.asarray(np.where(nothing, answered.astype(np.float64), filled))


def _unit(embeddings: ArrayLike) -> Floats:
    points = np.asarray(embeddings, dtype=np.float64)
    _require(points.ndim == 3, f"embeddings have shape {points.shape}, not (prompts, models, d)")
    _require(min(points.shape) > 0, f"embeddings of shape {points.shape} hold no prompt or model")
    _require(not np.isinf(points).any(), "an embedding is infinite")
    absent = np.isnan(points)
    _require(np.array_equal(absent.all(axis=2), absent.any(axis=2)), "an embedding is partly NaN")
    _require(not absent.all(), "no answer of any model is known")
    length = np.linalg.norm(points, axis=2, keepdims=True)
    return np.asarray(points / np.where(length > 0, length, 1.0))


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    topic = np.repeat([0, 1], 50)
    noise = np.array([[0.2, 1.5], [1.5, 0.2], [0.8, 0.8], [0.9, 0.9]])
    truth = rng.normal(size=(100, 1, 32))
    answers = truth + noise[:, topic].T[:, :, None] * rng.normal(size=(100, 4, 32))
    prompts = np.eye(2)[topic] + 0.1 * rng.normal(size=(100, 2))
    found = fit(prompts, answers, regions=2).weights(np.eye(2))
    for name, row in zip(("first topic", "second topic"), found, strict=True):
        print(f"{name:12} {np.round(row, 2)}  choose {row.argmax()}")  # noqa: T201
