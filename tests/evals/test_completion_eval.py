"""The completion figures on real data; skipped where the data folder is absent."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from evals.completion_benchpress import (
    Order,
    benchpress,
    benchpress_table,
    chosen_probes,
    folds,
    percent_bounds,
)
from evals.completion_mteb import nearest
from evals.completion_scale import in_own_process

DATA = Path(os.environ.get("MIRROR_EVAL_DATA", "/work/shared/data"))  # noqa: TID251


def test_bounds_come_from_known_scores_only():
    known = np.array([[10.0, 1500.0], [np.nan, 1400.0], [90.0, np.nan]])
    assert percent_bounds(known) == [(0.0, 100.0), None]


def test_nearest_models_predict_a_copy():
    rng = np.random.default_rng(0)
    scores = rng.uniform(0, 100, (20, 12))
    scores[1] = scores[0]
    truth, scores[1, 5] = scores[1, 5], np.nan
    means = np.nanmean(scores, 0)
    assert abs(nearest(scores, 1)[1, 5] - truth) < 0.2 * abs(means[5] - truth) + 1e-6


def test_order_counts_clear_pairs_with_a_hidden_cell():
    truth = np.array([[10.0, 50.0], [12.0, 60.0], [40.0, np.nan], [50.0, 80.0]])
    hidden = np.array([[True, False], [False, False], [False, False], [True, True]])
    predicted = np.where(hidden, np.array([[45.0, 0], [0, 0], [0, 0], [44.0, 90.0]]), truth)
    order = Order()
    order.add(predicted, truth, hidden)
    assert order.pairs.tolist() == [4, 2]  # 10-12 is too close, 12-40 and 50-60 were seen
    assert order.kept.tolist() == [2, 2]  # 10-40 and 10-50 turned round
    assert order.median() == 0.75


def test_probes_are_what_the_rest_follows_and_what_is_known():
    rng = np.random.default_rng(3)
    ability, other = rng.normal(size=(2, 60))
    scores = np.column_stack(
        [ability, ability, other, *[ability + rng.normal(0, 0.3, 60) for _ in range(6)]]
    )
    scores[rng.random(60) < 0.9, 1] = np.nan
    assert chosen_probes(scores, 2)[0] != 1
    assert 2 not in chosen_probes(scores, 1)


def test_a_large_completion_is_measured_in_its_own_process():
    found = in_own_process(300, 40, 0.5)
    assert found["seconds"] > 0
    assert 20 < found["peak_mb"] < 2_000


@pytest.mark.skipif(not (DATA / "scores/benchpress").is_dir(), reason="no evaluation data")
def test_one_official_fold_beats_the_published_reference():
    table = benchpress_table(DATA)
    masks = list(folds(DATA, table.scores.shape))
    assert len(masks) == 30
    assert sum(int(m.sum()) for m in masks) == 26_040
    found = benchpress(table, masks[:1])
    assert found["medae"] < 4.40
    assert 0.85 <= found["coverage"] <= 0.95
    assert found["width"] < 25
    assert found["trusted_medae"] < 0.5 * found["untrusted_medae"]
