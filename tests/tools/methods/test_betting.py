"""Betting: fair games, brute force, coverage at every look, the last item."""

import math
from itertools import permutations

import numpy as np
import pytest

from tools.methods.betting import BETS, bounds, log_wealth, rejects


def test_wealth_is_the_mean_over_bets_of_their_products():
    d, bound = np.array([0.5, -1.0, 0.0, -0.2]), 0.1
    y, m = (d + 1) / 2, (bound + 1) / 2
    by_hand = [
        np.mean([np.prod(1 + b / (1 - m) * (m - y[: t + 1])) for b in BETS]) for t in range(4)
    ]
    assert np.exp(log_wealth(d, bound)) == pytest.approx(by_hand)


def test_without_replacement_the_game_is_exactly_fair():
    population = np.array([0.6, -0.4, 0.1, -0.9, 0.3])
    mean = population.mean()
    ends = [np.exp(log_wealth(order[:4], mean, 5)) for order in permutations(population)]
    assert np.mean(ends, axis=0) == pytest.approx(np.ones(4))


def test_a_mean_above_the_bound_makes_the_game_worse_than_fair():
    population = np.array([0.6, -0.4, 0.1, -0.9, 0.3])
    ends = [
        np.exp(log_wealth(order[:4], population.mean() - 0.1, 5))
        for order in permutations(population)
    ]
    assert np.all(np.mean(ends, axis=0) < 1)


@pytest.mark.parametrize("looks", [3, 60])
def test_any_of_all_looks_misses_the_truth_no_oftener_than_alpha(looks):
    rng = np.random.default_rng(1)
    missed = 0
    for _ in range(1000):
        d = rng.choice([-1.0, 0.0, 1.0], p=[0.3, 0.4, 0.3], size=80)
        truth = d.mean()
        missed += rejects(d[:looks], truth, 0.1, d.size)
    assert missed / 1000 < 0.1


def test_bounds_are_where_the_rejections_begin():
    d = np.random.default_rng(2).choice([-1.0, 0.0, 1.0], p=[0.5, 0.3, 0.2], size=60)
    low, high = bounds(d, 0.05, 200)
    assert -1 < low < d.mean() < high < 1
    assert rejects(d, high + 1e-4, 0.05, 200)
    assert not rejects(d, high - 1e-4, 0.05, 200)
    assert rejects(-d, -(low - 1e-4), 0.05, 200)


def test_bounds_only_ever_close_in():
    d = np.random.default_rng(3).uniform(-1, 1, 50)
    found = np.array([bounds(d[:n], 0.1, 50) for n in range(0, 51, 5)])
    assert found[0].tolist() == [-1, 1]
    assert np.all(np.diff(found[:, 0]) >= 0)
    assert np.all(np.diff(found[:, 1]) <= 0)


def test_the_whole_population_is_known():
    d = np.array([1.0, 0.0, -1.0, 0.5])
    assert bounds(d, 0.01, 4) == pytest.approx((0.125, 0.125), abs=1e-5)
    assert log_wealth(d, 0.125, 4)[-1] < math.inf
    assert log_wealth(d, 0.13, 4)[-1] == math.inf


def test_a_population_knows_more_than_a_stream():
    d = np.tile([0.0, 0.0, -1.0, 0.0, 0.5], 10)
    finite, stream = bounds(d, 0.05, 60), bounds(d, 0.05)
    assert stream[0] < finite[0]
    assert finite[1] < stream[1]


def test_what_no_item_can_reach():
    assert rejects([], 1.01, 0.1)
    assert not rejects([], 1.0, 0.1)
    assert not rejects([-1.0] * 50, -1.0, 0.1)


@pytest.mark.parametrize(
    ("d", "population", "message"),
    [
        ([0.5, math.nan], 10, "vector of numbers"),
        ([1.5], 10, "vector of numbers"),
        ([math.inf], 10, "vector of numbers"),
        ([[0.1]], 10, "vector of numbers"),
        ([0.1, 0.2], 1, "population of 1"),
        ([0.1], math.nan, "population of nan"),
    ],
)
def test_bad_input(d, population, message):
    with pytest.raises(ValueError, match=message):
        log_wealth(d, 0.0, population)
