"""Elimination: who leads by what came before, and that the best arm stays."""

import math

import numpy as np
import pytest

from tools.methods import betting
from tools.methods.elimination import NOBODY, leaders, log_wealth

NAN = math.nan


def test_the_leader_before_an_item_knows_nothing_of_it():
    scores = np.array([[0.0, 1, 1, 1], [1, 0, 0, 0]])
    assert leaders(scores, np.zeros(2)).tolist() == [NOBODY, 1, 0, 0, 0]
    assert leaders(scores, np.array([0.9, 0.0])).tolist() == [NOBODY, 1, 1, 1, 1]


def test_missing_answers_neither_lead_nor_fall_behind():
    scores = np.array([[NAN, NAN, 0.5], [NAN, 0.4, 0.4]])
    assert leaders(scores, np.zeros(2)).tolist() == [NOBODY, NOBODY, 1, 0]


def test_one_leader_throughout_is_the_paired_game():
    rng = np.random.default_rng(0)
    scores = rng.random((2, 30))
    scores[0, 4] = NAN
    both = np.delete(scores[0] - scores[1], 4)
    log = log_wealth(0, scores, np.ones(30, dtype=np.intp), np.array([0.2, 0.1]), 100)
    assert log == pytest.approx(betting.log_wealth(both, 0.1, 100))


def test_an_arm_places_no_bet_against_itself():
    scores = np.ones((2, 5))
    assert log_wealth(0, scores, np.array([NOBODY, 0, 0, 1, 0]), np.zeros(2), 5).size == 1


def test_the_best_is_put_out_no_oftener_than_alpha_whoever_leads():
    rng = np.random.default_rng(5)
    lost = 0
    for _ in range(600):
        scores = (rng.random((5, 100)) < 0.5).astype(float)
        led = leaders(scores, np.zeros(5))[:-1]
        best = int(scores.mean(axis=1).argmax())
        log = log_wealth(best, scores, led, np.zeros(5), 100)
        lost += log.size > 0 and log.max() >= math.log(10)
    assert lost / 600 < 0.1


def test_the_worst_is_put_out():
    rng = np.random.default_rng(6)
    scores = (rng.random((3, 200)) < [[0.3], [0.7], [0.75]]).astype(float)
    led = leaders(scores, np.zeros(3))[:-1]
    assert log_wealth(0, scores, led, np.zeros(3), 200).max() > math.log(100)
