"""A made-up Hub of any size, drawn from the marginals of the real one, as a registry table.

Every model takes its facts (licence, size, languages, task, formats, downloads ...) whole from a
real model of the bundled registry, so that they go together as they really do. What that registry
is too small to show is drawn by law:

- *lineage*: 55 % of models name a base, as about half of the Hub's do; how each was made follows
  ``edges_8137.csv``. A base is drawn by Simon's process: with probability ``COPIED`` that of an
  earlier child, else any older model. The largest of E families then has about E^COPIED children:
  the exponent is 0.47 for the bundled registry and 0.90 for the families traced in ``lineage/``;
  0.77 lies between and gives the 2.5 million a base with some 50,000 children. One child in a
  hundred is a merge of two. Half of the children state only what their base does not: size,
  architecture and context come from the base, the languages are left out.
- *names and data sets*: words of real names, then invented ones, by Zipf's law, so the vocabulary
  grows with the Hub.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from memory.registry import Registry
from memory.registry_table import COLUMNS, table
from tools.request.domains import words_of

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Rows = NDArray[np.int64]

DERIVED, COPIED, MERGED, QUIET = 0.55, 0.77, 0.01, 0.5
TRAINED, ZIPF = 0.05, 1.15
OWN = ("params", "params_estimated", "params_active", "architecture", "context_length")
RELATIONS = {"adapters": "adapter", "merges": "merge"}
EDGE = COLUMNS["bases"]
CHUNK = 250_000


def write(n: int, file: Path, data: Path, seed: int = 0) -> None:
    """Write ``n`` models to ``file`` as Parquet of ``memory.registry_table``'s columns."""
    rng = np.random.default_rng(seed)
    models = Registry.load().models
    real = table(models.values())
    words = sorted({word for id in models for word in words_of(id) if len(word) > 1})
    base, second = _bases(n, rng)
    relation = _relations(n, data, rng)
    facts = rng.integers(0, len(real), n)
    quiet = (base >= 0) & (rng.random(n) < QUIET)
    body = np.where(quiet, facts[base], facts)
    names = _names(n, words, rng)
    dataset = np.where(rng.random(n) < TRAINED, _zipf(n, 200_000, rng), -1)
    parts = []
    for start in range(0, n, CHUNK):
        rows = slice(start, start + CHUNK)
        parts.append(
            real[facts[rows]]
            .with_columns(real[body[rows]].select(OWN))
            .with_columns(
                names[rows].alias("id"),
                languages=pl.when(pl.Series(quiet[rows])).then([]).otherwise("languages"),
                bases=_edges(names, base[rows], second[rows], relation[rows]),
                training_datasets=_datasets(dataset[rows]),
                aliases=pl.lit([], dtype=COLUMNS["aliases"]),
            )
        )
    pl.concat(parts).select(list(COLUMNS)).write_parquet(file, row_group_size=CHUNK)


def _bases(n: int, rng: np.random.Generator) -> tuple[Rows, Rows]:
    """First and second base of each model, older rows; -1 for none."""
    child = np.flatnonzero(rng.random(n) < DERIVED)[1:]
    older = (rng.random(len(child)) * child).astype(np.int64)
    earlier = (rng.random(len(child)) * np.arange(len(child))).astype(np.int64)
    copied = rng.random(len(child)) < COPIED
    copied[0] = False
    source = np.where(copied, earlier, np.arange(len(child)))
    while (source != source[source]).any():
        source = source[source]
    base, second = np.full(n, -1), np.full(n, -1)
    base[child] = older[source]
    merged = child[rng.random(len(child)) < MERGED]
    second[merged] = older[source[rng.integers(0, len(child), len(merged))]]
    second[(second == base) | (second >= np.arange(n))] = -1
    return base, second


def _relations(n: int, data: Path, rng: np.random.Generator) -> pl.Series:
    found = pl.read_csv(data / "lineage/edges_8137.csv").group_by("relation").len().sort("relation")
    share = found["len"].to_numpy() / found["len"].sum()
    kinds = found["relation"].replace(RELATIONS)
    return kinds[rng.choice(len(kinds), n, p=share)]


def _edges(names: pl.Series, base: Rows, second: Rows, relation: pl.Series) -> pl.Series:
    how = relation.set(pl.Series(second >= 0), "merge")
    both: list[pl.Series] = []
    for parent in (base, second):
        edge = pl.DataFrame(
            {
                "parent": names[np.maximum(parent, 0)],
                "relation": how,
                "source": pl.repeat("synthetic", len(base), eager=True),
                "there": parent >= 0,
            }
        )
        both.append(
            edge.select(pl.when("there").then(pl.struct("parent", "relation", "source")))
            .to_series()
            .alias(f"edge {len(both)}")
        )
    frame = pl.DataFrame(both)
    return frame.select(
        pl.concat_list("edge 0", "edge 1").list.drop_nulls().cast(EDGE).alias("bases")
    ).to_series()


def _zipf(n: int, vocabulary: int, rng: np.random.Generator) -> Rows:
    """``n`` ranks below ``vocabulary``, the r-th (from 1) with probability ~ r^-ZIPF."""
    mass = np.cumsum(np.arange(1, vocabulary + 1, dtype=np.float64) ** -ZIPF)
    return np.asarray(np.searchsorted(mass, rng.random(n) * mass[-1]))


def _names(n: int, words: list[str], rng: np.random.Generator) -> pl.Series:
    """``owner/word-word-word-<row>``: words are real ones, shuffled, then invented ones."""
    shuffled = [words[i] for i in rng.permutation(len(words))]
    vocabulary = pl.Series(shuffled + [_invented(i) for i in range(1_000_000)])
    drawn = [vocabulary[_zipf(n, len(vocabulary), rng)] for _ in range(3)]
    frame = pl.DataFrame({str(k): one for k, one in enumerate(drawn)}).with_row_index("row")
    owner = vocabulary[_zipf(n, len(vocabulary), rng)]
    parts = pl.concat_str("0", "1", "2", pl.col("row").cast(pl.String), separator="-")
    return (owner + "/" + frame.select(parts).to_series()).alias("id")


def _invented(k: int) -> str:
    """A pronounceable word for each number, none the same."""
    sounds = [c + v for c in "bdfgklmnprstvz" for v in "aeiou"]
    word = ""
    for _ in range(4):
        k, rest = divmod(k, len(sounds))
        word += sounds[rest]
    return word


def _datasets(rank: Rows) -> pl.Series:
    named = pl.Series([f"set-{_invented(int(r))}" for r in np.unique(rank)])
    code = np.searchsorted(np.unique(rank), rank)
    frame = pl.DataFrame({"name": named[code], "there": rank >= 0})
    return frame.select(
        pl.when("there").then(pl.concat_list("name")).otherwise([]).alias("training_datasets")
    ).to_series()
