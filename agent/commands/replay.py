"""``mirror replay RUN``: whether a decision would be made again, from its record.

Exit codes: 0 it holds, 1 it holds no more, 2 there is no record or it can't be trusted.
"""

from __future__ import annotations

import json
import sys
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING

from agent import wiring
from memory import decision_records
from memory.ledger import Ledger
from memory.registry import Registry
from tools.decisions.changes import Known
from tools.decisions.replaying import replay

if TYPE_CHECKING:
    import argparse

    from agent.settings import Settings
    from memory.records import Contamination
    from memory.scores import Scores
    from tools.decisions.replaying import Replay

HOLDS, OVERTAKEN = 0, 1


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Replay one run; raises ``MirrorError`` where its record can't be used."""
    record = decision_records.read(settings.runs, args.run)
    with closing(wiring.scores(settings)) as scores:
        found = replay(record, known(settings, scores))
    if args.json:
        sys.stdout.write(json.dumps(_facts(found), ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(_told(found))
    return HOLDS if found.holds else OVERTAKEN


def known(settings: Settings, scores: Scores) -> Known:
    """What this installation knows now."""
    embedder = wiring.embedder(settings.embedder)
    registry = Registry.at_home(settings.home, settings.cache)
    return Known(registry, scores, _suspected(settings), embedder, settings.cache)


def _suspected(settings: Settings) -> list[Contamination]:
    """Every contamination check of this installation; looking makes no ledger."""
    path = settings.home / "ledger.sqlite"
    if not path.exists():
        return []
    ledger = Ledger(path, wiring.clock)
    try:
        return ledger.checks()
    finally:
        ledger.close()


def _facts(found: Replay) -> dict[str, object]:
    facts = asdict(found)
    return {**facts, "holds": found.holds}


def _told(found: Replay) -> str:
    lines = [
        f"{found.run}: {found.winner or 'nobody wins'};"
        f" {'holds' if found.holds else 'holds no more'}",
        f"  recomputed from the record: {found.verdict or 'nobody wins'}",
        "  the registry is the same" if found.same_registry else "  the registry has changed",
        *(f"  {'! ' if one.decisive else '  '}{one}" for one in found.differences),
    ]
    shown = ("".join(c if c.isprintable() else "?" for c in line) for line in lines)
    return "\n".join(shown) + "\n"
