"""A decision recomputed from its record, and what has changed since it was made.

From the record alone: each measurement from its items' grades, the comparisons and the race, and
the verdict. Against what is known now: the funnel over today's registry, the facts of the models in
question, Eq. 1 with today's predictions, scores that contradict the evidence, new suspicions of
contamination (``tools.decisions.changes``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from memory.records import ItemResult
from tools.choosing import deciding
from tools.decisions.changes import Difference, since
from tools.methods.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Iterator

    from memory.decision_records import DecisionRecord
    from tools.choosing.deciding import Conclusion
    from tools.decisions.changes import Known
    from tools.dossier import Dossier

CLOSE = 1e-9


@dataclass(frozen=True)
class Replay:
    """A replayed decision. ``verdict``: what the record's evidence says when it is recomputed."""

    run: str
    winner: str | None
    verdict: str | None
    same_registry: bool
    differences: tuple[Difference, ...]

    @property
    def holds(self) -> bool:
        """Whether the decision would be made again."""
        return not any(one.decisive for one in self.differences)


def replay(record: DecisionRecord, known: Known) -> Replay:
    """Recompute ``record`` and compare it with what is known now."""
    concluded, found = _recomputed(record)
    return Replay(
        run=record.run,
        winner=record.decision.winner,
        verdict=concluded.winner,
        same_registry=known.registry.version == record.registry,
        differences=(*found, *since(record, known)),
    )


# --- from the record alone ----------------------------------------------------------------


def _recomputed(record: DecisionRecord) -> tuple[Conclusion, list[Difference]]:
    dossier = _dossier(record)
    results = [
        ItemResult(arm=one.arm, benchmark=one.benchmark, item=item, correct=grade)
        for one in record.outcomes
        for item, grade in one.grades.items()
    ]
    comparisons, race = deciding.compared(dossier, record.drawn, results)
    concluded = deciding.conclude(deciding.evidence(dossier, comparisons, race, record.suspected))
    differences = list(_measurements(record))
    for about, then, now in (
        ("winner", record.decision.winner, concluded.winner),
        ("runner-up", record.decision.runner_up, concluded.runner_up),
    ):
        if then != now:
            decisive = about == "winner"
            differences.append(
                Difference("verdict", about, then or "nobody", now or "nobody", decisive)
            )
    was, now_is = (
        {line.model: line.standing for line in ranking}
        for ranking in (record.decision.ranking, concluded.ranking)
    )
    differences += [
        Difference("verdict", arm, was.get(arm, "absent"), now_is.get(arm, "absent"), decisive=True)
        for arm in dict.fromkeys([*was, *now_is])
        if was.get(arm) != now_is.get(arm)
    ]
    return concluded, differences


def _dossier(record: DecisionRecord) -> Dossier:
    answered = [one for one in record.approvals if one.plan == record.plan_hash]
    return {
        "plan": record.plan,
        "approval": answered[-1] if answered else None,
        "benchmarks": list(record.benchmarks),
        "scores": list(record.scores),
        "predicted": list(record.predicted),
        "selected": list(record.selected),
        "measurements": list(record.decision.measurements),
        "failed": dict(record.failed),
        "contamination": list(record.contamination),
        "judging": list(record.judging),
    }


def _measurements(record: DecisionRecord) -> Iterator[Difference]:
    """Each measurement again, from the grades of its items."""
    grades = {(one.arm, one.benchmark): one.grades.values() for one in record.outcomes}
    for one in record.decision.measurements:
        given = [g for g in grades.get((one.arm, one.benchmark), ()) if g is not None]
        if not given:
            yield Difference(
                "measurement",
                f"{one.arm} in {one.benchmark}",
                f"{one.value:.3f}",
                "no grades in the record",
                decisive=True,
            )
            continue
        value, (low, high) = sum(given) / len(given), wilson(sum(given), len(given))
        pairs = ((one.value, value), (one.low, low), (one.high, high), (one.n, len(given)))
        if any(abs(a - b) > CLOSE for a, b in pairs):
            yield Difference(
                "measurement",
                f"{one.arm} in {one.benchmark}",
                f"{one.value:.3f} ({one.low:.3f} to {one.high:.3f}), {one.n} items",
                f"{value:.3f} ({low:.3f} to {high:.3f}), {len(given)} items",
                decisive=True,
            )
