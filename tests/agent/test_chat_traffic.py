"""Real chat traffic of a small model behind llama_cpp.server, replayed (see tests/record.py)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import openai
import pytest
import yaml
from pydantic import ValidationError

from memory.errors import PlannerFailed
from tests.record import CHAT, HERE, KEY, MODEL, SERVER, cassette
from tools import toolbelt

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage


def recorded(name: str) -> list[dict[str, Any]]:
    return yaml.safe_load((HERE / f"{name}.yaml").read_text("utf-8"))["interactions"]


def answer(name: str) -> dict[str, Any]:
    """The assistant's message as the server sent it, straight from the file."""
    return json.loads(recorded(name)[0]["response"]["body"]["string"])["choices"][0]["message"]


def replay(name: str) -> AIMessage:
    with cassette(name) as tape:
        reply = CHAT[name]()
    assert tape.all_played
    return reply


@pytest.mark.parametrize("name", ["chat_prose", "chat_planner_turn"])
def test_prose_is_prose_and_calls_nothing(name: str) -> None:
    reply = replay(name)
    assert reply.content == answer(name)["content"] != ""
    assert reply.tool_calls == reply.invalid_tool_calls == []


@pytest.mark.parametrize(
    "name", ["chat_forced_call", "chat_automatic_call", "chat_wrong_arguments"]
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
    with cassette("chat_unauthorized") as tape, pytest.raises(openai.AuthenticationError) as error:
        CHAT["chat_unauthorized"]()
    assert tape.play_count == 1
    assert "sk-not-the-key" not in str(error.value)


def test_a_server_error_is_asked_again_twice_and_then_told() -> None:
    with cassette("chat_server_error") as tape, pytest.raises(openai.InternalServerError) as error:
        CHAT["chat_server_error"]()
    assert tape.play_count == 3
    assert "no_such_tool" in str(error.value)


def test_this_server_takes_no_second_turn() -> None:
    """The client sends a call's empty content as null, which llama_cpp.server refuses."""
    with (
        cassette("chat_planner_second_turn"),
        pytest.raises((openai.InternalServerError, PlannerFailed)) as error,
    ):
        CHAT["chat_planner_second_turn"]()
    (exchange,) = recorded("chat_planner_second_turn")
    assert exchange["response"]["status"]["code"] == 500
    assert "should be a valid string" in exchange["response"]["body"]["string"]
    assert isinstance(error.value, PlannerFailed) or error.value.status_code == 500


@pytest.mark.parametrize("name", CHAT)
def test_what_is_sent_still_has_the_recorded_form(name: str) -> None:
    """Wording and schemas may change; fields, roles and tools on the wire may not, unrecorded."""
    sent: list[dict[str, Any]] = []
    with cassette(name, sent=sent):
        try:
            CHAT[name]()
        except (openai.APIStatusError, PlannerFailed):
            assert recorded(name)[0]["response"]["status"]["code"] >= 400
    was = json.loads(recorded(name)[0]["request"]["body"])
    assert form(sent[-1]) == form(was)
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
    for secret in (KEY, "sk-", "hf_", "bearer", "authorization", "api-key", "/tmp/", "/home/"):
        # A tool's description may hold such letters inside a word, such as "task-".
        assert f" {secret}" not in f" {text}".replace("'", " ").replace('"', " "), secret
