"""Error scale: planted spreads are found again and the stated share of errors is covered."""

from __future__ import annotations

import numpy as np

from tools.methods.error_scale import ErrorScale

SHAPE = (60, 40)


def planted(seed):
    """Laplace errors whose log scale is a signal plus column effects."""
    rng = np.random.default_rng(seed)
    signal = rng.normal(0, 0.7, SHAPE)
    column = np.linspace(-1, 1, SHAPE[1])
    return signal, rng.laplace(0, np.exp(signal + column))


def fitted():
    signal, error = planted(0)
    cells = np.nonzero(np.random.default_rng(1).random(SHAPE) < 0.5)
    told = signal[cells][:, None]
    return signal, ErrorScale.fit(np.abs(error[cells]), told, cells, SHAPE, 0.9)


def test_new_errors_are_covered_at_the_level_on_easy_and_hard_columns():
    signal, scale = fitted()
    half = scale.half_width([signal])
    fresh = np.random.default_rng(2).laplace(0, np.exp(signal + np.linspace(-1, 1, SHAPE[1])))
    covered = np.abs(fresh) <= half
    assert 0.87 < covered.mean() < 0.93
    assert 0.84 < covered[:, :10].mean() < 0.96
    assert 0.84 < covered[:, -10:].mean() < 0.96


def test_the_slope_and_the_column_effects_are_found():
    signal, scale = fitted()
    assert 0.8 < scale.slopes[1] < 1.2
    assert np.corrcoef(scale.columns, np.linspace(-1, 1, SHAPE[1]))[0, 1] > 0.9
    wide, narrow = scale.half_width([signal + 1]), scale.half_width([signal])
    np.testing.assert_allclose(wide / narrow, np.exp(scale.slopes[1]))


def test_errors_that_are_all_zero_give_a_finite_width():
    cells = np.nonzero(np.ones((4, 5), dtype=bool))
    scale = ErrorScale.fit(np.zeros(20), np.zeros((20, 1)), cells, (4, 5), 0.9)
    assert np.isfinite(scale.half_width([np.zeros((1, 1))])).all()
