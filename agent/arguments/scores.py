"""The arguments of ``mirror scores``."""

from __future__ import annotations

import argparse
import math
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

MODEL = re.compile(r"[\w.\-]{1,96}(/[\w.\-]{1,96})?(@[\w.\-]{1,64})?")


def add(commands: argparse._SubParsersAction[Any]) -> None:
    """Add ``scores`` and its verbs."""
    scores = commands.add_parser("scores", help="the score matrix: show, import, export, publish")
    verbs = scores.add_subparsers(
        dest="verb", required=True, metavar="show|import|export|missing|publish"
    )
    show = verbs.add_parser("show", help="what is known, with origin and protocol")
    _cells(show, model)
    show.add_argument("--protocol", metavar="TEXT", help="only scores of this protocol")
    show.add_argument("--mix", action="store_true", help="compare across protocols all the same")
    show.add_argument("--json", action="store_true", help="print one JSON object")
    _bring_in(verbs.add_parser("import", help="add scores from a file, a folder or the Hub"))
    export = verbs.add_parser("export", help="write this installation's scores to a file")
    export.add_argument("file", metavar="FILE", help="a new .csv or .jsonl; import reads it back")
    missing = verbs.add_parser("missing", help="which cells of a shortlist have no score")
    where = missing.add_mutually_exclusive_group()
    where.add_argument("--run", help="the shortlist of a run's report")
    where.add_argument("--thread", help="the shortlist of a conversation")
    _cells(missing, plain_model)
    missing.add_argument("--predict", action="store_true", help="say what they are likely to be")
    missing.add_argument("--json", action="store_true", help="print one JSON object")
    _publish(verbs.add_parser("publish", help="propose what was measured here to the Hub"))


def model(text: str) -> str:
    """``<org>/<name>``, and ``@<revision>`` where one is meant."""
    if not MODEL.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no model id; write <org>/<name>[@revision]")
    return text


def plain_model(text: str) -> str:
    """``<org>/<name>`` alone, where a revision would mean nothing."""
    if "@" in text:
        raise argparse.ArgumentTypeError(f"{text!r}: leave the revision out here")
    return model(text)


def scale(text: str) -> float:
    """What values are out of: a finite number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no scale; 100 means percent")
    return value


def place(text: str) -> tuple[str, tuple[str, str]]:
    """``TASK=DATASET#TASK_ID`` -> (task, (data set, task id))."""
    match = re.fullmatch(r"([^=\s]+)=([\w.\-]+(?:/[\w.\-]+)?)#(\S+)", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is not written TASK=DATASET#TASK_ID")
    return match[1], (match[2], match[3])


def _cells(command: argparse.ArgumentParser, kind: Callable[[str], str]) -> None:
    command.add_argument("--model", action="append", type=kind, metavar="ID", help="repeatable")
    command.add_argument("--benchmark", action="append", metavar="TASK", help="repeatable")


def _bring_in(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "source",
        metavar="FILE|FOLDER|hub:MODEL|leaderboard:DATASET|leaderboards:official",
        help="lm-eval .json or a folder of them, .csv, .jsonl, a model card, .eval_results .yaml",
    )
    command.add_argument("--scale", type=scale, metavar="100", help="the values are percent")
    command.add_argument(
        "--model", type=plain_model, metavar="ID", help="whose scores the file holds"
    )
    command.add_argument(
        "--measured-here", action="store_true", help="they are this installation's own"
    )
    command.add_argument("--dry-run", action="store_true", help="say what would be added")
    command.add_argument("--json", action="store_true", help="print one JSON object")


def _publish(command: argparse.ArgumentParser) -> None:
    command.add_argument("model", type=plain_model, metavar="MODEL")
    command.add_argument("--run", help="only what this run measured")
    command.add_argument(
        "--as",
        dest="places",
        action="append",
        type=place,
        default=[],
        metavar="TASK=DATASET#TASK_ID",
        help="where a task's leaderboard is on the Hub; repeatable",
    )
    command.add_argument("--yes", action="store_true", help="open the pull request without asking")
