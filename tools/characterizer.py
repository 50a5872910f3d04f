"""What each model is like: its characteristics C[M], read from the registry's facts by rule.

A characteristic is a short label such as ``domain: medical`` or ``trained on: MSMARCO``. Own
ones weigh 1 (those that only the model's name suggests ``NAMED``), those that come along the
lineage graph less (RELM section 4.1.2, metadata propagation).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from tools.methods.lineage import propagate
from tools.request.domains import DOMAINS, domains_of, words_of
from tools.request.languages import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from memory.records import Model

NAMED = 0.8
"""The weight of what a model's name suggests and nothing else states."""

LENT = 0.6
"""The weight of what all relatives agree on but nobody states of the model itself."""

FAINT = 0.05
"""What relatives lend below this is left out: one medical child among a hundred says little."""

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


@dataclass(frozen=True)
class Characteristics:
    """``matrix`` (M models x K labels): 1 for own, less for suggested or inherited entries.

    ``models`` and ``labels`` name rows and columns; ``own`` is the matrix without what was
    inherited.
    """

    models: tuple[str, ...]
    labels: tuple[str, ...]
    matrix: sparse.csr_array
    own: sparse.csr_array


def labels_of(model: Model) -> dict[str, float]:
    """A model's own characteristics -> weight in (0, 1]."""
    labels: dict[str, float] = {}
    for facet, value, weight in (*_stated(model), *_named(model)):
        label = f"{facet}: {value}"
        labels[label] = max(weight, labels.get(label, 0.0))
    return labels


def _stated(model: Model) -> Iterator[tuple[str, str, float]]:
    if model.task:
        yield "task", model.task.replace("-", " "), 1.0
    for stated in model.domains:
        for domain in (stated,) if stated in DOMAINS else domains_of(stated):
            yield "domain", domain, 1.0
    for code in model.languages:
        yield "language", LANGUAGES.get(code, code), 1.0
    for ability in model.abilities:
        yield "ability", _ABILITIES.get(ability, ability.replace("_", " ")), 1.0
    if model.architecture:
        yield "architecture", model.architecture.replace("_", " "), 1.0
    for dataset in model.training_datasets:
        yield "trained on", dataset, 1.0
    for edge in model.bases:
        yield "based on", edge.parent.split("/")[-1], 1.0
    if model.params is not None:
        yield "size", next(name for limit, name in _SIZES if model.params < limit), 1.0


def _named(model: Model) -> Iterator[tuple[str, str, float]]:
    name = model.id.split("/")[-1]
    for domain in domains_of(name):
        yield "domain", domain, NAMED
    for word in words_of(name):
        if len(word) >= _SHORTEST_WORD and word not in _PACKAGING:
            yield "name says", word, NAMED


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


def _inherited(
    own: sparse.csr_array, models: Mapping[str, Model], labels: tuple[str, ...]
) -> sparse.csr_array:
    """(M x K) what relatives lend, of the heritable facets and not too faint."""
    row = {name: i for i, name in enumerate(models)}
    edges = [
        (row[model.id], row[edge.parent], edge.relation)
        for model in models.values()
        for edge in model.bases
        if edge.parent in row
    ]
    heritable = sparse.diags_array([float(facet_of(label) in HERITABLE) for label in labels])
    lent = propagate(sparse.csr_array(own @ heritable), edges).inherited
    lent.data *= LENT
    lent.data[lent.data < FAINT] = 0.0
    lent.eliminate_zeros()
    return lent


def characteristics(models: Mapping[str, Model]) -> Characteristics:
    """C for all models: own labels by rule, then propagated along the lineage graph.

    Labels are sorted, so the same models give the same matrix.
    """
    rows = [labels_of(model) for model in models.values()]
    labels = tuple(sorted({label for row in rows for label in row}))
    column = {label: k for k, label in enumerate(labels)}
    indptr = np.cumsum([0, *(len(row) for row in rows)])
    indices = [column[label] for row in rows for label in row]
    weights = [weight for row in rows for weight in row.values()]
    own = sparse.csr_array((weights, indices, indptr), shape=(len(rows), len(labels)))
    matrix = own.maximum(_inherited(own, models, labels))
    return Characteristics(
        models=tuple(models),
        labels=labels,
        matrix=sparse.csr_array(matrix),
        own=own,
    )
