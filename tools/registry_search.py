"""Which models a request is about: RELM's recommendation by characteristics (section 4.1.3).

The request and its domains are compared with every characteristic label; ``methods.relevance``
turns that into σ_model, expanded by what ``methods.association`` learned from the whole
registry. Everything is derived from the registry, so only label vectors are kept on disk.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from memory.records import Candidate
from memory.vectors import cache_file, cached_vectors
from tools.characteristics_file import cached
from tools.characterizer import Characteristics, facet_of, phrase
from tools.characterizing import claims
from tools.deps import Progress, silent
from tools.methods.association import indicators
from tools.methods.relevance import Relevance, relevance

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from memory.records import Requirements
    from memory.registry import Registry
    from tools.deps import Deps, Embedder

EXPLAINED = 5
"""At most so many labels explain a candidate."""

KEPT, WELL_PLACED = 200, 50
"""Candidates that stay after stage 2; so many of them for their related scores alone."""


@dataclass(frozen=True)
class SearchIndex:
    """A registry ready to be searched.

    ``found``: C. ``by_label``: C by column. ``indicators``: (K x K). ``facets``: (K,).
    ``vectors``: (K, d), zero rows for labels that requests are not compared with.
    """

    found: Characteristics
    by_label: sparse.csc_array
    indicators: sparse.csr_array
    facets: NDArray[np.int64]
    vectors: NDArray[np.float32]

    @classmethod
    def build(
        cls,
        registry: Registry,
        embedder: Embedder,
        cache_dir: Path,
        progress: Callable[[Progress], None] = silent,
    ) -> SearchIndex:
        """Characterize the models and embed their labels, from the cache where it knows them."""
        found = cached(registry, cache_dir)
        phrases = [phrase(label) for label in found.labels]
        compared = [k for k, text in enumerate(phrases) if text]
        known = cached_vectors(
            [phrases[k] for k in compared],
            embedder.encode,
            cache_file(cache_dir, "labels", embedder.name),
            lambda done, total: progress(Progress("embedding characteristics", done, total)),
        )
        vectors = np.zeros((len(phrases), known.shape[1]), dtype=np.float32)
        vectors[compared] = known
        _, facets = np.unique([facet_of(label) for label in found.labels], return_inverse=True)
        # Learned from own characteristics: inherited ones would only echo the lineage graph.
        learned = indicators(found.own)
        return cls(found, sparse.csc_array(found.matrix), learned, facets, vectors)

    def relevance(self, requirements: Requirements, embedder: Embedder) -> Relevance:
        """σ_model of every model; a domain that the request states outright matches fully."""
        query = " ".join([requirements.text, *requirements.domains])
        cosine = np.zeros(len(self.found.labels), dtype=np.float32)
        if self.vectors.size:
            cosine = self.vectors @ embedder.encode([query])[0]
        stated = {f"domain: {domain}" for domain in requirements.domains}
        cosine[[k for k, label in enumerate(self.found.labels) if label in stated]] = 1.0
        return relevance(cosine, self.by_label, self.indicators, self.facets)

    def search(
        self, requirements: Requirements, embedder: Embedder, among: Collection[str] | None = None
    ) -> list[Candidate]:
        """Every model of ``among`` (None: all) with its σ, most relevant first, ties by id."""
        result = self.relevance(requirements, embedder)
        names = self.found.models
        wanted = frozenset(names if among is None else among)
        rows = [row for row, name in enumerate(names) if name in wanted]
        rows.sort(key=lambda row: (-result.sigma[row], names[row]))
        return [self._candidate(row, result) for row in rows]

    def _candidate(self, row: int, result: Relevance) -> Candidate:
        """A model with what it matched, heaviest first; what relatives lent is marked."""
        labels, matrix, own = self.found.labels, self.found.matrix, self.found.own
        sigma = float(result.sigma[row])
        if sigma == 0.0:
            return Candidate(model=self.found.models[row], sigma=sigma)
        span = slice(matrix.indptr[row], matrix.indptr[row + 1])
        columns = matrix.indices[span]
        parts = result.weights[columns] * matrix.data[span]
        counted = columns[np.argsort(-parts, kind="stable")][: np.count_nonzero(parts)].tolist()
        owned = set(own.indices[own.indptr[row] : own.indptr[row + 1]].tolist())
        said = {k: labels[k] + ("" if k in owned else " (inherited)") for k in counted}
        brought = result.expanded
        return Candidate(
            model=self.found.models[row],
            sigma=sigma,
            matched=tuple(said[k] for k in counted if k not in brought)[:EXPLAINED],
            also_matched=tuple(
                f"{said[k]} because {labels[brought[k]]} co-occurs with it"
                for k in counted
                if k in brought
            )[:EXPLAINED],
        )


def search(
    requirements: Requirements, registry: Registry, among: Collection[str], deps: Deps
) -> list[Candidate]:
    """Rank the models named in ``among`` by σ_model, best first; see ``rank``.

    Rarity and associations are learned from the whole registry, however few survive. Raises
    ``MirrorError`` when the embedding model is not installed.
    """
    index = SearchIndex.build(registry, deps.embedder, deps.cache, deps.progress)
    ranked = index.search(requirements, deps.embedder, among)
    return overlaid(ranked, requirements, registry, deps)


def rank(
    index: SearchIndex,
    requirements: Requirements,
    registry: Registry,
    among: Collection[str],
    embedder: Embedder,
) -> list[Candidate]:
    """The models named in ``among`` by σ_model, best first; of equals the larger.

    Equal to two decimals, that is: where metadata can't tell models apart, size is the one prior
    on quality that needs no score, and the requirements have capped it already.
    """
    return _ordered(index.search(requirements, embedder, among), registry)


def overlaid(
    ranked: Sequence[Candidate], requirements: Requirements, registry: Registry, deps: Deps
) -> list[Candidate]:
    """The candidates best first, with what was read of their own sources laid over the facts."""
    raised = claims.overlay(ranked, requirements, deps.characterizations, deps.embedder)
    return _ordered(raised, registry)


def _ordered(found: Sequence[Candidate], registry: Registry) -> list[Candidate]:
    sizes = {one.model: registry.models[one.model].params or 0 for one in found}
    return sorted(found, key=lambda one: (-round(one.place, 2), -sizes[one.model]))


def explain(candidate: Candidate, most: int = 2) -> str:
    """What a candidate matched, and what it matched besides because labels co-occur."""
    parts = [", ".join(candidate.matched[:most])] if candidate.matched else []
    if candidate.also_matched:
        parts.append(f"also matched: {', '.join(candidate.also_matched[:most])}")
    return "; ".join(parts)


def shorten(ranked: list[Candidate], placed: Mapping[str, float]) -> list[Candidate]:
    """The ``KEPT`` candidates worth looking up, in their order: most for what they are about.

    ``WELL_PLACED`` of the seats go to those that did best on related benchmarks (``placed``), or
    a general model that is better at the job would be lost before its scores are looked at.
    """
    first = ranked[: KEPT - WELL_PLACED]
    others = [one for one in ranked[KEPT - WELL_PLACED :] if one.model in placed]
    best = sorted(others, key=lambda one: -placed[one.model])[:WELL_PLACED]
    chosen = {one.model for one in (*first, *best)}
    spare = [one for one in ranked if one.model not in chosen][: KEPT - len(chosen)]
    chosen.update(one.model for one in spare)
    return [one for one in ranked if one.model in chosen]
