"""Racing: find the best of several arms with few items, stopping when the choice is settled.

All arms that may still win answer a growing random sample of the same items and are compared in
pairs on what both answered. Who leads is the arm measured furthest, of those the one with the
highest value. An arm is *out* while it can't win:

- its value (score, less ``cost_weight`` x its cost of use) is certainly no more than ``margin``
  above the leader's, by a betting confidence sequence (``betting``) at level δ/(K - 1); or
- to be certain would cost more than ``patience`` allows, and it is among the arms that are left
  aside: those that save most money per point of expected regret, as long as the regret of all
  arms left aside stays within ``tolerance``. So an expensive arm's items are bought only when
  what they would tell is worth it.

A new leader brings back every arm that is not out against it, from where that arm stopped.

Guarantee. With probability at least 1 - δ, whatever the stopping time and however often one looks,
no verdict "settled" names a leader more than ``margin`` below the best: that would need the
best arm's sequence against that leader to fail, and there are K - 1 leaders to fail against. With
``tolerance`` 0 no arm is left aside. The verdict is "too close to call" when arms left aside,
items or budget ended the race; its regret is an estimate (``regret``), not bounded by δ.
It holds for the mean over ``population`` items of which ``items`` are a random sample, with
answers missing at random. A missing answer is left out of the pair, never scored.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from tools.methods import betting
from tools.methods.regret import expected_regret

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

Verdict = Literal["racing", "settled", "too close to call"]
Ended = Literal["", "certain", "not worth it", "budget", "no items left"]


@dataclass(frozen=True)
class Standing:
    """Where a race is.

    ``leader``: None while nothing is known. ``contenders``: arms not certain to be within the
    margin, best first. ``regret``: points in [0, 1] that stopping now is expected to lose against
    them, infinite while unknown. ``asked``: answers told of each arm, missing ones included.
    ``spent``: their price.
    """

    leader: str | None
    verdict: Verdict
    ended: Ended
    contenders: tuple[str, ...]
    regret: float
    asked: dict[str, int]
    spent: float


@dataclass(frozen=True)
class Difference:
    """``a`` minus ``b`` on the n items both answered, with its confidence sequence."""

    mean: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class _Case:
    """A contender's case against the leader, and what it would cost to close it."""

    row: int
    regret: float
    price: float


