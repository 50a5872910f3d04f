"""What a model is taken to be like because its relatives are: which characteristic, from whom.

The same propagation as in ``tools.characterizer``, over the relatives within two edges, with
what each of them lent (``tools.methods.lineage.lenders``). A family of thousands is cut to the
``MOST`` nearest, so weights there are approximate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from tools.characterizer import FAINT, HERITABLE, LENT, facet_of, labels_of
from tools.methods.lineage import lenders

if TYPE_CHECKING:
    from collections.abc import Iterable

    from memory.registry import Registry

MOST = 1000
"""Relatives looked at."""

NAMED = 3
"""Lenders named per characteristic."""


@dataclass(frozen=True)
class Inherited:
    """One characteristic of ``model`` that nobody states of it.

    ``weight`` in (0, 1], as σ counts it; ``lenders``: (model, its part of the weight), the most
    first, at most ``NAMED`` of them.
    """

    model: str
    label: str
    weight: float
    lenders: tuple[tuple[str, float], ...]


def inherited(id: str, registry: Registry) -> list[Inherited]:
    """What the model inherits, the weightiest first; empty when its relatives lend nothing."""
    members = _nearby(id, registry)
    if len(members) < 2:
        return []
    row = {name: i for i, name in enumerate(members)}
    owned = [
        {k: v for k, v in labels_of(registry.models[name]).items() if facet_of(k) in HERITABLE}
        for name in members
    ]
    labels = sorted({label for one in owned for label in one})
    column = {label: k for k, label in enumerate(labels)}
    cells = [
        (i, column[label], value) for i, one in enumerate(owned) for label, value in one.items()
    ]
    if not cells:
        return []
    rows, columns, values = zip(*cells, strict=True)
    own = sparse.csr_array((values, (rows, columns)), shape=(len(members), len(labels)))
    edges = [
        (i, row[edge.parent], edge.relation)
        for i, name in enumerate(members)
        for edge in registry.models[name].bases
        if edge.parent in row
    ]
    lent = sparse.csc_array(lenders(own, edges, row[id]) * LENT)
    totals = np.asarray(lent.sum(axis=0), dtype=np.float64).ravel()
    found = [
        Inherited(id, labels[k], float(totals[k]), _most(lent, k, members))
        for k in np.flatnonzero(totals >= FAINT).tolist()
    ]
    return sorted(found, key=lambda one: (-one.weight, one.label))


def _most(lent: sparse.csc_array, k: int, members: list[str]) -> tuple[tuple[str, float], ...]:
    span = slice(lent.indptr[k], lent.indptr[k + 1])
    pairs = zip(lent.indices[span].tolist(), lent.data[span].tolist(), strict=True)
    best = sorted(pairs, key=lambda pair: (-pair[1], members[pair[0]]))
    return tuple((members[i], float(part)) for i, part in best[:NAMED])


def _nearby(id: str, registry: Registry) -> list[str]:
    """The model and its relatives up to four edges away, nearest first, at most ``MOST``.

    Four, because siblings are two edges away and what they have may be their siblings'.
    """
    found = {id: None}
    layer: Iterable[str] = [id]
    for _ in range(4):
        reached = [near for name in layer for near in _adjacent(name, registry)]
        layer = list(dict.fromkeys(name for name in reached if name not in found))
        layer = layer[: MOST - len(found)]
        found.update(dict.fromkeys(layer))
    return list(found)


def _adjacent(id: str, registry: Registry) -> list[str]:
    parents = [e.parent for e in registry.models[id].bases if e.parent in registry.models]
    return [*parents, *(child.id for child in registry.children(id))]
