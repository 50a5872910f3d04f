"""How far a judge agrees with people, what biases it, and what a rate it reports really is.

A preference is 1 (answer 1 is better), -1 (answer 2), 0 (a tie) or NaN (missing). Order-swap
merging keeps what both orders agree on; where they differ it is a tie, since the judge then chose
a place and not an answer.

A judged rate p is corrected to (p + q0 - 1) / (q0 + q1 - 1) (Rogan & Gladen 1978), where q1 is how
often the judge calls good what people call good and q0 how often bad what they call bad. The
interval (Lang & Reiczigel 2014) carries the uncertainty of all three.

A single verdict is corrected by a logistic regression of what people preferred on the judge's
merged preference and on length, fitted where both are known. It has no intercept: which answer is
called 1 must not matter.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import special

from tools.methods.intervals import Paired, paired, wilson

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

LEVEL = 0.90
RIDGE = 0.5
"""Prior precision of the correction's weights: a handful of labels moves them little."""


def cohen_kappa(
    a: ArrayLike, b: ArrayLike, weights: Literal["none", "quadratic"] = "none"
) -> float:
    """Agreement beyond chance of two raters of the same things (Cohen 1960; weighted 1968).

    ``a``, ``b``: (n,) category values, pairs with a NaN left out. ``quadratic`` counts a
    disagreement by its squared distance. NaN when chance alone agrees fully, or n = 0.
    """
    x, y = _together(a, b)
    values, codes = np.unique(np.concatenate([x, y]), return_inverse=True)
    k, n = values.size, x.size
    table = np.zeros((k, k))
    np.add.at(table, (codes[:n], codes[n:]), 1.0)
    gap = values[:, None] - values[None, :]
    cost = gap**2 if weights == "quadratic" else (gap != 0).astype(np.float64)
    by_chance = float(np.sum(cost * np.outer(table.sum(1), table.sum(0))))
    return 1.0 - n * float(np.sum(cost * table)) / by_chance if by_chance > 0 else math.nan


def accuracy(preferences: ArrayLike, labels: ArrayLike) -> tuple[float, float, float]:
    """How often the judge is right, a tie counting half: (value, low, high), Wilson's interval.

    ``labels``: (n,) of 1 or -1. Missing is left out; NaN, 0 and 1 when nothing is left.
    """
    x, y = _together(preferences, labels)
    right = float(np.sum((1 + x * y) / 2))
    low, high = wilson(right, x.size, LEVEL)
    return (right / x.size if x.size else math.nan), low, high


def merge(first: ArrayLike, second: ArrayLike) -> Floats:
    """What two orders agree on: (n,), 0 where they differ, NaN where one is missing."""
    x, y = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    return np.where(np.isnan(x) | np.isnan(y), np.nan, np.where(x == y, x, 0.0))


def positional_agreement(first: ArrayLike, second: ArrayLike) -> float:
    """The share of things on which both orders agree, missing left out; NaN without any."""
    x, y = _together(first, second)
    return float(np.mean(x == y)) if x.size else math.nan


def position_bias(first: ArrayLike, second: ArrayLike) -> tuple[float, float, float]:
    """How much more often than half the answer shown first wins: (value, low, high).

    In [-1/2, 1/2]; answer 1 is shown first in ``first``, answer 2 in ``second``. A judge without
    the bias, however bad, is at 0: each answer is shown first once.
    """
    x, y = _together(first, second)
    if not x.size:
        return math.nan, -0.5, 0.5
    chance = paired([((1 + x) / 2, (1 + y) / 2)], level=LEVEL)
    return chance.difference / 2, chance.low / 2, chance.high / 2


def length_bias(preferences: ArrayLike, labels: ArrayLike, longer: ArrayLike) -> Paired | None:
    """How much more often the judge prefers the longer answer than people do, paired.

    ``longer``: 1 where answer 1 is longer, -1 where answer 2 is; equal lengths say nothing and are
    left out. None when nothing is left. That people prefer longer answers too is no bias.
    """
    x, y, z = (np.asarray(v, dtype=np.float64) for v in (preferences, labels, longer))
    told = ~np.isnan(x) & ~np.isnan(y) & (np.abs(z) == 1)
    if not told.any():
        return None
    return paired([((1 + x * z)[told] / 2, (1 + y * z)[told] / 2)], level=LEVEL)


# --- a corrected rate -------------------------------------------------------------------


@dataclass(frozen=True)
class Corrected:
    """A rate with its 90 % interval. ``clipped``: the estimate fell outside [0, 1].

    ``informative`` False: q0 + q1 can't be told from 1, so the judge says nothing of the rate, or
    no rate at all fits both verdicts and calibration, which then are of different things;
    ``value`` is NaN and the interval (0, 1).
    """

    value: float
    low: float
    high: float
    clipped: bool
    informative: bool


