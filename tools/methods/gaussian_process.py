"""A Gaussian process over the cells of a matrix, its covariance a weighted sum of products.

Two cells covary as  k((i,j),(i',j')) = Σ_p w_p R_p(i,i') C_p(j,j') : rows alike in one way
times columns alike in another (the kernel of multi-task processes: Bonilla, Chai & Williams,
NIPS 2007, Eq. 1). The weights w_p and the noise are found by maximum marginal likelihood
(Rasmussen & Williams, *Gaussian Processes for Machine Learning*, Eq. 5.8-5.9).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import cho_factor, cho_solve, cholesky
from scipy.linalg.lapack import dpotri
from scipy.optimize import minimize

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.intp]
    Product = tuple[Floats, Floats]
    Kernels = dict[str, Floats]
    Side = Mapping[str, ArrayLike | Sequence[str | None]]

LENGTHS = (0.8, 2.5)  # of numbers, in standard deviations
NGRAMS, HASHED = (2, 3, 4), 1024
JITTER = 1e-6  # of the prior variance: keeps noise-free scores from a singular covariance
NEGLIGIBLE = 1e-3
PRIOR_LOG_WEIGHT = -3.0  # a weak pull: a weight the data say nothing about stays small
PRIOR_PRECISION = 0.01
MOST_LOG_WEIGHT = 20.0  # far beyond any sense: only keeps a wild step of the search finite
NOISE_SHRINKAGE = 10.0


@dataclass(frozen=True)
class Process:
    """Weights tuned for a list of products, in its order, and the noise variance."""

    weights: Floats
    noise: float


def kernels(side: Side | None, n: int) -> Kernels:
    """Positive semi-definite (n, n) kernels with unit diagonal from a table of ``n`` rows.

    Always ``one`` (all alike) and ``self`` (none alike). Numbers: squared exponentials of two
    lengths. Booleans: equality. Texts: cosine of hashed character n-grams. Vectors (n, d):
    cosine. A missing value is like nothing but itself. ``id`` is no information.
    """
    found = {"one": np.ones((n, n)), "self": np.eye(n)}
    for name, column in (side or {}).items():
        for suffix, kernel in () if name == "id" else _alike(np.asarray(column)):
            np.fill_diagonal(kernel, 1.0)
            found[f"{name}{suffix}"] = kernel
    return found


def _alike(values: NDArray[np.generic]) -> Iterator[tuple[str, Floats]]:
    if values.ndim == 2:
        yield "", _cosine(values.astype(np.float64))
    elif values.dtype.kind == "b":
        yield "", (values[:, None] == values).astype(np.float64)
    elif values.dtype.kind in "iuf":
        numbers = values.astype(np.float64)
        seen = np.isfinite(numbers)
        apart = np.where(seen[:, None] & seen, numbers[:, None] - numbers, np.inf)
        spread = np.std(numbers[seen]) if seen.any() else 0.0
        for length in LENGTHS if spread > 0 else ():
            yield f"~{length}", np.exp(-0.5 * (apart / (length * spread)) ** 2)
    else:
        yield "", _cosine(_hashed_ngrams(["" if v is None else str(v) for v in values]))


def _cosine(rows: Floats) -> Floats:
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    likeness: Floats = unit @ unit.T
    return likeness


def _hashed_ngrams(texts: Sequence[str]) -> Floats:
    """(n texts, HASHED) weighted counts of character n-grams; rare ones weigh more."""
    counts = np.zeros((len(texts), HASHED))
    for row, text in zip(counts, texts, strict=True):
        padded = f" {text.lower()} " if text else ""
        for size in NGRAMS:
            for k in range(len(padded) - size + 1):
                row[zlib.crc32(padded[k : k + size].encode()) % HASHED] += 1
    rarity = np.log((1 + len(texts)) / (1 + (counts > 0).sum(0)))
    weighted: Floats = np.sqrt(counts) * rarity
    return weighted


def tune(
    products: Sequence[Product],
    rows: Ints,
    columns: Ints,
    values: Floats,
    *,
    cells: int = 600,
    steps: int = 25,
    seed: int = 0,
) -> Process:
    """Weights of ``products`` [(M, M), (B, B)] from the known cells (n,), (n,), (n,).

    At most ``cells`` of them, drawn at random, are used: the cost grows with their cube.
    ``values`` are centred on zero.
    """
    drawn = np.random.default_rng(seed).permutation(len(values))[:cells]
    i, j, y = rows[drawn], columns[drawn], values[drawn]
    parts = np.stack([r[np.ix_(i, i)] * c[np.ix_(j, j)] for r, c in products])
    start = np.full(len(products) + 1, PRIOR_LOG_WEIGHT)
    found = minimize(
        _loss,
        start,
        args=(parts, y),
        jac=True,
        method="L-BFGS-B",
        bounds=[(-MOST_LOG_WEIGHT, MOST_LOG_WEIGHT)] * len(start),
        options={"maxiter": steps},
    )
    tuned = np.exp(found.x)
    return Process(tuned[:-1], float(tuned[-1]))


def _loss(log_weights: Floats, parts: Floats, y: Floats) -> tuple[float, Floats]:
    """Negative log posterior of the weights and its gradient."""
    weights = np.exp(log_weights)
    n = len(y)
    covariance = np.tensordot(weights[:-1], parts, 1)
    covariance[np.diag_indices(n)] += weights[-1] + JITTER * (1 + weights[:-1].sum())
    lower = cholesky(covariance, lower=True)
    half, _ = dpotri(lower, lower=1)
    inverse = np.tril(half) + np.tril(half, -1).T
    alpha = inverse @ y
    slope = inverse - np.outer(alpha, alpha)
    gradient = np.append(parts.reshape(len(parts), -1) @ slope.ravel(), np.trace(slope))
    away = log_weights - PRIOR_LOG_WEIGHT
    loss = 0.5 * y @ alpha + np.log(np.diag(lower)).sum() + 0.5 * PRIOR_PRECISION * away @ away
    return float(loss), 0.5 * weights * gradient + PRIOR_PRECISION * away


class Posterior:
    """A process conditioned on known cells; products as in ``tune``.

    ``noise`` (n,): variance of each known value, the process' own where None.
    """

    def __init__(
        self,
        process: Process,
        products: Sequence[Product],
        rows: Ints,
        columns: Ints,
        values: Floats,
        noise: Floats | None = None,
    ) -> None:
        weighted = zip(process.weights, products, strict=True)
        self._kept = [(w * r, c) for w, (r, c) in weighted if w > NEGLIGIBLE]
        self._shape = (len(products[0][0]), len(products[0][1]))
        self._cells = rows, columns
        covariance = np.zeros((len(values), len(values)))
        for r, c in _by_column_kernel(self._kept):
            covariance += r[np.ix_(rows, rows)] * c[np.ix_(columns, columns)]
        own = process.noise if noise is None else noise
        covariance[np.diag_indices(len(values))] += own + JITTER * (1 + process.weights.sum())
        self._factor = cho_factor(covariance, lower=True, overwrite_a=True)
        self._alpha: Floats = cho_solve(self._factor, values)

    def mean(self) -> Floats:
        """Of every cell, (M, B)."""
        alpha = np.zeros(self._shape)
        alpha[self._cells] = self._alpha
        mean = np.zeros(self._shape)
        for r, c in self._kept:
            mean += r @ alpha @ c
        return mean

    def left_out(self) -> Floats:
        """Known values (n,) minus their prediction from all the others (Eq. 5.12)."""
        half, _ = dpotri(self._factor[0], lower=1)
        residuals: Floats = self._alpha / np.diag(half)
        return residuals


def uneven_noise(
    process: Process, left_out: Floats, rows: Ints, columns: Ints, shape: tuple[int, int]
) -> Floats:
    """Noise variance of every cell (M, B): some benchmarks, and models, are more erratic.

    Geometric means of the leave-one-out residuals of a column, then of a row, shrunk to what is
    usual; their mean over the known cells is the process' noise.
    """
    size = np.log(np.abs(left_out) + 0.1 * np.median(np.abs(left_out)) + 1e-12)
    size -= size.mean()
    scale = np.zeros(shape)
    for axis, group in ((1, columns), (0, rows)):
        n = np.bincount(group, minlength=shape[axis]) + NOISE_SHRINKAGE
        effect = np.bincount(group, size, shape[axis]) / n
        size = size - effect[group]
        scale += effect if axis == 1 else effect[:, None]
    variance = np.exp(2 * scale)
    found: Floats = process.noise * variance / variance[rows, columns].mean()
    return found


def _by_column_kernel(kept: Sequence[Product]) -> list[Product]:
    """Products that share a column kernel, their row kernels added: fewer big gathers."""
    merged: dict[int, Product] = {}
    for r, c in kept:
        before = merged.get(id(c))
        merged[id(c)] = (r if before is None else before[0] + r, c)
    return list(merged.values())


if __name__ == "__main__":
    position = np.arange(6.0)
    near = np.exp(-0.5 * (position[:, None] - position) ** 2)
    seen = np.array([0, 1, 3, 4, 5])
    column = np.zeros(5, dtype=np.intp)
    products = [(near, np.ones((1, 1)))]
    process = tune(products, seen, column, np.sin(seen))
    mean = Posterior(process, products, seen, column, np.sin(seen)).mean()
    print(f"sin(2) = {np.sin(2):.2f}, predicted from its neighbours {mean[2, 0]:.2f}")  # noqa: T201
