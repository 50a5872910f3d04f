"""The decision: from evidence to a winner, or to the honest word that there is none.

A measured candidate earns a recommendation only by beating the constant answer on the same
items (exact sign-flip test, one-sided 5 %; benchmarks pooled by their weight). Among those
that do, the best leads, and when the paired 90 % interval of another against it includes 0 it
is too close to call: nobody wins. An arm measured on fewer benchmarks than another can't win;
it can only keep another from winning, by being ahead on what they share. What was not measured
is never ranked among what was.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from memory.records import CONSTANT, Decision, Origin, Ranked
from tools import herd_runner
from tools.comparing import between, compare, partial, shares
from tools.methods.intervals import pool

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from memory.records import Arm, Comparison, Measurement, Score, Selected
    from tools.deps import Deps
    from tools.dossier import Dossier

Standing: TypeAlias = Literal["winner", "runner-up", "too close to call", "rejected"]

# A two-sided exact p below this is a one-sided one below 0.05: the test is symmetric.
BEATS = 0.10
FEW_ITEMS = 100
MEASURE_NEXT = 3


@dataclass(frozen=True)
class Evidence:
    """All a decision rests on. ``not_measured``: why, by model or by arm name.

    ``weights``: σ_bench by benchmark; one that is not named weighs nothing, unless none is.
    """

    measurements: Sequence[Measurement] = ()
    comparisons: Sequence[Comparison] = ()
    weights: Mapping[str, float] = field(default_factory=dict)
    selected: Sequence[Selected] = ()
    scores: Sequence[Score] = ()
    arms: Sequence[Arm] = ()
    not_measured: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Conclusion:
    """What the evidence says: the parts of a ``Decision`` that need no clock and no ledger.

    ``winner`` and ``runner_up`` are None when anyone is level with the leader.
    """

    winner: str | None
    runner_up: str | None
    summary: str
    ranking: tuple[Ranked, ...]
    caveats: tuple[str, ...]


def decide(dossier: Dossier, deps: Deps) -> Decision:
    """Conclude from what ``dossier`` and the ledger hold. Works with no measurement at all."""
    plan, measurements = dossier.get("plan"), dossier.get("measurements") or []
    weights = {choice.task: choice.weight for choice in dossier.get("benchmarks") or ()}
    measured = {measurement.arm for measurement in measurements}
    results = herd_runner.results(plan, deps) if plan and measured else []
    comparisons = compare([one for one in results if one.arm in measured], weights)
    conclusion = conclude(
        Evidence(
            measurements=measurements,
            comparisons=comparisons,
            weights=weights,
            selected=dossier.get("selected") or (),
            scores=dossier.get("scores") or (),
            arms=list(dict.fromkeys(step.arm for step in plan.steps)) if plan else (),
            not_measured=_not_measured(dossier),
        )
    )
    run = dossier["run"]
    return Decision(
        thread=dossier["thread"],
        run=run,
        at=deps.clock().isoformat(timespec="seconds"),
        winner=conclusion.winner,
        runner_up=conclusion.runner_up,
        summary=conclusion.summary,
        ranking=conclusion.ranking,
        measurements=tuple(measurements),
        comparisons=tuple(comparisons),
        spent_usd=deps.ledger.spent(run),
        spent_minutes=deps.ledger.seconds(run) / 60,
        caveats=conclusion.caveats,
    )


def conclude(evidence: Evidence) -> Conclusion:
    """Rank the evidence and say in plain words what follows from it."""
    tally = _Tally(evidence)
    rejected = [arm for arm in tally.order if arm not in {*tally.earning, *tally.partial}]
    ranking = (
        *(tally.recommended(arm) for arm in tally.earning),
        *(tally.incomparable(arm) for arm in tally.order if arm in tally.partial),
        *(tally.rejected(arm) for arm in rejected),
        *_unmeasured(evidence),
    )
    by_standing = {line.standing: line.model for line in reversed(ranking)}
    return Conclusion(
        winner=by_standing.get("winner"),
        runner_up=by_standing.get("runner-up"),
        summary=tally.summary(ranking),
        ranking=ranking,
        caveats=tuple(_caveats(evidence, tally)),
    )


class _Tally:
    """The measured arms with their pooled values, best first, and how any two compare.

    ``earning``: those of full coverage that beat the constant answer. ``leading``: the best of
    them and all that are level with it.
    """

    def __init__(self, evidence: Evidence) -> None:
        by_arm: dict[str, list[Measurement]] = defaultdict(list)
        self.constant: str | None = None
        for one in evidence.measurements:
            by_arm[one.arm].append(one)
            if one.model == CONSTANT:
                self.constant = one.arm
        self.measurements = by_arm
        self.pooled = {
            arm: pool(
                [one.value for one in found],
                [one.low for one in found],
                [one.high for one in found],
                shares([one.benchmark for one in found], evidence.weights),
            )
            for arm, found in by_arm.items()
        }
        self._comparisons = evidence.comparisons
        candidates = [one for one in evidence.measurements if one.arm != self.constant]
        self.partial = partial(candidates)
        self.order = sorted(
            {one.arm: None for one in candidates},
            key=lambda arm: (arm in self.partial, -self.pooled[arm][0]),
        )
        self.earning = [arm for arm in self.order if self._beats(arm) and arm not in self.partial]
        self.leading = [arm for arm in self.order if self._leads(arm)]

    def comparison(self, a: str, b: str | None) -> Comparison | None:
        """``a`` minus ``b``; None when no item is shared, or there is no ``b``."""
        return None if b is None else between(a, b, self._comparisons)

    def _beats(self, arm: str) -> bool:
        """Whether the arm beats the constant answer; no baseline, no recommendation."""
        found = self.comparison(arm, self.constant)
        return found is not None and found.difference > 0 and found.p < BEATS

    def _leads(self, arm: str) -> bool:
        """Whether the arm is the best that earns or can't be told from it on what they share.

        One of fewer benchmarks must be ahead there: what it lacks may be what is hard.
        """
        if not self.earning or arm == self.earning[0]:
            return bool(self.earning)
        found = self.comparison(self.earning[0], arm)
        if arm in self.partial:
            return self._beats(arm) and found is not None and found.high < 0
        return arm in self.earning and (found is None or found.low <= 0)

    def recommended(self, arm: str) -> Ranked:
        """The line of an arm that beats the constant answer."""
        best, clear = self.earning[0], len(self.leading) == 1
        if arm == best:
            reason = f"beats a constant answer by {self._over(arm)}"
            return self._line(arm, "winner" if clear else "too close to call", reason)
        gap = _gap(self.comparison(best, arm))
        if arm in self.leading:
            reason = f"can't be told from {best}: it is behind by {gap}"
            return self._line(arm, "too close to call", reason)
        second = clear and arm == self.earning[1]
        return self._line(arm, "runner-up" if second else "rejected", f"behind {best} by {gap}")

    def incomparable(self, arm: str) -> Ranked:
        """The line of an arm that was measured on fewer benchmarks than another."""
        only = f"measured on fewer benchmarks, {_listed(self.partial[arm])} only"
        if arm in self.leading:
            best = self.earning[0]
            reason = f"ahead of {best} by {_gap(self.comparison(arm, best))}, but {only}"
            return self._line(arm, "too close to call", reason)
        return self._line(arm, "rejected", f"not comparable: {only}")

    def rejected(self, arm: str) -> Ranked:
        """The line of an arm that does not beat the constant answer."""
        if self.constant is None:
            reason = "no constant-answer baseline was measured, so nothing shows that it is any use"
        else:
            reason = f"does not beat a constant answer: {self._over(arm)}"
        return self._line(arm, "rejected", reason)

    def summary(self, ranking: Sequence[Ranked]) -> str:
        """One to three sentences in plain words."""
        text = self._conclusion(ranking)
        if apart := [arm for arm in self.order if arm in self.partial and arm not in self.leading]:
            text += f" Not comparable, for measured on fewer benchmarks: {_listed(apart)}."
        return text

    def _conclusion(self, ranking: Sequence[Ranked]) -> str:
        upcoming = [line.model for line in ranking if line.standing == "not measured"]
        following = ""
        if upcoming:
            following = f" Measure next, best first: {', '.join(upcoming[:MEASURE_NEXT])}."
        if not self.order:
            return f"Nothing was measured, so nothing is recommended.{following}"
        if self.constant is None:
            return f"Nothing can be recommended: the baseline was not measured.{following}"
        if not self.earning:
            best = self.order[0]
            return (
                f"Nothing measured here earns a recommendation: the best, {best}, scores"
                f" {self._value(best)} and always giving one answer"
                f" {self._value(self.constant)}.{following}"
            )
        leader, *rest = self.earning
        if len(self.leading) > 1:
            return (
                f"Too close to call between {_listed(self.leading)}: {leader} leads with"
                f" {self._value(leader)}; each beats a constant answer"
                f" ({self.pooled[self.constant][0]:.2f})."
            )
        second = f"; runner-up {rest[0]}, {self._value(rest[0])}" if rest else ""
        return (
            f"Use {leader}: it scores {self._value(leader)}, ahead of a constant answer by"
            f" {self._over(leader)}{second}."
        )

    def _line(self, arm: str, standing: Standing, reason: str) -> Ranked:
        value, low, high = self.pooled[arm]
        return Ranked(
            model=arm,
            value=value,
            low=low,
            high=high,
            origin=Origin.MEASURED,
            standing=standing,
            reason=reason,
        )

    def _over(self, arm: str) -> str:
        return _gap(self.comparison(arm, self.constant))

    def _value(self, arm: str) -> str:
        value, low, high = self.pooled[arm]
        return f"{value:.2f} ({low:.2f} to {high:.2f})"


def _unmeasured(evidence: Evidence) -> Iterator[Ranked]:
    """Arms that gave nothing, then shortlisted models without an arm, both by s."""
    measured = {one.arm for one in evidence.measurements}
    rank = {one.model: i for i, one in enumerate(evidence.selected)}
    silent = [arm for arm in evidence.arms if arm.name not in measured and arm.model != CONSTANT]
    for arm in sorted(silent, key=lambda arm: rank.get(arm.model, len(rank))):
        reason = evidence.not_measured.get(arm.name, "no item was answered")
        yield Ranked(model=arm.name, value=None, standing="not measured", reason=reason)
    with_arm = {arm.model for arm in evidence.arms}
    for one in evidence.selected:
        if one.model not in with_arm:
            yield _known_only(one, evidence)


def _known_only(one: Selected, evidence: Evidence) -> Ranked:
    """A shortlisted model on what is known of it: its own scores, or no value at all."""
    known = [score for score in evidence.scores if score.model == one.model]
    value: float | None = None
    if known:
        values = [score.value for score in known]
        weights = shares([score.benchmark for score in known], evidence.weights)
        value = pool(values, values, values, weights)[0]
    trust = list(Origin)
    reason = evidence.not_measured.get(one.model, "not measured here")
    return Ranked(
        model=one.model,
        value=value,
        # A mean is only as good as its least trusted part.
        origin=max((score.origin for score in known), key=trust.index, default=None),
        standing="not measured",
        reason=f"{reason}; s = {one.s:.2f}, {one.known_cells} of {one.cells} scores known",
    )


def _caveats(evidence: Evidence, tally: _Tally) -> Iterator[str]:
    sizes = [sum(one.n for one in found) for found in tally.measurements.values()]
    if sizes and min(sizes) < FEW_ITEMS:
        yield f"{min(sizes)} items are few: only large differences show on them."
    if len(tally.order) > 2:
        yield (
            f"{len(tally.order)} candidates were each tested at 5 %: the more are tried, the more"
            " easily one passes by luck."
        )
    for one in evidence.measurements:
        if one.missing:
            yield (
                f"{one.arm} has no usable answer to {one.missing} of {one.n + one.missing} items"
                f" of {one.benchmark}; they are left out, not counted as wrong."
            )
    sets = {frozenset(one.benchmark for one in found) for found in tally.measurements.values()}
    if len(sets) > 1:
        yield "Not every arm was measured on every benchmark; compare them only pairwise."
    for arm in evidence.arms:
        if arm.name in tally.measurements and arm.note:
            yield f"{arm.name}: {arm.note}."
        if arm.name in tally.measurements and arm.name in evidence.not_measured:
            yield f"{arm.name} was not measured to the end: {evidence.not_measured[arm.name]}"
    unmeasured = [one.model for one in evidence.selected if one.model in evidence.not_measured]
    if unmeasured and tally.order:
        yield f"{len(unmeasured)} shortlisted models were not measured, {unmeasured[0]} first."


def _not_measured(dossier: Dossier) -> dict[str, str]:
    """Why, by model or arm: the plan's reasons, a refusal, the failures of the run."""
    plan, approval = dossier.get("plan"), dossier.get("approval")
    reasons = dict(plan.not_measured) if plan else {}
    if plan and approval and approval.decision == "refuse":
        refused = dict.fromkeys((step.arm.name for step in plan.steps), "the plan was refused")
        reasons |= refused
    return reasons | (dossier.get("failed") or {})


def _gap(found: Comparison | None) -> str:
    if found is None:
        return "an unknown margin (no shared item)"
    return (
        f"{found.difference:+.2f} ({found.low:+.2f} to {found.high:+.2f},"
        f" p = {found.p:.2g}, {found.n} shared items)"
    )


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)
