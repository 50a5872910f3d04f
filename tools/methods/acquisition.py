"""Acquisition: which score to buy next, so that the final choice improves most for a dollar.

``tools.methods.choice`` says what one score could change. Cells are *ranked* by something else: a
cell that weighs a tenth often can't change the choice alone, though the whole row can, so the
knowledge gradient is 0 everywhere while doubt remains. The rank is the opportunity cost a cell
removes: the sum over rivals i of E[max(s_i - s_best, 0)] (the Bonferroni bound of Chick & Inoue,
Operations Research 49(5), 2001), before minus after the cell is known, per dollar. It also ranks
the cells of a batch, which is bought before any outcome is seen.

Buying stops when all affordable cells together would change the choice with less than a stated
probability. The paper's own policy is here as ``herd_cells``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import ArrayLike, NDArray

    from tools.methods.choice import Choice

    Floats = NDArray[np.float64]
    Ints = NDArray[np.intp]
    Cell = tuple[int, int]

STOP = 0.05


@dataclass(frozen=True)
class Purchase:
    """A cell worth buying, at ``price`` dollars.

    ``chance``: that its score alone changes the choice. ``gain``: by how much it is expected to
    improve the chosen model's s. ``per_dollar``: opportunity cost it removes for a dollar, which
    set the order; infinite where it is free.
    """

    cell: Cell
    price: float
    chance: float
    gain: float
    per_dollar: float


@dataclass(frozen=True)
class Advice:
    """Cells in the order to buy them, and why there are no more.

    ``chance``: that all of them together change the choice. ``doubt``: the same of everything
    that each alone is affordable; when it is below the stated probability, nothing is bought.
    """

    purchases: tuple[Purchase, ...]
    chance: float
    doubt: float
    stopped: str

    @property
    def cells(self) -> list[Cell]:
        """The cells alone, in order."""
        return [purchase.cell for purchase in self.purchases]


def next_cells(
    choice: Choice,
    prices: ArrayLike,
    budget: float,
    *,
    stop: float = STOP,
    limit: int | None = None,
    seed: int = 0,
) -> Advice:
    """The cells worth buying for at most ``budget`` dollars, in order, before any is measured.

    Args:
        choice: what is to be chosen and what is believed.
        prices: (M, B) dollars of each cell; inf where it can't be bought. Known cells: ignored.
        budget: dollars, may be inf.
        stop: buy nothing more once all affordable cells together, given those already listed,
            would change the choice with less than this probability.
        limit: at most so many cells. With 1, measure it, ``Choice.learn`` and ask again: that is
            ``adapt``, which needs fewer cells than a batch.
        seed: of the draws behind the joint probabilities.

    Raises:
        ValueError: prices of another shape, negative or NaN; a budget that is negative or NaN.
    """
    cost = _checked_prices(choice, prices, budget)
    listed: list[Purchase] = []
    cells: list[Cell] = []
    state, rest = choice, float(budget)
    doubt = choice.changed(_open(choice, cost, rest), None, seed).mean()
    left = doubt
    while len(cells) != limit:
        affordable = _open(state, cost, rest)
        if listed:
            left = state.changed(affordable, choice.foresee(cells, seed), seed).mean()
        removed = state.removed(affordable)
        if left < stop or not removed.any():
            break
        per_dollar = _per_dollar(removed, cost[affordable])
        first = np.lexsort((-removed, -per_dollar))[0]
        place = int(affordable[first])
        cells.append(divmod(place, choice.belief.mean.shape[1]))
        listed.append(
            Purchase(cells[-1], float(cost[place]), *choice.alone(place), float(per_dollar[first]))
        )
        rest -= cost[place]
        cost[place] = np.nan
        state = replace(state, belief=state.belief.settle(cells[-1:], state.noise))
    why = "the limit is reached"
    if len(cells) != limit:
        why = _reason(state, affordable, float(left), stop)
    return Advice(tuple(listed), choice.chance_of_change(cells, seed), float(doubt), why)


def _open(state: Choice, cost: Floats, rest: float) -> Ints:
    """Places of the missing cells that can be paid for."""
    return np.flatnonzero((state.belief.variance.ravel() > 0) & (cost <= rest))


def adapt(
    choice: Choice,
    prices: ArrayLike,
    budget: float,
    measure: Callable[[Cell], float],
    *,
    stop: float = STOP,
    seed: int = 0,
) -> Iterator[tuple[Advice, Choice]]:
    """Buy one cell at a time, and believe anew after each.

    Yields each advice, whose one purchase was made, and the choice after it.

    ``measure`` returns a cell's score; NaN says that it could not be had: nothing is learnt, the
    cell is paid for and not tried again. Other parameters as in ``next_cells``.
    """
    cost = np.array(prices, dtype=np.float64)
    rest = float(budget)
    while (advice := next_cells(choice, cost, rest, stop=stop, limit=1, seed=seed)).purchases:
        bought = advice.purchases[0]
        rest = max(rest - bought.price, 0.0)
        cost[bought.cell] = np.inf
        score = measure(bought.cell)
        if not np.isnan(score):
            choice = choice.learn([bought.cell], [score])
        yield advice, choice


def herd_cells(
    choice: Choice, prices: ArrayLike, budget: float, *, shortlist: int = 10
) -> list[Cell]:
    """The paper's policy: all missing cells of the shortlist, model by model in the order of s.

    RELM section 4.2: the ``shortlist`` models of largest s "with missing entries in P_ij require
    evaluation on the suggested benchmarks". Cells of no weight are not suggested; a model's
    weightiest come first, and a cell beyond what is left of ``budget`` is passed over.
    """
    cost = _checked_prices(choice, prices, budget).reshape(choice.belief.mean.shape)
    missing = choice.belief.variance > 0
    rest, listed = float(budget), []
    for i in np.argsort(-choice.value, kind="stable")[:shortlist]:
        for j in np.argsort(-choice.weights, kind="stable"):
            if missing[i, j] and choice.weights[j] > 0 and cost[i, j] <= rest:
                listed.append((int(i), int(j)))
                rest -= cost[i, j]
    return listed


def _per_dollar(removed: Floats, price: Floats) -> Floats:
    rate = np.full(len(price), np.inf)
    np.divide(removed, price, out=rate, where=price > 0)
    return np.where(removed > 0, rate, 0.0)


def _reason(state: Choice, affordable: Ints, left: float, stop: float) -> str:
    if not (state.belief.variance > 0).any():
        return "every cell is known"
    if not affordable.size:
        return "no missing cell is affordable"
    if left < stop:
        return f"what else is affordable would change the choice with p = {left:.2f} < {stop:g}"
    return "no affordable cell tells anything of the choice"


def _checked_prices(choice: Choice, prices: ArrayLike, budget: float) -> Floats:
    """Dollars of each cell, flat."""
    cost = np.asarray(prices, dtype=np.float64)
    shape = choice.belief.mean.shape
    _require(cost.shape == shape, f"prices have shape {cost.shape}, not {shape}")
    _require(bool(np.all(cost >= 0)), "a price is negative or NaN; inf says: not for sale")
    _require(budget >= 0, f"a budget is a number of dollars, 0 or more, not {budget}")
    return np.where(np.isposinf(cost), np.nan, cost).ravel()  # NaN is never within a budget


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


if __name__ == "__main__":
    from tools.methods.belief import of_intervals
    from tools.methods.choice import Choice

    mean = np.array([[62.0, 57.0], [60.0, 58.0], [45.0, 40.0]])
    off = np.array([[0.0, 8.0], [10.0, 8.0], [10.0, 8.0]])
    doubt = Choice.of(of_intervals(mean, mean - off, mean + off, off == 0), [0.6, 0.4])
    advice = next_cells(doubt, np.full(mean.shape, 0.5), 2.0)
    for bought in advice.purchases:
        print(  # noqa: T201
            f"model {bought.cell[0]} on benchmark {bought.cell[1]}: changes the choice with"
            f" p = {bought.chance:.2f}, worth {bought.gain:.2f} points for ${bought.price:.2f}"
        )
    print(f"together p = {advice.chance:.2f}; then {advice.stopped}")  # noqa: T201
