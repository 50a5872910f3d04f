"""Racing: find the best of several arms with few items, stopping when the choice is settled.

All arms that may still win answer a growing random sample of the same items and are compared on
what both answered. An arm's value is its score less ``cost_weight`` times its cost of use. Another
arm than the leader can't win

- when it lost too often to whoever led: it is out for good;
- when its value is certainly no more than ``margin`` above the leader's: it is out against that
  leader (``contest`` has both, and the guarantee, of probability 1 - ``delta``);
- per dollar: when to be certain would cost more than ``patience`` allows, and it is among those
  that save most money per point of expected regret, as long as the regret of all arms so left
  aside stays within ``tolerance``. An expensive arm's items are bought only when what they
  would tell is worth it.

A new leader brings back those not out against it, from where they stopped. The race is "settled"
when everyone else is out; with ``tolerance`` 0 nothing is left aside. It is "too close to call"
when another arm is certainly within the margin of the leader either way, when arms were left
aside, or when items or budget ended it. In the last two cases what the choice risks is an estimate
(``regret``), not bounded by ``delta``.

The defaults: a point doesn't matter; certainty about an arm is worth a quarter of the full price
of an average arm; beyond that, a tenth of a point of expected regret may stay.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from tools.methods import betting
from tools.methods.contest import Contest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tools.methods.contest import Rival

    Floats = NDArray[np.float64]

Verdict = Literal["racing", "settled", "too close to call"]
Ended = Literal["", "certain", "not worth it", "budget", "no items left"]


@dataclass(frozen=True)
class Standing:
    """Where a race is.

    ``leader``: None while nothing is known. ``contenders``: arms that may be better than the
    leader by more than the margin, closest first. ``level``: arms certainly within the margin of
    the leader either way. ``eliminated``: arms out for good. ``regret``: points in [0, 1] that
    stopping now is expected to lose against the contenders, infinite while unknown. ``asked``:
    answers told of each arm, missing ones included. ``spent``: their price.
    """

    leader: str | None
    verdict: Verdict
    ended: Ended
    contenders: tuple[str, ...]
    level: tuple[str, ...]
    eliminated: tuple[str, ...]
    regret: float
    asked: dict[str, int]
    spent: float


@dataclass(frozen=True)
class Difference:
    """Mean of one arm minus another on the n items both answered; NaN when there is none.

    ``low`` and ``high``: its confidence sequence. ``p``: two-sided, against a difference of 0,
    valid at any stopping time (the inverse of the most wealth ever won by betting against it).
    """

    mean: float
    low: float
    high: float
    n: int
    p: float


class Race:
    """A race as a state machine: ``next`` says what to measure, ``tell`` takes what came of it.

    Its state is a function of what was told, in whatever order: after a crash, tell a new race
    of the same arguments everything that is kept and it goes on where the old one was. (A
    withdrawal is no result: what was planned before it can't be told from what was told.)
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
        tolerance: float = 0.001,
        patience: float = 0.25,
        budget: float = math.inf,
        population: float | None = None,
        first: int = 8,
        growth: float = 1.15,
        seed: int = 0,
    ) -> None:
        """Start, or start again.

        Args:
            arms: distinct names; of equal ones the first leads.
            items: distinct names, the same for all arms; drawn in an order made from ``seed``.
                Items of several benchmarks go in together, in proportion to their weights.
            prices: of one item for each arm, in any unit, not negative; none: 1 each.
            costs: of use for each arm, in any unit, not negative; none: 0 each.
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
            growth: how many times as many items an arm has after a round. Looks are free but for
                starting the arms again: on AlpacaEval 1.5 took a seventh more items than 1.15,
                and 2 a third more, in far fewer rounds.
            seed: of the order of items.

        Raises:
            ValueError: what doesn't fit or is out of its range.
        """
        self._arms, self._items = tuple(arms), tuple(items)
        k, n = len(self._arms), len(self._items)
        _require(k > 0, "a race needs an arm")
        _require(len(set(self._arms)) == k, "two arms have the same name")
        _require(len(set(self._items)) == n, "two items have the same name")
        about = float(n if population is None else population)
        _require(about >= n, f"a population of {population} has no {n} items")
        _require(0 < delta < 1, f"delta must lie between 0 and 1, not {delta}")
        for name, value in (("margin", margin), ("tolerance", tolerance)):
            _require(0 <= value <= 1, f"{name} must lie in [0, 1], not {value}")
        for name, value in (("patience", patience), ("budget", budget)):
            _require(value >= 0, f"{name} must not be negative, not {value}")
        _require(
            0 <= cost_weight < math.inf, f"cost_weight must be finite, >= 0, not {cost_weight}"
        )
        fits = first >= 1 and 1 < growth < math.inf
        _require(fits, f"first must be at least 1, growth more, not {first} and {growth}")
        self._prices = _amounts("prices", prices, 1.0, k)
        handicap = cost_weight * _amounts("costs", costs, 0.0, k)
        self._contest = Contest(n, handicap, population=about, delta=delta, margin=margin)
        self._delta, self._population = delta, about
        self._tolerance, self._patience, self._budget = tolerance, patience, budget
        self._first, self._growth = first, growth
        self._order = np.random.default_rng(seed).permutation(n)
        self._place = {self._items[item]: place for place, item in enumerate(self._order)}
        self._row = {arm: row for row, arm in enumerate(self._arms)}
        self._told = np.zeros((k, n), dtype=bool)
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
        row, scores = self._known(arm), self._contest.scores
        _require(item in self._place, f"no item is called {item!r}")
        place = self._place[item]
        ranged = score is None or 0 <= score <= 1
        _require(ranged, f"{arm} on {item}: a score lies in [0, 1] or is None, not {score}")
        value = math.nan if score is None else float(score)
        if self._told[row, place]:
            same = np.array_equal(scores[row, place], value, equal_nan=True)
            _require(same, f"{arm} on {item}: told {scores[row, place]} before, now {value}")
            return
        scores[row, place], self._told[row, place] = value, True
        if place < self._batch.get(row, 0):
            self._go_on()

    def withdraw(self, arm: str) -> None:
        """Measure no more of an arm that can't be measured; it neither leads nor contends."""
        row = self._known(arm)
        self._contest.withdraw(row)
        self._batch.pop(row, None)
        if self._batch:
            self._go_on()
        else:
            self._plan()

    def standing(self) -> Standing:
        """Who leads, what is open, what it took."""
        leader = self._contest.leader()
        rivals = [] if leader is None else self._contest.rivals(leader)
        regret = math.inf if leader is None else float(sum(rival.regret for rival in rivals))
        level = [] if leader is None else self._contest.level(leader)
        settled = self._ended == "certain" and not level
        asked = self._told.sum(axis=1)
        return Standing(
            None if leader is None else self._arms[leader],
            "racing" if self._batch else "settled" if settled else "too close to call",
            self._ended,
            tuple(self._arms[one.row] for one in sorted(rivals, key=lambda one: -one.regret)),
            tuple(self._arms[row] for row in level),
            tuple(self._arms[row] for row in np.flatnonzero(self._contest.out)),
            regret,
            dict(zip(self._arms, asked.tolist(), strict=True)),
            float(self._prices @ asked),
        )

    def difference(self, a: str, b: str) -> Difference:
        """Score of ``a`` minus score of ``b``; the sequence ever misses it with chance delta."""
        d = self._contest.differences(self._known(a), self._known(b))
        low, high = betting.bounds(d, self._delta / 2, self._population)
        wealth = max(
            float(betting.log_wealth(side, 0.0, self._population).max(initial=0.0))
            for side in (d, -d)
        )
        p = min(1.0, 2.0 * math.exp(-wealth))
        return Difference(float(d.mean()) if d.size else math.nan, low, high, d.size, p)

    def _known(self, arm: str) -> int:
        _require(arm in self._row, f"no arm is called {arm!r}")
        return self._row[arm]

    def _go_on(self) -> None:
        """Let every batch count that is complete, and plan until one is not."""
        while self._batch and all(self._told[r, :upto].all() for r, upto in self._batch.items()):
            self._contest.advance(self._batch)
            self._plan()

    def _plan(self) -> None:
        """What to measure next, from the items that count so far: ``_batch``, or why not."""
        self._batch, self._ended = {}, ""
        leader = self._contest.leader()
        if leader is None:
            rows = np.flatnonzero(self._contest.alive).tolist()
        else:
            rivals = self._contest.rivals(leader)
            rows = self._worth_it(leader, rivals)
            if not rows:
                self._ended = "not worth it" if rivals else "certain"
                return
            rows = sorted([*rows, leader])
        self._batch, self._ended = self._round(rows)

    def _worth_it(self, leader: int, rivals: Sequence[Rival]) -> list[int]:
        """Rows of the rivals to pursue; the others are left aside."""
        seen, most = self._contest.seen, len(self._items)

        def price(rival: Rival) -> float:
            rows = [rival.row, leader]
            more = np.maximum(min(rival.items, most) - seen[rows], 0)
            return float(more @ self._prices[rows])

        prices = {rival.row: price(rival) for rival in rivals}
        allowed = self._patience * most * float(self._prices.mean())
        hard = [one for one in rivals if prices[one.row] > allowed]
        left, aside = self._tolerance, set()
        for one in sorted(hard, key=lambda one: one.regret / prices[one.row]):
            if one.regret <= left and self._tolerance > 0:
                left -= one.regret
                aside.add(one.row)
        return [one.row for one in rivals if one.row not in aside]

    def _round(self, rows: Sequence[int]) -> tuple[dict[int, int], Ended]:
        """More items for those of the ``rows`` that have fewest, as far as the budget goes."""
        seen, most = self._contest.seen, len(self._items)
        least = min((int(seen[row]) for row in rows), default=most)
        if least == most:
            return {}, "no items left"
        ahead = [int(seen[row]) for row in rows if seen[row] > least]
        upto = min(most, max(self._first, math.ceil(least * self._growth)), *ahead)
        behind = [row for row in rows if seen[row] == least]
        price = float(self._prices[behind].sum())
        left = max(self._budget - float(self._prices @ seen), 0.0)
        if price * (upto - least) > left:
            upto = least + math.floor(left / price + 1e-9)  # a rounded cent is no item less
        return (dict.fromkeys(behind, upto), "") if upto > least else ({}, "budget")


def _amounts(name: str, given: Sequence[float] | None, default: float, k: int) -> Floats:
    amounts = np.full(k, default) if given is None else np.asarray(given, dtype=np.float64)
    _require(amounts.shape == (k,), f"{name} have shape {amounts.shape}, not ({k},)")
    _require(bool(np.all((amounts >= 0) & np.isfinite(amounts))), f"{name} must be finite, >= 0")
    return amounts


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)
