"""HERD stage 1: measure exactly the approved plan, item by item, and never pay twice.

The approval is checked again here, against the ledger, before anything runs. Every result is
kept the moment it is known; a run that was killed goes on with the items that are missing.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

from memory.errors import BackendUntrustworthy, MirrorError, NotApproved
from memory.records import CONSTANT, Measurement, Origin, Score
from memory.sqlite import StoreUnavailable
from tools.deps import Progress
from tools.methods.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from memory.ledger import Budget
    from memory.records import Approval, Arm, ItemResult, Plan, Step
    from tools.deps import Deps

# What a back end can do to one arm. Anything else is a bug of ours and ends the run.
ARM_FAILURES = (MirrorError, OSError, RuntimeError, ValueError, MemoryError)
NOT_HERE = (
    "its weights or the items are not on this machine; where both are, run mirror select again"
    " with MIRROR_MODELS_DIR naming the weights' folder"
)


@dataclass(frozen=True)
class HerdResult:
    """What a run measured. ``failed``: why an arm has no or fewer results than planned.

    ``stopped`` says why the run ended early, None when it did not. ``usd`` and ``seconds``:
    what the ledger has for the run, an earlier part before a crash included.
    """

    measurements: list[Measurement]
    failed: dict[str, str] = field(default_factory=dict)
    stopped: str | None = None
    usd: float = 0.0
    seconds: float = 0.0


def run(
    plan: Plan, approval: Approval, deps: Deps, stop: Callable[[], str | None] = lambda: None
) -> HerdResult:
    """Measure the arms of ``plan``, each after its probe, on the same random items.

    ``stop`` is asked before each arm and each item and answers with a reason to end, as does the
    cap; what was measured until then counts and what was not is missing, never zero. An arm that
    fails is reported and the next one goes on, as is one whose steps this machine can't run: it
    is not tried and nothing is spent on it.
    Every measurement is written to ``deps.scores``.

    Raises:
        NotApproved: ``approval`` is not for exactly this plan, or another run used it.
    """
    evaluation = _Evaluation(plan, deps, deps.ledger.open(plan, approval), stop)
    failed: dict[str, str] = {}
    untrusted: set[str] = set()
    stopped: str | None = None
    for arm, steps in groupby(plan.steps, key=lambda step: step.arm):
        # The constant answer is free: without it nothing measured so far could be judged.
        if stopped and arm.model != CONSTANT:
            failed[arm.name] = stopped
            continue
        todo = [step for step in steps if step.here]
        if not todo:
            failed[arm.name] = NOT_HERE
            continue
        try:
            evaluation.measure(arm, todo)
        except (NotApproved, _Stopped) as reason:
            stopped = failed[arm.name] = str(reason)
        except StoreUnavailable:
            raise
        except BackendUntrustworthy as error:
            failed[arm.name] = str(error)
            untrusted.add(arm.name)
        except ARM_FAILURES as error:
            failed[arm.name] = str(error) or type(error).__name__
    measurements = [one for one in measure(plan, deps) if one.arm not in untrusted]
    arms = {step.arm.name: step.arm for step in plan.steps}
    deps.scores.add(_score(one, arms[one.arm], plan, deps) for one in measurements)
    return HerdResult(
        measurements, failed, stopped, deps.ledger.spent(plan.run), deps.ledger.seconds(plan.run)
    )


def results(plan: Plan, deps: Deps) -> list[ItemResult]:
    """Every result the ledger has for the steps and items of ``plan``, in the plan's order."""
    return [
        kept[item]
        for step in plan.steps
        if step.here
        for kept in [_kept(step, plan, deps)]
        for item in _items(step, plan, deps)
        if item in kept
    ]


def measure(plan: Plan, deps: Deps) -> list[Measurement]:
    """The measurement of each step of ``plan`` that has a result: mean and Wilson interval."""
    measured = (
        _measurement(step, plan, [kept[item] for item in _items(step, plan, deps) if item in kept])
        for step in plan.steps
        if step.here
        for kept in [_kept(step, plan, deps)]
    )
    return [measurement for measurement in measured if measurement is not None]


class _Stopped(Exception):
    """``stop`` gave a reason to end the run between two items."""


