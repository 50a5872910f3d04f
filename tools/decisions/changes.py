"""What has changed since a decision: the registry, the predictions, the scores, the suspicions.

A difference is *decisive* when it touches the verdict or a model that leads.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from memory.records import Origin, Score
from tools.choosing import funnel
from tools.choosing.columns import Columns
from tools.choosing.shortlisting import Grounds, shortlist
from tools.recalling import disagree
from tools.registry_index import RegistryIndex

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from memory.decision_records import DecisionRecord
    from memory.records import Contamination, Funnel, Model, Ranked, Requirements
    from memory.registry import Registry
    from memory.scores import Scores
    from tools.choosing.funnel import Eliminations
    from tools.deps import Embedder

FACTS = (
    "licence",
    "params",
    "task",
    "languages",
    "context_length",
    "formats",
    "bases",
    "revision",
    "gated",
)


@dataclass(frozen=True)
class Known:
    """What is known now: the registry, the scores and every contamination check.

    Without an embedder and a folder for its vectors Eq. 1 is not applied again.
    """

    registry: Registry
    scores: Scores
    suspected: Sequence[Contamination] = ()
    embedder: Embedder | None = None
    cache: Path | None = None
    _sifted: dict[str, Sifted] = field(default_factory=dict, repr=False, init=False)

    def sifted(self, needed: Requirements) -> Sifted:
        """Both stages over the registry, once for the same requirements."""
        key = needed.model_dump_json()
        if key not in self._sifted:
            first, fell = funnel.critical(self._columns, needed)
            second, fell_later = funnel.important(fell.left, needed, self._columns)
            self._sifted[key] = Sifted(first, second, fell, fell_later)
        return self._sifted[key]

    @cached_property
    def _columns(self) -> Columns:
        if self.cache is None:
            return Columns.over(self.registry.models)
        return RegistryIndex.opened(self.registry, self.cache).columns


class Sifted(NamedTuple):
    """What both stages count, and the models that fell in each."""

    critical: Funnel
    important: Funnel
    fell: Eliminations
    fell_later: Eliminations

    def why_not(self, model: str) -> str | None:
        """Why ``model`` does not pass; None when it does."""
        row = self.fell.columns.registry.row(model)
        if row is None:
            return "no longer in the registry"
        if row in self.fell_later.left:
            return None
        fallen = funnel.why(model, self.fell) or funnel.why(model, self.fell_later)
        return fallen.reason if fallen else "is now taken for a copy of another model"


@dataclass(frozen=True)
class Difference:
    """One thing that is not as it was: ``part`` of the decision, and what was and is."""

    part: str
    about: str
    then: str
    now: str
    decisive: bool = False

    def __str__(self) -> str:
        return f"{self.part}: {self.about}: {self.then} -> {self.now}"


def leading(record: DecisionRecord) -> list[Ranked]:
    """The ranking's winner, or those that are too close to call where there is none."""
    ranking = record.decision.ranking
    won = [one for one in ranking if one.standing == "winner"]
    return won or [one for one in ranking if one.standing == "too close to call"]


def models_of(record: DecisionRecord, lines: Sequence[Ranked]) -> set[str]:
    """The models of these lines, whose names are arms'."""
    arms = {step.arm.name: step.arm.model for step in record.plan.steps} if record.plan else {}
    return {arms.get(one.model, one.model) for one in lines}


def since(record: DecisionRecord, known: Known) -> Iterator[Difference]:
    """Every difference between what the record holds and what is known now."""
    yield from _funnel(record, known)
    yield from _facts(record, known.registry)
    yield from _selection(record, known)
    yield from _scores(record, known.scores)
    yield from _contamination(record, known.suspected)


def _funnel(record: DecisionRecord, known: Known) -> Iterator[Difference]:
    """Stages 1 and 2 again; over another registry only what leads matters."""
    needed = record.requirements
    if needed is None or record.critical is None or record.important is None:
        return
    sifted = known.sifted(needed)
    same = known.registry.version == record.registry
    for stage, then, now in (
        ("stage 1", record.critical, sifted.critical),
        ("stage 2", record.important, sifted.important),
    ):
        if then.remaining != now.remaining or set(then.survivors) != set(now.survivors):
            left = f"{then.remaining:,}", f"{now.remaining:,}"
            yield Difference(stage, "models left", *left, decisive=same)
    shortlisted = {one.model for one in record.candidates}
    for name in sorted(models_of(record, leading(record)) & shortlisted):
        if (reason := sifted.why_not(name)) is not None:
            yield Difference("requirements", name, "passes", reason, decisive=True)


