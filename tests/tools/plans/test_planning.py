"""The priced plan: what fits, what it costs, what it leaves out and why."""

import re

import pytest
from machine import Machine, world

from memory.errors import BadRequest
from memory.records import (
    CONSTANT,
    Origin,
    Prediction,
    Requirements,
    Score,
)
from tools.plans import local_plan, planning
from tools.plans.planning import describe, drop, make_plan, with_cap


def seconds_of(plan):
    return 60 * plan.minutes


def test_as_many_items_as_fit_and_not_one_more():
    machine = Machine({"a/1": ("Q4", "Q3")})
    plan = make_plan(*world(machine))
    # Two arms, each loading once, on two benchmarks whose items go by weight, 5 to 3.
    asked = sum(step.items for step in plan.steps if step.arm.model != CONSTANT)
    assert seconds_of(plan) == pytest.approx(2 * 10 + 0.5 * asked)
    assert 118 < seconds_of(plan) <= 120
    assert {(step.benchmark, step.items) for step in plan.steps} == {("heavy", 62), ("light", 37)}


def test_arms_are_the_reachable_ones_by_rank_and_the_constant_last():
    plan = make_plan(*world(Machine({"a/1": ("Q4",), "c/3": ("f32",)})))
    arms = list(dict.fromkeys(step.arm for step in plan.steps))
    assert [arm.name for arm in arms] == ["a/1 Q4", "c/3 f32", CONSTANT]
    assert arms[0].note == "from a carrier"
    assert local_plan.NOT_SHORTLISTED in arms[1].note
    assert plan.not_measured == {"b/2": "weights not here; size unknown, can't be priced"}
    assert {step.benchmark for step in plan.steps} == {"light", "heavy"}


def test_price_is_time_at_the_rate_and_the_constant_is_free():
    plan = make_plan(*world(Machine({"a/1": ("Q4",)})))
    first, second, *constants = plan.steps
    assert first.benchmark == "heavy"
    assert first.usd == pytest.approx(first.minutes * 60 * 0.001)
    assert first.usd_low < first.usd < first.usd_high
    assert first.minutes == pytest.approx((10 + 0.5 * first.items) / 60)
    assert second.minutes == pytest.approx(0.5 * second.items / 60)
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
    plan = make_plan(*world(Machine({"a/1": ("Q4",)})), items=60)
    assert {(s.benchmark, s.items) for s in plan.steps} == {("heavy", 75), ("light", 45)}


def test_too_many_arms_are_named():
    machine = Machine({"a/1": ("1", "2", "3", "4", "5")}, pace=0.01)
    plan = make_plan(*world(machine))
    assert len({step.arm.name for step in plan.steps}) == 5
    assert "a/1 5" in plan.not_measured


def test_nothing_reachable_and_no_size_known_is_a_plan_without_steps_that_says_why():
    plan = make_plan(*world(Machine({})))
    assert plan.steps == ()
    assert plan.cap_usd == 0
    assert plan.gpu_usd_per_hour is None
    assert plan.not_measured == dict.fromkeys(["a/1", "b/2"], "size unknown, can't be priced")
    assert "nothing can be measured" in describe(plan)


BILLIONS = {"a/1": 8 * 10**9, "b/2": 70 * 10**9, "c/3": 10**9}


