"""The arguments of ``mirror lineage``, ``licence`` and ``community``: about one model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.arguments.scores import plain_model
from agent.arguments.values import count

if TYPE_CHECKING:
    import argparse
    from typing import Any


def add(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the three."""
    lineage = commands.add_parser("lineage", help="what a model was made from and made into")
    lineage.add_argument("model", type=plain_model, metavar="MODEL")
    lineage.add_argument(
        "--top", type=count, default=10, metavar="N", help="so many of a generation (10)"
    )
    lineage.add_argument(
        "--depth", type=count, default=3, metavar="N", help="so many generations each way (3)"
    )
    lineage.add_argument("--json", action="store_true", help="print one JSON object")
    licence = commands.add_parser(
        "licence",
        help="what a model's licence and its ancestors' allow",
        epilog="exit codes: 0 read, and every use asked for is allowed · 2 bad input · "
        "4 a use asked for is not allowed, or nobody can tell",
    )
    licence.add_argument("model", type=plain_model, metavar="MODEL")
    licence.add_argument(
        "--for",
        dest="uses",
        action="append",
        choices=("commercial", "derivative", "network"),
        default=[],
        metavar="USE",
        help="commercial, derivative or network; repeatable",
    )
    licence.add_argument("--json", action="store_true", help="print one JSON object")
    community = commands.add_parser("community", help="how models are used and kept up")
    community.add_argument("models", type=plain_model, nargs="+", metavar="MODEL")
    community.add_argument("--json", action="store_true", help="print one JSON object")
