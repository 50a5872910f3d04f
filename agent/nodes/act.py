"""act: run the tool calls the planner made, if the stage allows them.

A call the machine refuses is told to the model, which may try again; ``planner`` gives up on it
after three refusals in a row. What a tool found goes into the dossier.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from pydantic import ValidationError

from agent.nodes.planner import MACHINE
from tools import toolbelt

if TYPE_CHECKING:
    from langchain_core.messages import AnyMessage, ToolCall
    from langgraph.runtime import Runtime

    from agent.state import State
    from tools.deps import Deps
    from tools.dossier import Dossier


def act(state: State, runtime: Runtime[Deps]) -> State:
    """Run the planner's calls in order; later ones see what earlier ones found.

    Raises:
        MirrorError: a tool can't do what the request needs; the line says why.
    """
    reply = state["messages"][-1]
    calls = reply.tool_calls if isinstance(reply, AIMessage) else []
    strikes = state.get("strikes", 0)
    found: Dossier = {}
    said: list[AnyMessage] = []
    for call in calls:
        outcome = _run(call, cast("Dossier", {**state, **found}), runtime.context)
        if isinstance(outcome, toolbelt.Outcome):
            strikes = 0
            found.update(outcome.found)
            said.append(
                ToolMessage(
                    outcome.text,
                    # What a person reads instead; a model is never sent it.
                    artifact=outcome.told,
                    tool_call_id=call["id"],
                    name=call["name"],
                )
            )
        else:
            strikes += 1
            said.append(
                ToolMessage(outcome, tool_call_id=call["id"], name=call["name"], status="error")
            )
    if not calls:
        strikes += 1
        broken = isinstance(reply, AIMessage) and reply.invalid_tool_calls
        hint = "The call was cut off or is no JSON. " if broken else ""
        said.append(HumanMessage(hint + "Answer with a call of one of the tools.", name=MACHINE))
    gained = cast("State", found)
    return {**gained, "messages": said, "strikes": strikes}


def _run(call: ToolCall, dossier: Dossier, deps: Deps) -> toolbelt.Outcome | str:
    tools = {tool.name: tool for tool in toolbelt.offered(dossier)}
    tool = tools.get(call["name"])
    if tool is None:
        return f"there is no tool {call['name']!r} here; there are: {', '.join(tools) or 'none'}"
    try:
        return tool.call(call["args"], dossier, deps)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        return f"wrong arguments for {tool.name}: {where}: {first['msg']}"
