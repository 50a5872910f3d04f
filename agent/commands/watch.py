"""``mirror watch``: every decision held against what is known now; those overtaken are re-opened.

It spends nothing and asks nobody; a line of cron does it every morning:

    0 7 * * *  mirror watch

Exit codes: 0 all stand, 1 some were re-opened, 2 a record can't be trusted (the others are looked
at all the same).
"""

from __future__ import annotations

import json
import sys
from contextlib import closing
from typing import TYPE_CHECKING

from agent import wiring
from agent.commands.replay import known as known_now
from memory import decision_records
from memory.errors import MirrorError
from tools.decisions import watching

if TYPE_CHECKING:
    import argparse

    from agent.settings import Settings

STAND, REOPENED, UNREADABLE = 0, 1, 2


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Look at every record, remember what was re-opened, and say so."""
    files = list(decision_records.paths(settings.runs))
    reopened: list[dict[str, object]] = []
    unreadable: list[str] = []
    with closing(wiring.scores(settings)) as scores, closing(wiring.findings(settings)) as findings:
        known = known_now(settings, scores) if files else None
        now = wiring.clock().isoformat(timespec="seconds")
        for path in files:
            try:
                record = decision_records.load(path)
            except MirrorError as error:
                unreadable.append(str(error))
                continue
            assert known is not None, "there is a file"
            if reasons := watching.overtaken(record, known):
                watching.reopen(record, reasons, findings, now)
                winner = record.decision.winner
                reopened.append({"run": record.run, "winner": winner, "reasons": reasons})
    facts = {"decisions": len(files), "reopened": reopened, "unreadable": unreadable}
    sys.stdout.write(json.dumps(facts, ensure_ascii=False) + "\n" if args.json else _told(facts))
    for line in unreadable:
        sys.stderr.write(f"mirror: {' '.join(line.split())}\n")
    return UNREADABLE if unreadable else REOPENED if reopened else STAND


def _told(facts: dict[str, object]) -> str:
    reopened = facts["reopened"]
    assert isinstance(reopened, list), "as it was made"
    lines = []
    for one in reopened:
        lines.append(f"{one['run']}: {one['winner'] or 'nobody won'}; to be decided again")
        lines += [f"  {reason}" for reason in one["reasons"]]
    lines.append(f"{facts['decisions']} decisions, {len(reopened)} overtaken")
    shown = ("".join(c if c.isprintable() else "?" for c in line) for line in lines)
    return "\n".join(shown) + "\n"
