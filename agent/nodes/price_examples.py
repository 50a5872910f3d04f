"""price_examples: what it costs to have examples written, as a plan of its own for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.real_task import authoring

if TYPE_CHECKING:
    from langgraph.runtime import Runtime

    from agent.state import State
    from tools.deps import Deps


def price_examples(state: State, runtime: Runtime[Deps]) -> State:
    """Plan the writing.

    Raises:
        BadRequest: nobody is named who could write.
        NotApproved: what that costs is unknown.
    """
    return {"plan": authoring.make_plan(state, runtime.context)}
