import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from tools.methods.agreement import (
    accuracy,
    cohen_kappa,
    corrected_rate,
    fit_correction,
    length_bias,
    merge,
    position_bias,
    positional_agreement,
)

NAN = math.nan
verdicts = st.lists(st.sampled_from([1.0, -1.0, 0.0, NAN]), min_size=1, max_size=30)


def test_kappa_is_cohens_by_hand():
    """Two raters of 50 things: 20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no: (0.7 - 0.5) / 0.5."""
    a = [1] * 25 + [0] * 25
    b = [1] * 20 + [0] * 5 + [1] * 10 + [0] * 15
    assert cohen_kappa(a, b) == pytest.approx(0.4)
    assert cohen_kappa([*a, NAN], [*b, 1]) == pytest.approx(0.4)
    assert cohen_kappa(a, a) == 1
    assert math.isnan(cohen_kappa([1, 1], [1, 1]))
    assert math.isnan(cohen_kappa([], []))


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=2, max_size=40))
def test_weighted_kappa_is_one_minus_observed_over_expected_cost(pairs):
    a, b = (np.array(side, dtype=float) for side in zip(*pairs, strict=True))
    by_chance = np.mean([(x - y) ** 2 for x in a for y in b])
    found = cohen_kappa(a, b, weights="quadratic")
    if by_chance == 0:
        assert math.isnan(found)
    else:
        assert found == pytest.approx(1 - np.mean((a - b) ** 2) / by_chance)


def test_accuracy_counts_a_tie_half_and_leaves_missing_out():
    value, low, high = accuracy([1, -1, 0, NAN], [1, 1, 1, 1])
    assert value == pytest.approx(0.5)
    assert 0 < low < value < high < 1
    assert math.isnan(accuracy([NAN], [1])[0])
    assert accuracy([NAN], [1])[1:] == (0, 1)


@given(st.lists(st.tuples(*[st.sampled_from([1.0, -1.0, 0.0, NAN])] * 2), min_size=1, max_size=30))
def test_merging_does_not_depend_on_which_answer_is_called_1(pairs):
    first, second = (np.array(side) for side in zip(*pairs, strict=True))
    np.testing.assert_array_equal(merge(first, second), -merge(-second, -first))
    for x, y, z in zip(first, second, merge(first, second), strict=True):
        if math.isnan(x) or math.isnan(y):
            assert math.isnan(z)
        else:
            assert z == (x if x == y else 0)


def test_a_judge_that_always_takes_the_first_has_full_position_bias():
    value, low, high = position_bias([1] * 40, [-1] * 40)
    assert value == 0.5
    assert low > 0.4
    assert high == 0.5
    assert positional_agreement([1] * 40, [-1] * 40) == 0
    assert set(merge([1] * 40, [-1] * 40)) == {0}


def test_a_consistent_judge_has_none_however_wrong():
    said = [1, -1, -1, 1] * 10
    value, low, high = position_bias(said, said)
    assert value == 0
    assert low < 0 < high
    assert positional_agreement(said, said) == 1


def test_position_bias_counts_how_often_the_first_shown_wins():
    rng = np.random.default_rng(0)
    first, second = rng.choice([1.0, -1.0], (2, 200))
    shown_first = np.concatenate([first == 1, second == -1])
    assert position_bias(first, second)[0] == pytest.approx(shown_first.mean() - 0.5)


def test_length_bias_is_beyond_what_people_prefer():
    longer = np.array([1.0, -1.0] * 50 + [0.0] * 10)
    people = np.where(np.arange(110) % 10 < 6, 1.0, -1.0)
    fond = np.where(longer == 0, 1.0, longer)
    found = length_bias(fond, people, longer)
    rows = longer != 0
    share = float(np.mean(people[rows] == longer[rows]))
    assert found is not None
    assert found.n == 100
    assert found.difference == pytest.approx(1 - share)
    assert found.low > 0
    same = length_bias(people, people, longer)
    assert same is not None
    assert same.difference == 0
    assert length_bias([1.0], [1.0], [0.0]) is None


def test_corrected_rate_is_rogan_and_gladens():
    found = corrected_rate(62, 100, 45, 50, 35, 50)
    assert found.value == pytest.approx((0.62 + 0.7 - 1) / (0.7 + 0.9 - 1))
    assert found.low < found.value < found.high
    assert found.informative
    assert not found.clipped
    perfect = corrected_rate(30, 100, 1000, 1000, 1000, 1000)
    assert perfect.value == pytest.approx(0.3)


def test_an_estimate_outside_is_cut_and_says_so():
    found = corrected_rate(17, 100, 90, 100, 80, 100)
    assert found.value == 0
    assert found.clipped
    assert found.low == 0 < found.high < 0.2


