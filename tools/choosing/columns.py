"""What the funnel looks at, of all models: profiles, numbers, and whose copy each model is.

Worked out once a registry (lineage included: what licences forbid all the way down, from whom
languages are inherited, in which formats copies come) and kept by ``tools.registry_index``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from memory.registry import Registry
from tools.choosing.constraints import (
    ABILITIES,
    OWN_RUNTIME,
    Package,
    common_languages,
    handled,
    scancode_categories,
)
from tools.choosing.profiles import Pairs, Profiles, interned
from tools.lineage_edges import edges_of
from tools.methods import licences
from tools.methods.lineage_graph import NONE, fold, from_all_above, nearest_above

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import polars as pl
    from numpy.typing import NDArray

    from memory.records import Model
    from tools.methods.lineage_graph import Edges

FACTS = (
    *("id", "bases", "task", "modalities", "abilities", "licence", "languages"),
    *("formats", "quantization", "params", "params_estimated", "context_length"),
)
"""The columns of the registry that this reads."""

_CLAUSES = (*licences.CLAUSES, "unknown")


class Role(NamedTuple):
    """What a model can do: its task, and the modalities it is known to handle."""

    task: str | None
    handles: Sequence[str]


class Terms(NamedTuple):
    """A licence, and the clauses of it and of those of all ancestors ("unknown" if one is)."""

    licence: str | None
    clauses: Sequence[str]


@dataclass(frozen=True)
class Columns:
    """A value a model, in the order of ``registry``; -1 where a number is not known.

    ``root`` (M,): the row of the model it is a copy of, or its own. ``allowed`` is what stage 1
    looks at; ``fitting`` what stage 2 does: languages of the model's own or its nearest ancestor
    that states any, and its package. ``expected``: languages so common that cards leave them out.
    """

    registry: Registry
    root: NDArray[np.int32]
    allowed: Pairs[Role, Terms]
    fitting: Pairs[Sequence[str], Package]
    params: NDArray[np.int64]
    estimated: NDArray[np.bool_]
    context: NDArray[np.int64]
    expected: frozenset[str]

    @classmethod
    def of(cls, registry: Registry, facts: pl.DataFrame, edges: Edges) -> Columns:
        """Worked out from ``FACTS`` of the registry's table and its lineage."""
        root = fold(registry.ids, edges)
        stated: Profiles[Sequence[str]] = interned(facts["languages"])
        counts = dict(zip(stated.values, stated.counts().tolist(), strict=True))
        return cls(
            registry=registry,
            root=root.astype(np.int32),
            allowed=Pairs.of(_roles(facts), _terms(facts, edges)),
            fitting=Pairs.of(_inherited(stated, edges), _packages(facts, root)),
            params=_numbers(facts["params"]),
            estimated=facts["params_estimated"].fill_null(value=False).to_numpy(),
            context=_numbers(facts["context_length"]),
            expected=common_languages(counts),
        )

    @classmethod
    def over(cls, models: Columns | Mapping[str, Model]) -> Columns:
        """``models`` themselves, or the columns of a mapping of records, worked out now."""
        if isinstance(models, Columns):
            return models
        registry = Registry(models, "")
        facts = registry.facts(FACTS)
        return cls.of(registry, facts, edges_of(facts))

    @cached_property
    def is_copy(self) -> NDArray[np.bool_]:
        """(M,) whether a model is a copy of another."""
        return np.asarray(self.root != np.arange(len(self.root)))

    def rows(self, among: Collection[str] | NDArray[np.int64]) -> NDArray[np.int64]:
        """The rows of the models named, in the order given, unknown ones left out.

        Rows are passed on as they are.
        """
        if isinstance(among, np.ndarray):
            return among
        found = (self.registry.row(id) for id in among)
        return np.array([row for row in found if row is not None], dtype=np.int64)

    def names(self, rows: NDArray[np.integer]) -> list[str]:
        """The ids in these rows."""
        return self.registry.names_at(rows.tolist())

    def copies(self, rows: NDArray[np.int64]) -> dict[str, tuple[str, ...]]:
        """Of the models in these rows: root -> its copies, sorted."""
        asked = np.zeros(len(self.root), dtype=bool)
        asked[rows] = True
        found = np.flatnonzero(asked[self.root] & self.is_copy)
        copies: dict[str, list[str]] = {}
        for root, copy in zip(self.names(self.root[found]), self.names(found), strict=True):
            copies.setdefault(root, []).append(copy)
        return {root: tuple(sorted(those)) for root, those in copies.items()}


