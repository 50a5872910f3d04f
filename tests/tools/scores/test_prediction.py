"""Missing cells: what is predicted, what is lent by a copy, and what must not be relied on."""

import numpy as np
import pytest

from memory.records import Contamination, Model, Origin, Score
from memory.registry import Registry
from tools.scores.prediction import MOST_CELLS, predict

SIZES = np.linspace(8.0, 11.0, 16)  # log10 of parameters
EASE = {"easy": 1.5, "middling": 0.0, "hard": -1.5, "odd": 0.5}


def _model(i: int) -> str:
    return f"org{i % 4}/model-{i}"


def _value(i: int, benchmark: str) -> float:
    return float(1 / (1 + np.exp(-(1.5 * (SIZES[i] - 9.5) + EASE[benchmark]))))


def _score(model: str, benchmark: str, value: float, protocol: str = "p", **more) -> Score:
    fixed = {"origin": Origin.ELSEWHERE, "source": "made"}
    return Score(model=model, benchmark=benchmark, protocol=protocol, value=value, **fixed, **more)


@pytest.fixture
def registry():
    models = [Model(id=_model(i), params=int(10**size)) for i, size in enumerate(SIZES)]
    return Registry({model.id: model for model in models}, "made")


@pytest.fixture
def observed():
    return [_score(_model(i), b, _value(i, b)) for i in range(len(SIZES)) for b in EASE]


def test_a_hidden_cell_comes_back_near_the_truth_within_its_interval(registry, observed):
    left = [one for one in observed if (one.model, one.benchmark) != (_model(5), "middling")]
    (found,) = predict([_model(5)], {"middling": "p"}, left, registry)
    assert found.origin == Origin.PREDICTED
    assert abs(found.value - _value(5, "middling")) < 0.06
    assert found.low <= _value(5, "middling") <= found.high
    assert found.trusted
    assert "its own 3 known scores" in found.basis


def test_known_cells_are_not_predicted(registry, observed):
    assert predict([_model(5)], {"easy": "p"}, observed, registry) == []


def test_a_model_without_scores_is_placed_by_its_size_and_not_trusted(registry, observed):
    cold = {_model(1), _model(14)}
    left = [one for one in observed if one.model not in cold]
    small, large = predict(sorted(cold), {"middling": "p"}, left, registry)
    assert (small.model, large.model) == (_model(1), _model(14))
    assert large.value - small.value > 0.3
    assert not small.trusted
    assert not large.trusted
    assert "its size" in small.basis


def test_a_benchmark_nobody_was_measured_on_orders_models_and_claims_no_level(registry, observed):
    found = predict([_model(0), _model(15)], {"unseen": None}, observed, registry)
    assert [(one.low, one.high, one.trusted) for one in found] == [(0.0, 1.0, False)] * 2
    assert found[1].value > found[0].value
    assert found[0].value + found[1].value == pytest.approx(1.0)  # about 0.5: no level is claimed
    assert "only the order" in found[0].basis


def test_a_copy_lends_its_score_with_its_own_origin(registry, observed):
    parent = _model(7)
    left = [one for one in observed if (one.model, one.benchmark) != (parent, "hard")]
    copy = _score("quants/model-7-awq", "hard", 0.42, low=0.4, high=0.45)
    copies = {parent: ("quants/model-7-awq",)}
    (found,) = predict([parent], {"hard": "p"}, [*left, copy], registry, copies)
    assert (found.value, found.low, found.high) == (0.42, 0.4, 0.45)
    assert found.origin == Origin.INHERITED
    assert "quants/model-7-awq" in found.basis
    assert predict([parent], {"hard": "p"}, [*observed, copy], registry, copies) == []


