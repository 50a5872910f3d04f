from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from tools.methods.lineage import (
    SIBLING,
    VARIANT,
    WEIGHTS,
    ancestors,
    fold,
    lenders,
    parents,
    propagate,
    transfer,
)

RELATIONS = sorted(WEIGHTS)


def edges_among(n: int) -> st.SearchStrategy[list[tuple[int, int, str]]]:
    node = st.integers(0, n - 1)
    return st.lists(st.tuples(node, node, st.sampled_from(RELATIONS)), max_size=2 * n)


def dense_transfer(m: int, edges: list[tuple[int, int, str]]) -> np.ndarray:
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


@settings(max_examples=60, deadline=None)
@given(edges=edges_among(7))
def test_transfer_equals_brute_force(edges: list[tuple[int, int, str]]) -> None:
    np.testing.assert_allclose(transfer(7, edges).toarray(), dense_transfer(7, edges), atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(edges=edges_among(6), hops=st.integers(0, 3), seed=st.integers(0, 10_000))
def test_propagation_equals_brute_force(
    edges: list[tuple[int, int, str]], hops: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    stated = rng.random((6, 4)) < 0.3
    values = np.where(stated, rng.uniform(0.1, 1.0, (6, 4)), 0.0)
    w, now = dense_transfer(6, edges), values.copy()
    for _ in range(hops):
        now = np.where(stated, values, w @ now)
    result = propagate(sparse.csr_array(values), edges, hops=hops)
    np.testing.assert_allclose(result.own.toarray(), values)
    np.testing.assert_allclose(result.inherited.toarray(), np.where(stated, 0.0, now), atol=1e-12)


def test_own_and_inherited_never_share_a_cell_even_at_zero() -> None:
    stated_zero = sparse.csr_array((np.array([1.0, 0.0]), ([0, 1], [0, 0])), shape=(3, 1))
    result = propagate(stated_zero, [(1, 0, "finetune"), (2, 0, "finetune")])
    assert result.inherited[1, 0] == 0.0  # stated as zero, so not overwritten by its parent's one
    assert result.inherited[2, 0] > 0.0
    assert result.own.nnz == 2


def test_a_sibling_lends_more_than_a_parent() -> None:
    w = transfer(3, [(1, 0, "finetune"), (2, 0, "finetune")])
    assert w[1, 2] > w[1, 0] > 0


def test_nothing_reaches_an_unrelated_model() -> None:
    own = sparse.csr_array(([1.0], ([0], [0])), shape=(3, 1))
    result = propagate(own, [(1, 0, "quantized")], hops=5)
    assert result.inherited[1, 0] == pytest.approx(1.0)
    assert result.inherited[2, 0] == 0.0


@settings(max_examples=80, deadline=None)
@given(edges=edges_among(8))
def test_ancestors_equal_the_transitive_closure(edges: list[tuple[int, int, str]]) -> None:
    named = [(str(c), str(p), r) for c, p, r in edges]
    reach = {(c, p) for c, p, _ in named if c != p}
    for middle in map(str, range(8)):
        reach |= {(a, d) for a, b in reach for c, d in reach if b == c == middle}
    graph = parents(named)
    for node in map(str, range(8)):
        found = ancestors(node, graph)
        assert len(found) == len(set(found))
        assert set(found) == {p for c, p in reach if c == node and p != node}


def test_ancestors_are_nearest_first_and_may_be_unlisted() -> None:
    graph = parents([("c", "b", "finetune"), ("b", "a", "finetune"), ("c", "d", "merge")])
    assert ancestors("c", graph) == ["b", "d", "a"]


@pytest.mark.parametrize(
    ("edges", "ids", "roots"),
    [
        ([("q", "m", "quantized")], "qm", {"q": "m", "m": "m"}),
        ([("f", "m", "finetune")], "fm", {"f": "f", "m": "m"}),
        ([("q", "x", "quantized")], "q", {"q": "q"}),  # parent absent
        ([("q", "x", "mirror"), ("x", "m", "quantized")], "qm", {"q": "m", "m": "m"}),  # through it
        ([("q", "m", "quantized"), ("m", "x", "mirror")], "qm", {"q": "m", "m": "m"}),
        ([("q", "f", "quantized"), ("f", "m", "finetune")], "qfm", {"q": "f", "f": "f", "m": "m"}),
        ([("a", "b", "mirror"), ("b", "a", "mirror")], "ab", {"a": "a", "b": "a"}),  # cycle
        (
            [("c", "b", "mirror"), ("b", "a", "mirror"), ("a", "b", "mirror")], "cb",
            {"c": "b", "b": "b"},
        ),
        ([("a", "a", "mirror")], "a", {"a": "a"}),  # self-loop
    ],
)  # fmt: skip
def test_fold(edges: list[tuple[str, str, str]], ids: str, roots: dict[str, str]) -> None:
    assert fold(list(ids), parents(edges)) == roots


@settings(max_examples=80, deadline=None)
@given(edges=edges_among(8), present=st.sets(st.integers(0, 7), min_size=1))
def test_fold_gives_present_roots_that_fold_to_themselves(
    edges: list[tuple[int, int, str]], present: set[int]
) -> None:
    named = [(str(c), str(p), r) for c, p, r in edges]
    ids = sorted(map(str, present))
    roots = fold(ids, parents(named))
    assert list(roots) == ids
    assert all(roots[root] == root for root in roots.values())
    variants = {c for c, p, r in named if r in VARIANT and c != p}
    assert all(roots[id] == id for id in ids if id not in variants)


def test_lenders_add_up_to_what_is_inherited() -> None:
    rng = np.random.default_rng(3)
    kinds = ("quantized", "adapter", "finetune", "merge", "mirror")
    for _ in range(20):
        pairs = rng.integers(12, size=(16, 2)).tolist()
        edges = [(c, p, kinds[rng.integers(len(kinds))]) for c, p in pairs]
        own = sparse.csr_array(rng.random((12, 5)) * (rng.random((12, 5)) < 0.3))
        spread = propagate(own, edges).inherited.toarray()
        for row in range(12):
            lent = lenders(own, edges, row).toarray()
            assert lent.sum(axis=0) == pytest.approx(spread[row])
            assert not lent[own.toarray() == 0].any()  # only who states it lends it
            assert lent.min() >= -1e-12
