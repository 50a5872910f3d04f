"""From parsed arguments to what runs them: a conversation, or the command of that name.

Every error a person can act on becomes one line and its exit code, whichever command met it.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from agent import settings as environment
from agent.arguments.choosing import given
from agent.surfaces.terminal import stopped
from memory.errors import MirrorError

if TYPE_CHECKING:
    import argparse

BAD, INTERRUPTED = 2, 130
CONVERSATION = ("select", "resume", "say")


def run(args: argparse.Namespace) -> int:
    """Run a parsed command; returns the exit code."""
    logging.getLogger("transformers").setLevel(logging.ERROR)
    try:
        return _command(args)
    except MirrorError as error:
        return stopped(str(error), error.exit_code)
    except (sqlite3.OperationalError, OSError) as error:
        return stopped(f"The machine can't go on: {error}. Mend that; what was kept is kept.", BAD)
    except KeyboardInterrupt:
        thread = getattr(args, "thread", None)
        again = f"mirror resume {thread}" if thread else "mirror threads"
        return stopped(f"Stopped; nothing is lost. Go on with: {again}", INTERRUPTED)


def _command(args: argparse.Namespace) -> int:
    settings = environment.load()
    if args.command in CONVERSATION:
        from agent.surfaces import terminal

        return terminal.run(args, settings, given(args))
    if args.command == "chat":
        from agent.surfaces import chat

        return chat.converse(args, settings, given(args))
    try:
        code: int = import_module(f"agent.commands.{args.command}").run(args, settings)
        sys.stdout.flush()
    except BrokenPipeError:  # `| head` has seen enough; what Python still holds goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code
