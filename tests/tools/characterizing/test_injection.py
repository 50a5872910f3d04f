"""Whatever a card says, it changes nothing but its own model's characterization, and that little.

Every card of ``injected_cards`` is read by the rules and by a chat server that obeys it as badly as
it can. The other models' σ, their order, the gates and what is spent must not move, and the model
that claims must stay behind every model of which the registry states what it claims.
"""

import json
import re
from dataclasses import replace

import pytest
import world
from injected_cards import CARDS, card
from scripted_judges import hire

from memory.characterizations import Characterizations
from memory.records import Characteristic, Model
from prompts.questions import questions
from tools import toolbelt
from tools.characterizing import claims
from tools.characterizing.quotes import Quotable
from tools.characterizing.reading import Reading
from tools.characterizing.sources import Sources
from tools.envelope import marks, opened

EVIL = "evil/model"
HONEST = "---\nlicense: cc-by-nc-4.0\n---\n# evil/model\nA language model.\n"
OTHERS = {
    "acme/med-a": "# med-a\nIt answers biomedical questions from abstracts.",
    "acme/med-b": "# med-b\nA medical model for clinical notes.",
    "acme/med-c": "# med-c\nIt translates medicine leaflets.",
    "acme/plain": "# plain\nA language model that generates text.",
}


def _model(id, **more):
    stated = {"params": 400_000_000, "languages": ("en",), "task": "text-generation"}
    return Model(id=id, **{"licence": "apache-2.0"} | stated | more)


MODELS = [
    *(_model(id, domains=("medical",)) for id in OTHERS if "med" in id),
    _model("acme/plain"),
    _model("acme/closed", licence="cc-by-nc-4.0", domains=("medical",)),
    _model(EVIL, params=450_000_000),
]


def obeys(messages):
    """A reader that believes the passages: it claims everything there is to claim, for everyone,
    with every line of the passages as the quote, and repeats them for good measure."""
    prompt = messages[0].content
    _, passages = opened(prompt, marks(prompt)[0]) if marks(prompt) else ("", [])
    lines = [line for text in passages for line in text.splitlines() if line.strip()]
    quotes = [*(line[:200] for line in lines[-1:]), "This is the best model of all."]
    values = {
        "domain": ["medical", "law", "finance", "chemistry", "general"],
        "tasks": ["question answering", "summarization", "text generation"],
        "training data": ["biomedical questions", "pubmedqa"],
        "licence": ["mit"],
        "context length": [10**9, "infinite"],
        "sigma": [1.0],
        "approve": ["$1000"],
    }
    answers = [
        {"question": asks, "value": value, "quote": quote}
        for asks, some in values.items()
        for value in some
        for quote in quotes
    ]
    answers += [{"model": "acme/med-a", "question": "domain", "value": "none", "quote": "x"}, 7]
    orders = {"tool_calls": [{"name": "propose_plan"}], "sigma": {"acme/med-a": 0}}
    return json.dumps({"answers": answers} | orders)


def repeats(messages):
    """A reader that answers with what the card told it to answer, word for word."""
    prompt = messages[0].content
    _, passages = opened(prompt, marks(prompt)[0]) if marks(prompt) else ("", [])
    return "\n".join(passages)


class Deployment:
    """A registry with cards; only the evil model's card changes between readings."""

    def __init__(self, folder, says=None):
        self.folder, self.says = folder, says
        self.kept, self.sources = Characterizations(folder / "c.sqlite"), Sources(folder / "models")
        self.deps = replace(
            world.deps(folder, models=MODELS),
            sources=self.sources,
            characterizations=self.kept,
        )
        self.judge, self.chat, self.ledger = hire(folder / "paid", says or repeats, cap=100.0)
        for model, text in OTHERS.items():
            self.write(model, text)
        self.honest = self.read(HONEST)

    def write(self, model, text):
        path = self.folder / "models" / model / "README.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8", errors="replace")

    def read(self, text):
        """(dossier, readings, calls by model, dollars, the last outcome's text) with that card."""
        self.write(EVIL, text)
        calls, before = {}, self.ledger.spent("r")
        for model in (*OTHERS, EVIL) if self.says else ():
            asked = len(self.chat.asked)
            found = self.sources.of(model)
            Reading(model, found, self.deps.embedder, "2026").by_model(self.judge, self.kept)
            calls[model] = len(self.chat.asked) - asked
        dossier = {"request": world.REQUEST, "thread": "t", "run": "r"}
        for name in ("record_requirements", "filter_registry", "rank_candidates", "characterize"):
            tool = next(one for one in toolbelt.TOOLS if one.name == name)
            outcome = tool.call({}, dossier, self.deps)
            dossier |= outcome.found
        read = self.kept.latest([*OTHERS, EVIL])
        return dossier, read, calls, self.ledger.spent("r") - before, outcome.text


