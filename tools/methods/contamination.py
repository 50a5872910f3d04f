"""Contamination: has a model seen a benchmark's items? Three signals, each with a p-value.

``order_test``: an exchangeable benchmark has no favourite order, but a model that memorized its
file does (Oren et al. 2023, arXiv 2310.17623: sharded rank comparison). The paper aggregates
shards with a t-test; here the ranks' exact distribution decides and the t-test is only reported,
because a few shards are no normal sample. A file sorted by topic is not exchangeable: it has a
favourite order for every model, seen or not.

``min_k`` and ``min_k_plus_plus``: a text that was trained on has no very surprising token (Shi et
al. 2024, arXiv 2310.16789; Zhang et al. 2024, arXiv 2404.02936). Their papers tune a threshold;
``membership_test`` instead compares with reference texts that can't have been seen.

``paraphrase_gap``: where log-probabilities are missing, right answers that vanish when the item
is said in other words. A paraphrase may be harder for everyone, so peers are the yardstick.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tools.methods.intervals import paired

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

K = 0.2  # the share of tokens both papers' tables use


@dataclass(frozen=True)
class OrderTest:
    """``rank``: mean share of shuffles less likely than the file's order, 0.5 when unseen.

    ``p``: exact, one-sided, from the sum of ranks. ``p_t``: Oren et al.'s one-sided t-test of the
    mean log-probability gain (NaN for a single shard). ``gain``: that mean, in nats.
    """

    rank: float
    p: float
    p_t: float
    gain: float
    shards: int


@dataclass(frozen=True)
class MembershipTest:
    """``auc``: chance that an item scores above a reference text, 0.5 when unseen.

    ``p``: one-sided Mann-Whitney U. ``n`` items against ``n_reference`` texts.
    """

    auc: float
    p: float
    n: int
    n_reference: int


@dataclass(frozen=True)
class ParaphraseGap:
    """Accuracy lost by paraphrasing, beyond what peers lose; 90 % interval, one-sided ``p``.

    ``p`` is exact where the gap is positive and 1 elsewhere; ``n`` items answered in both forms.
    """

    gap: float
    low: float
    high: float
    p: float
    n: int


def order_test(canonical: ArrayLike, shuffled: ArrayLike) -> OrderTest:
    """Is the file's order likelier than chance allows?

    ``canonical`` (S,): log-probability of each shard in file order; ``shuffled`` (S, m): of m
    independent random orders of the same shard. If order means nothing, a shard's rank is uniform
    on 0..m, and the sum of S ranks has the S-fold convolution as its distribution; a tie counts
    as no gain. One shard: the permutation test. A shard with a NaN is left out.

    Raises ValueError for other shapes and when no shard is left.
    """
    x, y = np.asarray(canonical, dtype=np.float64), np.asarray(shuffled, dtype=np.float64)
    if x.ndim != 1 or y.ndim != 2 or len(x) != len(y) or y.shape[1] == 0:
        raise ValueError(f"need shapes (S,) and (S, m > 0), got {x.shape} and {y.shape}")
    kept = ~(np.isnan(x) | np.isnan(y).any(axis=1))
    x, y = x[kept], y[kept]
    if not len(x):
        raise ValueError("no shard has all of its log-probabilities")
    ranks = (y < x[:, None]).sum(axis=1)
    gains = x - y.mean(axis=1)
    return OrderTest(
        rank=float(ranks.mean() / y.shape[1]),
        p=_rank_sum_tail(int(ranks.sum()), len(x), y.shape[1]),
        p_t=_t_tail(gains),
        gain=float(gains.mean()),
        shards=len(x),
    )


def _rank_sum_tail(total: int, shards: int, m: int) -> float:
    """P(sum of ``shards`` uniforms on 0..m >= total)."""
    chance = np.ones(1)
    for _ in range(shards):
        chance = np.convolve(chance, np.full(m + 1, 1 / (m + 1)))
    return min(float(chance[total:].sum()), 1.0)


def _t_tail(gains: NDArray[np.float64]) -> float:
    if len(gains) < 2:
        return float("nan")
    if np.ptp(gains) == 0:
        return 0.0 if gains[0] > 0 else 1.0
    from scipy import stats  # half a second, and not needed before an arm was measured

    return float(stats.ttest_1samp(gains, 0.0, alternative="greater").pvalue)


def moments(log_probs: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of log p(z) for z ~ p, from full rows (T, V): both (T,)."""
    x = np.asarray(log_probs, dtype=np.float64)
    p = np.exp(x)
    finite = np.where(p > 0, x, 0.0)  # an impossible token adds nothing: p log p -> 0
    mean = (p * finite).sum(axis=1)
    variance = (p * finite**2).sum(axis=1) - mean**2
    return mean, np.sqrt(np.maximum(variance, 0.0))


