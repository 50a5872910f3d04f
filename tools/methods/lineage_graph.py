"""The lineage of all models at once: the base_model graph as arrays.

``tools.methods.lineage`` walks from one model; here the same questions (which copies fold into
which model, what comes down from all ancestors, who is the nearest that states something) are
answered for millions together, level by level, in time that grows with the edges. Cycles,
self-loops and parents nobody listed are tolerated, with the same outcome as walking.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tools.methods.lineage import VARIANT, WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Rows = NDArray[np.int64]

RELATIONS = tuple(WEIGHTS)
NONE = -1


@dataclass(frozen=True)
class Edges:
    """Who was made from whom; nodes below ``models`` are listed models, the others are not.

    ``child`` (E,) ascending, each child's parents in the order it states them; ``parent`` (E,);
    ``relation`` (E,) positions in ``RELATIONS``. No self-loops.
    """

    models: int
    nodes: int
    child: Rows
    parent: Rows
    relation: NDArray[np.uint8]

    @classmethod
    def of(
        cls, models: int, child: Rows, parent: Rows, relation: NDArray[np.uint8], nodes: int = 0
    ) -> Edges:
        """The edges in any order, self-loops among them; ``nodes`` at least ``models``."""
        order = np.argsort(child, kind="stable")
        order = order[child[order] != parent[order]]
        most = max(models, nodes, int(parent.max(initial=NONE)) + 1)
        return cls(models, most, child[order], parent[order], relation[order])

    def downward(self) -> Downward:
        """The same edges by parent."""
        order = np.argsort(self.parent, kind="stable")
        return Downward(order, np.searchsorted(self.parent[order], np.arange(self.nodes + 1)))


@dataclass(frozen=True)
class Downward:
    """``order`` (E,): edge numbers by parent; those of node v are ``starts[v]:starts[v + 1]``."""

    order: Rows
    starts: Rows

    def below(self, nodes: Rows) -> Rows:
        """The numbers of all edges from ``nodes`` down to their children."""
        first = self.starts[nodes]
        counts = self.starts[nodes + 1] - first
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return np.asarray(self.order[np.repeat(first, counts) + within])


def fold(ids: Sequence[str], edges: Edges) -> Rows:
    """(M,) the row of the model that each is a quantized or mirrored copy of, or its own.

    The walk follows the first quantized or mirror edge to the farthest model that is listed. On
    a cycle the alphabetically first member is the root. Pointers are doubled, so even a chain of
    M copies takes log2 M steps.
    """
    copied = np.isin(edges.relation, [RELATIONS.index(name) for name in sorted(VARIANT)])
    child, first = np.unique(edges.child[copied], return_index=True)
    parent = edges.parent[copied][first]
    listed = parent < edges.models
    above = np.arange(edges.models)
    above[child[listed]] = parent[listed]
    root = above
    for _ in range(edges.models.bit_length()):
        if (above[root] == root).all():
            return root
        root = root[root]
    # What still moves went round a cycle, and stands on one of its members now.
    moving = np.unique(root[above[root] != root])
    return _first_of_cycle(ids, above, moving)[root]


def _first_of_cycle(ids: Sequence[str], above: Rows, members: Rows) -> Rows:
    first = np.arange(len(above))
    seen: set[int] = set()
    for start in members.tolist():
        cycle = []
        at = start
        while at not in seen:
            seen.add(at)
            cycle.append(at)
            at = int(above[at])
        if cycle:
            first[cycle] = min(cycle, key=ids.__getitem__)
    return first


def from_all_above(bits: NDArray[np.unsignedinteger], edges: Edges) -> NDArray[np.unsignedinteger]:
    """(nodes,) each node's own bits and those of all its ancestors.

    A node passes on only when it gained a bit, so the work is bounded by edges times bits.
    """
    gathered, down = bits.copy(), edges.downward()
    frontier = np.flatnonzero(bits)
    while len(frontier):
        passing = down.below(frontier)
        child, sent = edges.child[passing], gathered[edges.parent[passing]]
        new = (sent & ~gathered[child]) != 0
        child, sent = child[new], sent[new]
        np.bitwise_or.at(gathered, child, sent)
        frontier = np.unique(child)
    return gathered


def nearest_above(states: NDArray[np.bool_], edges: Edges) -> Rows:
    """(models,) the nearest ancestor-or-self that ``states`` (nodes,) it; ``NONE`` where none does.

    Of equally near ancestors the one that a walk by the stated order of parents meets first:
    that is, the answer of the first parent whose own answer is nearest.
    """
    down = edges.downward()
    found = np.where(states, np.arange(edges.nodes), NONE)
    frontier = np.flatnonzero(states)
    while len(frontier):
        passing = np.sort(down.below(frontier))
        passing = passing[found[edges.child[passing]] == NONE]
        child, first = np.unique(edges.child[passing], return_index=True)
        found[child] = found[edges.parent[passing[first]]]
        frontier = child
    return np.asarray(found[: edges.models])
