"""Terms, variety and numbers against brute force and cases written out."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.methods.text_measures import covered, invented, numbers, terms, variety, words


@settings(deadline=None)
@given(st.lists(st.sampled_from("abcde"), min_size=1, max_size=30), st.integers(1, 12))
def test_variety_is_the_mean_over_all_windows(tokens, window):
    size = min(window, len(tokens))
    windows = [tokens[i : i + size] for i in range(len(tokens) - size + 1)]
    expected = sum(len(set(one)) / size for one in windows) / len(windows)
    assert variety(" ".join(tokens), window) == pytest.approx(expected)


def test_variety_of_nothing_is_missing():
    assert variety("...") is None


def test_terms_leave_out_the_form():
    notes = [f"Subjective: {matter} daily" for matter in ("cough", "headache", "dyspnoea")]
    assert terms(notes) == [{"cough"}, {"headache"}, {"dyspnoea"}]
    assert terms(notes[:1]) == [{"subjective", "cough", "daily"}]
    assert terms([]) == []
    assert covered("She has a Cough.", frozenset({"cough", "fever"})) == 0.5
    assert covered("anything", frozenset()) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,000 mg and 1000.0 mg", {1000}),
        ("3,5 and 3.5", {3.5}),
        ("05:30 on 2021-03-04", {5, 30, 2021, 3, 4}),
        ("version 1.2.3", {1, 2, 3}),
        ("two weeks, Twenty-one days, thirty pills", {2, 21, 30}),
        ("B12, COVID19 and h2o", set()),
        ("1. cough\n2) fever\n## 3 Plan\nuse 4", {4}),
        ("120/80, 98%, $5", {120, 80, 98, 5}),
        ("often someone tense", set()),
        ("", set()),
    ],
)
def test_numbers_by_value(text, expected):
    assert numbers(text) == expected


def test_invented_numbers_are_in_no_source():
    assert invented("take 5 mg for two weeks", "for 2 weeks") == {5}
    assert invented("take 5 mg", "x", "5.0 mg") == set()
    assert invented("7") == {7}


@settings(deadline=None)
@given(st.text(max_size=100))
def test_any_text_can_be_measured(text):
    assert invented(text, text) == set()
    assert variety(text) is None or 0 < variety(text) <= 1
    assert covered(text, frozenset(words(text))) in (None, 1.0)
