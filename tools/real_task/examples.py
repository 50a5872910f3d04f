"""The user's own examples: read, checked, sampled.

Which column is the prompt and which the answer is taken from their names only when one name
alone fits; otherwise the user is asked, with the columns in sight. A row that can't be used is
quarantined with its reason, a missing answer is counted and kept: a judge can still grade it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from memory.errors import BadRequest
from memory.records import Example, ExampleSet, Question
from tools.clients import example_files
from tools.real_task import sensitive

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tools.clients.example_files import Row, Table

FIELD_BYTES = 100_000
INPUT_NAMES = frozenset(
    {"input", "inputs", "prompt", "question", "dialogue", "dialog", "conversation", "transcript"}
    | {"text", "instruction", "query", "source", "document", "article", "passage", "context"}
    | {"request", "message", "content"}
)
REFERENCE_NAMES = frozenset(
    {"output", "outputs", "reference", "references", "answer", "answers", "note", "label"}
    | {"labels", "target", "gold", "response", "completion", "summary", "expected", "class"}
    | {"expected_output", "ideal", "final_decision"}
)
NO_REFERENCE = "none of these"
JOINED = " + "


def read(
    path: Path, input_field: str | None = None, reference_field: str | None = None
) -> ExampleSet | Question:
    """The examples of ``path``, or what has to be asked first.

    ``input_field`` may join columns: "context + question". ``reference_field`` may be
    ``NO_REFERENCE``. A question's ``field`` is the parameter its answer belongs to.

    Raises:
        BadRequest: the file is refused (see ``example_files``), a field named is not a column,
            or no row is usable.
    """
    table = example_files.read(path)
    asked = _fields(path.name, table.columns, input_field, reference_field)
    if isinstance(asked, Question):
        return asked
    inputs, reference = asked
    return _gather(path.name, table, inputs, reference)


def sample(examples: Sequence[Example], n: int, seed: int) -> list[Example]:
    """``n`` at random, the sample of n beginning that of n + 1, whatever order the file has.

    Raises ``BadRequest`` when there are fewer.
    """
    if not 0 <= n <= len(examples):
        raise BadRequest(f"There are {len(examples)} usable examples; {n} can't be drawn.")
    pool = sorted(examples, key=lambda example: example.id)
    order = np.random.default_rng(seed).permutation(len(pool))
    return [pool[i] for i in order[:n]]


def split(
    examples: Sequence[Example], calibration: int, seed: int
) -> tuple[list[Example], list[Example]]:
    """``calibration`` examples to choose and tune on, and the others, to report on.

    Raises ``BadRequest`` when either part would be empty.
    """
    if not 0 < calibration < len(examples):
        raise BadRequest(
            f"{calibration} of {len(examples)} examples can't be set apart for calibration; "
            "both parts need at least one."
        )
    drawn = sample(examples, len(examples), seed)
    return drawn[:calibration], drawn[calibration:]


def _fields(
    name: str, columns: tuple[str, ...], inputs: str | None, reference: str | None
) -> tuple[tuple[str, ...], str | None] | Question:
    seen = f"Its columns: {', '.join(columns)}."
    if inputs is None:
        fitting = _named(columns, INPUT_NAMES)
        if len(fitting) != 1:
            text = f"Which column of {name} holds what the model is given? {seen}"
            if len(fitting) > 1:
                text += f" Several may be joined, such as {JOINED.join(fitting[:3])!r}."
            return Question(
                id="examples_input", field="input_field", text=text, options=fitting or columns
            )
        chosen: tuple[str, ...] = fitting
    else:
        chosen = _known(name, columns, (inputs,) if inputs in columns else inputs.split(JOINED))
    rest = tuple(column for column in columns if column not in chosen)
    if reference == NO_REFERENCE or not rest:
        return chosen, None
    if reference is not None:
        return chosen, _known(name, rest, (reference,))[0]
    fitting = _named(rest, REFERENCE_NAMES)
    if len(fitting) != 1:
        return Question(
            id="examples_reference",
            field="reference_field",
            text=f"Which column of {name} holds the answer that you want, if any? {seen}",
            options=(*(fitting or rest), NO_REFERENCE),
        )
    return chosen, fitting[0]


def _named(columns: Sequence[str], names: frozenset[str]) -> tuple[str, ...]:
    return tuple(c for c in columns if re.sub(r"\W+", "_", c.strip().lower()).strip("_") in names)


def _known(name: str, columns: Sequence[str], wanted: Sequence[str]) -> tuple[str, ...]:
    for column in wanted:
        if column not in columns:
            raise BadRequest(f"{name} has no column {column!r} left; it has {', '.join(columns)}.")
    return tuple(wanted)


def _gather(name: str, table: Table, inputs: tuple[str, ...], reference: str | None) -> ExampleSet:
    left_out: dict[str, list[int]] = defaultdict(list)
    for number, why in table.unusable.items():
        left_out[why].append(number)
    kept: dict[str, Example] = {}
    numbers = []
    for number, row in table.rows.items():
        example = _example(number, row, inputs, reference)
        if isinstance(example, str):
            left_out[example].append(number)
            continue
        key = " ".join(example.input.split())
        if key in kept:
            same = kept[key].reference == example.reference
            left_out["duplicate" if same else "same input, another reference"].append(number)
            continue
        kept[key] = example
        if reference and isinstance(row.get(reference), bool | int | float):
            numbers.append(number)
    examples = tuple(kept.values())
    if not examples:
        why = "; ".join(f"{reason} ({len(rows)})" for reason, rows in left_out.items())
        raise BadRequest(f"{name} has no usable example: {why}.")
    return ExampleSet(
        source=name,
        sha256=table.sha256,
        input_field=JOINED.join(inputs),
        reference_field=reference,
        examples=examples,
        read=len(table.rows) + len(table.unusable),
        quarantined={reason: tuple(sorted(rows)) for reason, rows in left_out.items()},
        missing_references=sum(example.reference is None for example in examples),
        notes=_mixed(reference, len(numbers), examples),
        sensitive=sensitive.scan((e.row or 0, _texts(e)) for e in examples),
    )


def _mixed(reference: str | None, numbers: int, examples: Sequence[Example]) -> tuple[str, ...]:
    texts = sum(example.reference is not None for example in examples) - numbers
    if not numbers or not texts:
        return ()
    return (f"{reference} is text in {texts} rows and a number or truth value in {numbers}",)


def _example(
    number: int, row: Row, inputs: tuple[str, ...], reference: str | None
) -> Example | str:
    """The example of a row, or why there is none."""
    try:
        texts = {column: _text(column, value) for column, value in row.items()}
    except ValueError as error:
        return str(error)
    missing = [column for column in inputs if not (texts.get(column) or "").strip()]
    if missing:
        return f"{missing[0]} is empty"
    given = "\n\n".join(str(texts[column]).strip() for column in inputs)
    answer = (texts.get(reference) or "").strip() if reference else ""
    digest = hashlib.sha256(json.dumps([given, answer]).encode()).hexdigest()[:12]
    others = {c: t for c, t in texts.items() if t and c not in (*inputs, reference)}
    return Example(
        id=f"example:{digest}", input=given, reference=answer or None, extra=others, row=number
    )


def _text(column: str, value: object) -> str | None:
    """The value as text, None when missing. Raises ValueError with the reason for quarantine."""
    if value is None:
        return None
    if isinstance(value, bool | int | float):
        text = json.dumps(value)
    elif isinstance(value, list) and all(isinstance(turn, str) for turn in value):
        text = "\n".join(value)
    elif isinstance(value, str):
        text = value
    else:
        raise ValueError(f"{column} is neither text nor a list of texts")
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise ValueError(f"{column} holds half a character (a lone surrogate)") from None
    if size > FIELD_BYTES:
        raise ValueError(f"{column} has more than {FIELD_BYTES:,} bytes")
    return text


def _texts(example: Example) -> dict[str, str]:
    texts = {"input": example.input, **example.extra}
    return texts if example.reference is None else {**texts, "reference": example.reference}
