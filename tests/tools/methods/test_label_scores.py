"""Label scores against scikit-learn, token F1 and bootstraps against closed forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import accuracy_score, f1_score

from tools.methods.label_scores import label_scores, mean_interval, token_f1

PAIRS = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abc")), min_size=1)


@settings(max_examples=40, deadline=None)
@given(PAIRS)
def test_points_are_those_of_scikit_learn(pairs):
    predicted, references = zip(*pairs, strict=True)
    found = label_scores(predicted, references)
    occurs = sorted(set(references))
    options = {"labels": occurs, "zero_division": 0}
    assert found.accuracy.value == pytest.approx(accuracy_score(references, predicted))
    macro = f1_score(references, predicted, average="macro", **options)
    assert found.macro_f1.value == pytest.approx(macro)
    micro = f1_score(references, predicted, average="micro", **options)
    assert found.micro_f1.value == pytest.approx(micro)
    for one in (found.accuracy, found.macro_f1, found.micro_f1):
        assert 0 <= one.low <= one.high <= 1


def test_missing_is_neither_right_nor_wrong():
    found = label_scores(["yes", None, "no", None], ["yes", "yes", "yes", "no"])
    assert (found.accuracy.value, found.accuracy.n, found.missing) == (0.5, 2, 2)
    with pytest.raises(ValueError, match="no item has a label"):
        label_scores([None], ["yes"])
    with pytest.raises(ValueError, match="shorter|longer"):
        label_scores(["yes"], [])


def test_accuracy_interval_is_the_binomial_one():
    found = label_scores(["a"] * 60 + ["b"] * 40, ["a"] * 100).accuracy
    low, high = stats.binom(100, 0.6).ppf([0.05, 0.95]) / 100
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.011)


@pytest.mark.parametrize(
    ("answer", "reference", "expected"),
    [
        ("a b", "a b", 1.0),
        ("a b c", "b c d", 2 / 3),
        ("a a b", "a b b", 2 / 3),
        ("a", "b", 0.0),
        ("", "", 1.0),
        ("", "a", 0.0),
    ],
)
def test_token_f1(answer, reference, expected):
    assert token_f1(answer.split(), reference.split()) == pytest.approx(expected)


def test_mean_interval_follows_the_central_limit():
    x = np.random.default_rng(0).beta(2, 3, 200)
    found = mean_interval([*x, np.nan])
    half = 1.645 * x.std() / np.sqrt(200)
    assert found.n == 200
    assert (found.low, found.high) == pytest.approx((x.mean() - half, x.mean() + half), abs=0.004)
    assert mean_interval([0.3]).low == 0.0
    assert mean_interval([0.3]).high == 1.0
    for wrong in ([], [np.nan], [1.2]):
        with pytest.raises(ValueError, match="at least one grade"):
            mean_interval(wrong)
    with pytest.raises(ValueError, match="level"):
        mean_interval(x, level=1.0)
