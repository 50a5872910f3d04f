"""Real chat traffic of a small model behind llama_cpp.server, replayed (see record.py)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import openai
import pytest
import yaml
from pydantic import ValidationError
from record import CHAT, HERE, KEY, MODEL, SERVER, cassette

from memory.errors import PlannerFailed
from tools import toolbelt

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage


def recorded(name: str) -> list[dict[str, Any]]:
    return yaml.safe_load((HERE / f"{name}.yaml").read_text("utf-8"))["interactions"]


def answer(name: str) -> dict[str, Any]:
    """The assistant's message as the server sent it, straight from the file."""
    return json.loads(recorded(name)[0]["response"]["body"]["string"])["choices"][0]["message"]


@dataclass(frozen=True)
class Replayed:
    reply: AIMessage | None
    error: Exception | None
    sent: dict[str, Any]
    asked: int


@cache  # a failing exchange waits between its retries, so each is replayed once
def replayed(name: str) -> Replayed:
    reply, error, sent = None, None, list[dict[str, Any]]()
    with cassette(name, sent=sent) as tape:
        try:
            reply = CHAT[name]()
        except (openai.APIStatusError, PlannerFailed) as caught:
            error = caught
    return Replayed(reply, error, sent[-1], tape.play_count)


def replay(name: str) -> AIMessage:
    reply = replayed(name).reply
    assert reply is not None
    return reply


@pytest.mark.parametrize("name", ["chat_prose"])
def test_prose_is_prose_and_calls_nothing(name: str) -> None:
    reply = replay(name)
    assert reply.content == answer(name)["content"] != ""
    assert not reply.tool_calls + reply.invalid_tool_calls


@pytest.mark.parametrize(
    "name",
    ["chat_forced_call", "chat_automatic_call", "chat_wrong_arguments", "chat_planner_turn"],
)
def test_a_call_reaches_the_machine_as_it_was_sent(name: str) -> None:
    reply = replay(name)
    sent = answer(name)["tool_calls"]
    assert [(call["id"], call["name"], call["args"]) for call in reply.tool_calls] == [
        (one["id"], one["function"]["name"], json.loads(one["function"]["arguments"]))
        for one in sent
    ]
    assert reply.invalid_tool_calls == []


def test_the_forced_tool_is_the_one_called() -> None:
    assert [call["name"] for call in replay("chat_forced_call").tool_calls] == [
        "record_requirements"
    ]
    assert [call["name"] for call in replay("chat_wrong_arguments").tool_calls] == ["select_models"]


def test_arguments_out_of_range_are_refused_by_the_tools_schema() -> None:
    (call,) = replay("chat_wrong_arguments").tool_calls
    (tool,) = (tool for tool in toolbelt.TOOLS if tool.name == call["name"])
    with pytest.raises(ValidationError, match="beta"):
        tool.arguments.model_validate(call["args"])


def test_a_call_cut_off_in_the_middle_is_no_call() -> None:
    reply = replay("chat_cut_off_call")
    sent = answer("chat_cut_off_call")["tool_calls"][0]["function"]["arguments"]
    with pytest.raises(json.JSONDecodeError):
        json.loads(sent)
    assert reply.tool_calls == []
    assert [call["args"] for call in reply.invalid_tool_calls] == [sent]


def test_a_wrong_key_is_refused_at_once() -> None:
    got = replayed("chat_unauthorized")
    assert isinstance(got.error, openai.AuthenticationError)
    assert got.asked == 1
    assert "sk-not-the-key" not in str(got.error)


def test_a_server_error_is_asked_again_twice_and_then_told() -> None:
    got = replayed("chat_server_error")
    assert isinstance(got.error, openai.InternalServerError)
    assert got.asked == 3
    assert "no_such_tool" in str(got.error)


def test_a_second_turn_sends_no_empty_content() -> None:
    """A null content beside tool calls is an error 500 at llama_cpp.server."""
    sent = replayed("chat_planner_second_turn").sent
    assert "assistant" in [message["role"] for message in sent["messages"]]
    assert all(message["content"] for message in sent["messages"])


@pytest.mark.parametrize("name", CHAT)
def test_what_is_sent_still_has_the_recorded_form(name: str) -> None:
    """Wording and schemas may change; fields, roles and tools on the wire may not, unrecorded."""
    was = json.loads(recorded(name)[0]["request"]["body"])
    assert form(replayed(name).sent) == form(was)
    assert recorded(name)[0]["request"]["uri"] == f"{SERVER}/chat/completions"


def form(body: dict[str, Any]) -> dict[str, Any]:
    tools = body.get("tools", [])
    return {
        "fields": sorted(body),
        "model": body["model"],
        "roles": [(message["role"], sorted(message)) for message in body["messages"]],
        "tools": sorted(tool["function"]["name"] for tool in tools),
        "tool_choice": body.get("tool_choice"),
    }


def test_the_recorded_model_is_named_and_every_cassette_is_replayed() -> None:
    on_disk = {path.stem for path in HERE.glob("chat_*.yaml")}
    assert on_disk == set(CHAT)
    assert {json.loads(recorded(n)[0]["request"]["body"])["model"] for n in CHAT} == {MODEL}


@pytest.mark.parametrize("path", sorted(HERE.glob("*.yaml")), ids=lambda path: path.stem)
def test_no_cassette_holds_a_secret_or_a_local_path(path: Any) -> None:
    text = path.read_text("utf-8").lower()
    assert KEY not in text
    # "task-" is a word and "sk-" the start of a key.
    assert not re.search(r"(?<![a-z])(sk-|hf_)|bearer|authorization|api-key|/tmp/|/home/", text)
