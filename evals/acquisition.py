"""What the right choice costs when scores are bought one by one, replayed on complete blocks.

    python -m evals.acquisition --data DIR [--opencompass 6] [--mteb 2] [--jobs 8] --json

Blocks, worlds and jobs: ``evals.acquisition_blocks``; policies: ``evals.acquisition_policies``.

The *cost share* of a policy is the smallest share of the price of all missing cells of a job
from which on, at every larger share too, at least 95 % of jobs end with a regret of at most one
point. All jobs get the same share. ``mirror`` also stops by itself: ``at_stop`` is the mean share
spent and the part of jobs within a point (``hit``) at its stated probability; ``stopping`` the
same for other probabilities. Baselines have no rule to stop.

All but ``regression`` choose by Mirror's belief, given what they bought. ``halving``,
``herd_predicted`` and ``herd_reranked`` rank by it as well, so they differ from ``mirror`` only in
what they buy; ``herd`` ranks as the paper does, without predictions. ``best_baseline_cost_share``
is the least of all; ``best_plain_baseline_cost_share`` of those that don't rank by the belief.

``acquisition`` on top repeats, at uniform prices, cost share, best baseline and ``hit`` at the
stop of each block, and of the block where ``mirror`` costs most.

Intervals: 95 % bootstraps over jobs. Jobs of one world are not independent, so they are narrow; and
below 20 jobs the cost share is that of the worst job, beyond which no bootstrap reaches.

Ranking rule, scaling of the belief, freedom and stop were chosen on OpenCompass worlds 0-14;
reported are OpenCompass worlds from 100 and MTEB, which nothing was chosen on.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from evals import acquisition_blocks
from evals.acquisition_policies import BASELINES, PLAIN, SHARES, TOLERANCE, Replay, Trace, mirror
from tools.methods.acquisition import STOP

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from evals.acquisition_blocks import Block

    Floats = NDArray[np.float64]

FIRST_WORLD = 100
WANTED = 0.95
STOPS = (0.2, 0.1, 0.05, 0.03, 0.02, 0.01)
LEAST_STOP = 0.005
RESAMPLES = 1000


def cost_share(regrets: Floats) -> float:
    """From regrets (jobs, SHARES): the share from which on ``WANTED`` of jobs hit; NaN: none."""
    misses = np.flatnonzero((regrets <= TOLERANCE).mean(0) < WANTED)
    first = misses[-1] + 1 if misses.size else 0
    return float(SHARES[first]) if first < len(SHARES) else float("nan")


def with_interval(regrets: Floats) -> dict[str, float | list[float]]:
    """Cost share and its bootstrap interval over jobs."""
    rng = np.random.default_rng(0)
    again = [
        cost_share(regrets[rng.integers(len(regrets), size=len(regrets))]) for _ in range(RESAMPLES)
    ]
    return {
        "cost_share": cost_share(regrets),
        "interval": [float(np.nanquantile(again, q)) for q in (0.025, 0.975)],
    }


def curve(regrets: Floats) -> list[tuple[float, float, float]]:
    """(share, mean regret, 95th percentile of regret) in points."""
    high = np.quantile(regrets, 0.95, axis=0)
    return [
        (float(s), round(float(m), 3), round(float(h), 3))
        for s, m, h in zip(SHARES, regrets.mean(0), high, strict=True)
    ]


def at_stop(traces: list[Trace], stop: float) -> dict[str, float | list[float]]:
    """Mean and 95th percentile of the share spent, its bootstrap interval, hits, mean regret."""
    spent, regret = np.array([trace.stopped(stop) for trace in traces]).T
    rng = np.random.default_rng(0)
    means = spent[rng.integers(len(spent), size=(RESAMPLES, len(spent)))].mean(1)
    return {
        "cost_share": float(spent.mean()),
        "interval": [float(np.quantile(means, q)) for q in (0.025, 0.975)],
        "p95_share": float(np.quantile(spent, 0.95)),
        "hit": float(np.mean(regret <= TOLERANCE)),
        "mean_regret": float(regret.mean()),
    }


def measure(block: Block, first: int, worlds: int, each: int) -> dict[str, Any]:
    """All figures of a block, for uniform prices and for prices in proportion to size."""
    jobs = list(acquisition_blocks.jobs(block, range(first, first + worlds), each))
    found: dict[str, Any] = {"shape": list(block.scores.shape), "jobs": len(jobs)}
    for label, by_size in (("uniform", False), ("by_size", True)):
        replays = [Replay.of(job, by_size=by_size) for job in jobs]
        began = time.perf_counter()
        traces = [mirror(replay, LEAST_STOP) for replay in replays]
        seconds = (time.perf_counter() - began) / len(jobs)
        regrets = {"mirror": np.array([trace.at(SHARES) for trace in traces])} | {
            name: np.array([policy(replay, k) for k, replay in enumerate(replays)])
            for name, policy in BASELINES.items()
        }
        shares = {name: with_interval(values) for name, values in regrets.items()}
        found[label] = {
            "policies": shares,
            "best_baseline_cost_share": least(shares, tuple(BASELINES)),
            "best_plain_baseline_cost_share": least(shares, PLAIN),
            "at_stop": at_stop(traces, STOP),
            "stopping": {str(stop): at_stop(traces, stop) for stop in STOPS},
            "seconds_a_job": seconds,
            "curves": {name: curve(values) for name, values in regrets.items()},
        }
    return found


def headline(blocks: dict[str, dict[str, Any]]) -> dict[str, object]:
    """Of each block at uniform prices; on top the block where ``mirror`` costs most."""
    each = {
        name: {
            "cost_share": found["uniform"]["policies"]["mirror"]["cost_share"],
            "best_baseline_cost_share": found["uniform"]["best_baseline_cost_share"],
            "hit": found["uniform"]["at_stop"]["hit"],
        }
        for name, found in blocks.items()
    }
    worst = max(each.values(), key=lambda one: np.nan_to_num(one["cost_share"], nan=np.inf))
    return worst | each


def least(shares: dict[str, dict[str, float | list[float]]], names: tuple[str, ...]) -> float:
    """The smallest cost share of these policies."""
    return float(np.nanmin([shares[name]["cost_share"] for name in names]))


def main() -> None:
    """Print the figures as one JSON line, or indented without ``--json``."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--opencompass", type=int, default=6, help="worlds")
    parser.add_argument("--mteb", type=int, default=2, help="worlds")
    parser.add_argument("--jobs", type=int, default=8, help="jobs of each world")
    parser.add_argument("--first", type=int, default=FIRST_WORLD, help="seed of the first world")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if args.opencompass + args.mteb < 1 or min(args.opencompass, args.mteb) < 0 or args.jobs < 1:
        parser.error("name at least one world and one job of each")
    blocks = {
        name: measure(getattr(acquisition_blocks, name)(args.data), args.first, worlds, args.jobs)
        for name, worlds in (("opencompass", args.opencompass), ("mteb", args.mteb))
        if worlds
    }
    found = {"acquisition": headline(blocks)} | blocks
    print(json.dumps(found, indent=None if args.json else 2))


if __name__ == "__main__":
    main()
