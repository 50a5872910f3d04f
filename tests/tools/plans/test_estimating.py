"""Estimates of time: the back end's pace until the ledger knows better."""

import sqlite3
from dataclasses import replace

import pytest
import world

from memory.ledger import Ledger
from memory.records import CONSTANT, Arm, BenchmarkChoice, Plan
from tools import herd_runner
from tools.clients.fakes import FixedClock, ScriptedRunner
from tools.methods import throughput
from tools.plans import local_plan
from tools.plans.already_measured import AlreadyMeasured
from tools.plans.estimating import EDITION, NEVER, Estimator, in_words, timing, track_record

ARM = Arm(name="good", model=world.GOOD, backend="scripted", weights="script")
OTHER = Arm(name="poor", model=world.POOR, backend="scripted", weights="script")
NULL = Arm(name=CONSTANT, model=CONSTANT, backend="constant")


class Slow(ScriptedRunner):
    """Says a second an item and takes three."""

    def seconds(self, arm, benchmark, items):
        return ScriptedRunner({}).seconds(arm, benchmark, items)


@pytest.fixture
def deps(tmp_path):
    made = replace(
        world.deps(tmp_path), runner=Slow({world.GOOD: 1.0, world.POOR: 0.0}, seconds_per_item=3.0)
    )
    yield made
    made.ledger.close()


def measured(deps, run="r", arms=(ARM,), tasks=("pubmedqa",), items=8):
    """A whole run, metered, and its plan."""
    choices = tuple(BenchmarkChoice(task=task, weight=1.0, reason="") for task in tasks)
    design = local_plan.Design(tuple(arms), choices, items)
    seed = len(deps.ledger.took())  # other items each time: kept ones are not measured again
    steps = local_plan.steps(Estimator.of(deps), AlreadyMeasured(deps, seed), design, NULL, deps)
    plan = Plan(thread="t", run=run, steps=steps, seed=seed, cap_usd=9.0)
    approval = world.approval(plan)
    deps.ledger.record_approval(approval)
    herd_runner.run(plan, approval, deps)
    return plan


def test_without_history_the_pace_of_the_back_end_stands(deps):
    estimator = Estimator.of(deps)
    assert estimator.seconds(ARM, "pubmedqa", 8, loaded=False) == (4.0, 10.0, 18.0)
    assert estimator.seconds(ARM, "pubmedqa", 8, loaded=True) == (4.0, 8.0, 16.0)
    assert estimator.basis(ARM, "pubmedqa") == NEVER
    assert not deps.ledger.path.exists()  # looking makes no file


def test_the_ledger_keeps_what_was_expected_beside_what_it_took(deps):
    measured(deps)
    loading, item = sorted(deps.ledger.took(), key=lambda one: one.forecast.benchmark or "")
    assert (item.n, item.seconds) == (8, 3.0)
    assert item.forecast.arm == ARM
    raw = (item.forecast.raw_low, item.forecast.raw, item.forecast.raw_high)
    assert raw == (0.5, 1.0, 2.0) == (item.forecast.low, item.forecast.seconds, item.forecast.high)
    assert loading.forecast.benchmark is None
    assert (loading.n, loading.forecast.raw) == (1, 2.0)
    assert 0 < loading.seconds < 1
    assert CONSTANT not in {one.forecast.arm.model for one in deps.ledger.took()}


def test_the_next_plan_learns_from_it(deps):
    first = measured(deps)
    second = measured(deps, "r2")
    assert first.steps[0].basis == NEVER
    assert second.steps[0].basis == "from 8 earlier items"
    shrunk = 1 - throughput.RUN - throughput.REST
    item = Estimator(deps.runner, [one for one in deps.ledger.took() if one.forecast.run == "r"])
    found = item.seconds(ARM, "pubmedqa", 100, loaded=True)
    assert found.expected == pytest.approx(100 * 3.0**shrunk)
    assert found.low < 300 < found.high
    # The step promises exactly that, and loading, which was quicker than its worst case, with it.
    bought = 8 - second.steps[0].reused
    whole = item.seconds(ARM, "pubmedqa", bought, loaded=False)
    assert second.steps[0].minutes == pytest.approx(whole.expected / 60)
    assert second.steps[0].minutes_low == pytest.approx(whole.low / 60)
    assert second.steps[0].usd_high == pytest.approx(whole.high * 0.001)
    assert whole.expected - found.expected * 0.08 < 2.0
    assert second.steps[-1].basis == ""  # the constant answer is free


