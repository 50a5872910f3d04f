"""What models inherit from their relatives: label propagation over base_model edges, both ways.

Row i of W says from whom model i inherits: its parents and children by the weight of their
relation, its siblings (other children of one of its parents) by ``SIBLING``, a pair linked more
than one way by its largest weight, and all divided by their sum. Siblings resemble each other more
than they resemble their parent (arXiv 2508.06811), so they weigh more.

W is never formed: a base with 50,000 children would give it 2.5 billion pairs. Siblings are summed
by family instead: models with the same set of parents form a group, and

    sum over the siblings of i of X_j  =  (D U D'X)_i - X_i

with D (M x G) who is in which group and U (G x G) which groups share a parent. That is exact. Two
approximations keep the largest families bounded; both are silent below ``SMALL`` members, where a
single one is more than ``SHARE`` of a family:

- what less than ``SHARE`` of a family has is not passed among its siblings;
- a parent that weighs less than ``SHARE`` beside that many siblings passes nothing down.

Beyond ``GROUP_PAIRS`` pairs of groups, U is not formed either: a group is then the children of one
parent, and siblings count once for each parent they share.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from tools.methods.lineage import SIBLING, WEIGHTS
from tools.methods.lineage_graph import RELATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from tools.methods.lineage import Weight
    from tools.methods.lineage_graph import Edges

    Matrix = sparse.csr_array[np.float64, tuple[int, int]]

SHARE = 1e-3
SMALL = round(1 / SHARE)
GROUP_PAIRS = 30_000_000
BLOCK = 5_000_000  # stored cells that a block of columns may reach in one hop
NOTHING = 1e-12  # what rounding leaves of a sum minus its only part


@dataclass(frozen=True)
class Propagated:
    """``own`` and ``inherited`` (M, K) float64 sparse; no cell is stored in both."""

    own: Matrix
    inherited: Matrix


@dataclass(frozen=True)
class Transfer:
    """W in factors; ``times(X)`` is W X.

    ``direct`` (M, M): what parents and children weigh beyond their part as siblings. ``group``
    (M, G): D. ``kin`` (G, G): U. ``itself`` (M,): how often U counts a model among its own
    siblings. ``siblings`` (G,): how many it counts. ``scale`` (M,): 1 / row sum, 0 for a model
    without relatives. ``sibling``: what one weighs.
    """

    direct: Matrix
    group: Matrix
    kin: Matrix
    itself: NDArray[np.float64]
    siblings: NDArray[np.float64]
    scale: NDArray[np.float64]
    sibling: float

    @classmethod
    def of(
        cls,
        edges: Edges,
        weights: Mapping[str, Weight] = WEIGHTS,
        sibling: float = SIBLING,
        group_pairs: int = GROUP_PAIRS,
    ) -> Transfer:
        """The factors for these edges; parents nobody listed lend nothing."""
        m, listed = edges.models, edges.parent < edges.models
        child, parent = edges.child[listed], edges.parent[listed]
        made_from = _binary(child, parent, (m, m))
        group, kin, exact = _groups(made_from, group_pairs)
        counted = np.asarray(group @ kin.diagonal()).ravel()
        siblings = np.asarray(kin @ group.sum(axis=0)).ravel()
        row, column, strongest, down = _linked(edges.relation[listed], child, parent, m, weights)
        shared: NDArray[np.float64] = np.asarray(
            made_from[row].multiply(made_from[column]).sum(axis=1)
        ).ravel()
        twice = sibling * (np.minimum(shared, 1) if exact else shared)
        beyond = np.where(shared > 0, np.maximum(strongest, sibling) - twice, strongest)
        among = np.asarray(group @ siblings).ravel() - counted
        total = np.bincount(row, beyond, minlength=m) + sibling * among
        scale = np.divide(1.0, total, out=np.zeros(m), where=total > NOTHING)
        kept = ~(down & (among[row] > SMALL) & (strongest * scale[row] < SHARE))
        direct = sparse.csr_array((beyond[kept], (row[kept], column[kept])), shape=(m, m))
        return cls(direct, group, kin, counted, siblings, scale, sibling)

    def families(self, x: Matrix) -> Matrix:
        """(G, K) the sum of x over each group's siblings, without what is faint in a large one."""
        found = sparse.csr_array(self.kin @ sparse.csr_array(self.group.T @ x))
        of = np.repeat(self.siblings, np.diff(found.indptr))
        return _where(found, (of <= SMALL) | (found.data >= SHARE * of))

    def times(self, x: Matrix) -> Matrix:
        """W x, for x (M, K)."""
        among = self.group @ self.families(x) - _rows_times(self.itself, x)
        spread = _rows_times(self.scale, sparse.csr_array(self.direct @ x + self.sibling * among))
        return _where(spread, spread.data > NOTHING)


def propagate(
    characteristics: Matrix, w: Transfer, hops: int = 2, least: float = NOTHING
) -> Propagated:
    """Fill missing cells of C (M, K) from relatives up to ``hops`` edges away, both ways.

    Label propagation with clamping (Zhu & Ghahramani 2002): X <- W X with the stored cells of C
    put back after every hop, so what is stated never changes. An unstored cell counts as missing,
    and a cell that nothing reaches stays missing; so does, in the end, one below ``least``.
    Columns don't touch one another, so they are done a block at a time.
    """
    own: Matrix = sparse.csr_array(characteristics).astype(np.float64)
    by_column = sparse.csc_array(own)
    parts = []
    for block in _blocks(own, w):
        stated = sparse.csr_array(by_column[:, block])
        pattern = sparse.csr_array(
            (np.ones(stated.nnz), stated.indices, stated.indptr), stated.shape
        )
        inherited: Matrix = sparse.csr_array(stated.shape, dtype=np.float64)
        for _ in range(hops):
            spread = w.times(sparse.csr_array(stated + inherited))
            inherited = sparse.csr_array(spread - spread.multiply(pattern))
            inherited.eliminate_zeros()
        parts.append(sparse.csc_array(_where(inherited, inherited.data >= least)))
    whole = sparse.hstack(parts, format="csr") if parts else sparse.csr_array(own.shape)
    return Propagated(own, sparse.csr_array(whole))


