"""Who is recommended for a job: Mirror's own pipeline, and five simpler ways.

Each is given the request and the models of the job's column and returns them best first, as far
as it has anything to say; ten count. ``mirror`` is the product's code from σ_model to Eq. 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from memory.records import BenchmarkChoice, Requirements
from memory.scores import Scores
from tools import benchmark_recommender, registry_search, score_lookup
from tools.registry_search import SearchIndex
from tools.request.domains import domains_of
from tools.scores.prediction import predict
from tools.scores.related import readable, related

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from evals.recommend_jobs import Job, ScoreTable
    from memory.records import Candidate, Model, Prediction, Score
    from memory.registry import Registry
    from tools.deps import Embedder
    from tools.scores.related import Related

RECOMMENDED = 10
POPULARITY = ("downloads", "likes", "downloads_all_time", "trending", "derivatives", "discussions")


@dataclass(frozen=True)
class Columns:
    """A matrix' other benchmarks as a catalogue (``tools.deps.Catalogue``), found by name."""

    names: Sequence[str]
    vectors: NDArray[np.float32]
    embedder: Embedder

    def search(self, query: str, domains: Sequence[str], k: int) -> list[BenchmarkChoice]:
        """The ``k`` nearest, weights in proportion to the cosine."""
        cosine = self.vectors @ self.embedder.encode([query])[0]
        best = [int(i) for i in np.argsort(-cosine, kind="stable")[:k] if cosine[i] > 0]
        total = sum(float(cosine[i]) for i in best)
        return [
            BenchmarkChoice(task=self.names[i], weight=float(cosine[i]) / total, reason="near")
            for i in best
        ]


@dataclass(frozen=True)
class Seen:
    """``memory.bundled_scores.BundledScores`` for scores in hand."""

    scores: Sequence[Score]

    def find(
        self, models: Sequence[str] | None = None, benchmarks: Sequence[str] | None = None
    ) -> list[Score]:
        """What is known of these models on these benchmarks."""
        of = None if models is None else frozenset(models)
        on = None if benchmarks is None else frozenset(benchmarks)
        return [
            one
            for one in self.scores
            if (of is None or one.model in of) and (on is None or one.benchmark in on)
        ]


@dataclass(frozen=True)
class Evidence:
    """All that Eq. 1 takes for one job, so that its settings can be tried without the rest."""

    candidates: list[Candidate]
    benchmarks: list[BenchmarkChoice]
    scores: list[Score]
    predicted: list[Prediction]
    others: Related

    def choose(self, **settings: float) -> list[str]:
        """S*, best first, at most ten."""
        chosen = score_lookup.select(
            self.candidates,
            self.benchmarks,
            self.scores,
            self.predicted,
            related=self.others,
            k=RECOMMENDED,
            **settings,  # type: ignore[arg-type]  # numbers, by name
        )
        return [one.model for one in chosen]


class Mirror:
    """The product's way: σ, benchmarks, P_ij known and predicted, Eq. 1."""

    def __init__(self, table: ScoreTable, registry: Registry, embedder: Embedder, cache: Path):
        self._table = table
        self._registry = registry
        self._embedder = embedder
        self._cache = cache
        self._index = SearchIndex.build(registry, embedder, cache)

    def evidence(self, job: Job, *, family: bool = False) -> Evidence:
        """What is found out for one job whose column is hidden."""
        seen = self._table.without(job, family=family)
        wanted = Requirements(text=job.text, domains=domains_of(job.text))
        ranked = registry_search.rank(
            self._index, wanted, self._registry, job.truth, self._embedder
        )
        query = " ".join([wanted.text, *wanted.domains])
        names = [one.model for one in ranked]
        placed = related(query, names, seen, self._embedder, self._cache)
        candidates = registry_search.shorten(ranked, placed.value)
        names = [one.model for one in candidates]
        catalogue = self._catalogue({score.benchmark for score in seen})
        benchmarks = benchmark_recommender.recommend(wanted, catalogue, {})
        scores = Scores(self._cache / "none.sqlite", bundled=Seen(seen))  # type: ignore[arg-type]
        known = score_lookup.look_up(names, [one.task for one in benchmarks], scores).scores
        columns: dict[str, str | None] = {one.task: None for one in benchmarks}
        columns |= {score.benchmark: score.protocol for score in known}
        predicted = predict(names, columns, seen, self._registry)
        others = related(query, names, seen, self._embedder, self._cache)
        return Evidence(candidates, benchmarks, known, predicted, others)

    def _catalogue(self, benchmarks: set[str]) -> Columns:
        names = sorted(benchmarks)
        return Columns(names, np.stack([self._vectors[name] for name in names]), self._embedder)

    @cached_property
    def _vectors(self) -> dict[str, NDArray[np.float32]]:
        names = sorted({score.benchmark for score in self._table.scores})
        vectors = self._embedder.encode([readable(name) for name in names])
        return dict(zip(names, vectors, strict=True))


class Words:
    """Plain text search: tf-idf over a model's name and everything the registry states of it."""

    def __init__(self, models: Mapping[str, Model]) -> None:
        self._models = models

    @cached_property
    def _texts(self) -> list[str]:
        return [
            " ".join([readable(model.id), *model.domains, *model.abilities, *model.languages,
                      *model.training_datasets, *model.tags, model.task or ""])
            for model in self._models.values()
        ]  # fmt: skip

    def rank(self, job: Job) -> list[str]:
        """The job's models, nearest first; of equals by name."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        if not hasattr(self, "_fitted"):
            vectorizer = TfidfVectorizer(sublinear_tf=True)
            rows = vectorizer.fit_transform(self._texts)
            self._fitted = vectorizer, rows
        vectorizer, rows = self._fitted
        near = (rows @ vectorizer.transform([job.text]).T).toarray().ravel()
        score = dict(zip(self._models, near.tolist(), strict=True))
        return sorted(job.truth, key=lambda model: (-score[model], model))


def by_fact(job: Job, models: Mapping[str, Model]) -> dict[str, list[str]]:
    """The job's models by popularity, date and size, each largest first; unknown comes last."""
    about = [models[model] for model in sorted(job.truth)]
    return {
        "popularity": [
            m.id for m in sorted(about, key=lambda m: (-_or(m.downloads), -_or(m.likes)))
        ],
        "newest": [m.id for m in sorted(about, key=lambda m: m.released or "", reverse=True)],
        "largest": [m.id for m in sorted(about, key=lambda m: -_or(m.params))],
    }


def _or(count: int | None) -> int:
    return -1 if count is None else count


def unpopular(models: Mapping[str, Model]) -> dict[str, Model]:
    """The same models with nothing said of how popular they are."""
    nothing = dict.fromkeys(POPULARITY)
    return {id: model.model_copy(update=nothing) for id, model in models.items()}
