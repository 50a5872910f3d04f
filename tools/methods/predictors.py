"""Predictors of the cells of a matrix, tuned once on all known cells, fitted to any part of them.

``Processes``, where cells are few, is the mean of three, all after columns are brought to one
spread (not to one centre: that is the kernels' to find):

1. a Gaussian process over cells whose kernels come from side information: release date,
   provider, names, embeddings (``tools.methods.gaussian_process``);
2. the same with kernels of the models' and benchmarks' latent positions, read off 1;
3. biases plus rank-3 least squares on standardised columns.

``Neighbours``, where cells abound, uses no side information: factors with uncertainty, their
rank chosen on held-out cells, plus what alike models leave over. Memory then grows with known
cells plus a few (M, B) arrays.

Mix, ranks, ridge, shrinkage and ``error_left`` were chosen on cells hidden inside the training
part of BenchPress' folds 0-3 and, for ``Neighbours``, on MTEB with seeds 100-102. There neither
centred columns, nor 1,000 cells to tune on, nor a flag for reasoning, nor a third process on the
positions of the second made the mean better by more than chance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tools.methods.factors import factorized, with_neighbours
from tools.methods.gaussian_process import Posterior, kernels, tune, uneven_noise
from tools.methods.least_squares import spreads, standardised

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tools.methods.gaussian_process import Kernels, Process, Product, Side

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]
    Ints = NDArray[np.intp]

DOUBT = 0.05  # added before a logarithm is taken
RIDGE, RANK = 0.1, 3
RANKS = (2, 4, 8, 16)
UNTOLD = 2  # kernels of a side without information
FEW_CELLS = 25_000  # up to here a fit is cheap enough for several starts


class Prediction(NamedTuple):
    """``mean`` (M, B), and ``doubts`` (M, B): logarithms that grow with the likely error."""

    mean: Floats
    doubts: list[Floats]


def parts(z: Floats, n: int, seed: int) -> Iterator[Bools]:
    """Masks (M, B) that part the known cells of ``z`` at random."""
    part = np.random.default_rng(seed).integers(n, size=z.shape, dtype=np.int8)
    for k in range(n):
        yield np.isfinite(z) & (part == k)


@dataclass(frozen=True)
class _Tuned:
    process: Process
    noise: Floats  # (M, B)


class Processes:
    """The mean of two Gaussian processes and least squares; see the module."""

    held_out_parts, held_out_rounds = 6, 6
    # Predictions from all cells err less than those from five sixths: by this on inner splits.
    error_left = 0.92

    def __init__(self, z: Floats, models: Side | None, benchmarks: Side | None, seed: int) -> None:
        self._rows, self._columns = kernels(models, len(z)), kernels(benchmarks, z.shape[1])
        told = len(self._rows) + len(self._columns) > 2 * UNTOLD
        spread = spreads(z)
        products = _products(self._rows, self._columns)
        self._side = _tuned(z / spread, products, seed) if told else None
        products = self._latent_products(self._first(z) / spread)
        self._latent = _tuned(z / spread, products, seed)

    def predict(self, z: Floats) -> Prediction:
        """From the known cells of ``z`` (M, B), a part of those tuned on."""
        spread = spreads(z)
        plain = standardised(z, RANK, RIDGE, starts=4)
        members = [plain]
        if self._side is not None:
            members.append(self._first(z))
        products = self._latent_products(members[-1] / spread)
        members.append(spread * _posterior_mean(self._latent, products, z / spread))
        _, deviation = factorized(z, RANK, starts=1, sweeps=20)
        apart = np.log(np.ptp(members, axis=0) + DOUBT)
        mean: Floats = np.mean(members, axis=0)
        return Prediction(mean, [np.log(deviation), apart])

    def _first(self, z: Floats) -> Floats:
        if self._side is None:
            return standardised(z, RANK, RIDGE, starts=4)
        spread = spreads(z)
        products = _products(self._rows, self._columns)
        return spread * _posterior_mean(self._side, products, z / spread)

    def _latent_products(self, predicted: Floats) -> list[Product]:
        """Products with kernels of the three leading latent directions of a prediction."""
        left, size, right = np.linalg.svd(predicted - predicted.mean(0), full_matrices=False)
        weight = size[:3] / max(size[0], 1e-12)
        places = (
            left[:, :3] * weight * np.sqrt(len(left)),
            right[:3].T * weight * np.sqrt(len(right.T)),
        )
        rows, columns = (
            {**known, "latent": np.exp(-0.5 * ((p[:, None] - p) ** 2).sum(-1))}
            for known, p in zip((self._rows, self._columns), places, strict=True)
        )
        return _products(rows, columns)


def _tuned(z: Floats, products: list[Product], seed: int) -> _Tuned:
    i, j, y, _ = _cells(z)
    process = tune(products, i, j, y, seed=seed)
    left_out = Posterior(process, products, i, j, y).left_out()
    return _Tuned(process, uneven_noise(process, left_out, i, j, z.shape))


def _posterior_mean(tuned: _Tuned, products: list[Product], z: Floats) -> Floats:
    i, j, y, centre = _cells(z)
    return centre + Posterior(tuned.process, products, i, j, y, tuned.noise[i, j]).mean()


def _cells(z: Floats) -> tuple[Ints, Ints, Floats, float]:
    """Rows, columns and centred values of the known cells, and the centre."""
    i, j = np.nonzero(np.isfinite(z))
    centre = float(np.median(z[i, j]))
    return i, j, z[i, j] - centre, centre


def _products(rows: Kernels, columns: Kernels) -> list[Product]:
    """Every pair but self x self, which no two cells share."""
    return [
        (r, c) for a, r in rows.items() for b, c in columns.items() if (a, b) != ("self", "self")
    ]


class Neighbours:
    """Factors with uncertainty plus what alike rows leave over; see the module."""

    held_out_parts, held_out_rounds = 10, 1
    error_left = 1.0

    def __init__(self, z: Floats, seed: int) -> None:
        hidden = next(parts(z, 10, seed + 1))
        shown = np.where(hidden, np.nan, z)
        few = np.isfinite(z).sum() <= FEW_CELLS
        self._starts, self._sweeps = (4, 25) if few else (1, 15)
        best, self._rank = np.inf, RANKS[0]
        for rank in RANKS:
            fitted, _ = factorized(shown, rank, starts=self._starts, sweeps=8)
            error = float(np.median(np.abs(fitted - z)[hidden]))
            if error > best:
                break
            best, self._rank = error, rank

    def predict(self, z: Floats) -> Prediction:
        """From the known cells of ``z`` (M, B), a part of those tuned on."""
        mean, deviation = factorized(z, self._rank, starts=self._starts, sweeps=self._sweeps)
        return Prediction(with_neighbours(z, mean), [np.log(deviation, out=deviation)])
