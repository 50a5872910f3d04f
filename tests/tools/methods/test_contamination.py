"""Contamination signals against brute force, closed forms and their own null distribution."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from tools.methods import contamination
from tools.methods.contamination import (
    membership_test,
    min_k,
    min_k_plus_plus,
    moments,
    order_test,
    paraphrase_gap,
)


def test_one_shard_is_the_permutation_test():
    found = order_test([5.0], [[1.0, 2.0, 3.0, 9.0]])
    assert (found.p, found.rank, found.shards) == (pytest.approx(2 / 5), 0.75, 1)
    assert math.isnan(found.p_t)


def test_rank_sum_tail_is_the_count_of_all_rank_vectors():
    m, shards = 3, 4
    sums = [sum(ranks) for ranks in itertools.product(range(m + 1), repeat=shards)]
    for total in range(m * shards + 1):
        expected = np.mean([s >= total for s in sums])
        assert contamination._rank_sum_tail(total, shards, m) == pytest.approx(expected)


def test_p_values_are_valid_under_exchangeability():
    rng = np.random.default_rng(0)
    draws = rng.normal(size=(800, 4, 10)) + rng.normal(size=(800, 4, 1))  # shards differ
    p = np.array([order_test(one[:, 0], one[:, 1:]).p for one in draws])
    for level in (0.01, 0.05, 0.2):
        assert (p <= level).mean() <= level + 3 * math.sqrt(level / 800)


def test_favoured_order_is_seen_and_ties_are_no_evidence():
    rng = np.random.default_rng(1)
    shuffled = rng.normal(size=(4, 9))
    found = order_test(shuffled.max(axis=1) + 1, shuffled)
    assert found.p == pytest.approx(10**-4)
    assert (found.rank, found.gain > 0) == (1.0, True)
    assert found.p_t == pytest.approx(
        stats.ttest_1samp(
            shuffled.max(axis=1) + 1 - shuffled.mean(axis=1), 0, alternative="greater"
        ).pvalue
    )
    assert order_test([1.0, 1.0], np.ones((2, 5))).p == 1.0
    assert order_test([1.0, 1.0], np.ones((2, 5))).p_t == 1.0


def test_shard_without_a_number_is_left_out():
    found = order_test([5.0, np.nan, 5.0], [[1.0, 2.0], [1.0, 2.0], [np.nan, 1.0]])
    assert found.shards == 1
    for canonical, shuffled in (([np.nan], [[1.0]]), ([], np.zeros((0, 3)))):
        with pytest.raises(ValueError, match="no shard"):
            order_test(canonical, shuffled)
    for canonical, shuffled in (([1.0], [1.0]), ([1.0], [[], []]), ([1.0], np.zeros((1, 0)))):
        with pytest.raises(ValueError, match="shapes|inhomogeneous"):
            order_test(canonical, shuffled)


def test_moments_by_definition():
    logits = np.random.default_rng(2).normal(size=(5, 7))
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    mean, deviation = moments(log_p)
    for row, m, d in zip(log_p, mean, deviation, strict=True):
        p = np.exp(row)
        assert m == pytest.approx(sum(p * row))
        assert d == pytest.approx(math.sqrt(sum(p * (row - m) ** 2)))
    certain = moments([[0.0, -np.inf]])
    assert (certain[0][0], certain[1][0]) == (0.0, 0.0)


def test_min_k_takes_the_most_surprising_share():
    log_probs = [-1.0, -9.0, -2.0, -8.0, -3.0, -0.5, -0.1, -0.2, -0.3, -0.4]
    assert min_k(log_probs, 0.2) == pytest.approx(-8.5)
    assert min_k(log_probs, 1.0) == pytest.approx(np.mean(log_probs))
    assert min_k([-4.0], 0.2) == -4.0
    assert math.isnan(min_k([np.nan, -1.0]))
    for wrong, k in (([], 0.2), ([-1.0], 0.0), ([-1.0], 1.1), ([[-1.0]], 0.2)):
        with pytest.raises(ValueError, match="k is a share|at least one token"):
            min_k(wrong, k)


def test_min_k_plus_plus_measures_in_deviations():
    assert min_k_plus_plus([-1, -5, -2], [-2, -3, -2], [1, 2, 1], 0.5) == pytest.approx(-1.0)
    assert min_k_plus_plus([-1, 0], [-2, 0], [1, 0], 1.0) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="shapes differ"):
        min_k_plus_plus([-1], [-1, -2], [1])
    with pytest.raises(ValueError, match="at least one token"):
        min_k_plus_plus([0.0], [0.0], [0.0])


def test_membership_is_the_share_of_won_pairs():
    x, y = [3.0, 1.5, 2.5, np.nan], [1.0, 2.0]
    found = membership_test(x, y)
    assert found.auc == pytest.approx(np.mean([a > b for a in x[:3] for b in y]))
    assert (found.n, found.n_reference) == (3, 2)
    orders = list(itertools.combinations(range(5), 3))  # places of x among five ranks
    u = [sum(sum(i > j for j in set(range(5)) - set(one)) for i in one) for one in orders]
    assert found.p == pytest.approx(np.mean([one >= 5 for one in u]))
    with pytest.raises(ValueError, match="need a score"):
        membership_test([np.nan], y)


def test_paraphrase_gap_alone_is_mcnemar():
    canonical, paraphrased = [1] * 9 + [0] + [1] * 5, [0] * 9 + [1] + [1] * 5
    found = paraphrase_gap(canonical, paraphrased)
    assert found.gap == pytest.approx(8 / 15)
    assert found.p == pytest.approx(stats.binomtest(9, 10, alternative="greater").pvalue)
    assert found.low < found.gap < found.high
    assert paraphrase_gap(paraphrased, canonical).p == 1.0


def test_peers_who_lose_as_much_clear_the_model():
    canonical, paraphrased = np.ones(12), np.r_[np.zeros(8), np.ones(4)]
    alone = paraphrase_gap(canonical, paraphrased)
    peers = (np.ones((3, 12)), np.tile(paraphrased, (3, 1)))
    assert alone.p < 0.01
    assert paraphrase_gap(canonical, paraphrased, peers).gap == pytest.approx(0)
    steady = (np.ones((2, 12)), np.ones((2, 12)))
    beside = paraphrase_gap(canonical, paraphrased, steady)
    assert (beside.gap, beside.p) == (pytest.approx(alone.gap), pytest.approx(alone.p))
    assert beside.n == 12


def test_missing_peers_are_left_out():
    peers = (np.array([[1.0, np.nan], [np.nan, np.nan]]), np.ones((2, 2)))
    assert paraphrase_gap([1.0, 1.0], [0.0, 0.0], peers).n == 1
    with pytest.raises(ValueError, match="no item"):
        paraphrase_gap([np.nan], [1.0])
