"""How models stand to one another on a job that nobody was measured on.

Eq. 1 of RELM adds up P_ij over benchmarks, but which benchmarks a model was measured on is an
accident, and one known on easy benchmarks must not outrank one known on hard ones. So each
column is brought to one level first:

    z_ij = (P_ij - mean_j) / deviation_j          over the models that are compared
    w_j  = exp(c_j / t) / Σ exp(c / t)            c_j the cosine of the job with benchmark j
    n_i  = (Σ_j w_j)² / Σ_g (Σ_{j in g} w_j)²     how many benchmarks g that weighs like (Kish 1965)
    R_i  = Φ(Σ_j w_j z_ij / Σ_j w_j · n_i / (n_i + 2))   over the benchmarks i is known on

R is 0.5 for the average model, and near it for one known on a single benchmark. No benchmark is
left out: far ones together still tell strong models from weak ones, near ones who is strong here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr, softmax

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

TEMPERATURE = 0.15
"""t; chosen on the development half of ``evals.recommend``, where 0.1 to 0.3 are alike."""

PRIOR = 2.0
"""A model known on so many benchmarks of one weight is believed by half. On the development half
anything from 0 to 2 is alike; 2 guards against a lucky score."""

FLAT = 1e-6
"""A column that varies less than this tells nobody apart."""


@dataclass(frozen=True)
class Standing:
    """``value`` (m,) R_i in [0, 1], NaN for a model known nowhere; ``cells`` (m,) how many say so.

    ``weights`` (b,) w_j, zero for a column that tells nobody apart.
    """

    value: NDArray[np.float64]
    cells: NDArray[np.intp]
    weights: NDArray[np.float64]


def standing(
    scores: ArrayLike,
    cosine: ArrayLike,
    temperature: float = TEMPERATURE,
    benchmarks: Sequence[str] | None = None,
) -> Standing:
    """Place m models by what they scored on b columns more or less like the job.

    Args:
        scores: (m, b) on any scale per column, larger is better; NaN where it is not known.
        cosine: (b,) of the job with each benchmark.
        temperature: t > 0; small: only the nearest benchmarks count.
        benchmarks: (b,) of which each column is one; None: each of its own. Two metrics of one
            benchmark are no two opinions.

    Raises:
        ValueError: shapes that don't fit, or a temperature that is not positive.
    """
    cells, near = np.asarray(scores, dtype=np.float64), np.asarray(cosine, dtype=np.float64)
    if cells.ndim != 2 or near.shape != cells.shape[1:]:
        raise ValueError(f"cosine has shape {near.shape}, scores {cells.shape}")
    if temperature <= 0:
        raise ValueError(f"temperature must be positive, not {temperature}")
    known = np.isfinite(cells)
    count = np.maximum(known.sum(axis=0), 1)
    centred = np.where(known, cells - np.where(known, cells, 0.0).sum(axis=0) / count, 0.0)
    deviation = np.sqrt((centred**2).sum(axis=0) / count)
    telling = deviation > FLAT
    weights = np.zeros(near.size)
    if telling.any():
        weights[telling] = softmax(near[telling] / temperature)
    known &= telling
    total, squares = known @ weights, _squares(known * weights, benchmarks)
    summed = (centred / np.where(telling, deviation, 1.0)) @ weights
    placed = total > 0
    value = np.full(len(cells), np.nan)
    like = total[placed] ** 2 / squares[placed]
    value[placed] = ndtr(summed[placed] / total[placed] * like / (like + PRIOR))
    return Standing(value, known.sum(axis=1), weights)


def _squares(weights: NDArray[np.float64], benchmarks: Sequence[str] | None) -> NDArray[np.float64]:
    """(m,) the squared weight of each benchmark, summed."""
    if benchmarks is None:
        return np.asarray((weights**2).sum(axis=1))
    _, group = np.unique(np.asarray(benchmarks), return_inverse=True)
    summed = np.zeros((int(group.max(initial=-1)) + 1, len(weights)))
    np.add.at(summed, group, weights.T)
    return np.asarray((summed**2).sum(axis=0))


if __name__ == "__main__":
    nan = float("nan")
    table = [[0.9, nan, 0.6], [0.8, 0.5, nan], [nan, 0.3, 0.2], [nan, nan, nan]]
    found = standing(table, [0.8, 0.6, 0.1])
    for name, value, known in zip("abcd", found.value, found.cells, strict=True):
        print(f"{name}: {value:.2f} from {known} scores")  # noqa: T201
