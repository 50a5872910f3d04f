"""State: what one conversation has found out, plus its messages and the planner's tally.

Small on purpose: it is written to disk after every step. What can be computed again from
the registry and the requirements (each removed model's reason) stays out of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from langchain_core.messages import AnyMessage  # noqa: TC002 - evaluated by LangGraph
from langgraph.graph.message import add_messages

from tools.dossier import Dossier

if TYPE_CHECKING:
    from memory.records import Approval, Plan


class State(Dossier, total=False):
    """``strikes``: the planner's calls refused in a row. ``complaint``: why an answer failed."""

    messages: Annotated[list[AnyMessage], add_messages]
    strikes: int
    complaint: str | None


def answered(state: State) -> tuple[Plan, Approval]:
    """The plan and the person's answer to it; only edges behind ``approve`` may ask."""
    plan, approval = state.get("plan"), state.get("approval")
    if plan is None or approval is None:
        raise RuntimeError("no plan was answered: an edge of the graph is wrong")
    return plan, approval
