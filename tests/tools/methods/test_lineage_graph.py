"""The whole graph at once gives what walking from each model gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.methods.lineage import VARIANT, ancestors, parents
from tools.methods.lineage_graph import NONE, RELATIONS, Edges, fold, from_all_above, nearest_above

Triples = list[tuple[int, int, str]]


def edges_among(n: int) -> st.SearchStrategy[Triples]:
    node = st.integers(0, n - 1)
    return st.lists(st.tuples(node, node, st.sampled_from(RELATIONS)), max_size=2 * n)


def edges(m: int, triples: Triples) -> Edges:
    """Edges of models below ``m``; only their parents may be any other number."""
    told = [t for t in triples if t[0] < m]
    child, parent = (np.array([t[k] for t in told], dtype=np.int64) for k in (0, 1))
    codes = np.array([RELATIONS.index(t[2]) for t in told], dtype=np.uint8)
    return Edges.of(m, child, parent, codes, nodes=9)


def folded(triples: Triples, ids: str) -> dict[str, str]:
    return {ids[i]: ids[r] for i, r in enumerate(fold(ids, edges(len(ids), triples)))}


@pytest.mark.parametrize(
    ("triples", "ids", "roots"),
    [
        ([(1, 0, "quantized")], "mq", {"q": "m", "m": "m"}),
        ([(1, 0, "finetune")], "mf", {"f": "f", "m": "m"}),
        ([(0, 1, "quantized")], "q", {"q": "q"}),  # parent absent
        ([(1, 0, "quantized"), (0, 2, "mirror")], "mq", {"q": "m", "m": "m"}),
        ([(2, 1, "quantized"), (1, 0, "finetune")], "mfq", {"q": "f", "f": "f", "m": "m"}),
        ([(0, 1, "mirror"), (1, 0, "mirror")], "ab", {"a": "a", "b": "a"}),  # cycle
        ([(0, 1, "mirror"), (1, 0, "mirror")], "ba", {"a": "a", "b": "a"}),
        ([(2, 1, "mirror"), (1, 0, "mirror"), (0, 1, "mirror")], "bac",
         {"a": "a", "b": "a", "c": "a"}),
        ([(0, 0, "mirror")], "a", {"a": "a"}),  # self-loop
        ([(2, 0, "quantized"), (2, 1, "mirror")], "abq", {"a": "a", "b": "b", "q": "a"}),
    ],
)  # fmt: skip
def test_fold(triples: Triples, ids: str, roots: dict[str, str]) -> None:
    assert folded(triples, ids) == roots


@settings(max_examples=200, deadline=None)
@given(triples=edges_among(9), ids=st.permutations("abcdefg"))
def test_fold_equals_walking(triples: Triples, ids: list[str]) -> None:
    above: dict[int, int] = {}
    for child, parent, how in triples:
        if how in VARIANT and child != parent and child < 7:
            above.setdefault(child, parent)
    found = fold(ids, edges(7, triples))
    for start in range(7):
        path = [start]
        while (parent := above.get(path[-1], 99)) < 7 and parent not in path:
            path.append(parent)
        cycle = path[path.index(parent) :] if parent in path else path[-1:]
        assert ids[found[start]] == min(ids[i] for i in cycle)
        assert found[found[start]] == found[start]


@settings(max_examples=200, deadline=None)
@given(triples=edges_among(9), stated=st.sets(st.integers(0, 8)))
def test_nearest_and_union_equal_walking(triples: Triples, stated: set[int]) -> None:
    whole = edges(7, triples)
    graph = parents((str(c), str(p), r) for c, p, r in triples if c < 7)
    states = np.isin(np.arange(9), list(stated))
    nearest = nearest_above(states, whole)
    bits = np.where(states, 1 << np.arange(9), 0).astype(np.uint16)
    gathered = from_all_above(bits, whole)
    for i in range(7):
        line = [i, *map(int, ancestors(str(i), graph))]
        assert nearest[i] == next((k for k in line if k in stated), NONE)
        assert gathered[i] == sum(1 << k for k in set(line) & stated)


def test_a_chain_of_a_hundred_thousand_copies_folds_at_once() -> None:
    n = 100_000
    chain = Edges.of(n, np.arange(1, n), np.arange(n - 1), np.zeros(n - 1, np.uint8))
    assert not fold([""] * n, chain).any()
