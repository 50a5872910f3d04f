"""What was paid for once is neither bought nor priced again, and the plan says since when."""

import pytest
import world

from memory.records import CONSTANT
from tools.herd_runner import measure
from tools.plans import already_measured, planning


@pytest.fixture
def made(tmp_path):
    return world.session(tmp_path)


def plan_of(made, thread):
    return list(made.say(thread, world.REQUEST))[-1].about


def pay_for(plan, deps):
    """Keep a result of every item of the plan, as if a run had measured all of it."""
    for step in plan.steps:
        items = deps.runner.items(step.benchmark, step.items, plan.seed)
        for result in deps.runner.run(step.arm, step.benchmark, items):
            deps.ledger.keep(step.arm, step.protocol, result)


def test_a_second_run_buys_only_what_is_new_and_says_since_when(made):
    first = world.go(made, "t")[-1].decision
    asked, spent = len(made.deps.runner.asked), made.deps.ledger.spent(first.run)
    assert asked > 0
    assert spent > 0
    plan = plan_of(made, "u")
    arms = [step for step in plan.steps if step.arm.model != CONSTANT]
    measured = {(one.arm, one.benchmark): one.n for one in first.measurements}
    for step in arms:
        assert step.reused == min(measured[step.arm.name, step.benchmark], step.items)
        assert step.measured == "2026-01-01"
    # The time that is saved buys more items; each of the earlier ones is among them.
    assert (
        sum(step.items for step in arms) > sum(measured.values()) - measured[CONSTANT, "pubmedqa"]
    )
    assert plan.minutes <= made.deps.minutes + 1e-9
    assert "Already measured 2026-01-01" in planning.describe(plan)
    before = len(made.deps.runner.asked)
    list(made.answer("u", made.pending("u").interrupt, world.approval(plan)))
    new = made.deps.runner.asked[before:]
    assert len(new) <= sum(step.items - step.reused for step in arms) + sum(
        step.items for step in plan.steps if step.arm.model == CONSTANT
    )
    assert sum(one.reused for one in measure(plan, made.deps)) >= sum(step.reused for step in arms)


def test_a_plan_of_nothing_new_costs_nothing_and_runs_nothing(made):
    plan = plan_of(made, "t")
    pay_for(plan, made.deps)
    items = min(step.items for step in plan.steps)
    least = planning.make_plan({**made.state("t"), "run": "again"}, made.deps, items=items)
    whole = [s for s in least.steps if s.arm.model != CONSTANT and s.reused == s.items]
    assert whole
    assert all(step.usd_high == step.minutes_high == 0 for step in whole)
    assert already_measured.in_words(least).startswith(f"Already measured: {len(whole)} of ")


def test_another_revision_is_another_cell(made):
    pay_for(plan_of(made, "t"), made.deps)
    list(made.answer("t", made.pending("t").interrupt, world.approval(made.pending("t").about)))
    known = already_measured.AlreadyMeasured(made.deps, planning.SEED)
    step = next(s for s in made.state("t")["plan"].steps if s.arm.model == world.GOOD)
    assert known.items(step.arm, step.benchmark, step.items) == step.items
    assert known.when(step.arm, step.benchmark, step.protocol) == "2026-01-01"
    other = step.arm.model_copy(update={"revision": "f" * 40})
    assert known.items(other, step.benchmark, step.items) == 0
    assert known.when(other, step.benchmark, step.protocol) is None
    assert known.when(step.arm, step.benchmark, "another protocol") is None


def test_nothing_measured_yet_is_said_nowhere(made):
    plan = plan_of(made, "t")
    assert already_measured.in_words(plan) == ""
    assert all(step.reused == 0 and step.measured is None for step in plan.steps)


def test_fewer_items_than_would_fit_are_no_obstacle_to_a_second_run(made):
    made.deps.runner.benchmarks = {"pubmedqa": 20, "medmcqa": 20}
    pay_for(plan_of(made, "t"), made.deps)
    object.__setattr__(made.deps, "minutes", 60.0)
    plan = plan_of(made, "u")
    assert {step.items for step in plan.steps} == {20}
    assert all(step.reused for step in plan.steps if step.arm.model != CONSTANT)
