"""The funnel, one model and one check at a time: what the vectorized one must agree with."""

from __future__ import annotations

import functools
import itertools
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from memory.records import Elimination, Funnel, Model, Relaxation, Requirements
from tools.choosing.constraints import (
    ABILITIES,
    ACCEPTS,
    COMMON,
    NOMINAL,
    OWN_RUNTIME,
    READS,
    billions,
    fitting,
    scancode_categories,
    size_limit,
)
from tools.methods import licences, lineage
from tools.methods.lineage import VARIANT, ancestors

Graph = dict[str, list[tuple[str, str]]]
Stage = Literal["critical", "important"]
Check = Callable[[Model], "Failure | None"]


@dataclass(frozen=True)
class Failure:
    """Why a model falls. ``kind`` says which relaxation would bring it back."""

    constraint: str
    reason: str
    kind: str = ""
    params: int | None = None


@dataclass(frozen=True)
class Loosening:
    """One way to relax one constraint, and which failures it forgives."""

    constraint: str
    change: str
    forgives: Callable[[Failure], bool]


def graph(models: Mapping[str, Model]) -> Graph:
    """child -> [(parent, relation)] over the whole registry."""
    return lineage.parents(
        (model.id, edge.parent, edge.relation) for model in models.values() for edge in model.bases
    )


def fold(ids: Collection[str], graph: Graph) -> dict[str, str]:
    """id -> the root it is a quantized or mirrored copy of, or itself.

    The walk follows the first quantized or mirror edge, through parents absent from ``ids``, to
    the farthest one present. On a cycle the alphabetically first member present is the root.
    """
    present = frozenset(ids)
    return {id: _root(id, present, graph) for id in ids}


def _root(id: str, present: frozenset[str], graph: Graph) -> str:
    path = [id]
    while True:
        copied = [parent for parent, how in graph.get(path[-1], ()) if how in VARIANT]
        if not copied:
            return next(node for node in reversed(path) if node in present)
        if copied[0] in path:
            cycle = path[path.index(copied[0]) :]
            return min((n for n in cycle if n in present), default=id)
        path.append(copied[0])


def variants(models: Mapping[str, Model]) -> dict[str, tuple[str, ...]]:
    """root -> its quantized, mirrored and re-uploaded copies."""
    copies: dict[str, list[str]] = {}
    for id, root in fold(models, graph(models)).items():
        if id != root:
            copies.setdefault(root, []).append(id)
    return {root: tuple(sorted(found)) for root, found in copies.items()}


def verdict(model: Model, models: Mapping[str, Model], parents: Graph) -> licences.Verdict:
    """The model's licence under those of all its ancestors; an unlisted ancestor is unknown."""
    above = ancestors(model.id, parents)
    chain = [(id, models[id].licence if id in models else None) for id in above]
    return licences.verdict(model.licence, chain, scancode_categories())


def check_task(model: Model, wanted: Requirements) -> Failure | None:
    """The model does the wanted task, or one that includes it."""
    if wanted.task is None or model.task in ACCEPTS.get(wanted.task, {wanted.task}):
        return None
    return Failure("task", f"task {model.task or 'unknown'}, not {wanted.task}")


def check_modality(model: Model, wanted: Requirements) -> Failure | None:
    """The model handles the wanted modality, as far as anyone stated which it handles."""
    known = set(model.modalities) | READS.get(model.task or "", {"text"} if model.task else set())
    known |= {"image"} & ({"image"} if "vision" in model.abilities else set())
    if not known or wanted.modality in known:
        return None
    return Failure("modality", f"handles {', '.join(sorted(known))}, not {wanted.modality}")


def check_size(model: Model, wanted: Requirements) -> Failure | None:
    """The parameter count is known and within the limits of number and hardware."""
    limit = size_limit(wanted)
    if limit is None and not wanted.min_params:
        return None
    if model.params is None:
        return Failure("size", "size unknown", "unknown")
    about = "about " if model.params_estimated else ""
    size = f"{about}{billions(model.params)} parameters"
    if limit is not None and model.params > limit:
        return Failure(
            "size",
            f"{size}, over {billions(min(limit, wanted.max_params or limit))}",
            "over",
            model.params,
        )
    if wanted.min_params and model.params < wanted.min_params * (1 - NOMINAL):
        return Failure("size", f"{size}, under {billions(wanted.min_params)}", "under")
    return None


def check_licence(
    model: Model, wanted: Requirements, read: Callable[[], licences.Verdict]
) -> Failure | None:
    """Every wanted use is allowed; ``read`` reads the licences, only when they matter."""
    if not wanted.licence_use and not wanted.licences:
        return None
    found = read()
    for use in wanted.licence_use or ():
        permission = licences.allows(found, use)
        if not permission.allowed:
            kind = "unknown" if permission.allowed is None else "forbidden"
            return Failure("licence", f"{use} use: {permission.reason}", kind)
    return _named_licence(model, wanted.licences, found)


