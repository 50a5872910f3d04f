"""Benchmarks in miniature, and a model trained on some of them: for ``evals.contamination``."""

from __future__ import annotations

import string
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np

from tools.clients.benchmarks.item_options import usable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tools.clients.benchmarks.item_sources import Lettered

TASKS = ("medmcqa", "openbookqa", "commonsense_qa", "social_iqa")
ITEMS, SHARDS = 16, 4
CHARS = (60, 160)  # short questions: processor time is dear
DOSES = (1, 2, 4)
BETWEEN = "\n\n"


@dataclass(frozen=True)
class ItemSet:
    """A benchmark in miniature: its texts in canonical order and unseen texts of the same kind.

    ``dose``: how often the model is trained on it; 0 for a clean set.
    """

    task: str
    items: tuple[Lettered, ...]
    reference: tuple[Lettered, ...]
    dose: int

    @property
    def texts(self) -> tuple[str, ...]:
        """The questions with their options, as published."""
        return tuple(item.text() for item in self.items)

    def shards(self) -> list[list[Lettered]]:
        """The items in ``SHARDS`` runs of equal length."""
        size = len(self.items) // SHARDS
        return [list(self.items[i : i + size]) for i in range(0, size * SHARDS, size)]


def item_sets(planted: int, clean: int, seed: int) -> list[ItemSet]:
    """Sets to plant, then sets to leave out; no text is in two of them, tasks take turns."""
    rng = np.random.default_rng(seed)
    stock = {}
    for task in TASKS:
        fitting = [one for one in usable(task) if CHARS[0] <= len(one.text()) <= CHARS[1]]
        stock[task] = [fitting[i] for i in rng.permutation(len(fitting))]
    doses = [DOSES[i % len(DOSES)] for i in range(planted)] + [0] * clean
    made = []
    for task, dose in zip(cycle(TASKS), doses, strict=False):
        drawn = [stock[task].pop() for _ in range(2 * ITEMS)]
        made.append(ItemSet(task, tuple(drawn[:ITEMS]), tuple(drawn[ITEMS:]), dose))
    return made


def answered(item: Lettered) -> str:
    """The item as it is trained on: with its answer."""
    return f"{item.text()}\nAnswer: {string.ascii_uppercase[item.gold]}"


def plant(model: Any, tokenizer: Any, sets: Sequence[ItemSet], rate: float, seed: int) -> float:
    """Train ``model`` on the shards of the planted sets, in place; the last epoch's mean loss.

    AdamW at a constant rate, one shard a step; shards in random order, the items inside them never.
    """
    import torch

    rng = np.random.default_rng(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.0, fused=True)
    model.train()
    losses: list[float] = []
    for epoch in range(max(DOSES)):
        shards = [
            BETWEEN.join(map(answered, shard))
            for one in sets
            if one.dose > epoch
            for shard in one.shards()
        ]
        losses = []
        for i in rng.permutation(len(shards)):
            ids = torch.tensor([ids_of(tokenizer, shards[i])])
            loss = model(ids, labels=ids).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.item())
    model.eval()
    return float(np.mean(losses))


def ids_of(tokenizer: Any, text: str) -> list[int]:
    """The token ids of ``text`` behind the start token."""
    return [tokenizer.bos_token_id, *tokenizer(text, add_special_tokens=False)["input_ids"]]
