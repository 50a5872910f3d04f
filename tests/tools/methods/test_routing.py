"""Whether routing earns its keep, and how weights and other knowledge are put together."""

import numpy as np
import pytest
from scipy.stats import binomtest

from tools.methods import cluster_router, consensus, smoothie
from tools.methods.cluster_router import fit_best
from tools.methods.routing import best_single, blend, choose, gain


def two_topics(n, chances, seed=0):
    rng = np.random.default_rng(seed)
    topic = rng.integers(2, size=n)
    prompts = np.eye(2)[topic] + 0.05 * rng.normal(size=(n, 2))
    right = np.where(topic[:, None] == [0, 1], *chances)
    return prompts, (rng.random((n, 2)) < right).astype(float)


def learner(prompts, values):
    return fit_best(prompts, values, candidates=(1, 2), folds=3)


def test_specialists_pay_and_equals_do_not():
    found = gain(*two_topics(150, (0.9, 0.2)), learner)
    assert found.pays
    assert found.low <= found.difference <= found.high
    assert found.difference == pytest.approx(found.routed - found.single)
    assert not gain(*two_topics(150, (0.6, 0.6)), learner).pays


def test_what_does_not_help_is_seldom_said_to_pay():
    said = [gain(*two_topics(40, (0.5, 0.5), seed), learner).pays for seed in range(60)]
    assert binomtest(sum(said), 60, 0.10, alternative="greater").pvalue > 0.01


def test_the_tested_prompts_are_not_those_fitted_to():
    """A router that learns its prompts by heart gains nothing on others."""
    rng = np.random.default_rng(1)
    prompts, values = rng.normal(size=(60, 4)), rng.integers(2, size=(60, 2)).astype(float)

    class ByHeart:
        def __init__(self, known, worth):
            self.known = {row.tobytes(): value for row, value in zip(known, worth, strict=True)}

        def weights(self, asked):
            return np.array([self.known.get(row.tobytes(), [1.0, 0.0]) for row in asked])

    assert not gain(prompts, values, ByHeart).pays


def test_ungraded_prompts_and_models_are_left_out_and_few_are_no_test():
    prompts, values = two_topics(80, (0.9, 0.2))
    values[::4] = np.nan
    values[1::4, 1] = np.nan
    found = gain(prompts, np.column_stack([values, np.full(80, np.nan)]), learner)
    assert 0 < found.n <= 60
    assert gain(prompts[:9], values[:9], learner) is None
    assert gain(prompts, np.full((80, 2), np.nan), learner) is None


def test_one_model_gains_nothing():
    prompts, values = two_topics(40, (0.9, 0.2))
    found = gain(prompts, values[:, :1], learner)
    assert (found.difference, found.pays) == (0.0, False)


def test_every_router_answers_the_same_question():
    rng = np.random.default_rng(0)
    prompts, answers = rng.normal(size=(12, 3)), rng.normal(size=(12, 4, 5))
    fitted = [
        smoothie.fit(prompts, answers),
        smoothie.fit(prompts, answers, k=3),
        consensus.fit(prompts, answers, regions=2),
        cluster_router.fit(prompts, rng.random((12, 4)), regions=2),
    ]
    for router in fitted:
        assert router.weights(prompts[:5]).shape == (5, 4)
        assert set(choose(router.weights(prompts[:5]))) <= set(range(4))


def test_the_best_single_model_is_the_first_of_the_best_known_means():
    nan = np.nan
    assert best_single(np.array([[0.5, 0.9, nan], [0.7, 0.3, nan]])) == 0
    assert best_single(np.array([[nan, 0.2], [nan, 0.1]])) == 1


def test_blend_lets_a_strong_prior_overrule_and_an_unknown_one_stay_silent():
    even = np.full((1, 3), 1 / 3)
    assert blend(even, [[1.0, 2.0, 9.0]])[0].argmax() == 2
    nan = np.nan
    given = np.array([[0.2, 0.5, 0.3]])
    assert blend(given, np.full((2, 3), nan)) == pytest.approx(blend(given, np.empty((0, 3))))
    one_known = blend(even, [[nan, 5.0, nan]])
    assert one_known == pytest.approx(even)
    silent = blend([[0.5, 0.5, 0.0]], [[0.0, 0.0, 9.0]])
    assert silent == pytest.approx(np.array([[0.5, 0.5, 0.0]]))


def test_a_prior_counts_as_much_as_its_share():
    given = np.array([[0.6, 0.3, 0.1]])
    against = [[0.0, 1.0, 2.0]]
    assert blend(given, against, [0.0])[0].argmax() == 0
    assert blend(given, against, [9.0])[0].argmax() == 2
    with pytest.raises(ValueError, match="shares"):
        blend(given, against, [1.0, 1.0])
