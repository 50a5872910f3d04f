"""Scores of predicted labels and short answers: accuracy, F1 over classes, F1 over tokens.

Macro F1 is the mean over the classes that occur in the references; a class that is only predicted
costs precision elsewhere by being wrong. Micro F1 pools the counts; with one label an item and
every item answered it equals accuracy. Missing predictions (``None``) are left out everywhere.
Token F1 is SQuAD's (Rajpurkar et al. 2016): overlap of the bags of tokens.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

RESAMPLES = 2000


@dataclass(frozen=True)
class Interval:
    """An estimate with its percentile bootstrap interval over items."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class LabelScores:
    """Accuracy, macro and micro F1 over the answered items; ``missing`` items had no label."""

    accuracy: Interval
    macro_f1: Interval
    micro_f1: Interval
    missing: int


def label_scores(
    predicted: Sequence[str | None], references: Sequence[str], level: float = 0.90, seed: int = 0
) -> LabelScores:
    """Score one label an item. Raises ValueError when lengths differ or nothing was answered."""
    answered = [(p, r) for p, r in zip(predicted, references, strict=True) if p is not None]
    if not answered:
        raise ValueError("no item has a label")
    classes = sorted({label for pair in answered for label in pair})
    place = {label: i for i, label in enumerate(classes)}
    cells = np.array([place[r] * len(classes) + place[p] for p, r in answered])

    def resampled(f: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Interval:
        counts = np.bincount(cells, minlength=len(classes) ** 2).astype(np.float64)
        rng = np.random.default_rng(seed)
        again = rng.multinomial(len(cells), counts / counts.sum(), RESAMPLES).astype(np.float64)
        shape = (-1, len(classes), len(classes))
        low, high = np.quantile(f(again.reshape(shape)), _tails(level))
        return Interval(float(f(counts.reshape(shape))[0]), float(low), float(high), len(cells))

    return LabelScores(
        resampled(_accuracy),
        resampled(_macro_f1),
        resampled(_micro_f1),
        missing=len(predicted) - len(answered),
    )


def _accuracy(confusion: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., reference, predicted) counts -> share on the diagonal."""
    right = np.trace(confusion, axis1=-2, axis2=-1)
    share: NDArray[np.float64] = right / confusion.sum(axis=(-2, -1))
    return share


def _macro_f1(confusion: NDArray[np.float64]) -> NDArray[np.float64]:
    right = np.diagonal(confusion, axis1=-2, axis2=-1)
    actual = confusion.sum(axis=-1)
    total = actual + confusion.sum(axis=-2)
    f1 = np.divide(2 * right, total, out=np.zeros_like(total), where=total > 0)
    occurs = actual > 0
    mean: NDArray[np.float64] = (f1 * occurs).sum(axis=-1) / occurs.sum(axis=-1)
    return mean


def _micro_f1(confusion: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pooled over the classes that occur in the references: a foreign label is a miss only."""
    right = np.trace(confusion, axis1=-2, axis2=-1)
    occurs = (confusion.sum(axis=-1) > 0)[..., None, :]
    named = np.where(occurs, confusion, 0.0).sum(axis=(-2, -1))
    f1: NDArray[np.float64] = 2 * right / (named + confusion.sum(axis=(-2, -1)))
    return f1


def token_f1(answer: Sequence[str], reference: Sequence[str]) -> float:
    """Harmonic mean of token precision and recall in [0, 1]; both empty is 1, one empty 0."""
    if not answer or not reference:
        return float(list(answer) == list(reference))
    shared = sum((Counter(answer) & Counter(reference)).values())
    return 2 * shared / (len(answer) + len(reference))


def mean_interval(grades: ArrayLike, level: float = 0.90, seed: int = 0) -> Interval:
    """Mean of grades in [0, 1] (n,) with a percentile bootstrap interval; NaN is left out.

    One grade has the interval (0, 1): it says nothing of the next. Raises ValueError when no
    grade is left or one lies outside [0, 1].
    """
    x = np.asarray(grades, dtype=np.float64)
    x = x[~np.isnan(x)]
    if not x.size or np.any((x < 0) | (x > 1)):
        raise ValueError("need at least one grade, all in [0, 1]")
    if x.size == 1:
        return Interval(float(x[0]), 0.0, 1.0, 1)
    return bootstrap_mean(x, level, seed)


def bootstrap_mean(values: ArrayLike, level: float = 0.90, seed: int = 0) -> Interval:
    """Mean of any numbers (n,) with a percentile bootstrap interval.

    Raises ValueError for fewer than two: nothing to resample.
    """
    x = np.asarray(values, dtype=np.float64)
    if x.size < 2:
        raise ValueError(f"a bootstrap needs at least two values, not {x.size}")
    rng = np.random.default_rng(seed)
    means = np.array([rng.choice(x, x.size).mean() for _ in range(RESAMPLES)])
    low, high = np.quantile(means, _tails(level))
    return Interval(float(x.mean()), float(low), float(high), int(x.size))


def _tails(level: float) -> tuple[float, float]:
    if not 0 < level < 1:
        raise ValueError(f"a level lies between 0 and 1, not {level}")
    return (1 - level) / 2, (1 + level) / 2
