"""The judging figures on real verdicts; skipped where the data folder is absent."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from evals import judge
from evals.judge_verdicts import Bench, Verdicts, load, published

DATA = Path(os.environ.get("MIRROR_EVAL_DATA", "/work/shared/data"))  # noqa: TID251
needs_data = pytest.mark.skipif(not (DATA / "judge").is_dir(), reason="no evaluation data")


def made(n=600, skill=0.75, seed=0) -> Bench:
    """Ten judges, right with chance ``skill`` independently in both orders, and a coin."""
    rng = np.random.default_rng(seed)
    labels = rng.choice([1.0, -1.0], n)

    def said(chance):
        return np.where(rng.random(n) < chance, labels, -labels)

    every = np.ones(n, dtype=bool)
    judges = {("good", str(k)): Verdicts(said(skill), said(skill), every) for k in range(10)}
    judges["coin", "x"] = Verdicts(said(0.5), said(0.5), every)
    return Bench(np.array(["made"] * n), labels, rng.normal(size=n), judges)


def test_what_is_measured_is_what_was_made():
    bench = made()
    found = judge.measure_agreement(bench, judge.Halves.of(600))
    assert found["by_model"]["good"]["raw_agreement"] == pytest.approx(0.75, abs=0.06)
    decided = 0.75**2 / (0.75**2 + 0.25**2)
    assert found["by_model"]["good"]["merged_agreement"] == pytest.approx(decided, abs=0.06)
    assert found["trusted"]["judges"] == 10
    low, high = found["by_model"]["coin"]["corrected_minus_raw"][1:]
    assert low < 0.05
    assert high > -0.05


def test_corrected_rates_cover_and_raw_ones_do_not():
    found = judge.measure_rates(made(4000, 0.65), judge.Halves.of(4000), draws=10)
    assert (found["judges"], found["refused"]) == (10, 1)
    assert found["corrected_coverage"] > 0.8
    assert found["raw_coverage"] < 0.6


@needs_data
def test_the_published_agreement_is_reproduced():
    found = published(load(DATA / "judge"))
    assert found["figures"] == 30
    assert found["largest_gap"] <= 0.01


@needs_data
def test_the_null_model_is_flagged_and_an_honest_answer_is_mostly_not():
    found = judge.measure_null(DATA / "routing" / "alpaca_eval", draws=20)
    assert found["flagged"][0] == 1.0
    assert found["honest_flagged"][0] <= 0.2


def test_a_folder_without_data_is_one_line(tmp_path, capsys):
    assert judge.main(["--data", str(tmp_path)]) == 2
    assert "There is no" in capsys.readouterr().err
