"""Standings against the formula written out, and what must not change them."""

import numpy as np
import pytest
from scipy.special import ndtr

from tools.methods.standing import standing

NAN = float("nan")


def written_out(scores, cosine, temperature):
    """The module's formula, cell by cell."""
    values = []
    columns = [[row[j] for row in scores if row[j] == row[j]] for j in range(len(cosine))]
    weights = [np.exp(c / temperature) if np.std(column) > 1e-6 else 0.0
               for c, column in zip(cosine, columns, strict=True)]  # fmt: skip
    for row in scores:
        pairs = [
            (weights[j], (row[j] - np.mean(columns[j])) / np.std(columns[j]))
            for j in range(len(cosine))
            if row[j] == row[j] and weights[j]
        ]
        total = sum(w for w, _ in pairs)
        if not total:
            values.append(NAN)
            continue
        like = total**2 / sum(w * w for w, _ in pairs)
        values.append(ndtr(sum(w * z for w, z in pairs) / total * like / (like + 2)))
    return values


def test_it_is_the_formula():
    rng = np.random.default_rng(0)
    scores = np.where(rng.random((12, 7)) < 0.4, NAN, rng.random((12, 7)))
    scores[:, 3] = 0.5  # tells nobody apart
    scores[11] = NAN
    cosine = rng.uniform(-0.2, 0.8, 7)
    found = standing(scores, cosine, 0.2)
    assert found.value == pytest.approx(written_out(scores.tolist(), cosine, 0.2), nan_ok=True)
    assert found.weights.sum() == pytest.approx(1)
    assert found.weights[3] == 0
    assert found.cells[11] == 0


def test_an_easy_benchmark_gives_no_advantage():
    hard, easy = [0.1, 0.2, 0.3, NAN], [0.7, 0.8, 0.9, 0.85]
    found = standing(np.column_stack([hard, easy]), [0.5, 0.5])
    assert found.value[3] < found.value[2]  # 0.85 is its only score, and no more than good


def test_a_near_benchmark_outweighs_far_ones():
    scores = [[0.9, 0.1, 0.1], [0.1, 0.9, 0.9], [0.5, 0.5, 0.5]]
    assert np.argmax(standing(scores, [0.9, 0.1, 0.1], 0.05).value) == 0
    assert np.argmax(standing(scores, [0.1, 0.1, 0.1], 0.05).value) == 1


def test_one_lucky_score_is_believed_less_than_many():
    scores = np.full((10, 8), NAN)
    scores[:5, :] = np.linspace(0.1, 0.9, 5)[:, None]
    scores[9, 0] = 0.9
    found = standing(scores, np.zeros(8))
    assert 0.5 < found.value[9] < found.value[4]


def test_two_metrics_of_one_benchmark_are_one_opinion():
    scores = np.array([[0.1, 0.1], [0.5, 0.5], [0.9, 0.9]])
    alone = standing(scores[:, :1], [0.3]).value
    assert standing(scores, [0.3, 0.3], benchmarks=["a", "a"]).value == pytest.approx(alone)
    assert standing(scores, [0.3, 0.3], benchmarks=["a", "b"]).value[2] > alone[2]


def test_bad_shapes_are_refused():
    with pytest.raises(ValueError, match="cosine has shape"):
        standing([[0.1, 0.2]], [0.1])
    with pytest.raises(ValueError, match="temperature"):
        standing([[0.1]], [0.1], 0)
