"""The arguments of ``mirror experiment``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.arguments.scores import plain_model
from agent.arguments.values import count

if TYPE_CHECKING:
    import argparse
    from typing import Any


def add(commands: argparse._SubParsersAction[Any]) -> None:
    """Add ``experiment`` and its verbs."""
    experiment = commands.add_parser(
        "experiment", help="are constraints fair, signals telling, tops stable?"
    )
    verbs = experiment.add_subparsers(
        dest="verb", required=True, metavar="constraints|signals|sensitivity"
    )
    constraints = verbs.add_parser("constraints", help="which constraint removes known-good models")
    constraints.add_argument("request", help="what the model must do, in plain words")
    constraints.add_argument(
        "--good",
        action="append",
        type=plain_model,
        required=True,
        metavar="MODEL",
        help="a model known to be good at it; repeatable",
    )
    signals = verbs.add_parser("signals", help="do downloads and likes tell who scores well")
    signals.add_argument("--benchmark", action="append", metavar="TASK", help="repeatable")
    signals.add_argument(
        "--models", type=count, default=10, metavar="N", help="at least so many models (10)"
    )
    sensitivity = verbs.add_parser("sensitivity", help="drop each constraint and choose again")
    sensitivity.add_argument("request", help="what the model must do, in plain words")
    for verb in (constraints, signals, sensitivity):
        verb.add_argument("--json", action="store_true", help="print one JSON object")