def test_kin_teach_less_and_say_so(deps):
    measured(deps)
    estimator = Estimator.of(deps)
    factors = [
        estimator.seconds(arm, task, 1, loaded=True).expected
        for arm, task in ((ARM, "pubmedqa"), (ARM, "medmcqa"), (OTHER, "medmcqa"))
    ]
    assert 3 > factors[0] > factors[1] > factors[2] > 1
    assert estimator.basis(ARM, "medmcqa") == "from 8 earlier items of this arm"
    assert estimator.basis(OTHER, "medmcqa") == "from 8 earlier items through scripted"
    elsewhere = OTHER.model_copy(update={"backend": "served"})
    assert estimator.basis(elsewhere, "medmcqa") == NEVER
    assert estimator.seconds(elsewhere, "medmcqa", 1, loaded=True).expected == 1.0


def test_the_same_arm_with_another_remark_is_the_same(deps):
    measured(deps)
    noted = ARM.model_copy(update={"note": "not shortlisted"})
    assert Estimator.of(deps).basis(noted, "pubmedqa") == "from 8 earlier items"


def test_ratios_to_another_edition_of_the_pace_correct_nothing(deps):
    measured(deps)
    old = [
        one._replace(forecast=one.forecast.model_copy(update={"edition": EDITION - 1}))
        for one in deps.ledger.took()
    ]
    estimator = Estimator(deps.runner, old)
    assert estimator.seconds(ARM, "pubmedqa", 8, loaded=False) == (4.0, 10.0, 18.0)
    assert estimator.basis(ARM, "pubmedqa") == NEVER


def test_an_arm_that_failed_teaches_nothing(deps):
    deps.runner.untrustworthy = frozenset({world.GOOD})
    measured(deps)
    assert deps.ledger.took() == []


def test_estimates_get_better_and_their_error_is_told(deps):
    assert track_record([]) is None
    assert in_words(None).startswith("nothing measured yet")
    for run in range(5):
        measured(deps, f"r{run}")
    items = [one for one in deps.ledger.took() if one.forecast.benchmark]
    errors = [abs(one.forecast.seconds - one.seconds) for one in items]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < errors[0] / 5
    found = track_record(items)
    assert found.n == 5
    assert found.error == pytest.approx(sorted(errors)[2] / 3.0)
    assert found.within == 4 / 5  # all but the first, which promised two seconds at most
    assert in_words(found).endswith("of 5 estimates, 80% of the times within their range")


def test_what_a_run_took_stands_beside_what_was_expected_of_it(deps):
    assert timing([]) == ""
    measured(deps, items=20)  # the race ended after 12
    items = [one for one in deps.ledger.took("r") if one.forecast.benchmark]
    assert timing(items) == (
        "What was measured of it was expected to take 0.2 minutes (0.1-0.4) and took 0.6"
    )
    assert deps.ledger.took("another") == []


def test_items_that_an_earlier_run_paid_for_are_not_counted_again(deps):
    plan = measured(deps)
    again = plan.model_copy(update={"run": "r2"})
    approval = world.approval(again)
    deps.ledger.record_approval(approval)
    herd_runner.run(again, approval, deps)
    assert {one.forecast.run for one in deps.ledger.took()} == {"r"}


