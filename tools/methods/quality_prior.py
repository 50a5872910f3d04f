"""How good a model is likely to be before it has answered anything: a mixed linear model.

    y_i = x_i β + u_base(i) + v_family(i) + ε_i

Size and date pull all models along one line, which may be followed beyond the models measured, as a
stationary kernel (``gaussian_process``) may not; kin share what the line leaves over. A measurement
elsewhere enters as y with its own standard error, so that a model measured well keeps its
score, a model measured badly is drawn to the line, and one not measured at all stands on it. The
three variances are chosen by marginal likelihood on the measured models; β has a flat prior. This
is best linear unbiased prediction (Henderson 1975).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

FLAT = 1e4  # prior variance of β, in units of the scores' variance
LEAST = 1e-6
FEWEST = 4


@dataclass(frozen=True)
class QualityPrior:
    """``mean`` and ``error`` (m,): likely quality on the scores' scale, and its standard error."""

    mean: Floats
    error: Floats


def fit(
    scores: ArrayLike,
    errors: ArrayLike,
    facts: ArrayLike,
    groups: Sequence[Sequence[object | None]] = (),
) -> QualityPrior:
    """What is likely of each of m models.

    Args:
        scores: (m,) measured elsewhere, on any one scale; NaN where not measured.
        errors: (m,) standard errors of those; 0 for a score that is taken as it is.
        facts: (k, m) such as log parameters and a date; NaN where unknown, which is a fact, too:
            the unknown share an offset of their own.
        groups: Each m labels (a base, a family); models of one label are alike. None: alone.

    Raises:
        ValueError: shapes that don't fit, fewer than four scores, or an error that is negative.
    """
    y, noise = np.asarray(scores, dtype=np.float64), np.asarray(errors, dtype=np.float64)
    _require(y.ndim == 1 and noise.shape == y.shape, "scores and errors must be (m,)")
    known = np.isfinite(y)
    _require(int(known.sum()) >= FEWEST, f"at least {FEWEST} scores must be known")
    _require(bool((noise[known] >= 0).all()), "an error is negative or unknown")
    centre, unit = float(y[known].mean()), float(y[known].std()) or 1.0
    design = _design(np.asarray(facts, dtype=np.float64).reshape(-1, len(y)))
    kin = [_alike(labels, len(y)) for labels in groups]
    flat = FLAT * design @ design.T
    target, spread = (y[known] - centre) / unit, noise[known] / unit

    def covariance(log: Floats) -> Floats:
        """Of line and kin; ``log`` holds the variances, a model's own first."""
        shared = sum((np.exp(v) * k for v, k in zip(log[1:], kin, strict=True)), flat)
        return np.asarray(shared)

    def loss(log: Floats) -> float:
        c = covariance(log)[np.ix_(known, known)]
        c[np.diag_indices_from(c)] += np.exp(log[0]) + spread**2 + LEAST
        factor = cho_factor(c, lower=True)
        half: float = np.log(np.diag(factor[0])).sum() + target @ cho_solve(factor, target) / 2
        return half

    start = np.full(1 + len(kin), np.log(0.3))
    bounds = [(np.log(1e-4), np.log(10.0))] * len(start)
    log = minimize(loss, start, method="L-BFGS-B", bounds=bounds).x
    own = np.exp(log[0])
    every = covariance(log)
    # What is a model's own, beside line and kin, is measured with it: it is no noise.
    every[np.diag_indices_from(every)] += own
    seen = every[np.ix_(known, known)].copy()
    seen[np.diag_indices_from(seen)] += spread**2 + LEAST
    factor = cho_factor(seen, lower=True)
    across = every[:, known]
    mean = across @ cho_solve(factor, target)
    left = np.diag(every) - np.einsum("ij,ji->i", across, cho_solve(factor, across.T))
    return QualityPrior(centre + unit * mean, unit * np.sqrt(np.maximum(left, 0.0)))


def _design(facts: Floats) -> Floats:
    """(m, 1 + 2k): an intercept, each fact standardized, and whether it is unknown."""
    known = np.isfinite(facts)
    columns = [np.ones(facts.shape[1])]
    for row, seen in zip(facts, known, strict=True):
        if not seen.any():
            continue
        deviation = row[seen].std() or 1.0
        columns.append(np.where(seen, (row - row[seen].mean()) / deviation, 0.0))
        if not seen.all():
            columns.append((~seen).astype(np.float64))
    return np.stack(columns, axis=1)


def _alike(labels: Sequence[object | None], m: int) -> Floats:
    _require(len(labels) == m, f"{len(labels)} labels for {m} models")
    return np.array(
        [[float(i == j or (a is not None and a == b)) for j, b in enumerate(labels)]
         for i, a in enumerate(labels)]
    )  # fmt: skip


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)
