"""Elimination: an arm that were best could not keep losing to whoever leads.

For each arm a gambler bets, item after item, that it scores below the arm that led on the items
before. Were the arm best, every such bet would be unfair to the gambler, whoever leads and
however the leader changes; so its wealth ever reaches 1/α with probability at most α. Only one
arm has to be protected, the best, so α is not divided by the number of arms: that is what makes
this cheaper than comparing pairs, and leaves pairs for arms too close to be told apart.
The bets are those of ``betting`` (Waudby-Smith & Ramdas 2024); the opponent that changes with the
past is ours. It is valid because the leader before an item is a function of earlier items.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tools.methods import betting

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

NOBODY = -1


def leaders(scores: Floats, handicap: Floats) -> NDArray[np.intp]:
    """Who leads before each item and after the last, by the mean of earlier answers.

    Args:
        scores: (k, n) in the random order of items, NaN where there is no answer.
        handicap: (k,) taken off each mean.

    Returns (n + 1,) rows, ``NOBODY`` while nothing is answered; of equal arms the first.
    """
    answered = ~np.isnan(scores)
    count = np.cumsum(answered, axis=1)
    total = np.cumsum(np.where(answered, scores, 0.0), axis=1)
    value = np.where(count > 0, total / np.maximum(count, 1) - handicap[:, None], -np.inf)
    led = np.where(np.isfinite(value).any(axis=0), np.argmax(value, axis=0), NOBODY)
    return np.concatenate([[NOBODY], led]).astype(np.intp)


def log_wealth(
    row: int, scores: Floats, led: NDArray[np.intp], handicap: Floats, population: float
) -> Floats:
    """Log wealth against "arm ``row`` is best" after each bet on its first n items.

    Args:
        row: the arm.
        scores: (k, n) in the random order of items; opponents have answered wherever they led.
        led: (n,) the opponent on each item; none where it is ``NOBODY`` or the arm itself.
        handicap: (k,) taken off each mean.
        population: how many items there are in all.
    """
    d, price = np.full(led.size, np.nan), np.full(led.size, np.nan)
    for other in np.setdiff1d(led, [NOBODY, row]):
        pair = scores[row] - scores[other]
        both = np.flatnonzero(~np.isnan(pair))
        fair = betting.fair(pair[both], float(handicap[row] - handicap[other]), population)
        bet = led[both] == other
        d[both[bet]], price[both[bet]] = pair[both[bet]], fair[bet]
    placed = ~np.isnan(d)
    return betting.wealth_of(d[placed], price[placed])


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    right = (rng.random((4, 300)) < [[0.5], [0.55], [0.6], [0.8]]).astype(float)
    even = np.zeros(4)
    before = leaders(right, even)[:-1]
    for arm in range(4):
        log = log_wealth(arm, right, before, even, 300)
        out = np.flatnonzero(log >= np.log(10))
        print(f"arm {arm}:", f"out after {out[0] + 1} bets" if out.size else "never out")  # noqa: T201
