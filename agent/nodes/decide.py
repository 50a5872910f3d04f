"""decide: from evidence to a ranking, remembered as a finding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools import remembering
from tools.choosing import deciding

if TYPE_CHECKING:
    from langgraph.runtime import Runtime

    from agent.state import State
    from tools.deps import Deps


def decide(state: State, runtime: Runtime[Deps]) -> State:
    """Conclude, and remember the conclusion (once: its id is the run's)."""
    deps = runtime.context
    decision = deciding.decide(state, deps)
    needed = state.get("requirements")
    version = deps.registry.version
    deps.findings.remember(remembering.decision(decision, needed, state["request"], version))
    return {"decision": decision}
