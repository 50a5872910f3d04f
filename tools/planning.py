"""The priced plan: what to measure, for how much, and which choice it could change.

An arm pays for loading its weights once; what loading takes is read off the runner's own
estimates for one and two items. Where nothing can be measured on this machine, the plan is what
the best of the shortlist would take on rented GPUs (``tools.renting``).
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from memory.errors import BadRequest
from memory.records import CONSTANT, Arm, Plan, Step
from tools import hub_lookup, renting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memory.records import BenchmarkChoice, Model
    from tools.deps import Deps, Runner
    from tools.dossier import Dossier

LEAST_ITEMS = 8
MOST_ITEMS = 200
MOST_ARMS = 4
NOT_SHORTLISTED = "not shortlisted; measured because its weights are on this machine"
NO_ITEMS = "not shortlisted, and the weightiest benchmark has no items on this machine"
TOO_MANY = f"only {MOST_ARMS} arms fit in one run"
THE_BAR = "the bar: a candidate that does not beat it can't be recommended"


@dataclass(frozen=True)
class _Design:
    """Which arms on which benchmarks, with how many items on each."""

    arms: tuple[Arm, ...]
    benchmarks: tuple[BenchmarkChoice, ...]
    items: int


def make_plan(
    dossier: Dossier, deps: Deps, *, items: int | None = None, cap_usd: float | None = None
) -> Plan:
    """Plan to measure what can be measured here within ``deps.minutes`` of expected time.

    Arms are the shortlisted models whose weights can be reached, then other candidates (best
    first) whose weights can be, at most ``MOST_ARMS``, and the constant answer last. Every
    benchmark gets the same number of items: ``items`` whatever it takes, else as many as fit.
    Where even ``LEAST_ITEMS`` take too long, benchmarks of least weight go first, then arms of
    lowest rank; the last of each stays, and the plan shows what it takes.

    Where nothing can be measured, the best ``MOST_ARMS`` of the shortlist are priced for rented
    GPUs, in steps that are not ``here``. A plan without steps says in ``not_measured`` why.

    The cap is the least of ``cap_usd``, the user's budget and the upper end of the price.
    """
    needed = dossier.get("requirements")
    shortlist = [deps.registry.models[one.model] for one in dossier.get("selected") or ()]
    arms, constant, reasons = _arms(shortlist, dossier, deps)
    choices = [c for c in dossier.get("benchmarks") or () if c.items_source is not None]
    rental = renting.rental(dossier, deps.gpu_usd_per_hour, items)
    seed = seed_of(dossier["run"])
    if arms and choices and _worthwhile(arms, dossier):
        design = _fit(deps, arms[:MOST_ARMS], choices, items)
        steps = _steps(design, constant, deps, seed)
        absent = [model for model in shortlist if model.id in reasons]
        said = hub_lookup.remarks(absent, deps)
        reasons = {
            model.id: _joined(reasons[model.id], said.get(model.id, ""), rental.quote(model))
            for model in absent
        }
        late = f"no time for it within {deps.minutes:g} minutes"
        reasons |= {arm.name: late for arm in arms[len(design.arms) :]}
        reasons |= {arm.name: TOO_MANY for arm in arms[MOST_ARMS:]}
    else:
        steps, reasons = _rented(rental, shortlist, constant, deps)
        reasons |= {arm.name: NO_ITEMS for arm in arms}
    budget = needed.budget_usd if needed else None
    high = sum(step.usd_high for step in steps)
    return Plan(
        thread=dossier["thread"],
        run=dossier["run"],
        steps=steps,
        seed=seed,
        cap_usd=min(cap for cap in (cap_usd, budget, high) if cap is not None),
        not_measured=reasons,
        registry=deps.registry.version,
        requirements=_digest(needed.model_dump_json() if needed else ""),
        gpu_usd_per_hour=None if all(step.here for step in steps) else rental.usd_per_hour,
    )


def seed_of(run: str) -> int:
    """The seed of a run's random choices: the first 32 bits of SHA-256 over its id."""
    return int(_digest(run)[:8], 16)


