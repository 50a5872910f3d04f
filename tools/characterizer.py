"""What a model is like: the rules that read characteristics from the registry's facts.

A characteristic is a short label such as ``domain: medical`` or ``trained on: MSMARCO``. Own
ones weigh 1, those that only the model's name suggests ``NAMED``. ``tools.characteristics`` applies
the same rules to all models at once and adds what relatives lend.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from tools.request.domains import DOMAINS, domains_of, words_of
from tools.request.languages import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from memory.records import Model

NAMED = 0.8
"""The weight of what a model's name suggests and nothing else states."""

# Letters, and the two signs that become a letter in lower case (Kelvin, dotted I).
LETTERS = re.compile("[A-Za-z\u212a\u0130]+")

# What a name says, how large a copy is and what it is based on stay its own.
HERITABLE = frozenset({"domain", "language", "ability", "trained on", "task"})

_SIZES = (
    (1e9, "tiny, below 1B parameters"),
    (4e9, "small, 1 to 4B parameters"),
    (15e9, "medium, 4 to 15B parameters"),
    (40e9, "large, 15 to 40B parameters"),
    (float("inf"), "very large, above 40B parameters"),
)
_ABILITIES = {
    "chat": "follows instructions and chats",
    "tools": "calls tools and functions",
    "vision": "understands images",
    "reasoning": "reasons step by step",
    "hybrid": "reasons on demand",
    "structured_output": "writes JSON and structured output",
    "tts": "speaks",
    "audio": "understands audio",
    "video": "understands video",
}
# Words of names that tell packaging, not meaning.
_PACKAGING = frozenset(
    word
    for words in (
        "gguf gptq bits awq exl quantized quant unsloth nvfp mxfp imatrix autoround float onnx",
        "pytorch dynamic mixed static optimized base instruct chat model models large small",
        "medium mini tiny nano micro preview version final beta alpha full merged merge lora qlora",
        "adapter pretrained pretrain finetune finetuned tuned community tokenizer test demo",
        "latest reap abliterated uncensored heretic",
    )
    for word in words.split()
)
_SHORTEST_WORD = 4


class Source(NamedTuple):
    """One column of the registry, and the labels of ``facet`` that a value of it stands for."""

    facet: str
    column: str
    read: Callable[[str], Iterable[str]]
    weight: float = 1.0


def _task(task: str) -> tuple[str, ...]:
    return (task.replace("-", " "),) if task else ()


def _domains(stated: str) -> tuple[str, ...]:
    return (stated,) if stated in DOMAINS else domains_of(stated)


def _language(code: str) -> tuple[str, ...]:
    return (LANGUAGES.get(code, code),)


def _ability(ability: str) -> tuple[str, ...]:
    return (_ABILITIES.get(ability, ability.replace("_", " ")),)


def _architecture(name: str) -> tuple[str, ...]:
    return (name.replace("_", " "),) if name else ()


def _data_set(name: str) -> tuple[str, ...]:
    return (name,)


def _base(parent: str) -> tuple[str, ...]:
    return (parent.split("/")[-1],)


def _size(params: str) -> tuple[str, ...]:
    return (next(name for limit, name in _SIZES if int(params) < limit),)


def _words(name: str) -> list[str]:
    return [w for w in words_of(name) if len(w) >= _SHORTEST_WORD and w not in _PACKAGING]


SOURCES = (
    Source("task", "task", _task),
    Source("domain", "domains", _domains),
    Source("domain", "words", domains_of, NAMED),
    Source("language", "languages", _language),
    Source("ability", "abilities", _ability),
    Source("architecture", "architecture", _architecture),
    Source("trained on", "training_datasets", _data_set),
    Source("based on", "bases", _base),
    Source("size", "params", _size),
    Source("name says", "words", _words, NAMED),
)
"""``words``: the runs of letters in a model's name; ``bases``: the ids of its parents."""


def labels_of(model: Model) -> dict[str, float]:
    """A model's own characteristics -> weight in (0, 1]."""
    labels: dict[str, float] = {}
    for source in SOURCES:
        for value in _values(model, source.column):
            for said in source.read(value):
                label = f"{source.facet}: {said}"
                labels[label] = max(source.weight, labels.get(label, 0.0))
    return labels


def _values(model: Model, column: str) -> Sequence[str]:
    """What ``column`` holds of one model; ``tools.characteristics`` reads it of all at once."""
    if column == "words":
        return LETTERS.findall(model.id.split("/")[-1])
    if column == "bases":
        return [edge.parent for edge in model.bases]
    value = getattr(model, column)
    if isinstance(value, tuple):
        return value
    return () if value is None else (str(value),)


def facet_of(label: str) -> str:
    """The part of a label before its colon."""
    return label.partition(": ")[0]


def phrase(label: str) -> str:
    """What a request is compared with; empty for labels that only association can reach.

    A base model's or architecture's name means nothing by itself, and size and language are the
    funnel's to judge.
    """
    facet, _, value = label.partition(": ")
    if facet == "domain":
        return DOMAINS[value].gloss
    if facet == "trained on":
        return f"data set {' '.join(words_of(value))}"
    return value if facet in ("task", "ability", "name says") else ""
