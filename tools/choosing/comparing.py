"""Comparing arms on the items they share: the only comparison that few items allow."""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from memory.records import Comparison
from tools.methods.intervals import paired

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from memory.records import ItemResult, Measurement

NONE: Mapping[tuple[str, str], float] = MappingProxyType({})


def compare(
    results: Sequence[ItemResult],
    weights: Mapping[str, float],
    factors: Mapping[tuple[str, str], float] = NONE,
) -> list[Comparison]:
    """Every two arms on the items both answered, benchmarks pooled by ``weights``.

    ``factors`` lower the weight of an arm's benchmark (``tools.herd.contamination``); a difference
    is as suspicious as the more suspicious of its two scores.

    Missing answers are left out of the pair. Arms keep the order in which they appear; two
    that share no item have no comparison.
    """
    grades: dict[str, dict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for result in results:
        if result.correct is not None:
            grades[result.arm][result.benchmark][result.item] = result.correct
    compared = (
        _compare(a, b, grades[a], grades[b], weights, factors) for a, b in combinations(grades, 2)
    )
    return [comparison for comparison in compared if comparison is not None]


def shares(benchmarks: Sequence[str], weights: Mapping[str, float]) -> list[float]:
    """The weight of each benchmark; equal ones when none of them has any."""
    found = [weights.get(benchmark, 0.0) for benchmark in benchmarks]
    return found if any(found) else [1.0] * len(found)


def lowered(
    arm: str,
    benchmarks: Sequence[str],
    weights: Mapping[str, float],
    factors: Mapping[tuple[str, str], float],
) -> list[float]:
    """``shares``, each times the arm's factor where there is one."""
    return [
        share * factors.get((arm, benchmark), 1.0)
        for benchmark, share in zip(benchmarks, shares(benchmarks, weights), strict=True)
    ]


def between(a: str, b: str, comparisons: Sequence[Comparison]) -> Comparison | None:
    """``a`` minus ``b``, whichever way round it was computed; None when no item is shared."""
    for found in comparisons:
        if (found.a, found.b) == (a, b):
            return found
        if (found.a, found.b) == (b, a):
            turned = {"difference": -found.difference, "low": -found.high, "high": -found.low}
            return found.model_copy(update={"a": a, "b": b, **turned})
    return None


def partial(measurements: Sequence[Measurement]) -> dict[str, list[str]]:
    """Arms measured on fewer benchmarks than another arm, each with the benchmarks it has.

    Fewer means a strict subset: what such an arm lacks may be what is hard.
    """
    covered: dict[str, list[str]] = defaultdict(list)
    for one in measurements:
        covered[one.arm].append(one.benchmark)
    return {
        arm: found
        for arm, found in covered.items()
        if any(set(found) < set(other) for other in covered.values())
    }


def _compare(
    a: str,
    b: str,
    of_a: Mapping[str, Mapping[str, float]],
    of_b: Mapping[str, Mapping[str, float]],
    weights: Mapping[str, float],
    factors: Mapping[tuple[str, str], float],
) -> Comparison | None:
    shared = {name: sorted(of_a[name].keys() & of_b[name].keys()) for name in of_a if name in of_b}
    names = [name for name, items in shared.items() if items]
    if not names:
        return None
    found = paired(
        [([of_a[n][i] for i in shared[n]], [of_b[n][i] for i in shared[n]]) for n in names],
        np.minimum(lowered(a, names, weights, factors), lowered(b, names, weights, factors)),
    )
    return Comparison(
        a=a, b=b, difference=found.difference, low=found.low, high=found.high, p=found.p, n=found.n
    )
