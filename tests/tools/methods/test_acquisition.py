"""Acquisition: against closed forms, brute force over draws, and everything bad that comes in."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy.stats import norm

from tools.methods.acquisition import adapt, herd_cells, next_cells
from tools.methods.belief import Belief, of_intervals
from tools.methods.choice import Choice

Z90 = norm.ppf(0.95)


def two(ahead: float, sd: float, **kwargs) -> Choice:
    """Model 0 known at 50 + ``ahead``, model 1 normal around 50, one benchmark."""
    belief = Belief(np.array([[50.0 + ahead], [50.0]]), np.diag([0.0, sd**2]))
    return Choice.of(belief, [1.0], **kwargs)


def pool(m=12, b=5, seed=0, known_share=0.3) -> tuple[Choice, np.ndarray]:
    """A choice among ``m`` models and a truth drawn from what is believed."""
    rng = np.random.default_rng(seed)
    mean, known = rng.uniform(40, 60, (m, b)), rng.random((m, b)) < known_share
    belief = of_intervals(mean, mean - 15, mean + 15, known)
    truth = rng.multivariate_normal(mean.ravel(), belief.covariance).reshape(m, b)
    return Choice.of(belief, rng.dirichlet(np.ones(b))), truth


@pytest.mark.parametrize(("ahead", "sd"), [(2.0, 5.0), (0.5, 0.3), (10.0, 4.0)])
def test_two_models_one_benchmark_is_the_closed_form(ahead, sd):
    choice = two(ahead, sd)
    advice = next_cells(choice, np.ones((2, 1)), 1, stop=0)
    x = ahead / sd
    (bought,) = advice.purchases
    assert bought.cell == (1, 0)
    assert bought.chance == pytest.approx(norm.sf(x), abs=1e-12)
    assert bought.gain == pytest.approx(sd * (norm.pdf(x) - x * norm.sf(x)), abs=1e-12)
    assert bought.per_dollar == pytest.approx(bought.gain)
    assert advice.chance == pytest.approx(norm.sf(x), abs=0.03)
    assert choice.best_probability()[1] == pytest.approx(norm.sf(x), abs=0.03)


def test_tolerance_asks_for_more_than_a_tie():
    choice = two(2.0, 5.0, tolerance=1.0)
    assert choice.alone(1)[0] == pytest.approx(norm.sf(3 / 5), abs=1e-12)
    assert choice.chance_of_change([(1, 0)]) == pytest.approx(norm.sf(3 / 5), abs=0.03)


def test_a_noisy_measurement_changes_less():
    choice = two(2.0, 5.0, noise=25.0)
    moved = 25 / np.sqrt(50)
    assert choice.alone(1)[0] == pytest.approx(norm.sf(2 / moved), abs=1e-12)
    assert choice.chance_of_change([(1, 0)]) == pytest.approx(norm.sf(2 / moved), abs=0.03)


def test_one_cell_agrees_with_brute_force():
    choice, _ = pool()
    z = np.random.default_rng(1).standard_normal(200_000)
    for place in np.flatnonzero(np.diag(choice.belief.covariance) > 0)[::7]:
        lines = choice.value[:, None] + choice.slopes(np.array([place])) * z
        chance, gain = choice.alone(int(place))
        assert chance == pytest.approx(np.mean(lines.argmax(0) != choice.best), abs=0.005)
        assert gain == pytest.approx(lines.max(0).mean() - choice.value.max(), abs=0.02)


def test_a_set_of_cells_agrees_with_measuring_draws_of_them():
    choice, _ = pool(m=4, b=3)
    cells = [(i, j) for i, j in np.argwhere(choice.belief.variance > 0)][:5]
    drawn = np.random.default_rng(2).multivariate_normal(
        choice.belief.mean.ravel(), choice.belief.covariance, 2_000
    )
    changed = [
        choice.learn(cells, [d.reshape(4, 3)[c] for c in cells]).best != choice.best for d in drawn
    ]
    assert choice.chance_of_change(cells) == pytest.approx(np.mean(changed), abs=0.03)
    assert choice.best_probability().sum() == pytest.approx(1)


def test_budget_is_kept_and_free_cells_come_first():
    choice, _ = pool()
    prices = np.random.default_rng(3).uniform(0.5, 3, choice.belief.mean.shape)
    free = tuple(np.argwhere(choice.belief.variance > 0)[0])
    prices[free] = 0.0
    advice = next_cells(choice, prices, 5.0, stop=0.01)
    assert sum(p.price for p in advice.purchases) <= 5.0
    assert len(advice.cells) == len(set(advice.cells)) > 1
    assert advice.cells[0] == free
    assert all(choice.belief.variance[cell] > 0 for cell in advice.cells)
    nothing = next_cells(choice, prices + 0.1, 0.05)
    assert not nothing.purchases
    assert nothing.stopped == "no missing cell is affordable"


def test_what_is_not_for_sale_is_not_bought():
    choice, _ = pool()
    prices = np.full(choice.belief.mean.shape, np.inf)
    prices[:, 0] = 1.0
    advice = next_cells(choice, prices, np.inf, stop=0)
    assert {j for _, j in advice.cells} == {0}


def test_cheaper_of_two_equal_cells_is_bought():
    belief = Belief(np.array([[50.0], [50.0]]), np.diag([9.0, 9.0]))
    advice = next_cells(Choice.of(belief, [1]), [[2.0], [1.0]], 3, limit=1)
    assert advice.cells == [(1, 0)]
    assert advice.stopped == "the limit is reached"


def test_stops_when_nothing_can_change():
    advice = next_cells(two(50.0, 5.0), np.ones((2, 1)), 10)
    assert not advice.purchases
    assert advice.doubt == 0
    assert "p = 0.00 < 0.05" in advice.stopped
    known = Choice.of(Belief(np.array([[1.0], [2.0]]), np.zeros((2, 2))), [1])
    assert next_cells(known, np.ones((2, 1)), 10, stop=0).stopped == "every cell is known"
    assert next_cells(two(2.0, 5.0), np.ones((2, 1)), 10, stop=0.5).purchases == ()


def test_a_cell_of_no_weight_and_no_relation_is_not_bought():
    belief = Belief(np.array([[51.0, 0.0], [50.0, 0.0]]), np.diag([0.0, 99.0, 0.0, 99.0]))
    advice = next_cells(Choice.of(belief, [1, 0]), np.ones((2, 2)), 10, stop=0)
    assert advice.purchases == ()
    assert advice.stopped == "no affordable cell tells anything of the choice"


def test_equal_and_identical_models_keep_the_first():
    belief = Belief(np.full((3, 1), 50.0), np.ones((3, 3)))
    choice = Choice.of(belief, [1])
    assert choice.best == 0
    assert choice.alone(2) == (0.0, pytest.approx(0.0))
    assert choice.chance_of_change([(0, 0), (1, 0), (2, 0)]) == 0
    assert next_cells(choice, np.ones((3, 1)), 3).purchases == ()


def test_offsets_can_decide():
    choice = two(2.0, 5.0, offsets=[0.0, 60.0])
    assert choice.best == 1
    assert choice.alone(1)[0] < 1e-12


def test_adapting_finds_the_best_for_less_than_everything():
    shares = []
    for seed in range(8):
        choice, truth = pool(seed=seed)
        missing = int((choice.belief.variance > 0).sum())
        steps = list(
            adapt(choice, np.ones(truth.shape), np.inf, lambda c, t=truth: t[c], stop=0.01)
        )
        after = steps[-1][1] if steps else choice
        known = choice.belief.variance == 0
        value = np.where(known, choice.belief.mean, truth) @ choice.weights
        assert value.max() - value[after.best] < 1.0
        shares.append(len(steps) / missing)
    assert np.mean(shares) < 0.5


def test_a_measurement_that_failed_is_not_tried_again():
    choice, _ = pool(m=3, b=2, known_share=0.0)
    steps = list(adapt(choice, np.ones((3, 2)), np.inf, lambda _: float("nan"), stop=0))
    cells = [advice.cells[0] for advice, _ in steps]
    assert len(cells) == len(set(cells)) == 6
    assert steps[-1][1].value == pytest.approx(choice.value)


def test_adapt_tells_the_doubt_before_each_purchase():
    choice, truth = pool()
    now = choice
    for advice, after in adapt(choice, np.ones(truth.shape), 3, lambda c: truth[c], stop=0):
        missing = np.argwhere(now.belief.variance > 0).tolist()
        assert advice.doubt == now.chance_of_change(missing)
        assert advice.doubt >= advice.chance - 0.03
        now = after


def test_a_noisy_cell_is_listed_once():
    choice = two(0.5, 5.0, noise=25.0)
    assert next_cells(choice, np.ones((2, 1)), 9, stop=0).cells == [(1, 0)]


def test_budget_of_adapt_is_kept():
    choice, truth = pool()
    steps = list(adapt(choice, np.full(truth.shape, 0.7), 2.0, lambda c: truth[c], stop=0))
    assert len(steps) == 2


def test_herd_buys_whole_models_in_order_of_s():
    belief = Belief(np.array([[5.0, 5.0], [9.0, 9.0], [7.0, 7.0]]), np.diag([1.0, 1, 0, 1, 1, 1]))
    choice = Choice.of(belief, [0.3, 0.7])
    assert herd_cells(choice, np.ones((3, 2)), 9, shortlist=2) == [(1, 1), (2, 1), (2, 0)]
    assert herd_cells(choice, np.ones((3, 2)), 2, shortlist=3) == [(1, 1), (2, 1)]


def test_same_seed_same_advice():
    choice, _ = pool()
    prices = np.ones(choice.belief.mean.shape)
    assert next_cells(choice, prices, 8, seed=3) == next_cells(choice, prices, 8, seed=3)


def test_forty_models_ten_benchmarks_take_little_time():
    choice, _ = pool(40, 10)
    began = time.perf_counter()
    next_cells(choice, np.ones((40, 10)), np.inf, limit=1)
    assert time.perf_counter() - began < 2.0


@pytest.mark.parametrize(
    ("weights", "more", "message"),
    [
        ([1.0, 1.0], {}, "weights have shape"),
        ([-1.0], {}, "negative or not finite"),
        ([np.nan], {}, "negative or not finite"),
        ([0.0], {}, "every weight is 0"),
        ([1.0], {"offsets": [1.0]}, "offsets have shape"),
        ([1.0], {"offsets": [1.0, np.inf]}, "offset is not finite"),
        ([1.0], {"tolerance": -1.0}, "must not be negative"),
        ([1.0], {"noise": np.nan}, "must not be negative"),
    ],
)
def test_bad_choices_are_refused(weights, more, message):
    with pytest.raises(ValueError, match=message):
        Choice.of(two(1, 1).belief, weights, **more)


@pytest.mark.parametrize(
    ("prices", "budget", "message"),
    [
        (np.ones((1, 2)), 1.0, "prices have shape"),
        ([[1.0], [-1.0]], 1.0, "negative or NaN"),
        ([[1.0], [np.nan]], 1.0, "negative or NaN"),
        ([[1.0], [1.0]], -1.0, "budget is a number"),
        ([[1.0], [1.0]], np.nan, "budget is a number"),
    ],
)
def test_bad_prices_and_budgets_are_refused(prices, budget, message):
    with pytest.raises(ValueError, match=message):
        next_cells(two(1, 1), prices, budget)


def test_a_cell_outside_is_refused():
    with pytest.raises(ValueError, match="outside the 2 x 1"):
        two(1, 1).chance_of_change([(2, 0)])
