"""evaluate: HERD stage 1 on exactly the approved plan; what was paid for is never paid twice.

A plan that promised two to six minutes ends after six, with what it has measured until then.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from agent.state import answered
from memory.records import CONSTANT, Origin
from tools import herd_runner, remembering

if TYPE_CHECKING:
    from collections.abc import Callable

    from langgraph.runtime import Runtime

    from agent.state import State
    from memory.records import Plan, Score
    from tools.deps import Deps


def evaluate(state: State, runtime: Runtime[Deps]) -> State:
    """Measure the plan's arms, in no more than its upper time.

    Raises:
        NotApproved: the approval is not for this plan, or was used up by another run.
    """
    plan, approval = answered(state)
    deps = runtime.context
    result = herd_runner.run(plan, approval, deps, stop=_deadline(plan))
    now = deps.clock().isoformat(timespec="seconds")
    deps.findings.remember(
        *(remembering.evaluation(one, one.date or now) for one in _scores(plan, deps)),
        *(remembering.contamination(o, now, plan.run) for o in result.contamination if o.flags),
    )
    return {
        "measurements": result.measurements,
        "failed": result.failed,
        "contamination": result.contamination,
        "judging": result.judging,
    }


def _scores(plan: Plan, deps: Deps) -> list[Score]:
    """What is known from measuring here of the cells of ``plan``, earlier runs' scores too."""
    cells = {
        (step.arm.model, step.arm.precision, step.arm.revision, step.benchmark, step.protocol)
        for step in plan.steps
        if step.here and step.arm.model != CONSTANT
    }
    models, tasks = ({cell[place] for cell in cells} for place in (0, 3))
    return [
        one
        for one in deps.scores.own(sorted(map(str, models)), sorted(map(str, tasks)))
        if one.origin is Origin.MEASURED
        and (one.model, one.precision, one.revision, one.benchmark, one.protocol) in cells
    ]


def _deadline(plan: Plan) -> Callable[[], str | None]:
    """A reason to stop once the upper time of what runs here, at least a minute, has passed."""
    minutes = max(sum(step.minutes_high for step in plan.steps if step.here), 1.0)
    end = time.monotonic() + 60 * minutes
    reason = f"stopped at the plan's upper time of {minutes:.1f} minutes"
    return lambda: reason if time.monotonic() >= end else None
