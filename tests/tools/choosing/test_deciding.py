"""The decision: what earns a recommendation, what is too close, and what is honest to say."""

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from memory.ledger import Ledger
from memory.records import (
    CONSTANT,
    Arm,
    BenchmarkChoice,
    ItemResult,
    Measurement,
    Origin,
    Plan,
    Requirements,
    Score,
    Selected,
    Step,
)
from tools.choosing.comparing import compare
from tools.choosing.deciding import Evidence, conclude, decide
from tools.herd.contamination import assess, factors
from tools.herd_runner import measure
from tools.methods.contamination import OrderTest
from tools.methods.intervals import wilson


def results_of(**right):
    """n-item grade strings by arm, as results: ``A="1101"``; ``.`` is missing."""
    return [
        ItemResult(
            arm=CONSTANT if arm == "const" else arm,
            benchmark="t",
            item=str(i),
            correct=None if grade == "." else float(grade),
        )
        for arm, grades in right.items()
        for i, grade in enumerate(grades)
    ]


def evidence(benchmark="t", **right):
    results = results_of(**right)
    measurements = []
    for arm in dict.fromkeys(one.arm for one in results):
        grades = [one.correct for one in results if one.arm == arm and one.correct is not None]
        low, high = wilson(sum(grades), len(grades))
        measurements.append(
            Measurement(
                arm=arm,
                model=arm,
                benchmark=benchmark,
                protocol="p",
                value=sum(grades) / len(grades),
                low=low,
                high=high,
                n=len(grades),
            )
        )
    arms = [Arm(name=m.arm, model=m.model, backend="hf") for m in measurements]
    return Evidence(measurements, compare(results, {}), {"t": 1.0}, arms=arms)


def standing(conclusion):
    return {line.model: line.standing for line in conclusion.ranking}


STRONG, MIDDLE, WEAK = "1" * 22 + "0" * 2, "1" * 14 + "0" * 10, "1" * 4 + "0" * 20
ALIKE, FLAT = "0" * 2 + "1" * 21 + "0", "0" * 19 + "1" * 5


def test_a_clear_winner_a_runner_up_and_a_reject():
    found = conclude(evidence(A=MIDDLE, B=STRONG, C=WEAK, const=WEAK))
    assert (found.winner, found.runner_up) == ("B", "A")
    assert standing(found) == {"B": "winner", "A": "runner-up", "C": "rejected"}
    assert found.summary.startswith("Use B: it scores 0.92 (0.78 to 0.97)")
    assert "does not beat a constant answer" in found.ranking[2].reason


def test_two_that_cannot_be_told_apart_are_too_close_to_call():
    found = conclude(evidence(A=ALIKE, B=STRONG, C=MIDDLE, const=FLAT))
    assert (found.winner, found.runner_up) == (None, None)
    assert standing(found) == {
        "B": "too close to call", "A": "too close to call", "C": "rejected",
    }  # fmt: skip
    assert found.summary.startswith("Too close to call between B and A")


def on_two(easy, hard):
    """Evidence of grade strings on two benchmarks of equal weight."""
    parts = [evidence("easy", **easy), evidence("hard", **hard)]
    results = [
        one.model_copy(update={"benchmark": benchmark})
        for benchmark, right in (("easy", easy), ("hard", hard))
        for one in results_of(**right)
    ]
    weights = {"easy": 0.5, "hard": 0.5}
    measurements = [one for part in parts for one in part.measurements]
    return Evidence(measurements, compare(results, weights), weights)


def test_an_arm_that_skipped_the_hard_benchmark_does_not_win_by_its_mean():
    found = conclude(
        on_two(
            {"A": "1" * 36 + "0" * 4, "B": "1" * 38 + "0" * 2, "const": "1" * 10 + "0" * 30},
            {"B": "1" * 20 + "0" * 20, "const": "1" * 8 + "0" * 32},
        )
    )
    assert found.ranking[1].value == pytest.approx(0.9)
    assert found.ranking[0].value == pytest.approx(0.725)
    assert (found.winner, found.runner_up) == ("B", None)
    assert standing(found) == {"B": "winner", "A": "rejected"}
    assert found.ranking[1].reason == "not comparable: measured on fewer benchmarks, easy only"
    assert found.summary.endswith("Not comparable, for measured on fewer benchmarks: A.")


def test_nor_when_the_one_that_took_it_earns_nothing():
    found = conclude(
        on_two(
            {"A": "1" * 36 + "0" * 4, "B": "1" * 38 + "0" * 2, "const": "1" * 10 + "0" * 30},
            {"B": "0" * 40, "const": "0" * 8 + "1" * 32},
        )
    )
    assert found.winner is None
    assert set(standing(found).values()) == {"rejected"}


def test_being_ahead_on_what_is_shared_keeps_the_other_from_winning_and_no_more():
    found = conclude(
        on_two(
            {"A": "1" * 40, "B": "1" * 24 + "0" * 16, "const": "1" * 10 + "0" * 30},
            {"B": "1" * 30 + "0" * 10, "const": "1" * 8 + "0" * 32},
        )
    )
    assert found.winner is None
    assert standing(found) == {"B": "too close to call", "A": "too close to call"}
    assert "but measured on fewer benchmarks, easy only" in found.ranking[1].reason


