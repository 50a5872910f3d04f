"""The acquisition eval: its measures by hand, its blocks and policies on made scores."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from evals import acquisition_blocks
from evals.acquisition import at_stop, cost_share, curve, headline
from evals.acquisition_blocks import Block, complete_block, jobs
from evals.acquisition_policies import BASELINES, SHARES, Replay, Trace, mirror

DATA = Path(os.environ.get("MIRROR_EVAL_DATA", "/work/shared/data"))  # noqa: TID251


def made(m=12, b=30, seed=0) -> Block:
    rng = np.random.default_rng(seed)
    scores = 50 + rng.normal(0, 10, (m, 1)) + rng.normal(0, 5, b) + rng.normal(0, 4, (m, b))
    names = [f"model-{i}" for i in range(m)]
    return Block("made", scores, names, [f"b{j}" for j in range(b)], 1.0 + np.arange(m), 0.4)


def test_cost_share_is_where_hits_stay():
    regrets = np.zeros((20, len(SHARES)))
    regrets[:2, :5] = 3.0
    assert cost_share(regrets) == SHARES[5]
    regrets[:2, 10] = 1.5  # falls back once: counts from after that
    assert cost_share(regrets) == SHARES[11]
    regrets[:, -1] = 2.0
    assert np.isnan(cost_share(regrets))
    assert cost_share(np.ones((5, len(SHARES)))) == 0.0


def test_a_trace_knows_what_a_share_bought_and_where_it_stops():
    trace = Trace(np.array([0, 0.1, 0.25]), np.array([4.0, 2.0, 0.0]), np.array([0.5, 0.1, 0.0]))
    np.testing.assert_array_equal(trace.at(np.array([0, 0.09, 0.1, 0.3, 1])), [4, 4, 2, 0, 0])
    assert trace.stopped(0.2) == (0.1, 2.0)
    found = at_stop([trace, trace], 0.05)
    assert (found["cost_share"], found["hit"], found["mean_regret"]) == (0.25, 1.0, 0.0)


def test_a_complete_block_misses_nothing():
    seen = np.ones((6, 5), dtype=bool)
    seen[2] = [True, False, False, False, True]
    rows, columns = complete_block(seen)
    assert rows.tolist() == [0, 1, 3, 4, 5]
    assert columns.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("by_size", [False, True])
def test_every_policy_ends_at_the_truth(by_size):
    (job,) = jobs(made(), [1], 1)
    replay = Replay.of(job, by_size=by_size)
    assert 0 < len(replay.missing) < job.truth.size
    for name, policy in BASELINES.items():
        regrets = policy(replay, 0)
        assert regrets.shape == SHARES.shape, name
        if name != "halving":  # it never buys what it has dropped
            assert regrets[-1] == pytest.approx(0), name
    trace = mirror(replay, 0.01)
    assert trace.spent[-1] <= 1
    assert trace.regret[0] == replay.regret(replay.choice.best)
    assert trace.regret[-1] <= trace.regret[0]


def test_hidden_scores_do_not_reach_the_belief():
    block = made()
    (job,) = jobs(block, [1], 1)
    hidden = np.isnan(job.known)
    changed = Block(
        "made",
        np.where(hidden, 0.0, block.scores),
        block.models,
        block.benchmarks,
        block.billions,
        block.known_share,
    )
    (again,) = jobs(changed, [1], 1)
    np.testing.assert_array_equal(job.belief.mean, again.belief.mean)
    np.testing.assert_array_equal(job.belief.covariance, again.belief.covariance)


def test_headline_is_the_worst_block():
    def block(share):
        return {
            "uniform": {
                "policies": {"mirror": {"cost_share": share}},
                "best_baseline_cost_share": 0.3,
                "at_stop": {"hit": 0.9},
            }
        }

    found = headline({"a": block(0.1), "b": block(0.2)})
    assert found["cost_share"] == 0.2
    assert found["a"] == {"cost_share": 0.1, "best_baseline_cost_share": 0.3, "hit": 0.9}


def test_curve_has_a_point_for_each_share():
    assert curve(np.ones((3, len(SHARES))))[0] == (0.0, 1.0, 1.0)


@pytest.mark.skipif(not (DATA / "scores").is_dir(), reason="no evaluation data")
def test_the_opencompass_block_is_51_x_183():
    block = acquisition_blocks.opencompass(DATA)
    assert block.scores.shape == (51, 183)
    assert np.isfinite(block.scores).all()
    assert 0.4 < block.billions.min() < 1
    assert 100 < block.billions.max() < 200