def lenders(characteristics: Matrix, w: Transfer, row: int) -> Matrix:
    """(M, K) how much of what ``row`` inherits over two hops each model lent it.

    Column sums equal ``propagate(..., hops=2).inherited[row]``. With S the stated cells and d the
    row of W, model s lends  own_sk (d_s + Σ_j d_j (1 - S_jk) W_js): directly, and through every
    relative j that does not state k itself. W is formed here: for some thousand models at most.
    """
    own: Matrix = sparse.csr_array(characteristics).astype(np.float64)
    stated = sparse.csr_array((np.ones(own.nnz), own.indices, own.indptr), own.shape)
    whole = w.times(sparse.csr_array(sparse.eye_array(own.shape[0])))
    direct = whole[[row], :].toarray().ravel()
    passed_on = whole.T @ direct
    held_back = sparse.csr_array(whole.T @ sparse.diags_array(direct) @ stated)
    lent = sparse.csr_array(sparse.diags_array(direct + passed_on) @ own - own * held_back)
    missing = np.ones(own.shape[1])
    missing[stated[[row], :].indices] = 0.0
    lent = sparse.csr_array(lent @ sparse.diags_array(missing))
    lent.eliminate_zeros()
    return lent


def _blocks(own: Matrix, w: Transfer) -> Iterator[slice]:
    """Columns in runs that reach about ``BLOCK`` cells by way of siblings."""
    once = sparse.csr_array((np.ones(own.nnz), own.indices, own.indptr), own.shape)
    reached = w.families(once)
    members: NDArray[np.float64] = np.asarray(w.group.sum(axis=0)).ravel()
    cells = np.repeat(members, np.diff(reached.indptr))
    fill = np.bincount(reached.indices, cells, minlength=own.shape[1])
    run = np.floor(np.cumsum(fill + np.asarray(once.sum(axis=0)).ravel()) / BLOCK)
    starts = np.flatnonzero(np.diff(run, prepend=-1.0))
    for first, last in itertools.pairwise([*starts, own.shape[1]]):
        yield slice(int(first), int(last))


def _groups(made_from: Matrix, group_pairs: int) -> tuple[Matrix, Matrix, bool]:
    """D, U, and whether they are exact; a model without parents is in no group."""
    of, sets = _by_parents(made_from)
    member = np.flatnonzero(of >= 0)
    _, first = np.unique(of[member], return_index=True)
    parents_of = made_from[member[first]]
    if (np.asarray(parents_of.sum(axis=0)) ** 2).sum() > group_pairs:
        used = np.flatnonzero(made_from.sum(axis=0))
        return made_from[:, used], sparse.csr_array(sparse.eye_array(len(used))), False
    kin = sparse.csr_array(parents_of @ parents_of.T)
    kin.data[:] = 1.0
    return _binary(member, of[member], (len(of), sets)), kin, True


def _by_parents(made_from: Matrix) -> tuple[NDArray[np.int64], int]:
    """(M,) a number for each set of parents, -1 for none; and how many sets there are."""
    count = np.diff(made_from.indptr)
    single, several = np.flatnonzero(count == 1), np.flatnonzero(count > 1)
    of = np.full(made_from.shape[0], -1)
    bases, of[single] = np.unique(made_from.indices[made_from.indptr[single]], return_inverse=True)
    sets: dict[tuple[int, ...], int] = {}
    for i in several.tolist():
        key = tuple(made_from.indices[made_from.indptr[i] : made_from.indptr[i + 1]].tolist())
        of[i] = sets.setdefault(key, len(bases) + len(sets))
    return of, len(bases) + len(sets)


def _linked(
    relation: NDArray[np.uint8],
    child: NDArray[np.int64],
    parent: NDArray[np.int64],
    m: int,
    weights: Mapping[str, Weight],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]:
    """Parent-child pairs, each both ways and once: row, column, largest weight, if it is down."""
    down, up = (np.array([getattr(weights[r], way) for r in RELATIONS]) for way in ("down", "up"))
    key = np.concatenate([child * m + parent, parent * m + child])
    weight = np.concatenate([down[relation], up[relation]])
    order = np.lexsort((weight, key))
    last = np.flatnonzero(np.diff(key[order], append=-1))
    found, strongest = key[order][last], weight[order][last]
    return found // m, found % m, strongest, np.isin(found, key[: len(child)])


def _binary(row: NDArray[np.int64], column: NDArray[np.int64], shape: tuple[int, int]) -> Matrix:
    matrix: Matrix = sparse.csr_array((np.ones(len(row)), (row, column)), shape=shape)
    matrix.data[:] = 1.0
    return matrix


def _rows_times(factor: NDArray[np.float64], x: Matrix) -> Matrix:
    scaled = x.data * np.repeat(factor, np.diff(x.indptr))
    return sparse.csr_array((scaled, x.indices, x.indptr), shape=x.shape)


def _where(x: Matrix, kept: NDArray[np.bool_]) -> Matrix:
    """x without the stored cells that are not ``kept``."""
    indptr = np.concatenate([[0], np.cumsum(kept)])[x.indptr]
    return sparse.csr_array((x.data[kept], x.indices[kept], indptr), shape=x.shape)
