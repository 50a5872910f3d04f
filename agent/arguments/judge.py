"""The arguments of ``mirror judge``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.arguments.values import dollars

if TYPE_CHECKING:
    import argparse
    from typing import Any


def add(commands: argparse._SubParsersAction[Any]) -> None:
    """Add ``judge`` and its verb."""
    judge = commands.add_parser("judge", help="how far a judging model can be believed")
    verbs = judge.add_subparsers(dest="verb", required=True, metavar="calibrate")
    calibrate = verbs.add_parser("calibrate", help="measure a judge against people's labels")
    calibrate.add_argument("file", help="CSV or JSON lines: labelled pairs, or rated answers")
    calibrate.add_argument("--judge", metavar="MODEL", help="whose verdicts, or whom to ask")
    calibrate.add_argument("--domain", default="general matters", help="what the texts are about")
    calibrate.add_argument(
        "--yes-up-to", type=dollars, metavar="USD", help="approve asking the judge, with this cap"
    )
    calibrate.add_argument("--json", action="store_true", help="print one JSON object")