def test_nothing_reachable_is_priced_for_a_rented_gpu():
    plan = make_plan(*world(Machine({}), sizes=BILLIONS))
    assert [(s.arm.name, s.benchmark, s.items, s.here) for s in plan.steps] == [
        ("a/1", "heavy", 100, False),
        ("a/1", "light", 100, False),
        ("b/2 @ 8 bits", "heavy", 100, False),
        ("b/2 @ 8 bits", "light", 100, False),
        (CONSTANT, "heavy", 100, False),
        (CONSTANT, "light", 100, False),
    ]
    first, second = plan.steps[:2]
    # 16 GB at 0.2 GB/s and 2 GB/s; 2 x 8e9 x 100 x 600 operations at 1e14 a second.
    assert 60 * first.minutes == pytest.approx(80 + 8 + 9.6)
    assert 60 * second.minutes == pytest.approx(9.6)
    assert first.usd == pytest.approx(97.6 / 3600 * 2.0)
    assert first.arm.weights is None
    assert first.arm.backend == "hf on a rented GPU"
    assert first.arm.note == "weights to be fetched (16 GB at 16 bits); fits 1 x 80 GB at 16 bits"
    assert plan.steps[2].arm.note.endswith("(140 GB at 16 bits); fits 2 x 80 GB at 8 bits")
    assert all(s.usd_high == s.minutes_high == 0 for s in plan.steps[4:])
    assert plan.cap_usd == pytest.approx(sum(s.usd_high for s in plan.steps))
    assert all(s.usd_low < s.usd < s.usd_high for s in plan.steps[:4])
    assert plan.not_measured == {}
    assert re.fullmatch(
        r"which of the 2 leads; changes the choice with p = 0\.\d\d"
        r" \(now a/1, the best with p = 0\.\d\d\); 200 items settle gaps above about 0\.08",
        first.could_change,
    )


def test_a_rented_plan_names_its_rate_and_the_rate_changes_its_hash():
    plan = make_plan(*world(Machine({}), sizes=BILLIONS))
    dearer = make_plan(*world(Machine({}), sizes=BILLIONS, rate=3.0))
    assert dearer.usd == pytest.approx(1.5 * plan.usd)
    assert dearer.hash != plan.hash
    text = describe(plan)
    assert text.startswith(f"{plan.hash}: a/1, b/2 @ 8 bits")
    assert "priced for a rented GPU at $2.00 an hour" in text
    assert "MIRROR_GPU_USD_PER_HOUR" in text
    here = make_plan(*world(Machine({"a/1": ("Q4",)}), sizes=BILLIONS))
    assert all(step.here for step in here.steps)
    assert "rented GPU at" not in describe(here)


def test_what_is_measured_here_leaves_the_price_of_the_rest():
    plan = make_plan(*world(Machine({"a/1": ("Q4",)}), sizes=BILLIONS))
    assert {step.arm.model for step in plan.steps} == {"a/1", CONSTANT}
    # b/2 fits 2 GPUs: 700 s of fetching, 70 of loading, 2 x 42 of computing; dollars for both.
    assert plan.not_measured == {
        "b/2": "weights not here; about $0.95 and 14 minutes on 2 rented GPUs"
    }


def test_only_the_best_four_of_known_size_are_rented():
    names = [f"m/{i}" for i in range(6)]
    sizes = {name: 10**9 for name in names if name != "m/1"}
    plan = make_plan(*world(Machine({}), shortlist=names, others=(), sizes=sizes), items=30)
    rented = dict.fromkeys(s.arm.model for s in plan.steps if s.arm.model != CONSTANT)
    assert list(rented) == ["m/0", "m/2", "m/3", "m/4"]
    assert {step.items for step in plan.steps} == {30}
    assert plan.not_measured == {
        "m/1": "size unknown, can't be priced",
        "m/5": f"{planning.TOO_MANY}; about $0.01 and 1 minute on a rented GPU",
    }


def test_a_smaller_precision_asked_for_is_the_one_that_is_rented():
    dossier, deps = world(Machine({}), sizes=BILLIONS)
    dossier["requirements"] = Requirements(text="x", precision_bits=4)
    arms = {step.arm.name: step.arm for step in make_plan(dossier, deps).steps}
    assert list(arms) == ["a/1 @ 4 bits", "b/2 @ 4 bits", CONSTANT]
    assert arms["b/2 @ 4 bits"].precision == "4 bits"
    assert arms["b/2 @ 4 bits"].note.endswith("fits 1 x 80 GB at 4 bits")


