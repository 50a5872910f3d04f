"""The priced plan: what fits, what it costs, what it leaves out and why."""

from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from memory.errors import BadRequest
from memory.records import (
    CONSTANT,
    Arm,
    BenchmarkChoice,
    Candidate,
    Model,
    Requirements,
    Selected,
)
from tools import planning
from tools.planning import describe, drop, make_plan, with_cap


@dataclass
class Machine:
    """A runner that reaches some weights: ``load`` seconds once and ``pace`` an item."""

    reachable: dict[str, tuple[str, ...]]
    pool: int = 500
    load: float = 10.0
    pace: float = 0.5

    def arms(self, models):
        arms = [
            Arm(name=f"{m.id} {p}", model=m.id, backend="hf", precision=p, note="from a carrier")
            for m in models
            for p in self.reachable.get(m.id, ())
        ]
        missing = {m.id: "weights not here" for m in models if m.id not in self.reachable}
        return [*arms, Arm(name=CONSTANT, model=CONSTANT, backend="constant")], missing

    def protocol(self, benchmark):
        return f"harness 1 · {benchmark}"

    def items(self, benchmark, n, seed):
        if n > self.pool:
            raise BadRequest("too few")
        return [f"{seed}-{i}" for i in range(n)]

    def seconds(self, arm, benchmark, items):
        if arm.model == CONSTANT:
            return 0.0, 0.0, 1.0
        middle = self.load + self.pace * items
        return middle / 2, middle, middle * 2


def world(machine, *, shortlist=("a/1", "b/2"), others=("c/3",), budget=None, minutes=2.0):
    names = [*shortlist, *others]
    registry = SimpleNamespace(models={n: Model(id=n) for n in names}, version="v")
    dossier = {
        "thread": "t",
        "run": "run-1",
        "requirements": Requirements(text="x", budget_usd=budget),
        "candidates": [Candidate(model=n, sigma=0.5) for n in names],
        "selected": [
            Selected(model=n, s=0.5, sigma=0.5, benchmark_term=0.5, known_cells=0, cells=2)
            for n in shortlist
        ],
        "benchmarks": [
            BenchmarkChoice(task="light", weight=0.3, reason="", items_source="here"),
            BenchmarkChoice(task="heavy", weight=0.5, reason="", items_source="here"),
            BenchmarkChoice(task="absent", weight=0.2, reason=""),
        ],
    }
    return dossier, SimpleNamespace(
        registry=registry, runner=machine, minutes=minutes, usd_per_hour=3.6
    )


def seconds_of(plan):
    return 60 * plan.minutes


def test_as_many_items_as_fit_and_not_one_more():
    machine = Machine({"a/1": ("Q4", "Q3")})
    plan = make_plan(*world(machine))
    # Two arms, each loading once, on two benchmarks.
    assert seconds_of(plan) == pytest.approx(2 * 10 + 4 * 0.5 * plan.steps[0].items)
    assert 118 < seconds_of(plan) <= 120
    assert {step.items for step in plan.steps} == {50}


def test_arms_are_the_reachable_ones_by_rank_and_the_constant_last():
    plan = make_plan(*world(Machine({"a/1": ("Q4",), "c/3": ("f32",)})))
    arms = list(dict.fromkeys(step.arm for step in plan.steps))
    assert [arm.name for arm in arms] == ["a/1 Q4", "c/3 f32", CONSTANT]
    assert arms[0].note == "from a carrier"
    assert planning.NOT_SHORTLISTED in arms[1].note
    assert plan.not_measured == {"b/2": "weights not here"}
    assert {step.benchmark for step in plan.steps} == {"light", "heavy"}


def test_price_is_time_at_the_rate_and_the_constant_is_free():
    plan = make_plan(*world(Machine({"a/1": ("Q4",)})))
    first, second, *constants = plan.steps
    assert first.benchmark == "heavy"
    assert first.usd == pytest.approx(first.minutes * 60 * 0.001)
    assert first.usd_low < first.usd < first.usd_high
    assert second.minutes == pytest.approx(first.minutes - 10 / 60)
    assert all(step.usd_high == 0 for step in constants)
    assert plan.cap_usd == pytest.approx(first.usd_high + second.usd_high)


@pytest.mark.parametrize(
    ("budget", "cap", "expected"), [(0.01, None, 0.01), (0.01, 0.02, 0.01), (None, 0.02, 0.02)]
)
def test_the_cap_is_never_above_budget_or_wish(budget, cap, expected):
    plan = make_plan(*world(Machine({"a/1": ("Q4",)}), budget=budget), cap_usd=cap)
    assert plan.cap_usd == expected


