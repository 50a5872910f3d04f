"""Signal correlation (MSM): does popularity say who is good?

Spearman's rank correlation of a benchmark's scores with downloads, likes, size and date, a
benchmark under one protocol at a time, with a percentile bootstrap over models. It tells
whether a signal could stand in for a score; Mirror uses none of the popular ones as one.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import bootstrap, spearmanr

from memory.scores import resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from numpy.typing import NDArray

    from memory.records import Model, Score
    from memory.registry import Registry

LEAST_MODELS = 10
LEVEL = 0.90
RESAMPLES = 999

SIGNALS: Mapping[str, Callable[[Model], float | None]] = {
    "downloads": lambda model: model.downloads,
    "likes": lambda model: model.likes,
    "parameters": lambda model: model.params,
    "release date": lambda model: _days(model.released),
}


@dataclass(frozen=True)
class Correlation:
    """Spearman's rho of ``signal`` with a benchmark over ``n`` models, with its 90 % interval."""

    benchmark: str
    protocol: str
    signal: str
    n: int
    rho: float
    low: float
    high: float


def correlate(
    observations: Iterable[Score], registry: Registry, least: int = LEAST_MODELS
) -> list[Correlation]:
    """Every signal with every benchmark that ``least`` models (10 or more) have both of.

    Sorted by benchmark and protocol, signals in ``SIGNALS``' order. Constant columns are left out.
    """
    columns: dict[tuple[str, str], dict[str, list[Score]]] = defaultdict(lambda: defaultdict(list))
    for score in observations:
        if score.model in registry.models:
            columns[score.benchmark, score.protocol][score.model].append(score)
    found = []
    for (benchmark, protocol), cells in sorted(columns.items()):
        models = {id: registry.models[id] for id in sorted(cells)}
        for name, read in SIGNALS.items():
            pairs = [
                (resolve(cells[id]).value, signal)
                for id, model in models.items()
                if (signal := read(model)) is not None
            ]
            if len(pairs) >= max(least, LEAST_MODELS):
                values = np.array(pairs, dtype=np.float64).T
                if (np.ptp(values, axis=1) > 0).all():
                    rho, low, high = _rho(values)
                    found.append(Correlation(benchmark, protocol, name, len(pairs), rho, low, high))
    return found


def medians(found: Iterable[Correlation]) -> dict[str, tuple[float, int]]:
    """signal -> the median rho over benchmarks, and over how many."""
    by_signal: dict[str, list[float]] = defaultdict(list)
    for one in found:
        by_signal[one.signal].append(one.rho)
    return {name: (float(np.median(rho)), len(rho)) for name, rho in by_signal.items()}


def _rho(values: NDArray[np.float64]) -> tuple[float, float, float]:
    rho = float(spearmanr(*values).statistic)
    again = bootstrap(
        tuple(values),
        _spearman,
        paired=True,
        vectorized=True,
        n_resamples=RESAMPLES,
        confidence_level=LEVEL,
        method="percentile",
        rng=0,
    ).confidence_interval
    return rho, float(again.low), float(again.high)


def _spearman(
    x: NDArray[np.float64], y: NDArray[np.float64], axis: int = -1
) -> NDArray[np.float64]:
    """Along ``axis``; 0 for a resample in which everybody is alike."""
    from scipy.stats import rankdata

    a, b = (rankdata(side, axis=axis) for side in (x, y))
    a, b = (side - side.mean(axis=axis, keepdims=True) for side in (a, b))
    scale = np.sqrt((a**2).sum(axis=axis) * (b**2).sum(axis=axis))
    shared = (a * b).sum(axis=axis)
    rho = np.divide(shared, scale, out=np.zeros_like(shared), where=scale > 0)
    return np.asarray(rho, dtype=np.float64)


def _days(released: str | None) -> float | None:
    """A date as a number that grows with time; None where there is no year."""
    if not released or not released[:4].isdigit():
        return None
    parts = [int(part) for part in released[:10].split("-") if part.isdigit()]
    year, month, day = (*parts, 6, 15)[:3] if len(parts) == 1 else (*parts, 15)[:3]
    return year * 372.0 + month * 31 + day