def _named_licence(model: Model, names: Sequence[str], found: licences.Verdict) -> Failure | None:
    if not names:
        return None
    if found.category == "unknown":
        cause = found.causes["unknown"]
        return Failure("licence", f"licence unknown ({cause})", "unknown")
    if licences.normalize(model.licence or "") not in {licences.normalize(n) for n in names}:
        return Failure("licence", f"licence {model.licence}, not {' or '.join(names)}", "forbidden")
    granted = frozenset().union(*(licences.clauses(n, scancode_categories()) or () for n in names))
    inherited = [c for c in found.clauses if c not in granted]
    if inherited:
        why = f"{licences.CLAUSES[inherited[0]]}, from {found.causes[inherited[0]]}"
        return Failure("licence", why, "forbidden")
    return None


def languages(
    model: Model, models: Mapping[str, Model], parents: Graph
) -> tuple[tuple[str, ...], str | None]:
    """(language codes, the ancestor they are inherited from; None when they are its own)."""
    if model.languages:
        return model.languages, None
    for id in ancestors(model.id, parents):
        if id in models and models[id].languages:
            return models[id].languages, id
    return (), None


def common_languages(models: Mapping[str, Model]) -> frozenset[str]:
    """Languages so common among models that state any (90 %) that cards leave them out."""
    stated = [model.languages for model in models.values() if model.languages]
    counts = Counter(code for codes in stated for code in codes)
    return frozenset(code for code, n in counts.items() if n >= COMMON * len(stated))


def check_languages(
    model: Model,
    wanted: Requirements,
    found: tuple[tuple[str, ...], str | None],
    expected: frozenset[str],
) -> Failure | None:
    """Every wanted language is stated or inherited, or so common that cards leave it out."""
    codes, _ = found
    lacking = [code for code in wanted.languages if code not in codes]
    if not codes:
        lacking = [code for code in lacking if code not in expected]
        kind, reason = "unknown", f"languages not stated, {', '.join(lacking)} wanted"
    else:
        kind, reason = "lacking", f"no {', '.join(lacking)}"
    return Failure("languages", reason, kind) if lacking else None


def check_ecosystem(model: Model, wanted: Requirements, copies: Iterable[Model]) -> Failure | None:
    """The model, or a copy of it, comes in the wanted formats and has the wanted abilities."""
    formats = {*model.formats, *model.quantization}
    formats.update(f for copy in copies for f in (*copy.formats, *copy.quantization))
    only = OWN_RUNTIME & {*model.quantization}
    for need in wanted.ecosystem:
        if need in ABILITIES:
            met = need in model.abilities
        elif need in {"safetensors", "transformers", "vllm"}:
            met = not only
        else:
            met = need in formats
        if not met:
            return Failure(
                "ecosystem", f"no {need}" + (f", only {', '.join(sorted(only))}" if only else "")
            )
    return None


def check_context(model: Model, wanted: Requirements) -> Failure | None:
    """The context length is stated and long enough."""
    if wanted.context is None:
        return None
    if model.context_length is None:
        return Failure("context", "context length not stated", "unknown")
    if model.context_length < wanted.context:
        return Failure("context", f"{model.context_length:,} tokens, {wanted.context:,} wanted")
    return None


def critical(models: Mapping[str, Model], wanted: Requirements) -> tuple[Funnel, list[Elimination]]:
    """Task, modality, size, licence, in this order, over models with their variants folded."""
    parents = graph(models)
    roots = fold(models, parents)
    considered = [models[id] for id, root in roots.items() if id == root]
    checks: list[Check] = [
        lambda m: check_task(m, wanted),
        lambda m: check_modality(m, wanted),
        lambda m: check_size(m, wanted),
        lambda m: check_licence(m, wanted, lambda: verdict(m, models, parents)),
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
    expected = common_languages(everything)
    checks: list[Check] = [
        lambda m: check_languages(m, wanted, languages(m, everything, parents), expected),
        lambda m: check_ecosystem(m, wanted, [everything[id] for id in copies.get(m.id, ())]),
        lambda m: check_context(m, wanted),
    ]
    loosenings = [
        Loosening("languages", "accept unstated languages", lambda f: f.kind == "unknown"),
        Loosening("languages", "any language", lambda f: True),
        Loosening("ecosystem", "any ecosystem", lambda f: True),
        Loosening("context", "accept unstated context", lambda f: f.kind == "unknown"),
        Loosening("context", "any context", lambda f: True),
    ]
    return _sift("important", list(models.values()), checks, loosenings, folded=0)


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
