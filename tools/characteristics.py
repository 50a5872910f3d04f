"""C, the characteristics of all models: (M x K), own ones by rule, and what relatives lend.

The rules are ``tools.characterizer``'s, applied to each distinct value once. What comes along the
lineage graph weighs less than anything a model has of its own (RELM section 4.1.2, metadata
propagation), which is how the two are told apart.

Open vocabularies (words of names, bases, data sets, architectures) grow with the Hub, and almost
all of it is said of a handful of models. A label of theirs is kept when at least one model in
``RARE`` has it: all of them up to 100,000 models, those of 25 models and more at 2.5 million.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from scipy import sparse

from tools.characterizer import HERITABLE, LETTERS, NAMED, SOURCES
from tools.methods.propagation import Transfer, propagate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from tools.methods.lineage_graph import Edges

LENT = 0.6
"""The weight of what all relatives agree on but nobody states of the model itself."""

FAINT = 0.05
"""What relatives lend below this is left out: one medical child among a hundred says little."""

OPEN = frozenset({"name says", "based on", "trained on", "architecture"})
RARE = 100_000
COLUMNS = ("id", *dict.fromkeys(s.column for s in SOURCES if s.column != "words"))
"""The columns of the registry that the rules read."""


@dataclass(frozen=True)
class Characteristics:
    """``matrix`` (M models x K labels) by column: the weight of each characteristic in (0, 1].

    Own ones weigh at least ``NAMED``, inherited ones at most ``LENT``. ``labels`` are sorted, so
    the same models give the same matrix.
    """

    labels: tuple[str, ...]
    matrix: sparse.csc_array

    @cached_property
    def column(self) -> Mapping[str, int]:
        """label -> its column."""
        return {label: k for k, label in enumerate(self.labels)}

    @property
    def own(self) -> sparse.csc_array:
        """The matrix without what was inherited."""
        return only_own(self.matrix)


def only_own(matrix: sparse.csc_array) -> sparse.csc_array:
    """The characteristics that models have of their own."""
    kept = matrix.data >= NAMED
    indptr = np.concatenate([[0], np.cumsum(kept)])[matrix.indptr]
    return sparse.csc_array((matrix.data[kept], matrix.indices[kept], indptr), shape=matrix.shape)


def characteristics(facts: pl.DataFrame, edges: Edges) -> Characteristics:
    """C for the models of ``facts`` (``COLUMNS`` of the registry's table), row by row."""
    facets = dict(sorted(_facets(facts)))
    labels = tuple(f"{facet}: {said}" for facet in facets for said in facets[facet].labels)
    empty = sparse.csc_array((len(facts), 0), dtype=np.float32)
    own = sparse.hstack([empty, *(one.matrix for one in facets.values())], format="csc")
    inherits = [facet in HERITABLE for facet in facets for _ in facets[facet].labels]
    heritable = np.flatnonzero(np.array(inherits, dtype=bool))
    found = propagate(
        sparse.csr_array(own[:, heritable]), Transfer.of(edges), least=FAINT / LENT
    ).inherited
    at = heritable[found.indices]
    lent = sparse.csr_array((np.float32(LENT) * found.data, at, found.indptr), shape=own.shape)
    return Characteristics(labels, sparse.csc_array(own + sparse.csc_array(lent)))


@dataclass(frozen=True)
class _Facet:
    labels: tuple[str, ...]
    matrix: sparse.csc_array


def _facets(facts: pl.DataFrame) -> Iterator[tuple[str, _Facet]]:
    """Each facet's labels, sorted, and who has them of its own."""
    for facet in dict.fromkeys(source.facet for source in SOURCES):
        tables = [
            (*_said(facts, source.column, source.read), source.weight)
            for source in SOURCES
            if source.facet == facet
        ]
        labels = sorted({label for _, _, said, _ in tables for label in said})
        place = {label: k for k, label in enumerate(labels)}
        matrix = sparse.csc_array((len(facts), len(labels)), dtype=np.float32)
        for rows, columns, said, weight in tables:
            at = np.array([place[label] for label in said], dtype=np.int64)[columns]
            one = sparse.csc_array((np.ones(len(rows), np.float32), (rows, at)), matrix.shape)
            one.data[:] = weight
            matrix = matrix.maximum(one)
        if facet in OPEN:
            often = np.diff(matrix.indptr) * RARE >= len(facts)
            labels = [label for label, kept in zip(labels, often, strict=True) if kept]
            matrix = matrix[:, often]
        yield facet, _Facet(tuple(labels), matrix)


def _said(
    facts: pl.DataFrame, column: str, read: Callable[[str], Iterable[str]]
) -> tuple[NDArray[np.int64], NDArray[np.int64], tuple[str, ...]]:
    """(row, number of a label) for all that a column says, and the labels by number."""
    pairs = _values(facts, column)
    distinct = pairs["value"].unique(maintain_order=True)
    code = pairs["value"].cast(pl.Enum(distinct)).to_physical().to_numpy()
    number: dict[str, int] = {}
    means = [[number.setdefault(said, len(number)) for said in read(value)] for value in distinct]
    counts = np.array([len(one) for one in means], dtype=np.int64)
    flat = np.array([k for one in means for k in one], dtype=np.int64)
    start = np.cumsum(counts) - counts
    times = counts[code]
    within = np.arange(times.sum()) - np.repeat(np.cumsum(times) - times, times)
    return (
        np.repeat(pairs["row"].to_numpy(), times),
        flat[np.repeat(start[code], times) + within],
        tuple(number),
    )


def _values(facts: pl.DataFrame, column: str) -> pl.DataFrame:
    """(row, value) of every value that a column holds, as text."""
    cell = pl.col(column)
    if column == "words":
        name = pl.col("id").str.split("/").list.last()
        cell = name.str.extract_all(LETTERS.pattern)
    elif column == "bases":
        cell = cell.list.eval(pl.element().struct.field("parent"))
    pairs = facts.select(pl.int_range(pl.len()).alias("row"), cell.alias("value"))
    if pairs.schema["value"] == pl.List:
        pairs = pairs.explode("value", empty_as_null=True)
    return pairs.drop_nulls("value").with_columns(pl.col("value").cast(pl.String))