def test_a_ledger_from_before_forecasts_opens_and_is_as_it_was(deps, tmp_path):
    measured(deps)
    deps.ledger.close()
    with sqlite3.connect(deps.ledger.path) as connection:
        connection.execute("DROP TABLE forecasts")
    connection.close()
    opened = Ledger(deps.ledger.path, FixedClock())
    assert opened.took() == []
    assert opened.seconds("r") > 24
    assert len(opened.done(ARM, "pubmedqa", deps.runner.protocol("pubmedqa"))) == 8
    opened.close()


def test_forecasts_are_append_only_and_the_first_stays(deps):
    measured(deps)
    (item,) = [one for one in deps.ledger.took() if one.forecast.benchmark]
    deps.ledger.expect(item.forecast.model_copy(update={"seconds": 99.0}))
    assert item in deps.ledger.took()
    for change in ("UPDATE forecasts SET what = 'x'", "DELETE FROM forecasts"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            deps.ledger._connection.execute(change)


def test_history_newer_than_the_plan_never_leaves_an_item_without_a_reserve(deps):
    choices = (BenchmarkChoice(task="pubmedqa", weight=1.0, reason=""),)
    design = local_plan.Design((ARM,), choices, 8)
    steps = local_plan.steps(Estimator.of(deps), AlreadyMeasured(deps, 99), design, NULL, deps)
    small = [s.model_copy(update={"usd_high": s.usd_high / 100}) for s in steps]
    plan = Plan(thread="t", run="late", steps=tuple(small), seed=99, cap_usd=0.0025)
    approval = world.approval(plan)
    deps.ledger.record_approval(approval)
    result = herd_runner.run(plan, approval, deps)
    assert result.stopped
    # Each item costs $0.003: one may be found dearer than its reserve, the next is refused.
    assert result.usd < 0.0025 + 0.003


def test_without_a_range_there_is_no_prior_to_correct_by(deps):
    class Certain(ScriptedRunner):
        def seconds(self, arm, benchmark, items):
            return 0.0, float(items), 2.0 * items

    measured(deps)
    estimator = Estimator(Certain({}), deps.ledger.took())
    assert estimator.seconds(ARM, "pubmedqa", 8, loaded=False) == (0.0, 8.0, 16.0)


@pytest.mark.parametrize("learnt_from", ["itself", "a later run"])
def test_a_run_that_is_resumed_reserves_what_its_plan_was_priced_at(deps, learnt_from):
    choices = (BenchmarkChoice(task="pubmedqa", weight=1.0, reason=""),)
    design = local_plan.Design((ARM, OTHER), choices, 8)
    deps = replace(deps, runner=ScriptedRunner({world.GOOD: 1.0, world.POOR: 0.0}))
    steps = local_plan.steps(Estimator.of(deps), AlreadyMeasured(deps, 99), design, NULL, deps)
    cap = sum(step.usd_high for step in steps)
    plan = Plan(thread="t", run="killed", steps=steps, seed=99, cap_usd=cap)
    approval = world.approval(plan)
    deps.ledger.record_approval(approval)
    if learnt_from == "itself":
        stop = iter([None] * 4 + ["killed"] * 99)
        assert herd_runner.run(plan, approval, deps, lambda: next(stop)).stopped == "killed"
    else:
        measured(deps, "later")
    # A scripted arm loads in no time at all, a surprise that makes other arms very uncertain.
    assert Estimator.of(deps).seconds(OTHER, "pubmedqa", 0, loaded=False).high > 100
    result = herd_runner.run(plan, approval, deps)
    assert result.stopped is None
    assert result.failed == {}


def test_a_loading_that_downloads_neither_teaches_nor_learns(deps):
    fetched = ARM.model_copy(update={"download": 10**9})
    untaught = Estimator.of(deps).seconds(ARM, "pubmedqa", 0, loaded=False)
    measured(deps, arms=(fetched,))
    assert Estimator.of(deps).seconds(ARM, "pubmedqa", 0, loaded=False) == untaught
    measured(deps, "r2")
    taught = Estimator.of(deps).seconds(ARM, "pubmedqa", 0, loaded=False)
    assert taught != untaught
    assert Estimator.of(deps).seconds(fetched, "pubmedqa", 0, loaded=False) == untaught
