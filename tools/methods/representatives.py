"""Few items that stand for many: the one nearest to each centre of a clustering.

RELM (section 4.1.1) draws one at random from each cluster; the nearest is the same each time and
never an outlier. k-means on unit vectors, so that nearness is the cosine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tools.methods.cluster_router import prompt_regions, region_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


def representatives(vectors: NDArray[np.floating], k: int, seed: int = 0) -> list[int]:
    """Rows of (n, d) ``vectors`` nearest to the centres of at most ``k`` clusters, each once.

    The largest cluster's comes first. Fewer where there are fewer distinct rows; none of none.
    Raises ValueError when ``k`` is below 1.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}")
    if not len(vectors):
        return []
    rows = np.asarray(vectors, dtype=np.float64)
    centres = prompt_regions(rows, k, seed)
    region = region_of(rows, centres)
    order = np.argsort(-np.bincount(region, minlength=len(centres)), kind="stable")
    nearest = (((rows - centres[r]) ** 2).sum(axis=1) for r in order)
    members = (
        np.where(region == r, distance, np.inf) for r, distance in zip(order, nearest, strict=True)
    )
    return [int(one.argmin()) for one in members if np.isfinite(one).any()]


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    made = np.concatenate([rng.normal(place, 0.1, (20, 2)) for place in (0.0, 3.0, 6.0)])
    print("one of each twenty:", representatives(made, 3))  # noqa: T201