def test_protocols_are_never_mixed(registry, observed):
    """Scores of another protocol are another column, even where they contradict."""
    halved = [
        _score(one.model, one.benchmark, one.value / 2, protocol="other")
        for one in observed
        if one.benchmark == "easy" and one.model != _model(9)
    ]
    left = [one for one in observed if (one.model, one.benchmark) != (_model(9), "easy")]
    (first,) = predict([_model(9)], {"easy": "p"}, [*left, *halved], registry)
    (second,) = predict([_model(9)], {"easy": "other"}, [*left, *halved], registry)
    assert abs(first.value - _value(9, "easy")) < 0.08
    assert abs(second.value - _value(9, "easy") / 2) < 0.08


def test_the_most_used_protocol_stands_where_none_is_named(registry, observed):
    few = [_score(_model(i), "easy", 0.1, protocol="rare") for i in range(8)]
    left = [one for one in observed if (one.model, one.benchmark) != (_model(9), "easy")]
    (found,) = predict([_model(9)], {"easy": None}, [*few, *left], registry)
    assert found.protocol == "p"


def test_nothing_known_predicts_nothing(registry):
    assert predict([_model(0)], {"easy": None}, [], registry) == []
    assert predict([_model(0)], {"easy": None}, [_score("a/b", "easy", 0.5)], registry) == []


def test_a_model_outside_the_registry_is_no_error(registry, observed):
    found = predict(["new/stranger"], {"easy": "p"}, observed, registry)
    assert [one.trusted for one in found] == [False]


def test_the_work_is_bounded_however_much_is_known(registry):
    many = [_score(f"a/m{i}", f"b{j}", (i + j) % 10 / 10) for i in range(60) for j in range(60)]
    assert len(many) > 5 * MOST_CELLS
    found = predict(["a/m0"], {"b0": None, "unseen": None}, many, registry)
    assert [one.benchmark for one in found] == ["unseen"]


def test_a_huge_leaderboard_does_not_crowd_out_the_rest(registry, observed):
    """Its best known models are looked at, and the others' columns still count."""
    crowd = [_score(f"crowd/m{i}", "easy", i % 10 / 10) for i in range(20_000)]
    left = [one for one in observed if (one.model, one.benchmark) != (_model(5), "easy")]
    (found,) = predict([_model(5)], {"easy": "p"}, [*crowd, *left], registry)
    assert abs(found.value - _value(5, "easy")) < 0.2


def suspect(model, benchmark, weight):
    return Contamination(
        arm=model, model=model, benchmark=benchmark, flags=(), weight=weight, reason="made"
    )


def _learnt_from(observed, registry, weight, value=1.0):
    """What is said of a missing cell of model 5, whose measured "hard" score is ``value``."""
    measured = {"origin": Origin.MEASURED, "source": "here"}
    told = Score(model=_model(5), benchmark="hard", protocol="p", value=value, **measured)
    cells = [(_model(5), "middling"), (_model(5), "hard")]
    left = [one for one in observed if (one.model, one.benchmark) not in cells]
    doubted = [suspect(_model(5), "hard", weight)]
    (found,) = predict([_model(5)], {"middling": "p"}, [*left, told], registry, suspected=doubted)
    return found.value


def test_a_score_under_suspicion_teaches_less(registry, observed):
    full, half, quarter = (_learnt_from(observed, registry, w) for w in (1.0, 0.5, 0.25))
    assert full > half > quarter  # an inflated neighbour lifts the prediction, by its weight


def test_a_weight_of_next_to_nothing_is_as_if_the_score_were_missing(registry, observed):
    high = _learnt_from(observed, registry, 1e-9, 1.0)
    assert high == pytest.approx(_learnt_from(observed, registry, 1e-9, 0.0), abs=1e-6)


def test_only_the_measured_score_of_those_weights_is_doubted(registry, observed):
    left = [one for one in observed if (one.model, one.benchmark) != (_model(5), "middling")]
    doubted = [suspect(_model(5), "hard", 0.25)]  # but what is known of it was measured elsewhere
    assert predict([_model(5)], {"middling": "p"}, left, registry) == predict(
        [_model(5)], {"middling": "p"}, left, registry, suspected=doubted
    )
