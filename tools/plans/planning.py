"""The priced plan: what to measure, for how much, and which choice it could change.

Where weights and items are on this machine, what is measured here (``tools.plans.local_plan``);
else what the best of the shortlist would take on rented GPUs (``tools.plans.rented_plan``).
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from memory.errors import BadRequest
from memory.records import CONSTANT, Plan
from tools.plans import hub_lookup, judge_plan, local_plan, renting, unknown_code
from tools.plans.already_measured import AlreadyMeasured, in_words
from tools.plans.estimating import Estimator
from tools.plans.price_book import dollars
from tools.plans.rented_plan import MOST_ARMS, TOO_MANY, rented
from tools.plans.value_of_information import doubt
from tools.real_task import authoring

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memory.records import Arm, BenchmarkChoice, Model, Step
    from tools.deps import Deps
    from tools.dossier import Dossier

SEED = 20_251_202
"""Of every run's items. The draw of fewer begins the draw of more, so a later run asks first what
an earlier one paid for and goes on where that stopped. The items are a random sample all the same,
drawn before anything was known of any arm."""

NO_ITEMS = "not shortlisted, and the weightiest benchmark has no items on this machine"


def make_plan(
    dossier: Dossier, deps: Deps, *, items: int | None = None, cap_usd: float | None = None
) -> Plan:
    """Plan to measure what can be measured here within ``deps.minutes`` of expected time.

    Arms are the shortlisted models whose weights can be reached, then other candidates (best
    first) whose weights can be, at most ``MOST_ARMS``, and the constant answer last. Every
    benchmark gets the same number of items: ``items`` whatever it takes, else as many as fit.
    Where even ``LEAST_ITEMS`` take too long, benchmarks of least weight go first, then arms of
    lowest rank; the last of each stays, and the plan shows what it takes. Arms that run code of
    their own wait for a tick (``tools.plans.unknown_code``).

    Where nothing can be measured, the best ``MOST_ARMS`` of the shortlist are priced for rented
    GPUs, in steps that are not ``here``. A plan without steps says in ``not_measured`` why.

    The cap is the least of ``cap_usd``, the user's budget and the upper end of the price.
    """
    needed = dossier.get("requirements")
    shortlist = [deps.registry.models[one.model] for one in dossier.get("selected") or ()]
    found, constant, reasons = local_plan.reachable(shortlist, dossier, deps)
    arms, unknown = unknown_code.apart(found)
    choices = [c for c in dossier.get("benchmarks") or () if c.items_source is not None]
    rental = renting.rental(dossier, deps.gpu_usd_per_hour, items)
    estimator, known = Estimator.of(deps), AlreadyMeasured(deps, SEED)
    steps: tuple[Step, ...] = ()
    design = None
    seated = judge_plan.seat(arms[:MOST_ARMS], choices, deps)
    if seated.arms and seated.choices and local_plan.worthwhile(arms, dossier):
        design = local_plan.fit(estimator, known, deps.minutes, seated, items)
        baseline = judge_plan.told(constant, seated)
        change = _change(design, dossier, deps)
        steps = local_plan.steps(estimator, known, design, baseline, deps, change)
        reasons = _reasons(shortlist, reasons, rental, deps) | _left_out(arms, seated, design, deps)
    else:
        steps, reasons = rented(rental, shortlist, constant, dossier, deps)
        reasons |= {arm.name: NO_ITEMS for arm in arms}
    waiting = _waiting(unknown, choices, design, estimator, known, constant, deps, items)
    reasons |= {arm.model: unknown_code.reason(arm) for arm in unknown} | dict(seated.unjudged)
    budget = needed.budget_usd if needed else None
    if budget is not None and needed and needed.examples:
        budget = max(budget - deps.ledger.spent(authoring.run_of(dossier["run"])), 0.0)
    high = sum(step.usd_high for step in steps)
    return Plan(
        thread=dossier["thread"],
        run=dossier["run"],
        steps=steps,
        seed=SEED,
        cap_usd=min(cap for cap in (cap_usd, budget, high) if cap is not None),
        not_measured=reasons,
        registry=deps.registry.version,
        requirements=_digest(needed.model_dump_json() if needed else ""),
        gpu_usd_per_hour=None if all(step.here for step in steps) else rental.usd_per_hour,
        waiting=waiting,
        notes=(*seated.notes, *_offer(dossier, deps)),
    )


def _reasons(
    shortlist: Sequence[Model], reasons: dict[str, str], rental: renting.Rental, deps: Deps
) -> dict[str, str]:
    """Why shortlisted models are not measured here, what the Hub says and what renting costs."""
    absent = [model for model in shortlist if model.id in reasons]
    said = hub_lookup.remarks(absent, deps) if deps.downloads is None else {}
    return {
        model.id: local_plan.joined(reasons[model.id], said.get(model.id, ""), rental.quote(model))
        for model in absent
    }


def _left_out(
    arms: Sequence[Arm], seated: judge_plan.Seated, design: local_plan.Design, deps: Deps
) -> dict[str, str]:
    late = f"no time for it within {deps.minutes:g} minutes"
    reasons = {arm.name: late for arm in seated.arms[len(design.arms) :]}
    return reasons | {arm.name: TOO_MANY for arm in arms[MOST_ARMS:]}


def _waiting(
    unknown: Sequence[Arm],
    choices: Sequence[BenchmarkChoice],
    design: local_plan.Design | None,
    estimator: Estimator,
    known: AlreadyMeasured,
    constant: Arm,
    deps: Deps,
    items: int | None,
) -> tuple[Step, ...]:
    """What arms that run code of their own would be measured on, were they ticked.

    The same items as the others; the constant answer is among them where the plan has none here.
    """
    if not unknown or not choices:
        return ()
    seated = judge_plan.seat(unknown[:MOST_ARMS], choices, deps)
    if not seated.arms:
        return ()
    alone = design is None
    if design is None:
        design = local_plan.fit(estimator, known, deps.minutes, seated, items)
    steps = local_plan.steps(estimator, known, replace(design, arms=seated.arms), constant, deps)
    return tuple(step for step in steps if alone or step.arm.model != CONSTANT)


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
    lines = [*_downloads(plan), *lines]
    basis = [f"Time: {plan.steps[0].basis}"] if plan.steps[0].basis else []
    basis += [f"Note: {line}" for line in remarks(plan)]
    return "\n".join([head, *basis, f"Could change: {plan.steps[0].could_change}", *lines])


def _downloads(plan: Plan) -> list[str]:
    arms = dict.fromkeys(step.arm for step in plan.steps if step.arm.download)
    return [f"Downloads {arm.download / 1e9:.2g} GB: {arm.tick}" for arm in arms]


def remarks(plan: Plan) -> list[str]:
    """What need not be bought again, what of the price is for judges, then the plan's notes."""
    before = [line] if (line := in_words(plan)) else []
    judged = [step for step in plan.steps if step.judges]
    if not judged:
        return [*before, *plan.notes]
    low, usd, high = (
        sum(getattr(step, name) for step in judged)
        for name in ("judge_usd_low", "judge_usd", "judge_usd_high")
    )
    grades = sum(step.items * len(step.judges) for step in judged)
    price = f"Judging {dollars(usd)} ({dollars(low)} to {dollars(high)}) of it:"
    price += f" {grades} grades and the controls"
    return [*before, price, *plan.notes]


def _offer(dossier: Dossier, deps: Deps) -> tuple[str, ...]:
    """What would tell more than benchmarks, where somebody could write it."""
    needed = dossier.get("requirements")
    if needed is None or needed.examples is not None or not deps.judges:
        return ()
    return ("--examples FILE tries models on your own task; --synthesize N on examples made up",)


def _change(design: local_plan.Design, dossier: Dossier, deps: Deps) -> str:
    """How likely the design's measurements are to change the choice."""
    models = list(dict.fromkeys(arm.model for arm in design.arms))
    open_question = doubt(dossier, design.items, models, deps.ledger.checks())
    if open_question is None:
        return ""
    chance = open_question.chance_of_change(models, [choice.task for choice in design.benchmarks])
    return f"changes the choice with p = {chance:.2f}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