def drop(plan: Plan, names: Sequence[str]) -> Plan:
    """The plan without these arms (or every arm of these models); its hash changes.

    Raises:
        BadRequest: no such arm, the constant answer, or nothing left to measure.
    """
    there = {name for step in plan.steps for name in (step.arm.name, step.arm.model)}
    if unknown := [name for name in names if name not in there]:
        arms = ", ".join(dict.fromkeys(step.arm.name for step in plan.steps))
        raise BadRequest(f"The plan has no arm {unknown[0]!r}; it has {arms}.")
    gone = {s.arm.name: s.arm for s in plan.steps if {s.arm.name, s.arm.model} & set(names)}
    kept = tuple(step for step in plan.steps if step.arm.name not in gone)
    if any(arm.model == CONSTANT for arm in gone.values()):
        raise BadRequest("The constant answer is free and stays: every candidate must beat it.")
    if all(step.arm.model == CONSTANT for step in kept):
        raise BadRequest("Nothing would be left to measure; refuse the plan instead.")
    reasons = plan.not_measured | dict.fromkeys(gone, "dropped from the plan by a person")
    return plan.model_copy(update={"steps": kept, "not_measured": reasons})


def with_cap(plan: Plan, cap_usd: float) -> Plan:
    """The plan under another cap; its hash changes. Raises BadRequest unless cap_usd >= 0."""
    if not (math.isfinite(cap_usd) and cap_usd >= 0):
        raise BadRequest(f"A cap is a number of dollars, 0 or more, not {cap_usd}.")
    return plan.model_copy(update={"cap_usd": cap_usd})


def describe(plan: Plan) -> str:
    """The plan in a few lines: arms, price and time with their ranges, what it leaves out."""
    left_out = Counter(plan.not_measured.values())
    lines = [f"Not measured: {count} ({reason})" for reason, count in left_out.most_common()]
    if not plan.steps:
        return "\n".join([f"{plan.hash}: nothing can be measured here or priced elsewhere", *lines])
    low, high = (
        [sum(getattr(step, f"{what}_{end}") for step in plan.steps) for what in ("usd", "minutes")]
        for end in ("low", "high")
    )
    arms = list(dict.fromkeys(s.arm.name for s in plan.steps))
    tasks = {step.benchmark: step.items for step in plan.steps}
    on = ", ".join(f"{task} ({items} items)" for task, items in tasks.items())
    head = (
        f"{plan.hash}: {', '.join(arms)} on {on}:"
        f" ${plan.usd:.2f} ({low[0]:.2f}-{high[0]:.2f}),"
        f" {plan.minutes:.1f} minutes ({low[1]:.1f}-{high[1]:.1f}), cap ${plan.cap_usd:.2f}"
    )
    if plan.gpu_usd_per_hour is not None:
        head += (
            f"; priced for a rented GPU at ${plan.gpu_usd_per_hour:.2f} an hour"
            " (an assumption, MIRROR_GPU_USD_PER_HOUR)"
        )
    return "\n".join([head, f"Could change: {plan.steps[0].could_change}", *lines])


def _rented(
    rental: renting.Rental, shortlist: Sequence[Model], constant: Arm, deps: Deps
) -> tuple[tuple[Step, ...], dict[str, str]]:
    """Steps that this machine can't run, and why the rest of the shortlist has none."""
    if not rental.benchmarks:
        return (), dict.fromkeys((model.id for model in shortlist), "no benchmark is recommended")
    priced = [model for model in shortlist if model.params]
    reasons = {model.id: renting.UNKNOWN for model in shortlist if not model.params}
    reasons |= {model.id: f"{TOO_MANY}; {rental.quote(model)}" for model in priced[MOST_ARMS:]}
    rivals = priced[:MOST_ARMS]
    items = rental.items * len(rental.benchmarks)
    settled = f"{items} items settle gaps above about {_gap(items):.2f}"
    which = f"which of the {len(rivals)} leads" if rivals[1:] else "whether it earns a place"
    steps = [s for m in rivals for s in rental.steps(m, deps.runner, f"{which}; {settled}")]
    if steps:
        steps += rental.baseline(constant, deps.runner, THE_BAR)
    return tuple(steps), reasons


def _worthwhile(arms: Sequence[Arm], dossier: Dossier) -> bool:
    """Whether this machine can say something about the choice.

    An arm that nobody shortlisted is worth machine time only where the benchmark that says most
    about the job can be run; else it would answer a question that was not asked.
    """
    names = {one.model for one in dossier.get("selected") or ()}
    if any(arm.model in names for arm in arms):
        return True
    benchmarks = dossier.get("benchmarks") or ()
    return max(benchmarks, key=lambda one: one.weight).items_source is not None


