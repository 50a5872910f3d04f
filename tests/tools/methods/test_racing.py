"""Racing: the guarantee by simulation, resuming, missing items, prices, and every way to end."""

import math
import random

import numpy as np
import pytest

from tools.methods.racing import Race
from tools.methods.replay import replay

NAN = math.nan


def right(rates, n=400, seed=0):
    """(n, k) right or wrong, arm by arm with that rate exactly, in random order."""
    rng = np.random.default_rng(seed)
    return np.stack([rng.permutation(np.arange(n) < rate * n) for rate in rates], axis=1) * 1.0


def play(race, scores, stop=math.inf):
    """Run ``race`` over arms "a0", "a1", .. and items "i0", ..; what was told, in order."""
    told = []
    while len(told) < stop and (batch := race.next()):
        for arm, items in batch.items():
            for item in items:
                score = scores[int(item[1:]), int(arm[1:])]
                told.append((arm, item, None if math.isnan(score) else float(score)))
                race.tell(*told[-1])
                if len(told) >= stop:
                    return told
    return told


def names(scores):
    n, k = scores.shape
    return [f"a{j}" for j in range(k)], [f"i{i}" for i in range(n)]


# ---- what it finds


def test_the_best_of_many_is_settled_with_a_fraction_of_the_looks():
    found = replay(right([0.2, 0.3, 0.35, 0.4, 0.45, 0.9]))
    assert (found.arm, found.standing.verdict, found.standing.ended) == (5, "settled", "certain")
    assert found.asked.mean() < 0.1
    assert found.standing.contenders == ()


def test_certain_is_wrong_no_oftener_than_delta():
    wrong = eliminated = 0
    for seed in range(80):
        scores = right([0.5, 0.52, 0.54, 0.58], n=150, seed=seed)
        arms, items = names(scores)
        race = Race(arms, items, delta=0.1, tolerance=0.0, growth=1.5, seed=seed)
        play(race, scores)
        assert race.standing().ended == "certain"
        wrong += race.standing().leader != "a3"
        eliminated += "a3" in race.standing().eliminated
    assert wrong <= 8
    assert eliminated <= 8


def test_without_tolerance_two_close_arms_are_told_apart_by_all_items():
    found = replay(right([0.50, 0.52], n=200), tolerance=0.0)
    assert found.arm == 1
    assert found.asked.all()
    assert found.standing.verdict == "settled"


def test_equal_arms_are_too_close_to_call():
    scores = np.repeat(right([0.5], n=300), 5, axis=1)
    found = replay(scores)
    assert found.standing.verdict == "too close to call"
    named = found.standing.contenders + found.standing.level
    assert sorted([*named, str(found.arm)]) == list("01234")
    assert found.standing.regret <= 0.001


def test_two_arms_level_above_the_rest_are_too_close_to_call():
    scores = right([0.2, 0.3, 0.8], n=300)
    found = replay(np.column_stack([scores, scores[:, 2]]), tolerance=0.0)
    assert found.standing.ended == "certain"
    assert found.standing.verdict == "too close to call"
    assert {str(found.arm), *found.standing.level} == {"2", "3"}
    assert set(found.standing.eliminated) == {"0", "1"}


def test_equal_arms_without_indifference_use_every_item():
    found = replay(np.full((20, 3), 0.5), margin=0.0, tolerance=0.0)
    assert found.asked.all()
    assert found.standing.ended == "no items left"
    assert found.standing.verdict == "too close to call"
    assert (found.arm, found.standing.contenders) == (0, ("1", "2"))


def test_arms_left_aside_are_named_with_what_they_may_cost():
    scores = right([0.5, 0.5], n=2000)
    found = replay(scores, tolerance=0.01, patience=0.0)
    assert found.standing.ended == "not worth it"
    assert found.standing.verdict == "too close to call"
    assert len(found.standing.contenders) == 1
    assert 0 < found.standing.regret <= 0.01
    assert not found.asked.all()


def test_the_sequence_of_a_pair_holds_the_difference():
    scores = right([0.4, 0.6])
    arms, items = names(scores)
    race = Race(arms, items)
    nothing = race.difference("a1", "a0")
    assert (nothing.low, nothing.high, nothing.n) == (-1, 1, 0)
    assert math.isnan(nothing.mean)
    play(race, scores)
    found = race.difference("a1", "a0")
    assert found.n == min(race.standing().asked.values())
    assert found.low <= 0.2 <= found.high
    turned = race.difference("a0", "a1")
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low))


# ---- resuming


def state(race):
    return race.standing(), race.next()


