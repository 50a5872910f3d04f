from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tools.methods.lineage import WEIGHTS, ancestors, parents

RELATIONS = sorted(WEIGHTS)


def edges_among(n: int) -> st.SearchStrategy[list[tuple[int, int, str]]]:
    node = st.integers(0, n - 1)
    return st.lists(st.tuples(node, node, st.sampled_from(RELATIONS)), max_size=2 * n)


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
