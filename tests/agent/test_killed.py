"""kill -9 anywhere, then resume: it goes on, and nothing is paid, asked or approved twice."""

import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import world

from agent.session import Asked, Decided

# The baseline's 28 items come first, then the arms in rounds of eight and more.
PLACES = [
    "planner", "act", "ask", "prompt", "approve", "settle", "evaluate",
    "item:1", "item:33", "item:42", "decide", "report",
]  # fmt: skip


def _run_and_kill(home: Path, place: str) -> int:
    script = Path(world.__file__)
    root = script.parents[2]
    done = subprocess.run(
        [sys.executable, str(script), str(home), "t", place],
        cwd=root,
        env={"PYTHONPATH": str(root), "PATH": "/usr/bin:/bin", "HOME": str(home)},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode in (0, -9), done.stderr.decode()[-2000:]
    return done.returncode


@pytest.mark.parametrize("place", PLACES)
def test_killed_and_resumed(tmp_path, place):
    assert _run_and_kill(tmp_path, place) == -9
    made = world.session(tmp_path)
    before = set(_results(tmp_path))
    assert before or place not in ("item:33", "item:42", "decide", "report")

    events = world.go(made, "t")

    decided = events[-1]
    assert isinstance(decided, Decided)
    assert decided.decision.winner.startswith(world.GOOD)
    assert (Path(decided.report) / "report.html").is_file()
    answered_again = {(arm, item) for arm, item in made.deps.runner.asked if world.GOOD in arm}
    assert not answered_again & before
    paid = Counter(_results(tmp_path))
    assert set(paid.values()) == {1}
    approvals = _rows(tmp_path, "SELECT plan FROM approvals")
    assert len(approvals) == 1
    assert len(_rows(tmp_path, "SELECT run FROM budgets")) == 1
    asked = [event for event in events if isinstance(event, Asked)]
    before_the_answer = {"planner": 1, "act": 1, "ask": 2, "prompt": 1, "approve": 1}
    assert len(asked) == before_the_answer.get(place, 0)


def test_killed_again_and_again(tmp_path):
    for place in ("act", "prompt", "item:31", "item:4", "decide"):
        _run_and_kill(tmp_path, place)
    events = world.go(world.session(tmp_path), "t")
    assert isinstance(events[-1], Decided)
    assert set(Counter(_results(tmp_path)).values()) == {1}
    spent = _rows(tmp_path, "SELECT sum(usd) FROM entries")[0][0]
    assert 0 < spent <= 2 * 3.6 / 60 * 2  # within the plan's cap: two minutes at the very most


def _results(home: Path) -> list[tuple[str, str]]:
    rows = _rows(home, "SELECT arm, item FROM results WHERE arm LIKE '%med-400m%'")
    return [(arm, item) for arm, item in rows]


def _rows(home: Path, query: str) -> list[tuple]:
    file = home / "ledger.sqlite"
    if not file.exists():
        return []
    with sqlite3.connect(file) as connection:
        try:
            return connection.execute(query).fetchall()
        except sqlite3.OperationalError:  # killed before the tables were made
            return []
