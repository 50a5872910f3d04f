"""The completion figures on real data; skipped where the data folder is absent."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from evals.completion import benchpress, benchpress_table, folds, nearest, percent_bounds

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


@pytest.mark.skipif(not (DATA / "scores/benchpress").is_dir(), reason="no evaluation data")
def test_one_official_fold_beats_the_published_reference():
    table = benchpress_table(DATA)
    masks = list(folds(DATA, table.scores.shape))
    assert len(masks) == 30
    assert sum(int(m.sum()) for m in masks) == 26_040
    found = benchpress(table, masks[:1])
    assert found["medae"] < 4.60
    assert 0.85 <= found["coverage"] <= 0.95
