"""Which models a request is about: RELM's recommendation by characteristics (section 4.1.3).

The request and its domains are compared with every characteristic label; ``methods.relevance``
turns that into σ_model, expanded by what ``methods.association`` learned from the whole
registry. Of millions of models only those that are looked at are put in order and explained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, overload

import numpy as np

from memory.records import Candidate
from memory.vectors import cache_file, cached_vectors
from tools.characterizer import NAMED, facet_of, phrase
from tools.characterizing import claims
from tools.deps import Progress, silent
from tools.methods.relevance import Relevance, relevance
from tools.registry_index import RegistryIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from memory.records import Requirements
    from memory.registry import Registry
    from tools.deps import Deps, Embedder

    Rows = NDArray[np.int64]

EXPLAINED = 5
"""At most so many labels explain a candidate."""

CHUNK, ROUNDING = 1_000, 1e-9

KEPT, WELL_PLACED = 200, 50
"""Candidates that stay after stage 2; so many of them for their related scores alone."""


@dataclass(frozen=True)
class SearchIndex:
    """A registry ready to be searched.

    ``compared``: the labels that requests are compared with. ``vectors``: (compared, d).
    ``facets``: (K,) which facet each label belongs to.
    """

    index: RegistryIndex
    compared: Rows
    vectors: NDArray[np.float32]
    facets: Rows

    @classmethod
    def build(
        cls,
        registry: Registry,
        embedder: Embedder,
        cache_dir: Path,
        progress: Callable[[Progress], None] = silent,
    ) -> SearchIndex:
        """The registry's index with its labels embedded, from the cache where it knows them."""
        return cls.of(RegistryIndex.opened(registry, cache_dir), embedder, cache_dir, progress)

    @classmethod
    def of(
        cls,
        index: RegistryIndex,
        embedder: Embedder,
        cache_dir: Path,
        progress: Callable[[Progress], None] = silent,
    ) -> SearchIndex:
        """The index with its labels embedded, from the cache where it knows them."""
        labels = index.characteristics.labels
        phrases = [phrase(label) for label in labels]
        compared = [k for k, text in enumerate(phrases) if text]
        vectors = cached_vectors(
            [phrases[k] for k in compared],
            embedder.encode,
            cache_file(cache_dir, "labels", embedder.name),
            lambda done, total: progress(Progress("embedding characteristics", done, total)),
        )
        _, facets = np.unique([facet_of(label) for label in labels], return_inverse=True)
        return cls(index, np.array(compared, dtype=np.int64), vectors, facets)

    def relevance(self, requirements: Requirements, embedder: Embedder) -> Relevance:
        """σ_model of every model; a domain that the request states outright matches fully."""
        query = " ".join([requirements.text, *requirements.domains])
        column = self.index.characteristics.column
        cosine = np.zeros(len(column), dtype=np.float32)
        if self.vectors.size:
            cosine[self.compared] = self.vectors @ embedder.encode([query])[0]
        stated = [f"domain: {domain}" for domain in requirements.domains]
        cosine[[column[label] for label in stated if label in column]] = 1.0
        return relevance(
            cosine,
            self.index.characteristics.matrix,
            self.index.indicators,
            self.facets,
            rare=self.index.rarity,
        )

    def search(
        self,
        requirements: Requirements,
        embedder: Embedder,
        among: Collection[str] | Rows | None = None,
    ) -> Ranking:
        """Every model of ``among`` (None: all) with its σ, most relevant first, ties by id."""
        result = self.relevance(requirements, embedder)
        rows = self._rows(among)
        return Ranking(self.index, result, rows)

    def recommend(
        self, requirements: Requirements, embedder: Embedder, among: Collection[str] | Rows
    ) -> Ranking:
        """As ``search``, but of models that are equal to two decimals the larger comes first.

        Where metadata can't tell models apart, size is the one prior on quality that needs no
        score, and the requirements have capped it already.
        """
        result = self.relevance(requirements, embedder)
        rows = self._rows(among)
        return Ranking(self.index, result, rows, by_size=True)

    def _rows(self, among: Collection[str] | Rows | None) -> Rows:
        return self.index.columns.rows(
            np.arange(len(self.index.registry.ids)) if among is None else among
        )