def suspected(arm, benchmark, p):
    order = OrderTest(rank=1.0, p=p, p_t=p, gain=5.0, shards=4)
    return assess(Arm(name=arm, model=arm, backend="hf"), benchmark, order=order)


EASY = {"A": "1" * 36 + "0" * 4, "B": "1" * 24 + "0" * 16, "const": "1" * 10 + "0" * 30}
HARD = {"A": "1" * 16 + "0" * 24, "B": "1" * 25 + "0" * 15, "const": "1" * 8 + "0" * 32}


def test_a_suspicion_lowers_what_a_score_adds_and_can_turn_the_order():
    plain = on_two(EASY, HARD)
    assert [line.model for line in conclude(plain).ranking] == ["A", "B"]
    found = [suspected("A", "easy", 0.001), suspected("B", "easy", 0.6)]
    compared = compare(
        [
            one.model_copy(update={"benchmark": benchmark})
            for benchmark, right in (("easy", EASY), ("hard", HARD))
            for one in results_of(**right)
        ],
        plain.weights,
        factors(found),
    )
    told = conclude(replace(plain, comparisons=compared, contamination=found))
    assert [line.model for line in told.ranking] == ["B", "A"]
    first, second = told.ranking
    assert second.value == pytest.approx((0.25 * 0.9 + 0.5 * 0.4) / 0.75)
    assert first.value == pytest.approx((0.6 + 0.625) / 2)
    assert "its easy may have been trained on: counts x0.5" in second.reason
    assert "trained" not in first.reason
    # A pair is as suspicious as the worse of the two; B against the constant answer is not.
    by_pair = {(one.a, one.b): one.difference for one in compared}
    assert by_pair["A", "B"] == pytest.approx((0.25 * 0.3 + 0.5 * -0.225) / 0.75)
    assert by_pair["B", CONSTANT] == pytest.approx((0.35 + 0.425) / 2)


def test_findings_without_a_flag_change_nothing():
    plain = on_two(EASY, HARD)
    found = [suspected(arm, name, 0.06) for arm in ("A", "B") for name in ("easy", "hard")]
    assert conclude(replace(plain, contamination=found)) == conclude(plain)
    assert factors(found) == {}


def test_a_suspect_alone_keeps_its_value_and_that_is_said():
    plain = evidence(A=STRONG, const=WEAK)
    told = conclude(replace(plain, contamination=[suspected("A", "t", 0.001)]))
    assert told.ranking[0].value == conclude(plain).ranking[0].value
    assert "no other benchmark was measured" in told.ranking[0].reason
    assert told.summary.endswith("A may have been trained on t, which counts x0.5 for it.")


def test_what_an_earlier_run_suspected_lowers_a_known_score():
    chosen = [Selected(model="m", s=0.5, sigma=0.5, benchmark_term=0.5, known_cells=2, cells=2)]
    scores = [
        Score(
            model="m",
            benchmark=name,
            protocol="p",
            value=value,
            origin=Origin.MEASURED,
            source="here",
        )
        for name, value in (("easy", 0.9), ("hard", 0.3))
    ]
    plain = Evidence(weights={"easy": 0.5, "hard": 0.5}, selected=chosen, scores=scores)
    (before,) = conclude(plain).ranking
    (after,) = conclude(replace(plain, suspected=[suspected("m", "easy", 0.001)])).ranking
    assert before.value == pytest.approx(0.6)
    assert after.value == pytest.approx((0.25 * 0.9 + 0.5 * 0.3) / 0.75)
    assert "its easy may have been trained on: counts x0.5" in after.reason


def test_neither_of_two_on_different_benchmarks_wins():
    found = conclude(
        on_two(
            {"A": "1" * 36 + "0" * 4, "const": "1" * 10 + "0" * 30},
            {"B": "1" * 30 + "0" * 10, "const": "1" * 8 + "0" * 32},
        )
    )
    assert found.winner is None
    assert set(standing(found).values()) == {"too close to call"}


def test_no_better_than_a_constant_answer_earns_nothing():
    half = "10" * 12
    found = conclude(evidence(A=half, B="01" * 12, const="1" * 12 + "0" * 12))
    assert found.winner is None
    assert found.runner_up is None
    assert set(standing(found).values()) == {"rejected"}
    assert found.summary.startswith("Nothing measured here earns a recommendation")


def test_without_a_baseline_nobody_is_recommended():
    found = conclude(evidence(A=STRONG))
    assert found.winner is None
    assert "baseline was not measured" in found.summary


def test_one_lucky_item_is_not_enough():
    assert conclude(evidence(A="1" * 8, const="1" * 4 + "0" * 4)).winner is None
    assert conclude(evidence(A="1" * 8, const="1" * 3 + "0" * 5)).winner == "A"