def _numbers(column: pl.Series) -> NDArray[np.int64]:
    return column.fill_null(-1).to_numpy().astype(np.int64)


def _roles(facts: pl.DataFrame) -> Profiles[Role]:
    stated = Pairs.of(interned(facts["task"]), interned(facts["modalities"])).flat()
    able = interned(facts["abilities"])
    return (
        Pairs.of(stated, able).flat().mapped(lambda v: Role(v[0][0], tuple(handled(*v[0], v[1]))))
    )


def _terms(facts: pl.DataFrame, edges: Edges) -> Profiles[Terms]:
    """An ancestor nobody listed has no licence that anyone stated."""
    stated: Profiles[str | None] = interned(facts["licence"])
    categories = scancode_categories()
    names = [licences.clauses(one, categories) for one in stated.values]
    own = [sum(1 << _CLAUSES.index(c) for c in ({"unknown"} if n is None else n)) for n in names]
    bits = np.full(edges.nodes, 1 << _CLAUSES.index("unknown"), dtype=np.uint16)
    bits[: edges.models] = np.array(own, dtype=np.uint16)[stated.codes]
    gathered = from_all_above(bits, edges)[: edges.models]
    found, codes = np.unique(gathered, return_inverse=True)
    sets = [tuple(c for k, c in enumerate(_CLAUSES) if one >> k & 1) for one in found.tolist()]
    pairs = Pairs.of(stated, Profiles(codes.astype(np.int32), sets)).flat()
    return pairs.mapped(lambda v: Terms(*v))


def _inherited(stated: Profiles[Sequence[str]], edges: Edges) -> Profiles[Sequence[str]]:
    """The languages of each model or else of the nearest ancestor that states any."""
    some = np.zeros(edges.nodes, dtype=bool)
    some[: edges.models] = np.array([bool(v) for v in stated.values], dtype=bool)[stated.codes]
    source = nearest_above(some, edges)
    source = np.where(source == NONE, np.arange(edges.models), source)
    return Profiles(stated.codes[source], stated.values)


def _packages(facts: pl.DataFrame, root: NDArray[np.int64]) -> Profiles[Package]:
    quantized = interned(facts["quantization"])
    stated = Pairs.of(interned(facts["formats"]), quantized).flat()
    formats = stated.mapped(lambda v: frozenset((*v[0], *v[1])))
    only = quantized.mapped(lambda v: tuple(sorted(OWN_RUNTIME & {*v})))
    able = interned(facts["abilities"]).mapped(lambda v: tuple(sorted(ABILITIES & {*v})))
    of_all = _with_copies(formats, root).mapped(lambda v: tuple(sorted(v)))
    parts = Pairs.of(Pairs.of(of_all, able).flat(), only).flat()
    return parts.mapped(lambda v: Package(*v[0], v[1]))


def _with_copies(
    formats: Profiles[frozenset[str]], root: NDArray[np.int64]
) -> Profiles[frozenset[str]]:
    """The formats of each model and, where it is a root, of its copies."""
    codes, values = formats.codes.copy(), list(formats.values)
    number = {value: k for k, value in enumerate(values)}
    copy = np.flatnonzero(root != np.arange(len(root)))
    pairs = np.unique(root[copy] * len(values) + formats.codes[copy])
    of, added = np.divmod(pairs, len(values) or 1)
    for row, code in zip(of.tolist(), added.tolist(), strict=True):
        whole = values[codes[row]] | values[code]
        if whole not in number:
            number[whole] = len(values)
            values.append(whole)
        codes[row] = number[whole]
    return Profiles(codes, tuple(values))
