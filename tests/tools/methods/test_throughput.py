"""Corrections of time estimates: closed forms, brute force, and intervals that hold."""

import math

import numpy as np
import pytest
from scipy import stats

from tools.methods import throughput
from tools.methods.throughput import Timing, Work, accuracy, correction, spread

ARM = Work("hf", "a", "medmcqa")
SAME = throughput.BACKEND + throughput.ARM + throughput.BENCHMARK + throughput.BOTH
APART = throughput.RUN + throughput.REST


def timings(*ratios, work=ARM):
    return [Timing(work, f"run {i}", 2.0, 2.0 * ratio) for i, ratio in enumerate(ratios)]


def median(history, work, prior=0.4):
    return math.log(correction(history, work, prior).factor)


def test_the_shares_make_one_variance():
    total = SAME + APART
    assert total == pytest.approx(1.0)


def test_no_earlier_work_of_the_back_end_is_no_correction():
    assert correction([], ARM, 0.4) is None
    assert correction(timings(3.0, work=Work("served", "a", "medmcqa")), ARM, 0.4) is None


@pytest.mark.parametrize("n", [1, 2, 7])
def test_the_same_work_in_n_runs_is_the_normal_normal_mean(n):
    ratios = np.linspace(1.5, 3.0, n)
    shrunk = n * SAME / (n * SAME + APART)
    expected = shrunk * np.log(ratios).mean()
    assert median(timings(*ratios), ARM) == pytest.approx(expected)


def test_one_ratio_by_hand():
    found = correction(timings(2.0), ARM, 0.4)
    surprise = math.log(2.0) ** 2 / 0.4**2
    freedom = throughput.FREEDOM
    size = 0.4**2 * (freedom + surprise) / (freedom + 1) * (1 - SAME**2)
    half = stats.t(freedom + 1).ppf(0.95) * math.sqrt(size)
    assert math.log(found.factor) == pytest.approx(SAME * math.log(2.0))
    assert math.log(found.low) == pytest.approx(SAME * math.log(2.0) - half)
    assert math.log(found.high) == pytest.approx(SAME * math.log(2.0) + half)


def test_the_nearer_the_work_the_more_it_counts():
    seen = timings(2.0)
    kin = [ARM, Work("hf", "a", "boolq"), Work("hf", "b", "medmcqa"), Work("hf", "b", "boolq")]
    shares = [median(seen, work) / math.log(2.0) for work in kin]
    assert shares == sorted(shares, reverse=True)
    assert shares[1] == pytest.approx(throughput.BACKEND + throughput.ARM)
    assert shares[3] == pytest.approx(throughput.BACKEND)


def test_two_benchmarks_of_one_run_say_less_than_those_of_two_runs():
    works = [ARM, Work("hf", "a", "boolq")]
    together = [Timing(work, "run", 1.0, 2.0) for work in works]
    apart = [Timing(work, work.benchmark, 1.0, 2.0) for work in works]
    assert 0 < median(together, ARM) < median(apart, ARM)


def test_it_is_the_conditional_mean_of_the_effects_drawn_one_by_one():
    rng = np.random.default_rng(0)
    seen = [Work("hf", "a", "x"), Work("hf", "b", "x"), Work("hf", "b", "y")]
    new = Work("hf", "a", "y")
    draws = 200_000
    effects = {}

    def effect(share, *names):
        if names not in effects:
            effects[names] = math.sqrt(share) * rng.standard_normal(draws)
        return effects[names]

    def ratio(work, run):
        return (
            effect(throughput.BACKEND, "backend")
            + effect(throughput.ARM, "arm", work.arm)
            + effect(throughput.BENCHMARK, "benchmark", work.benchmark)
            + effect(throughput.BOTH, "both", work.arm, work.benchmark)
            + effect(throughput.RUN, "run", run)
            + effect(throughput.REST, "rest", run, work.arm, work.benchmark)
        )

    runs = ["1", "1", "2"]
    columns = np.column_stack([ratio(work, run) for work, run in zip(seen, runs, strict=True)])
    slopes = np.linalg.lstsq(columns, ratio(new, "3"), rcond=None)[0]
    for i, slope in enumerate(slopes):
        history = [
            Timing(work, run, 1.0, math.e if j == i else 1.0)
            for j, (work, run) in enumerate(zip(seen, runs, strict=True))
        ]
        assert median(history, new) == pytest.approx(slope, abs=0.01)


def test_nine_intervals_in_ten_hold_when_the_prior_does():
    rng = np.random.default_rng(1)
    works = [Work("hf", arm, task) for arm in "ab" for task in "xy"]
    held, prior = [], 0.5
    for _ in range(1500):
        drawn = {}

        def effect(share, *names, drawn=drawn):
            return drawn.setdefault(names, prior * math.sqrt(share) * rng.standard_normal())

        def timing(work, run, effect=effect):
            log = (
                effect(throughput.BACKEND)
                + effect(throughput.ARM, work.arm)
                + effect(throughput.BENCHMARK, "on", work.benchmark)
                + effect(throughput.BOTH, work.arm, work.benchmark)
                + effect(throughput.RUN, "in", run, "all")
                + effect(throughput.REST, run, work.arm, work.benchmark, "rest")
            )
            return Timing(work, run, 1.0, math.exp(log))

        history = [timing(work, run) for run in "12" for work in works[:3]]
        found = correction(history, works[3], prior)
        held.append(found.low <= timing(works[3], "3").actual <= found.high)
    assert np.mean(held) == pytest.approx(0.90, abs=0.03)


def test_surprises_widen_the_interval_and_hits_narrow_it():
    def width(*ratios):
        found = correction(timings(*ratios), ARM, 0.4)
        return math.log(found.high / found.low)

    assert width(1.0) < 2 * 1.645 * 0.4 < width(0.2, 5.0)
    assert width(1.0, 1.0, 1.0) < width(1.0)


def test_only_the_latest_count_when_there_are_many():
    old, new = timings(*[10.0] * 5), timings(*[1.0] * throughput.MOST)
    assert median(old + new, ARM) == pytest.approx(0.0, abs=1e-9)


def test_spread_is_that_of_a_normal_with_this_range():
    z = stats.norm.ppf(0.95)
    assert spread(math.exp(-0.3 * z), math.exp(0.3 * z)) == pytest.approx(0.3)
    assert spread(2.0, 2.0) == 0.0
    for low, high in ((0.0, 1.0), (2.0, 1.0), (1.0, math.inf), (math.nan, 1.0)):
        with pytest.raises(ValueError, match="range"):
            spread(low, high)


@pytest.mark.parametrize(("estimate", "actual"), [(0, 1), (1, 0), (1, math.inf), (math.nan, 1)])
def test_no_ratio_of_nothing(estimate, actual):
    with pytest.raises(ValueError, match="no ratio"):
        correction([Timing(ARM, "r", estimate, actual)], ARM, 0.4)


def test_accuracy_by_hand():
    found = accuracy([1.0, 3.0, 8.0], [0.5, 1.0, 7.0], [2.0, 3.0, 9.0], [2.0, 4.0, 8.0])
    assert found == (0.25, 2 / 3, 3)
    assert accuracy([], [], [], []) is None
    with pytest.raises(ValueError, match="positive"):
        accuracy([1.0], [0.0], [2.0], [0.0])
