"""planner: the model in the seat picks the next tool among those the stage allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from memory.errors import PlannerFailed
from prompts import library
from tools import toolbelt
from tools.clients.advisor import server_errors
from tools.conversation.grounding import unsupported

if TYPE_CHECKING:
    from langgraph.runtime import Runtime

    from agent.state import State
    from tools.deps import Deps

MOST_STRIKES = 3
MACHINE = "machine"


def planner(state: State, runtime: Runtime[Deps]) -> State:
    """Ask the planning model for one tool call.

    Raises:
        PlannerFailed: three calls in a row were refused, or its server can't be used.
    """
    strikes = state.get("strikes", 0)
    if strikes >= MOST_STRIKES:
        last = str(state["messages"][-1].content).rstrip(".")
        raise failed(state, f"was refused {strikes} times in a row, the last time: {last}")
    tools = toolbelt.offered(state)
    system = library.load("planner").render(
        stage=toolbelt.stage(state), tools=", ".join(tool.name for tool in tools)
    )
    seat = runtime.context.planner.bind_tools(
        [tool.schema() for tool in tools],
        # Without it llama.cpp's server ignores the tools; "required" is an error there.
        tool_choice="auto",
    )
    try:
        reply = seat.invoke([SystemMessage(system), *_recent(state)])
    except server_errors() as error:
        raise failed(state, f"can't be used ({' '.join(str(error).split())[:200]})") from error
    if not isinstance(reply, AIMessage):
        raise failed(state, "answered with something that is no message")
    return {"messages": [_grounded(reply, state)]}


def _grounded(reply: AIMessage, state: State) -> AIMessage:
    """The reply, silenced where it states a number that no tool and nobody gave it."""
    sources = [str(m.content) for m in state["messages"] if not isinstance(m, AIMessage)]
    invented = unsupported(str(reply.content), [state["request"], *sources])
    return reply.model_copy(update={"content": ""}) if invented else reply


def failed(state: State, what: str) -> PlannerFailed:
    """The error for a planner that can't go on; the thread is kept."""
    return PlannerFailed(
        f"The planning model {what}. Nothing is lost; go on without it: "
        f"mirror resume {state['thread']} --planner rules"
    )


def _recent(state: State) -> list[HumanMessage | AIMessage | ToolMessage]:
    """The request in its envelope, then what was called, found and objected to in this run."""
    messages = state["messages"]
    start = max(
        i for i, m in enumerate(messages) if isinstance(m, HumanMessage) and m.name != MACHINE
    )
    kept = [
        _spoken(m)
        for m in messages[start + 1 :]
        if isinstance(m, (AIMessage, ToolMessage, HumanMessage))
    ]
    return [HumanMessage(f"<request>\n{state['request']}\n</request>"), *kept]


def _spoken(
    message: AIMessage | ToolMessage | HumanMessage,
) -> AIMessage | ToolMessage | HumanMessage:
    """Some servers refuse the null that an empty content becomes beside tool calls."""
    return message if message.content else message.model_copy(update={"content": "(calling)"})
