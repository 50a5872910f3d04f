"""The arguments of ``mirror characterize``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.arguments.scores import plain_model
from agent.arguments.values import dollars

if TYPE_CHECKING:
    import argparse
    from typing import Any


def add(commands: argparse._SubParsersAction[Any]) -> None:
    """Add ``characterize``."""
    command = commands.add_parser(
        "characterize", help="what a model's card, paper and repository say, with quotes"
    )
    command.add_argument("models", nargs="+", type=plain_model, metavar="MODEL")
    command.add_argument("--card", metavar="FILE", help="read this card; of one model")
    command.add_argument(
        "--reader", metavar="MODEL", help="have it read by a language model, at a price shown first"
    )
    command.add_argument(
        "--yes-up-to", type=dollars, metavar="USD", help="approve that reader, with this cap"
    )
    command.add_argument("--json", action="store_true", help="print one JSON object")
