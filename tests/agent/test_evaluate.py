"""evaluate: a plan that promised some minutes does not run for hours."""

import time
from types import SimpleNamespace

import pytest
import world

from agent.nodes.evaluate import evaluate
from agent.session import Decided


class Clock:
    """A monotonic clock that moves on by ``step`` seconds whenever it is read."""

    def __init__(self, step):
        self.now, self.step = 1000.0, step

    def __call__(self):
        self.now += self.step
        return self.now


@pytest.fixture
def asked(tmp_path):
    made = world.session(tmp_path)
    return made, list(made.say("t", world.REQUEST))[-1]


def evaluated(made, plan, monkeypatch, step):
    approval = world.approval(plan)
    made.deps.ledger.record_approval(approval)
    monkeypatch.setattr(time, "monotonic", Clock(step))
    runtime = SimpleNamespace(context=made.deps)
    return evaluate({"plan": plan, "approval": approval}, runtime)


def test_the_run_ends_at_the_plans_upper_time(asked, monkeypatch):
    made, plan = asked[0], asked[1].about
    upper = max(sum(step.minutes_high for step in plan.steps), 1.0)
    found = evaluated(made, plan, monkeypatch, step=upper * 60 / 20)
    why = f"stopped at the plan's upper time of {upper:.1f} minutes"
    assert set(found["failed"].values()) == {why}
    assert 0 < len(made.deps.runner.asked) < sum(step.items for step in plan.steps)
    baseline = [one for one in found["measurements"] if one.model == "constant-answer"]
    assert all(one.missing == 0 for one in baseline)
    assert baseline


def test_a_run_in_time_is_measured_to_the_end(asked, monkeypatch):
    made, plan = asked[0], asked[1].about
    found = evaluated(made, plan, monkeypatch, step=0.001)
    assert found["failed"] == {}
    assert sum(one.n + one.missing for one in found["measurements"]) == sum(
        step.items for step in plan.steps
    )


def test_steps_of_no_time_still_get_a_minute(asked, monkeypatch):
    made, plan = asked[0], asked[1].about
    steps = tuple(step.model_copy(update={"minutes_high": 0.0}) for step in plan.steps)
    found = evaluated(made, plan.model_copy(update={"steps": steps}), monkeypatch, step=0.001)
    assert found["failed"] == {}


def test_the_conclusion_says_that_time_was_up(tmp_path, monkeypatch):
    made = world.session(tmp_path)
    plan = list(made.say("t", world.REQUEST))[-1]
    monkeypatch.setattr("agent.nodes.evaluate._deadline", lambda plan: lambda: "time was up")
    ended = list(made.answer("t", plan.interrupt, world.approval(plan.about)))[-1]
    assert isinstance(ended, Decided)
    assert ended.decision.winner is None
    reasons = {one.reason for one in ended.decision.ranking if one.standing == "not measured"}
    assert "time was up" in reasons
