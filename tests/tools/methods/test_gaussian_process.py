"""Gaussian process over cells: the textbook formulas, and what tuning finds."""

from __future__ import annotations

import numpy as np
import pytest

from tools.methods.gaussian_process import Posterior, Process, tune, uneven_noise


def test_posterior_mean_equals_the_textbook_formula():
    rng = np.random.default_rng(2)
    r, c = (a @ a.T for a in (rng.normal(size=(5, 5)), rng.normal(size=(4, 4))))
    cells = rng.permutation(20)[:11]
    i, j = np.divmod(cells, 4)
    y = rng.normal(size=11)
    process = Process(np.array([0.7, 0.4]), 0.3)
    products = [(r, c), (np.eye(5), np.ones((4, 4)))]
    full = 0.7 * np.kron(r, c) + 0.4 * np.kron(np.eye(5), np.ones((4, 4)))
    noisy = full[np.ix_(cells, cells)] + (0.3 + 1e-6 * (1 + 0.7 + 0.4)) * np.eye(11)
    wanted = full[:, cells] @ np.linalg.solve(noisy, y)
    np.testing.assert_allclose(Posterior(process, products, i, j, y).mean().ravel(), wanted)


def test_leave_one_out_residuals_equal_those_of_leaving_one_out():
    rng = np.random.default_rng(4)
    r, c = (a @ a.T for a in (rng.normal(size=(5, 5)), rng.normal(size=(4, 4))))
    cells = rng.permutation(20)[:11]
    i, j = np.divmod(cells, 4)
    y = rng.normal(size=11)
    noise = rng.uniform(0.1, 1, 11)
    process, products = Process(np.array([0.7]), 0.3), [(r, c)]
    found = Posterior(process, products, i, j, y, noise).left_out()
    for k in range(11):
        rest = np.arange(11) != k
        without = Posterior(process, products, i[rest], j[rest], y[rest], noise[rest]).mean()
        assert found[k] == pytest.approx(y[k] - without[i[k], j[k]])


def test_an_erratic_column_gets_more_noise_and_the_mean_stays():
    i, j = np.divmod(np.arange(400), 10)
    left_out = np.random.default_rng(6).normal(size=400) * np.where(j == 3, 5.0, 1.0)
    noise = uneven_noise(Process(np.ones(1), 0.2), left_out, i, j, (40, 10))
    assert noise[:, 3].mean() > 5 * noise[:, 4].mean()
    assert noise[i, j].mean() == pytest.approx(0.2)


def test_a_process_without_weights_predicts_its_centre():
    process, nothing = Process(np.zeros(1), 0.3), [(np.eye(3), np.eye(2))]
    at = np.array([0, 1])
    assert not Posterior(process, nothing, at, at, np.ones(2)).mean().any()


def test_tuning_finds_which_kernel_made_the_values():
    rng = np.random.default_rng(3)
    place = np.arange(40.0)
    near = np.exp(-0.5 * ((place[:, None] - place) / 4) ** 2)
    wrong = near[rng.permutation(40)][:, rng.permutation(40)]
    wrong = wrong @ wrong.T / 10
    one = np.ones((3, 3))
    drawn = np.linalg.cholesky(near + 1e-8 * np.eye(40)) @ rng.normal(size=40)
    i, j = np.divmod(np.arange(120), 3)
    process = tune([(near, one), (wrong, one)], i, j, drawn[i] + rng.normal(0, 0.1, 120))
    assert process.weights[0] > 3 * process.weights[1]
    assert process.noise == pytest.approx(0.01, rel=1.0)
