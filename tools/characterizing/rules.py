"""A model's sources read without a language model: metadata, usual wordings, near meanings."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from prompts.questions import edition
from tools.characterizing import card_metadata, label_similarity, wording
from tools.characterizing.quotes import Quotable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from memory.records import Characteristic
    from tools.characterizing.documents import Document
    from tools.characterizing.passages import Passage
    from tools.deps import Embedder

CARD = "card"
ELSEWHERE = 0.8
"""How far a pattern is believed outside the card: a paper speaks of other models too."""

MOST_VALUES = 12
"""Of one question; what a card lists beyond that says little of any."""


@cache
def name() -> str:
    """What these rules are called in records: it changes with any of them."""
    modules = (card_metadata, wording, label_similarity)
    code = b"".join(Path(str(module.__file__)).read_bytes() for module in modules)
    return f"rules {hashlib.sha256(code + edition().encode()).hexdigest()[:8]}"


def read(
    documents: Sequence[Document], passages: Sequence[Passage], embedder: Embedder
) -> list[Characteristic]:
    """What the rules find, of each question at most ``MOST_VALUES``, surest first.

    ``passages``: of these documents. Every quote is checked against its document.
    """
    found: list[Characteristic] = []
    for document in documents:
        if document.name == card_metadata.SOURCE:
            found += card_metadata.read(document)
        else:
            sure = 1.0 if document.name == CARD else ELSEWHERE
            found += [
                one.model_copy(update={"confidence": one.confidence * sure})
                for one in wording.read(document)
            ]
    found += label_similarity.read(passages, embedder)
    return surest(quoted(found, documents))


def quoted(found: Iterable[Characteristic], documents: Sequence[Document]) -> list[Characteristic]:
    """Those whose quote is in their source, in the source's own words."""
    sources = {document.name: Quotable(document.text) for document in documents}
    kept = []
    for one in found:
        source = sources.get(one.source)
        said = source.says(one.quote) if source else None
        if said is not None:
            kept.append(one.model_copy(update={"quote": said}))
    return kept


def surest(found: Iterable[Characteristic]) -> list[Characteristic]:
    """Each value of a question once, as its surest source has it; of a number only the surest."""
    best: dict[tuple[str, str], Characteristic] = {}
    for one in sorted(found, key=lambda one: -one.confidence):
        value = "" if one.number is not None else one.value.casefold()
        best.setdefault((one.question, value), one)
    counted: dict[str, int] = {}
    kept = []
    for one in best.values():
        counted[one.question] = counted.get(one.question, 0) + 1
        if counted[one.question] <= MOST_VALUES:
            kept.append(one)
    return kept
