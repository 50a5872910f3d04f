"""HERD stage 1: measure the approved plan as a race, item by item, and never pay twice.

The approval is checked again here, against the ledger, before anything runs. The constant
answer is free and goes first, on all items; then the arms race on growing samples of the same
items (``tools.herd.race``), and one that certainly can't win is measured no further. Every
result is kept the moment it is known; a run that was killed goes on with what is missing.

Where the runner has places for several arms (a cluster), those of a round are measured side by
side. The first that meets the cap stops all between items: with others' reserves in flight a few
items early, never late.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from memory.errors import BackendUntrustworthy, MirrorError, NotApproved
from memory.records import CONSTANT, Measurement, Origin, Score
from memory.sqlite import StoreUnavailable
from tools.herd.contamination import factors, unchecked
from tools.herd.judging import Stopped
from tools.herd.measuring import Meter, items, kept
from tools.herd.race import HerdRace
from tools.herd.turns import Turns
from tools.methods.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from memory.records import Approval, Arm, Contamination, ItemResult, Judging, Plan, Step
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
    what the ledger has for the run, an earlier part before a crash included. ``contamination``
    speaks of each measurement but the constant answer's, ``judging`` of each judged benchmark.
    """

    measurements: list[Measurement]
    failed: dict[str, str] = field(default_factory=dict)
    stopped: str | None = None
    usd: float = 0.0
    seconds: float = 0.0
    contamination: list[Contamination] = field(default_factory=list)
    judging: list[Judging] = field(default_factory=list)


def run(
    plan: Plan, approval: Approval, deps: Deps, stop: Callable[[], str | None] = lambda: None
) -> HerdResult:
    """Measure the arms of ``plan``, each after its probe, on the same random items.

    ``stop`` is asked before each arm and each item and answers with a reason to end, as does the
    cap; what was measured until then counts and what was not is missing, never zero. An arm that
    fails is reported and the others go on; one whose steps this machine can't run is not tried
    and nothing is spent on it. Every measurement is written to ``deps.scores``.

    Raises:
        NotApproved: ``approval`` is not for exactly this plan, or another run used it.
    """
    budget, turns = deps.ledger.open(plan, approval), Turns()
    meter = Meter(plan, deps, budget, lambda: course.stopped or stop(), turns)
    course = _Course(plan, deps, meter, HerdRace.of(plan, deps.runner))
    with turns:
        course.run()
    here = {step.arm.name for step in plan.steps if step.here}
    failed = {s.arm.name: NOT_HERE for s in plan.steps if s.arm.name not in here} | course.failed
    measurements = [one for one in measure(plan, deps) if one.arm not in course.untrusted]
    with turns:
        judging = course.judging()
        found = course.contamination({(one.arm, one.benchmark) for one in measurements})
    deps.scores.add(_score(one, plan, deps, found, judging) for one in measurements)
    usd, seconds = deps.ledger.spent(plan.run), deps.ledger.seconds(plan.run)
    return HerdResult(measurements, failed, course.stopped, usd, seconds, found, judging)


def results(plan: Plan, deps: Deps) -> list[ItemResult]:
    """Every result the ledger has for the steps and items of ``plan``, in the plan's order."""
    return [
        result for step in plan.steps if step.here for result in kept(step, plan, deps).values()
    ]


def measure(plan: Plan, deps: Deps) -> list[Measurement]:
    """The measurement of each step of ``plan`` that has a result: mean and Wilson interval."""
    measured = (
        _measurement(step, plan, list(kept(step, plan, deps).values()))
        for step in plan.steps
        if step.here
    )
    return [measurement for measurement in measured if measurement is not None]


