"""The command line: arguments only. Nothing heavy is imported before it is needed.

Exit codes: 0 done; 2 something the user can put right (one line on standard error);
3 waiting for an answer nobody gave (the thread is kept); 130 interrupted (the thread is kept).
"""

from __future__ import annotations

import argparse
import gc
import math
import re
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING, NoReturn

from agent import score_arguments

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = ("select", "chat", "resume", "report", "threads", "scores", "doctor", "judge")
EPILOG = """\
exit codes: 0 done · 2 bad input · 3 waiting for your answer · 130 interrupted
a request in quotes without a command is 'mirror select'
settings are MIRROR_* variables; 'mirror doctor' shows them and what works here"""


class Parser(argparse.ArgumentParser):
    """Errors in one line, with what to do."""

    def error(self, message: str) -> NoReturn:
        """Print the line and stop with code 2."""
        self.exit(2, f"mirror: {message}. See: {self.prog} --help\n")


def size(text: str) -> int:
    """'0.5B', '350M' or a plain number -> weights."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmbt]?)", text.strip().lower())
    scale = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9, "t": 10**12}
    params = round(float(match[1]) * scale[match[2]]) if match else 0
    if not 0 < params <= 10**15:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write 0.5B, 350M or 7000000000")
    return params


def dollars(text: str) -> float:
    """A finite number of dollars, 0 or more."""
    return _number(text, 0.0, "dollars, 0 or more")


def memory(text: str) -> float:
    """A finite number of GB above 0."""
    return _number(text, 0.001, "GB, above 0")


def count(text: str) -> int:
    """A whole number from 1 to a billion."""
    if not re.fullmatch(r"\d{1,9}", text.strip()) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number above 0")
    return int(text)


def _number(text: str, least: float, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and least <= value <= 1e9):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of {what}")
    return value


def parser() -> Parser:
    """All commands and their options."""
    top = Parser(
        prog="mirror",
        description="Which open language model is best for your job, with evidence, "
        "and no spending you did not approve.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"mirror {version('mirror-llm')}")
    commands = top.add_subparsers(dest="command", required=True, metavar="|".join(COMMANDS))
    shown = Parser(add_help=False)
    shown.add_argument("--planner", metavar="MODEL", help="planning model, or 'rules'")
    shown.add_argument("--json", action="store_true", help="print one JSON object at the end")
    shown.add_argument("--quiet", action="store_true", help="print only the conclusion")
    shown.set_defaults(approve_up_to=None, refuse=False)
    answering = Parser(add_help=False)
    answers = answering.add_mutually_exclusive_group()
    answers.add_argument(
        "--approve-up-to", type=dollars, metavar="USD", help="approve the plan now, with this cap"
    )
    answers.add_argument(
        "--refuse", action="store_true", help="refuse the plan: free evidence only"
    )

    select = commands.add_parser(
        "select", parents=[shown, answering], help="choose a model for a request"
    )
    select.add_argument("request", help="what the model must do, in plain words")
    _requirements(select)
    _examples(select)
    chat = commands.add_parser("chat", parents=[shown], help="one request after another")
    _requirements(chat)
    resume = commands.add_parser(
        "resume", parents=[shown, answering], help="go on with a conversation"
    )
    resume.add_argument("--answer", metavar="TEXT", help="answer the question it waits on")
    resume.add_argument("thread")
    report = commands.add_parser("report", help="show a run's report")
    report.add_argument("run")
    report.add_argument("--path", action="store_true", help="print the HTML file's path only")
    commands.add_parser("threads", help="list conversations")
    score_arguments.add(commands)
    doctor = commands.add_parser("doctor", help="what works on this machine, and what does not")
    doctor.add_argument("--json", action="store_true", help="print one JSON object")
    _judge(commands.add_parser("judge", help="how far a judging model can be believed"))
    return top


def _judge(command: argparse.ArgumentParser) -> None:
    actions = command.add_subparsers(dest="action", required=True, metavar="calibrate")
    calibrate = actions.add_parser("calibrate", help="measure a judge against people's labels")
    calibrate.add_argument("file", help="CSV or JSON lines: labelled pairs, or rated answers")
    calibrate.add_argument("--judge", metavar="MODEL", help="whose verdicts, or whom to ask")
    calibrate.add_argument("--domain", default="general matters", help="what the texts are about")
    calibrate.add_argument(
        "--yes-up-to", type=dollars, metavar="USD", help="approve asking the judge, with this cap"
    )
    calibrate.add_argument("--json", action="store_true", help="print one JSON object")


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
    group.add_argument("--examples", metavar="FILE", help=".jsonl, .json, .csv or .tsv")
    group.add_argument("--input", metavar="COLUMN", help="what the model is given; 'a + b' joins")
    group.add_argument("--reference", metavar="COLUMN", help="the answer wanted")
    group.add_argument("--instruction", metavar="TEXT", help="said before each; else the request")
    group.add_argument(
        "--may-leave", action="store_true", help="they may be sent to a server elsewhere"
    )


def given(args: argparse.Namespace) -> dict[str, object]:
    """The requirements that flags state."""
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


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words and words[0] not in (*COMMANDS, "-h", "--help", "--version"):
        words.insert(0, "select")
    if any("\udc80" <= letter <= "\udcff" for word in words for letter in word):
        parser().error("the words are not UTF-8")
    args = parser().parse_args(words)
    # Ten thousand records live as long as the process: collecting them over and over costs 0.8 s.
    gc.set_threshold(200_000, 50, 100)
    from agent.surfaces import terminal  # only now: --help must not wait for LangGraph

    return terminal.run(args, given(args) if hasattr(args, "max_params") else {})


if __name__ == "__main__":
    sys.exit(main())
