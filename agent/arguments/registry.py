"""The arguments of ``mirror registry``."""

from __future__ import annotations

import argparse
from datetime import date
from typing import TYPE_CHECKING

from agent.arguments.values import count

if TYPE_CHECKING:
    from typing import Any


def add(commands: argparse._SubParsersAction[Any]) -> None:
    """Add ``registry`` and its verbs."""
    registry = commands.add_parser("registry", help="the models Mirror knows: sync, load, status")
    verbs = registry.add_subparsers(dest="verb", required=True, metavar="sync|load|status")
    sync = verbs.add_parser("sync", help="read what is new on the Hub, or all of it the first time")
    sync.add_argument("--full", action="store_true", help="read every model again")
    sync.add_argument(
        "--limit", type=count, metavar="N", help="stop after N; the next sync goes on from there"
    )
    load = verbs.add_parser("load", help="add the models of a file")
    load.add_argument(
        "file", metavar="FILE", help=".parquet, .jsonl or .jsonl.gz: docs/registry.md"
    )
    load.add_argument(
        "--as-of", type=day, metavar="YYYY-MM-DD", help="when the file was made, if not today"
    )
    status = verbs.add_parser("status", help="how many, from where, how fresh, what was set aside")
    for verb in (sync, load, status):
        verb.add_argument("--json", action="store_true", help="print one JSON object")


def day(text: str) -> date:
    """A day, written 2026-01-31."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day; write 2026-01-31") from None
