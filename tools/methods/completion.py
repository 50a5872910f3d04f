"""Predicts the missing cells of a score matrix, each with a 90 % interval and a warning.

Up to ``EXACT_CELLS`` known cells and ``EXACT_ROWS`` rows or columns, three predictions are
averaged, all on a logit (bounded) or z-scored (unbounded) scale:

1. a Gaussian process over cells whose kernels come from side information: release date,
   provider, names, embeddings (``tools.methods.gaussian_process``);
2. the same with kernels of the models' and benchmarks' latent positions, read off 1;
3. biases plus rank-2 alternating least squares (Koren, Bell & Volinsky, *Computer* 42(8),
   2009, Eq. 4), several starts averaged.

Above that only 3 runs, on standardised columns and without side information, its rank and
ridge chosen on held-out cells; memory then grows with known cells plus a few (M, B) arrays.

Intervals follow split-conformal prediction with a cell's own scale (Lei et al., JASA 113, 2018,
section 5.2), but scale and quantile share residuals, so coverage is measured, not guaranteed:
known cells are held out in turn, a scale of the residuals is fitted to what a cell's support,
neighbours and level say, and the 0.9 quantile of the scaled residuals is taken.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import sparse
from scipy.special import expit, logit

from tools.methods.gaussian_process import Process, kernels, posterior_mean, tune

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray

    from tools.methods.gaussian_process import Kernels, Product, Side

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]
    Bounds = tuple[float, float] | Sequence[tuple[float, float] | None] | None

LEVEL = 0.90
EXACT_CELLS, EXACT_ROWS = 4_000, 2_000
MIX = (0.4, 0.4, 0.2)
MARGIN = 0.02  # scores nearer than this share of the span to a bound count as this near
TRUSTED_SUPPORT = 3
TRUSTED_WIDTH = 0.4
SHRINKAGE = 5.0


@dataclass(frozen=True)
class Completion:
    """``mean``, ``low``, ``high`` (M, B) float64 on the scores' own scale.

    A known cell keeps its score in all three. ``trusted`` (M, B) is False where a prediction
    should not be used: fewer than three known scores in its row or column, or an interval
    wider than 0.4 of the scale. A column without a known score stays NaN, unless ``bounds``
    were given and side information can place it.
    """

    mean: Floats
    low: Floats
    high: Floats
    trusted: Bools


def complete(
    scores: ArrayLike,
    *,
    models: Side | None = None,
    benchmarks: Side | None = None,
    bounds: Bounds = None,
    seed: int = 0,
) -> Completion:
    """Predict the NaN cells of ``scores`` (M models, B benchmarks).

    ``models`` and ``benchmarks`` are tables of side information, a column each: numbers (a
    release date in years, log parameters), booleans, texts (names, providers), or vectors
    (n, d) such as embeddings. Missing: NaN or None. ``id`` is only checked for duplicates.
    ``bounds``: one (low, high) for all columns, or one or None (unbounded) for each; without
    it 0-100, or 0-1 when hardly any column goes beyond 1, and columns outside are unbounded.

    A constant column is allowed, as is a row without any score: predicted from side
    information and its columns, never trusted.

    Raises ``ValueError`` for fewer than two rows or columns or eight known scores, infinities,
    scores outside bounds, duplicate ids, side columns of the wrong length, and columns that
    mix 0-1 with 0-100.
    """
    known = _checked(scores)
    scale = _Scale.of(known, bounds)
    for side, n in zip((models, benchmarks), known.shape, strict=True):
        _check_side(side, n)
    z = scale.forward(known)
    predictor = _Predictor.of(z, models, benchmarks, seed)
    half, mean = _with_intervals(predictor, z, seed)
    return _on_own_scale(known, scale, mean, half)


def _on_own_scale(known: Floats, scale: _Scale, z: Floats, half: Floats) -> Completion:
    seen = np.isfinite(known)
    mean, low, high = (np.where(seen, known, scale.back(v)) for v in (z, z - half, z + half))
    rows, columns = seen.sum(1)[:, None], seen.sum(0)
    supported = (rows >= TRUSTED_SUPPORT) & (columns >= TRUSTED_SUPPORT)
    trusted = seen | (supported & (high - low <= TRUSTED_WIDTH * scale.span))
    for values in (mean, low, high):
        values[:, ~scale.placed] = np.nan
    return Completion(mean, low, high, trusted & scale.placed)


# ---- input


def _checked(scores: ArrayLike) -> Floats:
    known = np.array(scores, dtype=np.float64)
    if known.ndim != 2 or min(known.shape) < 2:
        raise ValueError(f"scores must be at least 2 models x 2 benchmarks, not {known.shape}")
    if np.isinf(known).any():
        i, j = np.argwhere(np.isinf(known))[0]
        raise ValueError(f"score of row {i}, column {j} is infinite; use NaN for missing")
    if np.isfinite(known).sum() < 8:
        raise ValueError("fewer than eight known scores: nothing can be learnt from them")
    return known


class _Scale(NamedTuple):
    """Per column: how its scores become comparable numbers; all arrays (B,)."""

    low: Floats
    span: Floats
    bounded: Bools
    centre: Floats
    spread: Floats
    placed: Bools  # columns that can be predicted at all

    @classmethod
    def of(
        cls,
        known: Floats,
        bounds: Bounds,
    ) -> _Scale:
        filled = np.isfinite(known).any(0)
        kept = np.where(filled, known, 0.0)
        least, most = np.nanmin(kept, 0), np.nanmax(kept, 0)
        low, high = _limits(known, bounds, least, most)
        bounded = np.isfinite(high)
        if bounds is None:
            _refuse_mixed(known, bounded & (high > 1))
        spread = np.nanstd(kept, 0)
        level = np.maximum(0.05 * np.abs(np.nanmean(kept, 0)), 1e-9)
        spread = np.where(spread > 1e-12, spread, level)
        span = np.where(bounded, high - low, np.where(most > least, most - least, 10 * level))
        placed = filled | (bounded & (bounds is not None))
        return cls(np.where(bounded, low, 0), span, bounded, np.nanmean(kept, 0), spread, placed)

    def forward(self, known: Floats) -> Floats:
        share = np.clip((known - self.low) / self.span, MARGIN, 1 - MARGIN)
        return np.where(self.bounded, logit(share), (known - self.centre) / self.spread)

    def back(self, z: Floats) -> Floats:
        inside = self.low + self.span * expit(z)
        return np.where(self.bounded, inside, self.centre + self.spread * z)


def _limits(
    known: Floats,
    bounds: Bounds,
    least: Floats,
    most: Floats,
) -> tuple[Floats, Floats]:
    """Low and high of each column, NaN where unbounded."""
    if bounds is None:
        top = 1.0 if np.mean(most <= 1) >= 0.95 else 100.0
        inside = (least >= 0) & (most <= top)
        return np.where(inside, 0.0, np.nan), np.where(inside, top, np.nan)
    columns = known.shape[1]
    flat = np.asarray(bounds, dtype=object)
    one = flat.shape == (2,) and all(isinstance(b, int | float) for b in bounds)
    each = [bounds] * columns if one else list(bounds)
    if len(each) != columns:
        raise ValueError(f"{len(each)} bounds for {columns} columns")
    pairs = np.array([(np.nan, np.nan) if b is None else b for b in each], dtype=np.float64)
    if (pairs[:, 0] >= pairs[:, 1]).any():
        raise ValueError("bounds must be (low, high) with low < high")
    outside = (known < pairs[:, 0]) | (known > pairs[:, 1])
    if outside.any():
        i, j = np.argwhere(outside)[0]
        raise ValueError(f"score {known[i, j]:g} of row {i} is outside the bounds of column {j}")
    return pairs[:, 0], pairs[:, 1]


def _refuse_mixed(known: Floats, percent: Bools) -> None:
    """Raise where a column of percentages holds fractions too: nothing lies between them."""
    fractions = ((known > 0) & (known <= 1)).sum(0)
    between = ((known > 1) & (known < 20)).sum(0)
    large = (known >= 20).sum(0)
    mixed = percent & (between == 0) & (fractions >= 2) & (large >= 2)
    mixed &= 4 * np.minimum(fractions, large) >= fractions + large  # not a few that failed
    if mixed.any():
        raise ValueError(f"column {np.flatnonzero(mixed)[0]} mixes a 0-1 with a 0-100 scale")


def _check_side(side: Side | None, n: int) -> None:
    for name, column in (side or {}).items():
        values = np.asarray(column)
        if len(values) != n:
            raise ValueError(f"side information {name!r} has {len(values)} entries, not {n}")
        if name == "id" and len(set(values.tolist())) < n:
            raise ValueError("duplicate ids: merge the rows or columns of one thing first")


# ---- prediction


@dataclass(frozen=True)
class _Predictor:
    """What was tuned once on all known cells, to be fitted to any part of them."""

    rows: Kernels
    columns: Kernels
    ridge: tuple[int, float]
    side: Process | None = None
    latent: Process | None = None

    @classmethod
    def of(cls, z: Floats, models: Side | None, benchmarks: Side | None, seed: int) -> _Predictor:
        if np.isfinite(z).sum() > EXACT_CELLS or max(z.shape) > EXACT_ROWS:
            return cls({}, {}, _best_ridge(z, seed))
        rows, columns = kernels(models, len(z)), kernels(benchmarks, z.shape[1])
        plain = cls(rows, columns, (2, 0.1))
        i, j, y, _ = _cells(z)
        side = None
        if len(rows) + len(columns) > 4:
            side = tune(_products(rows, columns), i, j, y, seed=seed)
        tuned = replace(plain, side=side)
        latent = tune(tuned._latent_products(tuned._first(z)), i, j, y, seed=seed)
        return replace(tuned, latent=latent)

    def members(self, z: Floats) -> list[Floats]:
        """Predictions (M, B) to be averaged with ``MIX``; one alone when cells abound."""
        if self.latent is None:
            return [_standardised_least_squares(z, *self.ridge, starts=4, sweeps=15)]
        first = self._first(z)
        i, j, y, centre = _cells(z)
        second = centre + posterior_mean(self.latent, self._latent_products(first), i, j, y)
        if self.side is None:
            return [first, second, first]
        return [first, second, least_squares(z, *self.ridge)]

    def _first(self, z: Floats) -> Floats:
        if self.side is None:
            return least_squares(z, *self.ridge)
        i, j, y, centre = _cells(z)
        return centre + posterior_mean(self.side, _products(self.rows, self.columns), i, j, y)

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
            for known, p in zip((self.rows, self.columns), places, strict=True)
        )
        return _products(rows, columns)


def _cells(z: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats, float]:
    """Rows, columns and centred values of the known cells, and the centre."""
    i, j = np.nonzero(np.isfinite(z))
    centre = float(np.median(z[i, j]))
    return i, j, z[i, j] - centre, centre


def _products(rows: Kernels, columns: Kernels) -> list[Product]:
    """Every pair but self x self, which no two cells share."""
    return [
        (r, c) for a, r in rows.items() for b, c in columns.items() if (a, b) != ("self", "self")
    ]


def least_squares(
    z: Floats, rank: int = 2, ridge: float = 0.1, *, starts: int = 4, sweeps: int = 25
) -> Floats:
    """Biases plus ``rank`` factors by alternating least squares: (M, B) with NaN -> (M, B).

    Koren, Bell & Volinsky (2009), Eq. 4; the mean over random starts, whose local minima
    differ where cells are few. Costs (known cells) x rank^2 a sweep.
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


