"""Consensus: who agrees is rated well, near copies have no vote, silence is not agreement."""

import numpy as np
import pytest

from tools.methods.consensus import fit, ratings

OTHERS = ~np.eye(3, dtype=bool)


def noisy(noise, n=60, d=32, seed=0):
    """Answers around a truth per prompt, each model with its own size of error."""
    rng = np.random.default_rng(seed)
    sizes = np.asarray(noise, dtype=float)[None, :, None]
    return rng.normal(size=(n, 1, d)) + sizes * rng.normal(size=(n, len(noise), d))


def unit(points):
    return points / np.linalg.norm(points, axis=2, keepdims=True)


def test_ratings_are_the_weighted_votes_written_out():
    answers = unit(noisy([0.3, 0.8, 1.5, 0.9], n=6))
    voters = ~np.eye(4, dtype=bool)
    rating = np.ones(4)
    for _ in range(5):
        new = []
        for i in range(4):
            cosines = []
            for prompt in answers:
                vote = sum(rating[j] * prompt[j] for j in range(4) if voters[i, j])
                cosines.append(max(0.0, prompt[i] @ vote / np.linalg.norm(vote)))
            new.append(np.mean(cosines))
        rating = np.array(new)
    assert ratings(answers, voters) == pytest.approx(rating)


def test_rating_follows_quality():
    prompts = np.random.default_rng(1).normal(size=(60, 4))
    found = fit(prompts, noisy([0.2, 0.6, 1.0, 1.6]), regions=1).weights(prompts[:1])[0]
    assert found.argsort().tolist() == [3, 2, 1, 0]
    assert found.sum() == pytest.approx(1)


def test_each_region_has_its_own_expert():
    prompts = np.repeat(np.eye(2), 60, axis=0)
    answers = np.concatenate([noisy([0.2, 1.5, 0.8, 0.9]), noisy([1.5, 0.2, 0.8, 0.9], seed=1)])
    found = fit(prompts, answers, regions=2).weights([[0.9, 0.0], [0.1, 1.1]])
    assert found.argmax(axis=1).tolist() == [0, 1]


def test_near_copies_have_no_vote_on_each_other():
    rng = np.random.default_rng(2)
    answers = noisy([0.3, 0.8, 0.9, 2.0, 2.0, 2.0])
    answers[:, 3:] = answers[:, 3:4] + 0.02 * rng.normal(size=(60, 3, 32))
    prompts = rng.normal(size=(60, 4))
    plain = fit(prompts, answers, regions=1).weights(prompts[:1])[0]
    apart = fit(prompts, answers, regions=1, clusters="abcwww").weights(prompts[:1])[0]
    assert plain.argmax() >= 3
    assert apart.argmax() == 0


def test_one_family_is_no_family():
    prompts, answers = np.zeros((5, 2)), noisy([0.2, 0.9, 1.5], n=5)
    one = fit(prompts, answers, clusters="aaa").weights(prompts)
    assert one == pytest.approx(fit(prompts, answers).weights(prompts))


def test_model_alone_has_everything_and_identical_answers_share():
    prompts = np.eye(3)
    assert fit(prompts, np.ones((3, 1, 4))).weights(prompts) == pytest.approx(np.ones((3, 1)))
    shared = fit(prompts, np.ones((3, 4, 5))).weights(prompts)
    assert shared == pytest.approx(np.full((3, 4), 0.25))


def test_model_that_never_answered_weighs_nothing():
    answers = noisy([0.2, 0.5, 0.8], n=8)
    answers[:, 2] = np.nan
    found = fit(np.zeros((8, 2)), answers).weights(np.zeros((1, 2)))
    assert found == pytest.approx(np.array([[0.5, 0.5, 0.0]]))


def test_region_without_an_answer_takes_the_rating_over_all():
    prompts = np.repeat(np.eye(2), 30, axis=0)
    answers = noisy([0.2, 0.9, 1.2])
    answers[30:, 0] = np.nan
    router = fit(prompts, answers, regions=2)
    overall = ratings(unit(answers), OTHERS)[0]
    far = router.centres[:, 1].argmax()
    assert router.rating[far, 0] == pytest.approx(overall)
    assert np.isfinite(router.rating).all()


@pytest.mark.parametrize(
    ("prompts", "embeddings", "keywords", "message"),
    [
        (np.zeros((2, 1)), np.zeros((3, 2, 4)), {}, "one row per prompt"),
        (np.zeros((2, 1)), np.zeros((2, 4)), {}, "shape"),
        (np.zeros((0, 1)), np.zeros((0, 2, 4)), {}, "no prompt"),
        (np.full((2, 1), np.nan), np.ones((2, 2, 4)), {}, "not finite"),
        (np.zeros((2, 1)), np.full((2, 2, 4), np.nan), {}, "no answer"),
        (np.zeros((1, 1)), [[[1.0, np.nan], [1, 1]]], {}, "partly NaN"),
        (np.zeros((2, 1)), np.full((2, 2, 4), np.inf), {}, "infinite"),
        (np.zeros((2, 1)), np.ones((2, 2, 4)), {"clusters": "abc"}, "3 cluster labels"),
        (np.zeros((2, 1)), np.ones((2, 2, 4)), {"regions": 0}, "at least 1"),
    ],
)
def test_bad_input_is_named(prompts, embeddings, keywords, message):
    with pytest.raises(ValueError, match=message):
        fit(prompts, embeddings, **keywords)
