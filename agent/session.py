"""Session: the one door for every surface.

A surface says something or answers something and gets events back; it never sees the graph.
Checkpoints are written before the next step begins (``durability="sync"``): with the default,
a kill at a prompt lost the prompt. A question is therefore yielded only after the stream has
ended, when it is on disk.

An answer names the interrupt it belongs to. LangGraph treats a resume value whose keys are not
pending interrupt ids as an answer to whatever is pending, so the id is checked here first.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.types import Command

from memory.errors import NotApproved
from memory.records import Approval, Decision, Plan, Question
from memory.sqlite import clear_errors
from tools.deps import Progress
from tools.dossier import VOID
from tools.request.requirements import check, checked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_core.runnables import RunnableConfig

    from agent.graph import Graph
    from agent.state import State
    from memory.conversations import Conversations
    from tools.deps import Deps


@dataclass(frozen=True)
class Entered:
    """The machine began a node."""

    node: str


@dataclass(frozen=True)
class Told:
    """A tool's result, in words; ``tool`` is its name."""

    tool: str
    text: str
    failed: bool = False


@dataclass(frozen=True)
class Asked:
    """The machine waits for a person. Answer with ``interrupt``'s id."""

    interrupt: str
    about: Question | Plan
    complaint: str | None = None


@dataclass(frozen=True)
class Decided:
    """The end of a run: the decision and the report's folder."""

    decision: Decision
    report: str


Event = Entered | Told | Asked | Decided | Progress


class Session:
    """One deployment's conversations. Threads are named; a thread is worked by one process."""

    def __init__(self, graph: Graph, deps: Deps, conversations: Conversations) -> None:
        self.graph = graph
        self.deps = deps
        self.conversations = conversations

    def say(
        self, thread: str, text: str, given: dict[str, object] | None = None
    ) -> Iterator[Event]:
        """Start a request on ``thread`` (a new one, or one that has come to its end).

        Args:
            thread: The conversation's name.
            text: The request, in plain words.
            given: Requirements stated by flags; they outweigh the text.

        Raises:
            BadRequest: the text is no request.
            ThreadBusy: another process works on this thread.
        """
        check(text)
        stated = checked(given or {})
        run = f"{self.deps.clock():%Y-%m-%d}-{uuid.uuid4().hex[:8]}"
        fresh: dict[str, Any] = {
            **VOID,
            "thread": thread,
            "run": run,
            "request": text,
            "given": stated,
            "messages": [HumanMessage(text)],
            "strikes": 0,
            "complaint": None,
        }
        with self.conversations.lock(thread):
            yield from self._stream(thread, fresh)

    def resume(self, thread: str) -> Iterator[Event]:
        """Go on where ``thread`` stopped: after a kill, an error, or at a question.

        Raises:
            UnknownThread: no such conversation.
            ThreadBusy: another process works on it.
        """
        with self.conversations.lock(thread):
            snapshot = self._known(thread)
            # A node whose results are kept, but not the step they lead to, is no longer "next".
            if snapshot.interrupts or not snapshot.tasks:
                yield from self._ending(thread)
                return
            if snapshot.next == ("planner",):  # it may have been given up on: a new chance
                self.graph.update_state(snapshot.config, {"strikes": 0}, as_node="act")
            yield from self._stream(thread, None)

    def answer(self, thread: str, interrupt: str, value: str | Approval) -> Iterator[Event]:
        """Answer the pending question ``interrupt`` of ``thread`` and go on.

        Raises:
            NotApproved: that question is no longer the pending one, or the approval is for
                another plan than the one now proposed. Nothing is spent.
        """
        with self.conversations.lock(thread):
            pending = {i.id: i.value for i in self._known(thread).interrupts}
            if interrupt not in pending:
                raise NotApproved(
                    f"That question of thread {thread} is no longer open; nothing was done. "
                    f"See what is open with: mirror resume {thread}"
                )
            asked = pending[interrupt]
            if isinstance(asked, Plan) and (
                not isinstance(value, Approval) or value.plan != asked.hash
            ):
                raise NotApproved(
                    f"The plan has changed to {asked.hash} since; nothing was approved. "
                    f"Look at it with: mirror resume {thread}"
                )
            if isinstance(value, Approval) and value.decision == "approve" and _elsewhere(asked):
                raise NotApproved(
                    "This plan is a price for another machine: nothing of it can run here, so "
                    f"there is nothing to approve. Go on with: mirror resume {thread} --refuse"
                )
            yield from self._stream(thread, Command(resume={interrupt: value}))

    def pending(self, thread: str) -> Asked | None:
        """The question ``thread`` waits on, if any."""
        return next((e for e in self._ending(thread) if isinstance(e, Asked)), None)

    def state(self, thread: str) -> State:
        """What ``thread`` has found out.

        Raises:
            UnknownThread: no such conversation.
        """
        values: State = self._known(thread).values
        return values

    def _config(self, thread: str) -> RunnableConfig:
        return {"configurable": {"thread_id": thread}, "recursion_limit": 100}

    def _known(self, thread: str) -> Any:
        self.conversations.require(thread)
        return self.graph.get_state(self._config(thread))

    def _stream(self, thread: str, entry: Any) -> Iterator[Event]:
        stream = self.graph.stream(
            entry,
            self._config(thread),
            context=self.deps,
            durability="sync",
            stream_mode=["tasks", "updates", "custom"],
        )
        with clear_errors(self.conversations.path):
            for mode, payload in stream:
                yield from _events(mode, payload)
        yield from self._ending(thread)

    def _ending(self, thread: str) -> Iterator[Event]:
        snapshot = self._known(thread)
        for interrupt in snapshot.interrupts:
            yield Asked(interrupt.id, interrupt.value, snapshot.values.get("complaint"))
        decision = snapshot.values.get("decision")
        if decision is not None and not snapshot.tasks:
            yield Decided(decision, snapshot.values.get("report") or "")


def _elsewhere(asked: Question | Plan) -> bool:
    return isinstance(asked, Plan) and not any(step.here for step in asked.steps)


def new_thread(text: str) -> str:
    """A readable, unused name for a conversation about ``text``."""
    words = re.findall(r"[a-z]{4,}", text.lower())[:2]
    return "-".join([*words, uuid.uuid4().hex[:6]])


def _events(mode: str, payload: Any) -> Iterator[Event]:
    if mode == "custom" and isinstance(payload, Progress):
        yield payload
    elif mode == "tasks" and "input" in payload:
        yield Entered(payload["name"])
    elif mode == "updates":
        for update in payload.values():
            messages = update.get("messages", []) if isinstance(update, dict) else []
            yield from map(_told, (m for m in messages if isinstance(m, (ToolMessage, AIMessage))))


def _told(message: ToolMessage | AIMessage) -> Told:
    name = message.name if isinstance(message, ToolMessage) else "planner"
    failed = isinstance(message, ToolMessage) and message.status == "error"
    return Told(name or "", str(message.content), failed)
