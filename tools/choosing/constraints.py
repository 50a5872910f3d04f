"""The constraints a model can fail: what each asks of it, and the reason it gives.

Each is a rule on what it looks at alone (a task, a set of clauses, some formats), never on another
constraint, so it is asked once for all models that look alike there (``tools.choosing.columns``).
A rule returns "" when the model passes and else the kind of failure, which says what relaxation
would bring it back: what a source does not state ("unknown") is apart from what is known to fail.
Licences are read down the whole lineage, languages may be inherited and are marked so.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from tools.methods import licences, lineage
from tools.methods.footprint import DEFAULT_CONTEXT, largest_params

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from memory.records import Model, Requirements

# Tasks that can do the wanted one: a model that reads images and text also answers text alone.
ACCEPTS: Mapping[str, frozenset[str]] = {
    "text-generation": frozenset(
        {"text-generation", "text2text-generation", "image-text-to-text", "any-to-any"}
    ),
    "image-text-to-text": frozenset({"image-text-to-text", "any-to-any"}),
    "image-to-text": frozenset({"image-to-text", "image-text-to-text", "any-to-any"}),
    "feature-extraction": frozenset({"feature-extraction", "sentence-similarity"}),
    "sentence-similarity": frozenset({"feature-extraction", "sentence-similarity"}),
}
READS: Mapping[str, frozenset[str]] = {
    "image-text-to-text": frozenset({"text", "image"}),
    "image-to-text": frozenset({"image", "text"}),
    "automatic-speech-recognition": frozenset({"audio", "text"}),
    "text-to-speech": frozenset({"text", "audio"}),
    "audio-to-audio": frozenset({"audio"}),
    "any-to-any": frozenset({"text", "image", "audio", "video"}),
}
# Re-uploads in these formats run in their own runtime only.
OWN_RUNTIME = frozenset({"gguf", "mlx", "exl2", "exl3"})
ABILITIES = frozenset({"tools", "reasoning", "structured_output", "vision"})
NOMINAL = 0.1
COMMON = 0.9  # a language this share of models with stated languages has is not asked to be stated


class Parents(Mapping[str, "Sequence[tuple[str, str]]"]):
    """model id -> [(parent, relation)], read from the record when it is asked for."""

    def __init__(self, models: Mapping[str, Model]) -> None:
        self._models = models

    def __getitem__(self, id: str) -> Sequence[tuple[str, str]]:
        bases = self._models[id].bases
        return [(edge.parent, edge.relation) for edge in bases if edge.parent != id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._models)

    def __len__(self) -> int:
        return len(self._models)


def graph(models: Mapping[str, Model]) -> lineage.Graph:
    """child -> [(parent, relation)] over the whole registry, for walking from a few models."""
    return Parents(models)


@functools.cache
def scancode_categories() -> Mapping[str, str]:
    """Lower-case licence key or SPDX id -> category, from the package license-expression."""
    from license_expression import get_license_index

    index = get_license_index()
    named = {row["license_key"]: row["category"] for row in index if row["category"]}
    spdx = {(row["spdx_license_key"] or "").lower(): row["category"] for row in index}
    return spdx | named


def verdict(model: Model, models: Mapping[str, Model], parents: lineage.Graph) -> licences.Verdict:
    """The model's licence under those of all its ancestors; an unlisted ancestor is unknown."""
    above = lineage.ancestors(model.id, parents)
    chain = [(id, models[id].licence if id in models else None) for id in above]
    return licences.verdict(model.licence, chain, scancode_categories())


def size_limit(wanted: Requirements) -> int | None:
    """The most parameters allowed, by number or by what fits the hardware; None: no limit.

    Hardware: ``gpu_count`` x ``gpu_memory_gb`` must hold 1.15 x (weights at ``precision_bits`` +
    the key-value cache of ``context`` tokens, 4,096 when none is asked); ``methods.footprint``.
    A stated number forgives 10 %: sizes are names, Llama-3.1-8B has 8.03B and Qwen2.5-7B 7.6B.
    """
    limits = [] if wanted.max_params is None else [round(wanted.max_params * (1 + NOMINAL))]
    if wanted.gpu_memory_gb is not None:
        limits.append(fitting(wanted, wanted.precision_bits))
    return min(limits, default=None)


def fitting(wanted: Requirements, bits: int) -> int:
    """The most parameters at ``bits`` per weight that fit the wanted hardware."""
    memory = (wanted.gpu_memory_gb or 0.0) * 1e9 * wanted.gpu_count
    return largest_params(memory, bits, wanted.context or DEFAULT_CONTEXT)


def billions(params: int) -> str:
    """0.5B, 7B, 13.5B: a parameter count as people write it."""
    return f"{params / 1e9:.3g}B" if params >= 1e8 else f"{params / 1e6:.3g}M"


# --- critical -----


def fails_task(does: str | None, wanted: Requirements) -> str:
    """The model does the wanted task, or one that includes it."""
    met = wanted.task is None or does in ACCEPTS.get(wanted.task, {wanted.task})
    return "" if met else "other"


def why_task(does: str | None, wanted: Requirements) -> str:
    """The reason of ``fails_task``."""
    return f"task {does or 'unknown'}, not {wanted.task}"


def handled(task: str | None, modalities: Iterable[str], abilities: Collection[str]) -> list[str]:
    """The modalities a model is known to handle, sorted; empty when nobody says."""
    known = set(modalities) | READS.get(task or "", {"text"} if task else set())
    return sorted(known | {"image"} if "vision" in abilities else known)


def fails_modality(handles: Sequence[str], wanted: Requirements) -> str:
    """The model handles the wanted modality, as far as anyone stated which it handles."""
    return "" if not handles or wanted.modality in handles else "other"


