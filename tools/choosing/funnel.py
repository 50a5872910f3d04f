"""The first two stages of choosing: what a model must be, then what it should be.

MSM (arXiv 2512.02043), stage 1 "critical requirements" and stage 2 "important
considerations". Every removed model keeps the one constraint that removed it, and for every
constraint we count how many models its relaxation alone would bring back.
"""

from __future__ import annotations

import functools
import itertools
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from memory.records import Elimination, Funnel, Relaxation
from tools.choosing import constraints
from tools.choosing.constraints import Failure, billions, fitting, graph, size_limit
from tools.methods import licences, lineage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from memory.records import Model, Requirements

    Check = Callable[[Model], Failure | None]

Stage = Literal["critical", "important"]


@dataclass(frozen=True)
class Loosening:
    """One way to relax one constraint, and which failures it forgives."""

    constraint: str
    change: str
    forgives: Callable[[Failure], bool]


def variants(models: Mapping[str, Model]) -> dict[str, tuple[str, ...]]:
    """root -> its quantized, mirrored and re-uploaded copies."""
    copies: dict[str, list[str]] = {}
    for id, root in lineage.fold(models, graph(models)).items():
        if id != root:
            copies.setdefault(root, []).append(id)
    return {root: tuple(sorted(found)) for root, found in copies.items()}


# --- stage 1: critical requirements -------------------------------------------------------


def critical(models: Mapping[str, Model], wanted: Requirements) -> tuple[Funnel, list[Elimination]]:
    """Task, modality, size, licence, in this order, over models with their variants folded."""
    parents = graph(models)
    roots = lineage.fold(models, parents)
    considered = [models[id] for id, root in roots.items() if id == root]
    checks: list[Check] = [
        lambda m: constraints.check_task(m, wanted),
        lambda m: constraints.check_modality(m, wanted),
        lambda m: constraints.check_size(m, wanted),
        lambda m: constraints.check_licence(
            m, wanted, lambda: constraints.verdict(m, models, parents)
        ),
    ]
    folded = len(models) - len(considered)
    return _sift("critical", considered, checks, _critical_loosenings(wanted), folded)


def _critical_loosenings(wanted: Requirements) -> list[Loosening]:
    limit = size_limit(wanted)
    loosenings = [
        Loosening("task", "any task", lambda f: True),
        Loosening("modality", "any modality", lambda f: True),
    ]
    for most, label in _larger_limits(wanted, limit):
        loosenings.append(Loosening("size", label, functools.partial(_at_most, most)))
    return [
        *loosenings,
        Loosening("size", "no lower limit", lambda f: f.kind == "under"),
        Loosening("size", "accept unknown size", lambda f: f.kind == "unknown"),
        Loosening("licence", "accept unknown licence", lambda f: f.kind == "unknown"),
        Loosening("licence", "any licence", lambda f: True),
    ]


def _at_most(limit: int, failure: Failure) -> bool:
    return failure.params is not None and failure.params <= limit


def _larger_limits(wanted: Requirements, limit: int | None) -> list[tuple[int, str]]:
    if limit is None:
        return []
    cap = wanted.max_params
    shown = min(limit, cap or limit)
    steps = [(int(limit * by), f"≤ {billions(int(shown * by))}") for by in (1.5, 2)]
    if wanted.gpu_memory_gb is not None and (cap is None or limit < cap):
        for bits in (b for b in (8, 4) if b < wanted.precision_bits):
            most = min(fitting(wanted, bits), cap or fitting(wanted, bits))
            steps.append((most, f"{bits}-bit weights (≤ {billions(most)})"))
    return sorted(steps)


# --- stage 2: important considerations ----------------------------------------------------


def important(
    models: Mapping[str, Model],
    wanted: Requirements,
    registry: Mapping[str, Model] | None = None,
) -> tuple[Funnel, list[Elimination]]:
    """Languages, ecosystem, context, in this order, over ``models`` (stage 1's survivors).

    Languages and formats are also looked for in ancestors and copies in ``registry`` (None: only
    in ``models``). Domain does not filter: general models stay, relevance is scored later.
    """
    everything = registry or models
    parents = graph(everything)
    copies = variants(everything) if wanted.ecosystem else {}
    expected = constraints.common_languages(everything)
    checks: list[Check] = [
        lambda m: constraints.check_languages(
            m, wanted, constraints.languages(m, everything, parents), expected
        ),
        lambda m: constraints.check_ecosystem(
            m, wanted, [everything[id] for id in copies.get(m.id, ())]
        ),
        lambda m: constraints.check_context(m, wanted),
    ]
    loosenings = [
        Loosening("languages", "accept unstated languages", lambda f: f.kind == "unknown"),
        Loosening("languages", "any language", lambda f: True),
        Loosening("ecosystem", "any ecosystem", lambda f: True),
        Loosening("context", "accept unstated context", lambda f: f.kind == "unknown"),
        Loosening("context", "any context", lambda f: True),
    ]
    return _sift("important", list(models.values()), checks, loosenings, folded=0)


