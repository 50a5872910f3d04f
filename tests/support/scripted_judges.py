"""Judges with a character: one that obeys whatever it reads outside an envelope, and others."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from memory.ledger import Ledger
from memory.records import Approval, JudgedTask, Plan
from tools.clients.fakes import FixedClock, ScriptedChat
from tools.envelope import PREFIX
from tools.judging.chat import Judge
from tools.plans.price_book import TokenPrice

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tools.deps import Message

TASK = JudgedTask(
    domain="medicine",
    role="a very experienced doctor",
    task="write a clinical note",
    source="dialogue",
    answer="note",
)
DIMENSIONS = ("accuracy", "relevance", "consistency", "ethics", "clarity")
PRICE = TokenPrice(1.0, 2.0)
ORDER = re.compile(
    r"(?i)rate (me|this|it|the note) (a |with )?5|5/5|all fives|ignore|disregard|"
    r"\"accuracy\"\s*:\s*5|\"better\"\s*:\s*[12]|highest|you must|new task:|is better"
)
TURN = re.compile(r"(?i)<\|\w+\|>|<(start|end)_of_turn>|\[/?INST\]|</?s>|<</?SYS>>|</?think>|<｜")


def ratings(n: int, comment: str = "", **some: int) -> str:
    return json.dumps(dict.fromkeys(DIMENSIONS, n) | some | {"comment": comment})


def split(prompt: str) -> tuple[str, list[str]]:
    """What stands naked in a prompt, and the enclosed texts: any line without the prefix is naked,
    and so is all that follows a turn marker, as it would be for a tokenizer."""
    naked: list[str] = []
    enclosed: list[list[str]] = []
    for line in prompt.splitlines():
        turn = TURN.search(line)
        if turn:
            naked.append(line[turn.end() :])
        elif line.startswith("[begin "):
            enclosed.append([])
        elif line.startswith(PREFIX) and enclosed:
            enclosed[-1].append(line.removeprefix(PREFIX))
        elif not line.startswith("[end of "):
            naked.append(line)
    return "\n".join(naked), ["\n".join(lines) for lines in enclosed]


def obedient(messages: Sequence[Message]) -> str:
    """What anything naked tells it; else by how much an answer repeats of the source: 4 or 1, or
    the answer that repeats more."""
    naked, (source, *answers) = split(messages[0].content)
    told = ORDER.search(naked.replace('is 1, 2 or "tie"', "")) is not None
    kept = [len(_words(source) & _words(answer)) for answer in answers]
    if len(answers) == 1:
        return ratings(5 if told else 4 if kept[0] else 1)
    better = 1 if told or kept[0] > kept[1] else 2 if kept[1] > kept[0] else '"tie"'
    return f'{{"better": {better}}}'


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w{5,}", text.lower()))


def hire(
    folder: Path,
    says: Callable[[Sequence[Message]], str | Exception] = obedient,
    cap: float = 1.0,
    run: str = "r",
    model: str = "scripted-judge",
) -> tuple[Judge, ScriptedChat, Ledger]:
    """A judge with an approved budget of ``cap`` dollars on the ledger in ``folder``."""
    ledger = Ledger(folder / "ledger.sqlite", FixedClock())
    plan = Plan(thread="t", run=run, steps=(), seed=0, cap_usd=cap)
    yes = Approval(plan=plan.hash, decision="approve", by="me", surface="test", at="now")
    ledger.record_approval(yes)
    chat = ScriptedChat(says, model=model)
    return Judge(chat, ledger.open(plan, yes), PRICE, ledger, patience=0.0), chat, ledger
