"""Approval of a paid command that is no conversation: shown, answered, bound to its run."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from memory.records import Approval

if TYPE_CHECKING:
    from memory.ledger import Budget, Ledger
    from memory.records import Plan


def says_yes() -> bool:
    """Whether a person at a terminal typed yes; anything else is no."""
    if sys.stdin is None or not sys.stdin.isatty():
        return False
    sys.stderr.write("[a]pprove  [n]o (default) > ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("a", "approve", "y", "yes")


def approved(ledger: Ledger, plan: Plan, by: str, at: str) -> Budget:
    """Write the yes to ``plan`` down, and return what its run may spend."""
    approval = Approval(
        plan=plan.hash,
        decision="approve",
        by=by,
        surface="terminal",
        at=at,
        cap_usd=plan.cap_usd,
    )
    ledger.record_approval(approval)
    return ledger.open(plan, approval)
