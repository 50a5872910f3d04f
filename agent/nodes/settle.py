"""settle: record the answer to a plan in the ledger and apply the changes it asks for.

A changed plan has another hash, so it goes back to a person; only an unchanged one is spent on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.state import answered
from memory.errors import BadRequest
from tools.plans import planning, unknown_code

if TYPE_CHECKING:
    from langgraph.runtime import Runtime

    from agent.state import State
    from tools.deps import Deps


def settle(state: State, runtime: Runtime[Deps]) -> State:
    """Record the answer; edit the cap, drop arms or let some in that run code of their own.

    What can't be done is said and asked again.
    """
    plan, approval = answered(state)
    runtime.context.ledger.record_approval(approval)
    try:
        if approval.decision == "edit" and approval.cap_usd is not None:
            plan = planning.with_cap(plan, approval.cap_usd)
        elif approval.decision == "drop":
            plan = planning.drop(plan, approval.drop)
        elif approval.decision == "trust":
            needed = state.get("requirements")
            plan = unknown_code.trust(plan, approval.trust, needed.budget_usd if needed else None)
    except BadRequest as error:
        return {"complaint": str(error)}
    return {"plan": plan, "complaint": None}
