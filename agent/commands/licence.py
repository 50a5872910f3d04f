"""``mirror licence``: what a model's licence and those of all its ancestors allow, link by link.

A reading aid, not legal advice: the licence texts decide.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from memory.registry import Registry
from tools.lineage.licence_chain import USES, read

if TYPE_CHECKING:
    import argparse

    from agent.settings import Settings
    from tools.lineage.licence_chain import Link, Reading
    from tools.methods.licences import Permission

NOT_ALLOWED = 4
VERDICTS = {True: "allowed", False: "not allowed", None: "unknown"}
STYLES = {True: "green", False: "red", None: "yellow"}


def run(args: argparse.Namespace, settings: Settings) -> int:
    """0 when every use asked for is allowed, else 4; ``BadRequest`` for a model nobody knows."""
    reading = read(args.model, Registry.at_home(settings.home, settings.cache))
    uses = list(dict.fromkeys(args.uses)) or list(USES)
    if args.json:
        sys.stdout.write(json.dumps(_facts(reading, uses)) + "\n")
    else:
        _print(reading, uses)
    refused = any(not reading.permissions[use].allowed for use in args.uses)
    return NOT_ALLOWED if refused else 0


def _facts(reading: Reading, uses: list[Any]) -> dict[str, Any]:
    return {
        "model": reading.model,
        "verdict": reading.category,
        "clauses": list(reading.clauses),
        "chain": [
            {
                "model": link.model,
                "relation": link.relation,
                "licence": link.licence,
                "in_registry": link.listed,
                "clauses": None if link.clauses is None else list(link.clauses),
            }
            for link in reading.chain
        ],
        "uses": {use: _permission(reading.permissions[use]) for use in uses},
    }


def _permission(found: Permission) -> dict[str, Any]:
    return {
        "verdict": VERDICTS[found.allowed],
        "reason": found.reason,
        "mind": list(found.warnings),
    }


def _print(reading: Reading, uses: list[Any]) -> None:
    from rich.console import Console
    from rich.markup import escape

    console = Console(soft_wrap=True, highlight=False)
    clauses = f": {', '.join(reading.clauses)}" if reading.clauses else ""
    console.print(f"[bold]{escape(reading.model)}[/]  {reading.category}{clauses}")
    for link in reading.chain:
        console.print("  " + escape(_line(link)))
    for use in uses:
        found = reading.permissions[use]
        verdict = f"[{STYLES[found.allowed]}]{VERDICTS[found.allowed]}[/]"
        console.print(f"{use} use: {verdict}, {escape(found.reason)}")
        for warning in found.warnings:
            console.print(f"  [dim]mind: {escape(warning)}[/]")
    console.print("[dim]A reading aid, not legal advice: the licence texts decide.[/]")


def _line(link: Link) -> str:
    who = f"{link.relation} of {link.model}" if link.relation else "itself"
    if not link.listed:
        return f"{who}: not in the registry, so its licence is unknown"
    if link.licence is None:
        return f"{who}: no licence stated, so it is unknown"
    if link.clauses is None:
        return f"{who}: {link.licence}, whose terms are not known"
    return f"{who}: {link.licence}, {'; '.join(link.forces) or 'permissive'}"
