"""``mirror report``: what a run left behind for people to read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from memory.errors import UnknownThread

if TYPE_CHECKING:
    import argparse

    from agent.settings import Settings


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Show a run's report in the terminal, or where its page is.

    Raises:
        UnknownThread: no run of that name has a report here.
    """
    folder = settings.runs / Path(args.run).name
    page = folder / "report.md"
    if not page.is_file():
        made = sorted(path.parent.name for path in settings.runs.glob("*/report.md"))[-3:]
        hint = f"The latest are: {', '.join(made)}." if made else "No run has ended here yet."
        raise UnknownThread(f"There is no report of run {args.run!r} in {settings.runs}. {hint}")
    if args.path:
        sys.stdout.write(str((folder / "report.html").resolve()) + "\n")
        return 0
    from rich.console import Console
    from rich.markdown import Markdown

    console = Console()
    console.print(Markdown(page.read_text("utf-8")))
    console.print(f"HTML: {(folder / 'report.html').resolve()}", highlight=False, soft_wrap=True)
    return 0
