"""Intervals and tests against published values, scipy, brute force and simulation."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tools.methods.intervals import paired, pool, sign_flip, wilson


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [  # Newcombe 1998, Statistics in Medicine 17:857, table I, method 3 (95 %)
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_newcombes_published_limits(successes, n, low, high):
    assert wilson(successes, n, 0.95) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 300), st.data(), st.sampled_from([0.8, 0.9, 0.95]))
def test_wilson_agrees_with_scipy(n, data, level):
    successes = data.draw(st.integers(0, n))
    reference = stats.binomtest(successes, n).proportion_ci(level, method="wilson")
    assert wilson(successes, n, level) == pytest.approx((reference.low, reference.high), abs=1e-9)


def test_no_item_says_nothing():
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("successes", "n"), [(-1, 5), (6, 5), (float("nan"), 5)])
def test_impossible_counts_are_refused(successes, n):
    with pytest.raises(ValueError, match="successes"):
        wilson(successes, n)


@given(st.integers(0, 12), st.integers(0, 12))
def test_p_of_right_and_wrong_answers_is_mcnemars_exact(only_a, only_b):
    a = [1] * only_a + [0] * only_b + [1, 0]
    b = [0] * only_a + [1] * only_b + [1, 0]
    n = only_a + only_b
    expected = stats.binomtest(only_a, n).pvalue if n else 1.0
    assert paired([(a, b)]).p == pytest.approx(expected)


@given(st.lists(st.sampled_from([-0.5, -0.25, 0, 0.1, 0.3, 1]), max_size=10))
def test_sign_flip_agrees_with_every_flip(terms):
    sums = [
        sum(s * t for s, t in zip(f, terms, strict=True))
        for f in product([-1, 1], repeat=len(terms))
    ]
    expected = np.mean([abs(x) >= abs(sum(terms)) - 1e-9 for x in sums])
    assert sign_flip(terms) == pytest.approx(expected)


def test_sign_flip_estimates_what_it_cannot_enumerate():
    terms = np.random.default_rng(1).normal(0.2, 1, 200)
    normal = 2 * stats.norm.sf(abs(terms.sum()) / np.sqrt((terms**2).sum()))
    assert sign_flip(terms) == pytest.approx(normal, abs=0.01)
    assert sign_flip(terms) == sign_flip(terms)


def test_interval_is_bonett_prices():
    # Airway hyper-responsiveness, cells 1, 1, 7, 12 (Bentur 2009): -0.508 to -0.013.
    a, b = [1] + [1] + [0] * 7 + [0] * 12, [1] + [0] + [1] * 7 + [0] * 12
    result = paired([(a, b)], level=0.95)
    assert (result.low, result.high) == pytest.approx((-0.508, -0.013), abs=5e-4)
    assert result.difference == pytest.approx(-6 / 21)
    assert result.n == 21


def test_eight_agreeing_pairs_do_not_prove_that_two_arms_are_equal():
    result = paired([([1] * 8, [1] * 8)])
    assert result.difference == 0
    assert result.low < -0.1
    assert result.high > 0.1


def test_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(7)
    p_a, p_b, n = 0.6, 0.4, 24
    draws = [
        paired([((rng.random(n) < p_a).astype(float), (rng.random(n) < p_b).astype(float))])
        for _ in range(1500)
    ]
    covered = np.mean([one.low <= p_a - p_b <= one.high for one in draws])
    assert 0.87 <= covered <= 0.95


def test_benchmarks_are_strata_with_their_weights():
    first, second = ([1, 1, 1, 0], [0, 0, 1, 0]), ([0, 0], [1, 0])
    result = paired([first, second], weights=[3, 1])
    assert result.difference == pytest.approx(0.75 * 0.5 + 0.25 * -0.5)
    assert result.n == 6
    terms = [0.75 / 4, 0.75 / 4, -0.25 / 2]
    assert result.p == pytest.approx(sign_flip(terms))


def test_a_missing_answer_is_left_out_of_its_pair():
    nan = float("nan")
    assert paired([([1, nan, 1], [0, 1, nan])]).n == 1
    assert paired([([nan], [1]), ([1, 0], [0, 0])], weights=[0.9, 0.1]).difference == 0.5


def test_nothing_shared_is_an_error_not_a_zero():
    with pytest.raises(ValueError, match="both"):
        paired([([float("nan")], [1.0])])


@pytest.mark.parametrize("pair", [([1, 0], [1]), ([2.0], [1.0])])
def test_unusable_grades_are_refused(pair):
    with pytest.raises(ValueError, match=r"shapes|\[0, 1\]"):
        paired([pair])


def test_pooling_one_estimate_returns_it_and_more_narrow_it():
    assert pool([0.5], [0.3], [0.8], [2.0]) == pytest.approx((0.5, 0.3, 0.8))
    mean, low, high = pool([0.4, 0.6], [0.3, 0.5], [0.5, 0.7], [1, 1])
    assert mean == pytest.approx(0.5)
    assert (low, high) == pytest.approx((0.5 - 0.1 / 2**0.5, 0.5 + 0.1 / 2**0.5))


def test_the_exact_test_stands_thousands_of_items():
    a, b = [1] * 1600 + [0] * 1400, [0] * 1600 + [1] * 1400
    assert paired([(a, b)]).p == pytest.approx(stats.binomtest(1600, 3000).pvalue)
