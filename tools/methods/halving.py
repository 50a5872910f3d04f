"""Successive halving (Karnin, Koren & Somekh 2013): equal money per round, half the arms leave.

Departure: items are shared and kept, so an arm's mean is over all it answered, not over the
last round alone, and what a round can't spend is left to the next.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from tools.methods.best_arm import Choice, checked, choose, means

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def halving(scores: ArrayLike, budget: int, seed: int = 0) -> Choice:
    """Spend ``budget`` looks on ``scores`` (n, k) over ceil(log2 k) rounds.

    Raises ValueError as ``best_arm.checked`` does, or for a negative budget.
    """
    matrix = checked(scores)
    if budget < 0:
        raise ValueError(f"budget must not be negative, not {budget}")
    n, k = matrix.shape
    order = np.random.default_rng(seed).permutation(n)
    asked = np.zeros((n, k), dtype=bool)
    left, seen, spent = np.arange(k), 0, 0
    rounds = max(math.ceil(math.log2(k)), 1)
    for i in range(rounds):
        more = ((budget * (i + 1)) // rounds - spent) // left.size
        asked[np.ix_(order[seen : seen + more], left)] = True
        spent += left.size * min(more, n - seen)
        seen = min(seen + more, n)
        mean = means(matrix, asked)
        left = np.sort(left[np.argsort(-mean[left], kind="stable")][: math.ceil(left.size / 2)])
    return choose(matrix, asked, left)


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    right = (rng.random((500, 8)) < np.linspace(0.5, 0.7, 8)).astype(float)
    found = halving(right, 400)
    print(f"arm {found.arm} of 8 from {found.asked.sum()} of 4000 looks")  # noqa: T201
