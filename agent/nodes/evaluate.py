"""evaluate: HERD stage 1 on exactly the approved plan; what was paid for is never paid twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.state import answered
from tools import herd_runner

if TYPE_CHECKING:
    from langgraph.runtime import Runtime

    from agent.state import State
    from tools.deps import Deps


def evaluate(state: State, runtime: Runtime[Deps]) -> State:
    """Measure the plan's arms.

    Raises:
        NotApproved: the approval is not for this plan, or was used up by another run.
    """
    plan, approval = answered(state)
    result = herd_runner.run(plan, approval, runtime.context)
    return {"measurements": result.measurements, "failed": result.failed}
