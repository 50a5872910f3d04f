"""A sync in a process of its own, with small pages and parts, that dies where it is told to.

``python syncing_process.py HOME HUB_URL [MODULE ATTRIBUTE NUMBER]``: SIGKILL when the named
function is called for the NUMBERth time.
"""

import importlib
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from memory.registry_store import RegistryStore
from memory.scores import Scores
from tools.clients.hub import listing
from tools.clients.hub.api import Hub
from tools.registry import syncing


def die_in(module: str, attribute: str, number: int) -> None:
    """Replace the function by one that counts, then kills this process."""
    holder = importlib.import_module(module)
    *path, name = attribute.split(".")
    for part in path:
        holder = getattr(holder, part)
    real, calls = getattr(holder, name), []

    def counted(*args, **named):
        calls.append(args)
        if len(calls) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **named)

    setattr(holder, name, counted)


def sync(home: Path, url: str) -> None:
    """All there is at ``url``, into ``home``."""
    now = datetime(2026, 11, 25, 12, tzinfo=UTC)
    scores = Scores(home / "scores.sqlite", None)
    with Hub(url) as hub:
        syncing.sync(hub, RegistryStore(home / "registry"), scores, lambda: now)


if __name__ == "__main__":
    home, url = Path(sys.argv[1]), sys.argv[2]
    listing.PAGE, syncing.PART = 50, 100
    if sys.argv[3:]:
        die_in(sys.argv[3], sys.argv[4], int(sys.argv[5]))
    sync(home, url)
