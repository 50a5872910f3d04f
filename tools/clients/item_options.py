"""Questions with their options as a benchmark's file has them, for what their order gives away.

The order of a question's options is as good as any other, unless they sort themselves: numbers,
or "all of the above". Those questions are left out.

``reworded`` says a question in other words, by rule: its options in another order under other
letters' places, and the wording around them changed. The question itself stays as it is; a model
that knows the *answer's letter* loses it, one that knows the answer does not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from string import ascii_uppercase
from typing import TYPE_CHECKING

import numpy as np

from tools.clients import items

if TYPE_CHECKING:
    from pathlib import Path

    from tools.clients.item_sources import Lettered

LEAST_OPTIONS = 3
"""Two have one other order only."""

MOST_CHARS = 240
"""Of a question with its options: a check of a whole arm must cost seconds."""

SORTED = re.compile(r"\d|\b(all|none|both|neither|either|above|below|these)\b", re.IGNORECASE)


@cache
def usable(task: str, root: Path | None = None) -> tuple[Lettered, ...]:
    """The task's questions whose options have no order of their own, each once, by question.

    Raises as ``items.load`` does.
    """
    found = {
        one.question: one
        for one in items.load(task, root).lettered
        if len(one.options) >= LEAST_OPTIONS
        and not any(SORTED.search(option) for option in one.options)
        and len(one.text()) <= MOST_CHARS
    }
    return tuple(found[question] for question in sorted(found))


def drawn(task: str, count: int, root: Path | None = None) -> list[Lettered]:
    """``count`` of them, always the same; empty where there are fewer. Raises as ``usable``."""
    pool = usable(task, root)
    if len(pool) < count:
        return []
    return [pool[i] for i in np.random.default_rng(0).permutation(len(pool))[:count]]


@dataclass(frozen=True)
class Form:
    """One way to put a question: the order of its options and the words around them."""

    order: tuple[int, ...]
    before: str = ""
    mark: str = "{}. "
    ask: str = "Answer:"

    def asked(self, item: Lettered) -> tuple[str, int]:
        """The prompt and the place of the right option in it."""
        options = [item.options[i] for i in self.order]
        lines = [self.mark.format(a) + o for a, o in zip(ascii_uppercase, options, strict=False)]
        return "\n".join([self.before + item.question, *lines, self.ask]), self.order.index(
            item.gold
        )


def reworded(item: Lettered, rng: np.random.Generator) -> Form:
    """Another form of ``item``: no option keeps its letter where that can be."""
    size = len(item.options)
    order = np.roll(np.arange(size), int(rng.integers(1, size)))
    return Form(tuple(map(int, order)), "Question: ", "({}) ", "The right option is")
