"""What answers so far say of arms in a race: who leads, who is out, who may still win.

Guarantee. Whenever one stops and however often one looked, with probability at least 1 - δ no
leader whose rivals are all out or closed is more than ``margin`` below the best. Either the best
arm was eliminated (``elimination``, level 9/10 δ), or its confidence sequence against one of the
k - 1 arms that could lead failed (``betting``, level 1/10 δ / (k - 1)). It holds for the mean over
``population`` items of which those asked are a random sample, with answers missing at random; a
missing answer is left out of the pair, never scored.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tools.methods import betting, elimination
from tools.methods.regret import expected_regret

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

# Of δ: what elimination may use. The rest is for pairs, which it leaves only where arms are close.
ELIMINATION = 0.9


@dataclass(frozen=True)
class Rival:
    """An arm that may be better than the leader by more than the margin.

    ``regret``: points in [0, 1] that taking the leader is expected to lose against it. ``items``:
    how many it is likely to take in all until it is out, infinite when it doesn't look like it.
    """

    row: int
    regret: float
    items: float


class Contest:
    """k arms on n items in random order, of which the first ``seen`` of each arm count.

    ``scores`` (k, n), NaN where there is no answer. ``alive`` (k,): not withdrawn. ``out`` (k,):
    eliminated. ``handicap`` (k,): taken off each mean score to give its value.
    """

    def __init__(
        self, n: int, handicap: Floats, *, population: float, delta: float, margin: float
    ) -> None:
        k = handicap.size
        self.scores = np.full((k, n), np.nan)
        self.seen = np.zeros(k, dtype=np.intp)
        self.alive = np.ones(k, dtype=bool)
        self.out = np.zeros(k, dtype=bool)
        self._handicap, self._population, self._margin = handicap, population, margin
        self._led = np.full(n, elimination.NOBODY)  # who led before each item
        self._losses: dict[int, Floats] = {row: np.empty(0) for row in range(k)}
        self._enough_out = -math.log(ELIMINATION * delta)
        self._enough_pair = -math.log((1 - ELIMINATION) * delta / max(k - 1, 1))

    def advance(self, upto: dict[int, int]) -> None:
        """Let the first items of each row count, ``upto`` how many; then put out who has lost."""
        front = int(self.seen.max())
        for row, items in upto.items():
            self.seen[row] = items
        end = int(self.seen.max())
        if end > front:
            rows = np.array(sorted(row for row in upto if self.seen[row] == end))
            led = elimination.leaders(self.scores[rows, :end], self._handicap[rows])[front:end]
            self._led[front:end] = np.where(led < 0, led, rows[led])
        self._eliminate()

    def withdraw(self, row: int) -> None:
        """Take an arm out, and with it what others lost to it.

        The guarantee is then for the arms that stay, if its scores weren't the reason.
        """
        self.alive[row] = False
        self.out[:] = False
        self._eliminate()

    def leader(self) -> int | None:
        """The row measured furthest, of those the best, then the first; None: nothing is known."""
        rows = self._remaining()
        if len(rows) == 1:
            return rows[0]
        value = {row: self._value(row) for row in rows}
        return max(
            (row for row in rows if not math.isnan(value[row])),
            key=lambda row: (self.seen[row], value[row], -row),
            default=None,
        )

    def rivals(self, leader: int) -> list[Rival]:
        """Every arm that isn't certain to be within the margin of the leader."""
        found = (self._rival(row, leader) for row in self._remaining() if row != leader)
        return [rival for rival in found if rival is not None]

    def level(self, leader: int) -> list[int]:
        """Rows certainly within the margin of the leader either way; the guarantee is per pair."""
        rows = [row for row in self._remaining() if row != leader]
        pairs = [(self._pair(row, leader), self._pair(leader, row)) for row in rows]
        return [
            row
            for row, pair in zip(rows, pairs, strict=True)
            if all(log.max(initial=-math.inf) >= self._enough_pair for log in pair)
        ]

    def differences(self, a: int, b: int) -> Floats:
        """``a`` minus ``b`` on the items both have answered, in order."""
        both = min(self.seen[a], self.seen[b])
        d = self.scores[a, :both] - self.scores[b, :both]
        return np.asarray(d[~np.isnan(d)])

    def _remaining(self) -> list[int]:
        return [int(row) for row in np.flatnonzero(self.alive & ~self.out)]

    def _value(self, row: int) -> float:
        scores = self.scores[row, : self.seen[row]]
        answers = scores[~np.isnan(scores)]
        return float(answers.mean() - self._handicap[row]) if answers.size else math.nan

    def _eliminate(self) -> None:
        self._losses = {row: self._lost(row) for row in self._remaining()}
        lost = {row: log.max(initial=-math.inf) for row, log in self._losses.items()}
        out = [row for row in lost if lost[row] >= self._enough_out]
        # Each could have lost while another led; whoever lost least stays.
        spared = min(out, key=lost.__getitem__) if out and len(out) == len(lost) else None
        self.out[[row for row in out if row != spared]] = True

    def _lost(self, row: int) -> Floats:
        """Log wealth of the gambler against "this row is best", bet by bet."""
        upto = int(self.seen[row])
        led = self._led[:upto]
        led = np.where(self.alive[led], led, elimination.NOBODY)
        scores = self.scores[:, :upto]
        return elimination.log_wealth(row, scores, led, self._handicap, self._population)

    def _pair(self, row: int, other: int) -> Floats:
        """Log wealth of the gambler against "row is better by the margin or more"."""
        bound = self._behind(row, other) + self._margin
        if bound > 1:
            return np.array([math.inf])
        return betting.log_wealth(self.differences(row, other), bound, self._population)

    def _behind(self, row: int, other: int) -> float:
        return float(self._handicap[row] - self._handicap[other])

    def _rival(self, row: int, leader: int) -> Rival | None:
        pair = self._pair(row, leader)
        if pair.max(initial=-math.inf) >= self._enough_pair:
            return None
        items = min(
            _forecast(pair, self._enough_pair), _forecast(self._losses[row], self._enough_out)
        )
        d, behind = self.differences(row, leader), self._behind(row, leader)
        return Rival(row, expected_regret(d, behind, self._population), items)


def _forecast(log: Floats, enough: float) -> float:
    """Items at which the evidence will do: it grows with them, after the price of all bets."""
    start = math.log(betting.BETS.size)
    grown = (float(log[-1]) if log.size else -math.inf) + start
    return log.size * (enough + start) / grown if grown > 0 else math.inf
