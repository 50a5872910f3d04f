"""report: write what was found to ``runs/<run>/report.{html,md,json}``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.reports import reporting

if TYPE_CHECKING:
    from langgraph.runtime import Runtime

    from agent.state import State
    from tools.deps import Deps


def report(state: State, runtime: Runtime[Deps]) -> State:
    """Write the report; writing it again gives the same files."""
    return {"report": str(reporting.write(state, runtime.context))}
