"""Least squares: its fixed point, and columns on one footing."""

from __future__ import annotations

import numpy as np

from tools.methods.least_squares import least_squares, spreads, standardised


def test_least_squares_equals_ridge_regression_at_its_fixed_point():
    rng = np.random.default_rng(1)
    z = rng.normal(size=(12, 2)) @ rng.normal(size=(2, 9)) + rng.normal(size=12)[:, None]
    z[rng.random(z.shape) < 0.2] = np.nan
    seen = np.isfinite(z)
    exact = least_squares(z, rank=3, ridge=1e-4, starts=1, sweeps=400)
    assert np.abs(exact - z)[seen].max() < 0.05
    mean_only = least_squares(z, rank=1, ridge=1e9)
    np.testing.assert_allclose(mean_only, z[seen].mean(), atol=1e-5)


def test_standardising_undoes_the_spread_of_columns():
    rng = np.random.default_rng(4)
    z = rng.normal(size=(40, 1)) + rng.normal(0, 0.1, (40, 8))
    hidden = rng.random(z.shape) < 0.3
    unit = np.linspace(1, 4, 8)
    part = np.where(hidden, np.nan, z * unit)
    away = np.abs(standardised(part, 1, 0.1, starts=1) / unit - z)
    assert np.median(away[hidden]) < 0.25


def test_spreads_of_many_scores_are_standard_deviations_and_of_few_are_usual():
    rng = np.random.default_rng(5)
    z = rng.normal(size=(4_000, 5)) * np.array([1.0, 2.0, 3.0, 2.0, 2.0])
    z[2:, 4] = np.nan
    z[:2, 4] = [0.0, 1e-6]
    found = spreads(z)
    np.testing.assert_allclose(found[:3], np.nanstd(z, 0)[:3], rtol=0.02)
    assert 1 < found[4] < 3
