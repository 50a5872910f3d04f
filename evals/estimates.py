"""How far off estimates of time are: runs done for real on this machine, each left out in turn.

    python -m evals.estimates [--items 8] [--minutes 4] --json

A run loads one arm (the installed SmolLM2-135M at some precision, through transformers) in a
fresh process, probes it and measures items of two of three benchmarks; the ledger meters it as it
does any other. Every arm has every pair of benchmarks. Runs follow one another until all are done
or the time is up.

Compared are seconds of each loading and seconds an item of each benchmark: metered, estimated by
the back end's pace (``raw``), and estimated with what the other runs took (``corrected``).
``medape`` is the median of |estimate - actual| / actual, ``within_range`` the share of actuals
between low and high. ``in_use`` is how good the estimates were that the ledger wrote down before
each run, from the runs before it; the first has none. Left out is a run, but the machine is as busy
in the next one, which flatters the correction; another day's runs may be further off.

The shares and the freedom of ``tools.methods.throughput`` were set after one such evaluation, on
pubmedqa, medmcqa and openbookqa; report another one.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent import settings as environment
from agent import wiring
from memory.records import Approval, BenchmarkChoice, Plan
from tools.herd.measuring import Meter, items, kept
from tools.herd.turns import Turns
from tools.methods.throughput import accuracy
from tools.plans.already_measured import AlreadyMeasured
from tools.plans.estimating import Estimator, track_record
from tools.plans.local_plan import Design, steps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.settings import Settings
    from memory.ledger import Took
    from memory.records import Arm, Forecast
    from tools.deps import Deps, Runner
    from tools.methods.throughput import Accuracy

MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
BENCHMARKS = ("boolq", "medmcqa", "openbookqa")


def measure(k: int, arm: Arm, benchmarks: Sequence[str], n: int, deps: Deps) -> None:
    """Run ``k``: the arm loaded anew, probed, and ``n`` items of each benchmark it has not had."""
    choices = [BenchmarkChoice(task=task, weight=1.0, reason="") for task in benchmarks]
    design = Design((arm,), tuple(choices), n)
    constant = deps.runner.arms([])[0][-1]
    priced = steps(Estimator.of(deps), AlreadyMeasured(deps, k), design, constant, deps)
    plan = Plan(thread="evals", run=f"run {k}", steps=priced, seed=k, cap_usd=1.0)
    approval = Approval(
        plan=plan.hash, decision="approve", by="evals", surface="evals", at=deps.clock().isoformat()
    )
    deps.ledger.record_approval(approval)
    turns = Turns()
    meter = Meter(plan, deps, deps.ledger.open(plan, approval), lambda: None, turns)
    todo = {
        step.benchmark: [i for i in items(step, plan, deps) if i not in kept(step, plan, deps)]
        for step in plan.steps
        if step.arm == arm
    }
    with turns:
        for _ in meter.measure(arm, todo):
            pass


def left_out(history: Sequence[Took], runner: Runner) -> list[tuple[Forecast, Took]]:
    """What each piece of work would have been estimated at, knowing all runs but its own."""
    found = []
    for one in history:
        told = one.forecast
        others = [other for other in history if other.forecast.run != told.run]
        estimator = Estimator(runner, others)
        if told.benchmark is None:
            forecast = estimator.forecast_loading(told.run, told.arm, BENCHMARKS[0], told.what)
        else:
            forecast = estimator.forecast_item(told.run, told.arm, told.benchmark, told.what)
        found.append((forecast, one))
    return found


def figures(pairs: Sequence[tuple[Forecast, Took]]) -> dict[str, float]:
    """Errors of raw and corrected estimates of the same work."""
    told, actual = [forecast for forecast, _ in pairs], [took.seconds for _, took in pairs]
    raw = accuracy(
        [f.raw for f in told], [f.raw_low for f in told], [f.raw_high for f in told], actual
    )
    corrected = accuracy(
        [f.seconds for f in told], [f.low for f in told], [f.high for f in told], actual
    )
    if raw is None or corrected is None:
        raise SystemExit("Nothing was measured.")
    return {
        "n": raw.n,
        "raw_medape": raw.error,
        "corrected_medape": corrected.error,
        "within_range_raw": raw.within,
        "within_range_corrected": corrected.within,
    }


def evaluate(settings: Settings, deps: Deps, n: int, minutes: float) -> dict[str, Any]:
    """All figures, from as many of the runs as fit into ``minutes``."""
    arms = [arm for arm in deps.runner.arms([deps.registry.models[MODEL]])[0] if arm.model == MODEL]
    end = time.monotonic() + 60 * minutes
    runs = 0
    for pair in combinations(BENCHMARKS, 2):
        for arm in arms:
            if time.monotonic() < end:
                runner = wiring.runner(settings, deps.cache)
                try:
                    measure(runs, arm, pair, n, replace(deps, runner=runner))
                finally:
                    runner.close()
                runs += 1
    history = deps.ledger.took()
    pairs = left_out(history, deps.runner)
    return {
        "runs": runs,
        **figures(pairs),
        "items": figures([one for one in pairs if one[0].benchmark is not None]),
        "loading": figures([one for one in pairs if one[0].benchmark is None]),
        "in_use": _as_dict(track_record(history)),
        "work": [
            {
                "what": took.forecast.what,
                "run": took.forecast.run,
                "seconds": took.seconds,
                "raw": told.raw,
                "corrected": [told.low, told.seconds, told.high],
            }
            for told, took in pairs
        ],
        "load_average": os.getloadavg()[1],
    }


def _as_dict(found: Accuracy | None) -> dict[str, float] | None:
    return None if found is None else {"medape": found.error, "within_range": found.within}


def main() -> None:
    """Print the figures as one JSON line, or indented without ``--json``."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--items", type=int, default=8, help="of each benchmark in each run")
    parser.add_argument("--minutes", type=float, default=4.0, help="no run begins after that")
    parser.add_argument("--data", type=Path, help="not used: everything is measured here")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if args.items < 1 or args.minutes <= 0:
        parser.error("name at least one item and some time")
    with tempfile.TemporaryDirectory() as folder:
        home = {"home": Path(folder), "runs": Path(folder, "runs"), "usd_per_hour": 0.01}
        settings = environment.load().model_copy(update=home)
        deps = wiring.deps(settings)
        try:
            found = evaluate(settings, deps, args.items, args.minutes)
        finally:
            deps.ledger.close()
    print(json.dumps({"estimates": found}, indent=None if args.json else 2))


if __name__ == "__main__":
    main()