def _standardised_least_squares(
    z: Floats, rank: int, ridge: float, *, starts: int, sweeps: int
) -> Floats:
    """``least_squares`` with columns on one footing, those of few scores shrunk to the rest."""
    seen = np.isfinite(z)
    n = seen.sum(0)
    overall = z[seen].mean()
    centre = (np.where(seen, z, 0).sum(0) + overall) / (n + 1)
    squares = np.where(seen, (z - centre) ** 2, 0)
    spread = np.sqrt((squares.sum(0) + SHRINKAGE * squares[seen].mean() + 1e-12) / (n + SHRINKAGE))
    fitted = least_squares((z - centre) / spread, rank, ridge, starts=starts, sweeps=sweeps)
    restored: Floats = centre + spread * fitted
    return restored


def _solved(
    residuals: sparse.csr_array[np.float64, tuple[int, int]],
    mask: sparse.csr_array[np.float64, tuple[int, int]],
    other: Floats,
    ridge: float,
) -> Floats:
    """This side's bias and factors (n, 1 + rank), the other side's held fixed."""
    k = other.shape[1]
    design = np.column_stack([np.ones(len(other)), other[:, 1:]])
    squares = (design[:, :, None] * design[:, None, :]).reshape(len(other), k * k)
    normal = (mask @ squares).reshape(-1, k, k) + (ridge + 1e-9) * np.eye(k)
    target = residuals @ design - mask @ (other[:, :1] * design)
    solved: Floats = np.linalg.solve(normal, target[:, :, None])[:, :, 0]
    return solved


