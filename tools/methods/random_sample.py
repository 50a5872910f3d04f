"""Random sample: every arm on the same random items, then the highest mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tools.methods.best_arm import Choice, checked, choose

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def random_sample(scores: ArrayLike, budget: int, seed: int = 0) -> Choice:
    """Spend ``budget`` looks on as many items as it pays for all k arms of ``scores`` (n, k).

    Raises ValueError as ``best_arm.checked`` does, or for a negative budget.
    """
    matrix = checked(scores)
    if budget < 0:
        raise ValueError(f"budget must not be negative, not {budget}")
    n, k = matrix.shape
    asked = np.zeros((n, k), dtype=bool)
    asked[np.random.default_rng(seed).permutation(n)[: budget // k]] = True
    return choose(matrix, asked)


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    right = (rng.random((500, 4)) < [0.5, 0.55, 0.6, 0.7]).astype(float)
    found = random_sample(right, 200)
    print(f"arm {found.arm} of 4 from {found.asked.sum()} of 2000 looks")  # noqa: T201
