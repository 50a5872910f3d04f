"""What is worth measuring, before any of it is paid for: the co-optimization of RELM and HERD.

The choice is the one a run ends with: the shortlisted model with the best weighted scores on the
job's benchmarks. Relevance σ chose the shortlist and is no part of what is still in doubt; of
equals the first by s leads. What is believed of each P_ij is its score where one is known, the
prediction with its interval where there is one, and otherwise nothing but that it lies between 0
and 1. From that follow how likely each model is to be the best, which cells could change the
choice and what doubt each purchase leaves (``tools.methods.acquisition``).

A score suspected of contamination is believed by its weight w: with chance w it is what it says,
else as if nothing were known. That doubt no purchase settles: the same questions would be asked of
the same model.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from tools.herd.contamination import suspicion
from tools.methods.acquisition import Advice, next_cells
from tools.methods.belief import of_intervals
from tools.methods.choice import Choice

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from memory.records import Contamination
    from tools.dossier import Dossier

    Cell = tuple[str, str]

MARGIN = 0.01
"""A gain in score that is not worth changing one's mind for: a point."""


@dataclass(frozen=True)
class Doubt:
    """What is not yet settled among ``models`` (rows) on ``benchmarks`` (columns)."""

    models: tuple[str, ...]
    benchmarks: tuple[str, ...]
    choice: Choice
    suspected: frozenset[Cell] = frozenset()

    @property
    def leader(self) -> tuple[str, float]:
        """The model that would be chosen now, and how likely it is the best."""
        best = self.choice.best
        return self.models[best], float(self.choice.best_probability()[best])

    def advice(self, prices: Mapping[Cell, float], budget: float) -> tuple[list[str], Advice]:
        """Models in the order in which measuring them is worth its price, and what is behind it.

        ``prices`` of (model, benchmark) in any unit; a cell without one is not for sale.
        """
        grid = np.full((len(self.models), len(self.benchmarks)), np.inf)
        for (model, benchmark), price in prices.items():
            if (model, benchmark) in self.suspected:
                continue
            grid[self.models.index(model), self.benchmarks.index(benchmark)] = price
        found = next_cells(self.choice, grid, budget)
        return list(dict.fromkeys(self.models[i] for i, _ in found.cells)), found

    def chance_of_change(self, models: Sequence[str], benchmarks: Sequence[str]) -> float:
        """How likely measuring all of these changes the choice."""
        cells = self._cells(models, benchmarks)
        return self.choice.chance_of_change(cells) if cells else 0.0

    def regret(self, models: Sequence[str], benchmarks: Sequence[str]) -> float:
        """Score the choice is expected to lose against the best, after measuring these."""
        known, after = (
            self.choice.foresee(cells).max(axis=1).mean() if cells else self.choice.value.max()
            for cells in (
                self._cells(self.models, self.benchmarks),
                self._cells(models, benchmarks),
            )
        )
        return max(float(known - after), 0.0)

    def _cells(self, models: Sequence[str], benchmarks: Sequence[str]) -> list[tuple[int, int]]:
        pairs = [cell for cell in product(models, benchmarks) if cell not in self.suspected]
        return [(self.models.index(m), self.benchmarks.index(b)) for m, b in pairs]


def doubt(
    dossier: Dossier,
    items: int,
    models: Sequence[str] = (),
    suspected: Sequence[Contamination] = (),
) -> Doubt | None:
    """What is unsettled among the shortlist and ``models``; None when there is nothing to choose.

    ``items``: how many would be asked of each cell; fewer tell less. ``suspected``: what is known
    of contamination.
    """
    benchmarks = dossier.get("benchmarks") or ()
    rows = dict.fromkeys([*(one.model for one in dossier.get("selected") or ()), *models])
    if not rows or not benchmarks:
        return None
    names, tasks = tuple(rows), tuple(one.task for one in benchmarks)
    middle, low, high = (np.full((len(names), len(tasks)), end) for end in (0.5, 0.0, 1.0))
    known = np.zeros(middle.shape, dtype=bool)
    at = {cell: place for place, cell in _places(names, tasks)}
    for guess in dossier.get("predicted") or ():
        if (place := at.get((guess.model, guess.benchmark))) is not None:
            middle[place], low[place], high[place] = guess.value, guess.low, guess.high
    doubted = set()
    for score in dossier.get("scores") or ():
        cell = score.model, score.benchmark
        if (place := at.get(cell)) is None:
            continue
        if found := suspicion(score, suspected):
            doubted.add(cell)
            middle[place], low[place], high[place] = _mixed(score.value, found.weight)
        else:
            middle[place], low[place], high[place], known[place] = *[score.value] * 3, True
    choice = Choice.of(
        of_intervals(middle, low, high, known),
        [one.weight for one in benchmarks],
        tolerance=MARGIN,
        noise=0.25 / max(items, 1),
    )
    return Doubt(names, tasks, choice, frozenset(doubted))


def _mixed(value: float, weight: float) -> tuple[float, float, float]:
    """Mean and 90 % interval: ``value`` with chance ``weight``, else anywhere in [0, 1].

    The moments are the mixture's, "anywhere" having those that a missing cell is given, a mean of
    0.5 and an interval of [0, 1]; the interval is the normal one of that variance.
    """
    z = NormalDist().inv_cdf(0.95)
    mean = weight * value + (1 - weight) * 0.5
    variance = (1 - weight) * (0.5 / z) ** 2 + weight * (1 - weight) * (value - 0.5) ** 2
    return mean, mean - z * variance**0.5, mean + z * variance**0.5


def _places(
    names: Sequence[str], tasks: Sequence[str]
) -> list[tuple[tuple[int, int], tuple[str, str]]]:
    return [((i, j), (n, t)) for i, n in enumerate(names) for j, t in enumerate(tasks)]
