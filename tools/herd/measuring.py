"""Paying for and measuring items of one arm: reserved before, settled after, kept at once.

A crash between reserving and settling leaves the reserve spent, not unpaid work; a result is in
the ledger before the next item begins, so nothing is ever paid twice.

Several arms may be measured at once. Money is reserved and settled here, in one place and one at
a time, wherever the work itself is done, so the cap holds for all of them together: it counts
what every arm in flight has reserved.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from memory.records import CONSTANT
from tools.deps import Progress
from tools.herd.contamination import unchecked
from tools.herd.judging import Grader, Stopped
from tools.plans.estimating import Estimator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from memory.ledger import Budget
    from memory.records import Arm, Contamination, ItemResult, Plan, Step
    from tools.clients.backends.log_probs import TextLogProb
    from tools.deps import Deps
    from tools.herd.turns import Turns

T = TypeVar("T")

LEAST_LOADING = 0.1
"""Seconds reserved for loading at the least: what reserves nothing would pass the cap unasked."""


@dataclass
class Meter:
    """Measures the arms of one plan within ``budget``, until ``stop`` gives a reason not to.

    Whoever measures holds ``turns``, which is let go only while a back end works.
    """

    plan: Plan
    deps: Deps
    budget: Budget
    stop: Callable[[], str | None]
    turns: Turns
    _loading: dict[str, float] = field(default_factory=dict)

    @cached_property
    def grader(self) -> Grader:
        """Who asks the judges, out of the same budget."""
        return Grader(self.plan, self.deps, self.budget, self.turns)

    @cached_property
    def _estimator(self) -> Estimator:
        """From what the ledger has of other runs."""
        return Estimator.of(self.deps, self.plan.run)

    def measure(self, arm: Arm, items: Mapping[str, Sequence[str]]) -> Iterator[ItemResult]:
        """Yield a result for each of the items (by benchmark), the arm's probe before its first.

        Raises:
            Stopped: ``stop`` gave a reason; the free constant answer always goes on.
            NotApproved: the next item would pass the cap.
            BackendUntrustworthy: the arm failed its probe.
        """
        if arm.name not in self._loading:
            self._loading[arm.name] = self._probe(arm)
        for benchmark, todo in items.items():
            step = next(s for s in self.plan.steps if (s.arm, s.benchmark) == (arm, benchmark))
            yield from self._run(step, todo)

    def check(self, step: Step) -> Contamination:
        """What is known, or can be found out, of the step's contamination; paid for once.

        Raises as ``measure`` does, and ValueError when the log-probabilities are no numbers.
        """
        arm = step.arm
        check = self._estimator.checks.of(arm, step.benchmark)
        if isinstance(check, str):
            return unchecked(arm, step.benchmark, check)
        if known := self.deps.ledger.check(arm, step.benchmark, check.key):
            return known
        if arm.name not in self._loading:
            self._loading[arm.name] = self._probe(arm)
        what = f"{step.benchmark}: contamination check of {arm.name}"
        told: list[TextLogProb | str] = []
        with (
            self._paid(what, self._price(check.seconds[2])),
            _closing(check.ask()) as found,
        ):
            for done in range(check.asked):
                self.deps.progress(Progress(what, done, check.asked))
                self._go_on(step)
                told.append(next(found))
            concluded = check.conclude(told)
            self.deps.ledger.keep_check(arm, check.key, concluded)
        self.deps.progress(Progress(what, len(told), len(told)))
        return concluded

    def _probe(self, arm: Arm) -> float:
        """Load and probe; dollars that were reserved for it."""
        if arm.model == CONSTANT:
            return 0.0
        first = self._first(arm)
        self._go_on(first)
        what = f"probe {arm.name}"
        expected = self._estimator.seconds(arm, first.benchmark, 0, loaded=False).high
        seconds = max(expected, LEAST_LOADING)
        # History that came after the plan must not reserve more than was approved for the step.
        loading = min(self._price(seconds), first.usd_high - first.judge_usd_high)
        self.deps.ledger.expect(
            self._estimator.forecast_loading(self.plan.run, arm, first.benchmark, what)
        )
        with self._paid(what, loading) as bill:
            self.deps.progress(Progress(what, 0))
            with self.turns.elsewhere(), bill.timed():  # waiting for one's turn costs nothing
                self.deps.runner.probe(arm)
        return loading

    def _run(self, step: Step, todo: Sequence[str]) -> Iterator[ItemResult]:
        what = f"{step.benchmark}: {step.arm.name}"
        if step.judges:
            self.grader.panel(step)  # whoever can't be graded need not answer
        reserve = self._reserve(step)
        if step.arm.model != CONSTANT:
            self.deps.ledger.expect(
                self._estimator.forecast_item(self.plan.run, step.arm, step.benchmark, what)
            )
        before = len(kept(step, self.plan, self.deps)) if step.arm.model != CONSTANT else 0
        written = self.grader.answers(step)
        fresh = [item for item in todo if item not in written]
        with _closing(self.deps.runner.run(step.arm, step.benchmark, fresh)) as outcomes:
            for done, item in enumerate(todo, before):
                self.deps.progress(Progress(what, done, step.items))
                self._go_on(step)
                if (found := written.get(item)) is None:
                    found = self._next(step, outcomes, fresh, what, reserve)
                elif not step.judges:
                    self.deps.ledger.keep(step.arm, _key(step, self.plan), found)
                if found is None:
                    return
                yield self._graded(step, found) if step.judges else found
        self.deps.progress(Progress(what, before + len(todo), step.items))

    def _next(
        self,
        step: Step,
        outcomes: Iterator[ItemResult],
        asked: Sequence[str],
        what: str,
        reserve: float,
    ) -> ItemResult | None:
        """The back end's next result, paid for and kept; None when it has no more."""
        with self._paid(what, reserve) as bill:
            with self.turns.elsewhere():
                result = next(outcomes, None)
            if result is None:
                return None
            _check(result, step, asked)
            bill.seconds, bill.usd = result.seconds, result.usd
            cost = result.usd + self._price(result.seconds)
            paid = result.model_copy(update={"usd": cost, "run": self.plan.run})
            if step.judges:
                self.grader.keep_answer(step, paid)
            else:
                self.deps.ledger.keep(step.arm, _key(step, self.plan), paid)
        return paid

    def _graded(self, step: Step, answer: ItemResult) -> ItemResult:
        """An answer with its judges' score, kept when that is final; their chat pays for them."""
        result, final = self.grader.grade(step, answer)
        if final:
            self.deps.ledger.keep(step.arm, _key(step, self.plan), result)
        return result

    def _reserve(self, step: Step) -> float:
        """Dollars to reserve for one item: the step's upper price, less loading, check and judges.

        Where those may take all of the step, an item still gets its share of it: one without a
        reserve would pass the cap unasked.
        """
        loading = self._loading[step.arm.name] if step == self._first(step.arm) else 0.0
        check = self._estimator.checks.seconds(step.arm, step.benchmark)[2]
        own = max(step.usd_high - step.judge_usd_high, 0.0)
        spare = own - loading - self._price(check)
        share = (spare if spare > 0 else own) / max(step.items - step.reused, 1)
        if share > 0 or step.arm.model == CONSTANT:
            return share
        # All of it was paid for when it was planned, and yet something is to be measured.
        one = self._estimator.seconds(step.arm, step.benchmark, 1, loaded=True)
        return self._price(one.high)

    def _first(self, arm: Arm) -> Step:
        """The step that pays for loading: the first with work to do."""
        steps = [step for step in self.plan.steps if step.arm == arm]
        return next((step for step in steps if step.minutes_high > 0), steps[0])

    def _go_on(self, step: Step) -> None:
        free = step.arm.model == CONSTANT and not step.judges
        if not free and (reason := self.stop()):
            raise Stopped(reason)

    @contextmanager
    def _paid(self, what: str, reserve: float) -> Iterator[_Bill]:
        """Reserve, do it, settle. Time is what the back end says, else what the clock says."""
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
    def timed(self) -> Iterator[None]:
        """Count what is done meanwhile and nothing else."""
        begin = time.monotonic()
        try:
            yield
        finally:
            self.seconds = time.monotonic() - begin