@pytest.mark.parametrize("stop", [1, 17, 60, 200])
def test_told_again_in_any_order_it_goes_on_where_it_was(stop):
    scores = right([0.4, 0.5, 0.55, 0.6, 0.62])
    scores[::7, 2] = NAN
    arms, items = names(scores)
    race = Race(arms, items, seed=4)
    told = play(race, scores, stop)
    again = Race(arms, items, seed=4)
    random.Random(stop).shuffle(told)
    for result in told:
        again.tell(*result)
    assert state(again) == state(race)
    assert play(again, scores) == play(race, scores)
    assert again.standing() == race.standing()


@pytest.mark.parametrize("seed", range(40))
def test_any_race_ends_within_its_budget_and_is_the_same_told_backwards(seed):
    rng = np.random.default_rng(seed)
    k, n = int(rng.integers(1, 7)), int(rng.integers(0, 60))
    scores = np.where(rng.random((n, k)) < rng.choice([0, 0.2, 0.9]), NAN, rng.random((n, k)))
    given = {
        "prices": rng.choice([0, 0.1, 1, 30], size=k).tolist(),
        "costs": rng.choice([0, 1, 5], size=k).tolist(),
        "cost_weight": rng.choice([0, 0.05, 0.5]),
        "margin": rng.choice([0, 0.01, 0.2, 1]),
        "tolerance": rng.choice([0, 0.001, 0.1]),
        "patience": rng.choice([0, 0.25, math.inf]),
        "budget": rng.choice([0, 3.3, 50, math.inf]),
        "population": rng.choice([n, n + 10, math.inf]),
        "growth": rng.choice([1.01, 1.15, 3]),
        "seed": seed,
    }
    arms, items = names(scores)
    race, again = Race(arms, items, **given), Race(arms, items, **given)
    told = play(race, scores)
    end = race.standing()
    assert end.verdict != "racing"
    assert end.ended
    assert end.spent <= given["budget"] + 1e-6
    assert len({(arm, item) for arm, item, _ in told}) == len(told)
    for result in reversed(told):
        again.tell(*result)
    assert state(again) == (end, {})


def test_results_nobody_asked_for_wait_until_they_are():
    scores = right([0.2, 0.5, 0.9], n=100)
    arms, items = names(scores)
    asked, kept = Race(arms, items), Race(arms, items)
    play(asked, scores)
    for j, arm in enumerate(arms):
        for i, item in enumerate(items):
            kept.tell(arm, item, float(scores[i, j]))
    assert kept.next() == {}
    assert kept.standing().leader == asked.standing().leader
    assert kept.standing().ended == asked.standing().ended


def test_one_seed_is_one_race():
    scores = right([0.4, 0.5, 0.6])
    assert np.array_equal(replay(scores, seed=1).asked, replay(scores, seed=1).asked)
    assert not np.array_equal(replay(scores, seed=1).asked, replay(scores, seed=2).asked)


def test_told_twice_is_told_once_and_a_contradiction_is_refused():
    race = Race(["a", "b"], ["x", "y"])
    race.tell("a", "x", 1.0)
    race.tell("a", "x", 1.0)
    race.tell("b", "x", None)
    race.tell("b", "x", None)
    assert race.standing().asked == {"a": 1, "b": 1}
    with pytest.raises(ValueError, match=r"told 1\.0 before"):
        race.tell("a", "x", 0.0)
    with pytest.raises(ValueError, match="told nan before"):
        race.tell("b", "x", 0.0)


# ---- missing answers


def test_a_missing_answer_is_left_out_of_the_pair():
    scores = right([0.6, 0.8], n=500)
    holes = scores.copy()
    holes[np.random.default_rng(1).random(500) < 0.5, 1] = NAN
    found = replay(holes, tolerance=0.0)
    assert found.arm == 1
    assert found.standing.verdict == "settled"


def test_an_arm_that_never_answers_neither_leads_nor_is_ruled_out():
    scores = right([0.6, 0.3, 0.5], n=60)
    scores[:, 2] = NAN
    found = replay(scores)
    assert found.arm == 0
    assert found.standing.verdict == "too close to call"
    assert found.standing.contenders == ("2",)
    assert found.standing.regret == math.inf
    assert found.standing.ended == "no items left"


def test_no_answer_at_all_is_no_leader():
    found = replay(np.full((10, 3), NAN))
    assert found.arm is None
    assert found.standing.verdict == "too close to call"


def test_a_withdrawn_arm_takes_what_it_won_with_it():
    scores = right([0.3, 0.32, 0.95])
    arms, items = names(scores)
    race = Race(arms, items)
    play(race, scores)
    assert set(race.standing().eliminated) == {"a0", "a1"}
    race.withdraw("a2")
    assert race.standing().verdict == "racing"
    assert set(race.next()) <= {"a0", "a1"}
    play(race, scores)
    assert race.standing().leader in {"a0", "a1"}
    race.withdraw("a0")
    race.withdraw("a1")
    assert race.next() == {}
    assert race.standing().leader is None


# ---- money


