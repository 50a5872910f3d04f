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

from agent.talking import respond
from memory.errors import BadRequest, NotApproved
from memory.records import Approval, Decision, Plan, Question
from memory.sqlite import clear_errors
from memory.talk import Remark
from tools.conversation import explaining
from tools.conversation.explaining import Answer
from tools.conversation.follow_ups import Change, Weigh, apply
from tools.deps import Progress
from tools.dossier import VOID
from tools.request import revising
from tools.request.requirements import check, checked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_core.runnables import RunnableConfig

    from agent.graph import Graph
    from agent.state import State
    from memory.conversations import Conversations
    from tools.conversation import follow_ups
    from tools.conversation.follow_ups import Turn
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
class Answered:
    """What Mirror says to something the person said, with a table where it helps."""

    answer: Answer


@dataclass(frozen=True)
class Moved:
    """The conversation goes on in another thread: a branch of this one."""

    thread: str


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


Event = Entered | Told | Answered | Moved | Asked | Decided | Progress

HEARD = 12
"""Remarks that a planning model is reminded of."""


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
        fresh = {**VOID, "thread": thread, "request": text, "given": checked(given or {})}
        with self.conversations.lock(thread):
            yield from self._stream(thread, {**fresh, **self._begun(text)})

    def follow(self, thread: str, text: str) -> Iterator[Event]:
        """Say something more on ``thread``: a question, a change of mind, or "what if".

        A question is answered and whatever is open stays open. A change makes void what rests on
        it (a proposed plan too) and the machine goes on from there; a "what if" does the same in
        a new thread, and this one stays as it is.

        Raises:
            UnknownThread: no such conversation.
            ThreadBusy: another process works on it.
            BadRequest: it is no text, or a change that means nothing.
        """
        with self.conversations.lock(thread):
            state = self._understood(thread)
            talk = self.conversations.talk
            found = respond(text, state, self.deps, talk.last(thread, HEARD))
            answer = found if isinstance(found, Answer) else Answer(_changed(found, state))
            at = self.deps.clock().isoformat(timespec="seconds")
            talk.note(thread, Remark("person", text, at), Remark("mirror", answer.plain(), at))
            yield Answered(answer)
            if isinstance(found, Answer):
                if (still_open := self.pending(thread)) is not None:
                    yield still_open
                return
            dossier = {**apply(found), **self._begun(text)}
            if not (isinstance(found, Change) and found.branch):
                yield from self._stream(thread, dossier)
                return
        yield from self._branch(thread, state, dossier)

    def ask(self, thread: str, question: follow_ups.Question) -> Answer:
        """Answer a question about what ``thread`` has found out; nothing changes.

        Raises:
            UnknownThread: no such conversation.
            BadRequest: nothing is understood of it yet, or the question names nobody known.
        """
        return explaining.answer(question, self._understood(thread), self.deps)

    def undo(self, thread: str) -> Iterator[Event]:
        """Go back to where ``thread`` stood before its last change; nothing paid for is lost.

        Raises:
            BadRequest: there was no change.
        """
        with self.conversations.lock(thread):
            now = self._known(thread).values.get("run")
            past = self.graph.get_state_history(self._config(thread))
            at_rest = (one for one in past if one.interrupts or not one.next)
            before = next(
                (one for one in at_rest if one.values.get("run") not in (now, None)), None
            )
            if before is None:
                raise BadRequest(f"There is no change to undo in {thread}.")
            kept = {key: value for key, value in before.values.items() if key != "messages"}
            yield from self._stream(thread, {**VOID, **kept})

    def _branch(self, thread: str, state: State, changed: dict[str, Any]) -> Iterator[Event]:
        branch = f"{thread}-{uuid.uuid4().hex[:4]}"
        kept = {key: value for key, value in state.items() if key != "messages"}
        yield Moved(branch)
        with self.conversations.lock(branch):
            yield from self._stream(branch, {**kept, **changed, "thread": branch})

    def _begun(self, text: str) -> dict[str, Any]:
        """What every new run on a thread begins with."""
        run = f"{self.deps.clock():%Y-%m-%d}-{uuid.uuid4().hex[:8]}"
        said = [HumanMessage(text)]
        return {"run": run, "messages": said, "strikes": 0, "complaint": None}

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

    def standing(self, thread: str) -> list[Event]:
        """Where ``thread`` stands: its open question or its decision; empty while it works.

        Raises:
            UnknownThread: no such conversation.
        """
        return list(self._ending(thread))

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

    def _understood(self, thread: str) -> State:
        state = self.state(thread)
        if state.get("requirements") is None:
            raise BadRequest(
                f"Nothing is understood of {thread} yet; go on with: mirror resume {thread}"
            )
        return state

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


def _changed(turn: Turn, state: State) -> str:
    """The change, as it was understood."""
    if isinstance(turn, Weigh):
        return f"Eq. 1 is weighed with alpha {turn.balance.alpha:g}, beta {turn.balance.beta:g}."
    before = state["requirements"]
    assert before is not None, "only a conversation with requirements is followed up"
    line = revising.describe(before, turn.requirements)
    return f"What if: {line}." if turn.branch else f"Changed: {line}."


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
    return Told(name or "", str(getattr(message, "artifact", None) or message.content), failed)
