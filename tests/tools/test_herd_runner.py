"""HERD stage 1: crashes, caps, stops, liars; nothing is paid twice and nothing invented."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from memory.errors import BackendUntrustworthy, BadRequest, NotApproved
from memory.ledger import Ledger
from memory.records import CONSTANT, Approval, Arm, ItemResult, Origin, Plan, Step
from memory.scores import Scores
from memory.sqlite import StoreUnavailable
from tools import herd_runner
from tools.choosing.comparing import compare
from tools.deps import silent
from tools.herd.race import HerdRace

GOOD = Arm(name="good Q4", model="o/good", backend="hf", precision="Q4")
BAD = Arm(name="bad", model="o/bad", backend="hf")
NULL = Arm(name=CONSTANT, model=CONSTANT, backend="constant")
POOL = [f"i{n}" for n in range(20)]


@dataclass
class Bench:
    """A runner whose arms answer each item right or not, in a fixed way, a second an item."""

    right: dict[str, set[str]]
    breaks: dict[str, dict[str, BaseException | None]] = field(default_factory=dict)
    untrusted: set[str] = field(default_factory=set)
    asked: list[tuple[str, str]] = field(default_factory=list)
    probed: list[str] = field(default_factory=list)
    closed: int = 0
    at_once: int = 1

    def items(self, benchmark, n, seed):
        return POOL[:n]

    def seconds(self, arm, benchmark, items):
        return 0.0, 0.0, 0.0

    def probe(self, arm):
        self.probed.append(arm.name)
        if arm.name in self.untrusted:
            raise BackendUntrustworthy(f"{arm.name} fails the known answers")

    def run(self, arm, benchmark, items):
        try:
            for item in items:
                self.asked.append((arm.name, item))
                if (trouble := self.breaks.get(arm.name, {}).pop(item, None)) is not None:
                    raise trouble
                correct = None if item == "i19" else float(item in self.right[arm.name])
                yield ItemResult(
                    arm=arm.name,
                    benchmark=benchmark,
                    item=item,
                    correct=correct,
                    seconds=0.0 if arm is NULL else 1.0,
                )
        finally:
            self.closed += 1


def step(arm, items=10):
    usd = 0.0 if arm is NULL else items * 0.01
    return Step(
        arm=arm,
        benchmark="t",
        protocol="p",
        items=items,
        usd_low=usd,
        usd=usd,
        usd_high=usd,
        minutes_low=0,
        minutes=items / 60,
        minutes_high=items / 60,
    )


def plan_of(*arms, cap=10.0, items=10, run="r"):
    return Plan(
        thread="t", run=run, steps=tuple(step(arm, items) for arm in arms), seed=3, cap_usd=cap
    )


def approved(plan, deps):
    approval = Approval(plan=plan.hash, decision="approve", by="me", surface="test", at="now")
    deps.ledger.record_approval(approval)
    return approval


@pytest.fixture
def bench():
    return Bench({GOOD.name: set(POOL[:8]), BAD.name: set(POOL[:3]), CONSTANT: set(POOL[5:9])})


@pytest.fixture
def deps(tmp_path, bench):
    def clock():
        return datetime(2026, 1, 2, tzinfo=UTC)

    made = SimpleNamespace(
        clock=clock,
        ledger=Ledger(tmp_path / "ledger.sqlite", clock),
        scores=Scores(tmp_path / "scores.sqlite", bundled=None),
        runner=bench,
        usd_per_hour=36.0,
        progress=silent,
    )
    yield made
    made.ledger.close()
    made.scores.close()


def values(result):
    return {one.arm: one.value for one in result.measurements}


def test_every_arm_is_measured_on_the_same_items(deps, bench):
    plan = plan_of(GOOD, BAD, NULL)
    result = herd_runner.run(plan, approved(plan, deps), deps)
    assert values(result) == {GOOD.name: 0.8, BAD.name: 0.3, CONSTANT: 0.4}
    assert result.failed == {}
    assert result.stopped is None
    assert bench.probed == [GOOD.name, BAD.name]
    good = result.measurements[0]
    assert (good.low, good.high) == pytest.approx((0.541, 0.931), abs=1e-3)
    assert good.n == 10
    assert good.usd == pytest.approx(0.1)


def test_time_is_paid_at_the_rate_and_reserves_are_settled(deps):
    plan = plan_of(GOOD, NULL)
    result = herd_runner.run(plan, approved(plan, deps), deps)
    # 10 item-seconds at 0.01 dollars, plus the moment the probe took; the baseline is free.
    assert result.usd == pytest.approx(0.1, abs=0.01)
    assert result.seconds == pytest.approx(10, abs=1)
    lines = deps.ledger.entries("r")
    assert sum(line.what.startswith("reserve: ") for line in lines) == 11  # ten items and the probe


def test_scores_are_written_once_with_origin_protocol_and_precision(deps):
    plan = plan_of(GOOD, NULL)
    approval = approved(plan, deps)
    herd_runner.run(plan, approval, deps)
    herd_runner.run(plan, approval, deps)
    (score,) = deps.scores.known(["o/good"], ["t"])
    assert score.origin is Origin.MEASURED
    assert (score.protocol, score.precision, score.n, score.run) == ("p", "Q4", 10, "r")
    assert score.low < score.value < score.high


def test_nothing_runs_twice(deps, bench):
    plan = plan_of(GOOD, BAD, NULL)
    approval = approved(plan, deps)
    first = herd_runner.run(plan, approval, deps)
    bench.asked.clear()
    bench.probed.clear()
    again = herd_runner.run(plan, approval, deps)
    assert again == first
    assert bench.asked == bench.probed == []


def test_a_kill_between_items_loses_no_item_and_pays_none_twice(deps, bench):
    bench.breaks = {GOOD.name: {"i6": KeyboardInterrupt()}}
    plan = plan_of(GOOD, NULL)
    approval = approved(plan, deps)
    with pytest.raises(KeyboardInterrupt):
        herd_runner.run(plan, approval, deps)
    assert bench.closed == 2  # the baseline's and this arm's
    result = herd_runner.run(plan, approval, deps)
    assert values(result) == {GOOD.name: 0.8, CONSTANT: 0.4}
    asked = Counter(item for arm, item in bench.asked if arm == GOOD.name)
    assert asked == Counter([*POOL[:10], "i6"])


@pytest.mark.parametrize(
    "trouble", [RuntimeError("out of memory"), ValueError("garbage"), OSError("gone")]
)
def test_a_crashed_arm_keeps_what_it_has_and_the_others_go_on(deps, bench, trouble):
    bench.breaks = {BAD.name: {"i4": trouble}}
    plan = plan_of(BAD, GOOD, NULL)
    result = herd_runner.run(plan, approved(plan, deps), deps)
    assert result.failed == {BAD.name: str(trouble)}
    bad, good, _ = result.measurements
    before = [item for arm, item in bench.asked if arm == BAD.name][:-1]
    assert (bad.n, bad.missing) == (len(before), 10 - len(before))
    assert bad.value == sum(item in bench.right[BAD.name] for item in before) / len(before)
    assert good.n == 10


def test_an_arm_that_fails_its_probe_is_never_scored(deps, bench):
    bench.untrusted = {BAD.name}
    plan = plan_of(BAD, GOOD, NULL)
    result = herd_runner.run(plan, approved(plan, deps), deps)
    assert set(values(result)) == {GOOD.name, CONSTANT}
    assert result.failed == {BAD.name: "bad fails the known answers"}
    assert all(arm != BAD.name for arm, _ in bench.asked)
    assert deps.scores.known(["o/bad"], ["t"]) == []


def test_an_unreadable_answer_is_missing_not_wrong(deps):
    plan = plan_of(GOOD, NULL, items=20)
    good, _ = herd_runner.run(plan, approved(plan, deps), deps).measurements
    assert (good.n, good.missing) == (19, 1)
    assert good.value == pytest.approx(8 / 19)


def test_the_cap_stops_between_items_and_the_baseline_still_runs(deps, bench):
    plan = plan_of(GOOD, BAD, NULL, cap=0.055)
    result = herd_runner.run(plan, approved(plan, deps), deps)
    good, constant = result.measurements
    assert (good.arm, good.n, good.missing) == (GOOD.name, 5, 5)
    assert constant.n == 10
    assert "left" in result.stopped
    assert result.failed == {GOOD.name: result.stopped, BAD.name: result.stopped}
    assert BAD.name not in bench.probed


def test_stop_is_asked_between_items(deps, bench):
    plan = plan_of(GOOD, BAD, NULL)
    answers = iter([None] * 4 + ["time is up"] * 99)  # before the arm, then three items
    result = herd_runner.run(plan, approved(plan, deps), deps, stop=lambda: next(answers))
    good, constant = result.measurements
    assert (good.n, constant.n) == (3, 10)
    assert result.stopped == "time is up"
    assert result.failed == {GOOD.name: "time is up", BAD.name: "time is up"}
    assert bench.closed >= 1


def test_without_a_valid_approval_nothing_is_asked(deps, bench):
    plan = plan_of(GOOD, NULL)
    approval = approved(plan, deps)
    refused = approval.model_copy(update={"decision": "refuse"})
    for other, answer in [(plan_of(GOOD, BAD, NULL), approval), (plan, refused)]:
        with pytest.raises(NotApproved):
            herd_runner.run(other, answer, deps)
    assert bench.asked == bench.probed == []


def test_a_full_disk_ends_the_run_instead_of_blaming_the_arm(deps, bench):
    plan = plan_of(GOOD, BAD, NULL)
    approval = approved(plan, deps)
    honest = bench.run
    bench.run = lambda arm, benchmark, items: (
        result.model_copy(update={"answer": "x" * 200_000})
        for result in honest(arm, benchmark, items)
    )
    connection = deps.ledger._connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count={pages + 8}")
    with pytest.raises(StoreUnavailable, match="disk is full"):
        herd_runner.run(plan, approval, deps)
    assert {arm for arm, _ in bench.asked} == {CONSTANT}


@pytest.mark.parametrize(
    "wrong", [{"item": "never asked"}, {"correct": 7.0}, {"correct": float("nan")}]
)
def test_a_back_end_that_talks_nonsense_is_an_arm_that_failed(deps, bench, wrong):
    honest = bench.run
    bench.run = lambda arm, benchmark, items: (
        result.model_copy(update=wrong if arm is BAD else {})
        for result in honest(arm, benchmark, items)
    )
    plan = plan_of(BAD, GOOD, NULL)
    result = herd_runner.run(plan, approved(plan, deps), deps)
    assert BAD.name in result.failed
    assert set(values(result)) == {GOOD.name, CONSTANT}


def test_results_are_those_of_this_plans_items(deps):
    longer, shorter = plan_of(GOOD, NULL), plan_of(GOOD, NULL, items=4, run="r2")
    herd_runner.run(longer, approved(longer, deps), deps)
    herd_runner.run(shorter, approved(shorter, deps), deps)
    found = [one.item for one in herd_runner.results(shorter, deps) if one.arm == GOOD.name]
    assert found == POOL[:4]


def test_a_stop_before_an_arm_saves_loading_it(deps, bench):
    plan = plan_of(GOOD, NULL)
    result = herd_runner.run(plan, approved(plan, deps), deps, stop=lambda: "enough")
    assert set(values(result)) == {CONSTANT}
    assert bench.probed == []


def test_what_an_earlier_run_paid_for_costs_nothing_and_is_no_new_score(deps):
    shorter, longer = plan_of(GOOD, NULL, items=6), plan_of(GOOD, NULL, run="r2")
    again = plan_of(GOOD, NULL, run="r3")
    herd_runner.run(shorter, approved(shorter, deps), deps)
    good = herd_runner.run(longer, approved(longer, deps), deps).measurements[0]
    assert (good.n, good.reused, good.seconds) == (10, 6, 4)
    assert good.usd == pytest.approx(0.04)
    free = herd_runner.run(again, approved(again, deps), deps).measurements[0]
    assert (free.value, free.reused, free.usd, free.seconds) == (good.value, 10, 0, 0)
    known = deps.scores.known(["o/good"], ["t"])
    assert [(one.n, one.run) for one in known] == [(6, "r"), (10, "r2")]
    assert [one.cost_usd for one in known] == pytest.approx([0.06, 0.04])


def test_progress_counts_items(deps):
    seen = []
    deps.progress = seen.append
    plan = plan_of(GOOD, NULL)
    herd_runner.run(plan, approved(plan, deps), deps)
    on = [one for one in seen if one.what == "t: good Q4"]
    assert list(dict.fromkeys(one.done for one in on)) == list(range(11))
    assert {one.total for one in on} == {10}


def test_the_constant_answer_is_always_chosen_for_the_whole_sample(deps, bench):
    bench.breaks = {CONSTANT: {"i6": RuntimeError("interrupted")}}
    plan = plan_of(GOOD, NULL)
    approval = approved(plan, deps)
    assert herd_runner.run(plan, approval, deps).failed == {CONSTANT: "interrupted"}
    bench.asked.clear()
    assert herd_runner.run(plan, approval, deps).measurements[1].n == 10
    assert [item for arm, item in bench.asked if arm == CONSTANT] == POOL[:10]


def test_results_from_before_a_failed_probe_are_not_scored(deps, bench):
    bench.breaks = {GOOD.name: {"i6": KeyboardInterrupt()}}
    plan = plan_of(GOOD, NULL)
    approval = approved(plan, deps)
    with pytest.raises(KeyboardInterrupt):
        herd_runner.run(plan, approval, deps)
    bench.untrusted = {GOOD.name}
    assert values(herd_runner.run(plan, approval, deps)) == {CONSTANT: 0.4}


def test_a_worker_is_let_go_even_when_something_still_holds_it(deps, bench):
    honest, held = bench.run, []

    def run(arm, benchmark, items):
        held.append(honest(arm, benchmark, items))
        return held[-1]

    bench.run = run
    plan = plan_of(GOOD, NULL)
    answers = iter([None, None, "enough"])
    herd_runner.run(plan, approved(plan, deps), deps, stop=lambda: next(answers))
    assert all(one.gi_frame is None for one in held)


def test_an_approved_plan_for_another_machine_spends_and_measures_nothing(deps, bench, monkeypatch):
    def unknown(*_):
        raise BadRequest("no local items")

    monkeypatch.setattr(bench, "items", unknown)
    steps = tuple(step(arm).model_copy(update={"here": False}) for arm in (GOOD, NULL))
    plan = plan_of().model_copy(update={"steps": steps})
    result = herd_runner.run(plan, approved(plan, deps), deps)
    assert result.failed == dict.fromkeys([GOOD.name, CONSTANT], herd_runner.NOT_HERE)
    assert result.measurements == []
    assert (result.usd, result.seconds) == (0, 0)
    assert deps.ledger.entries(plan.run) == []
    assert bench.probed == []
    assert bench.asked == []
    assert herd_runner.results(plan, deps) == []


def test_a_plan_for_another_machine_still_needs_its_own_approval(deps):
    steps = (step(GOOD).model_copy(update={"here": False}),)
    plan = plan_of().model_copy(update={"steps": steps})
    other = approved(plan_of(BAD), deps)
    with pytest.raises(NotApproved):
        herd_runner.run(plan, other, deps)


def test_an_arm_that_certainly_can_not_win_is_measured_no_further(deps, bench):
    """100 items apart: the hopeless arm and the baseline are out early, the winner is settled."""
    POOL_100 = [f"i{n}" for n in range(100)]
    bench.items = lambda benchmark, n, seed: POOL_100[:n]
    bench.right = {GOOD.name: set(POOL_100), BAD.name: set(), CONSTANT: set(POOL_100[:30])}
    plan = plan_of(GOOD, BAD, NULL, items=100)
    result = herd_runner.run(plan, approved(plan, deps), deps)
    asked = Counter(arm for arm, _ in bench.asked)
    assert asked[BAD.name] < 40
    assert asked[GOOD.name] < 60
    assert asked[CONSTANT] == 100
    assert result.failed == {}
    end = HerdRace.of(plan, bench, herd_runner.results(plan, deps)).end()
    assert end.leader == GOOD.name
    assert end.certain
    assert set(end.out) == {BAD.name, CONSTANT}
    assert result.usd < 0.6 * plan.usd


def test_what_a_race_decided_is_compared_at_any_time_and_the_rest_exactly(deps, bench):
    """Ended by items: the exact test; ended by the answers: the confidence sequence."""
    plan = plan_of(GOOD, BAD, NULL)
    herd_runner.run(plan, approved(plan, deps), deps)
    results = herd_runner.results(plan, deps)
    race = HerdRace.of(plan, bench, results)
    assert not race.end().certain
    exact = {(one.a, one.b): one for one in compare(results, {})}
    for one in race.comparisons(results, {}):
        wider = {one.a, one.b} & race.end().out.keys()
        assert (one == exact[one.a, one.b]) == (not wider)