@dataclass(frozen=True)
class _Evaluation:
    plan: Plan
    deps: Deps
    budget: Budget
    stop: Callable[[], str | None]

    def measure(self, arm: Arm, steps: Sequence[Step]) -> None:
        """Probe the arm, then run what is missing of its steps."""
        todo = {step.benchmark: self._todo(step) for step in steps}
        if not any(todo.values()):
            return
        loading = 0.0
        if arm.model != CONSTANT:
            self._go_on(arm)
            loading = self._price(self.deps.runner.seconds(arm, steps[0].benchmark, 1)[2])
            with self._paid(f"probe {arm.name}", loading):
                self.deps.progress(Progress(f"probe {arm.name}", 0))
                self.deps.runner.probe(arm)
        for step in steps:
            if todo[step.benchmark]:
                self._run(step, todo[step.benchmark], max(step.usd_high - loading, 0.0))
            loading = 0.0

    def _todo(self, step: Step) -> list[str]:
        items = _items(step, self.plan, self.deps)
        kept = _kept(step, self.plan, self.deps)
        missing = [item for item in items if item not in kept]
        # Which answer is the constant one depends on the whole sample.
        return items if missing and step.arm.model == CONSTANT else missing

    def _run(self, step: Step, todo: Sequence[str], usd_high: float) -> None:
        what = f"{step.benchmark}: {step.arm.name}"
        with _closing(self.deps.runner.run(step.arm, step.benchmark, todo)) as outcomes:
            for done in range(step.items - len(todo), step.items):
                self.deps.progress(Progress(what, done, step.items))
                self._go_on(step.arm)
                with self._paid(what, usd_high / step.items) as bill:
                    result = next(outcomes, None)
                    if result is None:
                        return
                    _check(result, step, todo)
                    bill.seconds, bill.usd = result.seconds, result.usd
                    cost = result.usd + self._price(result.seconds)
                    paid = result.model_copy(update={"usd": cost, "run": self.plan.run})
                    self.deps.ledger.keep(step.arm, _key(step, self.plan), paid)
        self.deps.progress(Progress(what, step.items, step.items))

    def _go_on(self, arm: Arm) -> None:
        """Raise _Stopped when there is a reason to; the free constant answer always goes on."""
        if arm.model != CONSTANT and (reason := self.stop()):
            raise _Stopped(reason)

    @contextmanager
    def _paid(self, what: str, reserve: float) -> Iterator[_Bill]:
        """Reserve, do it, settle: a crash in between leaves the reserve spent, not unpaid work.

        Time is what the back end says or, where it says nothing, what the clock says.
        """
        if reserve > 0:
            self.budget.spend(f"reserve: {what}", reserve)
        bill = _Bill()
        begin = time.monotonic()
        try:
            yield bill
        finally:
            seconds = time.monotonic() - begin if bill.seconds is None else bill.seconds
            self.budget.settle(what, reserve, bill.usd + self._price(seconds), seconds)

    def _price(self, seconds: float) -> float:
        return self.deps.usd_per_hour * seconds / 3600


@dataclass
class _Bill:
    """What one piece of work cost, filled in by who did it."""

    seconds: float | None = None
    usd: float = 0.0


@contextmanager
def _closing(outcomes: Iterator[ItemResult]) -> Iterator[Iterator[ItemResult]]:
    """A generator that holds a worker process lets go of it on exit, not some day."""
    try:
        yield outcomes
    finally:
        if isinstance(outcomes, Generator):
            outcomes.close()


def _items(step: Step, plan: Plan, deps: Deps) -> list[str]:
    return deps.runner.items(step.benchmark, step.items, plan.seed)


def _key(step: Step, plan: Plan) -> str:
    """The protocol a result is kept under; the constant answer's includes its sample."""
    if step.arm.model == CONSTANT:
        return f"{step.protocol} · {step.items} items of seed {plan.seed}"
    return step.protocol


def _kept(step: Step, plan: Plan, deps: Deps) -> dict[str, ItemResult]:
    return deps.ledger.done(step.arm, step.benchmark, _key(step, plan))


def _check(result: ItemResult, step: Step, asked: Sequence[str]) -> None:
    if result.item not in asked or result.benchmark != step.benchmark:
        raise ValueError(f"the back end answered {result.item!r}, which it was not asked")
    if result.correct is not None and not 0 <= result.correct <= 1:
        raise ValueError(f"the back end graded {result.item!r} {result.correct}, not in [0, 1]")


def _measurement(step: Step, plan: Plan, kept: Sequence[ItemResult]) -> Measurement | None:
    grades = [result.correct for result in kept if result.correct is not None]
    if not grades:
        return None
    low, high = wilson(sum(grades), len(grades))
    paid = [result for result in kept if result.run == plan.run]
    return Measurement(
        arm=step.arm.name,
        model=step.arm.model,
        benchmark=step.benchmark,
        protocol=step.protocol,
        value=sum(grades) / len(grades),
        low=low,
        high=high,
        n=len(grades),
        missing=step.items - len(grades),
        reused=len(kept) - len(paid),
        seconds=sum(result.seconds for result in paid),
        usd=sum(result.usd for result in paid),
    )


def _score(measured: Measurement, arm: Arm, plan: Plan, deps: Deps) -> Score:
    return Score(
        model=measured.model,
        revision=arm.revision,
        precision=arm.precision,
        benchmark=measured.benchmark,
        protocol=measured.protocol,
        value=measured.value,
        low=measured.low,
        high=measured.high,
        n=measured.n,
        origin=Origin.MEASURED,
        source=f"{arm.name} through {arm.backend}",
        date=deps.clock().date().isoformat(),
        cost_usd=measured.usd,
        run=plan.run,
    )
