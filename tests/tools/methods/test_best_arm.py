"""The yardsticks of racing: budgets kept, closed forms, missing answers, edges."""

import math

import numpy as np
import pytest

from tools.methods.best_arm import checked, choose, means
from tools.methods.halving import halving
from tools.methods.random_sample import random_sample
from tools.methods.two_stage import two_stage
from tools.methods.ucb_e import ucb_e

NAN = math.nan
BUDGETED = [random_sample, halving, ucb_e]


def clear(n=60, k=7):
    """Arm 4 is right on every item, each other on a share of them."""
    scores = (np.random.default_rng(0).random((n, k)) < 0.4).astype(float)
    scores[:, 4] = 1.0
    return scores


@pytest.mark.parametrize("method", BUDGETED)
@pytest.mark.parametrize("budget", [70, 200, 420, 10_000])
def test_a_clear_best_arm_is_found_within_the_budget(method, budget):
    found = method(clear(), budget, seed=3)
    assert found.arm == 4
    assert found.asked.sum() <= min(budget, 420)


@pytest.mark.parametrize("method", BUDGETED)
def test_no_budget_no_choice(method):
    found = method(clear(), 0)
    assert found.arm is None
    assert not found.asked.any()


@pytest.mark.parametrize("method", BUDGETED)
def test_one_arm_and_everything_missing(method):
    assert method(np.full((9, 1), 0.5), 9).arm == 0
    assert method(np.full((9, 3), NAN), 27).arm is None


@pytest.mark.parametrize("method", BUDGETED)
def test_a_missing_answer_is_never_a_wrong_one(method):
    scores = np.full((40, 3), 0.6)
    scores[:, 1] = np.where(np.arange(40) % 4, NAN, 0.9)
    assert method(scores, 120, seed=1).arm == 1


@pytest.mark.parametrize("method", [*BUDGETED, two_stage])
def test_one_seed_one_choice(method):
    scores = np.random.default_rng(1).random((50, 6))
    first = method(scores, 30, seed=1).asked
    assert np.array_equal(first, method(scores, 30, seed=1).asked)
    assert not np.array_equal(first, method(scores, 30, seed=2).asked)


def test_random_sample_shares_its_items():
    asked = random_sample(clear(), 75).asked
    assert asked.any(axis=1).sum() == 75 // 7
    assert np.array_equal(asked.any(axis=1), asked.all(axis=1))


def test_two_stages_cost_a_sample_of_everyone_and_all_of_the_best():
    found = two_stage(clear(), 10, keep=2)
    assert found.arm == 4
    assert found.asked.sum() == 10 * 7 + 50 * 2
    assert found.asked.all(axis=0).sum() == 2
    assert two_stage(clear(), 0, keep=7).arm == 4


def test_halving_halves():
    asked = halving(clear(), 210).asked.sum(axis=0)
    assert sorted(asked.tolist(), reverse=True)[:2] == [asked[4], asked[4]]
    # Three rounds of 70 looks: 10 for each of 7, 17 for each of 4, 36 for each of 2.
    assert sorted(asked.tolist()) == [10, 10, 10, 27, 27, 60, 60]


def test_ucb_e_looks_most_where_it_is_close():
    scores = (np.random.default_rng(2).random((300, 4)) < [0.2, 0.3, 0.65, 0.7]).astype(float)
    looks = ucb_e(scores, 300).asked.sum(axis=0)
    assert looks.sum() == 300
    assert min(looks[2], looks[3]) > max(looks[0], looks[1])


def test_means_and_ties():
    scores = np.array([[0.5, NAN, 0.5], [0.1, 0.9, 0.5]])
    asked = np.array([[True, True, True], [False, False, False]])
    assert means(scores, asked).tolist() == [0.5, -math.inf, 0.5]
    assert choose(scores, asked).arm == 0
    assert choose(scores, asked, np.array([2, 1])).arm == 2


@pytest.mark.parametrize("method", BUDGETED)
def test_bad_input(method):
    with pytest.raises(ValueError, match="shape"):
        method([0.1, 0.2], 3)
    with pytest.raises(ValueError, match="shape"):
        checked(np.zeros((3, 0)))
    with pytest.raises(ValueError, match="lie in"):
        method([[0.1, math.inf]], 3)
    with pytest.raises(ValueError, match="budget must not be negative"):
        method([[0.1, 0.2]], -1)
    with pytest.raises(ValueError, match="keep >= 1"):
        two_stage([[0.1, 0.2]], 1, keep=0)
