"""The eval of findings measures what it says, at a size that tests can afford."""

import json
import subprocess
import sys

import numpy as np

from evals.memory import QUERIES, K, Scatter, measure


def test_the_reference_is_what_comparing_with_all_gives():
    made = Scatter(300, seed=3)
    every = made.queries @ made.vectors.astype(np.float32).T
    for query, found in enumerate(made.nearest()):
        assert found == set(np.argsort(-every[query])[:K].tolist())
    assert len(made.nearest()) == QUERIES


def test_a_small_store_recalls_exactly(tmp_path):
    found = measure(1_500, 1, tmp_path)
    assert found.findings == 1_500
    assert found.recall_at_10 == 1.0
    assert found.recall_p50_ms <= found.recall_p95_ms
    assert found.database_mb > 1


def test_the_last_line_is_one_json_object():
    command = [sys.executable, "-m", "evals.memory", "--json", "--sizes", "500"]
    out = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout
    [one] = json.loads(out.splitlines()[-1])["memory"]
    assert set(one) >= {"build_s", "recall_p50_ms", "recall_at_10", "rebuild_s", "open_s"}
