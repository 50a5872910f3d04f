"""The racing figures on real data; what needs the data folder is skipped where it is absent."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from evals.racing import ever_excludes, main, measure, summary
from evals.racing_data import alpaca, llmrouter, usd_per_token

DATA = Path(os.environ.get("MIRROR_EVAL_DATA", "/work/shared/data"))  # noqa: TID251
real = pytest.mark.skipif(not (DATA / "routing/alpaca_eval").is_dir(), reason="no evaluation data")


def test_summary_is_the_mean_with_an_interval_around_it():
    found = summary([{"hit": 1.0, "regret": 0.0}] * 9 + [{"hit": 0.0, "regret": 5.0}])
    assert (found["hit"], found["regret"]) == (0.9, 0.5)
    assert found["interval"]["hit"][0] < 0.9 < found["interval"]["hit"][1] <= 1


def test_a_rare_large_difference_fools_two_standard_errors():
    d = np.zeros(500)
    d[:15] = 1.0
    found = [ever_excludes(d, seed) for seed in range(40)]
    assert np.mean([one["betting"] for one in found]) <= 0.1
    assert np.mean([one["two_errors"] for one in found]) > 0.5


def test_without_data_one_line_says_so(tmp_path, capsys):
    assert main(["--data", str(tmp_path), "--json"]) != 0
    assert "--data must name the folder" in capsys.readouterr().err


@real
def test_prices_come_from_the_name_or_the_size():
    usd, priced = usd_per_token(DATA, ["gpt4_0613", "vicuna-13b", "vicuna-7b", "nobody-knows"])
    assert priced == {"name": 1, "size": 2, "neither": 1}
    assert usd[:, 0] == pytest.approx([30e-6, 60e-6])
    assert np.all(usd[:, 3] == np.median(usd[:, :3], axis=1))


@real
def test_alpaca_is_the_complete_models():
    data = alpaca(DATA)
    assert data.scores.shape == data.bill.shape == (797, 59)
    assert "NullModel" not in data.names
    assert data.scores.min() >= 0
    assert data.scores.max() <= 1
    assert np.all(data.bill > 0)


@real
def test_a_few_races_on_llmrouter_find_the_best_for_little():
    found = measure(llmrouter(DATA), 3)
    assert found["models"] == 9
    assert found["items_saved"] > 0.9
    assert found["money_saved"] > 0.85
    assert found["hit"] == 1
    assert found["rigorous"]["certain"] == 1
    assert found["random_sample"]["items_saved"] >= found["items_saved"]