def why_modality(handles: Sequence[str], wanted: Requirements) -> str:
    """The reason of ``fails_modality``."""
    return f"handles {', '.join(handles)}, not {wanted.modality}"


class SizeLimits(NamedTuple):
    """The least and most parameters allowed; None: no limit. Both None: size does not matter."""

    least: float | None
    most: int | None


def size_limits(wanted: Requirements) -> SizeLimits:
    """The limits of number and hardware; ``NOMINAL`` is forgiven on stated numbers."""
    least = wanted.min_params * (1 - NOMINAL) if wanted.min_params else None
    return SizeLimits(least, size_limit(wanted))


def why_size(params: int, estimated: bool, kind: str, wanted: Requirements) -> str:
    """The reason why a size fails: "unknown", "over" or "under"."""
    if kind == "unknown":
        return "size unknown"
    size = f"{'about ' if estimated else ''}{billions(params)} parameters"
    if kind == "under":
        return f"{size}, under {billions(wanted.min_params or 0)}"
    limit = size_limit(wanted) or 0
    return f"{size}, over {billions(min(limit, wanted.max_params or limit))}"


def fails_licence(licence: str | None, clauses: Collection[str], wanted: Requirements) -> str:
    """Every wanted use is allowed by ``clauses``, those of the model and all its ancestors.

    "unknown" among the clauses: some licence is. Named licences must grant what is inherited.
    """
    for use in wanted.licence_use or ():
        permitted = licences.permits(clauses, use)
        if not permitted:
            return "unknown" if permitted is None else "forbidden"
    if not wanted.licences:
        return ""
    if "unknown" in clauses:
        return "unknown"
    return "forbidden" if not _is_named(licence, wanted) or _beyond(clauses, wanted) else ""


def why_licence(model: Model, found: licences.Verdict, wanted: Requirements) -> str:
    """The reason of ``fails_licence``, with the ancestor it comes from."""
    for use in wanted.licence_use or ():
        permission = licences.allows(found, use)
        if not permission.allowed:
            return f"{use} use: {permission.reason}"
    if found.category == "unknown":
        return f"licence unknown ({found.causes['unknown']})"
    if not _is_named(model.licence, wanted):
        return f"licence {model.licence}, not {' or '.join(wanted.licences)}"
    clause = _beyond(found.clauses, wanted)[0]
    return f"{licences.CLAUSES[clause]}, from {found.causes[clause]}"


def _is_named(licence: str | None, wanted: Requirements) -> bool:
    names = {licences.normalize(name) for name in wanted.licences}
    return licences.normalize(licence or "") in names


def _beyond(clauses: Iterable[str], wanted: Requirements) -> list[str]:
    """The clauses that none of the named licences has."""
    categories = scancode_categories()
    named = (licences.clauses(name, categories) or () for name in wanted.licences)
    granted = frozenset[str]().union(*named)
    return [clause for clause in clauses if clause not in granted]


# --- important ----


def languages(
    model: Model, models: Mapping[str, Model], parents: lineage.Graph
) -> tuple[tuple[str, ...], str | None]:
    """(language codes, the ancestor they are inherited from; None when they are its own)."""
    if model.languages:
        return model.languages, None
    for id in lineage.ancestors(model.id, parents):
        if id in models and models[id].languages:
            return models[id].languages, id
    return (), None


def common_languages(stated: Mapping[Sequence[str], int]) -> frozenset[str]:
    """Languages so common among models that state any (90 %) that cards leave them out.

    ``stated``: how many models state each list of languages.
    """
    counts: Counter[str] = Counter()
    for codes, models in stated.items():
        counts.update(dict.fromkeys(codes, models))
    some = sum(models for codes, models in stated.items() if codes)
    return frozenset(code for code, n in counts.items() if n >= COMMON * some)


def lacking(codes: Sequence[str], wanted: Requirements, expected: frozenset[str]) -> list[str]:
    """The wanted languages that are not stated; ``expected`` ones may go without saying."""
    found = [code for code in wanted.languages if code not in codes]
    return found if codes else [code for code in found if code not in expected]


def fails_languages(codes: Sequence[str], wanted: Requirements, expected: frozenset[str]) -> str:
    """Every wanted language is stated or inherited, or so common that cards leave it out."""
    if not lacking(codes, wanted, expected):
        return ""
    return "lacking" if codes else "unknown"


def why_languages(codes: Sequence[str], wanted: Requirements, expected: frozenset[str]) -> str:
    """The reason of ``fails_languages``."""
    absent = ", ".join(lacking(codes, wanted, expected))
    return f"no {absent}" if codes else f"languages not stated, {absent} wanted"


class Package(NamedTuple):
    """How a model comes: ``formats`` of it and its copies, ``abilities`` that can be asked for,
    and ``only``, the runtimes of its own it is bound to. All sorted.
    """

    formats: Sequence[str]
    abilities: Sequence[str]
    only: Sequence[str]


def unmet(package: Package, wanted: Requirements) -> str | None:
    """The first part of the wanted ecosystem that the model, or a copy of it, lacks."""
    for need in wanted.ecosystem:
        if need in ABILITIES:
            met = need in package.abilities
        elif need in {"safetensors", "transformers", "vllm"}:
            met = not package.only
        else:
            met = need in package.formats
        if not met:
            return need
    return None


def why_ecosystem(package: Package, wanted: Requirements) -> str:
    """The reason why an ecosystem is ``unmet``."""
    bound = f", only {', '.join(package.only)}" if package.only else ""
    return f"no {unmet(package, wanted)}{bound}"


def why_context(context: int, wanted: Requirements) -> str:
    """The reason why a context length (negative: unknown) is too short."""
    if context < 0:
        return "context length not stated"
    return f"{context:,} tokens, {wanted.context:,} wanted"
