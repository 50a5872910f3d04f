"""What every router is, and whether it earns its keep.

A router is fitted to prompts and says for each new one how much to trust each model (``Router``);
``smoothie``, ``consensus`` and ``cluster_router`` are three, and a new one is one more file whose
``fit`` returns such an object. ``gain`` asks the question that comes first: is choosing per prompt
better than the best single model? It is answered on prompts that neither was fitted to, by a paired
bootstrap and the exact sign-flip test; unless both say yes, routing does not pay.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from tools.methods.intervals import sign_flip

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]
    Fit = Callable[[Floats, Floats], "Router"]

ALPHA = 0.10
DRAWS = 4_000


class Router(Protocol):
    """Fitted; answers for prompts it has not seen."""

    def weights(self, prompts: ArrayLike) -> NDArray[np.float64]:
        """(q, p) embedded prompts -> (q, m): most is best; NaN for a model never to be chosen."""
        ...


@dataclass(frozen=True)
class Gain:
    """Mean value on ``n`` prompts held out, of the routed answers and of the best single model's.

    ``difference`` has a 90 % interval; ``p`` is two-sided.
    """

    routed: float
    single: float
    difference: float
    low: float
    high: float
    p: float
    n: int

    @property
    def pays(self) -> bool:
        """Whether routing is better by more than chance."""
        return self.low > 0 and self.p < ALPHA


def choose(weights: ArrayLike) -> NDArray[np.intp]:
    """(n, m) weights -> (n,) the best model per prompt, the first of equals; NaN never wins.

    Raises ``ValueError`` where a row has nothing but NaN.
    """
    return np.asarray(np.nanargmax(np.asarray(weights, dtype=np.float64), axis=1))


def gain(
    prompts: ArrayLike, values: ArrayLike, fit: Fit, *, folds: int = 5, seed: int = 0
) -> Gain | None:
    """What routing with ``fit`` gains over the best single model, on prompts held out.

    Args:
        prompts: (n, p) embeddings.
        values: (n, m): scores, less their price if that counts; NaN where not known.
        fit: Makes a router from some of the prompts and values; it must do all choosing itself.
        folds: Parts held out in turn. Their fits share prompts, so the test is a little bold.
        seed: Of the parts and of the bootstrap.

    None when there are too few prompts: fewer than two a fold, or none with both values known.
    """
    known, worth = np.asarray(prompts, dtype=np.float64), np.asarray(values, dtype=np.float64)
    usable = ~np.isnan(worth).all(axis=1)
    known, worth = known[usable], worth[usable]
    if len(worth) < 2 * folds:
        return None
    rng = np.random.default_rng(seed)
    fold = rng.permutation(len(worth)) % folds
    routed, single = np.full(len(worth), np.nan), np.full(len(worth), np.nan)
    for i in range(folds):
        out = np.flatnonzero(fold == i)
        seen = known[fold != i], worth[fold != i]
        routed[out] = worth[out, choose(fit(*seen).weights(known[out]))]
        single[out] = worth[out, best_single(seen[1])]
    return _tested(routed, single, rng)


def best_single(values: Floats) -> int:
    """Which of m models has the best mean in (n, m); the first of equals."""
    seen = ~np.isnan(values)
    count = seen.sum(axis=0)
    total = np.where(seen, values, 0.0).sum(axis=0)
    mean = np.divide(total, count, out=np.full(len(count), -np.inf), where=count > 0)
    return int(np.argmax(mean))


def blend(weights: ArrayLike, priors: ArrayLike, shares: ArrayLike | None = None) -> Floats:
    """(n, m) weights together with what else is known of the models: (n, m), rows summing to 1.

    ``priors`` (p, m): any quantities of which more is better (a score elsewhere, log parameters,
    a date); NaN where not known. Log-weights and each prior are standardized over the m models,
    the unknown standing at 0, and summed; a prior counts ``shares`` (p,) times as much as the
    weights, by default as much. Weight 0 stays 0.
    """
    given = np.asarray(weights, dtype=np.float64)
    known = np.atleast_2d(np.asarray(priors, dtype=np.float64))
    _require(given.ndim == 2, "weights are (n, m)")
    _require(known.size == 0 or known.shape[1] == given.shape[1], "priors are (p, m)")
    usable = given > 0
    logs = np.log(given, out=np.full_like(given, np.nan), where=usable)
    score = standardized(logs)
    if known.size:
        share = np.ones(len(known)) if shares is None else np.asarray(shares, dtype=np.float64)
        _require(share.shape == (len(known),), "shares are (p,)")
        score = score + share @ standardized(known)
    score = np.where(usable, score, -np.inf)
    odds = np.where(usable, np.exp(score - np.max(score, axis=1, keepdims=True)), 0.0)
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def standardized(rows: Floats) -> Floats:
    """Each row with mean 0 and deviation 1 over its known cells; 0 where unknown or constant."""
    known = ~np.isnan(rows)
    count = np.maximum(known.sum(axis=1, keepdims=True), 1)
    mean = np.where(known, rows, 0.0).sum(axis=1, keepdims=True) / count
    centred = np.where(known, rows - mean, 0.0)
    deviation = np.sqrt((centred**2).sum(axis=1, keepdims=True) / count)
    flat = deviation <= 1e-9 * np.maximum(np.abs(mean), 1.0)
    return np.asarray(np.where(flat, 0.0, centred / np.where(flat, 1.0, deviation)))


def _tested(routed: Floats, single: Floats, rng: np.random.Generator) -> Gain | None:
    both = ~(np.isnan(routed) | np.isnan(single))
    a, b = routed[both], single[both]
    if not a.size:
        return None
    d = a - b
    means = d[rng.integers(d.size, size=(DRAWS, d.size))].mean(axis=1)
    low, high = np.quantile(means, [ALPHA / 2, 1 - ALPHA / 2])
    difference = float(d.mean())
    return Gain(
        float(a.mean()), float(b.mean()), difference, float(low), float(high), sign_flip(d), d.size
    )


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


if __name__ == "__main__":
    from tools.methods.cluster_router import fit_best

    rng = np.random.default_rng(0)
    topic = rng.integers(2, size=120)
    prompts = np.eye(2)[topic] + 0.1 * rng.normal(size=(120, 2))
    for name, chance in (("specialists", (0.8, 0.3)), ("equals", (0.6, 0.6))):
        right = np.where(topic[:, None] == [0, 1], *chance)
        scores = (rng.random((120, 2)) < right).astype(float)
        found = gain(prompts, scores, lambda x, y: fit_best(x, y, candidates=(1, 2)))
        assert found is not None
        print(  # noqa: T201
            f"{name:12} {found.difference:+.2f} ({found.low:+.2f} to {found.high:+.2f}),"
            f" p = {found.p:.3f}: {'route' if found.pays else 'use the best single model'}"
        )