def _best_ridge(z: Floats, seed: int) -> tuple[int, float]:
    """Rank and ridge with the least median error on a tenth of the cells, held out."""
    hidden = next(_held_out(z, 10, seed))
    shown = np.where(hidden, np.nan, z)
    grid = [(2, 0.1), (2, 1.0), (4, 1.0), (8, 2.0), (16, 2.0), (16, 5.0)]
    errors = [
        np.median(np.abs(_standardised_least_squares(shown, *g, starts=1, sweeps=8) - z)[hidden])
        for g in grid
    ]
    return grid[int(np.argmin(errors))]


# ---- intervals


def _held_out(z: Floats, parts: int, seed: int) -> Iterator[Bools]:
    """Masks (M, B) that part the known cells at random."""
    part = np.random.default_rng(seed).integers(parts, size=z.shape)
    for k in range(parts):
        yield np.isfinite(z) & (part == k)


def _mixed(members: list[Floats]) -> tuple[Floats, Floats]:
    """Their weighted mean and, as a sign of doubt, how far they are apart."""
    if len(members) == 1:
        return members[0], np.zeros_like(members[0])
    return np.tensordot(MIX, members, 1), np.ptp(members, axis=0)


def _with_intervals(predictor: _Predictor, z: Floats, seed: int) -> tuple[Floats, Floats]:
    """Half width of the interval and mean, (M, B) on the working scale."""
    small = predictor.latent is not None
    residual = np.full(z.shape, np.nan)
    doubt = np.zeros(z.shape)
    guess = np.zeros(z.shape)
    for hidden in list(_held_out(z, 4 if small else 10, seed))[: 4 if small else 1]:
        mean, apart = _mixed(predictor.members(np.where(hidden, np.nan, z)))
        residual[hidden] = np.abs(z - mean)[hidden]
        guess[hidden], doubt[hidden] = mean[hidden], apart[hidden]
    held = np.isfinite(residual)
    mean, apart = _mixed(predictor.members(z))
    offset = 0.1 * float(np.median(residual[held]))
    size = np.log(np.where(held, residual, 1.0) + offset)
    told = _features(size, held, guess, doubt, leave_out=True)
    fit = np.column_stack([np.broadcast_to(f, z.shape)[held] for f in told])
    penalty = 1.0 * np.eye(fit.shape[1])
    penalty[0, 0] = 0.0
    slopes = np.linalg.solve(fit.T @ fit + penalty, fit.T @ size[held])
    ratio = residual[held] / np.exp(fit @ slopes)
    rank = min(1.0, LEVEL * (1 + 1 / len(ratio)))
    quantile = float(np.quantile(ratio, rank, method="higher"))
    told = _features(size, held, mean, apart, leave_out=False)
    log_scale = sum((s * f for s, f in zip(slopes, told, strict=True)), np.zeros(z.shape))
    return quantile * np.exp(log_scale), mean


