"""Arms that run code of their own: out until ticked, and ticked for one revision only."""

from dataclasses import dataclass

import pytest
from machine import Machine, world

from memory.errors import BadRequest, NotApproved
from memory.ledger import Ledger
from memory.records import CONSTANT, Approval, Plan
from tools.clients.fakes import FixedClock
from tools.plans import unknown_code
from tools.plans.planning import drop, make_plan

TICK = "b/2@r1"


@dataclass
class WithCode(Machine):
    """A machine where b/2 comes with code of its own."""

    def arms(self, models):
        arms, missing = super().arms(models)
        own = {"b/2": {"code": ("modeling_x.py",), "revision": "r1"}}
        return [arm.model_copy(update=own.get(arm.model, {})) for arm in arms], missing


def made(reachable=("a/1", "b/2"), **more) -> Plan:
    return make_plan(*world(WithCode(dict.fromkeys(reachable, ("f32",))), **more))


def models(steps):
    return list(dict.fromkeys(step.arm.model for step in steps))


def test_it_is_left_out_with_its_reason_and_its_price():
    plan = made()
    assert models(plan.steps) == ["a/1", CONSTANT]
    assert models(plan.waiting) == ["b/2"]
    assert "modeling_x.py" in plan.not_measured["b/2"]
    assert f"--trust-remote-code {TICK}" in plan.not_measured["b/2"]
    assert plan.trusted == ()


def test_a_tick_brings_it_in_on_the_same_items_as_another_plan():
    plan = made()
    ticked = unknown_code.trust(plan, [TICK])
    assert models(ticked.steps) == ["a/1", "b/2", CONSTANT]
    items = {(step.benchmark, step.items) for step in plan.steps}
    assert {(step.benchmark, step.items) for step in ticked.steps} == items
    assert ticked.trusted == (TICK,)
    assert ticked.waiting == ()
    assert "b/2" not in ticked.not_measured
    assert ticked.hash != plan.hash
    assert ticked.cap_usd == pytest.approx(sum(step.usd_high for step in ticked.steps))


def test_the_cap_never_grows_past_the_budget_or_an_edit():
    plan = made()
    assert unknown_code.trust(plan, [TICK], budget=0.01).cap_usd == 0.01
    lowered = plan.model_copy(update={"cap_usd": 0.02})
    assert unknown_code.trust(lowered, [TICK]).cap_usd == 0.02


def test_where_nothing_else_runs_here_the_price_elsewhere_gives_way():
    plan = made(reachable=("b/2",), sizes={"a/1": 10**9})
    assert not any(step.here for step in plan.steps)
    ticked = unknown_code.trust(plan, ["b/2"])
    assert models(ticked.steps) == ["b/2", CONSTANT]
    assert all(step.here for step in ticked.steps)
    assert ticked.gpu_usd_per_hour is None


def test_another_revision_needs_another_tick():
    with pytest.raises(BadRequest, match="revision r1 here, not r2: that is other code"):
        unknown_code.trust(made(), ["b/2@r2"])
    with pytest.raises(BadRequest, match="waits for no tick"):
        unknown_code.trust(made(), ["a/1"])


def test_a_ticked_arm_can_be_dropped_again():
    assert models(drop(unknown_code.trust(made(), [TICK]), ["b/2"]).steps) == ["a/1", CONSTANT]


def approval(plan, **more):
    return Approval(plan=plan.hash, decision="approve", by="a", surface="t", at="", **more)


def test_the_ledger_wants_the_tick_in_the_approval_too(tmp_path):
    ledger = Ledger(tmp_path / "ledger.sqlite", FixedClock())
    plan = unknown_code.trust(made(), [TICK])
    for ticks in ((), ("b/2@r2",), ("b/2",)):
        silent = approval(plan, trust=ticks)
        ledger.record_approval(silent)
        with pytest.raises(NotApproved, match="does not say that it may"):
            ledger.open(plan, silent)
    said = approval(plan, trust=(TICK,))
    ledger.record_approval(said)
    assert ledger.open(plan, said).remaining == plan.cap_usd


def test_an_old_tick_is_no_approval_of_a_new_plan(tmp_path):
    ledger = Ledger(tmp_path / "ledger.sqlite", FixedClock())
    plan = unknown_code.trust(made(), [TICK])
    old = approval(made(), trust=(TICK,))
    ledger.record_approval(old)
    with pytest.raises(NotApproved, match="it changed"):
        ledger.open(plan, old)
