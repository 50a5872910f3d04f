"""Which decisions were overtaken since they were made. Looks, reports, remembers; spends nothing.

A decision is re-opened when a replay finds a decisive difference (its winner's licence no longer
passes, it left the registry, a score contradicts the evidence, a suspicion of contamination) or
when a model that was not on its shortlist passes the requirements now and is likely to beat its
winner by more than ``MARGIN``: with probability ``LIKELY`` by what is observed and reliably
predicted of it on the benchmarks of the decision, under the same protocols.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from math import erf, hypot, sqrt
from typing import TYPE_CHECKING

import polars as pl

from tools import remembering
from tools.choosing.comparing import shares
from tools.decisions.changes import leading, models_of
from tools.decisions.replaying import replay
from tools.scores import prediction

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from memory.decision_records import DecisionRecord
    from memory.findings import Findings
    from memory.records import Prediction, Ranked, Score
    from tools.decisions.changes import Known

MARGIN, LIKELY = 0.01, 0.8
MOST = 100
"""Challengers looked at, the latest released first."""

UNKNOWN_SD = 0.05
"""The standard deviation of a score that comes without an interval and without its item count."""

QUANTILE = 1.645  # of a 90 % interval


@dataclass(frozen=True)
class Challenger:
    """A model that may do better than the one that leads, with the probability that it does."""

    model: str
    value: float
    incumbent: str
    incumbent_value: float
    probability: float

    def __str__(self) -> str:
        return (
            f"{self.model} is new and likely to score {self.value:.2f} where {self.incumbent} has"
            f" {self.incumbent_value:.2f}: better by more than {MARGIN:g} with probability"
            f" {self.probability:.2f}"
        )


def overtaken(record: DecisionRecord, known: Known) -> list[str]:
    """Why the decision should be made again; empty when it stands."""
    decisive = [str(one) for one in replay(record, known).differences if one.decisive]
    return decisive + [str(one) for one in challengers(record, known)][:3]


def reopen(record: DecisionRecord, reasons: Sequence[str], findings: Findings, at: str) -> None:
    """Remember that the decision was overtaken; the same reasons are remembered once."""
    decided = remembering.decision(
        record.decision, record.requirements, record.request, record.registry
    )
    findings.remember(remembering.reopened(decided, reasons, at))


def challengers(record: DecisionRecord, known: Known) -> list[Challenger]:
    """Models likely to beat the leader, the likeliest first; none where nobody leads."""
    lead = next((one for one in leading(record) if one.value is not None), None)
    columns = _columns(record)
    names = list(islice(_passing(record, known), MOST)) if lead and columns else []
    if lead is None or not names:
        return []
    tasks = list(columns)
    weights = shares(tasks, {choice.task: choice.weight for choice in record.benchmarks})
    cells = _cells(names, columns, known)
    found = []
    for name in names:
        row = [cells.get((name, task)) for task in tasks]
        if all(cell is not None for cell in row):
            found.append(_against(lead, name, [c for c in row if c is not None], weights))
    likely = [one for one in found if one.probability >= LIKELY]
    return sorted(likely, key=lambda one: (-one.probability, one.model))


def _passing(record: DecisionRecord, known: Known) -> Iterator[str]:
    """Models that pass the requirements now and were not weighed then, the latest first."""
    if record.requirements is None:
        return
    left = known.sifted(record.requirements).fell_later.left
    weighed = {one.model for one in record.candidates} | models_of(record, record.decision.ranking)
    dated = known.registry.facts(("id", "released", "created"))[left.tolist()]
    latest = dated.with_columns(since=pl.coalesce("released", "created")).sort(
        "since", descending=True, nulls_last=True, maintain_order=True
    )
    yield from (name for name in latest["id"] if name not in weighed)


def _columns(record: DecisionRecord) -> dict[str, str | None]:
    """The benchmarks that the leader's value rests on, each with its protocol."""
    arms = {one.model for one in leading(record)}
    measured = [one for one in record.decision.measurements if one.arm in arms]
    return {one.benchmark: one.protocol for one in measured}


def _cells(
    names: Sequence[str], columns: dict[str, str | None], known: Known
) -> dict[tuple[str, str], tuple[float, float]]:
    """(model, benchmark) -> value and standard deviation, observed before predicted."""
    observations = known.scores.observations()
    guesses = prediction.predict(
        names, columns, observations, known.registry, suspected=known.suspected
    )
    cells = {(one.model, one.benchmark): _spread(one) for one in guesses if one.trusted}
    wanted = set(names)
    for one in observations:
        if one.model in wanted and columns.get(one.benchmark) == one.protocol and not one.reduced:
            cells[one.model, one.benchmark] = _spread(one)
    return cells


def _spread(cell: Score | Prediction) -> tuple[float, float]:
    if cell.low is not None and cell.high is not None:
        return cell.value, (cell.high - cell.low) / (2 * QUANTILE)
    n = getattr(cell, "n", None)
    return cell.value, sqrt(cell.value * (1 - cell.value) / n) if n else UNKNOWN_SD


def _against(
    lead: Ranked, name: str, row: Sequence[tuple[float, float]], weights: Sequence[float]
) -> Challenger:
    total = sum(weights)
    value = sum(w * cell for w, (cell, _) in zip(weights, row, strict=True)) / total
    own = hypot(*(w * sd / total for w, (_, sd) in zip(weights, row, strict=True)))
    assert lead.value is not None, "a leader without a value challenges nobody"
    known = lead.low is not None and lead.high is not None
    other = (lead.high - lead.low) / (2 * QUANTILE) if known else UNKNOWN_SD  # type: ignore[operator]
    gap, sd = value - lead.value - MARGIN, max(hypot(own, other), 1e-9)
    probability = 0.5 * (1 + erf(gap / sd / sqrt(2)))
    return Challenger(name, value, lead.model, lead.value, probability)
