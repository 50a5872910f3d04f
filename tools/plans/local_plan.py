"""A plan for this machine: the most arms, benchmarks and items that fit into the time given.

An arm pays for loading its weights once; times are the runner's, corrected by what earlier runs
took (``tools.plans.estimating``). Items are shared out by the benchmarks' weights, which is what
tells most about their weighted mean.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from memory.errors import BadRequest
from memory.records import CONSTANT, Arm, Step
from tools.methods.gpu_time import Range
from tools.plans import fetching
from tools.plans.judge_plan import NOTHING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from memory.records import BenchmarkChoice, Model
    from tools.deps import Deps, Runner
    from tools.dossier import Dossier
    from tools.plans.estimating import Estimator
    from tools.plans.judge_plan import Bench, Seated

LEAST_ITEMS = 8
MOST_ITEMS = 200
NOT_SHORTLISTED = "not shortlisted; measured because its weights are on this machine"
NULL = Arm(name=CONSTANT, model=CONSTANT, backend="constant")
THE_BAR = "the bar: a candidate that does not beat it can't be recommended"


@dataclass(frozen=True)
class Design:
    """Which arms on which benchmarks, with how many items on each on average.

    ``benches``: who grades, of the benchmarks that judges grade.
    """

    arms: tuple[Arm, ...]
    benchmarks: tuple[BenchmarkChoice, ...]
    items: int
    benches: Mapping[str, Bench] = field(default_factory=dict)

    def share(self, choice: BenchmarkChoice) -> int:
        """Items of one benchmark: in proportion to its weight, as the weighted mean wants it."""
        total = sum(one.weight for one in self.benchmarks)
        part = choice.weight / total if total > 0 else 1 / len(self.benchmarks)
        return max(round(self.items * len(self.benchmarks) * part), 1)


def worthwhile(arms: Sequence[Arm], dossier: Dossier) -> bool:
    """Whether this machine can say something about the choice.

    An arm that nobody shortlisted is worth machine time only where the benchmark that says most
    about the job can be run; else it would answer a question that was not asked.
    """
    names = {one.model for one in dossier.get("selected") or ()}
    if any(arm.model in names for arm in arms):
        return True
    benchmarks = dossier.get("benchmarks") or ()
    return max(benchmarks, key=lambda one: one.weight).items_source is not None


def reachable(
    shortlist: Sequence[Model], dossier: Dossier, deps: Deps
) -> tuple[list[Arm], Arm, dict[str, str]]:
    """Arms, the constant arm, and why each other shortlisted model has none.

    Those whose weights are here come first, by rank; then those to be downloaded, then those that
    nobody shortlisted.
    """
    models = deps.registry.models
    names = {model.id for model in shortlist}
    others = [models[c.model] for c in dossier.get("candidates") or () if c.model not in names]
    offered, reasons = deps.runner.arms(shortlist)
    extra, _ = deps.runner.arms(others)
    constant = next(
        (arm for arm in [*offered, *extra] if arm.model == CONSTANT),
        NULL,
    )
    absent = [model for model in shortlist if model.id in reasons]
    fetched, why_not = fetching.offers(absent, deps)
    told = {name: joined(reasons[name], why) for name, why in why_not.items()}
    noted = [arm.model_copy(update={"note": joined(arm.note, NOT_SHORTLISTED)}) for arm in extra]
    arms = [arm for arm in [*offered, *fetched, *noted] if arm.model != CONSTANT]
    coming = {arm.model for arm in fetched}
    return arms, constant, {m: w for m, w in (reasons | told).items() if m not in coming}


def fit(estimator: Estimator, minutes: float, seated: Seated, items: int | None) -> Design:
    """The design with most arms, then most benchmarks, then most items that fits ``minutes``."""
    arms = seated.arms
    by_weight = tuple(sorted(seated.choices, key=lambda choice: -choice.weight))
    if items is not None:
        return Design(arms, by_weight, items, seated.benches)
    smallest = Design(arms[:1], by_weight[:1], LEAST_ITEMS, seated.benches)
    designs = (
        Design(arms[:a], by_weight[:b], LEAST_ITEMS, seated.benches)
        for a in range(len(arms), 0, -1)
        for b in range(len(by_weight), 0, -1)
    )
    limit = 60 * minutes
    design = next((d for d in designs if _expected(estimator, d) <= limit), smallest)
    low, high = LEAST_ITEMS, MOST_ITEMS + 1
    while high - low > 1:
        middle = (low + high) // 2
        fits = _expected(estimator, replace(design, items=middle)) <= limit
        low, high = (middle, high) if fits else (low, middle)
    return replace(design, items=low)


def _expected(estimator: Estimator, design: Design) -> float:
    """Expected seconds of a design, each arm loading once, the controls of its judges included."""
    work = sum(
        _seconds(estimator, arm, choice.task, design.share(choice), loaded=j > 0).expected
        for arm in design.arms
        for j, choice in enumerate(design.benchmarks)
    )
    return work + sum(
        _grading(design, arm, choice.task, design.share(choice)).expected
        for arm in (*design.arms, NULL)
        for choice in design.benchmarks
    )


def _grading(design: Design, arm: Arm, benchmark: str, items: int) -> Range:
    """Seconds of a step's judges, if it has any."""
    bench = design.benches.get(benchmark)
    return NOTHING if bench is None else bench.seconds(arm, items)


