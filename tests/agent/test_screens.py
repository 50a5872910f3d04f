"""What a conversation looks like at 80 and at 200 columns, as it was looked at and found good.

``pytest tests/agent/test_screens.py --rewrite-screens`` writes the screens again: look at them.
"""

import re
from pathlib import Path

import pytest
import world
from rich.console import Console
from typed_lines import Lines

from agent.__main__ import parser
from agent.surfaces.chat import Chat

SCREENS = Path(__file__).parent / "screens"
SAID = (
    world.REQUEST,
    "why not acme/huge?",
    f"compare {world.GOOD} and {world.POOR}",
    "a",
    "/shortlist",
    "and if it could be 80B?",
    "n",
    "/why acme/huge",
)
VARIES = (
    (r"[a-z]+-[a-z]+-[0-9a-f]{6}(-[0-9a-f]{4})?", "THREAD"),
    (r"\b[0-9a-f]{16}\b", "0123456789abcdef"),
    (r"runs/\S+", "runs/RUN/report.html"),
)
MEASURED = r"\d+\.\d+ minutes|\$\d+\.\d+|\d+\.\d+ \(\d+\.\d+-\d+\.\d+\)  +\d+\.\d+"
"""Times of this machine, and prices that follow from them: their digits are made nines."""


def screen(home, width, capsys):
    """All that is printed in one conversation, without what is never twice the same."""
    made = world.session(home)
    object.__setattr__(made.deps, "runs", Path("runs"))
    chat = Chat(made, parser().parse_args(["chat"]), "ada", {}, Lines(*SAID))
    chat.console = Console(width=width, highlight=False, color_system=None)
    chat.run()
    shown = capsys.readouterr().out
    for pattern, name in VARIES:
        shown = re.sub(pattern, name, shown)
    shown = re.sub(MEASURED, lambda found: re.sub(r"\d", "9", found[0]), shown)
    return "\n".join(line.rstrip() for line in shown.splitlines()) + "\n"


@pytest.mark.parametrize("width", [80, 200])
def test_the_screen_is_as_it_was_found_good(tmp_path, capsys, monkeypatch, width, request):
    monkeypatch.chdir(tmp_path)
    shown = screen(tmp_path, width, capsys)
    kept = SCREENS / f"chat_{width}.txt"
    if request.config.getoption("--rewrite-screens"):
        kept.write_text(shown, "utf-8")
    assert shown == kept.read_text("utf-8")
    assert max(map(len, shown.splitlines())) <= width
