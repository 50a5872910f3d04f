"""Weights without grades: what is known comes first, agreement second, constant answers last."""

import numpy as np
import pytest

from tools.methods.label_free import constant, weights


def answers(noise, n=40, d=12, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(n, 1, d))
    return truth + np.asarray(noise)[:, None] * rng.normal(size=(n, len(noise), d))


def test_without_a_prior_the_model_that_agrees_is_best():
    found = weights(answers([1.5, 0.3, 1.0, 1.5]))
    assert found.argmax() == 1
    assert found.sum() == pytest.approx(1)


def test_a_prior_overrules_agreement_and_agreement_decides_between_equals():
    given = answers([1.5, 0.3, 1.0, 1.5])
    assert weights(given, prior=[0.9, 0.1, 0.2, 0.2]).argmax() == 0
    assert weights(given, prior=[0.9, 0.1, 0.9, 0.2]).argmax() == 2
    assert weights(given, prior=[0.9, 0.1, 0.2, 0.2], share=0.0).argmax() == 1
    unknown = weights(given, prior=np.full(4, np.nan))
    assert unknown == pytest.approx(weights(given))


def test_near_copies_have_no_vote_on_each_other():
    given = answers([0.5, 0.6, 0.7, 1.5])
    given = np.concatenate([given, given[:, 3:] + 0.01, given[:, 3:] - 0.01], axis=1)
    assert weights(given).argmax() >= 3
    assert weights(given, clusters=["a", "b", "c", "w", "w", "w"]).argmax() < 3


def test_a_constant_answer_gets_nothing_whatever_is_known_of_it():
    given = answers([0.5, 1.0, 1.0])
    same = np.repeat(np.ones((1, 1, 12)), 40, axis=0)
    every = np.concatenate([given, same], axis=1)
    assert constant(every).tolist() == [False, False, False, True]
    assert weights(every, prior=[0.0, 0.1, 0.1, 9.0])[3] == 0


def test_where_all_say_the_same_nobody_is_accused():
    same = np.ones((10, 3, 4))
    assert not constant(same).any()
    assert weights(same) == pytest.approx(np.full(3, 1 / 3))


def test_one_model_two_models_and_missing_answers():
    assert weights(answers([0.5])).tolist() == [1.0]
    assert weights(answers([0.5, 0.5]), prior=[0.0, 1.0]).argmax() == 1
    given = answers([0.3, 0.3, 0.3])
    given[:, 1] = np.nan
    assert weights(given)[1] == 0
    with pytest.raises(ValueError, match="no answer"):
        weights(np.full((3, 2, 4), np.nan))
