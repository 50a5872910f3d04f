"""approve: show the priced plan to a person and wait. It does nothing else, because an
interrupted node runs again from its top when it is resumed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langgraph.types import interrupt

from memory.records import Approval

if TYPE_CHECKING:
    from agent.state import State


def approve(state: State) -> State:
    """The person's answer, as it was given. Anything but an ``Approval`` is a refusal."""
    plan = state["plan"]
    assert plan is not None, "the edge to approve is taken only when a plan is proposed"
    given = interrupt(plan)
    if isinstance(given, Approval):
        return {"approval": given}
    refusal = Approval(plan=plan.hash, decision="refuse", by="nobody", surface="none", at="")
    return {"approval": refusal}
