"""What models inherit from their relatives over base_model edges.

Edges are (child, parent, relation). Real graphs hold cycles, self-loops and parents nobody
listed; all are tolerated. Siblings resemble each other more than they resemble their parent
(Laufer, Oderinwale & Kleinberg, "Anatomy of a Machine Learning Ecosystem", arXiv 2508.06811),
so they weigh more here.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    Matrix = sparse.csr_array[np.float64, tuple[int, int]]

Edge = tuple[str, str, str]
Graph = dict[str, list[tuple[str, str]]]

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


@dataclass(frozen=True)
class Propagated:
    """``own`` and ``inherited`` (M, K) float64 sparse; no cell is stored in both."""

    own: Matrix
    inherited: Matrix


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


def fold(ids: Collection[str], graph: Graph) -> dict[str, str]:
    """id -> the root it is a quantized or mirrored copy of, or itself.

    The walk follows the first quantized or mirror edge, through parents absent from ``ids``, to
    the farthest one present. On a cycle the alphabetically first member present is the root.
    """
    present = frozenset(ids)
    return {id: _root(id, present, graph) for id in ids}


def _root(id: str, present: frozenset[str], graph: Graph) -> str:
    path = [id]
    while True:
        copied = [parent for parent, how in graph.get(path[-1], ()) if how in VARIANT]
        if not copied:
            return next(node for node in reversed(path) if node in present)
        if copied[0] in path:
            cycle = path[path.index(copied[0]) :]
            return min((n for n in cycle if n in present), default=id)
        path.append(copied[0])


def transfer(
    m: int,
    edges: Sequence[tuple[int, int, str]],
    weights: Mapping[str, Weight] = WEIGHTS,
    sibling: float = SIBLING,
) -> Matrix:
    """(M, M) weights W, rows summing to 1 (or 0): row i says from whom model i inherits.

    ``edges`` are (child, parent, relation) as row numbers. A pair linked more than one way keeps
    its largest weight.
    """
    down: dict[tuple[int, int], float] = {}
    up: dict[tuple[int, int], float] = {}
    for child, parent, relation in edges:
        if child != parent:
            weight = weights[relation]
            down[child, parent] = max(down.get((child, parent), 0.0), weight.down)
            up[parent, child] = max(up.get((parent, child), 0.0), weight.up)
    child_of = _matrix(m, dict.fromkeys(down, 1.0))
    shared = sparse.coo_array(child_of @ child_of.T)
    apart = shared.row != shared.col
    pairs = zip(shared.row[apart].tolist(), shared.col[apart].tolist(), strict=True)
    siblings = _matrix(m, dict.fromkeys(pairs, sibling))
    strongest = _matrix(m, down).maximum(_matrix(m, up)).maximum(siblings)
    return sparse.csr_array(sparse.diags_array(_inverse(strongest.sum(axis=1))) @ strongest)


def _matrix(m: int, entries: Mapping[tuple[int, int], float]) -> Matrix:
    rows, columns = zip(*entries, strict=True) if entries else ((), ())
    values = np.fromiter(entries.values(), dtype=np.float64, count=len(entries))
    matrix: Matrix = sparse.csr_array((values, (rows, columns)), shape=(m, m))
    return matrix


def propagate(
    characteristics: Matrix,
    edges: Sequence[tuple[int, int, str]],
    weights: Mapping[str, Weight] = WEIGHTS,
    hops: int = 2,
    sibling: float = SIBLING,
) -> Propagated:
    """Fill missing cells of C (M, K) from relatives up to ``hops`` edges away, both ways.

    Label propagation with clamping (Zhu & Ghahramani 2002): X <- W X with the stored cells of C
    put back after every hop, so what is stated never changes. An unstored cell counts as missing,
    and a cell that nothing reaches stays missing.
    """
    own: Matrix = sparse.csr_array(characteristics).astype(np.float64)
    stated = sparse.csr_array((np.ones(own.nnz), own.indices, own.indptr), shape=own.shape)
    w = transfer(own.shape[0], edges, weights, sibling)
    inherited: Matrix = sparse.csr_array(own.shape, dtype=np.float64)
    for _ in range(hops):
        spread = sparse.csr_array(w @ (own + inherited))
        inherited = sparse.csr_array(spread - spread.multiply(stated))
        inherited.eliminate_zeros()
    return Propagated(own, inherited)


def lenders(
    characteristics: Matrix,
    edges: Sequence[tuple[int, int, str]],
    row: int,
    weights: Mapping[str, Weight] = WEIGHTS,
    sibling: float = SIBLING,
) -> Matrix:
    """(M, K) how much of what ``row`` inherits over two hops each model lent it.

    Column sums equal ``propagate(..., hops=2).inherited[row]``. With S the stated cells and d the
    row of W, model s lends  own_sk (d_s + Σ_j d_j (1 - S_jk) W_js): directly, and through every
    relative j that does not state k itself.
    """
    own: Matrix = sparse.csr_array(characteristics).astype(np.float64)
    stated = sparse.csr_array((np.ones(own.nnz), own.indices, own.indptr), shape=own.shape)
    w = transfer(own.shape[0], edges, weights, sibling)
    direct = w[[row], :].toarray().ravel()
    passed_on = w.T @ direct
    held_back = sparse.csr_array(w.T @ sparse.diags_array(direct) @ stated)
    lent = sparse.csr_array(sparse.diags_array(direct + passed_on) @ own - own * held_back)
    missing = np.ones(own.shape[1])
    missing[stated[[row], :].indices] = 0.0
    lent = sparse.csr_array(lent @ sparse.diags_array(missing))
    lent.eliminate_zeros()
    return lent


def _inverse(totals: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(1.0, totals, out=np.zeros_like(totals), where=totals > 0)


if __name__ == "__main__":
    names = ("base", "medical finetune", "law finetune", "4-bit copy")
    family = [(1, 0, "finetune"), (2, 0, "finetune"), (3, 1, "quantized")]
    medical = sparse.csr_array(([1.0], ([1], [0])), shape=(4, 1))
    result = propagate(medical, family)
    for i, name in enumerate(names):
        own, inherited = result.own[i, 0], result.inherited[i, 0]
        print(f"{name:17} own {own:.2f}  inherited {inherited:.2f}")  # noqa: T201
