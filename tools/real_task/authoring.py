"""Synthetic examples as a purchase: priced, approved by a person, written once, then kept.

The author is the first judge that is named, since that is a chat with a price. What it writes is
planned and paid under a run of its own beside the conversation's, because one run has one
approval, and the plan that measures can only be made when there is something to measure on. Every
reply is kept by round and wording: a run that was killed pays for none of them twice.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from memory.errors import BadRequest
from memory.ledger import ReplyKey
from memory.records import Arm, Plan, Step
from prompts import library
from tools.deps import Progress
from tools.judging.chat import Judge
from tools.plans.price_book import dollars
from tools.real_task.synthesis import rounds, synthesize, typical
from tools.request.domains import domains_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memory.records import Approval, Requirements
    from tools.deps import Deps, Message
    from tools.dossier import Dossier
    from tools.judging.chat import PricedChat

MOST_TOKENS = 3000
"""Of one reply with a batch of examples."""
SECONDS = 30.0
"""What one is expected to take."""

BENCHMARK = "synthetic examples"
NO_AUTHOR = (
    "Nobody is named to write examples: name a model with --judge MODEL or MIRROR_JUDGE_MODEL, or"
    " give examples of your own with --examples FILE."
)


def run_of(run: str) -> str:
    """The run under which the examples of ``run`` are paid for."""
    return f"{run}-examples"


def writes(plan: Plan) -> bool:
    """Whether a plan is about writing examples and not about measuring on them."""
    return any(step.benchmark == BENCHMARK for step in plan.steps)


def author(named: Sequence[str], deps: Deps) -> PricedChat:
    """Who writes: the first of the judges named, else of the deployment's.

    Raises:
        BadRequest: nobody is named, or there is no server to ask.
        NotApproved: the price is unknown.
    """
    first = next(iter(named or deps.judges), None)
    if first is None:
        raise BadRequest(NO_AUTHOR)
    return deps.judge(first)


def make_plan(dossier: Dossier, deps: Deps) -> Plan:
    """What writing the examples that were asked for costs; nothing is sent for it.

    Raises:
        BadRequest, NotApproved: as ``author``.
    """
    needed = _needed(dossier)
    count = needed.synthesize or 0
    found = author(needed.judges, deps)
    calls = rounds(count)
    pen = Judge(found.chat, None, found.price, deps.ledger, MOST_TOKENS)
    low, usd, high = pen.quote([typical(_job(needed))] * calls)
    where = "on this machine" if found.here else f"at {found.server}, where your request is sent"
    step = Step(
        arm=Arm(name=found.chat.model, model=found.chat.model, backend="chat"),
        benchmark=BENCHMARK,
        protocol=library.load("examples/synthesize").id,
        items=count,
        usd_low=low,
        usd=usd,
        usd_high=high,
        minutes_low=calls * pen.pace.low / 60,
        minutes=calls * SECONDS / 60,
        minutes_high=2 * calls * found.chat.timeout / 60,
        could_change="what the candidates are tried on; a second plan will say with what",
    )
    return Plan(
        thread=dossier["thread"],
        run=run_of(dossier["run"]),
        steps=(step,),
        seed=0,
        cap_usd=high if needed.budget_usd is None else min(high, needed.budget_usd),
        notes=(f"{found.chat.model} writes them {where} ({found.price})",),
    )


def write(plan: Plan, approval: Approval, dossier: Dossier, deps: Deps) -> str:
    """Have the examples written within ``approval`` and keep them; returns the set's name.

    Fewer come where the author has no more ideas or the cap is reached, and the set says so.

    Raises:
        NotApproved: the approval is not for this plan, or the cap was reached before the first.
        MirrorError: the author can't be asked, or wrote nothing usable.
    """
    needed = _needed(dossier)
    count, found = needed.synthesize or 0, author(needed.judges, deps)
    pen = Judge(found.chat, deps.ledger.open(plan, approval), found.price, deps.ledger, MOST_TOKENS)
    asked = 0

    def say(messages: list[Message]) -> str:
        nonlocal asked
        deps.progress(Progress("writing examples", asked, None))
        asked += 1
        text = messages[0].content.encode("utf-8", "surrogatepass")
        digest = hashlib.sha256(text).hexdigest()[:16]
        prompt = library.load("examples/synthesize")
        key = ReplyKey(pen.name, f"round {asked} #{digest}", f"examples, {MOST_TOKENS}", prompt.id)
        return pen.ask(key, messages).text

    made = synthesize(_job(needed), count, say, deps.embedder, pen.name)
    deps.progress(Progress("writing examples", len(made.examples), len(made.examples)))
    paid = f"written for {dollars(deps.ledger.spent(plan.run))} under plan {plan.hash}"
    judged = needed.judges
    if made.missing_references == len(made.examples):
        judged = judged or deps.judges
    return deps.examples.keep(
        made.model_copy(update={"notes": (*made.notes, paid)}),
        _job(needed),
        judges=judged,
        domain=", ".join(needed.domains or domains_of(needed.text)),
    )


def _needed(dossier: Dossier) -> Requirements:
    needed = dossier.get("requirements")
    if needed is None or needed.synthesize is None:
        raise BadRequest("No examples were asked for.")
    return needed


def _job(needed: Requirements) -> str:
    return needed.instruction or needed.text
