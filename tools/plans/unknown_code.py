"""Arms that run code of their own: left out of a plan until a person ticks them.

The tick names model and revision (``Arm.tick``), so another revision needs another one. Ticking
moves an arm's steps from the plan's waiting ones to those that are measured, which makes it
another plan with another hash: that is what is approved, and the approval must say so again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from memory.errors import BadRequest
from memory.records import CONSTANT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from memory.records import Arm, Plan, Step


def apart(arms: Iterable[Arm]) -> tuple[list[Arm], list[Arm]]:
    """Arms that can be measured as they are, and those that must be ticked first."""
    found = list(arms)
    return [arm for arm in found if not arm.code], [arm for arm in found if arm.code]


def reason(arm: Arm) -> str:
    """Why the arm is left out, and what would bring it in."""
    return (
        f"runs code of its own ({', '.join(arm.code)}), which nobody has ticked; look at it, then"
        f" tick it with --trust-remote-code {arm.tick}"
    )


def waiting(plan: Plan) -> dict[str, Arm]:
    """The arms of ``plan`` that wait for a tick, by tick."""
    return {step.arm.tick: step.arm for step in plan.waiting if step.arm.code}


def tick_of(plan: Plan, name: str) -> str | None:
    """The tick that ``name`` (a tick, a model or an arm) gives in ``plan``; None: nothing waits.

    Raises:
        BadRequest: the model waits at another revision than ``name`` states.
    """
    for tick, arm in waiting(plan).items():
        if name in (tick, arm.model, arm.name):
            return tick
    model, at, revision = name.rpartition("@")
    held = [arm for arm in waiting(plan).values() if arm.model == model.strip()]
    if at and held:
        raise BadRequest(
            f"{model} is at revision {held[0].revision} here, not {revision}: that is other code;"
            f" look at it, then tick {held[0].tick}."
        )
    return None


def trust(plan: Plan, names: Sequence[str], budget: float | None = None) -> Plan:
    """The plan with the arms of ``names`` (models at a revision) in it; its hash changes.

    The cap grows by what they add, up to ``budget`` (dollars), unless it was set lower before.

    Raises:
        BadRequest: nothing of that name waits for a tick.
    """
    ticks = {name: tick_of(plan, name) for name in names}
    if unknown := [name for name, tick in ticks.items() if tick is None]:
        there = ", ".join(waiting(plan)) or "nothing"
        raise BadRequest(f"{unknown[0]!r} waits for no tick; {there} does.")
    here = [step for step in plan.steps if step.here]
    added = [_trusted(step) for step in plan.waiting if step.arm.tick in ticks.values()]
    bar = [step for step in (here or plan.waiting) if step.arm.model == CONSTANT]
    steps = (*(step for step in here if step not in bar), *added, *bar)
    before, after = (sum(step.usd_high for step in of) for of in (here or plan.steps, steps))
    cap = plan.cap_usd if plan.cap_usd < before else after
    gone = {step.arm.model for step in added}
    return plan.model_copy(
        update={
            "steps": steps,
            "waiting": tuple(s for s in plan.waiting if s.arm.tick not in ticks.values()),
            "not_measured": {m: why for m, why in plan.not_measured.items() if m not in gone},
            "cap_usd": cap if budget is None else min(cap, budget),
            "gpu_usd_per_hour": None,
        }
    )


def _trusted(step: Step) -> Step:
    return step.model_copy(update={"arm": step.arm.model_copy(update={"trusted": True})})
