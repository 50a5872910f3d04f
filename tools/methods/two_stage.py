"""The plain two-stage filter of HERD: everyone on a sample, the best few on everything.

The paper (RELM + HERD, section 4.2.1) fixes neither how many items the first stage has nor how
many models pass it; both are arguments here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tools.methods.best_arm import Choice, checked, choose, means

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def two_stage(scores: ArrayLike, first: int, keep: int = 3, seed: int = 0) -> Choice:
    """All k arms of ``scores`` (n, k) on ``first`` random items, the best ``keep`` on all n.

    Raises ValueError as ``best_arm.checked`` does, or for a negative ``first`` or no ``keep``.
    """
    matrix = checked(scores)
    if first < 0 or keep < 1:
        raise ValueError(f"two stages need first >= 0 and keep >= 1, not {first} and {keep}")
    n, k = matrix.shape
    asked = np.zeros((n, k), dtype=bool)
    asked[np.random.default_rng(seed).permutation(n)[:first]] = True
    passed = np.argsort(-means(matrix, asked), kind="stable")[:keep]
    asked[:, passed] = True
    return choose(matrix, asked, passed)


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    right = (rng.random((500, 8)) < np.linspace(0.5, 0.7, 8)).astype(float)
    found = two_stage(right, 50)
    print(f"arm {found.arm} of 8 from {found.asked.sum()} of 4000 looks")  # noqa: T201
