"""A choice under doubt: which model is best, how surely, and what could change that.

The choice is the model of largest s_i = a_i + Σ_j w_j P_ij (RELM Eq. 1, its terms in one unit).
Cells of P that nobody measured are jointly normal (``tools.methods.belief``), so s is, too.

One more score moves every s_i along a line in one standard normal z. From these lines follow, in
closed form, the chance that it changes the choice and the expected improvement of the chosen
model: the knowledge gradient for correlated beliefs (Frazier, Powell & Dayanik, INFORMS Journal
on Computing 21(4), 2009, section 3). Of several scores at once, joint draws tell.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.special import ndtr

from tools.methods.belief import places

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from tools.methods.belief import Belief

    Floats = NDArray[np.float64]
    Ints = NDArray[np.intp]
    Cell = tuple[int, int]

DRAWS = 4_000
FAR = 6.0  # standard deviations behind the best at which a model is no rival
TIE = 1e-6  # closer than this, two models are equal: rounding must not choose


@dataclass(frozen=True)
class Choice:
    """A choice to be made; make one with ``of``, which checks and completes what it is given.

    ``belief`` over (M, B) cells; ``weights`` (B,), summing to 1; ``offsets`` (M,) in the units of
    the scores: what is known of s besides, such as α/(1-α) σ_model of Eq. 1. An improvement of
    the chosen model's s by no more than ``tolerance`` is not worth a change. ``noise``: the error
    variance of a measured score. Of equal models the first is best.
    """

    belief: Belief
    weights: Floats
    offsets: Floats
    tolerance: float = 0.0
    noise: float = 0.0

    @classmethod
    def of(
        cls,
        belief: Belief,
        weights: ArrayLike,
        offsets: ArrayLike | None = None,
        *,
        tolerance: float = 0.0,
        noise: float = 0.0,
    ) -> Choice:
        """Raises ``ValueError`` for shapes that don't fit, weights that are negative, not finite
        or all zero, offsets that are not finite, a negative tolerance or noise."""
        m, b = belief.mean.shape
        w = np.asarray(weights, dtype=np.float64)
        a = np.zeros(m) if offsets is None else np.asarray(offsets, dtype=np.float64)
        _require(w.shape == (b,), f"weights have shape {w.shape}, not ({b},)")
        _require(a.shape == (m,), f"offsets have shape {a.shape}, not ({m},)")
        _require(bool(np.all(np.isfinite(w) & (w >= 0))), "a weight is negative or not finite")
        _require(w.sum() > 0, "every weight is 0")
        _require(bool(np.isfinite(a).all()), "an offset is not finite")
        _require(tolerance >= 0 and noise >= 0, "tolerance and noise must not be negative")
        return cls(belief, w / w.sum(), a, tolerance, noise)

    @cached_property
    def value(self) -> Floats:
        """Expected s of each model, (M,)."""
        return self.offsets + self.belief.mean @ self.weights

    @property
    def best(self) -> int:
        """The model that would be chosen now."""
        return int(np.argmax(self.value))

    @cached_property
    def reach(self) -> Floats:
        """Covariance of each s with each cell, (M, M·B)."""
        m, b = self.belief.mean.shape
        of_rows = self.belief.covariance.reshape(m, b, m * b)
        reach: Floats = self.weights @ of_rows
        return reach

    @cached_property
    def spread(self) -> Floats:
        """Covariance of s, (M, M)."""
        m, b = self.belief.mean.shape
        spread: Floats = self.reach.reshape(m, m, b) @ self.weights
        return spread

    def best_probability(self, seed: int = 0) -> Floats:
        """Chance of each model to be the best in truth, (M,), from ``DRAWS`` joint draws."""
        drawn = self.value + _drawn(self.spread, np.random.default_rng(seed))
        winners = np.argmax(drawn >= drawn.max(axis=1, keepdims=True) - TIE, axis=1)
        return np.bincount(winners, minlength=len(self.value)) / DRAWS

    def chance_of_change(self, cells: Sequence[Cell], seed: int = 0) -> float:
        """Chance that measuring all of ``cells`` changes the choice, from ``DRAWS`` joint draws."""
        return float(self.changed(self._missing(cells), None, seed).mean())

    def learn(self, cells: Sequence[Cell], values: ArrayLike) -> Choice:
        """The choice after these scores were measured."""
        return replace(self, belief=self.belief.learn(cells, values, self.noise))

    def foresee(self, cells: Sequence[Cell], seed: int = 0) -> Floats:
        """Expected s as they may be once ``cells`` are measured, (DRAWS, M)."""
        moved = self._moved(self._missing(cells))
        return self.value + _drawn(moved, np.random.default_rng(seed))

    def _missing(self, cells: Sequence[Cell]) -> Ints:
        flat = np.unique(places(cells, self.belief.mean.shape))
        return flat[self.belief.covariance[flat, flat] > 0]

    def changed(self, flat: Ints, start: Floats | None, seed: int) -> NDArray[np.bool_]:
        """In which draws measuring the places ``flat`` shows a better model than the best.

        From the values now, or from ``start``, those of ``foresee``.
        """
        before = self.value[None] if start is None else start
        near = self._near(self.spread) if start is None else np.full(before.shape[1], True)
        rivals = np.flatnonzero(near)
        moved = self._moved(flat)[np.ix_(rivals, rivals)]
        after = before[:, rivals] + _drawn(moved, np.random.default_rng(seed + 1))
        held = after[np.arange(DRAWS), before[:, rivals].argmax(1)]
        changed: NDArray[np.bool_] = after.max(1) > held + max(self.tolerance, TIE)
        return changed

    def _moved(self, flat: Ints) -> Floats:
        """Covariance of the change in expected s that measuring places ``flat`` brings."""
        if not flat.size:
            return np.zeros_like(self.spread)
        variance = self.belief.covariance[flat, flat]
        if self.noise == 0 and flat.size == np.count_nonzero(self.belief.variance):
            return self.spread
        own = self.belief.covariance[np.ix_(flat, flat)]
        own[np.diag_indices(len(flat))] += self.noise + 1e-9 * variance.mean()
        reach = self.reach[:, flat]
        moved: Floats = reach @ cho_solve(cho_factor(own), reach.T)
        return moved

    def _near(self, spread: Floats) -> NDArray[np.bool_]:
        """Models that ``spread`` may carry past the best, and the best itself."""
        b = self.best
        apart = np.sqrt(np.maximum(np.diag(spread) + spread[b, b] - 2 * spread[b], 0.0))
        near: NDArray[np.bool_] = self.value[b] - self.value <= FAR * apart
        return near

    def slopes(self, flat: Ints) -> Floats:
        """How far each s moves per standard normal surprise in each cell, (M, n)."""
        variance = self.belief.covariance[flat, flat] + self.noise
        moved: Floats = self.reach[:, flat] / np.sqrt(variance)
        return moved

    def removed(self, flat: Ints) -> Floats:
        """Opportunity cost that knowing each cell removes, (n,)."""
        b, near = self.best, self._near(self.spread)
        near[b] = False
        rivals = np.flatnonzero(near)
        behind = (self.value[b] - self.value[rivals])[:, None]
        own = np.diag(self.spread)
        variance = (own[rivals] + own[b] - 2 * self.spread[b, rivals])[:, None]
        moved = self.slopes(flat)
        told = (moved[rivals] - moved[b]) ** 2
        left = _excess(behind, np.sqrt(np.maximum(variance - told, 0.0)))
        removed: Floats = (_excess(behind, np.sqrt(np.maximum(variance, 0.0))) - left).sum(0)
        return np.maximum(removed, 0.0)

    def alone(self, place: int) -> tuple[float, float]:
        """Chance that one cell changes the choice and the expected improvement, both exact."""
        b = self.best
        rise = self.slopes(np.array([place]))[:, 0]
        ahead = self.value - self.tolerance * (np.arange(len(self.value)) != b)
        low, high = _on_top(ahead, rise)
        shown = low < high
        chance = ndtr(high) - ndtr(low)
        best = self.value * chance + rise * (_density(low) - _density(high))
        kept = chance[b] if shown[b] else 0.0
        return float(1 - kept), float(max(best[shown].sum() - self.value[b], 0.0))


def _drawn(covariance: Floats, rng: np.random.Generator) -> Floats:
    """``DRAWS`` normal vectors of mean 0, (DRAWS, n)."""
    size, direction = np.linalg.eigh(covariance)
    root = direction * np.sqrt(np.maximum(size, 0.0))
    drawn: Floats = rng.standard_normal((DRAWS, len(size))) @ root.T
    return drawn


def _excess(behind: Floats, sd: Floats) -> Floats:
    """E[max(x, 0)] of a normal x with mean ``-behind``; 0 for sd 0, as ``behind`` >= 0."""
    x = np.divide(behind, sd, out=np.full(np.broadcast(behind, sd).shape, np.inf), where=sd > 0)
    excess: Floats = sd * (_density(x) - np.where(np.isinf(x), 0.0, x) * ndtr(-x))
    return excess


def _on_top(value: Floats, rise: Floats) -> tuple[Floats, Floats]:
    """Interval of z on which each line value + rise z is the highest; empty when low >= high."""
    apart = value[:, None] - value  # how far i is ahead of k at z = 0
    steeper = rise[:, None] - rise
    with np.errstate(divide="ignore", invalid="ignore"):
        cross = -apart / steeper
    low = np.where(steeper > 0, cross, -np.inf).max(1)
    high = np.where(steeper < 0, cross, np.inf).min(1)
    order = np.arange(len(value))
    beaten = (steeper == 0) & ((apart < 0) | ((apart == 0) & (order[:, None] > order)))
    return np.where(beaten.any(1), np.inf, low), high


def _density(z: Floats) -> Floats:
    density: Floats = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
    return density


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)
