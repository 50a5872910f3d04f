"""A whole deployment in a folder: real stores, registry, funnel and methods; scripted outside.

Used in-process by tests and, as ``python world.py HOME THREAD KILL``, by the tests that kill it.
"""

import os
import signal
import sys
from pathlib import Path

from langchain_core.language_models import BaseChatModel

from agent.graph import build
from agent.planners import RulePlanner
from agent.session import Asked, Entered, Session
from agent.wiring import to_stream
from memory.conversations import Conversations
from memory.example_sets import ExampleSets
from memory.findings import Findings
from memory.ledger import Ledger
from memory.records import Approval, BenchmarkChoice, Model, Question
from memory.registry import Registry
from memory.scores import Scores
from tools.clients.fakes import FixedClock, HashEmbedder, ScriptedRunner
from tools.deps import Deps

REQUEST = "Answer biomedical questions in English, commercial use, at most 0.5B parameters"
VAGUE = "Answer biomedical questions in English, at most 0.5B parameters"
GOOD, POOR = "acme/med-400m", "acme/chat-300m"


def _model(id: str, params: int, licence: str, **more) -> Model:
    stated = {"languages": ("en",), "task": "text-generation", "architecture": "llama"}
    return Model(id=id, params=params, licence=licence, **stated, **more)


MODELS = [
    _model(GOOD, 400_000_000, "apache-2.0", domains=("medical",)),
    _model(POOR, 300_000_000, "mit"),
    _model("acme/huge", 70 * 10**9, "mit"),
    _model("acme/nc", 400_000_000, "cc-by-nc-4.0"),
]


class TwoBenchmarks:
    """A catalogue with two benchmarks."""

    def search(self, query: str, domains: tuple[str, ...], k: int) -> list[BenchmarkChoice]:
        return [
            BenchmarkChoice(task="pubmedqa", weight=0.6, reason="near", items_source="made"),
            BenchmarkChoice(task="medmcqa", weight=0.4, reason="near", items_source="made"),
        ]


class KillingRunner(ScriptedRunner):
    """Dies by SIGKILL, as a whole process, before item ``kill_at`` of the run."""

    kill_at: int | None = None

    def run(self, arm, benchmark, items):
        for result in super().run(arm, benchmark, items):
            if len(self.asked) == self.kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            yield result


def deps(home: Path, planner: BaseChatModel | None = None, models=MODELS) -> Deps:
    embedder, clock = HashEmbedder(), FixedClock()
    return Deps(
        clock=clock,
        registry=Registry({model.id: model for model in models}, "made"),
        scores=Scores(home / "scores.sqlite", bundled=None),
        findings=Findings(home / "findings.sqlite", embedder.encode, embedder.name),
        ledger=Ledger(home / "ledger.sqlite", clock),
        embedder=embedder,
        catalogue=TwoBenchmarks(),
        runner=KillingRunner({GOOD: 1.0, POOR: 0.0}),  # no sample of items can make it close
        examples=ExampleSets(home / "examples"),
        planner=planner or RulePlanner(),
        runs=home / "runs",
        cache=home / "cache",
        usd_per_hour=3.6,
        minutes=1.0,
        progress=to_stream,
    )


def session(home: Path, planner: BaseChatModel | None = None, models=MODELS) -> Session:
    conversations = Conversations(home / "conversations.sqlite")
    return Session(build(conversations.checkpointer()), deps(home, planner, models), conversations)


def approval(plan, decision="approve", **more) -> Approval:
    return Approval(
        plan=plan.hash, decision=decision, by="ada", surface="test", at="2026-01-01", **more
    )


def go(made: Session, thread: str) -> list:
    """Say or resume, and approve whatever is asked, to the end; every event on the way."""
    known = thread in [one.id for one in made.conversations.threads()]
    events = list(made.resume(thread) if known else made.say(thread, REQUEST))
    while isinstance(events[-1], Asked):
        asked = events[-1]
        question = isinstance(asked.about, Question)
        value = "commercial" if question else approval(asked.about)
        events += made.answer(thread, asked.interrupt, value)
    return events


def main(home: Path, thread: str, kill: str) -> None:
    """Run to the end, or to the place named by ``kill``: a node, 'prompt' or 'item:<n>'."""
    made = session(home)
    if kill.startswith("item:"):
        made.deps.runner.kill_at = int(kill.removeprefix("item:"))
    known = thread in [one.id for one in made.conversations.threads()]
    request = VAGUE if kill == "ask" else REQUEST
    events = made.resume(thread) if known else made.say(thread, request)
    while events is not None:
        following = None
        for event in events:
            if isinstance(event, Entered) and event.node == kill:
                os.kill(os.getpid(), signal.SIGKILL)
            if isinstance(event, Asked):
                if kill == "prompt":
                    os.kill(os.getpid(), signal.SIGKILL)
                following = made.answer(thread, event.interrupt, approval(event.about))
        events = following


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