def test_shortlisted_models_that_were_not_measured_are_ranked_by_s_with_their_origin():
    def selected(model, s, known):
        return Selected(model=model, s=s, sigma=0.5, benchmark_term=0.5, known_cells=known, cells=2)

    def score(model, value, origin, benchmark):
        return Score(
            model=model, benchmark=benchmark, protocol="p", value=value, origin=origin, source="s"
        )

    found = conclude(
        Evidence(
            selected=[selected("x/1", 0.7, 2), selected("y/2", 0.6, 0)],
            scores=[
                score("x/1", 0.8, Origin.ELSEWHERE, "t"),
                score("x/1", 0.4, Origin.REPORTED, "u"),
            ],
            weights={"t": 0.75, "u": 0.25},
            not_measured={"x/1": "weights not on this machine"},
        )
    )
    first, second = found.ranking
    assert first.value == pytest.approx(0.7)
    assert first.origin is Origin.REPORTED
    assert "weights not on this machine" in first.reason
    assert (second.value, second.origin, second.standing) == (None, None, "not measured")
    assert found.winner is None
    assert found.summary == (
        "Nothing was measured, so nothing is recommended. Measure next, best first: x/1, y/2."
    )


def test_an_arm_that_failed_is_not_measured_and_not_last_among_the_measured():
    base = evidence(A=STRONG, const=WEAK)
    broken = Arm(name="B Q3", model="B", backend="hf")
    found = conclude(
        Evidence(
            base.measurements,
            base.comparisons,
            base.weights,
            selected=[
                Selected(model="B", s=0.9, sigma=1, benchmark_term=0, known_cells=0, cells=1)
            ],
            arms=[*base.arms, broken],
            not_measured={"B Q3": "the back end failed its probe"},
        )
    )
    assert standing(found) == {"A": "winner", "B Q3": "not measured"}
    assert found.ranking[-1].reason == "the back end failed its probe"
    assert found.ranking[-1].value is None


def test_few_items_and_remarks_become_caveats():
    found = conclude(evidence(A=STRONG, const=WEAK))
    assert any("24 items are few" in caveat for caveat in found.caveats)


def test_comparisons_are_paired_and_leave_missing_out():
    (found,) = compare(results_of(A="11.1", B="1001"), {})
    assert (found.a, found.b, found.n) == ("A", "B", 3)
    assert found.difference == pytest.approx(1 / 3)
    assert compare(results_of(A="1", B="."), {}) == []


def test_benchmarks_are_pooled_by_weight():
    other = [one.model_copy(update={"benchmark": "u"}) for one in results_of(A="00", B="11")]
    results = [*results_of(A="1111", B="0000"), *other]
    (found,) = compare(results, {"t": 0.9, "u": 0.1})
    assert found.difference == pytest.approx(0.8)
    (even,) = compare(results, {})
    assert even.difference == pytest.approx(0)


def clock():
    return datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
def deps(tmp_path):
    runner = SimpleNamespace(items=lambda benchmark, n, seed: [str(i) for i in range(n)])
    made = SimpleNamespace(clock=clock, ledger=Ledger(tmp_path / "l.sqlite", clock), runner=runner)
    yield made
    made.ledger.close()


def dossier_of(arms, items):
    steps = tuple(
        Step(
            arm=arm,
            benchmark="t",
            protocol="p",
            items=items,
            usd_low=0,
            usd=0,
            usd_high=0,
            minutes_low=0,
            minutes=0,
            minutes_high=0,
        )
        for arm in arms
    )
    return {
        "thread": "t",
        "run": "r",
        "requirements": Requirements(text="x"),
        "benchmarks": [BenchmarkChoice(task="t", weight=1, reason="")],
        "plan": Plan(thread="t", run="r", steps=steps, seed=5, cap_usd=0),
    }


def test_the_ledgers_results_lead_to_the_decision(deps):
    arms = [
        Arm(name="A", model="o/a", backend="hf"),
        Arm(name=CONSTANT, model=CONSTANT, backend="constant"),
    ]
    dossier = dossier_of(arms, 24)
    for result in results_of(A=STRONG, const=WEAK):
        arm = arms[result.arm == CONSTANT]
        protocol = "p" if arm is arms[0] else "p · 24 items of seed 5"
        deps.ledger.keep(arm, protocol, result)
    dossier["measurements"] = measure(dossier["plan"], deps)
    decision = decide(dossier, deps)
    assert decision.winner == "A"
    assert decision.at == "2026-01-02T00:00:00+00:00"
    (comparison,) = decision.comparisons
    assert comparison.n == 24
    assert comparison.difference == pytest.approx(18 / 24)


def test_a_refused_plan_ends_in_free_evidence_only(deps):
    dossier = dossier_of([Arm(name="A", model="o/a", backend="hf")], 24)
    dossier["approval"] = SimpleNamespace(decision="refuse")
    decision = decide(dossier, deps)
    assert decision.winner is None
    assert decision.measurements == ()
    assert decision.ranking[0].reason == "the plan was refused"


def test_no_plan_at_all_still_decides(deps):
    decision = decide({"thread": "t", "run": "r"}, deps)
    assert decision.summary == "Nothing was measured, so nothing is recommended."
    assert decision.spent_usd == 0