def corrected_rate(
    positive: float,
    n: int,
    hits: int,
    positives: int,
    rejections: int,
    negatives: int,
    level: float = LEVEL,
) -> Corrected:
    """The true rate behind ``positive`` of ``n`` verdicts (Rogan & Gladen 1978).

    The judge called good ``hits`` of ``positives`` that people called good (q1), and bad
    ``rejections`` of ``negatives`` (q0). Ties may count as halves in ``positive``. Raises
    ValueError when a count is above its total or negative.
    """
    for part, whole in ((positive, n), (hits, positives), (rejections, negatives)):
        if not 0 <= part <= whole:
            raise ValueError(f"{part} of {whole} is no share")
    z = float(special.ndtri((1 + level) / 2))
    # One more of each kind, as in the plus-four interval: shares of 0 and 1 keep a variance.
    q1, q0 = (hits + 1) / (positives + 2), (rejections + 1) / (negatives + 2)
    skill = q0 + q1 - 1
    v1, v0 = q1 * (1 - q1) / (positives + 2), q0 * (1 - q0) / (negatives + 2)
    unknown = Corrected(math.nan, 0.0, 1.0, clipped=False, informative=False)
    if n == 0 or skill <= z * math.sqrt(v1 + v0):
        return unknown
    p = (positive + z * z / 2) / (n + z * z)
    rate = (p + q0 - 1) / skill
    variance = p * (1 - p) / (n + z * z) + rate**2 * v1 + (1 - rate) ** 2 * v0
    shift = 2 * z * z * (rate * v1 - (1 - rate) * v0)
    half = z * math.sqrt(variance) / skill
    low, high = rate + shift - half, rate + shift + half
    if high <= 0 or low >= 1:
        return unknown
    value = _rogan_gladen(positive / n, hits, positives, rejections, negatives, (q0, q1))
    return Corrected(
        min(max(value, 0.0), 1.0),
        max(low, 0.0),
        min(high, 1.0),
        clipped=not 0 <= value <= 1,
        informative=True,
    )


def _rogan_gladen(
    p: float,
    hits: int,
    positives: int,
    rejections: int,
    negatives: int,
    smoothed: tuple[float, float],
) -> float:
    """The plain estimator; smoothed shares where one kind was never labelled."""
    q1 = hits / positives if positives else smoothed[1]
    q0 = rejections / negatives if negatives else smoothed[0]
    return (p + q0 - 1) / (q0 + q1 - 1) if q0 + q1 > 1 else math.nan


# --- a corrected verdict ----------------------------------------------------------------


@dataclass(frozen=True)
class Correction:
    """log-odds that people prefer answer 1 = ``verdict`` * preference + ``length`` * log ratio."""

    verdict: float
    length: float

    def odds(self, preferences: ArrayLike, log_ratio: ArrayLike) -> Floats:
        """(n,) log-odds; NaN where the preference is missing."""
        x, length = (np.asarray(v, dtype=np.float64) for v in (preferences, log_ratio))
        return np.asarray(self.verdict * x + self.length * length, dtype=np.float64)

    def preferences(self, preferences: ArrayLike, log_ratio: ArrayLike) -> Floats:
        """(n,) of 1, -1, 0 or NaN: the likelier side."""
        return np.asarray(np.sign(self.odds(preferences, log_ratio)), dtype=np.float64)


def fit_correction(
    preferences: ArrayLike, log_ratio: ArrayLike, labels: ArrayLike, ridge: float = RIDGE
) -> Correction:
    """Logistic regression by Newton's method, with a normal prior of precision ``ridge``.

    ``preferences``: (n,) merged; ``log_ratio``: (n,) ln(length 1 / length 2); ``labels``: (n,) of
    1 or -1. Rows with a NaN are left out; with none left both weights are 0.
    """
    columns = [np.asarray(v, dtype=np.float64) for v in (preferences, log_ratio, labels)]
    rows = np.stack(columns, axis=1)
    rows = rows[~np.isnan(rows).any(axis=1)]
    x, y = rows[:, :2], rows[:, 2]
    w = np.zeros(2)
    for _ in range(50):
        doubt = special.expit(-y * (x @ w))
        slope = ridge * w - x.T @ (y * doubt)
        curve = ridge * np.eye(2) + (x * (doubt * (1 - doubt))[:, None]).T @ x
        step = np.linalg.solve(curve, slope)
        w = w - step
        if float(np.abs(step).max()) < 1e-10:
            break
    return Correction(float(w[0]), float(w[1]))


def _together(a: ArrayLike, b: ArrayLike) -> tuple[Floats, Floats]:
    x, y = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if x.shape != y.shape or x.ndim != 1:
        raise ValueError(f"shapes {x.shape} and {y.shape} are no pairs")
    known = ~np.isnan(x) & ~np.isnan(y)
    return x[known], y[known]


if __name__ == "__main__":
    found = corrected_rate(62, 100, 45, 50, 35, 50)
    print(  # noqa: T201
        "A judge that calls 62 of 100 answers good, finds 45 of 50 good ones and 35 of 50 bad ones:"
        f" {found.value:.2f} are good ({found.low:.2f} to {found.high:.2f})"
    )