@dataclass
class _Course:
    """One run of the race: which arms failed on the way, and what stopped it."""

    plan: Plan
    deps: Deps
    meter: Meter
    herd: HerdRace | None
    failed: dict[str, str] = field(default_factory=dict)
    untrusted: set[str] = field(default_factory=set)
    stopped: str | None = None

    def run(self) -> None:
        """The baseline on every item, then round after round until the race is over or stopped."""
        if self.herd is None:
            return
        for result in results(self.plan, self.deps):
            if result.arm != CONSTANT:
                self.herd.tell(result)
        for arm in self.herd.arms.values():
            if arm.model == CONSTANT:
                self._baseline(arm)
        while self.stopped is None and (batch := self.herd.next()):
            arms = [(self.herd.arms[name], todo) for name, todo in batch.items()]
            work = [partial(self._measure, arm, todo) for arm, todo in arms]
            self.meter.turns.each(work, self.deps.runner.at_once, self._abandon)
        if self.stopped is not None:
            unfinished = self.herd.unfinished() - {CONSTANT}
            self.failed |= dict.fromkeys(unfinished - self.failed.keys(), self.stopped)

    def _baseline(self, arm: Arm) -> None:
        """The free constant answer, whole: which answer that is depends on the whole sample."""
        steps = [step for step in self.plan.steps if step.here and step.arm == arm]
        missing = {
            step.benchmark: drawn
            for step in steps
            for drawn in [items(step, self.plan, self.deps)]
            if len(kept(step, self.plan, self.deps)) < len(drawn)
        }
        self._measure(arm, missing)
        if self.herd is not None and arm.name not in self.failed:
            for result in results(self.plan, self.deps):
                if result.arm == arm.name:
                    self.herd.tell(result)

    def _measure(self, arm: Arm, todo: Mapping[str, Sequence[str]]) -> None:
        """Measure and tell; an arm that fails, or gives less than asked, leaves the race."""
        assert self.herd is not None
        if self.stopped is not None:
            return
        asked, came = sum(map(len, todo.values())), 0
        try:
            for result in self.meter.measure(arm, todo):
                came += 1
                if arm.model != CONSTANT:
                    self.herd.tell(result)
            if came < asked:
                self._leave(arm, f"gave {came} results where {asked} were asked")
        except (NotApproved, Stopped) as reason:
            self.stopped = self.stopped or str(reason)
        except StoreUnavailable:
            raise
        except BackendUntrustworthy as error:
            self.untrusted.add(arm.name)
            self._leave(arm, str(error))
        except ARM_FAILURES as error:
            self._leave(arm, str(error) or type(error).__name__)

    def _abandon(self) -> None:
        """Something ended the run while arms were in flight: no more items, no more waiting."""
        self.stopped = self.stopped or "broken off"
        self.deps.runner.close()

    def judging(self) -> list[Judging]:
        """What the judges said and how they fared with their controls, if anybody judged."""
        graded = {step: kept(step, self.plan, self.deps) for step in self.plan.steps if step.judges}
        try:
            return self.meter.grader.inspect({step: held for step, held in graded.items() if held})
        except (NotApproved, Stopped) as reason:  # there are no such judges any more
            self.stopped = self.stopped or str(reason)
            return []

    def contamination(self, measured: AbstractSet[tuple[str, str]]) -> list[Contamination]:
        """A finding for each measured step, within what is left of time and money.

        It comes after the race, whose items no check may take time or money from.
        """
        return [
            self._check(step)
            for step in self.plan.steps
            if step.arm.model != CONSTANT and (step.arm.name, step.benchmark) in measured
        ]

    def _check(self, step: Step) -> Contamination:
        if (why := self.failed.get(step.arm.name)) is not None:
            return unchecked(step.arm, step.benchmark, why)  # it would fail, or hang, again
        try:
            return self.meter.check(step)
        except StoreUnavailable:
            raise
        except Stopped as reason:
            why = str(reason)
        except ARM_FAILURES as error:
            why = str(error) or type(error).__name__
        return unchecked(step.arm, step.benchmark, why)

    def _leave(self, arm: Arm, why: str) -> None:
        assert self.herd is not None
        self.failed[arm.name] = why
        self.herd.race.withdraw(arm.name)


def _measurement(step: Step, plan: Plan, held: Sequence[ItemResult]) -> Measurement | None:
    grades = [result.correct for result in held if result.correct is not None]
    if not grades:
        return None
    low, high = wilson(sum(grades), len(grades))
    paid = [result for result in held if result.run == plan.run]
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
        reused=len(held) - len(paid),
        seconds=sum(result.seconds for result in paid),
        usd=sum(result.usd for result in paid),
    )


def _score(
    measured: Measurement,
    plan: Plan,
    deps: Deps,
    suspected: Sequence[Contamination],
    judging: Sequence[Judging],
) -> Score:
    """The measurement as an observation; what speaks against it goes with it, wherever shown."""
    step = next(
        s for s in plan.steps if (s.arm.name, s.benchmark) == (measured.arm, measured.benchmark)
    )
    arm = step.arm
    source = f"{arm.name} through {arm.backend}"
    if (factor := factors(suspected).get((measured.arm, measured.benchmark))) is not None:
        source += f"; may have been trained on, counts x{factor:g}"
    for one in judging:
        if one.benchmark == measured.benchmark and one.weight < 1:
            source += f"; its judge failed a control, counts x{one.weight:g}"
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
        metric="rubric" if step.judges else "acc",
        origin=Origin.MEASURED,
        source=source,
        date=deps.clock().date().isoformat(),
        cost_usd=measured.usd,
        run=plan.run,
    )
