"""Passages of a model's sources, and which of them answer a question (the R of RAG).

A document is cut at its headings, and a long section at sentences, so that a passage is about
one thing and fits the embedder's window; it is embedded with the headings it stands under. One
small FAISS index a model: thousands of vectors at most, gone when the model is characterized.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from tools.characterizing.documents import Document
    from tools.deps import Embedder

LETTERS_PER_TOKEN = 4
TOKENS = 200
"""Of a passage, as far as letters tell; the bundled embedder reads 256."""

MOST = 400
"""Passages of one model; its sources are read in order, so its card comes first."""

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"'(\[])|\n+|(?<=[。！？])")
_HAS_WORD = re.compile(r"[^\W\d_]{2,}|\d{2,}")


@dataclass(frozen=True)
class Passage:
    """``text`` is a span of the document ``source``; ``heading``: what it stands under."""

    source: str
    heading: str
    text: str

    @property
    def sentences(self) -> list[str]:
        """Its sentences, list items and table rows."""
        return list(split(self.text))


def split(text: str) -> Iterator[str]:
    """Sentences and lines that hold a word."""
    for piece in _SENTENCE_END.split(text):
        if _HAS_WORD.search(piece):
            yield piece.strip()


def cut(document: Document) -> Iterator[Passage]:
    """The document in passages, in order; headings alone make none."""
    heading, start = "", 0
    for begin, end in (*document.headings, (len(document.text), len(document.text))):
        for text in _short(document.text[start:begin]):
            yield Passage(document.name, heading, text)
        heading, start = " ".join(document.text[begin:end].split())[:100], end


def _short(section: str) -> Iterator[str]:
    """A section in pieces of at most ``TOKENS``, cut where a sentence ends if one does."""
    most = TOKENS * LETTERS_PER_TOKEN
    start, last = 0, 0
    ends = [match.end() for match in _SENTENCE_END.finditer(section)] + [len(section)]
    for end in ends:
        if end - start > most and last > start:
            yield from _worded(section[start:last])
            start = last
        while end - start > most:
            yield from _worded(section[start : start + most])
            start += most
        last = end
    yield from _worded(section[start:])


def _worded(text: str) -> Iterator[str]:
    if _HAS_WORD.search(text):
        yield text.strip()


@dataclass(frozen=True)
class Library:
    """A model's passages, searchable by meaning; ``embedder`` is asked when first searched."""

    passages: Sequence[Passage]
    embedder: Embedder

    @classmethod
    def of(cls, documents: Sequence[Document], embedder: Embedder) -> Library:
        """The passages of ``documents``, the first ``MOST``."""
        found = [passage for document in documents for passage in cut(document)]
        return cls(found[:MOST], embedder)

    def nearest(self, queries: Sequence[str], k: int) -> list[list[Passage]]:
        """For each query its ``k`` nearest passages, best first."""
        if not self.passages or not queries:
            return [[] for _ in queries]
        vectors = self.embedder.encode(queries)
        _, found = self._index.search(vectors, min(k, len(self.passages)))
        return [[self.passages[int(i)] for i in row] for row in found]

    @cached_property
    def _index(self) -> Any:
        import faiss

        vectors: NDArray[np.float32] = self.embedder.encode(
            [f"{passage.heading}: {passage.text}" for passage in self.passages]
        )
        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(vectors)
        return index
