"""``mirror experiment``: MSM's first experiments, on this installation's facts and scores."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from agent import wiring
from memory.errors import BadRequest
from memory.registry import Registry
from tools.request.requirements import read_request

if TYPE_CHECKING:
    import argparse

    from agent.settings import Settings

SHOWN = 20
"""Benchmarks drawn; --json gives them all."""


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Run one experiment; raises ``MirrorError`` with the line for the person."""
    verbs = {"constraints": _constraints, "signals": _signals, "sensitivity": _sensitivity}
    facts, lines = verbs[args.verb](args, settings)
    if args.json:
        sys.stdout.write(json.dumps(facts) + "\n")
    else:
        sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


def _constraints(args: argparse.Namespace, settings: Settings) -> tuple[dict[str, Any], list[str]]:
    from tools.experiments.calibration import calibrate

    found = calibrate(
        args.good, read_request(args.request), Registry.at_home(settings.home, settings.cache)
    )
    lines = []
    for one in found.checked:
        why = "; ".join(f"{constraint}: {reason}" for constraint, reason in one.failures)
        lines.append(f"{'passes' if not why else 'removed':<9}{one.model}  {why}".rstrip())
    lines.append(f"{found.passing} of {len(found.checked)} known-good models pass")
    for name, n in found.removes.items():
        lines.append(f"{name} removes {n}, {found.alone.get(name, 0)} of them alone")
    return asdict(found) | {"passing": found.passing}, lines


def _signals(args: argparse.Namespace, settings: Settings) -> tuple[dict[str, Any], list[str]]:
    from tools.experiments.signals import correlate, medians

    with closing(wiring.scores(settings)) as scores:
        observed = scores.observations(None, args.benchmark)
    found = correlate(observed, Registry.at_home(settings.home, settings.cache), args.models)
    if not found:
        raise BadRequest(
            f"No benchmark has {args.models} models with a score and such a signal; import scores "
            "(mirror scores import), or sync the registry."
        )
    middle = medians(found)
    lines = ["rank correlation (Spearman, 90 % interval), most models first"]
    for one in sorted(found, key=lambda one: -one.n)[:SHOWN]:
        lines.append(
            f"{one.rho:+.2f} ({one.low:+.2f} to {one.high:+.2f})  {one.signal:<12} "
            f"{one.benchmark}, {one.n} models  [{one.protocol}]"
        )
    if len(found) > SHOWN:
        lines.append(f"and {len(found) - SHOWN:,} more; --json gives them all")
    for name, (rho, n) in middle.items():
        lines.append(f"median over {n} benchmarks: {name} {rho:+.2f}")
    return {
        "correlations": [asdict(one) for one in found],
        "medians": {name: {"rho": rho, "benchmarks": n} for name, (rho, n) in middle.items()},
    }, lines


def _sensitivity(args: argparse.Namespace, settings: Settings) -> tuple[dict[str, Any], list[str]]:
    from tools.experiments.sensitivity import sensitivity

    deps = wiring.deps(settings)
    try:
        asked, *dropped = sensitivity(read_request(args.request), deps)
    finally:
        deps.ledger.close()
    lines = [f"as asked: {asked.survivors:,} models, first {asked.top[0] if asked.top else 'none'}"]
    if not dropped:
        lines.append("The request states no constraint to drop.")
    for one in dropped:
        same = one.top[:1] == asked.top[:1]
        change = "the top stays" if same else f"the top becomes {(one.top or ('none',))[0]}"
        lines.append(
            f"without {one.dropped}: {one.survivors - asked.survivors:+,} models; {change}; "
            f"{asked.stay(one)} of {len(asked.top)} stay in the shortlist"
        )
    facts = [
        asdict(one)
        | {
            "gain": one.survivors - asked.survivors,
            "top_changes": one.top[:1] != asked.top[:1],
            "stay": asked.stay(one),
        }
        for one in dropped
    ]
    return {"asked": asdict(asked), "dropped": facts}, lines
