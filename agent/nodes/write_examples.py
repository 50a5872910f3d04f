"""write_examples: have approved examples written, or go on without; then the plan is void."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.state import answered
from tools.real_task import authoring

if TYPE_CHECKING:
    from langgraph.runtime import Runtime

    from agent.state import State
    from tools.deps import Deps


def write_examples(state: State, runtime: Runtime[Deps]) -> State:
    """Spend what was approved on examples; a refusal costs nothing and brings none.

    Raises:
        NotApproved: the approval is not for this plan, or its cap was reached at once.
        MirrorError: nothing usable was written; the line says why.
    """
    plan, approval = answered(state)
    needed = state["requirements"]
    assert needed is not None, "examples are priced only when requirements are known"
    name = None
    if approval.decision == "approve":
        name = authoring.write(plan, approval, state, runtime.context)
    changed = needed.model_copy(update={"examples": name, "synthesize": None})
    return {"requirements": changed, "plan": None, "approval": None}
