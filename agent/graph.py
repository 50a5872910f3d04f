"""The state machine: nodes and edges on one screen.

START -> planner, or wherever a changed dossier has to go on
planner -> act -+-> planner          while something is to be found out
                +-> ask -> act..     while a person must say something
                +-> price_examples -> approve..  where examples are to be written first
                +-> approve -> settle -+-> evaluate -> decide -> report
                       ^---------------+   (an edited plan is asked again)
                                       +-> decide     (refused: free evidence only)
                                       +-> write_examples -> planner
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from agent.nodes.act import act
from agent.nodes.approve import approve
from agent.nodes.ask import ask
from agent.nodes.decide import decide
from agent.nodes.evaluate import evaluate
from agent.nodes.planner import planner
from agent.nodes.price_examples import price_examples
from agent.nodes.report import report
from agent.nodes.settle import settle
from agent.nodes.write_examples import write_examples
from agent.state import State, answered
from tools import toolbelt
from tools.deps import Deps
from tools.real_task import authoring
from tools.request import requirements

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver
    from langgraph.runtime import Runtime


class Node(Protocol):
    """A node that works with the live objects: state in, its own keys out."""

    __name__: str

    def __call__(self, state: State, runtime: Runtime[Deps]) -> State:
        """Do the node's work."""
        ...


Graph: TypeAlias = CompiledStateGraph[State, Deps, State, State]


def entry(
    state: State,
) -> Literal["planner", "ask", "price_examples", "approve", "decide", "__end__"]:
    """A fresh request begins with the planner; a dossier that was changed goes on where it must.

    One that holds its decision (an undone change brings it back) has nothing to do.
    """
    return "__end__" if state.get("decision") is not None else after_act(state)


def after_act(
    state: State,
) -> Literal["planner", "ask", "price_examples", "approve", "decide"]:
    """Ask what only a person knows, then find out the rest, then propose."""
    needed = state.get("requirements")
    if needed is not None and requirements.missing(needed):
        return "ask"
    # Not before there are candidates to try on them, nor after benchmarks were chosen without.
    if needed is not None and needed.synthesize and toolbelt.awaits_examples(state):
        return "price_examples"
    if toolbelt.stage(state) is not toolbelt.Stage.PLANNED:
        return "planner"
    plan = state.get("plan")
    return "approve" if plan is not None and (plan.steps or plan.waiting) else "decide"


def after_settle(
    state: State,
) -> Literal["approve", "evaluate", "decide", "write_examples"]:
    """Only the approval of exactly the plan in hand leads to spending."""
    plan, approval = answered(state)
    approved = approval.decision == "approve" and approval.plan == plan.hash
    if not approved and approval.decision != "refuse":
        return "approve"
    if authoring.writes(plan):
        return "write_examples"
    return "evaluate" if approved else "decide"


def build(checkpointer: BaseCheckpointSaver[str] | None = None, deps: Deps | None = None) -> Graph:
    """The compiled machine.

    Args:
        checkpointer: Where every step is kept; a host such as ``langgraph dev`` brings its own.
        deps: For a host that can't hand live objects over as ``context``; else leave it out.
    """
    # Such a host would build the context itself, from JSON.
    graph = StateGraph(State, context_schema=None if deps else Deps)
    working: tuple[Node, ...] = (
        planner,
        act,
        price_examples,
        settle,
        write_examples,
        evaluate,
        decide,
        report,
    )
    for node in working:
        graph.add_node(node.__name__, _bound(node, deps) if deps else node)
    for waiting in (ask, approve):
        graph.add_node(waiting.__name__, waiting)
    graph.add_conditional_edges(START, entry)
    graph.add_edge("planner", "act")
    graph.add_conditional_edges("act", after_act)
    graph.add_conditional_edges("ask", after_act)
    graph.add_edge("price_examples", "approve")
    graph.add_edge("approve", "settle")
    graph.add_conditional_edges("settle", after_settle)
    graph.add_edge("write_examples", "planner")
    graph.add_edge("evaluate", "decide")
    graph.add_edge("decide", "report")
    graph.add_edge("report", END)
    return graph.compile(checkpointer=checkpointer)


def _bound(node: Node, deps: Deps) -> Node:
    def bound(state: State, runtime: Runtime[Deps]) -> State:
        return node(state, runtime.override(context=deps))

    bound.__name__ = node.__name__
    return bound
