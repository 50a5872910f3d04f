"""Whom a model was made from, over base_model edges, and how much passes along one.

Edges are (child, parent, relation). Real graphs hold cycles, self-loops and parents nobody
listed; all are tolerated. Siblings resemble each other more than they resemble their parent
(Laufer, Oderinwale & Kleinberg, "Anatomy of a Machine Learning Ecosystem", arXiv 2508.06811),
so they weigh more here. ``lineage_graph`` and ``propagation`` do it for all models at once.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

Edge = tuple[str, str, str]
Graph = Mapping[str, Sequence[tuple[str, str]]]

VARIANT = frozenset({"quantized", "mirror"})


class Weight(NamedTuple):
    """How much passes along one edge: ``down`` to the child, ``up`` to the parent."""

    down: float
    up: float


# A quantized or mirrored copy is nearly the same model; an adapter or finetune changes more.
WEIGHTS: Mapping[str, Weight] = MappingProxyType(
    {
        "quantized": Weight(1.0, 0.9),
        "mirror": Weight(1.0, 1.0),
        "adapter": Weight(0.6, 0.3),
        "finetune": Weight(0.6, 0.3),
        "merge": Weight(0.4, 0.2),
    }
)
SIBLING = 0.8


def parents(edges: Iterable[Edge]) -> Graph:
    """child -> [(parent, relation)] in the order given, self-loops dropped."""
    graph: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for child, parent, relation in edges:
        if child != parent:
            graph[child].append((parent, relation))
    return dict(graph)


def ancestors(id: str, graph: Graph) -> list[str]:
    """Every ancestor of ``id``, nearest first, each once; a cycle ends where it closes.

    ``graph`` comes from ``parents``. Ancestors nobody listed as models are included.
    """
    found: dict[str, None] = {}
    queue = deque([id])
    while queue:
        for parent, _ in graph.get(queue.popleft(), ()):
            if parent != id and parent not in found:
                found[parent] = None
                queue.append(parent)
    return list(found)
