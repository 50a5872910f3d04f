"""The mixed linear model against its closed forms, and what it does with what is not known."""

import numpy as np
import pytest

from tools.methods.quality_prior import fit

NAN = np.nan


def line(m=60, noise=0.2, seed=0):
    rng = np.random.default_rng(seed)
    size, date = rng.normal(size=m), rng.normal(size=m)
    return size, date, 50 + 3 * size + 5 * date + noise * rng.normal(size=m)


def test_an_exact_score_is_kept_and_an_unmeasured_model_stands_on_the_line():
    size, date, y = line()
    scores = np.where(np.arange(60) < 50, y, NAN)
    found = fit(scores, np.zeros(60), [size, date])
    np.testing.assert_allclose(found.mean[:50], y[:50], atol=0.02)
    assert np.abs(found.mean[50:] - y[50:]).max() < 0.8
    assert found.error[:50].max() < found.error[50:].min()


def test_the_line_is_followed_beyond_the_models_measured():
    size, date, y = line()
    date = np.append(date, 6.0)
    found = fit(np.append(y, NAN), np.zeros(61), [np.append(size, 0.0), date])
    assert found.mean[-1] == pytest.approx(50 + 5 * 6, abs=1)


def test_without_kin_or_facts_it_is_the_mean_drawn_by_the_noise():
    """One group, equal noise: the closed form is shrinkage of each score to the mean."""
    rng = np.random.default_rng(1)
    true = rng.normal(size=200)
    y = true + rng.normal(size=200)
    found = fit(y, np.ones(200), np.empty((0, 200)))
    slope = np.polyfit(y, found.mean, 1)[0]
    assert slope == pytest.approx(max(y.var() - 1, 0) / y.var(), abs=0.05)
    assert found.mean.mean() == pytest.approx(y.mean(), abs=0.05)


def test_kin_share_what_the_line_leaves_over():
    rng = np.random.default_rng(2)
    groups = [i // 5 for i in range(100)]
    shift = np.repeat(3 * rng.normal(size=20), 5)
    y = shift + 0.3 * rng.normal(size=100)
    hidden = np.arange(100) % 5 == 0
    scores = np.where(hidden, NAN, y)
    kin = fit(scores, np.zeros(100), np.empty((0, 100)), [groups])
    alone = fit(scores, np.zeros(100), np.empty((0, 100)), [[None] * 100])
    assert np.abs(kin.mean - y)[hidden].mean() < 0.5
    assert np.abs(alone.mean - y)[hidden].mean() > 1.5
    assert kin.error[hidden].mean() < alone.error[hidden].mean()


def test_an_unknown_fact_is_a_fact():
    size, date, y = line(80)
    hidden = np.arange(80) < 30
    y = y + 20 * hidden
    told = fit(
        np.where(np.arange(80) == 0, NAN, y), np.zeros(80), [np.where(hidden, NAN, size), date]
    )
    assert told.mean[0] == pytest.approx(y[0], abs=10)
    found = fit(y, np.zeros(80), [np.full(80, NAN), date])
    assert np.isfinite(found.mean).all()


@pytest.mark.parametrize(
    ("scores", "errors", "groups", "message"),
    [
        ([1.0, 2.0, NAN, NAN], [0.0] * 4, [], "at least 4"),
        ([1.0, 2.0, 3.0, 4.0], [0.0] * 3, [], r"\(m,\)"),
        ([1.0, 2.0, 3.0, 4.0], [0.0, -1.0, 0, 0], [], "negative"),
        ([1.0, 2.0, 3.0, 4.0], [0.0] * 4, [["a"]], "1 labels"),
    ],
)
def test_bad_input_is_named(scores, errors, groups, message):
    with pytest.raises(ValueError, match=message):
        fit(scores, errors, np.empty((0, 4)), groups)


def test_equal_scores_are_no_division_by_zero():
    found = fit([2.0] * 5 + [NAN], [0.0] * 6, [np.arange(6.0)])
    assert found.mean == pytest.approx(np.full(6, 2.0), abs=1e-3)
