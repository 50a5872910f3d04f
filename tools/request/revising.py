"""A change of mind, read from plain words: "actually 13B is fine", "and if it must be French?".

The same words as in a first request are read, but what a later sentence states replaces what
was said before of the same thing; "also" adds to it and "without" or "no longer" takes away.
A size alone is the new upper limit. What the sentence does not touch stays as it was.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tools.choosing.constraints import billions
from tools.request import licence_names
from tools.request import vocabulary as say
from tools.request.domains import domains_of
from tools.request.requirements import revised

if TYPE_CHECKING:
    from memory.records import Requirements

ALSO = r"also|as well|too|in addition|additionally|besides|plus"
AWAY = r"without|no longer|not? need(?:ed)?|(?:do|does)(?:n't| not) need(?: to)?|drop|forget|minus"
ANY = {
    "languages": r"any languages?|languages? (?:does|do)(?:n't| not) matter",
    "domains": r"any domain|(?:the )?domain does(?:n't| not) matter|general models?",
    "ecosystem": r"any (?:format|ecosystem|runtime)|(?:the )?format does(?:n't| not) matter",
    "context": r"any context|context(?: length)? does(?:n't| not) matter",
    "budget_usd": r"no (?:budget|spending) limit|(?:the )?budget does(?:n't| not) matter",
    "gpu_memory_gb": r"any (?:gpu|hardware)|hardware does(?:n't| not) matter",
}
LIMITS = ("max_params", "min_params", "gpu_memory_gb")
_EMPTY: dict[str, object] = {"languages": (), "domains": (), "ecosystem": ()}


def changes(text: str, before: Requirements) -> dict[str, object]:
    """The fields that ``text`` changes, with their new values; empty when it states none.

    Raises:
        BadRequest: a licence name whose terms are not known.
    """
    found: dict[str, object] = {**_size(text, before), **_licence(text), **_lists(text, before)}
    if (context := say.context(text)) is not None:
        found["context"] = context
    if (budget := say.budget(text)) is not None:
        found["budget_usd"] = budget
    if (bits := say.precision(text)) is not None:
        found["precision_bits"] = bits
    task, modality = say.task(text)
    if task != "text-generation":
        found |= {"task": task, "modality": modality}
    for field, words in ANY.items():
        if say.found(words, text):
            found[field] = _EMPTY.get(field)
    limits = {name: found.get(name, getattr(before, name)) for name in LIMITS}
    if found and set(limits.values()) == {None}:
        found["min_params"] = 0  # any size, said; not a size that is still to be asked for
    return {name: value for name, value in found.items() if value != getattr(before, name)}


def revise(text: str, before: Requirements) -> Requirements:
    """The requirements after ``text``; equal to ``before`` when it changes nothing.

    Raises:
        BadRequest: a value out of bounds, or a licence name whose terms are not known.
    """
    found = changes(text, before)
    return revised(before, {**found, "text": f"{before.text}; {text}"}) if found else before


def describe(before: Requirements, after: Requirements) -> str:
    """What changed, a field at a time: "at most 7B -> at most 13B; languages en -> fr"."""
    fields = [name for name in type(before).model_fields if name not in ("text", "examples")]
    return "; ".join(
        f"{_label(name)} {_said(name, old)} -> {_said(name, new)}"
        for name in fields
        if (old := getattr(before, name)) != (new := getattr(after, name))
    )


def _size(text: str, before: Requirements) -> dict[str, object]:
    memory, count = say.hardware(text)
    found: dict[str, object] = {}
    if memory is not None:
        found = {"gpu_memory_gb": memory, "gpu_count": count}
    least, most = say.sizes(text)
    if say.found(say.ANY_SIZE, text):
        return {**found, "min_params": 0, "max_params": None}
    if least is not None and least == most:
        least = None  # "13B is fine" is the new upper limit
    if most is not None:
        found["max_params"] = most
        if least is None and before.min_params and before.min_params > most:
            found["min_params"] = None
    if least is not None:
        found["min_params"] = least
        if most is None and before.max_params and before.max_params < least:
            found["max_params"] = None
    return found


def _licence(text: str) -> dict[str, object]:
    found: dict[str, object] = {}
    if (uses := licence_names.uses(text)) is not None:
        found["licence_use"] = uses
        if not uses:
            found["licences"] = ()
    if names := licence_names.named(text):
        found["licences"] = names
    return found


def _lists(text: str, before: Requirements) -> dict[str, object]:
    read = {
        "languages": say.languages(text),
        "domains": domains_of(text),
        "ecosystem": say.ecosystem(text),
    }
    found: dict[str, object] = {}
    for field, values in read.items():
        if not values:
            continue
        known: tuple[str, ...] = getattr(before, field)
        if say.found(AWAY, text):
            found[field] = tuple(one for one in known if one not in values)
        elif field == "ecosystem" or say.found(ALSO, text):
            found[field] = tuple(dict.fromkeys([*known, *values]))
        else:
            found[field] = values
    return found


def _label(name: str) -> str:
    labels = {"max_params": "at most", "min_params": "at least", "budget_usd": "budget"}
    return labels.get(name, re.sub("_", " ", name))


def _said(name: str, value: object) -> str:
    if value is None or value == () or (name in LIMITS and value == 0):
        return "any"
    if name in ("max_params", "min_params") and isinstance(value, int):
        return billions(value)
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
