"""The race that a plan's arms run: who is measured next, who is out, how any two compare.

Its state is a function of the ledger's results, so a run that was killed, the decision and the
report all see the same race without anything being stored for it.

It leaves nobody aside unsettled (``tolerance`` 0): an arm stops early only when it certainly
can't win, at whatever moment one looks. Two arms that went on until items, time or money ended
are compared by the exact paired test; where the answers themselves ended it, by the race's
confidence sequence, because a test for a fixed number of items doesn't hold then.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from math import inf
from typing import TYPE_CHECKING

from memory.records import Comparison
from tools.choosing.comparing import NONE, compare
from tools.methods.racing import Race

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from memory.records import Arm, ItemResult, Plan, Step
    from tools.deps import Runner

FIRST, GROWTH = 8, 1.5
"""Items of the first round, and how many times as many an arm has after each further one."""

DELTA, MARGIN = 0.10, 0.01
"""The chance that an arm is wrongly out, and the difference in score that doesn't matter."""

_BETWEEN = "\t"


@dataclass(frozen=True)
class RaceEnd:
    """Where a race stands: who leads, and why each arm that certainly can't win is out.

    ``certain``: it ended because everyone else is out or within the margin.
    """

    leader: str | None = None
    out: Mapping[str, str] = field(default_factory=dict)
    certain: bool = False


@dataclass(frozen=True)
class HerdRace:
    """The race of one plan on this machine; steps that can't run here take no part."""

    plan: Plan
    items: Mapping[str, tuple[str, ...]]
    race: Race

    @classmethod
    def of(cls, plan: Plan, runner: Runner, results: Iterable[ItemResult] = ()) -> HerdRace | None:
        """The race of ``plan``, told of ``results``; None when nothing of it can run here."""
        return cls.on(plan, drawn_items(plan, runner), results)

    @classmethod
    def on(
        cls, plan: Plan, drawn: Mapping[str, Sequence[str]], results: Iterable[ItemResult] = ()
    ) -> HerdRace | None:
        """The race on items that are known by name; else as ``of``."""
        steps = [step for step in plan.steps if step.here]
        if not any(step.items for step in steps):
            return None
        items = {benchmark: tuple(names) for benchmark, names in drawn.items()}
        arms = _by_arm(steps)
        race = Race(
            list(arms),
            [name + _BETWEEN + item for name, drawn in items.items() for item in drawn],
            prices=[_price(of_arm, steps) for of_arm in arms.values()],
            delta=DELTA,
            margin=MARGIN,
            tolerance=0.0,
            population=inf,
            first=FIRST,
            growth=GROWTH,
            seed=plan.seed,
        )
        made = cls(plan, items, race)
        for result in results:
            made.tell(result)
        return made

    @cached_property
    def arms(self) -> dict[str, Arm]:
        """The arms that take part, by name, in the plan's order."""
        return {step.arm.name: step.arm for step in self.plan.steps if step.here}

    def next(self) -> dict[str, dict[str, list[str]]]:
        """What to measure now: for each arm the items of each benchmark; empty at the end."""
        batch: dict[str, dict[str, list[str]]] = {}
        for arm, keys in self.race.next().items():
            by_benchmark = batch.setdefault(arm, {})
            for key in keys:
                benchmark, _, item = key.partition(_BETWEEN)
                by_benchmark.setdefault(benchmark, []).append(item)
        return batch

    def tell(self, result: ItemResult) -> None:
        """Take one result of an arm and item of this race."""
        self.race.tell(result.arm, result.benchmark + _BETWEEN + result.item, result.correct)

    def unfinished(self) -> set[str]:
        """Arms that were to be measured further when everything stopped."""
        return set(self.race.next())

    def end(self) -> RaceEnd:
        """Where the race stands."""
        standing = self.race.standing()
        out = {arm: f"can't win after {standing.asked[arm]} items" for arm in standing.eliminated}
        return RaceEnd(standing.leader, out, certain=standing.ended == "certain")

    def comparisons(
        self,
        results: Iterable[ItemResult],
        weights: Mapping[str, float],
        factors: Mapping[tuple[str, str], float] = NONE,
    ) -> list[Comparison]:
        """Every two arms that share an item, by the test that holds for how they stopped.

        ``factors`` as in ``compare``. A comparison at any time is over all items alike, whatever
        the benchmarks' weights, so they do not reach it.
        """
        end, asked = self.end(), self.race.standing().asked
        everything = sum(map(len, self.items.values()))
        cut = {arm for arm in asked if asked[arm] < everything and (end.certain or arm in end.out)}
        return [
            self._at_any_time(one) if {one.a, one.b} & cut else one
            for one in compare(list(results), weights, factors)
        ]

    def _at_any_time(self, one: Comparison) -> Comparison:
        found = self.race.difference(one.a, one.b)
        if not found.n:
            return one.model_copy(update={"low": -1.0, "high": 1.0, "p": 1.0})
        return Comparison(
            a=one.a,
            b=one.b,
            difference=found.mean,
            low=found.low,
            high=found.high,
            p=found.p,
            n=found.n,
        )


def drawn_items(plan: Plan, runner: Runner) -> dict[str, tuple[str, ...]]:
    """The items of each benchmark of what runs here, in the order drawn."""
    return {
        step.benchmark: tuple(runner.items(step.benchmark, step.items, plan.seed))
        for step in plan.steps
        if step.here
    }


def _by_arm(steps: Iterable[Step]) -> dict[str, list[Step]]:
    arms: dict[str, list[Step]] = {}
    for step in steps:
        arms.setdefault(step.arm.name, []).append(step)
    return arms


def _price(steps: Sequence[Step], plan: Sequence[Step]) -> float:
    """Of one item yet to be bought: dollars where the plan costs any, else minutes."""
    dollars = any(step.usd > 0 for step in plan)
    total = sum(step.usd if dollars else step.minutes for step in steps)
    return total / max(sum(step.items - step.reused for step in steps), 1)
