"""evaluate: HERD stage 1 on exactly the approved plan; what was paid for is never paid twice.

A plan that promised two to six minutes ends after six, with what it has measured until then.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from agent.state import answered
from tools import herd_runner

if TYPE_CHECKING:
    from collections.abc import Callable

    from langgraph.runtime import Runtime

    from agent.state import State
    from memory.records import Plan
    from tools.deps import Deps


def evaluate(state: State, runtime: Runtime[Deps]) -> State:
    """Measure the plan's arms, in no more than its upper time.

    Raises:
        NotApproved: the approval is not for this plan, or was used up by another run.
    """
    plan, approval = answered(state)
    result = herd_runner.run(plan, approval, runtime.context, stop=_deadline(plan))
    return {
        "measurements": result.measurements,
        "failed": result.failed,
        "contamination": result.contamination,
        "judging": result.judging,
    }


def _deadline(plan: Plan) -> Callable[[], str | None]:
    """A reason to stop once the upper time of what runs here, at least a minute, has passed."""
    minutes = max(sum(step.minutes_high for step in plan.steps if step.here), 1.0)
    end = time.monotonic() + 60 * minutes
    reason = f"stopped at the plan's upper time of {minutes:.1f} minutes"
    return lambda: reason if time.monotonic() >= end else None
