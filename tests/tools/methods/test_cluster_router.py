"""The cluster router: regional means, the price, and when one model is simply best."""

import numpy as np
import pytest

from tools.methods.cluster_router import fit, fit_best, prompt_regions
from tools.methods.routing import choose

NAN = float("nan")


def two_topics(n=300, seed=0, accuracy=((0.9, 0.2), (0.3, 0.8))):
    """Prompts of two topics; ``accuracy[model][topic]``."""
    rng = np.random.default_rng(seed)
    topic = rng.integers(2, size=n)
    prompts = np.eye(2)[topic] + 0.05 * rng.normal(size=(n, 2))
    right = np.asarray(accuracy)[:, topic].T
    return prompts, (rng.random(right.shape) < right).astype(float), topic


def test_value_is_the_regional_mean_drawn_towards_the_overall_mean():
    prompts = np.array([[0.0, 0], [0, 0], [9, 9]])
    scores = np.array([[1.0, 0], [0, 0], [1, 1]])
    router = fit(prompts, scores, regions=2, prior=2.0)
    overall = np.array([2 / 3, 1 / 3])
    expected = [(np.array([1, 0]) + 2 * overall) / 4, (np.array([1, 1]) + 2 * overall) / 3]
    assert router.weights([[0, 1], [8, 9]]) == pytest.approx(np.array(expected))


def test_one_region_is_the_best_single_model():
    prompts, scores, _ = two_topics()
    router = fit(prompts, scores, regions=1)
    assert router.weights(prompts[:2]) == pytest.approx(np.tile(scores.mean(axis=0), (2, 1)))


def test_experts_are_found_and_held_out_prompts_gain():
    prompts, scores, topic = two_topics()
    router = fit_best(prompts, scores, candidates=(1, 2, 4))
    assert len(router.centres) > 1
    fresh, truth, topic = two_topics(seed=1)
    chosen = choose(router.weights(fresh))
    assert chosen.tolist() == topic.tolist()
    assert truth[np.arange(300), chosen].mean() > truth.mean(axis=0).max() + 0.1


def test_where_routing_does_not_help_there_is_one_region():
    prompts, scores, _ = two_topics(accuracy=((0.8, 0.8), (0.4, 0.4)))
    router = fit_best(prompts, scores, candidates=(1, 2, 16))
    assert len(router.centres) == 1
    assert set(choose(router.weights(prompts))) == {0}


def test_price_weighs_against_the_score():
    prompts, scores, _ = two_topics(accuracy=((0.9, 0.9), (0.8, 0.8)))
    free = fit(prompts, scores, regions=1)
    assert choose(free.weights(prompts[:1])) == 0
    priced = fit(prompts, scores, regions=1, costs=[2.0, 0.5], cost_weight=0.5)
    assert choose(priced.weights(prompts[:1])) == 1
    assert priced.value == pytest.approx(free.value - [[1.0, 0.25]])


def test_missing_scores_are_not_zero_and_an_unscored_model_is_never_chosen():
    prompts = np.array([[0.0, 0], [0, 0], [9, 9], [9, 9]])
    scores = np.array([[1.0, 0.2, NAN], [NAN, 0.2, NAN], [NAN, 0.9, NAN], [NAN, 0.9, NAN]])
    router = fit(prompts, scores, regions=2, prior=0.0)
    found = router.weights([[0, 0], [9, 9]])
    assert found == pytest.approx(np.array([[1, 0.2, NAN], [1, 0.9, NAN]]), nan_ok=True)
    assert choose(found).tolist() == [0, 0]


def test_more_regions_than_prompts_are_as_many_as_differ():
    prompts = np.array([[0.0, 0], [0, 0], [1, 1]])
    assert len(prompt_regions(prompts, 50)) == 2
    assert len(prompt_regions(np.ones((4, 3)), 5)) == 1


def test_same_seed_same_router():
    prompts, scores, _ = two_topics()
    one, other = (fit(prompts, scores, regions=8, seed=3) for _ in range(2))
    assert np.array_equal(one.centres, other.centres)
    assert np.array_equal(one.value, other.value)


@pytest.mark.parametrize(
    ("prompts", "scores", "keywords", "message"),
    [
        (np.ones((2, 1)), np.ones((3, 2)), {}, "one row per prompt"),
        (np.ones((2, 1)), np.full((2, 2), NAN), {}, "no score"),
        (np.ones((0, 1)), np.ones((0, 2)), {}, "with a row"),
        (np.full((2, 1), np.inf), np.ones((2, 2)), {}, "not finite"),
        (np.ones((2, 1)), np.ones((2, 2)), {"costs": [1.0]}, "costs have shape"),
        (np.ones((2, 1)), np.ones((2, 2)), {"costs": [1.0, -1]}, "negative"),
        (np.ones((2, 1)), np.ones((2, 2)), {"regions": 0}, "at least 1"),
    ],
)
def test_bad_input_is_named(prompts, scores, keywords, message):
    with pytest.raises(ValueError, match=message):
        fit(prompts, scores, **keywords)


def test_other_dimensions_and_too_few_prompts_are_named():
    router = fit(np.eye(3), np.ones((3, 2)), regions=2)
    with pytest.raises(ValueError, match="2 dimensions, not 3"):
        router.weights(np.eye(2))
    with pytest.raises(ValueError, match="folds"):
        fit_best(np.eye(2), np.ones((2, 2)), folds=5)
    with pytest.raises(ValueError, match="All-NaN"):
        choose([[NAN, NAN]])
