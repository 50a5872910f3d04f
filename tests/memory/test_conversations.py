"""Checkpoints with our own records, locks between processes, and damaged files."""

import multiprocessing
import time
from typing import Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.graph import END, START, StateGraph

from memory import records
from memory.conversations import Conversations, serializer
from memory.errors import DamagedStore, ThreadBusy, UnknownThread
from memory.records import CONSTANT, Arm, Origin, Plan, Score, Step

STEP = Step(
    arm=Arm(name="a", model=CONSTANT, backend="constant"),
    benchmark="t",
    protocol="p",
    items=8,
    usd_low=0,
    usd=0,
    usd_high=0,
    minutes_low=0,
    minutes=1,
    minutes_high=2,
)
PLAN = Plan(thread="t", run="r", steps=(STEP,), seed=1, cap_usd=0, not_measured={"m": "why"})
SCORE = Score(model="m", benchmark="b", protocol="p", value=0.5, origin=Origin.MEASURED, source="s")


class State(TypedDict, total=False):
    plan: Plan
    scores: list[Score]
    messages: list[Any]


@pytest.fixture
def conversations(tmp_path):
    opened = Conversations(tmp_path / "conversations.sqlite")
    yield opened
    opened.close()


def run(conversations, thread):
    graph = StateGraph(State)
    said = {"plan": PLAN, "scores": [SCORE], "messages": [HumanMessage("hi"), AIMessage("yes")]}
    graph.add_node("say", lambda _: said)
    graph.add_edge(START, "say")
    graph.add_edge("say", END)
    compiled = graph.compile(checkpointer=conversations.checkpointer())
    config = {"configurable": {"thread_id": thread}}
    compiled.invoke({}, config, durability="sync")
    return compiled.get_state(config).values


def test_records_and_messages_come_back_as_they_were(conversations, tmp_path):
    run(conversations, "one")
    conversations.close()
    values = run(Conversations(tmp_path / "conversations.sqlite"), "one")
    assert values["plan"] == PLAN
    assert values["plan"].hash == PLAN.hash
    assert values["scores"] == [SCORE]
    assert values["scores"][0].origin is Origin.MEASURED
    assert [type(message) for message in values["messages"]] == [HumanMessage, AIMessage]


def test_every_record_is_allowed_and_nothing_else_of_ours():
    kinds = [
        k for k in vars(records).values() if isinstance(k, type) and issubclass(k, records.Record)
    ]
    allowed = serializer()._allowed_msgpack_modules
    assert {(k.__module__, k.__name__) for k in kinds} <= allowed
    assert {module for module, _ in allowed} == {"memory.records"}


def test_threads_are_listed_latest_first(conversations):
    assert conversations.threads() == []
    run(conversations, "one")
    run(conversations, "two")
    run(conversations, "one")
    found = conversations.threads()
    assert [thread.id for thread in found] == ["one", "two"]
    assert found[0].last_activity > found[1].last_activity


def test_an_unknown_thread_is_named(conversations):
    run(conversations, "one")
    conversations.require("one")
    with pytest.raises(UnknownThread, match="'two'"):
        conversations.require("two")


def hold(path, thread, held, release):
    with Conversations(path).lock(thread):
        held.set()
        release.wait(60)


def test_a_thread_has_one_process_at_a_time(tmp_path, conversations):
    spawn = multiprocessing.get_context("spawn")
    held, release = spawn.Event(), spawn.Event()
    other = spawn.Process(target=hold, args=(conversations.path, "t/1", held, release))
    other.start()
    assert held.wait(60)
    begin = time.monotonic()
    with pytest.raises(ThreadBusy, match="'t/1'"), conversations.lock("t/1"):
        pass
    assert time.monotonic() - begin < 2  # at once: nobody waits for a lock in silence
    with conversations.lock("t-1"):
        pass
    other.kill()
    other.join(60)
    with conversations.lock("t/1"):
        pass


def test_a_damaged_file_is_named_and_left_as_it_is(tmp_path):
    path = tmp_path / "conversations.sqlite"
    path.write_bytes(b"not a database at all, sorry " * 100)
    with pytest.raises(DamagedStore, match=r"conversations\.sqlite"):
        Conversations(path).checkpointer()
    assert path.read_bytes() == b"not a database at all, sorry " * 100
