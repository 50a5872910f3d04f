"""The arguments of ``mirror route``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from agent.arguments.values import dollars

if TYPE_CHECKING:
    from typing import Any


def add(commands: argparse._SubParsersAction[Any]) -> None:
    """Add ``route`` and its verbs."""
    route = commands.add_parser("route", help="which model for which prompt, from a run's answers")
    verbs = route.add_subparsers(dest="verb", required=True, metavar="fit|explain|serve")
    fit = verbs.add_parser("fit", help="learn from the answers a run paid for; costs nothing")
    fit.add_argument("run")
    fit.add_argument("--json", action="store_true", help="print one JSON object")
    explain = verbs.add_parser("explain", help="say which member answers what, and why")
    explain.add_argument("run")
    explain.add_argument("prompt", nargs="?", help="only for prompts like this one")
    serve = verbs.add_parser(
        "serve",
        help="answer chats with the member that suits each (OpenAI's API)",
        description="Asking a member may cost your money: only those in --members are asked.",
    )
    serve.add_argument("run")
    serve.add_argument(
        "--members", metavar="FILE", required=True, help="TOML: where each member is, and its price"
    )
    serve.add_argument("--host", default="127.0.0.1", help="default: this machine alone")
    serve.add_argument("--port", type=_port, default=8800)
    serve.add_argument(
        "--key-env", metavar="NAME", help="the variable with the key that callers must send"
    )
    serve.add_argument(
        "--cost-weight",
        type=dollars,
        default=0.0,
        metavar="W",
        help="grade (0-1) given up to save a dollar on 1,000 typical requests",
    )
    serve.add_argument(
        "--max-seconds", type=_seconds, metavar="S", help="until an answer begins; else the next"
    )


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port")
    return int(text)


def _seconds(text: str) -> float:
    value = dollars(text) if text.strip() else 0.0
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0")
    return value
