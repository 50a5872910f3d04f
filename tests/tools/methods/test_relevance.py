import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from tools.methods.relevance import best_matches, rarity, relevance


def brute_force(cosine, c, a, facets, n, threshold, damping):
    """The docstring's formula, one number at a time."""
    m, k = c.shape
    frequency = c.sum(axis=0)
    r = [np.log1p(m / max(f, 1)) / np.log1p(m) if f > 0 else 0.0 for f in frequency]
    order = sorted(range(k), key=lambda i: (-cosine[i], i))[:n]
    matched = [i for i in order if cosine[i] >= threshold]
    w = [0.0] * k
    for label in range(k):
        if label in matched:
            w[label] = cosine[label] * r[label]
        else:
            lent = [cosine[i] * a[i, label] / max(1, a[i].sum()) for i in matched]
            w[label] = damping * max(lent, default=0.0) * r[label]
    full = sum(
        max((w[i] for i in matched if facets[i] == f), default=0.0) for f in set(facets.tolist())
    )
    if full == 0:
        return np.zeros(m)
    return np.array([min(1.0, sum(w[j] * c[i, j] for j in range(k)) / full) for i in range(m)])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000))
def test_sigma_against_the_formula(seed):
    rng = np.random.default_rng(seed)
    m, k = rng.integers(1, 12), rng.integers(1, 10)
    c = np.where(rng.random((m, k)) < 0.4, rng.choice([1.0, 0.5, 0.1], (m, k)), 0.0)
    a = np.where(rng.random((k, k)) < 0.4, rng.random((k, k)), 0.0)
    np.fill_diagonal(a, 0)
    cosine = rng.uniform(-0.2, 1.0, k)
    facets = rng.integers(0, 3, k)
    got = relevance(
        cosine,
        sparse.csc_array(c),
        sparse.csr_array(a),
        facets,
        matches=4,
        threshold=0.3,
        damping=0.4,
    )
    np.testing.assert_allclose(
        got.sigma, brute_force(cosine, c, a, facets, 4, 0.3, 0.4), atol=1e-12
    )


def case(**changes):
    values = {
        "cosine": np.array([0.7, 0.1, 0.0]),
        "index": sparse.csc_array(np.array([[1, 0, 0], [0.5, 0, 0], [0, 1, 0], [0, 0, 1.0]])),
        "indicators": sparse.csr_array(np.array([[0, 0.6, 0], [0, 0, 0], [0, 0, 0]])),
        "facets": np.array([0, 1, 2]),
    } | changes
    return relevance(**values)


def test_own_beats_inherited_beats_expansion_beats_nothing():
    sigma = case().sigma
    assert sigma[0] == 1.0
    assert sigma[0] > sigma[1] > sigma[2] > sigma[3] == 0.0


def test_expansion_names_what_brought_it():
    assert case().expanded == {1: 0}
    assert case().matched.tolist() == [0]


def test_nothing_matches_and_everything_is_zero():
    result = case(cosine=np.array([0.1, 0.1, 0.0]))
    assert result.matched.size == 0
    assert not result.sigma.any()
    assert not result.weights.any()


def test_a_crowd_of_indicators_cannot_outweigh_the_match_itself():
    k = 9
    told = np.zeros((k, k))
    told[0, 1:] = 1.0
    rows = np.zeros((2, k))
    rows[0, 0], rows[1, 1:] = 1.0, 1.0
    result = case(
        cosine=np.array([0.7] + [0.0] * (k - 1)),
        index=sparse.csc_array(rows),
        indicators=sparse.csr_array(told),
        facets=np.zeros(k, dtype=np.int64),
    )
    assert result.sigma[1] == pytest.approx(0.5)  # the damping, however many indicators


def test_synonyms_of_one_facet_need_not_all_be_there():
    rows = np.array([[1, 0], [0, 1.0], [1, 1]])
    synonyms = case(
        cosine=np.array([0.6, 0.6]),
        index=sparse.csc_array(rows),
        indicators=sparse.csr_array((2, 2)),
        facets=np.array([0, 0]),
    )
    apart = case(
        cosine=np.array([0.6, 0.6]),
        index=sparse.csc_array(rows),
        indicators=sparse.csr_array((2, 2)),
        facets=np.array([0, 1]),
    )
    assert synonyms.sigma.tolist() == [1.0, 1.0, 1.0]
    assert apart.sigma.tolist() == pytest.approx([0.5, 0.5, 1.0])


def test_rarity_falls_with_frequency_and_is_zero_for_none():
    columns = np.zeros((100, 4))
    columns[:1, 0], columns[:10, 1], columns[:, 2] = 1, 1, 1
    rare, some, ubiquitous, absent = rarity(sparse.csc_array(columns))
    assert rare == pytest.approx(1.0)
    assert rare > some > ubiquitous > 0
    assert absent == 0


def test_best_matches_are_ordered_cut_and_above_the_threshold():
    cosine = np.array([0.2, 0.9, 0.5, 0.6])
    assert best_matches(cosine, n=2, threshold=0.3).tolist() == [1, 3]
    assert best_matches(cosine, n=9, threshold=0.55).tolist() == [1, 3]
    assert best_matches(np.array([]), n=3).size == 0
