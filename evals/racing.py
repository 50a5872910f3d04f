"""How cheaply the best of a pool is found: ``python -m evals.racing --data DIR --json``.

Races are replayed on complete real score matrices (``evals.racing_data``): pools of 9 to 20 of
59 AlpacaEval models, and the nine LLMRouter models, a new order of items each time.

- ``items_saved``, ``money_saved``: 1 - the share of cells, and of their bill, that was looked at;
  means over races. ``hit``: the choice is within 1 point of the best of the pool over all items.
  ``regret``: points lost. ``certain``: races that ended with nobody left aside, so that the
  choice is within 1 point of the best with probability .90; ``settled``: those of them in which
  nobody is level with it either. ``best_eliminated``: the best arm was put out (at most .09 by
  design); ``wrong``: certain, and more than 1 point below the best (at most .10).
- ``rigorous``: the same race told to leave nothing aside (tolerance 0).
- yardsticks: ``random_sample``, ``halving`` and ``ucb_e`` get as many looks as the race took on
  that very pool; ``random_15`` and ``halving_10`` a fixed share; ``two_stage``: 5 % of the items,
  then the best three on all.
- ``ever_excludes``: for a pair from each pool, how often its 90 % confidence sequence excludes
  the true difference at any of all looks (at most .10), and how often mean ± 2 standard errors,
  from the tenth item on, does.

Growth, tolerance, patience, the share of δ for elimination and the bets were chosen on pools of
seeds 0 to 299 of AlpacaEval; figures are on the seeds from 1000, whose pools and orders are
new but whose models are not, and on LLMRouter, on which nothing was chosen. Intervals are 95 %
bootstraps over races.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from evals.racing_data import Scored, alpaca, llmrouter
from memory.errors import MirrorError
from tools.methods import betting
from tools.methods.halving import halving
from tools.methods.random_sample import random_sample
from tools.methods.replay import replay
from tools.methods.two_stage import two_stage
from tools.methods.ucb_e import ucb_e

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Figures = dict[str, float]

FRESH = 1000
POOLS = range(9, 21)
DELTA = 0.10
MARGIN = 0.01


def measure(data: Scored, races: int, first: int = FRESH) -> dict[str, Any]:
    """Every figure of the races of seeds ``first`` on, each method's with its intervals."""
    rows: dict[str, list[Figures]] = {}
    for seed in range(first, first + races):
        pool = _pool(data, seed)
        for method, figures in _race(data, pool, seed).items():
            rows.setdefault(method, []).append(figures)
    report = {method: summary(found) for method, found in rows.items()}
    race = report.pop("race")
    return {**race, "races": races, "models": len(data.names), "priced": data.priced, **report}


def _pool(data: Scored, seed: int) -> NDArray[np.intp]:
    size = min(POOLS[seed % len(POOLS)], len(data.names))
    return np.random.default_rng(seed).permutation(len(data.names))[:size]


def _race(data: Scored, pool: NDArray[np.intp], seed: int) -> dict[str, Figures]:
    scores, bill = data.scores[:, pool], data.bill[:, pool]
    truth = scores.mean(axis=0)
    prices = data.prices[pool].tolist()
    items, cells = len(scores), scores.size

    def judged(arm: int | None, asked: NDArray[np.bool_]) -> Figures:
        lost = float(truth.max() - truth[arm]) if arm is not None else 1.0
        return {
            "items_saved": 1 - float(asked.mean()),
            "money_saved": 1 - float(bill[asked].sum() / bill.sum()),
            "hit": float(lost <= MARGIN + 1e-9),
            "regret": 100 * lost,
        }

    found = {}
    for name, tolerance in (("race", None), ("rigorous", 0.0)):
        given = {} if tolerance is None else {"tolerance": tolerance}
        end = replay(scores, prices=prices, delta=DELTA, margin=MARGIN, seed=seed, **given)
        certain = end.standing.ended == "certain"
        figures = judged(end.arm, end.asked)
        found[name] = figures | {
            "certain": float(certain),
            "settled": float(end.standing.verdict == "settled"),
            "wrong": float(certain and not figures["hit"]),
            "best_eliminated": float(str(truth.argmax()) in end.standing.eliminated),
        }
        if name == "race":
            looks = int(end.asked.sum())
    chosen = {
        "random_sample": random_sample(scores, looks, seed),
        "halving": halving(scores, looks, seed),
        "ucb_e": ucb_e(scores, looks, seed),
        "two_stage": two_stage(scores, round(0.05 * items), seed=seed),
        "random_15": random_sample(scores, round(0.15 * cells), seed),
        "halving_10": halving(scores, round(0.10 * cells), seed),
    }
    found |= {name: judged(choice.arm, choice.asked) for name, choice in chosen.items()}
    return found | {"ever_excludes": ever_excludes(scores[:, 0] - scores[:, 1], seed)}


def ever_excludes(differences: Floats, seed: int) -> Figures:
    """1 or 0: the true mean lies outside at one look or more, by either kind of interval."""
    d = np.random.default_rng(seed).permutation(differences)
    truth, n = float(d.mean()), d.size
    # The last look is the truth itself, which rounding may put on either side.
    enough = -math.log(DELTA / 2)
    betted = any(
        betting.log_wealth(sign * d[:-1], sign * truth, n).max() >= enough for sign in (1.0, -1.0)
    )
    seen = np.arange(1, n + 1)
    mean = np.cumsum(d) / seen
    error = np.sqrt(np.maximum(np.cumsum(d * d) / seen - mean**2, 0) / seen)
    normal = np.abs(mean - truth)[9:-1] > 2 * error[9:-1]
    return {"betting": float(betted), "two_errors": float(normal.any())}


def summary(rows: Sequence[Figures]) -> dict[str, Any]:
    """Mean of each figure, and its 95 % bootstrap interval over races."""
    names = list(rows[0])
    table = np.array([[row[name] for name in names] for row in rows])
    drawn = np.random.default_rng(0).integers(len(table), size=(1000, len(table)))
    low, high = np.percentile(table[drawn].mean(axis=1), [2.5, 97.5], axis=0)
    report: dict[str, Any] = {
        name: round(float(mean), 4) for name, mean in zip(names, table.mean(axis=0), strict=True)
    }
    report["interval"] = {
        name: [round(float(low[i]), 4), round(float(high[i]), 4)] for i, name in enumerate(names)
    }
    return report


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m evals.racing", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--races", type=int, default=300)
    parser.add_argument("--only", choices=["alpaca", "llmrouter"])
    parser.add_argument("--json", action="store_true", help="on one line")
    given = parser.parse_args(arguments)
    parts = {"alpaca": alpaca, "llmrouter": llmrouter}
    try:
        report = {
            name: measure(read(given.data), given.races)
            for name, read in parts.items()
            if given.only in {None, name}
        }
    except MirrorError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(json.dumps(report, indent=None if given.json else 2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
