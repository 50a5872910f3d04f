"""How scores of many benchmarks become comparable numbers, and back; what is refused as input.

A bounded score is mapped by the logit of its share of the span, any other by its z-score.
Everything is read off the known scores alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import expit, logit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from tools.methods.gaussian_process import Side

    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]
    Bounds = tuple[float, float] | Sequence[tuple[float, float] | None] | None

MARGIN = 0.02  # scores nearer than this share of the span to a bound count as this near
FEWEST = 8


def checked(scores: ArrayLike) -> Floats:
    """A copy as (M, B) float64; ValueError where nothing can be learnt from it."""
    known = np.array(scores, dtype=np.float64)
    if known.ndim != 2 or min(known.shape) < 2:
        raise ValueError(f"scores must be at least 2 models x 2 benchmarks, not {known.shape}")
    if np.isinf(known).any():
        i, j = np.argwhere(np.isinf(known))[0]
        raise ValueError(f"score of row {i}, column {j} is infinite; use NaN for missing")
    if np.isfinite(known).sum() < FEWEST:
        raise ValueError("fewer than eight known scores: nothing can be learnt from them")
    return known


def check_side(side: Side | None, n: int) -> None:
    """ValueError unless every column of side information has ``n`` entries, ids unique."""
    for name, column in (side or {}).items():
        values = np.asarray(column)
        if len(values) != n:
            raise ValueError(f"side information {name!r} has {len(values)} entries, not {n}")
        if name == "id" and len(set(values.tolist())) < n:
            raise ValueError("duplicate ids: merge the rows or columns of one thing first")


class Scale(NamedTuple):
    """Per column: how its scores become comparable numbers; all arrays (B,)."""

    low: Floats
    span: Floats
    bounded: Bools
    centre: Floats
    spread: Floats
    placed: Bools  # columns that can be predicted at all

    @classmethod
    def of(cls, known: Floats, bounds: Bounds) -> Scale:
        """Read off ``known`` (M, B). A column without any score counts as one of zeros."""
        filled = np.isfinite(known).any(0)
        kept = np.where(filled, known, 0.0)
        least, most = np.nanmin(kept, 0), np.nanmax(kept, 0)
        low, high = _limits(known, bounds, least, most)
        bounded = np.isfinite(high)
        if bounds is None:
            _refuse_mixed(known, bounded & (high > 1))
        deviation, centre = np.nanstd(kept, 0), np.nanmean(kept, 0)
        level = np.maximum(0.05 * np.abs(centre), 1e-9)
        span = np.where(bounded, high - low, np.where(most > least, most - least, 10 * level))
        return cls(
            low=np.where(bounded, low, 0),
            span=span,
            bounded=bounded,
            centre=centre,
            spread=np.where(deviation > 1e-12, deviation, level),
            placed=filled | (bounded & (bounds is not None)),
        )

    def forward(self, known: Floats) -> Floats:
        """Scores (M, B) as comparable numbers."""
        share = np.clip((known - self.low) / self.span, MARGIN, 1 - MARGIN)
        return np.where(self.bounded, logit(share), (known - self.centre) / self.spread)

    def back(self, z: Floats) -> Floats:
        """Comparable numbers (M, B) as scores."""
        inside = self.low + self.span * expit(z)
        return np.where(self.bounded, inside, self.centre + self.spread * z)

    def slope(self, z: Floats) -> Floats:
        """Share of the span a score moves with its comparable number, (M, B)."""
        share = expit(z)
        return np.where(self.bounded, share * (1 - share), self.spread / self.span)

    def clipped(self, scores: Floats) -> Floats:
        """Scores (M, B) moved inside the bounds of their column."""
        low = np.where(self.bounded, self.low, -np.inf)
        high = np.where(self.bounded, self.low + self.span, np.inf)
        return np.clip(scores, low, high, out=scores)


def _limits(known: Floats, bounds: Bounds, least: Floats, most: Floats) -> tuple[Floats, Floats]:
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