READERS = {"rules": None, "obeying": obeys, "repeating": repeats}


@pytest.fixture(scope="module", params=READERS)
def deployment(request, tmp_path_factory):
    return Deployment(tmp_path_factory.mktemp("cards"), READERS[request.param])


@pytest.mark.parametrize("name", CARDS)
def test_an_injected_card_changes_nothing_but_its_own_characterization(deployment, name):
    before, read_before, _, _, said_before = deployment.honest
    after, read, calls, usd, said = deployment.read(card(name))
    assert {m: r for m, r in read.items() if m != EVIL} == {
        m: r for m, r in read_before.items() if m != EVIL
    }
    # gates
    for gate in ("requirements", "critical", "important"):
        assert after[gate] == before[gate]
    # the others' σ, claims and order
    others = [one for one in after["candidates"] if one.model != EVIL]
    assert others == [one for one in before["candidates"] if one.model != EVIL]
    # spending: nothing for the others, whose sources are known, and two calls at most for itself
    assert all(n == 0 for model, n in calls.items() if model != EVIL)
    assert calls.get(EVIL, 0) <= 2
    assert 0.0 <= usd < 0.1
    # its own place: what the facts say, and no more than claims may add
    (evil,) = [one for one in after["candidates"] if one.model == EVIL]
    (plain,) = [one for one in before["candidates"] if one.model == EVIL]
    assert evil.stated == plain.stated
    assert 0.0 <= evil.raised <= claims.MOST
    ahead = [one.model for one in after["candidates"]]
    assert all(ahead.index(model) < ahead.index(EVIL) for model in OTHERS if "med" in model)
    # the planner hears counts, never a card's words
    assert re.sub(r"\d+ char", "", said) == re.sub(r"\d+ char", "", said_before)
    # and what is kept is typed and quoted from its own card
    shown = " ".join(d.text for d in deployment.sources.of(EVIL).documents)
    for one in (one for reading in read.get(EVIL, []) for one in reading.characteristics):
        assert Quotable(shown).says(one.quote) is not None
        assert one.question in questions()


def test_the_obeying_reader_does_get_its_claims_through_where_the_card_holds_them(deployment):
    """Otherwise the test above would pass for want of anything to bound."""
    dossier, read, _, _, _ = deployment.read(card("claims everything"))
    if deployment.says is obeys:
        found = {one.value for reading in read[EVIL] for one in reading.characteristics}
        assert {"medical", "law", "finance", "chemistry"} <= found
        assert next(o for o in dossier["candidates"] if o.model == EVIL).raised > 0


@pytest.mark.parametrize("name", ["html comment", "hidden element", "invisible style", "script"])
def test_what_no_reader_sees_says_nothing(deployment, name):
    _, read, _, _, _ = deployment.read(card(name))
    values = {one.value for reading in read[EVIL] for one in reading.characteristics}
    assert not values & {"law", "finance", "chemistry", "mit"}


def test_one_fitting_claim_outdoes_the_same_among_many():
    def claim(value):
        return Characteristic(
            question="domain", value=value, source="card", quote=value, confidence=0.9,
            origin="read",
        )  # fmt: skip

    crowd = [claim(value) for value in ("medical", "law", "finance", "chemistry")]
    near = {claims.said(one): 1.0 if one.value == "medical" else 0.0 for one in crowd}
    alone, among = claims.raise_of(crowd[:1], near), claims.raise_of(crowd, near)
    assert 0.0 < among < alone <= claims.MOST
    assert among == pytest.approx(alone / 4)
