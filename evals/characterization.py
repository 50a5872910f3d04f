"""How far what is read of a model card can be believed.

    python -m evals.characterization --data DIR [--model NAME --yes-up-to USD] --json

``DIR`` holds ``lineage/models_2057_modelinfo_and_card.jsonl.gz``, 1,899 real cards of 2025. The
reader sees a card without its front matter; where that states the licence, languages, base
models, task, data sets or a domain, the surest answer read from the text is compared with it.

The patterns and thresholds of ``tools.characterizing`` were chosen on the cards whose id has an
even SHA-256; the others are reported. Training scripts write most cards, and the same line of a
template often stands in both places, so agreement is given twice: of cards (Wilson, 90 %), and with
every author counting once (bootstrap over authors, 90 %). A language model is asked only with
``--model``, at the server of MIRROR_JUDGE_BASE_URL, about the first ``--cards`` of the same cards.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from agent import settings as environment
from agent import wiring
from agent.approving import approved
from memory.ledger import Ledger
from memory.records import Plan
from prompts.questions import questions
from tools.characterizing import card_metadata, form, rules, wording
from tools.characterizing.documents import from_markdown, front_matter, plain
from tools.characterizing.passages import Library
from tools.characterizing.quotes import Quotable
from tools.clients.embedder import OnnxEmbedder
from tools.judging.chat import Judge
from tools.methods import licences
from tools.methods.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from memory.records import Characteristic

    Read = tuple[list[Characteristic], int]
    Reader = Callable[[str, str], Read]

CARDS = "lineage/models_2057_modelinfo_and_card.jsonl.gz"
COMPARED = ("licence", "languages", "base model", "tasks", "training data", "domain")
DRAWS = 2000
MANY_PASSAGES, RETRIEVED_FROM = 8, 100


@dataclass(frozen=True)
class Card:
    """A card's text, what its front matter states, and what was read of the text alone.

    ``proposed`` counts answers before their quotes were checked.
    """

    model: str
    stated: dict[str, list[str]]
    read: list[Characteristic]
    proposed: int

    def surest(self, question: str) -> Characteristic | None:
        """The surest answer to a question; None where there is none."""
        some = [one for one in self.read if one.question == question]
        return max(some, key=lambda one: one.confidence, default=None)


def cards(data: Path) -> Iterator[tuple[str, str]]:
    """(model id, card) of every record with one."""
    with gzip.open(data / CARDS, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if row["card"]:
                yield row["model_id"], row["card"]


def reported(model: str) -> bool:
    """Whether a card is of the half that nothing was chosen on."""
    return int(hashlib.sha256(model.encode()).hexdigest(), 16) % 2 == 1


def same(question: str, value: str, stated: Sequence[str]) -> bool:
    """Whether a value read is one of those stated, whoever's name stands before it."""

    def plainly(said: str) -> str:
        if question == "licence":
            return licences.normalize(said)
        return said.lower().split("/")[-1]

    return plainly(value) in {plainly(one) for one in stated}


def agreement(found: Sequence[Card], question: str) -> dict[str, object]:
    """How often the surest answer is one that the front matter states."""
    answered = [card for card in found if card.surest(question)]
    both = [card for card in answered if card.stated.get(question)]
    right: dict[str, list[bool]] = defaultdict(list)
    for card in both:
        one = card.surest(question)
        assert one is not None
        author = card.model.split("/")[0]
        right[author].append(same(question, one.value, card.stated[question]))
    hits = sum(sum(some) for some in right.values())
    low, high = wilson(hits, len(both))
    return {
        "stated": sum(bool(card.stated.get(question)) for card in found),
        "answered": len(answered),
        "n": len(both),
        "agree": round(hits / len(both), 3) if both else None,
        "low": round(low, 3),
        "high": round(high, 3),
        "authors": by_author(right),
    }


def by_author(right: dict[str, list[bool]]) -> dict[str, object]:
    """The same with every author counting once; None where there is nobody."""
    means = np.array([np.mean(some) for some in right.values()])
    if not means.size:
        return {"n": 0, "agree": None}
    draws = np.random.default_rng(0).choice(means, (DRAWS, means.size)).mean(axis=1)
    low, high = np.quantile(draws, (0.05, 0.95))
    return {
        "n": int(means.size),
        "agree": round(float(means.mean()), 3),
        "low": round(float(low), 3),
        "high": round(float(high), 3),
    }


