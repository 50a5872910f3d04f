"""Biases plus a few factors by alternating least squares: the field's standard completion.

Koren, Bell & Volinsky, *Computer* 42(8), 2009, Eq. 4, averaged over random starts, whose local
minima differ where cells are few.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Sparse = sparse.csr_array[np.float64, tuple[int, int]]

SHRINKAGE = 5.0


def least_squares(
    z: Floats, rank: int = 2, ridge: float = 0.1, *, starts: int = 4, sweeps: int = 25
) -> Floats:
    """The mean over ``starts``: (M, B) with NaN -> (M, B).

    Costs (known cells) x rank^2 a sweep.
    """
    seen = np.isfinite(z)
    mean = float(z[seen].mean())
    residuals = sparse.csr_array(np.where(seen, z - mean, 0.0))
    mask = sparse.csr_array(seen.astype(np.float64))
    sides = (residuals, mask), (residuals.T.tocsr(), mask.T.tocsr())
    total = np.full(z.shape, mean)
    for start in range(starts):
        draw = np.random.default_rng(start)
        left, right = (draw.normal(0, 0.1, (n, rank + 1)) for n in z.shape)
        left[:, 0] = right[:, 0] = 0.0
        for _ in range(sweeps):
            left = _solved(*sides[0], right, ridge)
            right = _solved(*sides[1], left, ridge)
        total += (left[:, 1:] @ right[:, 1:].T + left[:, :1] + right[:, 0]) / starts
    return total


def standardised(z: Floats, rank: int, ridge: float, *, starts: int, sweeps: int = 25) -> Floats:
    """``least_squares`` with columns on one footing, those of few scores shrunk to the rest."""
    seen = np.isfinite(z)
    centre = (np.where(seen, z, 0).sum(0) + z[seen].mean()) / (seen.sum(0) + 1)
    spread = spreads(z, centre)
    fitted = least_squares((z - centre) / spread, rank, ridge, starts=starts, sweeps=sweeps)
    restored: Floats = centre + spread * fitted
    return restored


def spreads(z: Floats, centre: Floats | None = None) -> Floats:
    """Standard deviation of each column (B,), few scores shrunk to what is usual."""
    seen = np.isfinite(z)
    n = seen.sum(0)
    if centre is None:
        centre = (np.where(seen, z, 0).sum(0) + z[seen].mean()) / (n + 1)
    squares = np.where(seen, (z - centre) ** 2, 0).sum(0)
    usual = squares.sum() / n.sum()
    found: Floats = np.sqrt((squares + SHRINKAGE * usual + 1e-12) / (n + SHRINKAGE))
    return found


def _solved(residuals: Sparse, mask: Sparse, other: Floats, ridge: float) -> Floats:
    """This side's bias and factors (n, 1 + rank), the other side's held fixed."""
    k = other.shape[1]
    design = np.column_stack([np.ones(len(other)), other[:, 1:]])
    squares = (design[:, :, None] * design[:, None, :]).reshape(len(other), k * k)
    normal = (mask @ squares).reshape(-1, k, k) + (ridge + 1e-9) * np.eye(k)
    target = residuals @ design - mask @ (other[:, :1] * design)
    solved: Floats = np.linalg.solve(normal, target[:, :, None])[:, :, 0]
    return solved


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(30, 1)) + rng.normal(size=20)
    part = np.where(rng.random(truth.shape) < 0.5, np.nan, truth)
    away = np.abs(least_squares(part, 1) - truth)[np.isnan(part)]
    print(f"half of a sum of two effects, found again to {np.median(away):.3f}")  # noqa: T201
