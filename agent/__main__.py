"""The command line: arguments only. Nothing heavy is imported before it is needed.

Exit codes: 0 done; 2 something the user can put right (one line on standard error);
3 waiting for an answer nobody gave (the thread is kept); 4 a licence does not allow the use asked
about; 130 interrupted (the thread is kept).
"""

from __future__ import annotations

import argparse
import gc
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING, NoReturn

from agent.arguments import (
    characterize,
    choosing,
    experiment,
    judge,
    models,
    registry,
    route,
    scores,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

EPILOG = """\
exit codes: 0 done · 2 bad input · 3 waiting for your answer · 4 use not allowed · 130 interrupted
a request in quotes without a command is 'mirror select'
settings are MIRROR_* variables; 'mirror doctor' shows them and what works here"""


class Parser(argparse.ArgumentParser):
    """Errors in one line, with what to do."""

    commands: tuple[str, ...] = ()

    def error(self, message: str) -> NoReturn:
        """Print the line and stop with code 2."""
        self.exit(2, f"mirror: {message}. See: {self.prog} --help\n")


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
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    rooms = (choosing, models, characterize, scores, judge, registry, route, experiment)
    for room in rooms:
        room.add(commands)
    top.commands = tuple(commands.choices)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    top = parser()
    if words and words[0] not in (*top.commands, "-h", "--help", "--version"):
        words.insert(0, "select")
    if any("\udc80" <= letter <= "\udcff" for word in words for letter in word):
        top.error("the words are not UTF-8")
    args = top.parse_args(words)
    # Ten thousand records live as long as the process: collecting them over and over costs 0.8 s.
    gc.set_threshold(200_000, 50, 100)
    from agent import settings  # only now: --help must not wait for any of this

    settings.calm_libraries()
    from agent import dispatch

    return dispatch.run(args)


if __name__ == "__main__":
    sys.exit(main())
