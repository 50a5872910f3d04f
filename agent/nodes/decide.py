"""decide: from evidence to a ranking, remembered as a finding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from memory.records import Finding
from tools.choosing import deciding

if TYPE_CHECKING:
    from langgraph.runtime import Runtime

    from agent.state import State
    from tools.deps import Deps


def decide(state: State, runtime: Runtime[Deps]) -> State:
    """Conclude, and remember the conclusion (once: its id is the run's)."""
    deps = runtime.context
    decision = deciding.decide(state, deps)
    needed = state["requirements"]
    deps.findings.remember(
        Finding(
            id=f"decision-{state['run']}",
            kind="decision",
            text=f"{needed.text if needed else ''} -> {decision.summary}",
            at=decision.at,
            thread=state["thread"],
            run=state["run"],
        )
    )
    return {"decision": decision}