def _facts(record: DecisionRecord, registry: Registry) -> Iterator[Difference]:
    """The registry's facts of the shortlist and the arms; a change alone decides nothing."""
    for was in record.models:
        now = registry.models.get(was.id)
        if now is None:
            gone = was.id in models_of(record, leading(record))
            yield Difference("registry", was.id, "there", "gone", decisive=gone)
            continue
        for fact in FACTS:
            then, is_now = _fact(was, fact), _fact(now, fact)
            if then != is_now:
                yield Difference("registry", f"{was.id} {fact}", then, is_now)


def _fact(model: Model, fact: str) -> str:
    value = getattr(model, fact)
    if fact == "bases":
        return ", ".join(f"{edge.relation} of {edge.parent}" for edge in value) or "unknown"
    if isinstance(value, tuple):
        return ", ".join(value) or "unknown"
    return "unknown" if value is None else str(value)


def _selection(record: DecisionRecord, known: Known) -> Iterator[Difference]:
    """Eq. 1 again over the recorded candidates and scores, with what is predicted now."""
    here = [one for one in record.candidates if one.model in known.registry.models]
    if not here or not record.benchmarks or not record.selected or record.requirements is None:
        return
    if known.embedder is None or known.cache is None:
        return
    grounds = Grounds(
        known.scores.observations(), known.registry, known.suspected, known.embedder, known.cache
    )
    found = shortlist(
        record.requirements, here, record.benchmarks, record.scores, grounds, record.balance
    )
    then, now = ({one.model for one in some} for some in (record.selected, found.selected))
    if then != now:
        yield Difference(
            "Eq. 1",
            "shortlist",
            ", ".join(sorted(then - now)) or "all of it stays",
            ", ".join(sorted(now - then)) or "nobody new",
        )


def _scores(record: DecisionRecord, scores: Scores) -> Iterator[Difference]:
    """What was observed since of the same cells and says otherwise.

    Decisive of what leads, and of a runner-up that does better than it did.
    """
    evidence = [*record.scores, *_measured(record)]
    lead = models_of(record, leading(record))
    second = [one for one in record.decision.ranking if one.standing == "runner-up"]
    behind = models_of(record, second)
    models, tasks = ({getattr(one, key) for one in evidence} for key in ("model", "benchmark"))
    seen = scores.observations(sorted(models), sorted(tasks)) if evidence else []
    for was in evidence:
        for now in seen:
            cell = (now.model, now.benchmark, now.protocol, now.precision, now.revision)
            if cell != (was.model, was.benchmark, was.protocol, was.precision, was.revision):
                continue
            if now.run == record.run or not disagree(was, now) or not _later(now, record):
                continue
            yield Difference(
                "score",
                f"{was.model} in {was.benchmark}",
                f"{was.value:.3f} ({was.origin})",
                f"{now.value:.3f} ({now.origin}, {now.date})",
                decisive=was.model in lead or (was.model in behind and now.value > was.value),
            )


def _later(score: Score, record: DecisionRecord) -> bool:
    return score.date is not None and score.date[:10] >= record.at[:10]


def _measured(record: DecisionRecord) -> Iterator[Score]:
    """The measurements of the run as scores."""
    arms = {step.arm.name: step.arm for step in record.plan.steps} if record.plan else {}
    for one in record.decision.measurements:
        arm = arms.get(one.arm)
        if arm is not None:
            yield Score(
                model=one.model,
                revision=arm.revision,
                precision=arm.precision,
                benchmark=one.benchmark,
                protocol=one.protocol,
                value=one.value,
                low=one.low,
                high=one.high,
                n=one.n,
                origin=Origin.MEASURED,
                source=one.arm,
            )


def _contamination(
    record: DecisionRecord, suspected: Sequence[Contamination]
) -> Iterator[Difference]:
    """Suspicions of arms that lead which the record has not."""
    before = {(one.arm, one.benchmark) for one in record.suspected if one.weight < 1}
    before |= {(one.arm, one.benchmark) for one in record.contamination if one.weight < 1}
    lead = models_of(record, leading(record))
    tasks = {choice.task for choice in record.benchmarks}
    for one in suspected:
        new = one.weight < 1 and (one.arm, one.benchmark) not in before
        if new and one.model in lead and one.benchmark in tasks:
            about = f"{one.arm} in {one.benchmark}"
            yield Difference("contamination", about, "nothing found", one.reason, decisive=True)
