"""How far a model's own sources move its relevance: a little, whatever they say.

A card, and every page it links, is what the model's author says. It may be advertising or lies, so
what was read there never becomes a fact of the registry, opens no gate, changes no licence and
touches no other model. It only tells apart models that the facts leave equal. With s_k the cosine
of the request with what claim k says (0 below relevance's threshold), c_k the claim's confidence
and n_f the number of claims to one question f (of the F that say what a model is for),

    raised = MOST · (1/F) Σ_f max_k c_k s_k / n_f

so claims to one question share one voice (a model for medicine alone outdoes one that is for
everything), ten synonyms count as one, and all claims together raise σ by no more than ``MOST``,
the hundredth to which candidates are compared: a claim never overtakes a fact, and of two models
that the facts put a hundredth apart the claiming one can't pass the other. Claims are not inherited
either: a base model's card would then speak for its children. Departs from RELM, where an answer
read from a card counts like every other characteristic.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from prompts.questions import questions
from tools.characterizing.rules import surest
from tools.methods.relevance import THRESHOLD

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from memory.characterizations import Characterizations
    from memory.records import Candidate, Characteristic, Requirements
    from tools.deps import Embedder

MOST = 0.01
"""What all claims of a model together may add to its σ."""

COMPARED = ("tasks", "domain", "training data")
SHOWN = 4


def overlay(
    ranked: Sequence[Candidate],
    requirements: Requirements,
    kept: Characterizations | None,
    embedder: Embedder,
) -> list[Candidate]:
    """The candidates in the same order, those whose sources were read with σ raised by them.

    A candidate that was raised before is judged anew, so that doing it twice changes nothing.
    """
    read = kept.latest([one.model for one in ranked]) if kept else {}
    if not read:
        return list(ranked)
    claims = {
        model: surest(claim for reading in readings for claim in reading.characteristics)
        for model, readings in read.items()
    }
    nearness = _nearness([one for some in claims.values() for one in some], requirements, embedder)
    return [
        _raised(one, claims[one.model], nearness) if one.model in claims else one for one in ranked
    ]


def raise_of(claims: Sequence[Characteristic], nearness: Mapping[str, float]) -> float:
    """By how much these claims of one model raise its σ: the formula is this module's.

    ``nearness``: s_k by ``said(claim)``.
    """
    crowd = Counter(claim.question for claim in claims)
    best = dict.fromkeys(COMPARED, 0.0)
    for claim in claims:
        if claim.question in best:
            worth = claim.confidence * nearness[said(claim)] / crowd[claim.question]
            best[claim.question] = max(best[claim.question], worth)
    return MOST * sum(best.values()) / len(COMPARED)


def said(claim: Characteristic) -> str:
    """What a claim is known by: its value and its words."""
    return f"{claim.question}\0{claim.value}\0{claim.quote}"


def _raised(
    one: Candidate, claims: Sequence[Characteristic], nearness: Mapping[str, float]
) -> Candidate:
    raised = raise_of(claims, nearness)
    fitting = [c for c in claims if c.question in COMPARED and nearness[said(c)] > 0]
    fitting.sort(key=lambda claim: -claim.confidence * nearness[said(claim)])
    stated = one.sigma if one.stated is None else one.stated
    return one.model_copy(
        update={
            "sigma": min(stated + raised, 1.0),
            "stated": stated,
            "raised": raised,
            "claimed": tuple(fitting[:SHOWN]),
        }
    )


def _nearness(
    claims: Sequence[Characteristic], requirements: Requirements, embedder: Embedder
) -> dict[str, float]:
    """s_k of each claim: of its value's meaning or of its quote, whichever is nearer.

    A domain that the request states outright is matched fully.
    """
    compared = [claim for claim in claims if claim.question in COMPARED]
    texts = list(dict.fromkeys(text for claim in compared for text in _texts(claim)))
    query = embedder.encode([" ".join([requirements.text, *requirements.domains])])[0]
    cosines: NDArray[np.float32] = embedder.encode(texts) @ query
    near = dict(zip(texts, np.where(cosines >= THRESHOLD, cosines, 0.0).tolist(), strict=True))
    found = {said(claim): max(near[text] for text in _texts(claim)) for claim in compared}
    for claim in compared:
        if claim.question == "domain" and claim.value in requirements.domains:
            found[said(claim)] = 1.0
    return {key: min(max(value, 0.0), 1.0) for key, value in found.items()}


def _texts(claim: Characteristic) -> tuple[str, str]:
    meaning = questions()[claim.question].choices.get(claim.value, claim.value)
    return meaning, claim.quote