def test_the_cap_of_a_rented_plan_is_never_above_the_budget():
    assert make_plan(*world(Machine({}), sizes=BILLIONS, budget=0.05)).cap_usd == 0.05


def test_no_items_here_is_a_rented_plan_without_the_constant_answer():
    dossier, deps = world(Machine({"a/1": ("Q4",)}), sizes=BILLIONS)
    dossier["benchmarks"] = dossier["benchmarks"][2:]
    plan = make_plan(dossier, deps)
    assert [(s.arm.model, s.protocol) for s in plan.steps] == [
        ("a/1", "harness 1 · 0-shot · absent · acc"),
        ("b/2", "harness 1 · 0-shot · absent · acc"),
    ]
    assert plan.not_measured["a/1 Q4"] == planning.NO_ITEMS


def test_no_benchmark_at_all_is_a_plan_without_steps_that_says_why():
    dossier, deps = world(Machine({}), sizes=BILLIONS)
    dossier["benchmarks"] = []
    plan = make_plan(dossier, deps)
    assert plan.steps == ()
    assert set(plan.not_measured.values()) == {"no benchmark is recommended"}


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
    assert plan.steps[-1].could_change == local_plan.THE_BAR
    text = describe(plan)
    assert plan.hash in text
    assert "Not measured: 1 (weights not here; size unknown, can't be priced)" in text


@pytest.mark.parametrize(("heaviest_is_here", "here"), [(True, True), (False, False)])
def test_an_arm_nobody_shortlisted_needs_the_weightiest_benchmark(heaviest_is_here, here):
    dossier, deps = world(Machine({"c/3": ("Q4",)}), sizes={"a/1": 10**9, "b/2": 10**9})
    if not heaviest_is_here:
        light, heavy, absent = dossier["benchmarks"]
        dossier["benchmarks"] = [light, heavy.model_copy(update={"items_source": None}), absent]
    plan = make_plan(dossier, deps)
    assert {step.here for step in plan.steps} == {here}
    assert ("c/3" in {step.arm.model for step in plan.steps}) == here


def test_what_can_not_change_the_choice_is_not_bought():
    """Known scores settle it: b/2 is far behind and its last missing cell can't make up for it."""
    dossier, deps = world(Machine({}), sizes=BILLIONS)
    known = [("a/1", "heavy", 0.9), ("a/1", "light", 0.9), ("a/1", "absent", 0.9)]
    known += [("b/2", "heavy", 0.1), ("b/2", "light", 0.1)]
    dossier["scores"] = [
        Score(
            model=model,
            benchmark=task,
            protocol="p",
            value=value,
            origin=Origin.ELSEWHERE,
            source="s",
        )
        for model, task, value in known
    ]
    plan = make_plan(dossier, deps)
    assert plan.steps == ()
    assert all("p = 0.00 only" in why for why in plan.not_measured.values())


def test_the_likeliest_to_change_the_choice_per_dollar_is_bought_first():
    """Of equal rivals the smaller is cheaper to ask; one known to be bad is not worth asking."""
    names = ["m/lead", "m/small", "m/large", "m/bad"]
    sizes = dict(zip(names, (8 * 10**9, 10**9, 30 * 10**9, 10**9), strict=True))
    dossier, deps = world(Machine({}), shortlist=names, others=(), sizes=sizes)
    dossier["predicted"] = [
        Prediction(
            model=name,
            benchmark=task,
            protocol="p",
            value=value,
            low=value - 0.1,
            high=value + 0.1,
            trusted=True,
            basis="made",
        )
        for name, value in zip(names, (0.7, 0.65, 0.65, 0.12), strict=True)
        for task in ("heavy", "light", "absent")
    ]
    plan = make_plan(dossier, deps)
    assert list(dict.fromkeys(s.arm.model for s in plan.steps))[:3] == names[:3]
    assert "m/bad" not in {step.arm.model for step in plan.steps}
    assert "would change the choice with p" in plan.not_measured["m/bad"]