def _seconds(estimator: Estimator, arm: Arm, benchmark: str, items: int, *, loaded: bool) -> Range:
    """A step's own seconds, its contamination check included."""
    work = estimator.seconds(arm, benchmark, items, loaded=loaded)
    check = estimator.checks.seconds(arm, benchmark)
    return Range(*(a + b for a, b in zip(work, check, strict=True)))


def steps(
    estimator: Estimator, design: Design, constant: Arm, deps: Deps, seed: int, change: str = ""
) -> tuple[Step, ...]:
    """The design as priced steps, the free constant answer last.

    ``change``: what is known of the chance that the measurement changes the choice.
    """
    runner = deps.runner
    drawn = {c.task: _drawable(runner, c.task, design.share(c), seed) for c in design.benchmarks}
    steps = []
    for arm in (*design.arms, constant):
        rivals = [other.name for other in design.arms if other.name != arm.name]
        for j, (benchmark, count) in enumerate(drawn.items()):
            seconds = _seconds(estimator, arm, benchmark, count, loaded=j > 0)
            step = _step(arm, benchmark, count, seconds, deps)
            more = {
                "could_change": _could_change(arm, rivals, sum(drawn.values()), change),
                "basis": estimator.basis(arm, benchmark),
            }
            if (bench := design.benches.get(benchmark)) is not None:
                items = runner.items(benchmark, count, seed)
                step = _judged(step, bench, items, _grading(design, arm, benchmark, count))
            steps.append(step.model_copy(update=more))
    return tuple(steps)


def _step(arm: Arm, benchmark: str, count: int, seconds: Range, deps: Deps) -> Step:
    per_second = 0.0 if arm.model == CONSTANT else deps.usd_per_hour / 3600
    return Step(
        arm=arm,
        benchmark=benchmark,
        protocol=deps.runner.protocol(benchmark),
        items=count,
        usd_low=seconds.low * per_second,
        usd=seconds.expected * per_second,
        usd_high=seconds.high * per_second,
        minutes_low=seconds.low / 60,
        minutes=seconds.expected / 60,
        minutes_high=seconds.high / 60,
    )


def _judged(step: Step, bench: Bench, items: Sequence[str], seconds: Range) -> Step:
    """The step with its judges, their price and time."""
    usd = bench.usd(step.arm, items)
    return step.model_copy(
        update={
            "protocol": f"{step.protocol} · {bench.panel.protocol}",
            "judges": bench.judges,
            "judge_usd_low": usd.low,
            "judge_usd": usd.expected,
            "judge_usd_high": usd.high,
            "usd_low": step.usd_low + usd.low,
            "usd": step.usd + usd.expected,
            "usd_high": step.usd_high + usd.high,
            "minutes_low": step.minutes_low + seconds.low / 60,
            "minutes": step.minutes + seconds.expected / 60,
            "minutes_high": step.minutes_high + seconds.high / 60,
        }
    )


def _drawable(runner: Runner, benchmark: str, wanted: int, seed: int) -> int:
    """``wanted`` items, or as many as there are: a runner refuses to draw more than it has."""
    enough, too_many = 0, wanted + 1
    tried = wanted
    while too_many - enough > 1:
        try:
            enough = len(runner.items(benchmark, tried, seed))
        except BadRequest:
            too_many = tried
        else:
            if enough < tried:
                return enough
        tried = (enough + too_many) // 2
    return enough


def _could_change(arm: Arm, rivals: Sequence[str], items: int, change: str) -> str:
    """Which choice an arm's items could change, and how large a gap they can settle."""
    if arm.model == CONSTANT:
        return THE_BAR
    choice = f"whether {arm.name} earns a recommendation"
    if rivals:
        choice += f", and whether it or {rivals[0]} leads"
    return joined(choice, change, settles(items))


def settles(items: int) -> str:
    """What so many items can tell apart."""
    return f"{items} items settle gaps above about {gap(items):.2f}"


def gap(items: int) -> float:
    """Half of a 90 % paired interval (tools.methods.intervals) when half of the pairs differ."""
    return 1.645 * math.sqrt(0.5 / (items + 2))


def joined(*parts: str) -> str:
    """Remarks on one line; empty ones are left out."""
    return "; ".join(part for part in parts if part)
