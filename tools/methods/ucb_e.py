"""UCB-E (Audibert, Bubeck & Munos 2010): always look at the arm with the highest upper bound.

Plays argmax of mean + sqrt(a / looks). The a that its theorem wants, 25/36 (budget - k) / H,
needs the gaps between the arms in H = Σ 1/gap²; here H is read off the means so far, as the
authors' adaptive version does. Each arm goes through the shared random order of items.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tools.methods.best_arm import Choice, checked, choose

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]


def ucb_e(scores: ArrayLike, budget: int, seed: int = 0) -> Choice:
    """Spend ``budget`` looks on ``scores`` (n, k), each arm once before any arm twice.

    Raises ValueError as ``best_arm.checked`` does, or for a negative budget.
    """
    matrix = checked(scores)
    if budget < 0:
        raise ValueError(f"budget must not be negative, not {budget}")
    n, k = matrix.shape
    answers = matrix[np.random.default_rng(seed).permutation(n)]
    looks, answered, total = np.zeros(k, int), np.zeros(k), np.zeros(k)
    for _ in range(min(budget, n * k)):
        arm = int(np.argmax(_index(looks, answered, total, n, budget)))
        score = answers[looks[arm], arm]
        looks[arm] += 1
        if not np.isnan(score):
            answered[arm] += 1
            total[arm] += score
    asked = np.zeros((n, k), dtype=bool)
    asked[np.random.default_rng(seed).permutation(n)] = np.arange(n)[:, None] < looks
    return choose(matrix, asked)


def _index(looks: NDArray[np.intp], answered: Floats, total: Floats, n: int, budget: int) -> Floats:
    """(k,) upper bounds; infinite before the first look, -infinite when no item is left."""
    mean = total / np.maximum(answered, 1)
    gaps = mean.max() - mean
    # The leader's gap is that to the next; a floor keeps equal arms from stopping exploration.
    gaps[np.argmax(mean)] = np.partition(gaps, 1)[1] if gaps.size > 1 else 1.0
    hardness = np.sum(np.maximum(gaps, 0.01) ** -2.0)
    a = 25 / 36 * max(budget - looks.size, 1) / hardness
    index = np.where(looks > 0, mean + np.sqrt(a / np.maximum(looks, 1)), np.inf)
    return np.where(looks < n, index, -np.inf)


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    right = (rng.random((500, 8)) < np.linspace(0.5, 0.7, 8)).astype(float)
    found = ucb_e(right, 400)
    print(f"arm {found.arm} of 8 from {found.asked.sum()} of 4000 looks")  # noqa: T201
