"""Intervals: how far a score from few items can be believed, and whether two differ.

A proportion: Wilson (1927), as in Brown, Cai & DasGupta (2001), eq. 4. A paired difference:
Bonett & Price (2012), a Wald interval after adding one pair that favours each side, which keeps
its width where every pair agrees. Its p-value: the exact sign-flip test, which for right/wrong
answers is McNemar's exact test. Several benchmarks are strata with fixed weights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

# Distinct sums up to which the sign-flip distribution is enumerated, and the draws beyond it.
_EXACT_SUMS = 2_000_000
_DRAWS = 20_000


@dataclass(frozen=True)
class Paired:
    """Mean difference a - b with its interval, the two-sided exact p-value and n pairs."""

    difference: float
    low: float
    high: float
    p: float
    n: int


def wilson(successes: float, n: int, level: float = 0.90) -> tuple[float, float]:
    """Wilson score interval (low, high) of a proportion; (0, 1) when there is no item.

    ``successes`` may be a sum of grades in [0, 1]; the interval is then no narrower than it
    should be. Raises ValueError unless 0 <= successes <= n.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"successes must lie in [0, {n}], not {successes}")
    if n == 0:
        return 0.0, 1.0
    z = _z(level)
    p = successes / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    # At 0 and n the bound is exactly 0 and 1; floats leave a trace of either side.
    low = 0.0 if successes == 0 else max(centre - half, 0.0)
    return low, 1.0 if successes == n else min(centre + half, 1.0)


def pool(
    values: ArrayLike, lows: ArrayLike, highs: ArrayLike, weights: ArrayLike
) -> tuple[float, float, float]:
    """Weighted mean of independent estimates with an interval: (value, low, high).

    MOVER (Zou & Donner 2008): squared distances to the limits add up like variances. One
    estimate comes back as it was. Raises ValueError when no weight is positive.
    """
    v, low, high, w = (np.asarray(x, dtype=np.float64) for x in (values, lows, highs, weights))
    w = _shares(w)
    mean = float(w @ v)
    below, above = np.sqrt(np.sum((w * (v - low)) ** 2)), np.sqrt(np.sum((w * (high - v)) ** 2))
    return mean, mean - float(below), mean + float(above)


def paired(
    pairs: Sequence[tuple[ArrayLike, ArrayLike]],
    weights: ArrayLike | None = None,
    level: float = 0.90,
) -> Paired:
    """Two arms on the same items, one (a, b) of equal-length grades in [0, 1] a benchmark.

    A pair with a NaN is left out; a benchmark without pairs gives its weight to the others.
    Raises ValueError when no pair is left.
    """
    strata = [_differences(a, b) for a, b in pairs]
    given = np.ones(len(strata)) if weights is None else np.asarray(weights, dtype=np.float64)
    kept = [(w, d) for w, d in zip(given, strata, strict=True) if d.size and w > 0]
    if not kept:
        raise ValueError("no item was answered by both arms")
    share = _shares(np.array([w for w, _ in kept]))
    strata = [d for _, d in kept]
    difference = float(sum(w * d.mean() for w, d in zip(share, strata, strict=True)))
    moments = [_adjusted(d) for d in strata]
    centre = float(sum(w * mean for w, (mean, _) in zip(share, moments, strict=True)))
    half = _z(level) * math.sqrt(
        sum(w * w * variance for w, (_, variance) in zip(share, moments, strict=True))
    )
    terms = np.concatenate([w * d / d.size for w, d in zip(share, strata, strict=True)])
    return Paired(
        difference,
        # The adjusted centre is drawn towards 0; the interval still covers what was observed.
        max(min(centre - half, difference), -1.0),
        min(max(centre + half, difference), 1.0),
        sign_flip(terms),
        sum(d.size for d in strata),
    )


def sign_flip(terms: ArrayLike) -> float:
    """Two-sided p-value of Σ terms under random signs: exact wherever it can be enumerated.

    Terms of one size are a binomial count, and sizes are independent, so the distribution is
    a convolution of binomials (one size: McNemar). With more than two million
    distinct sums, 20,000 seeded draws estimate it from above.
    """
    x = np.asarray(terms, dtype=np.float64)
    x = x[x != 0]
    if x.size == 0:
        return 1.0
    sizes, counts = np.unique(np.round(np.abs(x), 12), return_counts=True)
    extreme = abs(float(x.sum())) - 1e-9
    if math.prod(int(n) + 1 for n in counts) > _EXACT_SUMS:
        signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(_DRAWS, x.size))
        hits = int(np.sum(np.abs(signs @ x) >= extreme))
        return (hits + 1) / (_DRAWS + 1)
    sums, chance = np.zeros(1), np.ones(1)
    for size, n in zip(sizes, counts, strict=True):
        heads = np.arange(n + 1)
        sums = np.add.outer(sums, size * (2 * heads - n)).ravel()
        chance = np.multiply.outer(chance, _fair_coin(n)).ravel()
    return min(float(chance[np.abs(sums) >= extreme].sum()), 1.0)


def _fair_coin(n: int) -> NDArray[np.float64]:
    """Chances of 0 to n heads in n throws."""
    heads = np.arange(n + 1)
    # Through logarithms: from n = 1030 on a binomial coefficient is no float.
    logs = special.gammaln(n + 1) - special.gammaln(heads + 1) - special.gammaln(n - heads + 1)
    return np.exp(logs - n * math.log(2))


def _differences(a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    x, y = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if x.shape != y.shape or x.ndim != 1:
        raise ValueError(f"paired grades have shapes {x.shape} and {y.shape}")
    if np.any((x < 0) | (x > 1) | (y < 0) | (y > 1)):
        raise ValueError("grades must lie in [0, 1] or be NaN")
    return (x - y)[~np.isnan(x - y)]


def _adjusted(d: NDArray[np.float64]) -> tuple[float, float]:
    """Mean and its variance after one more pair of +1 and one of -1 (Bonett & Price 2012)."""
    n = d.size + 2
    mean = float(d.sum()) / n
    return mean, ((float(d @ d) + 2) / n - mean * mean) / n


def _shares(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    total = float(weights.sum())
    if not np.all(weights >= 0) or not total > 0:
        raise ValueError("weights must not be negative and not all zero")
    return np.divide(weights, total)


def _z(level: float) -> float:
    if not 0 < level < 1:
        raise ValueError(f"a level lies between 0 and 1, not {level}")
    return float(special.ndtri((1 + level) / 2))


if __name__ == "__main__":
    print("14 of 24 right:", "{:.2f} to {:.2f}".format(*wilson(14, 24)))  # noqa: T201
    right = np.array([1] * 17 + [0] * 7)
    other = np.array([1] * 10 + [0] * 14)
    result = paired([(right, other)])
    print(  # noqa: T201
        f"17 against 10 of the same 24: {result.difference:+.2f}"
        f" ({result.low:+.2f} to {result.high:+.2f}), p = {result.p:.3f}"
    )
