"""Beliefs: conditioning against the textbook formula, planted truth, bad input."""

from __future__ import annotations

import numpy as np
import pytest

from tools.methods.belief import Belief, of_intervals, of_scores


def any_belief(freedom=np.inf, seed=0) -> Belief:
    root = np.random.default_rng(seed).normal(size=(6, 6))
    return Belief(np.arange(6.0).reshape(3, 2), root @ root.T, freedom)


@pytest.mark.parametrize("noise", [0.0, 2.0])
def test_learning_is_the_conditional_normal(noise):
    belief = any_belief()
    after = belief.learn([(0, 1), (2, 0)], [3.0, 1.0], noise)
    c, at = belief.covariance, [1, 4]
    gain = c[:, at] @ np.linalg.inv(c[np.ix_(at, at)] + noise * np.eye(2))
    expected = np.arange(6.0) + gain @ (np.array([3.0, 1.0]) - np.array([1.0, 4.0]))
    np.testing.assert_allclose(after.mean.ravel(), expected, atol=1e-5)
    np.testing.assert_allclose(after.covariance, c - gain @ c[at], atol=1e-5)
    if noise == 0:
        assert after.variance[0, 1] == after.variance[2, 0] == 0
        assert after.mean[0, 1] == 3.0


def test_one_by_one_is_the_same_as_at_once():
    belief = any_belief(freedom=10.0)
    at_once = belief.learn([(0, 1), (2, 0)], [3.0, 1.0])
    in_turn = belief.learn([(2, 0)], [1.0]).learn([(0, 1)], [3.0])
    np.testing.assert_allclose(at_once.mean, in_turn.mean, atol=1e-5)
    np.testing.assert_allclose(at_once.covariance, in_turn.covariance, atol=1e-5)
    assert at_once.freedom == in_turn.freedom == 12


def test_surprises_enlarge_the_doubt_and_good_guesses_shrink_it():
    belief = any_belief(freedom=10.0)
    plain = any_belief().settle([(0, 0)]).covariance
    off = belief.mean[0, 0] + 5 * np.sqrt(belief.variance[0, 0])
    assert np.trace(belief.learn([(0, 0)], [off]).covariance) > 2 * np.trace(plain)
    assert np.trace(belief.learn([(0, 0)], [belief.mean[0, 0]]).covariance) < np.trace(plain)


def test_known_cells_and_repeats_change_nothing_more():
    belief = any_belief().learn([(1, 1)], [3.0])
    assert belief.learn([(1, 1)], [99.0]) is belief
    again = any_belief().learn([(1, 1), (1, 1)], [3.0, 3.0])
    np.testing.assert_array_equal(again.mean, belief.mean)


def test_intervals_become_standard_deviations():
    belief = of_intervals(
        [[50.0, 60.0]], [[50.0, 43.55]], [[50.0, 76.45]], [[True, False]], correlation=0.3
    )
    np.testing.assert_allclose(belief.variance, [[0.0, 100.0]], rtol=1e-3)


def test_only_keeps_the_cells_of_its_columns():
    belief = any_belief()
    np.testing.assert_array_equal(belief.only([1]).mean, [[1.0], [3.0], [5.0]])
    np.testing.assert_array_equal(belief.only([1]).covariance, belief.covariance[1::2, 1::2])


def planted(seed=0):
    rng = np.random.default_rng(seed)
    ability = np.sort(rng.normal(0, 10, 30))
    truth = 50 + ability[:, None] + rng.normal(0, 5, 14) + rng.normal(0, 3, (30, 14))
    return truth, np.where(rng.random(truth.shape) < 0.6, np.nan, truth)


def test_planted_scores_are_found_and_their_errors_are_as_large_as_said():
    truth, known = planted()
    belief = of_scores(known)
    hidden = np.isnan(known)
    error = (belief.mean - truth)[hidden]
    z = error / np.sqrt(belief.variance[hidden])
    assert np.sqrt(np.mean(error**2)) < 0.5 * truth.std()
    assert 0.75 <= np.mean(np.abs(z) < 1.645) <= 0.98
    np.testing.assert_array_equal(belief.mean[~hidden], truth[~hidden])
    assert np.all(belief.variance[~hidden] == 0)
    assert np.all(belief.variance[hidden] > 0)


def test_errors_of_one_model_go_together():
    _, known = planted()
    known[7] = np.nan
    of_row = of_scores(known).covariance.reshape(30, 14, 30, 14)[7, :, 7]
    sd = np.sqrt(np.diag(of_row))
    assert ((of_row / np.outer(sd, sd)).sum() - 14) / (14 * 13) > 0.5


@pytest.mark.parametrize(
    ("scores", "columns", "message"),
    [
        (np.full((5, 5), np.nan), None, "between 8 and"),
        (np.full((5, 5), np.inf), None, "NaN where missing"),
        (np.ones(9), None, "NaN where missing"),
        (np.ones((5, 5)), [5], "a column is not among the 5"),
    ],
)
def test_bad_scores_are_refused(scores, columns, message):
    with pytest.raises(ValueError, match=message):
        of_scores(scores, columns)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"low": [[1.0, 2.0]]}, "one shape"),
        ({"mean": [[np.nan], [1.0]]}, "not finite"),
        ({"low": [[5.0], [1.0]]}, "low > high"),
        ({"correlation": 1.5}, "correlation lies"),
    ],
)
def test_bad_intervals_are_refused(change, message):
    given = {"mean": [[1.0], [1.0]], "low": [[0.0], [0.0]], "high": [[2.0], [2.0]]}
    with pytest.raises(ValueError, match=message):
        of_intervals(**{**given, "known": [[False], [False]], **change})


def test_bad_measurements_are_refused():
    with pytest.raises(ValueError, match="2 cells need as many finite scores"):
        any_belief().learn([(0, 0), (0, 1)], [1.0])
    with pytest.raises(ValueError, match="need as many finite scores"):
        any_belief().learn([(0, 0)], [np.nan])
    with pytest.raises(ValueError, match="outside the 3 x 2"):
        any_belief().learn([(3, 0)], [1.0])
