"""A model's sources read by a language model: a form of typed answers, each with its quote.

For every question the nearest passages are retrieved; questions whose passages fit together are
asked in one call (most cards fit into one). The passages enter as data (``tools.envelope``) and
what comes back is believed only as far as it can be checked: an answer of another type, one whose
quote is not in the sources, or whose quote does not hold the value, is dropped and counted. A
reply that can't be read is asked for again once. Whoever wrote the passages may have written
orders too; the worst they can bring about is another answer about this one model, in words that
its own sources contain.

``tools.judging.chat.Judge`` pays and remembers: a reply is kept by content, wording and model the
moment it arrives.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING

from pydantic import BaseModel, ValidationError

from memory.ledger import ReplyKey
from memory.records import Characteristic
from prompts import library
from prompts.questions import number_in, questions
from tools.characterizing import label_similarity
from tools.characterizing.quotes import Quotable
from tools.clients.chat import ChatFailed, ChatRefused
from tools.deps import Message
from tools.envelope import enclose, fence
from tools.judging.reply import read_reply
from tools.methods import licences
from tools.request.languages import CODES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from prompts.questions import Question, Value
    from tools.characterizing.documents import Document
    from tools.characterizing.passages import Library, Passage
    from tools.deps import Embedder
    from tools.judging.chat import Judge

PER_QUESTION = 3
"""Passages retrieved for a question."""

LETTERS = 14_000
"""Of passages in one call: some 4,000 tokens."""

TOKENS_PER_ANSWER = 90
MOST_ENTRIES = 80

STATED, FITTING = 0.85, 0.5
"""How far an answer is believed whose quote names the value; one whose quote can't show it."""


class Entry(BaseModel):
    """One answer as a model gives it."""

    question: str
    value: str | bool | int | float
    quote: str


class Form(BaseModel):
    """What a model answers; entries are looked at one by one, so one can't spoil the others."""

    answers: list[object]


@dataclass(frozen=True)
class Call:
    """Some questions and the passages to answer them from."""

    questions: tuple[Question, ...]
    passages: tuple[Passage, ...]

    @property
    def max_tokens(self) -> int:
        """Room for an answer to each."""
        return 200 + TOKENS_PER_ANSWER * len(self.questions)

    def message(self) -> Message:
        """The form, with every passage in an envelope."""
        texts = [
            f"({passage.heading}) {passage.text}" if passage.heading else passage.text
            for passage in self.passages
        ]
        mark = fence(*texts)
        shown = [enclose(f"passage {n}", text, mark) for n, text in enumerate(texts, start=1)]
        asked = [f"{one.asks}: {one.text} Answer: {one.form}." for one in self.questions]
        prompt = library.load("characterize/ask").render(
            fence=mark, passages="\n\n".join(shown), questions="\n".join(asked)
        )
        return Message("user", prompt)


@dataclass
class Answers:
    """What was read; ``dropped``: why an answer was left out -> how many."""

    kept: list[Characteristic] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    usd: float = 0.0


def calls(passages: Library) -> list[Call]:
    """What would be asked about these passages: no call where there is nothing to read."""
    asked = list(questions().values())
    order = {passage: place for place, passage in enumerate(passages.passages)}
    if sum(len(passage.text) for passage in order) <= LETTERS:
        nearest = [list(order)] * len(asked)
    else:
        nearest = passages.nearest([one.text for one in asked], PER_QUESTION)
    made: list[Call] = []
    some: list[Question] = []
    union: dict[Passage, None] = {}
    for question, found in zip(asked, nearest, strict=True):
        both = union | dict.fromkeys(found)
        if some and sum(len(passage.text) for passage in both) > LETTERS:
            made.append(Call(tuple(some), tuple(sorted(union, key=order.__getitem__))))
            some, both = [], dict.fromkeys(found)
        some.append(question)
        union = both
    if union:
        made.append(Call(tuple(some), tuple(sorted(union, key=order.__getitem__))))
    return made