def _arms(
    shortlist: Sequence[Model], dossier: Dossier, deps: Deps
) -> tuple[list[Arm], Arm, dict[str, str]]:
    """Arms by rank, the constant arm, and why each other shortlisted model has none."""
    models = deps.registry.models
    names = {model.id for model in shortlist}
    others = [models[c.model] for c in dossier.get("candidates") or () if c.model not in names]
    offered, reasons = deps.runner.arms(shortlist)
    extra, _ = deps.runner.arms(others)
    constant = next(
        (arm for arm in [*offered, *extra] if arm.model == CONSTANT),
        Arm(name=CONSTANT, model=CONSTANT, backend="constant"),
    )
    noted = [arm.model_copy(update={"note": _joined(arm.note, NOT_SHORTLISTED)}) for arm in extra]
    arms = [arm for arm in [*offered, *noted] if arm.model != CONSTANT]
    return arms, constant, dict(reasons)


def _fit(
    deps: Deps, arms: Sequence[Arm], choices: Sequence[BenchmarkChoice], items: int | None
) -> _Design:
    """The design with most arms, then most benchmarks, then most items that fits."""
    by_weight = sorted(choices, key=lambda choice: -choice.weight)
    if items is not None:
        return _Design(tuple(arms), tuple(by_weight), items)
    smallest = _Design(tuple(arms[:1]), tuple(by_weight[:1]), LEAST_ITEMS)
    designs = (
        _Design(tuple(arms[:a]), tuple(by_weight[:b]), LEAST_ITEMS)
        for a in range(len(arms), 0, -1)
        for b in range(len(by_weight), 0, -1)
    )
    limit = 60 * deps.minutes
    design = next((d for d in designs if _expected(deps.runner, d) <= limit), smallest)
    low, high = LEAST_ITEMS, MOST_ITEMS + 1
    while high - low > 1:
        middle = (low + high) // 2
        fits = _expected(deps.runner, replace(design, items=middle)) <= limit
        low, high = (middle, high) if fits else (low, middle)
    return replace(design, items=low)


def _expected(runner: Runner, design: _Design) -> float:
    """Expected seconds of a design, each arm loading once."""
    return sum(
        _seconds(runner, arm, choice.task, design.items, loaded=j > 0)[1]
        for arm in design.arms
        for j, choice in enumerate(design.benchmarks)
    )


def _seconds(
    runner: Runner, arm: Arm, benchmark: str, items: int, *, loaded: bool
) -> tuple[float, float, float]:
    """Low, expected and high seconds; without loading when the arm is loaded already."""
    low, expected, high = runner.seconds(arm, benchmark, items)
    if not loaded:
        return low, expected, high
    one, two = runner.seconds(arm, benchmark, 1), runner.seconds(arm, benchmark, 2)
    loading = [max(2 * first - second, 0.0) for first, second in zip(one, two, strict=True)]
    return (
        max(low - loading[0], 0.0),
        max(expected - loading[1], 0.0),
        max(high - loading[2], 0.0),
    )


def _steps(design: _Design, constant: Arm, deps: Deps, seed: int) -> tuple[Step, ...]:
    runner = deps.runner
    drawn = {c.task: _drawable(runner, c.task, design.items, seed) for c in design.benchmarks}
    steps = []
    for arm in (*design.arms, constant):
        rivals = [other.name for other in design.arms if other.name != arm.name]
        for j, (benchmark, count) in enumerate(drawn.items()):
            low, expected, high = _seconds(runner, arm, benchmark, count, loaded=j > 0)
            per_second = 0.0 if arm.model == CONSTANT else deps.usd_per_hour / 3600
            steps.append(
                Step(
                    arm=arm,
                    benchmark=benchmark,
                    protocol=runner.protocol(benchmark),
                    items=count,
                    usd_low=low * per_second,
                    usd=expected * per_second,
                    usd_high=high * per_second,
                    minutes_low=low / 60,
                    minutes=expected / 60,
                    minutes_high=high / 60,
                    could_change=_could_change(arm, rivals, sum(drawn.values())),
                )
            )
    return tuple(steps)


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


def _could_change(arm: Arm, rivals: Sequence[str], items: int) -> str:
    """Which choice an arm's items could change, and how large a gap they can settle."""
    if arm.model == CONSTANT:
        return THE_BAR
    choice = f"whether {arm.name} earns a recommendation"
    if rivals:
        choice += f", and whether it or {rivals[0]} leads"
    return f"{choice}; {items} items settle gaps above about {_gap(items):.2f}"


def _gap(items: int) -> float:
    """Half of a 90 % paired interval (tools.methods.intervals) when half of the pairs differ."""
    return 1.645 * math.sqrt(0.5 / (items + 2))


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
