"""Finding the best arm of a known score matrix with a budget of looks: what such methods share.

They are yardsticks for ``racing``: each sees only what it asks for, and its cost is what it asked.
Scores (n items, k arms) lie in [0, 1]; NaN is a missing answer, which costs a look and is left
out of every mean. Looks are paid in cells, so a budget of n x k is everything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Choice:
    """The column chosen, None when nothing was seen, and which cells (n, k) were asked for."""

    arm: int | None
    asked: NDArray[np.bool_]


def checked(scores: ArrayLike) -> Floats:
    """The matrix as floats. Raises ValueError for another shape or scores outside [0, 1]."""
    matrix = np.asarray(scores, dtype=np.float64)
    if matrix.ndim != 2 or not matrix.shape[1]:
        raise ValueError(f"scores have shape {matrix.shape}, not (items, arms)")
    if np.any((matrix < 0) | (matrix > 1)):
        raise ValueError("scores must lie in [0, 1] or be NaN")
    return matrix


def means(scores: Floats, asked: NDArray[np.bool_]) -> Floats:
    """(k,) mean of what was asked for and answered; -infinity where nothing was."""
    seen = asked & ~np.isnan(scores)
    total = np.where(seen, scores, 0.0).sum(axis=0)
    return np.where(seen.any(axis=0), total / np.maximum(seen.sum(axis=0), 1), -np.inf)


def choose(
    scores: Floats, asked: NDArray[np.bool_], among: NDArray[np.intp] | None = None
) -> Choice:
    """The highest mean ``among`` those arms (all); the first of equal ones."""
    mean = means(scores, asked)
    rows = np.arange(mean.size) if among is None else np.sort(among)
    best = int(rows[np.argmax(mean[rows])])
    return Choice(best if np.isfinite(mean[best]) else None, asked)
