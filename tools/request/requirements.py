"""From a request in plain words to typed requirements, and what to ask before going on.

No language model is needed: sizes, hardware, licences, languages and the rest are read by
their words (``tools.request.vocabulary``). What the text does not say stays open and is asked, the
cheapest question first; it is never guessed.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from pydantic import ValidationError

from memory.errors import BadRequest
from memory.records import Question, Requirements
from tools.choosing.constraints import billions, fitting, scancode_categories
from tools.methods import licences
from tools.request import licence_names
from tools.request import vocabulary as say
from tools.request.domains import DOMAINS, domains_of
from tools.request.languages import LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LONGEST = 20_000  # characters

LICENCE_USE = Question(
    id="licence_use",
    field="licence_use",
    text="What may the licence have to allow: commercial use, or research and personal use only?",
    options=("commercial", "research only", "any licence"),
)
SIZE = Question(
    id="size",
    field="max_params",
    text="How large may the model be, or on what memory must it run?",
    options=("at most 0.5B", "at most 8B", "one 24 GB GPU", "one 80 GB GPU", "any size"),
)


def check(text: str) -> None:
    """Refuse what is no request. Raises ``BadRequest``."""
    if not text.strip():
        raise BadRequest("the request is empty; say what the model should do, in a sentence")
    if len(text) > LONGEST:
        raise BadRequest(
            f"the request has {len(text):,} characters, more than {LONGEST:,}; shorten it"
        )
    if not re.search(r"[^\W\d_]{2,}", text):
        raise BadRequest("the request has no words; say what the model should do, in a sentence")


def read_request(text: str) -> Requirements:
    """What the text states, and nothing else.

    Raises ``BadRequest`` for no request at all (see ``check``) and for a licence name whose
    terms are not known, naming similar ones.
    """
    check(text)
    least, most = say.sizes(text)
    memory, count = say.hardware(text)
    task, modality = say.task(text)
    stated = {
        "task": task,
        "modality": modality,
        "max_params": most,
        "min_params": least,
        "gpu_memory_gb": memory,
        "gpu_count": count,
        "precision_bits": say.precision(text) or 16,
        "context": say.context(text),
        "licence_use": licence_names.uses(text),
        "licences": licence_names.named(text),
        "languages": say.languages(text),
        "domains": domains_of(text),
        "ecosystem": say.ecosystem(text),
        "budget_usd": say.budget(text),
    }
    return revised(Requirements(text=text), stated)


def borne_out(heard: Mapping[str, object], read: Requirements) -> dict[str, object]:
    """What a planning model heard, as far as the request bears it out.

    A model may understand words that the rules miss, and invents what nobody said. So what the
    rules read stands; languages and domains count only if they exist; a use of the licence only
    on the strict side. Numbers are not asked of it at all.
    """
    kept: dict[str, object] = {}
    for name, value in heard.items():
        if getattr(read, name) not in (None, ()):
            continue
        if name == "domains":
            kept[name] = tuple(one for one in _texts(value) if one in DOMAINS)
        elif name == "languages":
            kept[name] = tuple(one for one in _texts(value) if one in LANGUAGES)
        elif value:
            kept[name] = value
    return kept


def checked(given: Mapping[str, object]) -> dict[str, object]:
    """Requirements stated by flags, or the complaint about the first that means nothing.

    Raises ``BadRequest`` naming what is near.
    """
    for name, known in (("languages", LANGUAGES), ("domains", DOMAINS)):
        for value in map(str, _texts(given.get(name))):
            if value not in known:
                near = difflib.get_close_matches(value, known, 3) or sorted(known)[:8]
                raise BadRequest(f"{value!r} is not among the {name}; such as {', '.join(near)}")
    return dict(given)


def revised(wanted: Requirements, changes: Mapping[str, object]) -> Requirements:
    """The requirements with ``changes``. Raises ``BadRequest`` for a value out of bounds."""
    try:
        return Requirements.model_validate({**wanted.model_dump(), **changes})
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).replace("_", " ")
        message = first["msg"].removeprefix("Input ")
        raise BadRequest(f"{name} {first['input']!r} {message}; correct it") from None


def _texts(value: object) -> Iterable[str]:
    return value if isinstance(value, list | tuple) else ()


def missing(wanted: Requirements) -> list[Question]:
    """What must be known before the first stage, the cheapest question first; at most two."""
    questions = []
    if wanted.licence_use is None and not wanted.licences:
        questions.append(LICENCE_USE)
    if wanted.max_params is None and wanted.min_params is None and wanted.gpu_memory_gb is None:
        questions.append(SIZE)
    return questions


def answer(wanted: Requirements, question: str, text: str) -> Requirements:
    """The requirements with one question answered. Raises ``BadRequest`` when it can't be read."""
    if question == LICENCE_USE.id:
        return _answer_licence(wanted, text)
    if question == SIZE.id:
        return _answer_size(wanted, text)
    raise BadRequest(f"no question {question!r}; open questions are licence_use and size")


