"""What a benchmark asks, by example: items that stand for the others (RELM section 4.1.1).

The description is the catalogue's: lm-eval's own words about a task and its family. Where a task's
items are on this machine, a few are added, one from each cluster of their meanings.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from memory.errors import MirrorError
from memory.vectors import cache_file, cached_vectors
from tools.clients.benchmarks import items
from tools.methods.representatives import representatives

if TYPE_CHECKING:
    from pathlib import Path

    from memory.records import BenchmarkChoice
    from tools.deps import Embedder

SAMPLES = 3
LOOKED_AT = 60
"""Items that are clustered, drawn at random: a fifth of a second's work, the first time."""

SHOWN = 160
"""Letters of an item that are shown."""


def with_samples(choice: BenchmarkChoice, embedder: Embedder, cache: Path) -> BenchmarkChoice:
    """The choice with items that stand for its others; as it is where none are here.

    ``cache``: the folder in which the items' vectors are kept.
    """
    if choice.items_source is None:
        return choice
    try:
        texts = _texts(choice.task)
    except MirrorError:
        return choice  # the user's own task, or items that something else holds
    file = cache_file(cache, "items-" + re.sub(r"\W+", "-", choice.task), embedder.name)
    vectors = cached_vectors(texts, embedder.encode, file, lambda done, total: None)
    chosen = representatives(vectors, SAMPLES)
    return choice.model_copy(update={"samples": tuple(_short(texts[row]) for row in chosen)})


def _texts(task: str) -> list[str]:
    """What up to ``LOOKED_AT`` rows of a task's files say, each once; always the same ones."""
    said = list(dict.fromkeys(row for rows in items.load(task).files for row in rows if row))
    order = np.random.default_rng(0).permutation(len(said))[:LOOKED_AT]
    return [said[row] for row in sorted(order.tolist())]


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= SHOWN else words[:SHOWN].rsplit(" ", 1)[0] + " …"
