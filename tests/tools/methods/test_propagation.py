"""Propagation in factors equals propagation by the full matrix W, worked out pair by pair."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from tools.methods import propagation
from tools.methods.lineage import SIBLING, WEIGHTS
from tools.methods.lineage_graph import RELATIONS, Edges
from tools.methods.propagation import Transfer, lenders, propagate

Triples = list[tuple[int, int, str]]


def edges_among(n: int) -> st.SearchStrategy[Triples]:
    node = st.integers(0, n - 1)
    return st.lists(st.tuples(node, node, st.sampled_from(RELATIONS)), max_size=2 * n)


def edges(m: int, triples: Triples) -> Edges:
    child, parent, how = (np.array([t[k] for t in triples], dtype=object) for k in range(3))
    codes = np.array([RELATIONS.index(one) for one in how], dtype=np.uint8)
    return Edges.of(m, child.astype(np.int64), parent.astype(np.int64), codes)


def dense_transfer(m: int, edges: Triples) -> np.ndarray:
    w = np.zeros((m, m))
    for i in range(m):
        for j in range(m):
            if i == j:
                continue
            ways = [WEIGHTS[r].down for c, p, r in edges if (c, p) == (i, j)]
            ways += [WEIGHTS[r].up for c, p, r in edges if (c, p) == (j, i)]
            ours = {p for c, p, _ in edges if c == i and p != i}
            theirs = {p for c, p, _ in edges if c == j and p != j}
            if ours & theirs:
                ways.append(SIBLING)
            w[i, j] = max(ways, default=0.0)
        if w[i].sum() > 0:
            w[i] /= w[i].sum()
    return w


def transferred(m: int, triples: Triples, **more: int) -> np.ndarray:
    return Transfer.of(edges(m, triples), **more).times(sparse.csr_array(np.eye(m))).toarray()


@settings(max_examples=100, deadline=None)
@given(triples=edges_among(7))
def test_the_factors_multiply_to_the_matrix_of_pairs(triples: Triples) -> None:
    np.testing.assert_allclose(transferred(7, triples), dense_transfer(7, triples), atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(triples=edges_among(6), hops=st.integers(0, 3), seed=st.integers(0, 10_000))
def test_propagation_equals_brute_force(triples: Triples, hops: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    stated = rng.random((6, 4)) < 0.3
    values = np.where(stated, rng.uniform(0.1, 1.0, (6, 4)), 0.0)
    w, now = dense_transfer(6, triples), values.copy()
    for _ in range(hops):
        now = np.where(stated, values, w @ now)
    result = propagate(sparse.csr_array(values), Transfer.of(edges(6, triples)), hops=hops)
    np.testing.assert_allclose(result.own.toarray(), values)
    np.testing.assert_allclose(result.inherited.toarray(), np.where(stated, 0.0, now), atol=1e-12)


def test_blocks_of_columns_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    triples = [(int(c), int(c * rng.random()), "finetune") for c in range(1, 60)]
    values = sparse.csr_array(np.where(rng.random((60, 40)) < 0.1, 1.0, 0.0))
    w = Transfer.of(edges(60, triples))
    whole = propagate(values, w).inherited.toarray()
    monkeypatch.setattr(propagation, "BLOCK", 50)
    np.testing.assert_allclose(propagate(values, w).inherited.toarray(), whole, atol=1e-15)


def test_own_and_inherited_never_share_a_cell_even_at_zero() -> None:
    stated_zero = sparse.csr_array((np.array([1.0, 0.0]), ([0, 1], [0, 0])), shape=(3, 1))
    w = Transfer.of(edges(3, [(1, 0, "finetune"), (2, 0, "finetune")]))
    result = propagate(stated_zero, w)
    assert result.inherited[1, 0] == 0.0  # stated as zero, so not overwritten by its parent's one
    assert result.inherited[2, 0] > 0.0
    assert result.own.nnz == 2


def test_a_sibling_lends_more_than_a_parent() -> None:
    w = transferred(3, [(1, 0, "finetune"), (2, 0, "finetune")])
    assert w[1, 2] > w[1, 0] > 0


def test_nothing_reaches_an_unrelated_model() -> None:
    own = sparse.csr_array(([1.0], ([0], [0])), shape=(3, 1))
    result = propagate(own, Transfer.of(edges(3, [(1, 0, "quantized")])), hops=5)
    assert result.inherited[1, 0] == pytest.approx(1.0)
    assert result.inherited[2, 0] == 0.0


def test_models_without_relatives_or_labels() -> None:
    w = Transfer.of(edges(3, []))
    assert propagate(sparse.csr_array(np.eye(3)), w).inherited.nnz == 0
    assert propagate(sparse.csr_array((3, 0)), w).inherited.shape == (3, 0)


def test_a_large_family_forgets_only_what_is_faint() -> None:
    """3,000 children: what a third has arrives, a parent or a single sibling does not."""
    n = 3001
    family = edges(n, [(i, 0, "finetune") for i in range(1, n)])
    rows = [0, 1, *range(1, n, 3)]
    columns = [0, 1, *[2] * len(range(1, n, 3))]
    own = sparse.csr_array((np.ones(len(rows)), (rows, columns)), shape=(n, 3))
    found = propagate(own, Transfer.of(family), hops=1).inherited.toarray()
    share = SIBLING * 1000 / (SIBLING * 2999 + WEIGHTS["finetune"].down)
    np.testing.assert_allclose(found[2, 2], share, rtol=1e-3)
    assert not found[1:, :2].any()
    np.testing.assert_allclose(found[0, 2], 1 / 3)  # the parent has it from its children
    np.testing.assert_allclose(found[0, 1], 1 / 3000)


def test_too_many_merges_count_siblings_once_a_parent() -> None:
    """Exact while groups are few; beyond, sharing two parents weighs twice."""
    triples = [(2, 0, "merge"), (2, 1, "merge"), (3, 0, "merge"), (3, 1, "merge"),
               (4, 0, "merge")]  # fmt: skip
    exact, counted = transferred(5, triples), transferred(5, triples, group_pairs=0)
    np.testing.assert_allclose(exact, dense_transfer(5, triples), atol=1e-12)
    assert counted[2, 3] / counted[2, 4] == pytest.approx(2 * exact[2, 3] / exact[2, 4])
    np.testing.assert_allclose(counted.sum(axis=1), exact.sum(axis=1))


def test_lenders_add_up_to_what_is_inherited() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        pairs = rng.integers(12, size=(16, 2)).tolist()
        w = Transfer.of(edges(12, [(c, p, str(rng.choice(RELATIONS))) for c, p in pairs]))
        own = sparse.csr_array(rng.random((12, 5)) * (rng.random((12, 5)) < 0.3))
        spread = propagate(own, w).inherited.toarray()
        for row in range(12):
            lent = lenders(own, w, row).toarray()
            assert lent.sum(axis=0) == pytest.approx(spread[row])
            assert not lent[own.toarray() == 0].any()  # only who states it lends it
            assert lent.min() >= -1e-12