def test_verdicts_that_no_rate_explains_correct_nothing():
    """Of 100 bad answers the judge calls 20 good; 2 of 100 fit no share of good ones at all."""
    assert not corrected_rate(2, 100, 90, 100, 80, 100).informative
    assert not corrected_rate(99, 100, 60, 100, 90, 100).informative


@pytest.mark.parametrize(
    "counts", [(25, 50, 25, 50), (10, 50, 20, 50), (0, 0, 0, 0), (5, 8, 4, 8), (30, 30, 0, 0)]
)
def test_a_judge_like_a_coin_corrects_nothing(counts):
    found = corrected_rate(50, 100, *counts)
    assert not found.informative
    assert math.isnan(found.value)
    assert (found.low, found.high) == (0, 1)


@pytest.mark.parametrize("bad", [(101, 100, 1, 1, 1, 1), (1, 2, 3, 2, 1, 1), (-1, 2, 1, 2, 1, 2)])
def test_counts_that_cannot_be_are_refused(bad):
    with pytest.raises(ValueError, match="no share"):
        corrected_rate(*bad)


@pytest.mark.parametrize(
    ("rate", "q1", "q0", "n", "positives", "negatives"),
    [
        (0.3, 0.8, 0.7, 100, 50, 50),
        (0.1, 0.9, 0.9, 60, 30, 30),
        (0.9, 0.85, 0.6, 150, 40, 40),
        (0.5, 0.7, 0.7, 1000, 60, 60),
    ],
)
def test_its_interval_covers_and_the_naive_one_does_not(rate, q1, q0, n, positives, negatives):
    """4,000 simulated worlds: judged rate and calibration both drawn anew."""
    rng = np.random.default_rng(7)
    judged = rng.binomial(n, rate * q1 + (1 - rate) * (1 - q0), 4000)
    hits, rejections = rng.binomial(positives, q1, 4000), rng.binomial(negatives, q0, 4000)
    found = [
        corrected_rate(int(k), n, int(h), positives, int(r), negatives)
        for k, h, r in zip(judged, hits, rejections, strict=True)
    ]
    told = [one for one in found if one.informative]
    assert len(told) > 3900
    assert 0.89 <= np.mean([one.low <= rate <= one.high for one in told]) <= 0.96
    assert abs(np.mean([one.value for one in told]) - rate) < 0.03
    # The same interval with the calibration taken for certain: too narrow where that is small.
    certain = [
        corrected_rate(int(k), n, round(q1 * 10**7), 10**7, round(q0 * 10**7), 10**7)
        for k in judged[:500]
    ]
    assert np.mean([one.high - one.low for one in certain]) < np.mean(
        [one.high - one.low for one in told]
    )


def test_a_correction_maximizes_the_penalized_likelihood():
    rng = np.random.default_rng(3)
    said, ratio = rng.choice([1.0, 0.0, -1.0], 300), rng.normal(size=300)
    label = np.sign(1.2 * said - 0.7 * ratio + rng.logistic(size=300))
    x = np.stack([said, ratio], axis=1)

    def loss(w):
        return np.logaddexp(0, -label * (x @ w)).sum() + 0.25 * w @ w

    best = minimize(loss, np.zeros(2), tol=1e-12).x
    found = fit_correction(said, ratio, label)
    assert (found.verdict, found.length) == pytest.approx(tuple(best), abs=1e-4)
    turned = fit_correction(-said, -ratio, -label)
    assert (turned.verdict, turned.length) == pytest.approx((found.verdict, found.length))


def test_a_length_bias_is_taken_out_and_missing_stays_missing():
    """A judge as fond of length as of quality: where it is torn, the shorter answer is better."""
    rng = np.random.default_rng(5)
    label, ratio = rng.choice([1.0, -1.0], 4000), rng.normal(size=4000)
    felt = label + ratio + rng.logistic(scale=0.3, size=4000)
    said = np.where(np.abs(felt) < 0.8, 0.0, np.sign(felt))
    rule = fit_correction(said[:2000], ratio[:2000], label[:2000])
    assert rule.length < 0 < rule.verdict
    better = rule.preferences(said[2000:], ratio[2000:])
    assert accuracy(better, label[2000:])[0] > accuracy(said[2000:], label[2000:])[0] + 0.03
    assert math.isnan(rule.preferences([NAN], [1.0])[0])
    assert fit_correction([NAN], [1.0], [1.0]).preferences([1.0], [1.0])[0] == 0


def test_shapes_must_match():
    with pytest.raises(ValueError, match="no pairs"):
        cohen_kappa([1, 2], [1])
