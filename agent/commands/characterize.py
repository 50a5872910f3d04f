"""``mirror characterize MODEL...``: what the models' own sources say, with quotes.

Rules read them for nothing. With ``--reader`` a language model reads them too, in one batch, at a
price that is shown first and approved by a person or by ``--yes-up-to``; the default is no.
"""

from __future__ import annotations

import json
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from agent.approving import approved, says_yes
from memory.errors import BadRequest, NotApproved
from memory.records import Arm, Plan, Step
from prompts import library
from prompts.questions import questions
from tools.characterizing.reading import Reading
from tools.clients.chat import ChatRefused
from tools.envelope import harmless

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from agent.settings import Settings
    from memory.characterizations import Characterizations
    from memory.records import Characteristic, Characterization
    from tools.judging.chat import Judge

DONE, WAITING = 0, 3


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Read, keep and print; returns the exit code."""
    from agent import wiring

    if args.card and len(args.models) > 1:
        raise BadRequest("--card is the card of one model; name only that one.")
    if args.yes_up_to is not None and not args.reader:
        raise BadRequest("--yes-up-to approves a reader; name it with --reader MODEL.")
    now = wiring.clock().isoformat(timespec="seconds")
    readings = _readings(args, settings, now)
    kept = wiring.characterizations(settings)
    found = {one.model: [one.by_rules(kept)] for one in readings}
    code = DONE
    if args.reader:
        judge = _paid_reader(args, settings, readings, now)
        code = DONE if judge else WAITING
        for one in readings if judge else ():
            if not _read_by_model(one, judge, kept, found):
                break
    kept.close()
    if args.json:
        listed = [one.model_dump(mode="json") for some in found.values() for one in some]
        sys.stdout.write(json.dumps({"characterizations": listed}, ensure_ascii=False) + "\n")
    else:
        lines = [line for some in found.values() for one in some for line in described(one)]
        sys.stdout.write("\n".join(lines) + "\n")
    return code


def _readings(args: argparse.Namespace, settings: Settings, now: str) -> list[Reading]:
    """The models that there is something to read about.

    Raises:
        BadRequest: there is nothing about any of them.
    """
    from agent import wiring

    sources, embedder = wiring.sources(settings), wiring.embedder(settings.embedder)
    card = Path(args.card) if args.card else None
    readings = []
    for model in dict.fromkeys(args.models):
        found = sources.of(model, card)
        if found.documents:
            readings.append(Reading(model, found, embedder, now))
        else:
            why = "; ".join(found.notes) or "no card is on this machine"
            sys.stderr.write(f"mirror: nothing to read about {model}: {why}\n")
    if not readings:
        raise BadRequest(
            "Nothing was read. Give a card with --card FILE, put it into MIRROR_MODELS_DIR as"
            " <org>/<name>/README.md, or set MIRROR_OFFLINE=0 to fetch it."
        )
    return readings


# --- a language model as reader ---------------------------------------------------------


def _paid_reader(
    args: argparse.Namespace, settings: Settings, readings: Sequence[Reading], now: str
) -> Judge | None:
    """The reader with a budget somebody approved; None when nobody did."""
    from agent import wiring
    from memory.ledger import Ledger
    from tools.judging.chat import Judge

    found = wiring.judging(settings, args.reader)
    chat, price = found.chat, found.price
    ledger = Ledger(settings.home / "ledger.sqlite", wiring.clock)
    calls = [call for one in readings for call in one.calls]
    most = max((call.max_tokens for call in calls), default=0)
    asked = Judge(chat, None, price, ledger, most)
    low, usd, high = asked.quote([[call.message()] for call in calls])
    sys.stderr.write(
        f"Ask {chat.model} {len(calls)} times about {len(readings)} models: ${usd:.4f} expected,"
        f" at most ${high:.4f} ({price})\n"
    )
    cap = high if args.yes_up_to is None else min(args.yes_up_to, high)
    if args.yes_up_to is None and not says_yes():
        sys.stderr.write("mirror: Nothing was asked. To approve it: --yes-up-to USD\n")
        return None
    step = Step(
        arm=Arm(name=chat.model, model=chat.model, backend="chat"),
        benchmark=f"reading the sources of {len(readings)} models",
        protocol=library.load("characterize/ask").id,
        items=len(calls),
        usd_low=low,
        usd=usd,
        usd_high=high,
        minutes_low=0.0,
        minutes=len(calls) * chat.timeout / 600,
        minutes_high=len(calls) * chat.timeout / 60,
        could_change="how models that the facts leave equal are ordered",
    )
    run = f"characterize-{now[:10]}-{uuid.uuid4().hex[:8]}"
    plan = Plan(thread="characterize", run=run, steps=(step,), seed=0, cap_usd=cap)
    budget = approved(ledger, plan, settings.user, now)
    return Judge(chat, budget, price, ledger, most)


def _read_by_model(
    one: Reading,
    judge: Judge | None,
    kept: Characterizations,
    found: dict[str, list[Characterization]],
) -> bool:
    """Add what the model reads; False where it can't go on, which is said."""
    if judge is None:
        return False
    try:
        found[one.model].append(one.by_model(judge, kept))
    except (NotApproved, ChatRefused) as reason:
        sys.stderr.write(f"mirror: stopped early: {reason}\n")
        return False
    return True


# --- what it says -----------------------------------------------------------------------


def described(found: Characterization) -> Iterator[str]:
    """One characterization as lines: the questions in order, each answer with its quote."""
    yield f"{found.model}  read by {found.reader}, ${found.usd:.4f}"
    yield f"  sources: {', '.join(found.sources)}"
    for asks in questions():
        for answer in found.characteristics:
            if answer.question == asks:
                yield from _answered(answer)
    silent = sum(all(a.question != asks for a in found.characteristics) for asks in questions())
    yield f"  {silent} of {len(questions())} questions: the sources don't say"
    for reason, count in found.dropped.items():
        yield f"  dropped {count}: {reason}"
    for note in found.notes:
        yield f"  {harmless(note)}"


def _answered(answer: Characteristic) -> Iterator[str]:
    value, quote = harmless(answer.value), harmless(answer.quote)
    sure = f"{answer.origin}, {answer.confidence:.2f}"
    yield f"  {answer.question:<24} {value if value != quote else 'as quoted'}  ({sure})"
    yield f'  {"":<24} "{quote}"  {harmless(answer.source)}'
