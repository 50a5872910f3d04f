"""``mirror threads``: the conversations of this installation, latest first."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from agent import wiring

if TYPE_CHECKING:
    import argparse

    from agent.settings import Settings


def run(_: argparse.Namespace, settings: Settings) -> int:
    """One line a thread: when something last happened in it, and its id."""
    for one in wiring.conversations(settings).threads():
        sys.stdout.write(f"{one.last_activity[:16]}  {one.id}\n")
    return 0
