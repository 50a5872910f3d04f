"""Which models are kin: a judge must not grade its own family.

Kin share an ancestor in the registry, a maker, or a family's name; hosted models, which no
registry of open models holds, are known by their name alone. That may refuse too much (two
unlike models of one maker) and is meant to: a judge prefers its own (Panickssery et al. 2024).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from memory.errors import BadRequest, MirrorError
from tools.choosing.constraints import graph
from tools.methods import lineage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from memory.registry import Registry

# A word in a model's name -> the family it belongs to.
NAMES = {
    "llama": "llama", "vicuna": "llama", "alpaca": "llama", "qwen": "qwen", "qwq": "qwen",
    "mistral": "mistral", "mixtral": "mistral", "ministral": "mistral", "magistral": "mistral",
    "codestral": "mistral", "devstral": "mistral", "zephyr": "mistral", "gemma": "google",
    "gemini": "google", "palm": "google", "gpt": "openai", "chatgpt": "openai", "davinci": "openai",
    "claude": "anthropic", "phi": "phi", "deepseek": "deepseek", "command": "cohere",
    "aya": "cohere", "grok": "xai", "falcon": "falcon", "smollm": "smollm", "granite": "granite",
    "olmo": "olmo", "glm": "glm", "chatglm": "glm", "yi": "yi", "internlm": "internlm",
    "baichuan": "baichuan", "nemotron": "nemotron", "kimi": "kimi", "bloom": "bloom",
    "pythia": "pythia", "mpt": "mpt", "minimax": "minimax", "jamba": "jamba",
}  # fmt: skip
MAKERS = {
    "meta-llama": "llama", "meta": "llama", "mistralai": "mistral", "openai": "openai",
    "google": "google", "anthropic": "anthropic", "microsoft": "phi", "deepseek-ai": "deepseek",
    "cohere": "cohere", "coherelabs": "cohere", "cohereforai": "cohere", "x-ai": "xai",
    "tiiuae": "falcon", "huggingfacetb": "smollm", "ibm-granite": "granite", "allenai": "olmo",
    "zai-org": "glm", "thudm": "glm", "01-ai": "yi", "nvidia": "nemotron",
    "moonshotai": "kimi", "bigscience": "bloom", "eleutherai": "pythia", "mosaicml": "mpt",
}  # fmt: skip


class JudgeRefused(MirrorError):
    """A judge would grade its own family."""


def kinship(judge: str, model: str, registry: Registry) -> str | None:
    """Why the two are kin, in words; None when nothing says so."""
    known = {id: _line(id, registry) for id in (judge, model)}
    shared = [id for id in known[judge] if id in known[model]]
    if shared:
        return f"both descend from {shared[0]}"
    for kind, read in (("family", _families), ("maker", _makers)):
        common = set(read(known[judge])) & set(read(known[model]))
        if common:
            return f"both are of the {kind} {min(common)}"
    return None


def check_impartial(judges: Iterable[str], models: Iterable[str], registry: Registry) -> None:
    """Raise JudgeRefused, naming the pair and the reason, if a judge is kin of a model."""
    graded = list(models)
    for judge in judges:
        for model in graded:
            reason = kinship(judge, model, registry)
            if reason:
                raise JudgeRefused(
                    f"{judge} can't judge {model}: {reason}, and judges prefer their own; set"
                    " MIRROR_JUDGE_MODEL to a model of another family."
                )


def _line(id: str, registry: Registry) -> list[str]:
    """The model's id in lower case, as the registry has it, and those of its ancestors."""
    try:
        own = registry.get(id).id
    except BadRequest:
        return [id.lower()]
    return [
        own.lower(),
        *(parent.lower() for parent in lineage.ancestors(own, graph(registry.models))),
    ]


def _families(ids: Iterable[str]) -> Iterator[str]:
    for id in ids:
        for word in re.findall(r"[a-z]+", id.rsplit("/", 1)[-1]):
            if word in NAMES:
                yield NAMES[word]
            for name in NAMES:  # "openbiollama", "smollm", "medgemma"
                if len(name) > 4 and name in word:
                    yield NAMES[name]
        if "/" in id and id.split("/", 1)[0] in MAKERS:
            yield MAKERS[id.split("/", 1)[0]]


def _makers(ids: Iterable[str]) -> Iterator[str]:
    for id in ids:
        if "/" in id:
            yield id.split("/", 1)[0]
