"""How popular a model is for its age and size, and how regularly its makers publish.

Downloads grow with a model's age on the Hub and fall with its size, so the raw number says
little. A model is compared with its ``peers``: the k models nearest in (log age, log size), both
in standard deviations. Its percentile is the share of peers below it, ties by half; one without
a size is compared by age alone. Popularity is no measure of quality and enters none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

PEERS = 100
LEAST_PEERS = 10
"""Fewer models to compare with give no percentile."""


class Cadence(NamedTuple):
    """Publications of one maker: how many, the median days between them, days since the last.

    ``gap`` is None with fewer than two.
    """

    n: int
    gap: float | None
    since: float


def percentile(
    which: int, counts: ArrayLike, ages: ArrayLike, sizes: ArrayLike, k: int = PEERS
) -> tuple[float, int] | None:
    """Where row ``which`` stands among its peers by ``counts``: (share below, number of peers).

    Args:
        which: the row asked about.
        counts: (m,) such as downloads; NaN where it is not known.
        ages: (m,) in days, above 0; NaN where it is not known.
        sizes: (m,) parameters, above 0; NaN where it is not known.
        k: how many peers to compare with.

    None when the row's own count or age is not known, or peers are too few.
    """
    count, age, size = (np.asarray(a, dtype=np.float64) for a in (counts, ages, sizes))
    if not (np.isfinite(count[which]) and np.isfinite(age[which])):
        return None
    usable = np.isfinite(count) & np.isfinite(age)
    sides = [_standard(np.log(age), usable)]
    if np.isfinite(size[which]):
        usable &= np.isfinite(size)
        sides.append(_standard(np.log(size), usable))
    usable[which] = False
    rows = np.flatnonzero(usable)
    if len(rows) < LEAST_PEERS:
        return None
    away = np.sum([(side[rows] - side[which]) ** 2 for side in sides], axis=0)
    peers = count[rows[np.argsort(away, kind="stable")[:k]]]
    below = np.mean(peers < count[which]) + np.mean(peers == count[which]) / 2
    return float(below), len(peers)


def _standard(values: Floats, usable: NDArray[np.bool_]) -> Floats:
    spread = float(values[usable].std()) if usable.any() else 0.0
    return values / spread if spread > 0 else np.zeros_like(values)


def cadence(days_ago: ArrayLike) -> Cadence | None:
    """The rhythm of publications that lie ``days_ago`` (n,); None when there is none."""
    when = np.sort(np.asarray(days_ago, dtype=np.float64))
    if not when.size:
        return None
    gap = float(np.median(np.diff(when))) if when.size > 1 else None
    return Cadence(int(when.size), gap, float(when[0]))


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    days, params = rng.uniform(10, 900, 500), 10 ** rng.uniform(8, 11, 500)
    downloads = days * 1e12 / params * rng.lognormal(0, 1, 500)
    for row in np.argsort(-downloads)[:3].tolist():
        found = percentile(row, downloads, days, params)
        told = f"{found[0]:.0%} of {found[1]} peers" if found else "nothing to compare with"
        print(f"{downloads[row]:12,.0f} downloads at {days[row]:.0f} days: above {told}")  # noqa: T201