class Race:
    """A race as a state machine: ``next`` says what to measure, ``tell`` takes what came of it.

    Its state is a function of what was told, in whatever order: after a crash, tell a new race
    of the same arguments everything that is kept and it goes on where the old one was.
    """

    def __init__(
        self,
        arms: Sequence[str],
        items: Sequence[str],
        *,
        prices: Sequence[float] | None = None,
        costs: Sequence[float] | None = None,
        cost_weight: float = 0.0,
        delta: float = 0.10,
        margin: float = 0.01,
        tolerance: float = 0.002,
        patience: float = 0.25,
        budget: float = math.inf,
        population: float | None = None,
        first: int = 8,
        growth: float = 1.2,
        seed: int = 0,
    ) -> None:
        """Start, or start again.

        Args:
            arms: distinct names.
            items: distinct names, the same for all arms; drawn in an order made from ``seed``.
                Items of several benchmarks go in together, in proportion to their weights.
            prices: of one item for each arm, in any unit, not negative; none: 1 each.
            costs: of use for each arm, in any unit; none: 0 each.
            cost_weight: points of score in [0, 1] given up per unit of cost.
            delta: probability that a settled race is wrong by more than ``margin``.
            margin: difference in value that doesn't matter.
            tolerance: expected regret at which evidence that is hard to get isn't worth it.
            patience: the price of certainty about one arm, as a share of the price of all items
                for an average arm, up to which it is bought in any case.
            budget: most to spend, in the unit of ``prices``.
            population: number of items the verdict is about, not fewer than ``items``; none:
                just these. Infinite: every item like them.
            first: items of the first round.
            growth: how many times as many items an arm has after a round; each round is a look,
                and looks are free but for starting the arms again.
            seed: of the order of items.

        Raises:
            ValueError: what doesn't fit or is out of its range.
        """
        self._arms, self._items = tuple(arms), tuple(items)
        k, n = len(self._arms), len(self._items)
        _require(k > 0, "a race needs an arm")
        _require(len(set(self._arms)) == k, "two arms have the same name")
        _require(len(set(self._items)) == n, "two items have the same name")
        self._prices = _amounts("prices", prices, 1.0, k)
        self._handicap = cost_weight * _amounts("costs", costs, 0.0, k)
        self._population = float(n if population is None else population)
        _require(0 < delta < 1, f"delta must lie between 0 and 1, not {delta}")
        for name, value in (("margin", margin), ("tolerance", tolerance)):
            _require(0 <= value <= 1, f"{name} must lie in [0, 1], not {value}")
        for name, value in (("patience", patience), ("budget", budget), ("cost_weight", cost_weight)):
            _require(value >= 0, f"{name} must not be negative, not {value}")
        _require(math.isfinite(cost_weight), "cost_weight must be finite")
        _require(self._population >= n, f"a population of {population} has no {n} items")
        _require(first >= 1 and growth > 1, "first must be at least 1 and growth more than 1")
        self._alpha, self._margin = delta / max(k - 1, 1), margin
        self._tolerance, self._patience, self._budget = tolerance, patience, budget
        self._first, self._growth = first, growth
        self._order = np.random.default_rng(seed).permutation(n)
        self._place = {self._items[item]: place for place, item in enumerate(self._order)}
        self._row = {arm: row for row, arm in enumerate(self._arms)}
        self._scores = np.full((k, n), np.nan)
        self._told = np.zeros((k, n), dtype=bool)
        self._seen = np.zeros(k, dtype=np.intp)  # how many items, from the first, count so far
        self._racing = np.ones(k, dtype=bool)
        self._ended: Ended = ""
        self._batch: dict[int, int] = {}  # row -> how many items it is to have
        self._plan()

    def next(self) -> dict[str, tuple[str, ...]]:
        """The items to measure now for each arm; empty when the race is over."""
        return {
            self._arms[row]: tuple(self._items[self._order[place]] for place in places)
            for row, upto in self._batch.items()
            if (places := np.flatnonzero(~self._told[row, :upto])).size
        }

    def tell(self, arm: str, item: str, score: float | None) -> None:
        """Take the score in [0, 1] of one item; None when there is no answer or no grade.

        Results nobody asked for are kept until they are. Raises ValueError for an unknown arm or
        item, a score out of range, or one that contradicts what was told before.
        """
        _require(arm in self._row, f"no arm is called {arm!r}")
        _require(item in self._place, f"no item is called {item!r}")
        ranged = score is None or 0 <= score <= 1
        _require(ranged, f"{arm} on {item}: a score lies in [0, 1] or is None, not {score}")
        row, place = self._row[arm], self._place[item]
        value = math.nan if score is None else float(score)
        if self._told[row, place]:
            same = np.array_equal(self._scores[row, place], value, equal_nan=True)
            _require(same, f"{arm} on {item}: told {self._scores[row, place]} before, now {score}")
            return
        self._scores[row, place], self._told[row, place] = value, True
        self._go_on()

    def withdraw(self, arm: str) -> None:
        """Measure no more of an arm that can't be measured; it neither leads nor contends."""
        _require(arm in self._row, f"no arm is called {arm!r}")
        self._racing[self._row[arm]] = False
        self._batch.pop(self._row[arm], None)
        self._go_on()

    def standing(self) -> Standing:
        """Who leads, what is open, what it took."""
        leader = self._leader()
        cases = [] if leader is None else self._cases(leader)
        open_ = sorted(cases, key=lambda case: -case.regret)
        certain = leader is not None and not cases
        unknown = math.inf if leader is None else sum(case.regret for case in cases)
        return Standing(
            None if leader is None else self._arms[leader],
            "racing" if self._batch else "settled" if certain else "too close to call",
            self._ended,
            tuple(self._arms[case.row] for case in open_),
            unknown,
            dict(zip(self._arms, self._told.sum(axis=1).tolist(), strict=True)),
            float(self._prices @ self._told.sum(axis=1)),
        )

    def difference(self, a: str, b: str) -> Difference:
        """Score of ``a`` minus score of ``b``; each bound fails ever with chance δ/(K - 1)."""
        _require(a in self._row and b in self._row, f"no arm is called {a!r} or {b!r}")
        d = self._shared(self._row[a], self._row[b])
        low, high = betting.bounds(d, self._alpha, self._population)
        return Difference(float(d.mean()) if d.size else math.nan, low, high, d.size)

    def _go_on(self) -> None:
        """Take in every batch that is complete, and plan until one is not."""
        while self._batch and all(self._told[r, :upto].all() for r, upto in self._batch.items()):
            for row, upto in self._batch.items():
                self._seen[row] = upto
            self._plan()

    def _plan(self) -> None:
        """What to measure next, from the items that count so far: ``_batch`` or ``_ended``."""
        leader = self._leader()
        self._batch = {}
        if leader is None:
            wanted = np.flatnonzero(self._racing).tolist()
        else:
            cases = self._cases(leader)
            wanted = self._worth_it(cases)
            if not wanted:
                self._ended = "not worth it" if cases else "certain"
                return
            wanted.append(leader)
        least = min((int(self._seen[row]) for row in wanted), default=len(self._items))
        if least == len(self._items):
            self._ended = "no items left"
            return
        ahead = [int(self._seen[row]) for row in wanted if self._seen[row] > least]
        upto = min(len(self._items), max(self._first, math.ceil(least * self._growth)), *ahead)
        rows = [row for row in wanted if self._seen[row] == least]
        upto = self._affordable(rows, least, upto)
        self._ended = "budget" if upto == least else ""
        self._batch = {row: upto for row in rows if upto > least}

    def _affordable(self, rows: Sequence[int], least: int, upto: int) -> int:
        price = float(self._prices[list(rows)].sum())
        left = self._budget - float(self._prices @ self._seen)
        if price * (upto - least) <= left:
            return upto
        return least + max(math.floor(left / price), 0)

    def _leader(self) -> int | None:
        """The row measured furthest, of those the best; None where nothing is known."""
        if self._racing.sum() == 1:
            return int(np.flatnonzero(self._racing)[0])
        answered = [row for row in np.flatnonzero(self._racing) if self._answers(row).size]
        return max(
            (int(row) for row in answered),
            key=lambda row: (self._seen[row], self._value(row), -self._prices[row], -row),
            default=None,
        )

    def _answers(self, row: int) -> Floats:
        scores = self._scores[row, : self._seen[row]]
        return np.asarray(scores[~np.isnan(scores)])

    def _value(self, row: int) -> float:
        return float(self._answers(row).mean() - self._handicap[row])

    def _shared(self, a: int, b: int) -> Floats:
        both = min(self._seen[a], self._seen[b])
        d = self._scores[a, :both] - self._scores[b, :both]
        return np.asarray(d[~np.isnan(d)])

    def _cases(self, leader: int) -> list[_Case]:
        """Of every arm that isn't certain to be within the margin of the leader."""
        others = [row for row in np.flatnonzero(self._racing).tolist() if row != leader]
        cases = (self._case(row, leader) for row in others)
        return [case for case in cases if case is not None]

    def _case(self, row: int, leader: int) -> _Case | None:
        d = self._shared(row, leader)
        behind = float(self._handicap[row] - self._handicap[leader])
        if behind + self._margin > 1:
            return None
        log = betting.log_wealth(d, behind + self._margin, self._population)
        needed = -math.log(self._alpha)
        if log.size and log.max() >= needed:
            return None
        # Evidence grows in proportion to items, after the price of five bets at once.
        start = math.log(betting.BETS.size)
        grown = (float(log[-1]) if log.size else -math.inf) + start
        items = d.size * (needed + start) / grown if grown > 0 else math.inf
        items = min(items, len(self._items))
        more = np.maximum(items - self._seen[[row, leader]], 0) @ self._prices[[row, leader]]
        return _Case(row, expected_regret(d, behind, self._population), float(more))

    def _worth_it(self, cases: Sequence[_Case]) -> list[int]:
        """Rows of the cases to pursue; the others are left aside."""
        patience = self._patience * len(self._items) * float(self._prices.mean())
        pursued, left = [], self._tolerance
        for case in sorted(cases, key=lambda c: c.regret / c.price if c.price else math.inf):
            if self._tolerance > 0 and case.price > patience and case.regret <= left:
                left -= case.regret
            else:
                pursued.append(case.row)
        return sorted(pursued)


