"""MSM's experiments against what can be counted by hand."""

import numpy as np
import pytest
import world
from scipy.stats import spearmanr

from memory.errors import BadRequest
from memory.records import Model, Origin, Requirements, Score
from memory.registry import Registry
from tools.choosing import funnel
from tools.experiments.calibration import calibrate
from tools.experiments.sensitivity import sensitivity
from tools.experiments.signals import correlate, medians
from tools.request.requirements import read_request

WANTED = Requirements(
    text="answer questions", task="text-generation", max_params=10**9, licence_use=("commercial",)
)


def test_calibration_names_every_constraint_that_removes_a_known_good_model():
    models = [*world.MODELS, Model(id="a/odd", params=9 * 10**9, licence="mit", task="fill-mask")]
    registry = Registry({model.id: model for model in models}, "made")
    found = calibrate([world.GOOD, "acme/huge", "acme/nc", "a/odd"], WANTED, registry)
    failures = {one.model: [name for name, _ in one.failures] for one in found.checked}
    assert failures == {
        world.GOOD: [],
        "acme/huge": ["size"],
        "acme/nc": ["licence"],
        "a/odd": ["task", "size"],
    }
    assert (found.passing, found.removes, found.alone) == (
        1,
        {"size": 2, "licence": 1, "task": 1},
        {"size": 1, "licence": 1},
    )
    with pytest.raises(BadRequest, match="no model"):
        calibrate(["acme/none"], WANTED, registry)


def test_calibration_agrees_with_the_funnel():
    registry = Registry({model.id: model for model in world.MODELS}, "made")
    survivors, fallen = funnel.critical(registry.models, WANTED)
    found = {one.model: one.failures for one in calibrate(list(registry.models), WANTED, registry)
             .checked}  # fmt: skip
    assert {name for name, failures in found.items() if not failures} == set(survivors.survivors)
    for one in fallen:
        assert found[one.model][0] == (one.constraint, one.reason)


def observed(n, rng, benchmark="b"):
    models, scores = {}, []
    for i in range(n):
        models[f"m{i}"] = Model(id=f"m{i}", downloads=int(rng.integers(1, 10**6)), likes=i)
        scores.append(
            Score(
                model=f"m{i}",
                benchmark=benchmark,
                protocol="p",
                value=float(np.clip(i / n + rng.normal(0, 0.1), 0, 1)),
                origin=Origin.ELSEWHERE,
                source="s",
            )
        )
    return Registry(models, "made"), scores


def test_correlations_are_spearmans_with_an_interval_around_them():
    registry, scores = observed(25, np.random.default_rng(0))
    found = {one.signal: one for one in correlate(scores, registry)}
    for name, read in (("likes", lambda m: m.likes), ("downloads", lambda m: m.downloads)):
        one = found[name]
        expected = spearmanr(
            [score.value for score in scores],
            [read(registry.models[score.model]) for score in scores],
        ).statistic
        assert (one.n, one.rho) == (25, pytest.approx(expected))
        assert one.low <= one.rho <= one.high
    assert found["likes"].low > 0.8
    assert found["downloads"].low < 0 < found["downloads"].high
    assert medians(found.values())["likes"] == (pytest.approx(found["likes"].rho), 1)


def test_fewer_than_ten_models_tell_nothing():
    registry, scores = observed(9, np.random.default_rng(1))
    assert correlate(scores, registry, least=2) == []
    registry, scores = observed(10, np.random.default_rng(1))
    assert len(correlate(scores, registry)) == 2
    assert correlate(scores, Registry({}, "none")) == []


def test_sensitivity_drops_each_stated_constraint_in_turn(tmp_path):
    asked, *dropped = sensitivity(read_request(world.REQUEST), world.deps(tmp_path))
    found = {one.dropped: one for one in dropped}
    assert asked.top[0] == world.GOOD
    assert set(found) <= {"task", "size", "licence", "languages", "ecosystem", "context"}
    assert found["size"].survivors - asked.survivors == 1  # acme/huge
    assert found["licence"].survivors - asked.survivors == 1  # acme/nc
    assert "acme/nc" in found["licence"].top
    assert found["size"].stay(asked) == len(asked.top)


def test_a_request_nobody_meets_comes_back_through_one_constraint(tmp_path):
    wanted = read_request("Answer questions, commercial use, at most 1M parameters")
    asked, *dropped = sensitivity(wanted, world.deps(tmp_path))
    assert (asked.survivors, asked.top) == (0, ())
    assert {one.dropped: one.survivors > 0 for one in dropped}["size"]
