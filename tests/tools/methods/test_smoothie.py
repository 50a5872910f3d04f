"""Smoothie against all triplets written out, a pool whose θ is known, and damaged pools."""

import time
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.methods.smoothie import (
    FLOOR,
    differences,
    fit,
    nearest,
    squared_distances,
    weights,
)


def noisy(delta, n=7, seed=0):
    """Answers = truth + noises at right angles with squared length δ: D_ij = δ_i + δ_j exactly."""
    rng = np.random.default_rng(seed)
    m = len(delta)
    truth = np.concatenate([rng.normal(size=(n, 1, 5)), np.zeros((n, 1, m))], axis=2)
    noise = np.concatenate([np.zeros((m, 5)), np.diag(np.sqrt(delta))], axis=1)
    return truth + noise


def by_triplets(distances, family):
    """The paper's average over pairs, one triplet at a time."""
    m = len(family)
    delta = np.full(m, np.nan)
    for i in range(m):
        found = [
            (distances[i, j] + distances[i, k] - distances[j, k]) / 2
            for j, k in combinations([x for x in range(m) if x != i], 2)
            if len({family[i], family[j], family[k]}) == 3
        ]
        if found:
            delta[i] = np.mean(found)
    return delta


def test_known_theta_is_found_exactly():
    delta = np.array([0.2, 0.5, 1.0, 3.0])
    theta = 1 / delta
    expected = np.tile(theta / theta.sum(), (7, 1))
    assert weights(noisy(delta)) == pytest.approx(expected, rel=1e-9)
    assert weights(noisy(delta), clusters="abcd") == pytest.approx(expected, rel=1e-9)
    each = np.arange(7)[:, None]
    assert weights(noisy(delta), neighbours=each) == pytest.approx(expected, rel=1e-9)


@given(m=st.integers(3, 9), families=st.integers(3, 9), seed=st.integers(0, 2**32 - 1))
def test_matrix_form_equals_every_triplet_written_out(m, families, seed):
    rng = np.random.default_rng(seed)
    distances = squared_distances(rng.normal(size=(3, m, 4)))
    family = rng.integers(families, size=m)
    found = differences(distances, family)
    for row, per_prompt in zip(found, distances, strict=True):
        assert row == pytest.approx(by_triplets(per_prompt, family), abs=1e-9, nan_ok=True)


def test_different_families_undo_the_vote_of_near_copies():
    rng = np.random.default_rng(1)
    answers = noisy([0.2, 0.6, 0.8, 2.0, 2.0, 2.0], n=50)
    answers[:, 3:] = answers[:, 3:4] + 0.02 * rng.normal(size=(50, 3, answers.shape[2]))
    assert weights(answers)[0].argmax() >= 3
    assert weights(answers, clusters=["a", "b", "c", "w", "w", "w"])[0].argmax() == 0


def test_local_weights_come_from_the_neighbours_alone():
    ahead, behind = noisy([0.1, 1.0, 1.0]), noisy([1.0, 1.0, 0.1])
    answers = np.concatenate([ahead, behind])
    near = np.array([[0, 1, 2]] * 7 + [[7, 8, 9]] * 7)
    local = weights(answers, neighbours=near)
    assert local[:7].argmax(axis=1).tolist() == [0] * 7
    assert local[7:].argmax(axis=1).tolist() == [2] * 7
    assert local[0] == pytest.approx(weights(ahead)[0])
    assert weights(answers)[0, 0] == pytest.approx(weights(answers)[0, 2])


def test_impossible_difference_is_raised_to_the_floor_not_turned_negative():
    points = np.array([[[0.0, 0], [1, 0], [-1, 0]]])  # the middle one: (1 + 1 - 4) / 2 = -1
    delta = differences(squared_distances(points), np.arange(3))[0]
    assert delta[0] == pytest.approx(-1)
    found = weights(points)[0]
    floor = FLOOR * np.mean([0, 1, 1, 1, 0, 4, 1, 4, 0])
    expected = 1 / np.array([floor, 2, 2])
    assert found == pytest.approx(expected / expected.sum())


@pytest.mark.parametrize("m", [1, 2])
def test_without_a_triplet_all_weigh_alike(m):
    answers = np.random.default_rng(0).normal(size=(4, m, 3))
    assert weights(answers) == pytest.approx(np.full((4, m), 1 / m))
    near = np.arange(4)[:, None]
    assert weights(answers, neighbours=near) == pytest.approx(np.full((4, m), 1 / m))


