"""A race over scores that are known already: what it would have chosen, and looked at."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tools.methods.best_arm import Choice, checked
from tools.methods.racing import Race

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from tools.methods.racing import Standing


@dataclass(frozen=True)
class Replay(Choice):
    """The choice of a race and how it ended; arms are called by their column."""

    standing: Standing


def replay(
    scores: ArrayLike,
    *,
    prices: Sequence[float] | None = None,
    delta: float = 0.10,
    margin: float = 0.01,
    tolerance: float = 0.001,
    patience: float = 0.25,
    budget: float = math.inf,
    seed: int = 0,
) -> Replay:
    """Race the columns of ``scores`` (n items, k arms) in [0, 1]; NaN is a missing answer.

    Arguments and errors are those of ``racing.Race`` and ``best_arm.checked``.
    """
    matrix = checked(scores)
    n, k = matrix.shape
    race = Race(
        [str(j) for j in range(k)],
        [str(i) for i in range(n)],
        prices=prices,
        delta=delta,
        margin=margin,
        tolerance=tolerance,
        patience=patience,
        budget=budget,
        seed=seed,
    )
    asked = np.zeros((n, k), dtype=bool)
    while batch := race.next():
        for arm, items in batch.items():
            for item in items:
                score = float(matrix[int(item), int(arm)])
                race.tell(arm, item, None if math.isnan(score) else score)
                asked[int(item), int(arm)] = True
    end = race.standing()
    return Replay(None if end.leader is None else int(end.leader), asked, end)


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    right = (rng.random((2000, 8)) < np.linspace(0.4, 0.75, 8)).astype(float)
    found = replay(right)
    share = found.asked.mean()
    print(f"arm {found.arm} of 8, {found.standing.verdict}, {share:.1%} of the looks")  # noqa: T201
