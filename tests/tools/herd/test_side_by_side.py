"""Several arms in flight at once: the cap holds for all together, and all end together."""

import signal
import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from memory.ledger import Ledger
from memory.records import CONSTANT, Approval, Arm, ItemResult, Plan, Step
from memory.scores import Scores
from memory.sqlite import StoreUnavailable
from tools import herd_runner
from tools.clients.backends.lm_eval_process import ArmFailed
from tools.deps import silent

ARMS = [Arm(name=name, model=f"o/{name}", backend="hf") for name in ("a", "b", "c")]
NULL = Arm(name=CONSTANT, model=CONSTANT, backend="constant")
POOL = [f"i{n}" for n in range(24)]


@dataclass
class Cluster:
    """A runner with three places, whose arms are equal, and hang after ``hang_after`` items."""

    at_once: int = 3
    seconds_per_item: float = 0.002
    hang_after: int | None = None
    asked: list = field(default_factory=list)
    meet: threading.Barrier | None = None
    closed: threading.Event = field(default_factory=threading.Event)
    hanging: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def items(self, benchmark, n, seed):
        return POOL[:n]

    def seconds(self, arm, benchmark, items):
        return 0.0, 0.0, 0.0

    def probe(self, arm):
        pass

    def run(self, arm, benchmark, items):
        for item in items:
            self._compute(arm)
            self.asked.append((arm.name, item))
            yield ItemResult(
                arm=arm.name,
                benchmark=benchmark,
                item=item,
                correct=float(int(item[1:]) % 2),
                seconds=0.0 if arm is NULL else 1.0,
            )

    def _compute(self, arm):
        if arm is NULL:
            return
        if self.meet is not None:
            self.meet.wait(20)
        if sum(arm.name == name for name, _ in self.asked) == self.hang_after:
            self.hanging.release()
            assert self.closed.wait(20)
        if self.closed.wait(self.seconds_per_item):
            raise ArmFailed("The evaluation process ended.")

    def close(self):
        self.closed.set()


def plan_of(cap=10.0):
    steps = tuple(
        Step(
            arm=arm,
            benchmark="t",
            protocol="p",
            items=len(POOL),
            usd_low=usd,
            usd=usd,
            usd_high=usd,
            minutes_low=0,
            minutes=1,
            minutes_high=1,
        )
        for arm in (*ARMS, NULL)
        for usd in [0.0 if arm is NULL else len(POOL) * 0.01]
    )
    return Plan(thread="t", run="r", steps=steps, seed=3, cap_usd=cap)


@pytest.fixture
def deps(tmp_path):
    def clock():
        return datetime(2026, 1, 2, tzinfo=UTC)

    made = SimpleNamespace(
        clock=clock,
        ledger=Ledger(tmp_path / "ledger.sqlite", clock),
        scores=Scores(tmp_path / "scores.sqlite", bundled=None),
        runner=Cluster(),
        usd_per_hour=36.0,  # a cent an item
        progress=silent,
    )
    yield made
    made.ledger.close()
    made.scores.close()


def approved(plan, deps):
    approval = Approval(plan=plan.hash, decision="approve", by="me", surface="test", at="now")
    deps.ledger.record_approval(approval)
    return approval


def of_arms(asked):
    return [one for one in asked if one[0] != CONSTANT]


def spent_over_time(deps):
    """What was spent and reserved after each line of the ledger."""
    total, course = 0.0, []
    for line in deps.ledger.entries("r"):
        total += line.usd
        course.append(total)
    return course


def test_a_rounds_arms_are_measured_side_by_side_with_the_same_outcome(deps):
    deps.runner.meet = threading.Barrier(3)  # no item is done unless three arms are at one
    plan = plan_of()
    result = herd_runner.run(plan, approved(plan, deps), deps)
    assert result.failed == {}
    assert Counter(arm for arm, _ in of_arms(deps.runner.asked)) == dict.fromkeys("abc", 24)
    for one in result.measurements[:3]:
        assert (one.value, one.n) == (0.5, 24)
        assert one.usd == pytest.approx(0.24)
    assert result.usd == pytest.approx(0.72, abs=0.01)


@pytest.mark.parametrize("cap", [0.0, 0.005, 0.125, 0.3])
def test_the_cap_holds_with_several_arms_in_flight(deps, cap):
    plan = plan_of(cap)
    result = herd_runner.run(plan, approved(plan, deps), deps)
    assert max(spent_over_time(deps), default=0.0) <= cap + 1e-6
    done = of_arms(deps.runner.asked)
    assert len(done) <= cap / 0.01 + 1e-6
    assert len(done) >= cap / 0.01 - 3  # what others have reserved ends it that much early
    assert "left" in result.stopped
    assert set(result.failed) == {"a", "b", "c"}
    kept = [one for one in herd_runner.results(plan, deps) if one.arm != CONSTANT]
    assert sorted((one.arm, one.item) for one in kept) == sorted(done)


def test_a_reason_to_stop_ends_all_arms_between_items(deps):
    plan = plan_of()
    done = deps.runner.asked
    result = herd_runner.run(
        plan, approved(plan, deps), deps, stop=lambda: "enough" if len(of_arms(done)) > 9 else None
    )
    assert result.stopped == "enough"
    assert 10 <= len(of_arms(done)) <= 12
    assert not deps.runner.closed.is_set()
    assert set(result.failed) == {"a", "b", "c"}


def test_ctrl_c_ends_arms_that_hang_and_the_next_run_pays_nothing_twice(deps):
    threads = threading.active_count()
    deps.runner.hang_after = 3
    plan = plan_of()
    approval = approved(plan, deps)

    def interrupt():
        for _ in ARMS:
            assert deps.runner.hanging.acquire(timeout=10)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    interrupter = threading.Thread(target=interrupt, daemon=True)
    interrupter.start()
    with pytest.raises(KeyboardInterrupt):
        herd_runner.run(plan, approval, deps)
    interrupter.join(10)
    assert threading.active_count() == threads
    before = of_arms(deps.runner.asked)
    assert Counter(arm for arm, _ in before) == dict.fromkeys("abc", 3)

    deps.runner = Cluster()
    result = herd_runner.run(plan, approval, deps)
    assert [one.n for one in result.measurements] == [24] * 4
    assert not set(before) & set(deps.runner.asked)
    assert all(one.usd == pytest.approx(0.24) for one in result.measurements[:3])


def test_a_full_disk_ends_all_arms(deps):
    threads = threading.active_count()
    deps.runner.hang_after = 3
    plan = plan_of()
    approval = approved(plan, deps)
    keep, kept = deps.ledger.keep, []

    def full(arm, protocol, result):
        kept.append((arm.name, result.item))
        if len(of_arms(kept)) == 5:
            raise StoreUnavailable("the disk is full")
        keep(arm, protocol, result)

    deps.ledger.keep = full
    with pytest.raises(StoreUnavailable, match="disk is full"):
        herd_runner.run(plan, approval, deps)
    assert threading.active_count() == threads
