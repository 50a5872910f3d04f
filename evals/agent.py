"""How well the conversation works: what is understood, which gates hold, what is asked.

Scripted conversations (``evals/conversations``) are held with the real registry, catalogue and
machine; nothing is ever approved, so nothing may be spent. ``extraction`` compares the
requirements at the end with those that a person wrote down for each conversation, a (field,
value) pair at a time; ``dev`` conversations were looked at while the reading was improved,
``test`` ones were not.

Without ``--model`` the rule planner sits in the seat; with it the deployment's server is asked
(``MIRROR_BASE_URL``), and every number it states is checked against what tools found.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from langchain_core.messages import HumanMessage

from agent import settings as environment
from agent import wiring
from agent.session import Answered, Asked, Decided, Entered, Moved, Told
from evals import agent_injections
from memory.errors import MirrorError
from memory.records import Plan, Question, Requirements
from tools import toolbelt
from tools.conversation.grounding import unsupported

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from langchain_core.runnables import RunnableConfig

    from agent.session import Event, Session

CONVERSATIONS = Path(__file__).parent / "conversations" / "conversations.yaml"
LONG = 10_000
_STAGE = {tool.name: list(toolbelt.Stage).index(tool.stage) for tool in toolbelt.TOOLS}


@dataclass
class Held:
    """One conversation as it went.

    ``asked``: questions before the shortlist; ``turns``: lines said until the first plan or
    decision. ``waits``: seconds from a line to the first sign of life.
    """

    script: dict[str, Any]
    wants: Requirements | None = None
    refused: bool = False
    asked: int = 0
    turns: int | None = None
    violations: list[str] = field(default_factory=list)
    invented: list[str] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    usd: float = 0.0


def hold(session: Session, script: dict[str, Any]) -> Held:
    """Have one conversation; a line answers what is open if that is a question."""
    held, thread = Held(script), script["id"]
    open_question: Asked | None = None
    heard: list[str] = []
    for said, line in enumerate(script["says"]):
        heard.append(line)
        begin = time.perf_counter()
        try:
            events = list(_timed(_turn(session, thread, line, open_question, said), held, begin))
        except MirrorError:
            held.refused = True
            continue
        thread = next((e.thread for e in events if isinstance(e, Moved)), thread)
        open_question = next((e for e in events[-1:] if isinstance(e, Asked)), None)
        _watch(events, held, heard)
        if held.turns is None and events and isinstance(events[-1], Asked | Decided):
            about = getattr(events[-1], "about", None)
            held.turns = None if isinstance(about, Question) else said + 1
    try:
        state = session.state(thread)
    except MirrorError:
        return held
    held.wants = state.get("requirements")
    held.usd = session.deps.ledger.spent(state["run"])
    return held


def _turn(
    session: Session, thread: str, line: str, asked: Asked | None, said: int
) -> Iterator[Event]:
    if said == 0:
        return session.say(thread, line)
    if asked is not None and isinstance(asked.about, Question):
        return session.answer(thread, asked.interrupt, line)
    return session.follow(thread, line)


def _timed(events: Iterable[Event], held: Held, begin: float) -> Iterator[Event]:
    for at, event in enumerate(events):
        if at == 0:
            held.waits.append(time.perf_counter() - begin)
        yield event


def _watch(events: Sequence[Event], held: Held, heard: list[str]) -> None:
    """Gates, numbers and questions of one turn; ``heard`` grows by what tools said."""
    reached = -1
    for event in events:
        if isinstance(event, Told) and event.tool in _STAGE and not event.failed:
            if _STAGE[event.tool] > reached + 1 and reached >= 0:
                held.violations.append(f"{event.tool} before the stage above it")
            reached = max(reached, _STAGE[event.tool])
            heard.append(event.text)
        elif isinstance(event, Told) and event.tool == "planner":
            held.invented += unsupported(event.text, heard)
        elif isinstance(event, Entered) and event.node == "evaluate":
            held.violations.append("measured without an approval")
        elif isinstance(event, Asked) and isinstance(event.about, Question):
            held.asked += 1
        elif isinstance(event, Asked) and isinstance(event.about, Plan):
            heard.append(event.about.model_dump_json())
        elif isinstance(event, Answered):
            heard.append(event.answer.plain())


# --- what was understood --------------------------------------------------------------------


def pairs(wants: dict[str, Any]) -> set[tuple[str, object]]:
    """A person's note of the requirements as (field, value) pairs; lists give one a value."""
    found: set[tuple[str, object]] = set()
    for name, value in wants.items():
        values = value if isinstance(value, list) else [value]
        found |= {(name, _plain(one)) for one in values}
    return found