def figures(found: Sequence[Card]) -> dict[str, object]:
    """The figures of one reader over some cards."""
    kept, proposed = sum(len(card.read) for card in found), sum(card.proposed for card in found)
    low, high = wilson(kept, proposed)
    spread = Counter(one.question for card in found for one in card.read)
    return {
        "cards": len(found),
        "answers": kept,
        "quoted": round(kept / proposed, 4) if proposed else None,
        "quoted_low": round(low, 4),
        "quoted_high": round(high, 4),
        "answers_by_question": {asks: spread[asks] for asks in questions()},
        "agreement": {question: agreement(found, question) for question in COMPARED},
    }


def by_rules(embedder: OnnxEmbedder) -> Reader:
    """The rules as a reader: (model, text) -> (answers, how many were proposed)."""

    def read(model: str, text: str) -> Read:
        document = from_markdown(rules.CARD, text)
        passages = Library.of([document], embedder).passages
        proposed = list(rules.propose([document], passages, embedder))
        kept = rules.quoted(proposed, [document])
        unquoted = len(proposed) - len(kept)
        best = rules.surest(kept)
        return best, len(best) + unquoted

    return read


def by_model(name: str, cap: float, embedder: OnnxEmbedder) -> Reader:
    """A language model as a reader, paid up to ``cap`` dollars."""
    settings = environment.load()
    found = wiring.judging(settings, name)
    chat, price = found.chat, found.price
    now = wiring.clock().isoformat()
    plan = Plan(thread="evals", run=f"characterization-{now}", steps=(), seed=0, cap_usd=cap)
    ledger = Ledger(settings.home / "ledger.sqlite", wiring.clock)
    judge = Judge(chat, approved(ledger, plan, settings.user, now), price, ledger)

    def read(model: str, text: str) -> Read:
        document = from_markdown(rules.CARD, text)
        made = form.calls(Library.of([document], embedder))
        answers = form.read(model, made, [document], judge, embedder)
        unquoted = answers.dropped["quote not in the sources"]
        return rules.surest(answers.kept), len(rules.surest(answers.kept)) + unquoted

    return read


def measured(some: Sequence[tuple[str, str]], read: Reader) -> list[Card]:
    """Every card with what ``read`` makes of its text."""
    found = []
    for model, card in some:
        front, text = front_matter(card)
        stated = card_metadata.stated(plain(card_metadata.SOURCE, front))
        answers, proposed = read(model, text)
        found.append(Card(model, stated, answers, proposed))
    return found


def retrieval(some: Sequence[tuple[str, str]], embedder: OnnxEmbedder) -> dict[str, object]:
    """How often the passages retrieved for a question hold an answer that is known to be there."""
    found: dict[str, list[bool]] = defaultdict(list)
    chances: list[float] = []
    read = 0
    for _, card in some:
        document = from_markdown(rules.CARD, front_matter(card)[1])
        library = Library.of([document], embedder)
        answers = {one.question: one for one in wording.read(document)}
        if len(library.passages) < MANY_PASSAGES or not answers:
            continue
        asked = [questions()[asks] for asks in answers]
        nearest = library.nearest([one.text for one in asked], form.PER_QUESTION)
        for question, passages in zip(asked, nearest, strict=True):
            quote = answers[question.asks].quote
            found[question.asks].append(any(Quotable(p.text).find(quote) for p in passages))
            chances.append(form.PER_QUESTION / len(library.passages))
        read += 1
        if read == RETRIEVED_FROM:
            break
    hits, n = sum(sum(some) for some in found.values()), len(chances)
    low, high = wilson(hits, n)
    return {
        "cards": read,
        "n": n,
        "hit": round(hits / n, 3) if n else None,
        "low": round(low, 3),
        "high": round(high, 3),
        "chance": round(float(np.mean(chances)), 3) if n else None,
        "by_question": {asks: [sum(some), len(some)] for asks, some in found.items()},
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print one JSON line."""
    parser = argparse.ArgumentParser(prog="python -m evals.characterization")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", help="also measure this language model as a reader")
    parser.add_argument("--yes-up-to", type=float, default=0.0, help="approve it, in dollars")
    parser.add_argument("--cards", type=int, default=100, help="how many cards it reads")
    parser.add_argument("--most", type=int, help="only so many cards, for a quick look")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(argv)
    embedder = OnnxEmbedder()
    some = [(model, card) for model, card in cards(args.data) if reported(model)][: args.most]
    begin = time.process_time()
    result: dict[str, object] = {"rules": figures(measured(some, by_rules(embedder)))}
    result["seconds_per_card"] = round((time.process_time() - begin) / max(len(some), 1), 3)
    result["retrieval"] = retrieval(some, embedder)
    if args.model:
        reader = by_model(args.model, args.yes_up_to, embedder)
        result[args.model] = figures(measured(some[: args.cards], reader))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
