"""Completion: against planted truth, brute force, and everything bad that comes in."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from tools.methods.completion import complete


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


def test_a_wild_benchmark_gets_wider_intervals():
    truth, known, mask, _ = planted(40, 16)
    wild = np.clip(truth + np.random.default_rng(5).normal(0, 25, truth.shape), 0, 100)
    known[:, :4] = np.where(mask, np.nan, wild)[:, :4]
    done = complete(known, bounds=(0, 100))
    width = np.where(mask, done.high - done.low, np.nan)
    assert np.nanmedian(width[:, :4]) > 1.5 * np.nanmedian(width[:, 4:])


def test_trusted_cells_are_predicted_better():
    truth, known, mask, _ = planted(40, 20, hidden=0.5)
    known[:10, 3:] = np.nan
    known[:, -4:] = np.where(np.arange(40)[:, None] % 10 == 0, known[:, -4:], np.nan)
    done = complete(known, bounds=(0, 100))
    error = np.abs(done.mean - truth)
    new = np.isnan(known)
    assert np.median(error[new & done.trusted]) < 0.8 * np.median(error[new & ~done.trusted])


def test_among_many_cells_an_empty_row_and_a_constant_column_are_predicted():
    truth, known, *_ = planted(120, 60, hidden=0.3)
    known[7] = np.nan
    known[:, 2] = np.where(np.isfinite(known[:, 2]), 50.0, np.nan)
    done = complete(known, bounds=(0, 100))
    assert np.abs(done.mean[:, 2] - 50).max() < 15
    assert np.isfinite(done.mean[7]).all()
    assert not done.trusted[7].any()
    usual = np.nanmean(known, 0)
    assert np.abs(done.mean[7] - usual).mean() < 20


def test_the_same_input_gives_the_same_answer_and_is_left_as_it_was():
    _, known, *_ = planted()
    before = known.copy()
    first, second = complete(known), complete(known)
    np.testing.assert_array_equal(known, before)
    np.testing.assert_array_equal(first.low, second.low)


def test_few_rows_and_columns_still_get_an_answer():
    known = np.array([[10.0, 20.0, 30.0], [20.0, np.nan, 40.0], [30.0, 40.0, 50.0]])
    done = complete(known, bounds=(0, 100))
    assert done.low[1, 1] <= done.mean[1, 1] <= done.high[1, 1]
    assert 15 < done.mean[1, 1] < 45


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