def _features(
    size: Floats, held: Bools, mean: Floats, apart: Floats, *, leave_out: bool
) -> list[Floats]:
    """Five terms broadcasting to (M, B): what tells a cell's likely error before its score.

    Constant, level, disagreement, and the shrunken mean log error of its row and column; the
    cell's own error left out when it is the one to be explained.
    """
    centred = np.where(held, size - size[held].mean(), 0.0)
    own = (centred, held.astype(np.float64)) if leave_out else (0.0, 0.0)
    around = [
        (centred.sum(axis, keepdims=True) - own[0])
        / (held.sum(axis, keepdims=True) - own[1] + SHRINKAGE)
        for axis in (1, 0)
    ]
    return [np.ones((1, 1)), np.abs(mean), np.log(apart + 0.05), *around]


if __name__ == "__main__":
    ability, ease = np.linspace(-1, 2, 8), np.linspace(-1, 1, 6)
    truth = 100 * expit(ability[:, None] + ease)
    part = np.where(np.random.default_rng(0).random(truth.shape) < 0.3, np.nan, truth)
    done = complete(part, bounds=(0, 100), models={"release_date": ability})
    for i, j in np.argwhere(np.isnan(part))[:6]:
        line = (
            f"model {i} on benchmark {j}: {done.mean[i, j]:5.1f} "
            f"({done.low[i, j]:.0f}-{done.high[i, j]:.0f}), in truth {truth[i, j]:.1f}"
        )
        print(line)  # noqa: T201