def read(
    model: str,
    made: Sequence[Call],
    documents: Sequence[Document],
    judge: Judge,
    embedder: Embedder,
) -> Answers:
    """Every call's answers, as far as the sources bear them out.

    Raises:
        NotApproved: the cap would be passed, or nobody approved; what was paid for is kept in
            the ledger and costs nothing the next time.
        ChatRefused: the server says no to everything.
    """
    answers = Answers()
    sources = [(document.name, Quotable(document.text)) for document in documents]
    for call in made:
        form = _ask(model, call, judge, answers)
        for raw in islice(form.answers if form else (), MOST_ENTRIES):
            found = _checked(raw, call, sources, embedder)
            if isinstance(found, str):
                answers.dropped[found] += 1
            else:
                answers.kept.append(found)
    return answers


def _ask(model: str, call: Call, judge: Judge, answers: Answers) -> Form | None:
    """The filled-in form, asked for again once when it can't be read."""
    first, prompt = call.message(), library.load("characterize/ask")
    repair = library.load("characterize/repair")
    digest = hashlib.sha256(first.content.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    key = ReplyKey(judge.name, f"{model} #{digest}", f"form, {call.max_tokens}", prompt.id)
    judge = replace(judge, max_tokens=call.max_tokens)
    messages, complaint = [first], ""
    for _ in range(2):
        try:
            reply = judge.ask(key, messages)
        except ChatRefused:
            raise  # so would every other model's sources be
        except ChatFailed as error:
            answers.notes.append(str(error))
            return None
        answers.usd += reply.usd
        try:
            return read_reply(reply.text, Form)
        except ValueError as error:
            complaint = str(error)
        said = Message("assistant", reply.text or "(nothing)")
        messages = [first, said, Message("user", repair.render(complaint=complaint))]
        key = key._replace(protocol=f"{key.protocol}, {repair.id}")
    answers.dropped["a reply that can't be read"] += 1
    return None


# --- what an answer must bear -----------------------------------------------------------


def _checked(
    raw: object, call: Call, sources: Sequence[tuple[str, Quotable]], embedder: Embedder
) -> Characteristic | str:
    """The answer as a characteristic, or why it is dropped."""
    try:
        entry = Entry.model_validate(raw)
    except ValidationError:
        return "not of the form"
    question = {one.asks: one for one in call.questions}.get(entry.question)
    if question is None:
        return "no such question was asked"
    value = question.read(entry.value)
    if value is None:
        return "not of the question's type"
    quote = re.sub(r"\n\s*\| ?", "\n", entry.quote)
    said = next(((name, words) for name, text in sources if (words := text.says(quote))), None)
    if said is None:
        return "quote not in the sources"
    confidence = borne_out(question, value, said[1], embedder)
    if confidence is None:
        return "quote does not hold the value"
    return Characteristic(
        question=question.asks,
        value=value.text,
        number=value.number,
        source=said[0],
        quote=said[1],
        confidence=confidence,
        origin="read",
    )


def borne_out(question: Question, value: Value, quote: str, embedder: Embedder) -> float | None:
    """How far ``quote`` shows ``value``; None where it must and does not."""
    if question.answer == "number":
        return STATED if value.number in set(_numbers(quote)) else None
    if question.answer == "choices":
        named, near = label_similarity.fits(question, value.text, quote, embedder)
        return STATED if named else FITTING if near else None
    said, wanted = _letters(quote), _letters(value.text)
    if question.asks == "languages":
        code = CODES.get(value.text.lower())
        if code is None:
            return None
        return STATED if wanted in said or re.search(rf"\b{code}\b", quote) else None
    if question.asks == "licence":
        names = (wanted, _letters(licences.normalize(value.text)))
        return STATED if any(name in said for name in names) else None
    if question.answer == "list":
        return STATED if wanted in said else None
    words = re.findall(r"\w{4,}", value.text.lower())
    held_words = sum(word in quote.lower() for word in words)
    return STATED if words and held_words >= len(words) / 2 else None


def _numbers(quote: str) -> Iterator[float]:
    for match in re.finditer(r"\d[\d ,_.]*\s*[kKmM]?(?![a-zA-Z])", quote):
        number = number_in(match[0])
        if number is not None:
            yield number
            # "128k" may be meant as 128,000 too
            yield number / 1.024 if match[0].strip()[-1:].lower() == "k" else number


def _letters(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).casefold()
