"""One entry: what is a score, and what is refused and why."""

import pytest

from memory.records import Origin, Score
from tools.scores.sources.entry import Refused, entry, word

GOOD = {
    "model": "a/m",
    "benchmark": "t",
    "protocol": "p",
    "value": 0.5,
    "origin": Origin.REPORTED,
    "source": "s",
}


def refused(**changes):
    made = entry("line 7", GOOD | changes)
    assert isinstance(made, Refused), made
    assert made.where == "line 7"
    assert "\n" not in made.reason
    return made.reason


def test_unknown_is_not_zero_and_numbers_may_be_written_out():
    made = entry("", GOOD | {"value": "0.25", "low": "", "n": None, "revision": ""})
    assert made == Score(**GOOD | {"value": 0.25})
    assert made.low is None


def test_a_scale_divides_value_and_interval():
    made = entry("", GOOD | {"value": 55, "low": "50", "high": 60.5}, scale=100)
    assert (made.value, made.low, made.high) == (0.55, 0.5, 0.605)


@pytest.mark.parametrize("bad", ["nan", "inf", "-inf", float("nan"), float("inf"), "1e999"])
def test_what_is_not_finite_is_no_score(bad):
    assert "finite" in refused(value=bad)


@pytest.mark.parametrize("bad", ["high", "55%", "1_0", True, None, [0.5], {"a": 1}, "", 10**400])
def test_what_is_no_number_is_no_score(bad):
    refused(value=bad)


@pytest.mark.parametrize(("bad", "says"), [(55, "--scale 100"), (-0.1, "outside"), ("1.01", "[0")])
def test_values_out_of_bounds_say_what_to_do(bad, says):
    assert says in refused(value=bad)


def test_a_scale_has_bounds_too_and_fractions_under_it_are_doubted_where_sources_mix():
    assert "outside [0, 100]" in entry("", GOOD | {"value": 101}, scale=100).reason
    assert entry("", GOOD | {"value": 0.5}, scale=100).value == 0.005
    assert "fraction" in entry("", GOOD | {"value": 0.5}, scale=100, fractions=False).reason
    assert entry("", GOOD | {"value": 0}, scale=100, fractions=False).value == 0.0


@pytest.mark.parametrize(
    "bad", ["", None, "a b/c", "a/b/c", "a/", "/b", "a@b", 7 * "x" * 100, "a\x1b"]
)
def test_model_ids(bad):
    refused(model=bad)


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        ("source", "a\0b"),
        ("source", "\x1b[2J"),
        ("source", "\x9b2J"),
        ("source", "\ud800"),
        ("protocol", " "),
        ("protocol", "x" * 5000),
        ("benchmark", None),
        ("origin", "trust me"),
        ("date", "yesterday"),
        ("n", 0),
        ("n", -3),
        ("n", 2**63),
        ("low", 0.6),
        ("high", 0.4),
        ("high", 1.5),
        ("colour", "red"),
    ],
)
def test_other_fields(field, bad):
    refused(**{field: bad})


def test_a_word_is_no_table():
    assert (word(None), word(5), word("x")) == ("", "5", "x")
    with pytest.raises(ValueError, match="one word"):
        word([["x"]])
