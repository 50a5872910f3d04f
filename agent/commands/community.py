"""``mirror community``: use, upkeep and what was built on models, beside their quality."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from agent.wiring import clock
from memory.registry import Registry
from tools.choosing.community import signals

if TYPE_CHECKING:
    import argparse

    from agent.settings import Settings


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Print the signals of each model; raises ``BadRequest`` for one nobody knows."""
    found = signals(args.models, Registry.at_home(settings.home, settings.cache), clock())
    if args.json:
        sys.stdout.write(json.dumps({"community": [asdict(one) for one in found]}) + "\n")
        return 0
    from rich.console import Console
    from rich.markup import escape

    console = Console(soft_wrap=True, highlight=False)
    for one in found:
        console.print(f"[bold]{escape(one.model)}[/]")
        console.print(f"  {escape(one.describe())}")
        if one.unmaintained:
            console.print(f"  [yellow]popular but unmaintained[/]: {escape(one.unmaintained)}")
    console.print("[dim]None of this enters a ranking.[/]")
    return 0