def test_no_budget_measures_nothing():
    found = replay(right([0.2, 0.9]), budget=0.0)
    assert found.arm is None
    assert (found.standing.ended, found.standing.verdict) == ("budget", "too close to call")
    assert not found.asked.any()


@pytest.mark.parametrize("budget", [0.05, 1.0, 7.3, 40.0])
def test_no_more_than_the_budget_is_spent(budget):
    scores = right([0.5, 0.52, 0.54])
    prices = [0.1, 0.2, 0.3]
    found = replay(scores, prices=prices, budget=budget, tolerance=0.0)
    spent = float((found.asked * prices).sum())
    assert found.standing.ended == "budget"
    assert found.standing.spent == pytest.approx(spent)
    assert budget - 0.6 < spent <= budget + 1e-9


def test_free_arms_cost_nothing_whatever_the_budget():
    found = replay(right([0.2, 0.9]), prices=[0.0, 0.0], budget=0.0)
    assert (found.arm, found.standing.verdict, found.standing.spent) == (1, "settled", 0.0)


def test_an_expensive_arm_is_left_aside_sooner():
    scores = right([0.6, 0.55, 0.55], n=2000, seed=2)
    looks = replay(scores, prices=[1.0, 1.0, 30.0], patience=0.1, tolerance=0.01).asked.sum(axis=0)
    dear = replay(scores, prices=[1.0, 30.0, 1.0], patience=0.1, tolerance=0.01).asked.sum(axis=0)
    assert looks[2] < looks[1]
    assert dear[1] < dear[2]


def test_cost_of_use_counts_against_the_score():
    scores = right([0.6, 0.7])
    arms, items = names(scores)
    race = Race(arms, items, costs=[0.0, 5.0], cost_weight=0.06)
    play(race, scores)
    assert race.standing().leader == "a0"
    free = Race(arms, items)
    play(free, scores)
    assert free.standing().leader == "a1"


def test_an_arm_too_costly_to_ever_win_is_out_once_another_leads():
    scores = right([0.5, 1.0], n=100)
    arms, items = names(scores)
    race = Race(arms, items, costs=[0.0, 20.0], cost_weight=0.1, tolerance=0.0)
    told = play(race, scores)
    assert race.standing().leader == "a0"
    assert race.standing().verdict == "settled"
    assert len(told) == 16


# ---- edges


def test_one_arm_has_won_unmeasured():
    found = replay(right([0.5]))
    assert (found.arm, found.standing.verdict) == (0, "settled")
    assert not found.asked.any()


def test_no_items_leave_everything_open():
    found = replay(np.zeros((0, 2)))
    assert (found.arm, found.standing.ended) == (None, "no items left")


def test_a_verdict_about_more_than_these_items_needs_more_of_them():
    scores = right([0.5, 0.6], n=300)
    arms, items = names(scores)
    looks = []
    for population in (None, math.inf):
        race = Race(arms, items, population=population, tolerance=0.0)
        looks.append(len(play(race, scores)))
    assert looks[0] <= looks[1]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"arms": []}, "needs an arm"),
        ({"arms": ["a", "a"]}, "two arms"),
        ({"items": ["x", "x"]}, "two items"),
        ({"prices": [1.0]}, "prices have shape"),
        ({"prices": [1.0, NAN]}, "prices must be finite"),
        ({"prices": [1.0, math.inf]}, "prices must be finite"),
        ({"costs": [1.0, -1.0]}, "costs must be finite"),
        ({"cost_weight": math.inf}, "cost_weight"),
        ({"delta": 0.0}, "delta"),
        ({"delta": NAN}, "delta"),
        ({"margin": -0.1}, "margin"),
        ({"tolerance": NAN}, "tolerance"),
        ({"patience": -1.0}, "patience"),
        ({"budget": NAN}, "budget"),
        ({"population": 1}, "population of 1"),
        ({"growth": 1.0}, "growth"),
        ({"first": 0}, "first"),
    ],
)
def test_what_a_race_refuses(given, message):
    with pytest.raises(ValueError, match=message):
        Race(**({"arms": ["a", "b"], "items": ["x", "y"]} | given))


def test_what_it_is_not_told():
    race = Race(["a", "b"], ["x"])
    for arm, item, score, message in (
        ("c", "x", 1.0, "no arm is called 'c'"),
        ("a", "z", 1.0, "no item is called 'z'"),
        ("a", "x", 1.5, r"lies in \[0, 1\]"),
        ("a", "x", NAN, r"lies in \[0, 1\]"),
        ("a", "x", -math.inf, r"lies in \[0, 1\]"),
    ):
        with pytest.raises(ValueError, match=message):
            race.tell(arm, item, score)
    with pytest.raises(ValueError, match="no arm"):
        race.withdraw("c")
    with pytest.raises(ValueError, match="no arm"):
        race.difference("a", "c")
    with pytest.raises(ValueError, match="shape"):
        replay([1.0, 0.0])
