"""Predicts the missing cells of a score matrix, each with a 90 % interval and a warning.

Up to ``EXACT_CELLS`` known cells and ``EXACT_ROWS`` rows or columns two Gaussian processes and
least squares are averaged, above that factors with uncertainty and neighbours predict
(``tools.methods.predictors``). Intervals come from the errors on known cells held out in turn
(``tools.methods.error_scale``). Beside the scores nothing but side information is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

from tools.methods.error_scale import ErrorScale
from tools.methods.least_squares import spreads
from tools.methods.predictors import Neighbours, Processes, parts
from tools.methods.score_scale import Scale, check_side, checked

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from tools.methods.gaussian_process import Side
    from tools.methods.predictors import Prediction
    from tools.methods.score_scale import Bounds

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

LEVEL = 0.90
EXACT_CELLS, EXACT_ROWS = 4_000, 2_000
TRUSTED_SUPPORT = 3
TRUSTED_WIDTH = 0.4
FLAT = 0.02  # added to the slope before a logarithm is taken


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
    known = checked(scores)
    scale = Scale.of(known, bounds)
    for side, n in zip((models, benchmarks), known.shape, strict=True):
        check_side(side, n)
    z = scale.forward(known)
    few = np.isfinite(z).sum() <= EXACT_CELLS and max(z.shape) <= EXACT_ROWS
    predictor = Processes(z, models, benchmarks, seed) if few else Neighbours(z, seed)
    error_scale = _error_scale(predictor, known, z, scale, seed)
    prediction, spread = predictor.predict(z), spreads(z)
    del z
    half = error_scale.half_width(_signals(prediction, scale, spread))
    half *= scale.span * predictor.error_left
    return _completion(known, scale, scale.back(prediction.mean), half)


def _error_scale(
    predictor: Processes | Neighbours, known: Floats, z: Floats, scale: Scale, seed: int
) -> ErrorScale:
    """Fitted to the errors on known cells, held out a part at a time."""
    errors, signals, rows, columns = [], [], [], []
    spread = spreads(z)
    masks = parts(z, predictor.held_out_parts, seed)
    for hidden in islice(masks, predictor.held_out_rounds):
        prediction = predictor.predict(np.where(hidden, np.nan, z))
        away = (known - scale.back(prediction.mean)) / scale.span
        errors.append(np.abs(away[hidden]))
        told = _signals(prediction, scale, spread)
        signals.append([np.broadcast_to(s, hidden.shape)[hidden] for s in told])
        i, j = np.nonzero(hidden)
        rows.append(i)
        columns.append(j)
    cells = np.concatenate(rows), np.concatenate(columns)
    shape = (known.shape[0], known.shape[1])
    fit = np.concatenate(signals, axis=1).T
    return ErrorScale.fit(np.concatenate(errors), fit, cells, shape, LEVEL)


def _signals(prediction: Prediction, scale: Scale, spread: Floats) -> list[Floats]:
    """What tells a cell's likely error before its score, each broadcasting to (M, B).

    How steeply its score follows the working scale, how spread its column is there and
    whether bounded, and the predictor's own doubts.
    """
    steep = scale.slope(prediction.mean)
    steep += FLAT
    np.log(steep, out=steep)
    return [steep, np.log(spread), scale.bounded.astype(np.float64), *prediction.doubts]


def _completion(known: Floats, scale: Scale, mean: Floats, half: Floats) -> Completion:
    seen = np.isfinite(known)
    rows, columns = seen.sum(1)[:, None], seen.sum(0)
    low, high = scale.clipped(mean - half), scale.clipped(mean + half)
    trusted = (rows >= TRUSTED_SUPPORT) & (columns >= TRUSTED_SUPPORT)
    trusted &= high - low <= TRUSTED_WIDTH * scale.span
    for values in (mean, low, high):
        np.copyto(values, known, where=seen)
        values[:, ~scale.placed] = np.nan
    return Completion(mean, low, high, (trusted | seen) & scale.placed)


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
