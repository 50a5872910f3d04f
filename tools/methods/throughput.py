"""How far off estimates of time are, learnt from what earlier work took.

The logarithm of actual over estimated seconds is taken to be a sum of independent normal effects
with mean 0: of the back end, the benchmark, the arm, the arm on that benchmark, the run (how busy
the machine was) and a rest. Each has a fixed share of one prior variance. What is expected of new
work is then the best linear predictor given the earlier ratios (Robinson, *That BLUP is a good
thing*, Statistical Science 1991, Eq. 1.2-1.3): work most alike counts most, other back ends not at
all, and little evidence is shrunk towards "the estimate is right". For n runs of exactly the same
work it is the normal-normal mean, n·a / (n·a + b) of the mean ratio, for shares a of the work and
b of run and rest.

The size of the variance is learnt on the way, as in a Student-t process (Shah, Wilson &
Ghahramani, AISTATS 2014, Eq. 6): ratios further off than the prior said widen the interval.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.special import ndtri, stdtrit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

LEVEL = 0.90
_Z = float(ndtri((1 + LEVEL) / 2))

# Shares of the prior variance; together 1.
BACKEND, ARM, BENCHMARK, BOTH, RUN, REST = 0.30, 0.15, 0.10, 0.10, 0.25, 0.10

FREEDOM = 4.0
"""How many ratios the prior variance counts as."""

MOST = 300
"""Latest ratios of a back end that are looked at; time grows with the cube."""


@dataclass(frozen=True)
class Work:
    """What makes two pieces of work alike."""

    backend: str
    arm: str
    benchmark: str


@dataclass(frozen=True)
class Timing:
    """Work that was estimated and then done in one run; both times positive, in one unit."""

    work: Work
    run: str
    estimate: float
    actual: float

    @property
    def log_ratio(self) -> float:
        """log(actual / estimate). Raises ValueError unless both are positive and finite."""
        if not (0 < self.estimate < math.inf and 0 < self.actual < math.inf):
            raise ValueError(f"no ratio of {self.actual} to {self.estimate} seconds")
        return math.log(self.actual / self.estimate)


class Correction(NamedTuple):
    """What an estimate is to be multiplied by: median, and ends of the 90 % interval."""

    low: float
    factor: float
    high: float


def spread(low: float, high: float) -> float:
    """Prior standard deviation of the log-ratio for which [low, high] is a 90 % interval.

    Raises ValueError unless 0 < low <= high.
    """
    if not 0 < low <= high < math.inf:
        raise ValueError(f"[{low}, {high}] is no range of positive numbers")
    return math.log(high / low) / (2 * _Z)


def correction(history: Sequence[Timing], work: Work, prior: float) -> Correction | None:
    """Of the estimate for ``work`` in a new run, given earlier ones, oldest first.

    ``prior``: standard deviation of its log-ratio before anything was seen. None: no earlier work
    of its back end, so nothing is known beside the prior. Raises ValueError as ``log_ratio`` does.
    """
    seen = [one for one in history if one.work.backend == work.backend][-MOST:]
    if not seen:
        return None
    together = np.array([[_alike(a.work, b.work) for b in seen] for a in seen])
    runs = np.array([one.run for one in seen])
    together += RUN * (runs[:, None] == runs) + REST * np.eye(len(seen))
    with_new = np.array([_alike(one.work, work) for one in seen])
    ratios = np.array([one.log_ratio for one in seen])
    factor = cho_factor(together)
    weights = cho_solve(factor, with_new)
    mean = float(weights @ ratios)
    freedom = FREEDOM + len(seen)
    scale = (FREEDOM * prior**2 + float(ratios @ cho_solve(factor, ratios))) / freedom
    left = math.sqrt(scale * max(1 - float(weights @ with_new), 0.0))
    half = left * float(stdtrit(freedom, (1 + LEVEL) / 2))
    return Correction(math.exp(mean - half), math.exp(mean), math.exp(mean + half))


def _alike(a: Work, b: Work) -> float:
    """Share of the prior variance that two pieces of work have in common, in different runs."""
    if a.backend != b.backend:
        return 0.0
    arm, benchmark = a.arm == b.arm, a.benchmark == b.benchmark
    return BACKEND + ARM * arm + BENCHMARK * benchmark + BOTH * (arm and benchmark)


class Accuracy(NamedTuple):
    """Median of |estimate - actual| / actual, share of actuals in their range, and how many."""

    error: float
    within: float
    n: int


def accuracy(
    estimates: ArrayLike, lows: ArrayLike, highs: ArrayLike, actuals: ArrayLike
) -> Accuracy | None:
    """How good estimates with ranges were; all (n,). None for n = 0.

    Raises ValueError where an actual is not positive: it has no relative error.
    """
    estimate, low, high, actual = np.broadcast_arrays(
        *(np.asarray(values, dtype=np.float64) for values in (estimates, lows, highs, actuals))
    )
    if not actual.size:
        return None
    if not (actual > 0).all():
        raise ValueError("every actual must be positive")
    inside = (low <= actual) & (actual <= high)
    error = float(np.median(np.abs(estimate - actual) / actual))
    return Accuracy(error, float(inside.mean()), int(actual.size))
