"""Scores on a terminal's scale."""

import pytest

from agent.surfaces.plotting import interval, ranking, scale
from memory.records import Ranked


@pytest.mark.parametrize(
    ("score", "drawn"),
    [
        ((0.5, 0.2, 0.8), "  ├──●──┤  "),
        ((0.0, 0.0, 0.3), "●──┤       "),
        ((1.0, 0.7, 1.0), "       ├──●"),
        ((0.5, 0.5, 0.5), "     ●     "),
        ((0.5, -3.0, 9.0), "├────●────┤"),
    ],
)
def test_a_score_stands_within_its_interval(score, drawn):
    assert interval(*score, 11) == drawn


def test_the_scale_is_as_wide_as_the_drawings():
    assert scale(21) == "0        0.5        1"
    assert len(scale(20)) == 20


def line(model, *score):
    value, low, high = score or (None, None, None)
    return Ranked(model=model, value=value, low=low, high=high, standing="winner", reason="")


def test_only_what_has_an_interval_is_drawn_and_only_where_there_is_room():
    lines = [line("a", 0.9, 0.8, 1.0), line("unmeasured"), line("b", 0.4, 0.3, 0.5)]
    assert [name for name, _ in ranking(lines, 80)] == ["a", "b", ""]
    assert ranking(lines, 40) == []
    assert ranking(lines[:2], 80) == []
