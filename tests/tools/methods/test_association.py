import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from scipy.stats import chi2_contingency

from tools.methods.association import cooccurrences, g2, indicators


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ((1, 0, 0, 1), 2.7726),
        ((10, 0, 0, 10), 27.7259),
        ((5, 1995, 0, 100_000), 39.33),
        ((1000, 1995, 1000, 100_000), 4730.74),
    ],
)
def test_g2_of_dunnings_tables(table, expected):
    digits = len(str(expected).split(".")[1])
    assert round(float(g2(*table)), digits) == expected


@given(st.lists(st.integers(1, 10_000), min_size=4, max_size=4))
def test_g2_is_the_log_likelihood_ratio_statistic(table):
    reference = chi2_contingency(
        np.reshape(table, (2, 2)), correction=False, lambda_="log-likelihood"
    ).statistic
    assert float(g2(*table)) == pytest.approx(reference, rel=1e-6, abs=1e-8)


@given(st.lists(st.integers(0, 1000), min_size=4, max_size=4))
def test_g2_is_symmetric_and_never_negative(table):
    a, b, c, d = table
    assert g2(a, b, c, d) >= 0
    assert float(g2(a, b, c, d)) == pytest.approx(float(g2(a, c, b, d)))


def test_independence_and_an_empty_table_give_zero():
    assert float(g2(10, 20, 30, 60)) == pytest.approx(0.0, abs=1e-9)
    assert float(g2(0, 0, 0, 0)) == 0.0


def random_characteristics(models=300, labels=25, seed=0):
    rng = np.random.default_rng(seed)
    dense = rng.random((models, labels)) < rng.uniform(0.02, 0.5, labels)
    dense[:, 1] = dense[:, 0] & (rng.random(models) < 0.8)  # together on purpose
    dense[:, 3] = ~dense[:, 2]  # never together
    return dense


def test_cooccurrences_against_counting_by_hand():
    dense = random_characteristics()
    found = cooccurrences(sparse.csr_array(dense.astype(float)), surprising=3.84).toarray()
    for i in range(dense.shape[1]):
        for j in range(dense.shape[1]):
            a, b = dense[:, i], dense[:, j]
            table = (a & b).sum(), (a & ~b).sum(), (~a & b).sum(), (~a & ~b).sum()
            score, attract = float(g2(*table)), a.mean() * b.mean() < (a & b).mean()
            expected = score if i != j and attract and score >= 3.84 else 0.0
            assert found[i, j] == pytest.approx(expected)
    assert found[0, 1] > 0
    assert found[2, 3] == 0  # they exclude each other: a huge G² that is no attraction


def test_weights_do_not_count_only_presence_does():
    dense = random_characteristics()
    weighted = sparse.csr_array(dense * 0.3)
    assert (indicators(weighted) != indicators(sparse.csr_array(dense * 1.0))).nnz == 0


def test_indicators_keep_the_strongest_and_are_shares():
    dense = random_characteristics()
    matrix = sparse.csr_array(dense.astype(float))
    every = indicators(matrix, top=99, surprising=1.0, telling=0.0).toarray()
    best = indicators(matrix, top=2, surprising=1.0, telling=0.0).toarray()
    assert (np.count_nonzero(best, axis=1) <= 2).all()
    for all_of_row, kept in zip(every, best, strict=True):
        assert sorted(kept[kept > 0]) == sorted(
            np.sort(all_of_row)[-2:][np.sort(all_of_row)[-2:] > 0]
        )
    assert every.max() <= 1.0
    assert (indicators(matrix, telling=0.3).data >= 0.3).all()


def test_a_characteristic_tells_everything_about_its_twin():
    twins = np.zeros((100, 3))
    twins[:40, :2] = 1
    twins[::3, 2] = 1
    found = indicators(sparse.csr_array(twins)).toarray()
    assert found[0, 1] == pytest.approx(1.0)
    assert found[1, 0] == pytest.approx(1.0)


def test_no_characteristics_and_ubiquitous_ones():
    assert indicators(sparse.csr_array((10, 4))).nnz == 0
    assert indicators(sparse.csr_array(np.ones((10, 2)))).nnz == 0


def test_a_registry_of_ten_thousand_takes_seconds():
    rng = np.random.default_rng(0)
    popularity = 1 / np.arange(1, 3001)
    rows = np.repeat(np.arange(10_000), 15)
    columns = rng.choice(3000, rows.size, p=popularity / popularity.sum())
    matrix = sparse.csr_array((np.ones(rows.size), (rows, columns)), shape=(10_000, 3000))
    started = time.perf_counter()
    indicators(matrix)
    assert time.perf_counter() - started < 10
