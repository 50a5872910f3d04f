"""Plots in characters: scores with their intervals on one scale, for a terminal of any width."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memory.records import Ranked

LEAST, MOST = 20, 60
"""Characters of the scale."""

NAME = 20
"""Characters of a name."""


def interval(value: float, low: float, high: float, width: int) -> str:
    """A score in [0, 1] and its interval on a scale of ``width`` characters: ``  ├──●─┤   ``.

    Values outside the scale are drawn at its end.
    """
    at, left, right = (round(min(max(x, 0.0), 1.0) * (width - 1)) for x in (value, low, high))
    line = [" "] * width
    line[left : right + 1] = "─" * (right + 1 - left)
    line[left], line[right] = "├", "┤"
    line[at] = "●"
    return "".join(line)


def scale(width: int) -> str:
    """The scale itself, from 0 to 1."""
    return "0" + "0.5".center(width - 2) + "1"


def _short(name: str) -> str:
    """A name without its maker in ``NAME`` characters: arms of one model differ at their end."""
    name = name.partition("/")[2] or name
    return name if len(name) <= NAME else f"{name[: NAME - 12]}…{name[-11:]}"


def ranking(lines: Sequence[Ranked], columns: int) -> list[tuple[str, str]]:
    """(name, drawing) of every measured line with an interval, the scale last.

    Empty where fewer than two can be drawn, or the terminal has too few ``columns``.
    """
    drawn = [one for one in lines if None not in (one.value, one.low, one.high)]
    width = min(columns - 24, MOST)
    if len(drawn) < 2 or width < LEAST:
        return []
    rows = [
        (_short(one.model), interval(one.value or 0.0, one.low or 0.0, one.high or 0.0, width))
        for one in drawn
    ]
    return [*rows, ("", scale(width))]
