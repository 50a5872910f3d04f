"""What is believed of a score matrix: a joint normal over its cells, known ones and missing.

``tools.methods.completion`` says how far off each predicted cell may be, not how the errors go
together. What to measure next turns on that: a model underestimated on one benchmark tends to be
underestimated on the others, so one cell bought tells of many. Here are two such beliefs:

- ``of_scores`` learns the covariance: the Gaussian process over cells of
  ``tools.methods.gaussian_process``, and its posterior over the columns asked for. Scores stay on
  their own scale, so that a weighted sum of cells is normal too; on the logit scale it is not.
  Its variances are then scaled to the errors at known cells held out: latent positions read off
  the very cells they explain make it too sure.
- ``of_intervals`` takes a prediction with intervals from anywhere and one correlation of the
  errors within a row.

A score, once measured, conditions the normal in closed form: no refit after each purchase. The
size of the covariance is learnt on the way as in a Student-t process (Shah, Wilson & Ghahramani,
AISTATS 2014, Eq. 6), of which the normal with that covariance is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve, cholesky, solve_triangular
from scipy.special import ndtri

from tools.methods import gaussian_process
from tools.methods.gaussian_process import Posterior, kernels, tune

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from tools.methods.gaussian_process import Kernels, Process, Product, Side

    Floats = NDArray[np.float64]
    Ints = NDArray[np.intp]
    Cells = Sequence[tuple[int, int]]

MOST_CELLS = 6_000  # known cells; memory and time grow with their square and cube
DIRECTIONS = 3
HELD_OUT = 0.2
LEVEL = 0.90
NEGLIGIBLE = 1e-3
ROW_CORRELATION = 0.5
FREEDOM = 10.0
JITTER = 1e-9


@dataclass(frozen=True)
class Belief:
    """``mean`` (M, B) and ``covariance`` (M·B, M·B), cell (i, j) at place i·B + j.

    In points of the scores' scale and their squares. A known cell has variance 0. ``freedom``:
    how many measured scores the size of the covariance counts as; inf keeps it as it is.
    """

    mean: Floats
    covariance: Floats
    freedom: float = FREEDOM

    @property
    def variance(self) -> Floats:
        """Of each cell, (M, B); 0 where known."""
        return np.diag(self.covariance).reshape(self.mean.shape)

    def only(self, columns: Sequence[int]) -> Belief:
        """The same of some columns alone."""
        m, b = self.mean.shape
        flat = (np.arange(m)[:, None] * b + np.asarray(columns, dtype=np.intp)).ravel()
        return replace(
            self,
            mean=self.mean[:, np.asarray(columns, dtype=np.intp)],
            covariance=self.covariance[np.ix_(flat, flat)],
        )

    def learn(self, cells: Cells, values: ArrayLike, noise: float = 0.0) -> Belief:
        """Belief after measuring ``cells`` with error variance ``noise``; known ones are kept.

        Scores further off than the covariance said enlarge it everywhere, closer ones shrink it.

        Raises ``ValueError`` for cells outside, or values that are not one finite score a cell.
        """
        measured = np.asarray(values, dtype=np.float64)
        if measured.shape != (len(cells),) or not np.isfinite(measured).all():
            raise ValueError(
                f"{len(cells)} cells need as many finite scores, not {measured.tolist()}"
            )
        flat, first = np.unique(places(cells, self.mean.shape), return_index=True)
        missing = self.covariance[flat, flat] > 0
        flat, seen = flat[missing], measured[first][missing]
        if not flat.size:
            return self
        surprise = seen - self.mean.ravel()[flat]
        gain, covariance, squares = self._conditioned(flat, noise, surprise)
        mean = self.mean.ravel() + gain @ surprise
        if noise == 0:
            mean[flat] = seen
        scale, freedom = 1.0, self.freedom
        if np.isfinite(freedom):
            scale = (freedom + squares) / (freedom + flat.size)
            freedom += flat.size
        return Belief(mean.reshape(self.mean.shape), scale * covariance, freedom)

    def settle(self, cells: Cells, noise: float = 0.0) -> Belief:
        """What will be left unknown once ``cells`` are measured, whatever they show."""
        flat = np.unique(places(cells, self.mean.shape))
        flat = flat[self.covariance[flat, flat] > 0]
        if not flat.size:
            return self
        return replace(self, covariance=self._conditioned(flat, noise, np.zeros(flat.size))[1])

    def _conditioned(
        self, flat: Ints, noise: float, surprise: Floats
    ) -> tuple[Floats, Floats, float]:
        """How far cells move with each surprise, covariance after, squared size of surprises."""
        own = self.covariance[np.ix_(flat, flat)]
        own[np.diag_indices(len(flat))] += noise + JITTER * np.trace(own) / len(flat)
        factor = cho_factor(own)
        gain: Floats = cho_solve(factor, self.covariance[flat]).T
        covariance = self.covariance - gain @ self.covariance[flat]
        if noise == 0:
            covariance[flat], covariance[:, flat] = 0.0, 0.0
        diagonal = np.einsum("ii->i", covariance)
        diagonal[:] = np.maximum(diagonal, 0.0)
        return gain, covariance, float(surprise @ cho_solve(factor, surprise))


def places(cells: Cells, shape: tuple[int, ...]) -> Ints:
    """Where (row, column) pairs lie in a flattened matrix. ``ValueError`` when outside it."""
    pairs = np.asarray(cells, dtype=np.intp).reshape(-1, 2)
    if ((pairs < 0) | (pairs >= shape)).any():
        raise ValueError(f"a cell lies outside the {shape[0]} x {shape[1]} matrix")
    return np.asarray(pairs[:, 0] * shape[1] + pairs[:, 1])


def of_intervals(
    mean: ArrayLike,
    low: ArrayLike,
    high: ArrayLike,
    known: ArrayLike,
    *,
    correlation: float = ROW_CORRELATION,
    level: float = 0.90,
) -> Belief:
    """From predictions (M, B) with central ``level`` intervals; ``known`` (M, B) marks scores.

    ``correlation``, in [0, 1], is that of the errors of one model's cells; those of different
    models are taken as independent.

    Raises ``ValueError`` for shapes that differ, a cell that is not finite, or low > high.
    """
    centre, lower, upper = (np.asarray(x, dtype=np.float64) for x in (mean, low, high))
    seen = np.asarray(known, dtype=bool)
    if centre.ndim != 2 or not centre.shape == lower.shape == upper.shape == seen.shape:
        raise ValueError("mean, low, high and known must be matrices of one shape")
    if not (np.isfinite(centre) & np.isfinite(lower) & np.isfinite(upper)).all():
        raise ValueError("a prediction is not finite; leave out columns nothing is known of")
    if (lower > upper).any():
        raise ValueError("an interval has low > high")
    if not (0 <= correlation <= 1 and 0 < level < 1):
        raise ValueError("correlation lies in [0, 1] and level in (0, 1)")
    sd = np.where(seen, 0.0, (upper - lower) / (2 * ndtri((1 + level) / 2)))
    m, b = centre.shape
    alike = correlation + (1 - correlation) * np.eye(b)
    covariance = np.kron(np.eye(m), alike) * np.outer(sd, sd)
    return Belief(centre, covariance)


def of_scores(
    scores: ArrayLike,
    columns: Sequence[int] | None = None,
    *,
    models: Side | None = None,
    benchmarks: Side | None = None,
    seed: int = 0,
) -> Belief:
    """From the known cells of ``scores`` (M, B; NaN: missing), for ``columns`` of it (all).

    All columns must share a scale, such as 0-100. ``models`` and ``benchmarks`` are side
    information as ``tools.methods.completion.complete`` takes it.

    Raises ``ValueError`` for fewer than eight known cells, more than ``MOST_CELLS`` (give it the
    shortlist and the best known models only), infinities or columns outside.
    """
    known = np.asarray(scores, dtype=np.float64)
    wanted = np.arange(known.shape[-1]) if columns is None else np.asarray(columns, dtype=np.intp)
    _check(known, wanted)
    i, j = np.nonzero(np.isfinite(known))
    y = known[i, j]
    centre, spread = float(y.mean()), float(y.std()) or 1.0
    cells = _Cells(i, j, (y - centre) / spread)
    field = _Field.tuned(
        kernels(models, len(known)), kernels(benchmarks, known.shape[1]), cells, seed
    )
    every = np.repeat(np.arange(len(known)), len(wanted)), np.tile(wanted, len(known))
    mean, covariance = field.posterior(cells, *every)
    covariance *= spread**2 * field.scale(cells, seed)
    mean = (centre + spread * mean).reshape(-1, len(wanted))
    seen = np.isfinite(known[:, wanted])
    covariance[seen.ravel()], covariance[:, seen.ravel()] = 0.0, 0.0
    return Belief(np.where(seen, known[:, wanted], mean), covariance)


def _check(known: Floats, wanted: Ints) -> None:
    if known.ndim != 2 or np.isinf(known).any():
        raise ValueError("scores are a matrix of numbers, NaN where missing")
    if not 8 <= np.isfinite(known).sum() <= MOST_CELLS:
        raise ValueError(f"between 8 and {MOST_CELLS} scores must be known")
    if ((wanted < 0) | (wanted >= known.shape[1])).any():
        raise ValueError(f"a column is not among the {known.shape[1]}")


class _Cells(NamedTuple):
    """Known cells: rows, columns, standardised scores, all (n,)."""

    i: Ints
    j: Ints
    y: Floats

    def only(self, kept: NDArray[np.bool_]) -> _Cells:
        return _Cells(self.i[kept], self.j[kept], self.y[kept])


@dataclass(frozen=True)
class _Field:
    """Two tuned processes: on side information, and with the latent positions it shows."""

    rows: Kernels
    columns: Kernels
    first: Process
    second: Process

    @classmethod
    def tuned(cls, rows: Kernels, columns: Kernels, cells: _Cells, seed: int) -> _Field:
        first = tune(_products(rows, columns), *cells, seed=seed)
        plain = cls(rows, columns, first, first)
        return replace(plain, second=tune(plain._products(cells), *cells, seed=seed))

    def _products(self, cells: _Cells) -> list[Product]:
        """Products with kernels of the leading latent directions, read off a first prediction."""
        predicted = Posterior(self.first, _products(self.rows, self.columns), *cells).mean()
        left, size, right = np.linalg.svd(predicted - predicted.mean(0), full_matrices=False)
        share = size[:DIRECTIONS] / max(size[0], 1e-12)
        latent = []
        for place, of in ((left[:, :DIRECTIONS], cells.i), (right[:DIRECTIONS].T, cells.j)):
            scaled = place * share * np.sqrt(len(place))
            near = np.exp(-0.5 * ((scaled[:, None] - scaled) ** 2).sum(-1))
            unplaced = np.bincount(of, minlength=len(place)) == 0
            near[unplaced], near[:, unplaced] = 0.0, 0.0  # nobody measured it: like itself only
            np.fill_diagonal(near, 1.0)
            latent.append(near)
        return _products(self.rows | {"latent": latent[0]}, self.columns | {"latent": latent[1]})

    def posterior(self, cells: _Cells, i: Ints, j: Ints) -> tuple[Floats, Floats]:
        """Mean (n,) and covariance (n, n) of the scores of cells ``i``, ``j``."""
        pairs = zip(self.second.weights, self._products(cells), strict=True)
        kept = [(w * r, c) for w, (r, c) in pairs if w > NEGLIGIBLE]

        def between(a: tuple[Ints, Ints], b: tuple[Ints, Ints]) -> Floats:
            total = np.zeros((len(a[0]), len(b[0])))
            for r, c in kept:
                total += r[np.ix_(a[0], b[0])] * c[np.ix_(a[1], b[1])]
            return total

        noise = self.second.noise + gaussian_process.JITTER * (1 + self.second.weights.sum())
        known = between((cells.i, cells.j), (cells.i, cells.j)) + noise * np.eye(len(cells.y))
        lower = cholesky(known, lower=True, overwrite_a=True)
        told = solve_triangular(lower, between((cells.i, cells.j), (i, j)), lower=True)
        mean = told.T @ solve_triangular(lower, cells.y, lower=True)
        return mean, between((i, j), (i, j)) + noise * np.eye(len(i)) - told.T @ told

    def scale(self, cells: _Cells, seed: int) -> float:
        """What variances are multiplied by for 90 % intervals to hold held-out known cells."""
        held = np.random.default_rng(seed).random(len(cells.y)) < HELD_OUT
        if not 0 < held.sum() < len(held):
            return 1.0
        mean, covariance = self.posterior(cells.only(~held), cells.i[held], cells.j[held])
        squares = (cells.y[held] - mean) ** 2 / np.diag(covariance)
        return float(np.quantile(squares, LEVEL)) / ndtri((1 + LEVEL) / 2) ** 2


def _products(rows: Kernels, columns: Kernels) -> list[Product]:
    """Every pair but self x self, which no two cells share."""
    return [
        (r, c) for a, r in rows.items() for b, c in columns.items() if (a, b) != ("self", "self")
    ]
