"""The decision: from evidence to a winner, or to the honest word that there is none.

A measured candidate earns a recommendation only by beating the constant answer on the same
items (one-sided 5 %; exact sign-flip test with benchmarks pooled by their weight, or at any time
by the race that put the constant answer out). Among those that do, the best leads, and when the
paired 90 % interval of another that is still in the race includes 0 it is too close to call:
nobody wins. An arm measured on fewer benchmarks than another can't win;
it can only keep another from winning, by being ahead on what they share. What was not measured
is never ranked among what was. A score under suspicion of contamination has less weight among an
arm's benchmarks, which is said wherever that arm is; so has a
benchmark whose judge failed a control.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from memory.records import CONSTANT, Decision, Origin, Ranked
from tools import herd_runner
from tools.choosing.caveats import caveats, reservations
from tools.choosing.comparing import lowered
from tools.choosing.tally import Tally
from tools.herd.contamination import factors, suspicion
from tools.herd.race import HerdRace, RaceEnd, drawn_items
from tools.methods.intervals import pool
from tools.real_task import authoring, own_task

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from memory.records import (
        Arm,
        Comparison,
        Contamination,
        ItemResult,
        Judging,
        Measurement,
        Prediction,
        Score,
        Selected,
    )
    from tools.deps import Deps
    from tools.dossier import Dossier


@dataclass(frozen=True)
class Evidence:
    """All a decision rests on. ``not_measured``: why, by model or by arm name.

    ``predicted``: the missing cells that can be relied on. ``weights``: σ_bench by benchmark; one
    that is not named weighs nothing, unless none is. ``contamination``: of the measured arms;
    ``suspected``: what earlier runs found, too. ``judging``: who graded, where judges did.
    ``made_up``: what to mind about examples that nobody met in life, "" where they are real.
    """

    measurements: Sequence[Measurement] = ()
    comparisons: Sequence[Comparison] = ()
    weights: Mapping[str, float] = field(default_factory=dict)
    selected: Sequence[Selected] = ()
    scores: Sequence[Score] = ()
    predicted: Sequence[Prediction] = ()
    arms: Sequence[Arm] = ()
    not_measured: Mapping[str, str] = field(default_factory=dict)
    race: RaceEnd = field(default_factory=RaceEnd)
    contamination: Sequence[Contamination] = ()
    suspected: Sequence[Contamination] = ()
    judging: Sequence[Judging] = ()
    made_up: str = ""


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
    comparisons: list[Comparison] = []
    race = RaceEnd()
    if plan and measurements:
        drawn = drawn_items(plan, deps.runner)
        comparisons, race = compared(dossier, drawn, herd_runner.results(plan, deps))
    suspected, made_up = deps.ledger.checks(), _made_up(dossier, deps)
    conclusion = conclude(evidence(dossier, comparisons, race, suspected, made_up))
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
        spent_usd=deps.ledger.spent(run) + deps.ledger.spent(authoring.run_of(run)),
        spent_minutes=deps.ledger.seconds(run) / 60,
        caveats=conclusion.caveats,
    )


def _made_up(dossier: Dossier, deps: Deps) -> str:
    needed = dossier.get("requirements")
    if needed is None or needed.examples is None or not dossier.get("measurements"):
        return ""
    return own_task.made_up(deps.examples.get(needed.examples)) or ""


def compared(
    dossier: Dossier, drawn: Mapping[str, Sequence[str]], results: Sequence[ItemResult]
) -> tuple[list[Comparison], RaceEnd]:
    """How any two measured arms compare on the items ``drawn``, and where their race stands."""
    plan = dossier.get("plan")
    measured = {measurement.arm for measurement in dossier.get("measurements") or ()}
    came = [one for one in results if one.arm in measured]
    herd = HerdRace.on(plan, drawn, came) if plan and measured else None
    if herd is None:
        return [], RaceEnd()
    for arm in herd.arms.keys() - measured:
        herd.race.withdraw(arm)
    less = factors(dossier.get("contamination") or ())
    return herd.comparisons(came, _weights(dossier), less), herd.end()


def evidence(
    dossier: Dossier,
    comparisons: Sequence[Comparison],
    race: RaceEnd,
    suspected: Sequence[Contamination],
    made_up: str = "",
) -> Evidence:
    """What a dossier holds to conclude from; the rest as in ``Evidence``."""
    plan = dossier.get("plan")
    return Evidence(
        measurements=dossier.get("measurements") or (),
        comparisons=comparisons,
        race=race,
        weights=_weights(dossier),
        selected=dossier.get("selected") or (),
        scores=dossier.get("scores") or (),
        predicted=[one for one in dossier.get("predicted") or () if one.trusted],
        arms=list(dict.fromkeys(step.arm for step in plan.steps)) if plan else (),
        not_measured=_not_measured(dossier),
        contamination=dossier.get("contamination") or (),
        suspected=suspected,
        judging=dossier.get("judging") or (),
        made_up=made_up,
    )


def _weights(dossier: Dossier) -> dict[str, float]:
    """σ_bench by benchmark, lowered where a judge failed its controls: for all arms alike."""
    trust = {one.benchmark: one.weight for one in dossier.get("judging") or ()}
    benchmarks = dossier.get("benchmarks") or ()
    return {one.task: one.weight * trust.get(one.task, 1.0) for one in benchmarks}


def conclude(evidence: Evidence) -> Conclusion:
    """Rank the evidence and say in plain words what follows from it."""
    tally = Tally(
        evidence.measurements,
        evidence.comparisons,
        evidence.weights,
        evidence.race,
        evidence.contamination,
    )
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
        summary=tally.summary(ranking) + reservations(evidence),
        ranking=ranking,
        caveats=tuple(caveats(evidence, tally)),
    )


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
    """A shortlisted model on what is known or reliably predicted of it, or without a value."""
    known = [score for score in evidence.scores if score.model == one.model]
    guessed = [guess for guess in evidence.predicted if guess.model == one.model]
    cells: list[Score | Prediction] = [*known, *guessed]
    value = low = high = None
    suspected = [found for score in known if (found := suspicion(score, evidence.suspected))]
    if cells:
        value, low, high = pool(
            [cell.value for cell in cells],
            [cell.value if cell.low is None else cell.low for cell in cells],
            [cell.value if cell.high is None else cell.high for cell in cells],
            lowered(
                one.model,
                [cell.benchmark for cell in cells],
                evidence.weights,
                {(one.model, found.benchmark): found.weight for found in suspected},
            ),
        )
    trust = list(Origin)
    reason = evidence.not_measured.get(one.model, "not measured here")
    filled = f", {len(guessed)} reliably predicted" if guessed else ""
    filled += "".join(f"; its {found.benchmark} {found.reason}" for found in suspected)
    return Ranked(
        model=one.model,
        value=value,
        low=low if guessed else None,
        high=high if guessed else None,
        # A mean is only as good as its least trusted part.
        origin=max((cell.origin for cell in cells), key=trust.index, default=None),
        standing="not measured",
        reason=f"{reason}; s = {one.s:.2f}, {one.known_cells} of {one.cells} scores known{filled}",
    )


def _not_measured(dossier: Dossier) -> dict[str, str]:
    """Why, by model or arm: the plan's reasons, a refusal, the failures of the run."""
    plan, approval = dossier.get("plan"), dossier.get("approval")
    reasons = dict(plan.not_measured) if plan else {}
    if plan and approval and approval.decision == "refuse":
        refused = dict.fromkeys((step.arm.name for step in plan.steps), "the plan was refused")
        reasons |= refused
    return reasons | (dossier.get("failed") or {})
