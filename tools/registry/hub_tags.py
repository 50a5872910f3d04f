"""What a model's tags on the Hub say: some are facts of their own, some repeat other fields.

Tags such as ``license:mit`` or ``base_model:quantized:org/name`` are split into name and value;
of the plain ones, a few name formats, quantizations, abilities and domains in the registry's
words. What the Hub adds for its own services says nothing of the model and is left out.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MOST_KEPT = 64
ELSEWHERE = ("license:", "dataset:", "base_model:", "region:", "deploy:", "model-index")
SERVICES = frozenset(
    ("endpoints_compatible", "autotrain_compatible", "text-generation-inference", "has_space")
)


def _same(*words: str) -> dict[str, str]:
    return {word: word for word in words}


FORMATS: Mapping[str, str] = MappingProxyType(
    _same("safetensors", "gguf", "onnx", "pytorch", "tf", "jax", "mlx", "openvino", "coreml")
    | _same("tflite", "keras", "flax", "litert", "nemo", "awq", "gptq", "exl2", "exl3", "fp8")
)
QUANTIZATIONS: Mapping[str, str] = MappingProxyType(
    _same("gguf", "awq", "gptq", "fp8", "mlx", "exl2", "exl3", "4bit", "8bit", "nvfp4", "mxfp4")
    | _same("int4", "int8", "hqq", "aqlm", "compressed-tensors", "bnb", "quanto", "torchao")
    | {"4-bit": "4bit", "8-bit": "8bit", "2-bit": "2bit", "3-bit": "3bit", "6-bit": "6bit"}
    | {"bitsandbytes": "bnb", "auto-round": "autoround", "autoround": "autoround"}
)
ABILITIES: Mapping[str, str] = MappingProxyType(
    {"conversational": "chat", "reasoning": "reasoning", "function-calling": "tools"}
    | {"function_calling": "tools", "tool-calling": "tools", "tool-use": "tools"}
)
DOMAINS: Mapping[str, str] = MappingProxyType(
    _same("medical", "biology", "chemistry", "finance", "code", "math", "law", "science")
    | {"legal": "law", "biomedical": "medical", "clinical": "medical", "mathematics": "math"}
)


@dataclass(frozen=True)
class Sorted:
    """Tags by kind: ``named`` (name -> values), ``bases`` (id, relation), ``plain`` and ``kept``.

    ``kept`` are those that say something no other field does.
    """

    named: Mapping[str, tuple[str, ...]]
    bases: tuple[tuple[str, str | None], ...]
    plain: tuple[str, ...]
    kept: tuple[str, ...]


def sort(tags: Iterable[str]) -> Sorted:
    """Each tag in its place."""
    named: defaultdict[str, list[str]] = defaultdict(list)
    plain, kept = [], []
    for tag in tags:
        name, colon, value = tag.partition(":")
        if not colon:
            plain.append(tag)
        elif value:
            named[name].append(value)
        if tag not in SERVICES and not tag.startswith(ELSEWHERE):
            kept.append(tag)
    bases = tuple(_base(value) for value in named.pop("base_model", ()))
    typed = {parent for parent, relation in bases if relation}
    return Sorted(
        {name: tuple(values) for name, values in named.items()},
        tuple((parent, how) for parent, how in bases if how or parent not in typed),
        tuple(plain),
        tuple(kept[:MOST_KEPT]),
    )


def found(words: Iterable[str], names: Mapping[str, str]) -> tuple[str, ...]:
    """The registry's words for those of ``words`` that ``names`` knows, each once."""
    return tuple(dict.fromkeys(names[word] for w in words if (word := w.lower()) in names))


def _base(value: str) -> tuple[str, str | None]:
    """``quantized:org/name`` -> (org/name, quantized); ``org/name`` has no relation."""
    relation, colon, parent = value.partition(":")
    return (parent, relation) if colon else (value, None)
