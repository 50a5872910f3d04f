"""Percentiles against a plain count, and the rhythm of a maker."""

import numpy as np
import pytest

from tools.methods.community import cadence, percentile

NAN = float("nan")


def test_with_as_many_peers_as_models_it_is_the_plain_rank():
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 20, 60).astype(float)
    found = percentile(7, counts, rng.uniform(1, 99, 60), rng.uniform(1, 9, 60), k=60)
    others = np.delete(counts, 7)
    expected = np.mean(others < counts[7]) + np.mean(others == counts[7]) / 2
    assert found == pytest.approx((expected, 59))


def test_peers_are_the_nearest_in_age_and_size():
    rng = np.random.default_rng(1)
    ages, sizes, counts = (np.exp(rng.normal(3, 1, 80)) for _ in range(3))
    side = [np.log(a) / np.log(a).std() for a in (ages, sizes)]
    apart = sorted(
        (i for i in range(80) if i != 5),
        key=lambda i: sum((s[i] - s[5]) ** 2 for s in side),
    )[:12]
    expected = np.mean([counts[i] < counts[5] for i in apart])
    assert percentile(5, counts, ages, sizes, k=12) == pytest.approx((expected, 12))


def test_a_young_model_is_not_held_against_its_age():
    """Downloads in proportion to age: each is about the middle of its peers."""
    ages = np.linspace(10, 1000, 400)
    counts = ages * np.random.default_rng(2).lognormal(0, 0.5, 400)
    young, old = percentile(3, 15 * ages, ages, np.full(400, NAN)), counts
    assert young is not None
    assert percentile(3, old, ages, np.full(400, NAN), k=20)[0] < 0.95
    assert np.mean(old < old[3]) < 0.1  # though nearly all others have more


def test_what_is_not_known_gives_no_percentile():
    counts, ages, sizes = np.arange(30.0), np.arange(1.0, 31.0), np.ones(30)
    assert percentile(0, [NAN, *counts[1:]], ages, sizes) is None
    assert percentile(0, counts, [NAN, *ages[1:]], sizes) is None
    assert percentile(0, counts[:5], ages[:5], sizes[:5]) is None
    assert percentile(0, counts, ages, [NAN, *sizes[1:]]) is not None


def test_cadence():
    assert cadence([]) is None
    assert cadence([40.0]) == (1, None, 40.0)
    assert cadence([100.0, 10.0, 40.0, 30.0]) == (4, 20.0, 10.0)