@dataclass(frozen=True)
class Ranking(Sequence[Candidate]):
    """Candidates, best first; what nobody asks for is neither put in order nor explained.

    ``rows`` (n,) of the models. Of equally relevant ones the first by id comes first; ``by_size``:
    of those equal to two decimals the larger.
    """

    source: RegistryIndex
    result: Relevance
    rows: Rows
    by_size: bool = False

    def best(self, k: int) -> Rows:
        """The rows of the best ``k``, in order; of millions most are never sorted."""
        sigma = self.result.sigma[self.rows]
        if not 0 < k < len(sigma):
            return self._order[:k]
        least = _largest(sigma, k)
        if self.by_size:  # what rounds as it does may come before it
            least = (np.rint(100 * least) - 0.5) / 100 - ROUNDING
        at = np.flatnonzero(sigma >= least)
        chosen, wanted = [], k
        for key in (self._place, self._doubt, self._name):
            if not 0 < wanted < len(at):
                break
            of = key(self.rows[at])
            worst = np.partition(of, wanted - 1)[wanted - 1]
            chosen.append(at[of < worst])
            at, wanted = at[of == worst], wanted - len(chosen[-1])
        return self._sorted(np.concatenate([*chosen, at[:wanted]]))

    def only(self, rows: Rows) -> Rows:
        """Those of ``rows`` that are ranked, in order."""
        return self._sorted(np.flatnonzero(np.isin(self.rows, rows)))

    def explained(self, rows: Rows) -> list[Candidate]:
        """These models with what they matched, heaviest first; what relatives lent is marked."""
        matrix, weights = self.source.characteristics.matrix, self.result.weights
        touched = np.flatnonzero(weights)
        cells = np.zeros((len(rows), len(touched)))
        for at, k in enumerate(touched.tolist()):
            span = slice(matrix.indptr[k], matrix.indptr[k + 1])
            having, data = matrix.indices[span], matrix.data[span]
            place = np.minimum(np.searchsorted(having, rows), len(having) - 1)
            cells[:, at] = np.where(having[place] == rows, data[place], 0.0)
        names = self.source.columns.names(rows)
        return [
            self._candidate(name, float(self.result.sigma[row]), touched, cells[i])
            for i, (name, row) in enumerate(zip(names, rows.tolist(), strict=True))
        ]

    def _candidate(
        self, name: str, sigma: float, touched: Rows, cells: NDArray[np.float64]
    ) -> Candidate:
        labels, brought = self.source.characteristics.labels, self.result.expanded
        parts = self.result.weights[touched] * cells
        order = np.argsort(-parts, kind="stable")[: np.count_nonzero(parts)]
        counted = touched[order].tolist()
        lent = cells[order] < np.float32(NAMED)
        said = {
            k: labels[k] + (" (inherited)" if inherited else "")
            for k, inherited in zip(counted, lent.tolist(), strict=True)
        }
        return Candidate(
            model=name,
            sigma=sigma,
            matched=tuple(said[k] for k in counted if k not in brought)[:EXPLAINED],
            also_matched=tuple(
                f"{said[k]} because {labels[brought[k]]} co-occurs with it"
                for k in counted
                if k in brought
            )[:EXPLAINED],
        )

    def _sorted(self, at: Rows) -> Rows:
        rows = self.rows[at]
        order = np.lexsort((self._name(rows), self._doubt(rows), self._place(rows)))
        return np.asarray(rows[order])

    # What decides in turn; the smaller the better.

    def _place(self, rows: Rows) -> NDArray[np.int64] | NDArray[np.float64]:
        if not self.by_size:
            return self._doubt(rows)
        params = np.clip(self.source.columns.params[rows], 0, 2**50 - 1)
        return -(np.rint(100 * self.result.sigma[rows]).astype(np.int64) << 50) - params

    def _doubt(self, rows: Rows) -> NDArray[np.float64]:
        return -self.result.sigma[rows]

    def _name(self, rows: Rows) -> NDArray[np.int32]:
        return self.source.alphabetical[rows]

    @cached_property
    def _order(self) -> Rows:
        return self._sorted(np.arange(len(self.rows)))

    @overload
    def __getitem__(self, at: int) -> Candidate: ...
    @overload
    def __getitem__(self, at: slice) -> list[Candidate]: ...
    def __getitem__(self, at: int | slice) -> Candidate | list[Candidate]:
        if isinstance(at, slice):
            return self.explained(self._order[at])
        return self.explained(self._order[[at]])[0]

    def __iter__(self) -> Iterator[Candidate]:
        for start in range(0, len(self), CHUNK):
            yield from self[start : start + CHUNK]

    def __len__(self) -> int:
        return len(self.rows)


def _largest(sigma: NDArray[np.float64], k: int) -> float:
    """The ``k``-th largest σ. Most are small and equal, which is what slows a partition."""
    for level in np.linspace(0.95, 0.0, 20):
        above = sigma[sigma > level]
        if len(above) >= k:
            return float(np.partition(above, -k)[-k])
    return 0.0


def search(
    requirements: Requirements, registry: Registry, among: Collection[str] | Rows, deps: Deps
) -> list[Candidate]:
    """Rank all models in ``among`` by σ_model, best first; see ``SearchIndex.recommend``.

    Rarity and associations are learned from the whole registry, however few survive. Raises
    ``MirrorError`` when the embedding model is not installed.
    """
    searching = (
        deps.searching
        if registry is deps.registry
        else SearchIndex.build(registry, deps.embedder, deps.cache, deps.progress)
    )
    ranked = searching.recommend(requirements, deps.embedder, among)
    return overlaid(ranked, requirements, registry, deps)


def rank(
    index: SearchIndex,
    requirements: Requirements,
    registry: Registry,
    among: Collection[str],
    embedder: Embedder,
) -> list[Candidate]:
    """The models named in ``among`` by σ_model, best first; of equals the larger."""
    return list(index.recommend(requirements, embedder, among))


def overlaid(
    ranked: Sequence[Candidate], requirements: Requirements, registry: Registry, deps: Deps
) -> list[Candidate]:
    """The candidates best first: by facts, of equals by what their own sources claim, then by size.

    Claims are compared to a tenth of what they can add, so that size still counts among them.
    """
    raised = claims.overlay(ranked, requirements, deps.characterizations, deps.embedder)
    sizes = {one.model: registry.models[one.model].params or 0 for one in raised}
    return sorted(
        raised, key=lambda one: (-round(one.by_facts, 2), -round(one.raised, 3), -sizes[one.model])
    )


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