@dataclass(frozen=True)
class Replay:
    """A race over known scores: its end, the column chosen and which of (n, k) were looked at."""

    standing: Standing
    chosen: int | None
    asked: NDArray[np.bool_]


def replay(
    scores: ArrayLike,
    *,
    prices: Sequence[float] | None = None,
    delta: float = 0.10,
    margin: float = 0.01,
    tolerance: float = 0.002,
    patience: float = 0.25,
    budget: float = math.inf,
    growth: float = 1.2,
    seed: int = 0,
) -> Replay:
    """Race the columns of ``scores`` (n items, k arms) in [0, 1]; NaN is a missing answer.

    Arguments and errors are those of ``Race``.
    """
    matrix = np.asarray(scores, dtype=np.float64)
    _require(matrix.ndim == 2, f"scores have shape {matrix.shape}, not (items, arms)")
    n, k = matrix.shape
    race = Race(
        [str(j) for j in range(k)],
        [str(i) for i in range(n)],
        prices=prices,
        delta=delta,
        margin=margin,
        tolerance=tolerance,
        patience=patience,
        budget=budget,
        growth=growth,
        seed=seed,
    )
    asked = np.zeros((n, k), dtype=bool)
    while batch := race.next():
        for arm, items in batch.items():
            for item in items:
                score = float(matrix[int(item), int(arm)])
                race.tell(arm, item, None if math.isnan(score) else score)
                asked[int(item), int(arm)] = True
    end = race.standing()
    return Replay(end, None if end.leader is None else int(end.leader), asked)


def _amounts(name: str, given: Sequence[float] | None, default: float, k: int) -> Floats:
    amounts = np.full(k, default) if given is None else np.asarray(given, dtype=np.float64)
    _require(amounts.shape == (k,), f"{name} have shape {amounts.shape}, not ({k},)")
    _require(bool(np.all((amounts >= 0) & np.isfinite(amounts))), f"{name} must be finite, >= 0")
    return amounts


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)