def test_identical_answers_weigh_alike_whatever_their_rounding():
    answer = np.random.default_rng(0).normal(size=(5, 1, 384)).astype(np.float32)
    assert weights(np.repeat(answer, 4, axis=1)) == pytest.approx(np.full((5, 4), 0.25))


def test_two_families_are_no_families():
    answers = noisy([0.2, 0.5, 1.0])
    assert weights(answers, clusters="aab") == pytest.approx(weights(answers))


def test_missing_answers_are_left_out_and_never_zero_distance():
    delta = np.array([0.2, 0.5, 1.0, 3.0])
    answers = noisy(delta)
    answers[2:, 1] = np.nan
    assert weights(answers)[0] == pytest.approx((1 / delta) / (1 / delta).sum())
    answers[:, 3] = np.nan
    found = weights(answers)[0]
    assert found[3] == 0
    assert found[:3] == pytest.approx((1 / delta[:3]) / (1 / delta[:3]).sum())


def test_prompt_without_a_triplet_takes_the_global_weights():
    answers = noisy([0.2, 0.5, 1.0])
    answers[4, :2] = np.nan
    found = weights(answers, neighbours=np.arange(7)[:, None])
    assert found[4] == pytest.approx(weights(answers)[0])


def test_answers_that_never_meet_weigh_alike():
    answers = np.full((3, 3, 2), np.nan)
    answers[[0, 1], [0, 1]] = 1.0
    assert weights(answers)[0] == pytest.approx([0.5, 0.5, 0])


def test_fitted_router_answers_for_new_prompts():
    answers = np.concatenate([noisy([0.1, 1.0, 1.0]), noisy([1.0, 1.0, 0.1])])
    prompts = np.repeat(np.eye(2), 7, axis=0)
    found = fit(prompts, answers, k=5).weights([[0.9, 0.1], [0.2, 0.8], [1, 0]])
    assert found.argmax(axis=1).tolist() == [0, 2, 0]
    everywhere = fit(prompts, answers).weights([[0.9, 0.1]])
    assert everywhere == pytest.approx(weights(answers)[:1])


def test_nearest_are_the_highest_cosines():
    rng = np.random.default_rng(3)
    queries, prompts = rng.normal(size=(4, 6)), rng.normal(size=(9, 6))
    cosine = (
        queries @ prompts.T / np.outer(*(np.linalg.norm(x, axis=1) for x in (queries, prompts)))
    )
    found = nearest(queries, prompts, 3)
    for row, rows in zip(cosine, found, strict=True):
        assert set(row[rows]) == set(sorted(row)[-3:])
    assert nearest(prompts, prompts, 1)[:, 0].tolist() == list(range(9))


def test_thousand_prompts_and_twenty_models_take_under_two_seconds():
    embeddings = np.random.default_rng(0).normal(size=(1000, 20, 384)).astype(np.float32)
    prompts = np.random.default_rng(1).normal(size=(1000, 384))
    start = time.perf_counter()
    weights(embeddings, clusters=[i // 2 for i in range(20)])
    weights(embeddings, neighbours=nearest(prompts, prompts, 20))
    assert time.perf_counter() - start < 2  # both kinds together


@pytest.mark.parametrize(
    ("embeddings", "keywords", "message"),
    [
        (np.zeros((2, 3)), {}, "shape"),
        (np.zeros((0, 3, 4)), {}, "no prompt"),
        (np.zeros((2, 0, 4)), {}, "no prompt or model"),
        (np.full((1, 3, 2), np.inf), {}, "infinite"),
        ([[[1.0, np.nan], [1, 2], [0, 1]]], {}, "partly NaN"),
        (np.full((2, 3, 4), np.nan), {}, "no answer"),
        (np.zeros((2, 3, 4)), {"clusters": "ab"}, "2 cluster labels for 3 models"),
        (np.zeros((2, 3, 4)), {"neighbours": [[0], [2]]}, "not a prompt"),
        (np.zeros((2, 3, 4)), {"neighbours": [[0.5], [1]]}, "row numbers"),
        (np.zeros((2, 3, 4)), {"neighbours": [0, 1]}, r"\(n, k\)"),
    ],
)
def test_bad_input_is_named(embeddings, keywords, message):
    with pytest.raises(ValueError, match=message):
        weights(embeddings, **keywords)


def test_bad_fits_are_named():
    with pytest.raises(ValueError, match="don't fit"):
        fit(np.zeros((3, 2)), np.zeros((2, 3, 4)))
    with pytest.raises(ValueError, match="between 1 and 2"):
        nearest(np.eye(2), np.eye(2), 3)
    with pytest.raises(ValueError, match="not finite"):
        nearest(np.full((1, 2), np.nan), np.eye(2), 1)
