"""Policies that buy scores for a job, each as (spent share, model chosen then) after purchases.

All but ``regression`` choose by the same belief, given what they bought; they differ in what
they buy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tools.methods import acquisition, selection
from tools.methods.belief import Belief
from tools.methods.choice import Choice
from tools.methods.least_squares import least_squares

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from evals.acquisition_blocks import Job

    Floats = NDArray[np.float64]
    Cell = tuple[int, int]

SHARES = np.round(np.concatenate([np.arange(0, 0.2, 0.01), np.arange(0.2, 1.001, 0.05)]), 2)
TOLERANCE = 1.0


@dataclass(frozen=True)
class Replay:
    """A job with prices; regrets are those of the model chosen after spending a share."""

    job: Job
    prices: Floats  # (M, J) dollars
    choice: Choice

    @classmethod
    def of(cls, job: Job, *, by_size: bool) -> Replay:
        """Uniform prices, or each cell's proportional to the model's parameters."""
        each = job.billions if by_size else np.ones_like(job.billions)
        prices = np.broadcast_to(each[:, None], job.truth.shape).copy()
        return cls(job, prices, Choice.of(job.belief, job.weights, tolerance=TOLERANCE))

    @property
    def missing(self) -> list[Cell]:
        """Cells that exhaustive evaluation would buy."""
        return [(int(i), int(j)) for i, j in np.argwhere(self.job.belief.variance > 0)]

    @property
    def full(self) -> float:
        """Price of exhaustive evaluation."""
        return float(self.prices[self.job.belief.variance > 0].sum())

    def regret(self, model: int) -> float:
        """Points by which the best model in truth is better than ``model``."""
        value = self.job.truth @ self.job.weights
        return float(value.max() - value[model])

    def score(self, cell: Cell) -> float:
        """What measuring a cell would show."""
        return float(self.job.truth[cell])

    def after(self, cells: Sequence[Cell]) -> Choice:
        """The choice once ``cells`` are measured."""
        return self.choice.learn(cells, [self.score(cell) for cell in cells])

    def within(self, order: Sequence[Cell], share: float) -> list[Cell]:
        """The first cells of an order that cost no more than a share of the full price."""
        cost = np.cumsum([self.prices[cell] for cell in order])
        return list(order[: int(np.searchsorted(cost, share * self.full + 1e-9, side="right"))])

    def along(self, order: Sequence[Cell]) -> Floats:
        """Regret at each of ``SHARES``, buying in this order."""
        regrets, choice, bought = [], self.choice, 0
        for share in SHARES:
            cells = self.within(order, share)[bought:]
            choice = choice.learn(cells, [self.score(cell) for cell in cells])
            bought += len(cells)
            regrets.append(self.regret(choice.best))
        return np.array(regrets)


@dataclass(frozen=True)
class Trace:
    """A run of ``mirror`` without stopping: after each purchase, starting with none."""

    spent: Floats  # share of the full price
    regret: Floats
    left: Floats  # chance that what is left would change the choice

    def at(self, shares: Floats) -> Floats:
        """Regret once no more than each share was spent."""
        return self.regret[np.searchsorted(self.spent, shares + 1e-9, side="right") - 1]

    def stopped(self, stop: float) -> tuple[float, float]:
        """Share spent and regret when buying stops at ``stop``."""
        below = np.flatnonzero(self.left < stop)
        k = below[0] if below.size else len(self.left) - 1
        return float(self.spent[k]), float(self.regret[k])


def mirror(replay: Replay, least: float) -> Trace:
    """``acquisition.adapt`` until what is left would change the choice with less than ``least``."""
    left: list[float] = []
    spent, regret = [0.0], [replay.regret(replay.choice.best)]
    for advice, choice in acquisition.adapt(
        replay.choice, replay.prices, np.inf, replay.score, stop=least
    ):
        left.append(advice.doubt)
        spent.append(spent[-1] + advice.purchases[0].price / replay.full)
        regret.append(replay.regret(choice.best))
    return Trace(np.array(spent), np.array(regret), np.array([*left, 0.0]))


def shuffled(replay: Replay, seed: int) -> list[Cell]:
    """Missing cells in random order."""
    cells = replay.missing
    return [cells[k] for k in np.random.default_rng(seed).permutation(len(cells))]


def random(replay: Replay, seed: int) -> Floats:
    """Random cells."""
    return replay.along(shuffled(replay, seed))


def herd(replay: Replay, seed: int) -> Floats:
    """The paper's policy: all missing cells of the shortlist in the order of Eq. 1's s.

    As in the paper, s knows no predictions: what is missing takes its column's mean.
    """
    del seed
    known = replay.job.belief.variance == 0
    scores = np.where(known, replay.job.truth / 100, np.nan)
    models = len(scores)
    ranked = selection.select(np.zeros(models), replay.job.weights, scores, alpha=0.0, k=models)
    belief = Belief(np.repeat(ranked.s[:, None], scores.shape[1], 1), replay.job.belief.covariance)
    by_paper = Choice.of(belief, replay.job.weights)
    return replay.along(acquisition.herd_cells(by_paper, replay.prices, np.inf, shortlist=models))


def herd_predicted(replay: Replay, seed: int) -> Floats:
    """The same in the order of s with Mirror's predictions."""
    del seed
    models = len(replay.prices)
    order = acquisition.herd_cells(replay.choice, replay.prices, np.inf, shortlist=models)
    return replay.along(order)