# --- both stages --------------------------------------------------------------------------


def _sift(
    stage: Stage,
    considered: Sequence[Model],
    checks: Sequence[Check],
    loosenings: Sequence[Loosening],
    folded: int,
) -> tuple[Funnel, list[Elimination]]:
    survivors: list[str] = []
    eliminations: list[Elimination] = []
    single: list[Failure] = []
    for model in considered:
        failing = (failure for check in checks if (failure := check(model)))
        failures = list(itertools.islice(failing, 2))  # more would change nothing
        if not failures:
            survivors.append(model.id)
            continue
        first = failures[0]
        eliminations.append(
            Elimination(
                model=model.id, stage=stage, constraint=first.constraint, reason=first.reason
            )
        )
        if len(failures) == 1:
            single.append(first)
    funnel = Funnel(
        stage=stage,
        considered=len(considered),
        removed=dict(Counter(e.constraint for e in eliminations)),
        survivors=tuple(survivors),
        folded=folded,
        relaxations=_relaxations(single, loosenings),
    )
    return funnel, eliminations


def _relaxations(
    single: Sequence[Failure], loosenings: Sequence[Loosening]
) -> tuple[Relaxation, ...]:
    """How many models that fail one constraint only come back under each loosening.

    Where no natural step of size helps, the smallest model that fails by size alone is named.
    """
    counted = [
        Relaxation(
            constraint=loose.constraint,
            change=loose.change,
            gains=sum(f.constraint == loose.constraint and loose.forgives(f) for f in single),
        )
        for loose in loosenings
    ]
    found = [relaxation for relaxation in counted if relaxation.gains]
    too_large = [f.params for f in single if f.constraint == "size" and f.params is not None]
    if too_large and not any(relaxation.constraint == "size" for relaxation in found):
        least = min(too_large)
        change = f"≤ {billions(least)}, the smallest there is"
        gains = too_large.count(least)
        found.append(Relaxation(constraint="size", change=change, gains=gains))
    return tuple(found)


def best_relaxation(funnel: Funnel) -> str:
    """The relaxation that brings most models back, the milder of equals, as a sentence."""
    best = max(funnel.relaxations, key=lambda r: r.gains, default=None)
    if best is None:
        return "No single relaxation brings a model back; loosen two constraints."
    plural = "s" if best.gains > 1 else ""
    return f"Relaxing {best.constraint} ({best.change}) brings {best.gains:,} model{plural} back."


def describe(funnel: Funnel) -> str:
    """One line: how many came in, what removed the others, how many are left."""
    removed = " · ".join(f"{constraint} {n:,}" for constraint, n in funnel.removed.items())
    folded = f", {funnel.folded:,} copies folded" if funnel.folded else ""
    counts = f"{funnel.considered:,} -> {len(funnel.survivors):,}{folded}"
    eased = [one for one in funnel.relaxations if one.constraint not in ("task", "modality")][:2]
    relax = " · ".join(f"{one.change} adds {one.gains:,}" for one in eased)
    return " ".join(
        part
        for part in (
            counts,
            f"(removed: {removed})" if removed else "",
            f"(relax: {relax})" if relax else "",
        )
        if part
    )


def why(model: str, eliminations: Iterable[Elimination]) -> Elimination | None:
    """The one recorded reason a model was removed; None if it was not."""
    return next((e for e in eliminations if e.model == model), None)


def warnings(
    model: Model, models: Mapping[str, Model], wanted: Requirements, parents: lineage.Graph
) -> tuple[str, ...]:
    """What to mind about a survivor: licence conditions, and values that nobody stated."""
    found = constraints.verdict(model, models, parents)
    uses = wanted.licence_use or ()
    notes = [note for use in uses for note in licences.allows(found, use).warnings]
    codes, ancestor = constraints.languages(model, models, parents)
    if wanted.languages and ancestor:
        notes.append(f"languages inherited from {ancestor}")
    if wanted.languages and not codes:
        notes.append("languages not stated")
    if model.params_estimated and size_limit(wanted) is not None:
        notes.append("parameter count is an estimate")
    if model.task_inferred:
        notes.append(f"task inferred: {model.task_inferred}")
    return tuple(dict.fromkeys(notes))
