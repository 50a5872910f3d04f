"""The arguments of ``mirror memory``, ``mirror replay`` and ``mirror watch``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.arguments.values import count

if TYPE_CHECKING:
    import argparse
    from typing import Any

KINDS = (
    "characterization",
    "evaluation",
    "contamination",
    "decision",
    "preference",
    "reopened",
)


def add(commands: argparse._SubParsersAction[Any]) -> None:
    """Add ``memory`` with its verbs, ``replay`` and ``watch``."""
    memory = commands.add_parser("memory", help="what was found out before: search, forget, export")
    verbs = memory.add_subparsers(dest="verb", required=True, metavar="search|list|forget|export")
    search = verbs.add_parser("search", help="findings nearest in meaning")
    search.add_argument("query", help="what to look for, in plain words")
    _shown(search, 10)
    _shown(verbs.add_parser("list", help="the latest findings"), 20)
    forget = verbs.add_parser("forget", help="drop findings for good, their vectors too")
    forget.add_argument("ids", nargs="+", metavar="ID", help="as search and list show them")
    forget.add_argument("--yes", action="store_true", help="without being asked")
    forget.add_argument("--json", action="store_true", help="print one JSON object")
    export = verbs.add_parser("export", help="write every finding to a new JSON Lines file")
    export.add_argument("file", metavar="FILE")
    export.add_argument("--json", action="store_true", help="print one JSON object")

    replay = commands.add_parser(
        "replay", help="recompute a run's decision from its record: 0 holds, 1 holds no more"
    )
    replay.add_argument("run")
    replay.add_argument("--json", action="store_true", help="print one JSON object")
    watch = commands.add_parser(
        "watch", help="which decisions were overtaken: 0 none, 1 some; spends nothing"
    )
    watch.add_argument("--json", action="store_true", help="print one JSON object")


def _shown(command: argparse.ArgumentParser, most: int) -> None:
    command.add_argument("--kind", action="append", choices=KINDS, help="repeatable")
    command.add_argument("-n", type=count, default=most, metavar="N", help=f"at most (now {most})")
    command.add_argument("--json", action="store_true", help="print one JSON object")
