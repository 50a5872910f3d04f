"""RELM Eq. 1 against brute force over all subsets, and what a missing cell may do."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.methods.selection import select

unit = st.floats(0, 1, allow_nan=False)


def objective(members, s, beta):
    """Eq. 1, written down as it stands in the paper."""
    return beta * sum(s[i] for i in members) - (1 - beta) * len(members)


@given(
    sigma=st.lists(unit, min_size=1, max_size=8),
    alpha=unit,
    beta=unit,
    k=st.integers(0, 10),
    seed=st.integers(0, 2**32 - 1),
)
def test_chosen_set_is_the_best_of_all_subsets_within_the_cap(sigma, alpha, beta, k, seed):
    rng = np.random.default_rng(seed)
    scores = rng.random((len(sigma), 3))
    weights = rng.random(3)
    result = select(sigma, weights, scores, alpha=alpha, beta=beta, k=k)
    term = scores @ (weights / weights.sum())
    s = alpha * np.array(sigma) + (1 - alpha) * term
    best = max(
        objective(members, s, beta)
        for size in range(min(k, len(sigma)) + 1)
        for members in combinations(range(len(sigma)), size)
    )
    assert objective(result.chosen, s, beta) == pytest.approx(best, abs=1e-9)
    assert len(result.chosen) <= k
    assert list(result.s[result.chosen]) == sorted(result.s[result.chosen], reverse=True)


def test_a_known_example():
    result = select([1.0, 0.5], [3, 1], [[0.8, 0.4], [0.2, 1.0]], alpha=0.5, beta=0.8)
    assert result.benchmark_term == pytest.approx([0.7, 0.4])
    assert result.s == pytest.approx([0.85, 0.45])
    assert result.chosen.tolist() == [0, 1]
    assert select([1.0, 0.5], [3, 1], [[0.8, 0.4], [0.2, 1.0]], beta=0.6).chosen.tolist() == [0]


def test_an_unmeasured_model_stands_at_the_pool_average_neither_zero_nor_full():
    nan = float("nan")
    result = select([0.5, 0.5, 0.5], [1], [[0.9], [0.3], [nan]], alpha=0.0)
    assert result.benchmark_term == pytest.approx([0.9, 0.3, 0.6])
    assert result.known_share.tolist() == [1, 1, 0]
    assert result.chosen.tolist() == [0, 2, 1]


def test_partly_known_is_own_score_in_proportion_to_the_known_weight():
    nan = float("nan")
    result = select([0, 0], [0.75, 0.25], [[1.0, nan], [0.0, 0.4]], alpha=0.0)
    assert result.benchmark_term[0] == pytest.approx(0.75 * 1.0 + 0.25 * 0.4)
    assert result.known_share == pytest.approx([0.75, 1.0])


def test_a_column_nobody_has_moves_nobody_against_anybody():
    nan = float("nan")
    result = select([0.9, 0.1], [1], [[nan], [nan]], alpha=0.5, prior=0.2)
    assert result.s == pytest.approx([0.55, 0.15])


def test_no_benchmark_leaves_relevance_alone():
    result = select([0.9, 0.1], [], [], alpha=0.5, beta=0.9)
    assert result.s == pytest.approx([0.45, 0.05])
    assert result.chosen.tolist() == [0]


def test_no_model_is_an_empty_choice():
    assert select([], [1.0], []).chosen.tolist() == []


def test_equal_terms_keep_their_order():
    assert select([0.5] * 4, [], [], k=3, beta=1.0).chosen.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("arguments", "keywords", "message"),
    [
        (([0.5], [1], [[1.2]]), {}, r"\[0, 1\]"),
        (([float("nan")], [1], [[0.2]]), {}, "sigma_model"),
        (([0.5], [-1], [[0.2]]), {}, "weight"),
        (([0.5], [0], [[0.2]]), {}, "weight 0"),
        (([0.5], [1, 1], [[0.2]]), {}, "shape"),
        (([0.5], [1], [[0.2]]), {"alpha": 1.5}, "alpha"),
        (([0.5], [1], [[0.2]]), {"beta": float("nan")}, "beta"),
        (([0.5], [1], [[0.2]]), {"k": -1}, "k"),
    ],
)
def test_values_out_of_range_are_refused(arguments, keywords, message):
    with pytest.raises(ValueError, match=message):
        select(*arguments, **keywords)


def test_a_cell_believed_in_part_is_in_part_a_missing_one():
    scores = np.array([[0.9, 0.2], [0.3, 0.6], [np.nan, 0.4]])
    wholly = select([0.5] * 3, [1, 1], scores)
    assert select([0.5] * 3, [1, 1], scores, belief=np.ones((3, 2))).s == pytest.approx(wholly.s)
    half = select([0.5] * 3, [1, 1], scores, belief=[[0.5, 1], [1, 1], [1, 1]])
    mean = (0.9 + 0.3) / 2
    assert half.benchmark_term[0] == pytest.approx(((0.9 + mean) / 2 + 0.2) / 2)
    assert half.benchmark_term[1:] == pytest.approx(wholly.benchmark_term[1:])
    with pytest.raises(ValueError, match="belief"):
        select([0.5] * 3, [1, 1], scores, belief=np.full((3, 2), 1.5))
