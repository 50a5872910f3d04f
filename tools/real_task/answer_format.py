"""The form an answer must have, read off the references, and how an answer misses it."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tools.real_task.answer_labels import find_label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from memory.records import MetricChoice

COMMON = 0.8  # a heading belongs to the form when this share of the references has it
_HEADING = re.compile(r"^[#*\s]*([A-Z][^\W\d_]*(?:[ &/-][^\W\d_]+){0,4})[*\s]*(?::|\n|$)", re.M)


@dataclass(frozen=True)
class Form:
    """What is expected: a label, a JSON object with these keys, or these sections.

    All empty: free text, of which only something must be there.
    """

    labels: tuple[str, ...] = ()
    keys: tuple[str, ...] | None = None
    sections: tuple[str, ...] = ()


def form_of(references: Sequence[str | None], choice: MetricChoice) -> Form:
    """The form that the references share; free text when they share none or there are none."""
    known = [reference for reference in references if reference is not None]
    if choice.labels or not known:
        return Form(labels=choice.labels)
    objects = [_object(reference) for reference in known]
    if all(one is not None for one in objects):
        shared = set.intersection(*(set(one or ()) for one in objects))
        return Form(keys=tuple(key for key in objects[0] or () if key in shared))
    seen: Counter[str] = Counter()
    for reference in known:
        headings = (heading.casefold() for heading in _HEADING.findall(reference))
        seen.update(list(dict.fromkeys(headings)))  # each once, in order
    if len(known) < 2:
        return Form()
    return Form(sections=tuple(h for h, n in seen.items() if n >= COMMON * len(known)))


def fault(answer: str, form: Form) -> str | None:
    """What is wrong with the answer's form, None when nothing is."""
    if not answer.strip():
        return "empty"
    if form.labels and find_label(answer, form.labels) is None:
        return "no label"
    if form.keys is not None:
        found = _object(answer)
        if found is None:
            return "no JSON object"
        missing = [key for key in form.keys if key not in found]
        return f"no {missing[0]}" if missing else None
    for section in form.sections:
        words = r"\s+".join(map(re.escape, section.split()))
        if not re.search(rf"^[#*\s\d.)]*{words}\b", answer, re.IGNORECASE | re.MULTILINE):
            return f"no section {section}"
    return None


def _object(text: str) -> dict[str, object] | None:
    """The JSON object that the text is, a Markdown fence around it allowed."""
    fenced = re.fullmatch(r"\s*```(?:json)?\s*\n(.*?)\n\s*```\s*", text, re.DOTALL)
    try:
        found = json.loads(fenced.group(1) if fenced else text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
