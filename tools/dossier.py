"""The dossier: what one conversation has found out so far.

Tools read it and return the part they add; the state machine keeps it (``agent.state``) and
decides from what is still missing which tools may be called next. ``None`` means: not yet
known, or made void by a later change of mind.
"""

from __future__ import annotations

from typing import TypedDict, cast

# Not under TYPE_CHECKING: LangGraph evaluates these annotations when it builds the graph.
from memory.records import (  # noqa: TC001
    Approval,
    Balance,
    BenchmarkChoice,
    Candidate,
    Contamination,
    Decision,
    Finding,
    Funnel,
    Judging,
    Measurement,
    Plan,
    Prediction,
    Requirements,
    Routing,
    Score,
    Selected,
)


class Dossier(TypedDict, total=False):
    """Keys in the order in which they become known; each is written by one tool or node.

    ``balance``: the weights of Eq. 1 that the person chose; None: the usual ones.
    But for ``candidates``, which ``characterize`` orders anew; ``characterized`` counts those
    whose sources were read.
    """

    thread: str
    run: str
    request: str
    given: dict[str, object]
    balance: Balance | None
    recalled: list[Finding] | None
    requirements: Requirements | None
    critical: Funnel | None
    important: Funnel | None
    candidates: list[Candidate] | None
    characterized: int | None
    benchmarks: list[BenchmarkChoice] | None
    scores: list[Score] | None
    predicted: list[Prediction] | None
    selected: list[Selected] | None
    routing: Routing | None
    plan: Plan | None
    approval: Approval | None
    measurements: list[Measurement] | None
    failed: dict[str, str] | None
    contamination: list[Contamination] | None
    judging: list[Judging] | None
    decision: Decision | None
    report: str | None


VOID: Dossier = {
    "balance": None,
    "recalled": None,
    "requirements": None,
    "critical": None,
    "important": None,
    "candidates": None,
    "characterized": None,
    "benchmarks": None,
    "scores": None,
    "predicted": None,
    "selected": None,
    "routing": None,
    "plan": None,
    "approval": None,
    "measurements": None,
    "failed": None,
    "contamination": None,
    "judging": None,
    "decision": None,
    "report": None,
}


def void_after(key: str) -> Dossier:
    """What becomes void when ``key`` changes: everything that becomes known after it."""
    keys = list(VOID)
    return cast("Dossier", dict.fromkeys(keys[keys.index(key) + 1 :]))
