"""Completion: against planted truth, brute force, and everything bad that comes in."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from tools.methods.completion import complete, least_squares
from tools.methods.gaussian_process import Process, posterior_mean, tune


def planted(m=30, b=16, hidden=0.4, noise=0.15, seed=0):
    """Scores that follow ability and ease on a logit scale, with some hidden."""
    rng = np.random.default_rng(seed)
    ability = np.sort(rng.normal(0, 1.2, m))
    z = ability[:, None] + rng.normal(0, 1, b) + rng.normal(0, noise, (m, b))
    truth = 100 * expit(z)
    mask = rng.random((m, b)) < hidden
    return truth, np.where(mask, np.nan, truth), mask, ability


def test_planted_scores_are_found_again_and_covered():
    truth, known, mask, _ = planted()
    done = complete(known, bounds=(0, 100))
    error = np.abs(done.mean - truth)[mask]
    column_means = np.abs(np.nanmean(known, 0) - truth)[mask]
    assert np.median(error) < 0.4 * np.median(column_means)
    covered = ((done.low <= truth) & (truth <= done.high))[mask].mean()
    assert 0.82 <= covered <= 0.97
    assert np.all(done.low <= done.mean)
    assert np.all(done.mean <= done.high)
    assert done.low.min() >= 0
    assert done.high.max() <= 100


def test_known_cells_keep_their_scores():
    _, known, mask, _ = planted()
    done = complete(known)
    for values in (done.mean, done.low, done.high):
        np.testing.assert_array_equal(values[~mask], known[~mask])
    assert done.trusted[~mask].all()


def test_side_information_places_a_model_without_scores():
    truth, known, _, ability = planted()
    known[20] = np.nan
    with_side = complete(known, bounds=(0, 100), models={"release_date": ability})
    without = complete(known, bounds=(0, 100))
    error, plain = (np.abs(d.mean[20] - truth[20]).mean() for d in (with_side, without))
    assert error < 0.6 * plain
    assert not with_side.trusted[20].any()


def test_hidden_values_cannot_matter():
    truth, known, mask, _ = planted()
    again = np.where(mask, np.nan, truth + np.where(mask, 7.0, 0.0))
    np.testing.assert_array_equal(complete(known).mean, complete(again).mean)


def test_an_empty_column_stays_missing_unless_its_scale_is_told():
    _, known, _, _ = planted()
    known[:, 3] = np.nan
    blind = complete(known)
    assert np.isnan(blind.mean[:, 3]).all()
    assert not blind.trusted[:, 3].any()
    told = complete(known, bounds=(0, 100))
    assert np.isfinite(told.mean).all()
    assert not told.trusted[:, 3].any()


@pytest.mark.parametrize("constant", [50.0, 1500.0, 0.0])
def test_a_constant_column_is_predicted_near_its_constant(constant):
    _, known, mask, _ = planted()
    known[:, 2] = np.where(mask[:, 2], np.nan, constant)
    done = complete(known)
    assert np.abs(done.mean[:, 2] - constant).max() < max(10.0, 0.1 * constant)


def test_unbounded_columns_keep_their_units():
    truth, known, mask, ability = planted()
    elo = 1200 + 100 * ability
    known[:, 0] = np.where(mask[:, 0], np.nan, elo)
    done = complete(known)
    assert np.median(np.abs(done.mean[:, 0] - elo)[mask[:, 0]]) < 60


def test_many_cells_take_the_low_rank_road():
    truth, known, mask, _ = planted(120, 60, hidden=0.3)
    assert np.isfinite(known).sum() > 4_000
    done = complete(known, bounds=(0, 100))
    assert np.median(np.abs(done.mean - truth)[mask]) < 4
    assert 0.85 <= ((done.low <= truth) & (truth <= done.high))[mask].mean() <= 0.95


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda s: s[:1], {}, "at least 2 models"),
        (lambda s: s[:, :1], {}, "at least 2 models"),
        (lambda s: np.where(np.arange(s.size).reshape(s.shape) < 5, s, np.nan), {}, "eight"),
        (lambda s: np.where(s == s[0, 0], np.inf, s), {}, "row 0, column 0 is infinite"),
        (lambda s: s, {"bounds": (0, 10)}, "outside the bounds"),
        (lambda s: s, {"bounds": [(0, 100)]}, "1 bounds for 16 columns"),
        (lambda s: s, {"bounds": (100, 0)}, "low < high"),
        (lambda s: s, {"models": {"id": ["a"] * 30}}, "duplicate ids"),
        (lambda s: s, {"models": {"name": ["a"]}}, "'name' has 1 entries, not 30"),
    ],
)
def test_bad_input_is_refused_in_one_line(change, options, message):
    truth, *_ = planted()
    with pytest.raises(ValueError, match=message):
        complete(change(truth), **options)


def test_fractions_among_percentages_are_refused():
    truth, *_ = planted()
    truth[:, 4] = np.where(np.arange(30) % 2, 0.8, 80.0)
    with pytest.raises(ValueError, match="column 4 mixes"):
        complete(truth)


def test_least_squares_equals_ridge_regression_at_its_fixed_point():
    rng = np.random.default_rng(1)
    z = rng.normal(size=(12, 2)) @ rng.normal(size=(2, 9)) + rng.normal(size=12)[:, None]
    z[rng.random(z.shape) < 0.2] = np.nan
    seen = np.isfinite(z)
    exact = least_squares(z, rank=3, ridge=1e-4, starts=1, sweeps=400)
    assert np.abs(exact - z)[seen].max() < 0.05
    mean_only = least_squares(z, rank=1, ridge=1e9)
    np.testing.assert_allclose(mean_only, z[seen].mean(), atol=1e-5)


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
    np.testing.assert_allclose(posterior_mean(process, products, i, j, y).ravel(), wanted)


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
