"""The constraints a model can fail: what each asks of it, and the reason it gives.

A check returns None or a ``Failure``; it never looks at another check. Licences are read down
the whole lineage, languages may be inherited and are marked so, and what a source does not
state is a failure of its own kind, so that it can be relaxed apart from what is known to fail.
"""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tools.methods import licences, lineage
from tools.methods.footprint import DEFAULT_CONTEXT, largest_params

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

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


@dataclass(frozen=True)
class Failure:
    """Why a model falls. ``kind`` says which relaxation would bring it back."""

    constraint: str
    reason: str
    kind: str = ""
    params: int | None = None


def graph(models: Mapping[str, Model]) -> lineage.Graph:
    """child -> [(parent, relation)] over the whole registry."""
    return lineage.parents(
        (model.id, edge.parent, edge.relation) for model in models.values() for edge in model.bases
    )


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
                "ecosystem", f"no {need}" + (f", only {', '.join(only)}" if only else "")
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