def _answer_licence(wanted: Requirements, text: str) -> Requirements:
    names, uses = licence_names.named(text), licence_names.uses(text)
    if uses is None and say.found("research|personal|any|no|none|academic", text):
        uses = ()
    if uses is None and not names:
        options = ", ".join(LICENCE_USE.options)
        raise BadRequest(f"can't read {text!r} as a licence use; answer one of: {options}")
    return wanted.model_copy(update={"licence_use": uses, "licences": names or wanted.licences})


def _answer_size(wanted: Requirements, text: str) -> Requirements:
    least, most = say.sizes(text)
    memory, count = say.hardware(text)
    if least == most:
        least = None  # a bare "8B" answers "how large may it be"
    if say.found("any", text):
        least = 0
    if (least, most, memory) == (None, None, None):
        raise BadRequest(
            f"can't read {text!r} as a size; "
            "answer like 'at most 8B', 'one 24 GB GPU' or 'any size'"
        )
    changes = {"min_params": least, "max_params": most, "gpu_memory_gb": memory, "gpu_count": count}
    return revised(wanted, changes)


def describe(wanted: Requirements) -> str:
    """The requirements on one line, only what was stated."""
    size = [f"{word} {billions(n)}" for word, n in _bounds(wanted) if n]
    if wanted.gpu_memory_gb is not None:
        size.append(
            f"{wanted.gpu_count} x {wanted.gpu_memory_gb:g} GB at {wanted.precision_bits} bits"
        )
    use = wanted.licence_use
    licence = "any licence" if use == () and not wanted.licences else " + ".join(use or ())
    parts = (
        wanted.task or "any task",
        *size,
        licence + (" use" if use else ""),
        " or ".join(wanted.licences),
        ", ".join(wanted.domains),
        ", ".join(wanted.languages),
        ", ".join(wanted.ecosystem),
        f"{wanted.context:,} tokens" if wanted.context else "",
        f"${wanted.budget_usd:g}" if wanted.budget_usd is not None else "",
        "own examples" if wanted.examples else "",
        f"{wanted.synthesize} synthetic examples" if wanted.synthesize else "",
    )
    return " · ".join(part for part in parts if part)


def _bounds(wanted: Requirements) -> tuple[tuple[str, int | None], ...]:
    return ("at least", wanted.min_params), ("at most", wanted.max_params)


def contradictions(wanted: Requirements) -> list[str]:
    """Which two needs can't both be met, one line each; empty when none clash."""
    return [*_size_clashes(wanted), *_licence_clashes(wanted)]


def _size_clashes(wanted: Requirements) -> list[str]:
    clashes = []
    least, most = wanted.min_params, wanted.max_params
    if least is not None and most is not None and least > most:
        clashes.append(f"at least {billions(least)} and at most {billions(most)} parameters")
    if wanted.gpu_memory_gb is not None:
        fits = fitting(wanted, bits=4)
        hardware = f"{wanted.gpu_count} x {wanted.gpu_memory_gb:g} GB"
        if least and least > fits:
            clashes.append(
                f"{billions(least)} parameters and {hardware}: even at 4 bits only about "
                f"{billions(fits)} fit"
            )
        if wanted.context and fits < 10_000_000:
            clashes.append(
                f"a context of {wanted.context:,} tokens and {hardware}: it does not fit"
            )
    return clashes


def _licence_clashes(wanted: Requirements) -> list[str]:
    clashes = []
    for use in wanted.licence_use or ():
        found = [licences.verdict(name, (), scancode_categories()) for name in wanted.licences]
        if found and all(licences.allows(v, use).allowed is False for v in found):
            clashes.append(f"{use} use and only {' or '.join(wanted.licences)}, which forbids it")
    both = re.search(say.COMMERCIAL, wanted.text, re.I) and say.found(
        say.NOT_COMMERCIAL, wanted.text
    )
    if both:
        clashes.append("commercial use and non-commercial use only")
    return clashes