def items(step: Step, plan: Plan, deps: Deps) -> list[str]:
    """The ids of a step's items, in the order they were drawn."""
    return deps.runner.items(step.benchmark, step.items, plan.seed)


def kept(step: Step, plan: Plan, deps: Deps) -> dict[str, ItemResult]:
    """What the ledger has of a step's items, by item id."""
    held = deps.ledger.done(step.arm, step.benchmark, _key(step, plan))
    return {item: held[item] for item in items(step, plan, deps) if item in held}


def _key(step: Step, plan: Plan) -> str:
    """The protocol a result is kept under; the constant answer's includes its sample."""
    if step.arm.model == CONSTANT:
        return f"{step.protocol} · {step.items} items of seed {plan.seed}"
    return step.protocol


def _check(result: ItemResult, step: Step, asked: Sequence[str]) -> None:
    if result.item not in asked or result.benchmark != step.benchmark:
        raise ValueError(f"the back end answered {result.item!r}, which it was not asked")
    if result.correct is not None and not 0 <= result.correct <= 1:
        raise ValueError(f"the back end graded {result.item!r} {result.correct}, not in [0, 1]")


@contextmanager
def _closing(outcomes: Iterator[T]) -> Iterator[Iterator[T]]:
    """A generator that holds a worker process lets go of it on exit, not some day."""
    try:
        yield outcomes
    finally:
        if isinstance(outcomes, Generator):
            outcomes.close()