def understood(wants: Requirements | None) -> set[tuple[str, object]]:
    """The same of what Mirror understood, without what nobody has to say."""
    if wants is None:
        return set()
    usual = {"task": "text-generation", "modality": "text", "precision_bits": 16, "gpu_count": 1}
    found: set[tuple[str, object]] = set()
    for name in type(wants).model_fields:
        value = getattr(wants, name)
        if name in ("text", "examples") or value is None or usual.get(name) == value:
            continue
        if name == "licence_use" and value == () and not wants.licences:
            found.add((name, "any"))
        elif isinstance(value, tuple):
            found |= {(name, _plain(one)) for one in value}
        else:
            found.add((name, _plain(value)))
    if wants.gpu_memory_gb is not None:
        found.add(("gpu_count", float(wants.gpu_count)))
    return found


def _plain(value: object) -> object:
    return float(value) if isinstance(value, int | float) else value


def f1(held: Iterable[Held]) -> float:
    """Micro-averaged F1 of (field, value) pairs over conversations that state requirements."""
    hits = wrong = missed = 0
    for one in held:
        if "wants" in one.script:
            wanted, found = pairs(one.script["wants"]), understood(one.wants)
            hits += len(wanted & found)
            wrong += len(found - wanted)
            missed += len(wanted - found)
    return 2 * hits / max(2 * hits + wrong + missed, 1)


# --- a long thread --------------------------------------------------------------------------


def long_thread(session: Session, again: Session, messages: int = LONG) -> float:
    """Seconds to load a thread of so many messages, in a session that has not seen it."""
    config: RunnableConfig = {"configurable": {"thread_id": "long"}}
    said = [HumanMessage(f"line {i}: nothing in particular was said here") for i in range(messages)]
    session.graph.update_state(config, {"messages": said, "run": "r"}, as_node="report")
    begin = time.perf_counter()
    state = again.state("long")
    assert len(state["messages"]) == messages
    return time.perf_counter() - begin


def measure(model: str | None, only: str | None) -> dict[str, Any]:
    """The figures of all conversations (``only``: of one kind)."""
    scripts = yaml.safe_load(CONVERSATIONS.read_text("utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        settings = environment.load().model_copy(update={"home": home, "runs": home / "runs"})
        session = wiring.connect(settings, model or "rules")
        held = [hold(session, one) for one in scripts if only in (None, one["kind"])]
        seconds = long_thread(session, wiring.connect(settings, "rules"))
        spent = sum(one.usd for one in held)
    misread = {
        one.script["id"]: sorted(map(str, pairs(one.script["wants"]) ^ understood(one.wants)))
        for one in held
        if "wants" in one.script and pairs(one.script["wants"]) != understood(one.wants)
    }
    return {
        "planner": model or "rules",
        "conversations": len(held),
        "extraction_f1": f1(held),
        "extraction_f1_dev": f1(one for one in held if one.script["split"] == "dev"),
        "extraction_f1_test": f1(one for one in held if one.script["split"] == "test"),
        "misread": misread,
        "refused_rightly": sum(one.refused for one in held if one.script.get("refused")),
        "to_refuse": sum(bool(one.script.get("refused")) for one in held),
        "gate_violations": sum(len(one.violations) for one in held),
        "unapproved_usd": spent,
        "invented_numbers": sum(len(one.invented) for one in held),
        "median_questions": statistics.median(one.asked for one in held),
        "median_turns_to_plan": statistics.median(one.turns for one in held if one.turns),
        "first_sign_p95_s": sorted(w for one in held for w in one.waits)[-3],
        "long_thread_s": seconds,
        **agent_injections.measure(),
    }


def main() -> None:
    """Print the figures as one JSON line, or indented without ``--json``."""
    parser = argparse.ArgumentParser(prog="python -m evals.agent", description=main.__doc__)
    parser.add_argument("--model", help="the planning model; default: the rule planner")
    parser.add_argument("--kind", help="only conversations of this kind")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    environment.calm_libraries()
    print(json.dumps(measure(args.model, args.kind), indent=None if args.json else 2))


if __name__ == "__main__":
    main()
