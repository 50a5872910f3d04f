"""Selection: which models to recommend, exactly (RELM Eq. 1).

Eq. 1 maximises, over subsets S of the models,

    β Σ_{i in S} s_i - (1 - β) |S|,    s_i = α σ_model(i) + (1 - α) Σ_j σ_bench(j) P_ij

The objective is a sum over the members of S, so it separates: a model belongs to S* when its
own term is positive, β s_i > 1 - β, and a cap keeps the largest terms. No search is needed.

Eq. 1 says nothing of missing P_ij. Here a missing cell takes the mean of the known cells of
its column (``prior`` where a column has none), so a model's benchmark term is its own scores in
proportion to the weight that is known and the pool's average for the rest: a model nobody
measured is neither zero nor full. A cell that is believed by half counts half, and for the other
half as if it were missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Selection:
    """S* and what led to it, for m models.

    ``s``, ``benchmark_term``, ``known_share``: (m,) in [0, 1]; ``known_share`` is the part of
    the benchmark weight whose P_ij is known. ``chosen``: indices of S*, largest s first.
    """

    s: NDArray[np.float64]
    benchmark_term: NDArray[np.float64]
    known_share: NDArray[np.float64]
    chosen: NDArray[np.intp]


def select(
    sigma_model: ArrayLike,
    sigma_bench: ArrayLike,
    scores: ArrayLike,
    *,
    alpha: float = 0.5,
    beta: float = 0.9,
    k: int = 10,
    prior: float = 0.5,
    belief: ArrayLike | None = None,
) -> Selection:
    """S* of RELM Eq. 1 with at most ``k`` members.

    Args:
        sigma_model: (m,) relevance of each model in [0, 1].
        sigma_bench: (b,) weight of each benchmark, not negative; scaled to sum to 1. With no
            benchmark the second sum of Eq. 1 is empty and its term 0.
        scores: (m, b) P_ij in [0, 1]; NaN where it is not known.
        alpha: weight of relevance against benchmarks, in [0, 1].
        beta: exploration (low) against exploitation (high), in [0, 1]; a model is in S* when
            s > (1 - beta) / beta.
        k: the most models to choose. The paper fixes 10.
        prior: stands for the cells of a column in which nothing is known, in [0, 1].
        belief: (m, b) in [0, 1], how far each P_ij is believed; None: all of them wholly.

    Raises:
        ValueError: shapes that don't fit, or values outside their range.
    """
    sigma, weights, cells = _checked(sigma_model, sigma_bench, scores)
    for name, value in (("alpha", alpha), ("beta", beta), ("prior", prior)):
        _require(0.0 <= value <= 1.0, f"{name} must lie in [0, 1], not {value}")
    _require(k >= 0, f"k must not be negative, not {k}")
    known = ~np.isnan(cells)
    known_share = known @ weights
    means = _column_means(cells, known, prior)
    filled = np.where(known, cells, means)
    if belief is not None:
        share = np.asarray(belief, dtype=np.float64).reshape(cells.shape)
        _require(bool(np.all((share >= 0) & (share <= 1))), "belief must lie in [0, 1]")
        filled = share * filled + (1 - share) * means
    benchmark_term = filled @ weights
    s = alpha * sigma + (1 - alpha) * benchmark_term
    order = np.argsort(-s, kind="stable")
    chosen = order[beta * s[order] > 1 - beta][:k]
    return Selection(s, benchmark_term, known_share, chosen)


def _column_means(
    cells: NDArray[np.float64], known: NDArray[np.bool_], prior: float
) -> NDArray[np.float64]:
    count = known.sum(axis=0)
    total = np.where(known, cells, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), prior)


def _checked(
    sigma_model: ArrayLike, sigma_bench: ArrayLike, scores: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    sigma = np.asarray(sigma_model, dtype=np.float64)
    weights = np.asarray(sigma_bench, dtype=np.float64)
    _require(sigma.ndim == 1 and weights.ndim == 1, "sigma_model and sigma_bench are vectors")
    cells = np.asarray(scores, dtype=np.float64)
    if cells.size == 0:
        cells = cells.reshape(sigma.size, weights.size)
    expected = (sigma.size, weights.size)
    _require(cells.shape == expected, f"scores have shape {cells.shape}, not {expected}")
    _require(bool(np.all((sigma >= 0) & (sigma <= 1))), "sigma_model must lie in [0, 1]")
    _require(bool(np.all(np.isfinite(weights) & (weights >= 0))), "a weight is negative or NaN")
    _require(not np.any((cells < 0) | (cells > 1)), "scores must lie in [0, 1] or be NaN")
    if weights.size:
        _require(weights.sum() > 0, "every benchmark has weight 0")
        weights = weights / weights.sum()
    return sigma, weights, cells


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


if __name__ == "__main__":
    models = ["specialist", "generalist", "newcomer", "weak"]
    nan = float("nan")
    result = select(
        [0.8, 0.4, 0.7, 0.1], [0.7, 0.3], [[0.7, nan], [0.6, 0.8], [nan, nan], [0.0, 0.1]]
    )
    print("RELM Eq. 1 with alpha 0.5, beta 0.9: chosen when s > 0.11")  # noqa: T201
    for i, name in enumerate(models):
        place = "chosen" if i in result.chosen else "left out"
        print(  # noqa: T201
            f"{name:12} s {result.s[i]:.3f}  benchmarks {result.benchmark_term[i]:.3f}"
            f"  known {result.known_share[i]:.0%}  {place}"
        )
