"""The arguments of the conversation: ``select``, ``chat``, ``resume``, and what it left behind."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from agent.arguments.values import count, dollars, memory, size, tick

if TYPE_CHECKING:
    from typing import Any


def add(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the commands of a conversation."""
    shown = argparse.ArgumentParser(add_help=False)
    shown.add_argument("--planner", metavar="MODEL", help="planning model, or 'rules'")
    shown.add_argument("--json", action="store_true", help="print one JSON object at the end")
    shown.add_argument("--quiet", action="store_true", help="print only the conclusion")
    shown.set_defaults(approve_up_to=None, refuse=False)
    answering = argparse.ArgumentParser(add_help=False)
    answers = answering.add_mutually_exclusive_group()
    answers.add_argument(
        "--approve-up-to", type=dollars, metavar="USD", help="approve the plan now, with this cap"
    )
    answers.add_argument(
        "--refuse", action="store_true", help="refuse the plan: free evidence only"
    )

    answering.add_argument(
        "--trust-remote-code",
        action="append",
        type=tick,
        metavar="MODEL@REVISION",
        help="let Python that comes with this model's weights run; repeatable",
    )

    select = commands.add_parser(
        "select", parents=[shown, answering], help="choose a model for a request"
    )
    select.add_argument("request", help="what the model must do, in plain words")
    _requirements(select)
    _examples(select)
    chat = commands.add_parser("chat", parents=[shown], help="talk: requests, questions, changes")
    _requirements(chat)
    resume = commands.add_parser(
        "resume", parents=[shown, answering], help="go on with a conversation"
    )
    resume.add_argument("--answer", metavar="TEXT", help="answer the question it waits on")
    resume.add_argument("thread")
    say = commands.add_parser(
        "say", parents=[shown, answering], help="say something more: why, compare, change, what if"
    )
    say.add_argument("thread")
    say.add_argument("text", help="such as: why not Qwen?")
    report = commands.add_parser("report", help="show a run's report")
    report.add_argument("run")
    report.add_argument("--path", action="store_true", help="print the HTML file's path only")
    commands.add_parser("threads", help="list conversations")
    mcp = commands.add_parser("mcp", help="serve other agents over MCP; no tool of it spends")
    mcp.add_argument("--planner", metavar="MODEL", help="planning model, or 'rules'")
    doctor = commands.add_parser("doctor", help="what works on this machine, and what does not")
    doctor.add_argument("--json", action="store_true", help="print one JSON object")


def _requirements(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("requirements (they outweigh the text)")
    use = group.add_mutually_exclusive_group()
    use.add_argument("--commercial", action="store_true", help="the licence must allow business")
    use.add_argument("--research", action="store_true", help="any licence will do")
    group.add_argument("--max-params", type=size, metavar="SIZE", help="such as 0.5B")
    group.add_argument("--gpu-gb", type=memory, metavar="GB", help="memory of one GPU")
    group.add_argument("--gpus", type=count, metavar="N", help="number of GPUs")
    group.add_argument("--context", type=count, metavar="TOKENS", help="context length needed")
    group.add_argument("--language", action="append", metavar="CODE", help="such as en; repeatable")
    group.add_argument("--domain", action="append", help="such as medical; repeatable")
    group.add_argument("--budget", type=dollars, metavar="USD", help="most to spend on evaluation")


def _examples(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group(
        "your own examples: the real task, on which models are tried"
    )
    which = group.add_mutually_exclusive_group()
    which.add_argument("--examples", metavar="FILE", help=".jsonl, .json, .csv or .tsv")
    which.add_argument(
        "--synthesize", type=count, metavar="N", help="none of your own: N made from the request"
    )
    group.add_argument("--input", metavar="COLUMN", help="what the model is given; 'a + b' joins")
    group.add_argument("--reference", metavar="COLUMN", help="the answer wanted")
    group.add_argument("--instruction", metavar="TEXT", help="said before each; else the request")
    group.add_argument(
        "--may-leave", action="store_true", help="they may be sent to a server elsewhere"
    )
    group.add_argument(
        "--judge",
        action="append",
        metavar="MODEL",
        help="grades the answers, also beside references: NAME or NAME=URL; repeatable",
    )


def given(args: argparse.Namespace) -> dict[str, object]:
    """The requirements that flags state; none where the command takes none."""
    if not hasattr(args, "max_params"):
        return {}
    stated: dict[str, object] = {
        "max_params": args.max_params,
        "gpu_memory_gb": args.gpu_gb,
        "gpu_count": args.gpus,
        "context": args.context,
        "languages": tuple(args.language) if args.language else None,
        "domains": tuple(args.domain) if args.domain else None,
        "budget_usd": args.budget,
    }
    if args.commercial or args.research:
        stated["licence_use"] = ("commercial",) if args.commercial else ()
    return {name: value for name, value in stated.items() if value is not None}
