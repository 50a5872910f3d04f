"""Questions with their options as a benchmark's file has them, for what their order gives away.

The order of a question's options is as good as any other, unless they sort themselves: numbers,
or "all of the above". Those questions are left out.

``reworded`` puts questions in other words, by rule: their options in another order, so that none
of the right ones keeps its letter, and the wording around them changed. The question itself stays
as it is; a model that knows the *letter* by heart loses it, one that knows the answer does not.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from string import ascii_uppercase
from typing import TYPE_CHECKING

import numpy as np

from tools.clients.benchmarks import items

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tools.clients.benchmarks.item_sources import Lettered

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
        prompt = "\n".join([self.before + item.question, *lines, self.ask])
        return prompt, self.order.index(item.gold)


def published(item: Lettered) -> Form:
    """The question as its file has it."""
    return Form(tuple(range(len(item.options))))


def reworded(items: Sequence[Lettered], rng: np.random.Generator) -> list[Form]:
    """Another form of each item, in which its right option has another letter where that can be.

    Over all items each letter is right as often as before, so that a model which prefers a letter
    neither gains nor loses.
    """
    places = _moved([item.gold for item in items])
    forms = []
    for item, place in zip(items, places, strict=True):
        others = [i for i in range(len(item.options)) if i != item.gold]
        order = [int(i) for i in rng.permutation(others)]
        at = min(place, len(others))
        order.insert(at, item.gold)
        forms.append(Form(tuple(order), "Question: ", "({}) ", "The right option is"))
    return forms


def _moved(places: Sequence[int]) -> list[int]:
    """The same places, dealt out anew so that as few as can be come back to where they were."""
    if not places:
        return []
    by_place = sorted(range(len(places)), key=lambda i: places[i])
    shift = max(Counter(places).values())
    moved = [0] * len(places)
    for i, j in zip(by_place, by_place[shift:] + by_place[:shift], strict=True):
        moved[i] = places[j]
    return moved
