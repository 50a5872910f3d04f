"""``mirror mcp``: Mirror as a tool of other agents, over the Model Context Protocol.

What an agent can do here is what is free: ask, look, compare, change, refuse. A plan comes back
as a request for approval that a person answers elsewhere; no tool of this server approves, so
no agent can be talked into spending. Work goes on in a thread of its own and reports progress.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator  # noqa: TC003 - evaluated for the tools' schemas
from typing import TYPE_CHECKING, Any, TypeVar

import anyio.from_thread
import anyio.to_thread
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import BaseModel, Field

from agent import wiring
from agent.session import Answered, Asked, Decided, Moved, Told, new_thread
from memory.errors import MirrorError
from memory.records import Approval, Plan, Question
from tools import benchmark_recommender, score_lookup
from tools.clients.benchmarks.items import available
from tools.conversation.follow_ups import Compare, Show, Topic, Why
from tools.deps import Progress
from tools.request import requirements

if TYPE_CHECKING:
    from agent.session import Event, Session
    from agent.settings import Settings

T = TypeVar("T")

INSTRUCTIONS = (
    "Mirror says which open language model fits a job, with evidence. Start with `choose`; it may "
    "ask a question back (answer it with `answer`, in the user's words) and ends with a decision "
    "or with a plan that costs money or machine time. A plan can only be approved by a person, "
    "with the command the reply names. Numbers and names are Mirror's: repeat them as they are."
)
READING = ToolAnnotations(read_only_hint=True, open_world_hint=False)


class ApprovalRequest(BaseModel):
    """What a person is asked to allow; nothing of it has been spent."""

    plan: str = Field(description="the plan's hash; an approval is for exactly this plan")
    usd: float
    cap_usd: float
    minutes: float
    steps: list[str]
    approve_with: str


class Reply(BaseModel):
    """What came of it. ``status``: asked, plan, decided or answered."""

    thread: str
    status: str
    text: str
    question: str | None = None
    options: list[str] = []
    approval_request: ApprovalRequest | None = None
    winner: str | None = None
    report: str | None = None


class Desk:
    """What other agents may ask of Mirror; each public method is a tool of that name."""

    def __init__(self, session: Session, user: str) -> None:
        self.session = session
        self.user = user

    async def choose(self, request: str, ctx: Context) -> Reply:
        """Which open model is best for a job, said in plain words: task, licence use, size or
        hardware, languages, domain. Free; ends with a question, a plan or a decision."""
        thread = new_thread(request)
        return await _told(ctx, thread, lambda: self.session.say(thread, request))

    async def answer(self, thread: str, text: str, ctx: Context) -> Reply:
        """Answer the question that a thread waits on. A plan can't be answered here."""
        asked = await _off(lambda: self.session.pending(thread))
        if asked is None or isinstance(asked.about, Plan):
            raise ToolError(
                f"Thread {thread} waits on a plan, which only a person approves: "
                f"mirror resume {thread}"
                if asked
                else f"Thread {thread} waits on no question."
            )
        return await _told(ctx, thread, lambda: self.session.answer(thread, asked.interrupt, text))

    async def say(self, thread: str, text: str, ctx: Context) -> Reply:
        """Say something more on a thread: a question, a change of mind, or "and if ...?"."""
        return await _told(ctx, thread, lambda: self.session.follow(thread, text))

    async def refuse_plan(self, thread: str, ctx: Context) -> Reply:
        """Refuse the plan that a thread waits on and conclude from free evidence."""
        asked = await _off(lambda: self.session.pending(thread))
        if asked is None or isinstance(asked.about, Question):
            raise ToolError(f"Thread {thread} waits on no plan.")
        no = Approval(
            plan=asked.about.hash,
            decision="refuse",
            by=self.user,
            surface="mcp",
            at=self.session.deps.clock().isoformat(timespec="seconds"),
        )
        return await _told(ctx, thread, lambda: self.session.answer(thread, asked.interrupt, no))

    async def look(self, thread: str) -> Reply:
        """Where a thread stands: the open question, the plan, or the decision."""
        return await _off(lambda: _reply(thread, self.session.standing(thread)))

    async def why(self, thread: str, model: str | None = None) -> str:
        """Why a model (or a family, such as "Qwen") was chosen or was not."""
        return await _off(lambda: self.session.ask(thread, Why(model)).plain())

    async def compare(self, thread: str, models: list[str]) -> str:
        """Two to four models side by side: facts, scores, measured differences."""
        return await _off(lambda: self.session.ask(thread, Compare(tuple(models))).plain())

    async def show(self, thread: str, topic: Topic) -> str:
        """One part of what a thread has found out."""
        return await _off(lambda: self.session.ask(thread, Show(topic)).plain())

    async def recommend_benchmarks(self, request: str) -> list[str]:
        """The benchmarks that say most about a job, with their weights and reasons."""

        def chosen() -> list[str]:
            needed = requirements.read_request(request)
            found = benchmark_recommender.recommend(
                needed, self.session.deps.catalogue, available()
            )
            return [f"{one.task} ({one.weight:.2f}): {one.reason}" for one in found]

        return await _off(chosen)

    async def known_scores(self, models: list[str], benchmarks: list[str]) -> list[str]:
        """What is known of models on benchmarks, each score with its origin and protocol."""

        def known() -> list[str]:
            found = score_lookup.look_up(models, benchmarks, self.session.deps.scores).scores
            return [
                f"{one.model} on {one.benchmark}: {one.value:.3f}, {one.origin}, {one.protocol}"
                for one in found
            ]

        return await _off(known)

    async def threads(self) -> list[str]:
        """The conversations there are, the latest first."""
        found = await _off(self.session.conversations.threads)
        return [f"{one.last_activity[:16]}  {one.id}" for one in found]


