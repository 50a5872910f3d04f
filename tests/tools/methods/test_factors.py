"""Factors with uncertainty: planted factors, honest deviations, and neighbours."""

from __future__ import annotations

import numpy as np
import pytest

from tools.methods import factors
from tools.methods.factors import factorized, with_neighbours


def planted(m=80, b=40, hidden=0.7, noise=0.3, seed=0):
    """Biases and two factors, noise told; most cells hidden."""
    rng = np.random.default_rng(seed)
    clean = rng.normal(size=(m, 1)) + rng.normal(size=b)
    clean += rng.normal(size=(m, 2)) @ rng.normal(size=(2, b))
    mask = rng.random((m, b)) < hidden
    return clean, np.where(mask, np.nan, clean + rng.normal(0, noise, (m, b))), mask


def test_planted_factors_are_found_again():
    clean, part, mask = planted()
    mean, _ = factorized(part, 4, starts=2)
    plain = np.abs(np.nanmean(part, 0) - clean)[mask]
    assert np.median(np.abs(mean - clean)[mask]) < 0.3 * np.median(plain)


def test_the_posterior_deviation_tells_the_error_and_grows_where_little_is_known():
    clean, part, mask = planted(hidden=0.5)
    part[3, 2:] = np.nan
    mean, deviation = factorized(part, 2, starts=1)
    ratio = ((mean - clean) / deviation)[mask]
    assert 0.5 < np.sqrt(np.mean(ratio**2)) < 2.0
    assert np.median(deviation[3]) > 2 * np.median(deviation[4])


def test_a_row_without_scores_is_what_is_usual():
    _, part, _ = planted(hidden=0.3)
    part[5] = np.nan
    mean, _ = factorized(part, 2, starts=1)
    assert np.corrcoef(mean[5], np.nanmean(part, 0))[0, 1] > 0.8


def test_neighbours_bring_back_what_a_copy_shows():
    rng = np.random.default_rng(1)
    truth = rng.normal(size=(30, 60))
    truth[1] = truth[0]
    part = truth.copy()
    part[1, 40:] = np.nan
    found = with_neighbours(part, np.zeros(truth.shape))
    assert np.corrcoef(found[1, 40:], truth[1, 40:])[0, 1] > 0.9


def test_neighbours_are_columns_where_rows_are_too_many(monkeypatch):
    rng = np.random.default_rng(2)
    truth = rng.normal(size=(60, 30))
    truth[:, 1] = truth[:, 0]
    part = truth.copy()
    part[40:, 1] = np.nan
    monkeypatch.setattr(factors, "MOST_NEIGHBOURS", 40)
    found = with_neighbours(part, np.zeros(truth.shape))
    assert np.corrcoef(found[40:, 1], truth[40:, 1])[0, 1] > 0.9
    monkeypatch.setattr(factors, "MOST_NEIGHBOURS", 20)
    assert not with_neighbours(part, np.zeros(truth.shape)).any()


@pytest.mark.parametrize("rank", [1, 6])
def test_a_rank_too_high_or_low_still_beats_column_means(rank):
    clean, part, mask = planted(hidden=0.8)
    mean, _ = factorized(part, rank, starts=2)
    plain = np.abs(np.nanmean(part, 0) - clean)[mask]
    assert np.median(np.abs(mean - clean)[mask]) < 0.8 * np.median(plain)
