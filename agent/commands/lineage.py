"""``mirror lineage``: a model's family as a tree, and what it and its nearest inherit from whom."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from memory.registry import Registry
from tools.lineage.inherited import inherited
from tools.lineage.tree import family

if TYPE_CHECKING:
    import argparse

    from rich.tree import Tree

    from agent.settings import Settings
    from tools.lineage.inherited import Inherited
    from tools.lineage.tree import Family, Kin

SHOWN = 12
"""Inherited characteristics drawn; --json gives them all."""


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Draw the family; raises ``BadRequest`` for a model nobody knows."""
    registry = Registry.at_home(settings.home, settings.cache)
    found = family(args.model, registry, args.top, args.depth)
    near = [
        found.model.id,
        *(one.id for way in (found.made_from, found.made_into) for one in way.kin),
    ]
    known = [name for name in dict.fromkeys(near) if name in registry.models]
    received = [one for name in known for one in inherited(name, registry)]
    if args.json:
        sys.stdout.write(json.dumps(_facts(found, received)) + "\n")
        return 0
    from rich.console import Console

    console = Console(highlight=False)
    console.print(_drawn(found))
    for line in _lines(found.model.id, received):
        console.print(line, soft_wrap=True)
    return 0


def _facts(found: Family, received: list[Inherited]) -> dict[str, Any]:
    return {
        "model": found.model.id,
        "made_from": asdict(found.made_from)["kin"],
        "made_from_more": found.made_from.more,
        "made_into": asdict(found.made_into)["kin"],
        "made_into_more": found.made_into.more,
        "copies": found.made_into.copies,
        "inherited": [asdict(one) for one in received],
    }


def _drawn(found: Family) -> Tree:
    from rich.tree import Tree

    tree = Tree(_label(found.made_into))
    for title, top in (("made from", found.made_from), ("made into", found.made_into)):
        if top.kin or top.more:
            _grow(tree.add(f"[dim]{title}[/]"), top)
    if not tree.children:
        tree.add("[dim]nothing known was made from it, nor it from anything[/]")
    return tree


def _grow(branch: Tree, of: Kin) -> None:
    for one in of.kin:
        _grow(branch.add(_label(one)), one)
    if of.more:
        branch.add(f"[dim]and {of.more:,} more[/]")


def _label(one: Kin) -> str:
    from rich.markup import escape

    relation = f"[cyan]{one.relation}[/] " if one.relation else ""
    if one.mark:
        return f"{relation}{escape(one.id)} [yellow]({one.mark})[/]"
    facts = [one.licence or "no licence stated"]
    if one.downloads is not None:
        facts.append(f"{one.downloads:,} downloads")
    if one.copies:
        facts.append(f"{one.copies:,} {'copy' if one.copies == 1 else 'copies'} folded")
    return f"{relation}[bold]{escape(one.id)}[/] [dim]{escape(' · '.join(facts))}[/]"


def _lines(model: str, received: list[Inherited]) -> list[str]:
    """What the model itself inherits first, then what its relatives do, the weightiest first."""
    from rich.markup import escape

    ordered = sorted(received, key=lambda one: (one.model != model, -one.weight))
    lines = ["Inherited, of what nobody states of the model itself:"] if ordered else []
    for one in ordered[:SHOWN]:
        lent = ", ".join(f"{name} {part:.2f}" for name, part in one.lenders)
        lines.append(escape(f"  {one.model}: {one.label} {one.weight:.2f} (from {lent})"))
    if len(ordered) > SHOWN:
        lines.append(f"  and {len(ordered) - SHOWN:,} more; --json gives them all")
    return lines