def herd_reranked(replay: Replay, seed: int) -> Floats:
    """``herd_predicted`` with the paper's feedback loop: ranked anew after each model."""
    del seed
    order: list[Cell] = []
    choice = replay.choice
    while (choice.belief.variance > 0).any():
        open_rows = (choice.belief.variance > 0).any(1)
        first = int(np.argmax(np.where(open_rows, choice.value, -np.inf)))
        cells = [(first, int(j)) for j in np.flatnonzero(choice.belief.variance[first] > 0)]
        choice = choice.learn(cells, [replay.score(cell) for cell in cells])
        order += cells
    return replay.along(order)


def halving(replay: Replay, seed: int) -> Floats:
    """Successive halving (Karnin, Koren & Somekh, ICML 2013) over models, by expected s.

    A budget is shared equally by the rounds, a round's by its models, whose cells come in
    random order; it starts from as many models, best first, as get a cell in each round.
    """
    order = np.random.default_rng(seed).permutation(replay.prices.shape[1])
    return np.array([replay.regret(_halved(replay, share, order)) for share in SHARES])


def _halved(replay: Replay, share: float, order: NDArray[np.intp]) -> int:
    choice, budget = replay.choice, share * replay.full
    cell = replay.prices.mean()
    models = len(replay.prices)
    while models > 1 and budget < cell * models * np.ceil(np.log2(models)):
        models -= 1
    pool = np.argsort(-choice.value, kind="stable")[:models]
    rounds = max(int(np.ceil(np.log2(models))), 1)
    for left in range(rounds, 0, -1):
        allowed, cells = budget / left, []
        for j in order:
            for i in pool:
                if choice.belief.variance[i, j] > 0 and replay.prices[i, j] <= allowed + 1e-9:
                    cells.append((int(i), int(j)))
                    allowed -= replay.prices[i, j]
                    budget -= replay.prices[i, j]
        choice = choice.learn(cells, [replay.score(c) for c in cells])
        pool = pool[np.argsort(-choice.value[pool], kind="stable")][: -(-len(pool) // 2)]
    return choice.best


def regression(replay: Replay, seed: int) -> Floats:
    """Random cells, and the rest by regression: biases plus rank-2 least squares on all known."""
    order, job = shuffled(replay, seed), replay.job
    regrets = []
    for share in SHARES:
        known = job.known.copy()
        for i, j in replay.within(order, share):
            known[i, job.columns[j]] = job.truth[i, j]
        seen = np.isfinite(known)
        guess = least_squares((known - known[seen].mean()) / known[seen].std(), starts=1, sweeps=10)
        guess = guess * known[seen].std() + known[seen].mean()
        filled = np.where(seen, known, guess)[:, job.columns]
        regrets.append(replay.regret(int(np.argmax(filled @ job.weights))))
    return np.array(regrets)


BASELINES = {
    "random": random,
    "herd": herd,
    "herd_predicted": herd_predicted,
    "herd_reranked": herd_reranked,
    "halving": halving,
    "regression": regression,
}
PLAIN = ("random", "herd", "regression")  # they don't rank by Mirror's belief
