"""What the benchmarks that are like a request say of the candidates.

The benchmarks recommended for a job are often ones that nobody was measured on. Whatever else
the candidates scored is still evidence: every column that enough of them share counts, the more
the closer its name is to the request in meaning (``tools.methods.standing``). A column is one
benchmark under one protocol. A copy's score stands in for a model without its own.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from memory.scores import resolve
from memory.vectors import cache_file, cached_vectors
from tools.methods.standing import standing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from memory.records import Score
    from tools.deps import Embedder

LEAST_SHARED = 5
"""A column that fewer candidates have a score in can't place them."""

NAMED = 3
"""So many of the nearest benchmarks are named."""


@dataclass(frozen=True)
class Related:
    """``value``: model -> its standing in [0, 1] (0.5: the average candidate), only where known.

    ``cells``: model -> from how many scores; ``nearest``: the benchmarks that count most.
    """

    value: Mapping[str, float]
    cells: Mapping[str, int]
    nearest: tuple[str, ...]


def related(
    text: str,
    models: Sequence[str],
    observations: Iterable[Score],
    embedder: Embedder,
    cache: Path,
    copies: Mapping[str, Sequence[str]] | None = None,
) -> Related:
    """Place ``models`` for the job that ``text`` describes.

    ``copies``: as in ``tools.scores.prediction.predict``. ``cache``: the folder in which the names'
    vectors are kept. The benchmarks recommended for the job are among the rest: the nearest.
    """
    observed = list(observations)
    columns = _columns(models, observed, copies or {})
    if not columns:
        return Related({}, {}, ())
    names = [benchmark for benchmark, _ in columns]
    vectors = _vectors(names, observed, embedder, cache)
    scores = np.full((len(models), len(columns)), np.nan)
    row = {model: i for i, model in enumerate(models)}
    for j, column in enumerate(columns.values()):
        for model, value in column.items():
            scores[row[model], j] = value
    near = vectors @ embedder.encode([text])[0]
    found = standing(scores, near, benchmarks=names)
    placed = [model for model in models if found.cells[row[model]]]
    by_weight = [names[j] for j in np.argsort(-found.weights, kind="stable")]
    return Related(
        {model: float(found.value[row[model]]) for model in placed},
        {model: int(found.cells[row[model]]) for model in placed},
        tuple(dict.fromkeys(by_weight))[:NAMED],
    )


def _vectors(
    names: Sequence[str], observed: Sequence[Score], embedder: Embedder, cache: Path
) -> NDArray[np.float32]:
    """(n names, d), from a file that keeps those of every benchmark anybody was measured on."""
    every = sorted({score.benchmark for score in observed})
    vectors = cached_vectors(
        [readable(name) for name in every],
        embedder.encode,
        cache_file(cache, "score-columns", embedder.name),
        lambda done, total: None,
    )
    row = {name: i for i, name in enumerate(every)}
    return vectors[[row[name] for name in names]]


def readable(name: str) -> str:
    """A benchmark's name in words: ``mmlu/college_biology`` and ``SciFactRetrieval`` alike."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", re.sub(r"[_/\-]+", " ", name))
    return " ".join(parted.split())


def _columns(
    models: Sequence[str],
    observations: Iterable[Score],
    copies: Mapping[str, Sequence[str]],
) -> dict[tuple[str, str], dict[str, float]]:
    """(benchmark, protocol) -> model -> value, for columns that enough of ``models`` share."""
    wanted = {copy: model for model in models for copy in copies.get(model, ())}
    wanted |= {model: model for model in models}
    seen: dict[tuple[str, str], dict[str, list[Score]]] = defaultdict(lambda: defaultdict(list))
    for score in observations:
        if score.model in wanted:
            seen[score.benchmark, score.protocol][score.model].append(score)
    found = {}
    for key in sorted(seen):
        column: dict[str, float] = {}
        for name in sorted(seen[key], key=lambda name: (wanted[name] == name, name)):
            column[wanted[name]] = resolve(seen[key][name]).value  # its own comes last and stays
        if len(column) >= LEAST_SHARED:
            found[key] = column
    return found