def server(session: Session, user: str) -> MCPServer:
    """The server on ``session``; refusals are recorded as ``user``'s, by way of an agent."""
    made = MCPServer("mirror", title="Mirror", instructions=INSTRUCTIONS)
    desk = Desk(session, user)
    for tool in (desk.choose, desk.answer, desk.say, desk.refuse_plan):
        made.add_tool(tool)
    reading: tuple[Callable[..., Any], ...] = (
        desk.look,
        desk.why,
        desk.compare,
        desk.show,
        desk.recommend_benchmarks,
        desk.known_scores,
        desk.threads,
    )
    for look in reading:
        made.add_tool(look, annotations=READING)
    return made


async def _off(work: Callable[[], T]) -> T:
    """Run blocking work in a thread; what a person can act on becomes the tool's error."""
    try:
        return await anyio.to_thread.run_sync(work)
    except MirrorError as error:
        raise ToolError(str(error)) from error


async def _told(ctx: Context, thread: str, begin: Callable[[], Iterator[Event]]) -> Reply:
    """Follow events to their end, reporting progress on the way."""

    def work() -> Reply:
        events: list[Event] = []
        for n, event in enumerate(begin()):
            events.append(event)
            if isinstance(event, Progress | Told):
                line = event.what if isinstance(event, Progress) else event.text
                anyio.from_thread.run(ctx.report_progress, float(n), None, line)
        return _reply(thread, events)

    return await _off(work)


def _reply(thread: str, events: list[Event]) -> Reply:
    thread = next((one.thread for one in events if isinstance(one, Moved)), thread)
    said = [one.answer.plain() for one in events if isinstance(one, Answered)]
    said += [one.text for one in events if isinstance(one, Told) and one.tool != "planner"]
    last = events[-1] if events else None
    reply = Reply(thread=thread, status="answered", text="\n".join(said))
    if isinstance(last, Decided):
        decision = last.decision
        text = "\n".join([*said, decision.summary, *decision.caveats])
        found = {"status": "decided", "text": text, "winner": decision.winner}
        return reply.model_copy(update={**found, "report": f"{last.report}/report.html"})
    if isinstance(last, Asked) and isinstance(last.about, Question):
        found = {"status": "asked", "question": last.about.text}
        return reply.model_copy(update={**found, "options": list(last.about.options)})
    if isinstance(last, Asked) and isinstance(last.about, Plan):
        return reply.model_copy(
            update={"status": "plan", "approval_request": _request(thread, last.about)}
        )
    return reply


def _request(thread: str, plan: Plan) -> ApprovalRequest:
    steps = [
        f"{step.arm.name} on {step.benchmark}: {step.items} items, ${step.usd:.2f}"
        for step in plan.steps
    ]
    here = any(step.here for step in plan.steps)
    return ApprovalRequest(
        plan=plan.hash,
        usd=plan.usd,
        cap_usd=plan.cap_usd,
        minutes=plan.minutes,
        steps=steps,
        approve_with=f"mirror resume {thread}"
        if here
        else "nothing: a price for another machine; refuse_plan concludes from free evidence",
    )


def serve(settings: Settings, planner: str | None) -> int:
    """Serve on standard input and output until the other side hangs up."""
    server(wiring.connect(settings, planner), settings.user).run("stdio")
    return 0