def min_k(log_probs: ArrayLike, k: float = K) -> float:
    """Mean of the lowest ``k`` share of a text's token log-probabilities (T,), at least one.

    Raises ValueError for an empty text and a ``k`` outside (0, 1].
    """
    x = np.asarray(log_probs, dtype=np.float64)
    if not 0 < k <= 1:
        raise ValueError(f"k is a share in (0, 1], not {k}")
    if x.ndim != 1 or not x.size:
        raise ValueError(f"need the log-probabilities of at least one token, got {x.shape}")
    lowest = np.sort(x)[: max(1, int(k * x.size))]  # NaN sorts last, so check it apart
    return float("nan") if np.isnan(x).any() else float(lowest.mean())


def min_k_plus_plus(
    log_probs: ArrayLike, means: ArrayLike, deviations: ArrayLike, k: float = K
) -> float:
    """``min_k`` of (log p - mean) / deviation, all (T,); ``moments`` gives the last two.

    Positions where the model is certain (deviation 0) say nothing and are left out. Raises
    ValueError as ``min_k`` does, also when no position is left.
    """
    x, mean, deviation = (np.asarray(a, dtype=np.float64) for a in (log_probs, means, deviations))
    if not x.shape == mean.shape == deviation.shape:
        raise ValueError(f"shapes differ: {x.shape}, {mean.shape}, {deviation.shape}")
    unsure = deviation > 0
    return min_k((x[unsure] - mean[unsure]) / deviation[unsure], k)


def membership_test(scores: ArrayLike, reference: ArrayLike) -> MembershipTest:
    """Do items score above texts of the same kind that can't have been trained on?

    ``scores`` (n,) and ``reference`` (r,) of the same score; NaN is left out. Raises ValueError
    when either is then empty.
    """
    x, y = (np.asarray(a, dtype=np.float64) for a in (scores, reference))
    x, y = x[~np.isnan(x)], y[~np.isnan(y)]
    if not x.size or not y.size:
        raise ValueError("both the items and the reference need a score")
    from scipy import stats

    found = stats.mannwhitneyu(x, y, alternative="greater")
    return MembershipTest(
        float(found.statistic) / (x.size * y.size), float(found.pvalue), x.size, y.size
    )


def paraphrase_gap(
    canonical: ArrayLike, paraphrased: ArrayLike, peers: tuple[ArrayLike, ArrayLike] | None = None
) -> ParaphraseGap:
    """Grades in [0, 1] (n,) of one model on items as published and in other words.

    ``peers``: grades (models, n) of others in both forms; their mean loss on an item is taken off.
    NaN is missing. Raises ValueError when no item was answered in both forms.
    """
    if peers is None:
        found, scale = paired([(canonical, paraphrased)]), 1.0
    else:
        # Losses lie in [-1, 1]; halved and moved into [0, 1] they are what `paired` compares.
        own = (1 + np.asarray(canonical, np.float64) - np.asarray(paraphrased, np.float64)) / 2
        loss = np.asarray(peers[0], np.float64) - np.asarray(peers[1], np.float64)
        found, scale = paired([(own, (1 + _mean_known(loss)) / 2)]), 2.0
    return ParaphraseGap(
        gap=scale * found.difference,
        low=scale * found.low,
        high=scale * found.high,
        # The sign-flip distribution is symmetric, so a tail is half of both.
        p=found.p / 2 if found.difference > 0 else 1.0,
        n=found.n,
    )


def _mean_known(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Column means over what is not NaN; NaN where nothing is known."""
    known = ~np.isnan(x)
    count = known.sum(axis=0)
    mean: NDArray[np.float64] = np.where(known, x, 0.0).sum(axis=0) / np.maximum(count, 1)
    return np.where(count > 0, mean, np.nan)
