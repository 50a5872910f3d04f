"""What could change the choice: also that a suspected score settles less than it seems to."""

import numpy as np
import pytest

from memory.records import BenchmarkChoice, Contamination, Origin, Score, Selected
from tools.plans.value_of_information import doubt

A, B = "org/a", "org/b"


def dossier(**values):
    """Two models on one benchmark; ``values`` are their measured scores."""
    names = {"a": A, "b": B}
    scores = [
        Score(
            model=names[name],
            benchmark="x",
            protocol="p",
            value=value,
            origin=Origin.MEASURED,
            source="here",
        )
        for name, value in values.items()
    ]
    fixed = {"sigma": 0.5, "benchmark_term": 0.5, "known_cells": 0, "cells": 1}
    return {
        "selected": [Selected(model=name, s=0.5, **fixed) for name in (A, B)],
        "benchmarks": [BenchmarkChoice(task="x", weight=1.0, reason="")],
        "scores": scores,
    }


def suspect(weight, model=A):
    return Contamination(
        arm=model, model=model, benchmark="x", flags=(), weight=weight, reason="made"
    )


def test_a_known_score_is_certain_and_a_suspected_one_is_not():
    sure, half, quarter = (
        doubt(dossier(a=0.9, b=0.6), 100, suspected=[suspect(w)]).choice.belief
        for w in (1.0, 0.5, 0.25)
    )
    assert sure.variance[0, 0] == 0
    assert 0 < half.variance[0, 0] < quarter.variance[0, 0]
    assert half.mean[0, 0] == pytest.approx(0.5 * 0.9 + 0.5 * 0.5)
    assert half.variance[1, 0] == 0


def test_the_belief_has_the_moments_of_the_mixture():
    rng = np.random.default_rng(0)
    weight, value = 0.25, 0.9
    anywhere = rng.normal(0.5, 0.5 / 1.6448536, 200_000)
    drawn = np.where(rng.random(200_000) < weight, value, anywhere)
    belief = doubt(dossier(a=value, b=0.6), 100, suspected=[suspect(weight)]).choice.belief
    assert belief.mean[0, 0] == pytest.approx(drawn.mean(), abs=0.005)
    assert belief.variance[0, 0] == pytest.approx(drawn.var(), rel=0.02)


def test_a_suspicion_moves_the_lead_and_its_certainty():
    sure = doubt(dossier(a=0.9, b=0.8), 100).leader
    doubted = doubt(dossier(a=0.9, b=0.8), 100, suspected=[suspect(0.5)]).leader
    assert sure == (A, 1.0)
    assert doubted[0] == B
    assert doubted[1] < 1


def test_the_same_questions_are_not_bought_again():
    open_question = doubt(dossier(a=0.9), 100, suspected=[suspect(0.5)])
    prices = {(A, "x"): 0.01, (B, "x"): 1.0}
    names, _ = open_question.advice(prices, 10.0)
    assert A not in names
    assert open_question.chance_of_change([A], ["x"]) == 0.0
    assert open_question.chance_of_change([A, B], ["x"]) > 0