def test_no_budget_at_all_is_a_cap_of_zero_not_none():
    assert make_plan(*world(Machine({"a/1": ("Q4",)}), budget=0.0)).cap_usd == 0


def test_short_of_time_light_benchmarks_go_first_then_low_arms():
    machine = Machine({"a/1": ("Q4",), "b/2": ("Q4",)}, pace=5)
    plan = make_plan(*world(machine))
    assert {(s.arm.name, s.benchmark, s.items) for s in plan.steps if s.arm.model != CONSTANT} == {
        ("a/1 Q4", "heavy", 10),
        ("b/2 Q4", "heavy", 10),
    }
    slower = make_plan(*world(Machine(machine.reachable, pace=10)))
    assert {s.arm.name for s in slower.steps} == {"a/1 Q4", CONSTANT}
    assert slower.not_measured == {"b/2 Q4": "no time for it within 2 minutes"}


def test_at_least_eight_items_whatever_they_take():
    plan = make_plan(*world(Machine({"a/1": ("Q4",)}, pace=100)))
    assert {step.items for step in plan.steps} == {8}
    assert plan.minutes > 2


def test_a_wish_for_items_is_met_as_far_as_the_pool_goes():
    plan = make_plan(*world(Machine({"a/1": ("Q4",)}, pool=37)), items=60)
    assert {step.items for step in plan.steps} == {37}
    assert {s.items for s in make_plan(*world(Machine({"a/1": ("Q4",)})), items=60).steps} == {60}


def test_too_many_arms_are_named():
    machine = Machine({"a/1": ("1", "2", "3", "4", "5")}, pace=0.01)
    plan = make_plan(*world(machine))
    assert len({step.arm.name for step in plan.steps}) == 5
    assert "a/1 5" in plan.not_measured


def test_nothing_reachable_is_a_plan_without_steps_that_says_why():
    plan = make_plan(*world(Machine({})))
    assert plan.steps == ()
    assert plan.cap_usd == 0
    assert plan.not_measured == {"a/1": "weights not here", "b/2": "weights not here"}
    assert "nothing can be measured" in describe(plan)


def test_no_items_is_a_plan_without_steps_that_says_why():
    dossier, deps = world(Machine({"a/1": ("Q4",)}))
    dossier["benchmarks"] = dossier["benchmarks"][2:]
    plan = make_plan(dossier, deps)
    assert plan.steps == ()
    assert plan.not_measured["a/1 Q4"] == planning.NO_ITEMS


def test_the_same_run_gives_the_same_plan_and_another_run_another_sample():
    machine = Machine({"a/1": ("Q4",)})
    assert make_plan(*world(machine)).hash == make_plan(*world(machine)).hash
    assert planning.seed_of("run-1") != planning.seed_of("run-2")


def test_dropping_an_arm_changes_the_hash_and_keeps_the_reason():
    plan = make_plan(*world(Machine({"a/1": ("Q4", "Q3")})))
    less = drop(plan, ["a/1 Q3"])
    assert less.hash != plan.hash
    assert {step.arm.name for step in less.steps} == {"a/1 Q4", CONSTANT}
    assert "dropped" in less.not_measured["a/1 Q3"]


@pytest.mark.parametrize(
    ("names", "message"),
    [(["zzz"], "no arm 'zzz'"), ([CONSTANT], "stays"), (["a/1"], "refuse the plan")],
)
def test_what_cannot_be_dropped_is_said(names, message):
    plan = make_plan(*world(Machine({"a/1": ("Q4", "Q3")})))
    with pytest.raises(BadRequest, match=message):
        drop(plan, names)


def test_a_cap_changes_the_hash():
    plan = make_plan(*world(Machine({"a/1": ("Q4",)})))
    assert with_cap(plan, 0.5).hash != plan.hash
    for bad in (-1.0, float("nan"), float("inf")):
        with pytest.raises(BadRequest, match="cap"):
            with_cap(plan, bad)


def test_the_plan_says_what_it_could_change():
    plan = make_plan(*world(Machine({"a/1": ("Q4", "Q3")})))
    assert "a/1 Q3 leads" in plan.steps[0].could_change
    assert plan.steps[-1].could_change == planning.THE_BAR
    text = describe(plan)
    assert plan.hash in text
    assert "Not measured: 1 (weights not here)" in text
