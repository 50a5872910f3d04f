"""Prototype deltas (MSM, stage 3): the top candidates on identical prompts, side by side.

Benchmarks say how good a model is in general; here is what is different about its answers to
*these* prompts: form, vocabulary, numbers nobody gave it, length, speed. Nothing here is a
verdict on quality, which is for metrics and judges.
"""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from typing import TYPE_CHECKING

from memory.records import PrototypeArm, PrototypeDelta, PrototypeDeltas
from tools.methods import text_measures as measures
from tools.methods.label_scores import bootstrap_mean
from tools.real_task.answer_format import Form, fault

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from memory.records import Example, PrototypeAnswer

# Measure -> how a mean of it is written. Shares are of answers or of terms.
MEASURES = {
    "format failures": "{:.0%}",
    "terms covered": "{:.0%}",
    "word variety": "{:.2f}",
    "numbers not given": "{:.0%}",
    "words": "{:.0f}",
    "length ratio": "{:.2f}",
    "seconds": "{:.2f}",
    "tokens": "{:.0f}",
    "tokens per second": "{:.1f}",
}
TOP = 3

Measured = dict[str, dict[str, float]]  # example -> measure -> value


def compare(
    examples: Sequence[Example], answers: Sequence[PrototypeAnswer], form: Form
) -> PrototypeDeltas:
    """Measure each arm on ``examples`` and every two arms on what both answered.

    Arms keep the order in which they appear; at most three. Raises ValueError for more arms, an
    answer to an unknown example, or two answers of one arm to the same example.
    """
    arms: dict[str, dict[str, PrototypeAnswer]] = {}
    for answer in answers:
        given = arms.setdefault(answer.arm, {})
        if answer.example in given:
            raise ValueError(f"{answer.arm} answered {answer.example} twice")
        given[answer.example] = answer
    known = {example.id: example for example in examples}
    unknown = {answer.example for answer in answers} - known.keys()
    if unknown or len(arms) > TOP:
        raise ValueError(f"{len(arms)} arms (at most {TOP}), unknown examples {sorted(unknown)}")
    terms = _terms(examples)
    measured = {
        arm: {
            id: _measure(answer, known[id], terms[id], form)
            for id, answer in given.items()
            if answer.answer is not None
        }
        for arm, given in arms.items()
    }
    return PrototypeDeltas(
        arms=tuple(_arm(arm, len(examples), arms[arm], measured[arm], form) for arm in arms),
        deltas=tuple(
            delta
            for a, b in combinations(arms, 2)
            for name in MEASURES
            if (delta := _delta(name, a, b, measured[a], measured[b]))
        ),
        answers=tuple(answers),
    )


def rows(found: PrototypeDeltas) -> list[list[str]]:
    """A table of texts: measures down, arms across, then each difference with its interval.

    The first row is the header. "-" is not measured. ``*`` marks an interval without 0.
    """
    pairs = list(dict.fromkeys((delta.a, delta.b) for delta in found.deltas))
    by_pair = {(delta.measure, delta.a, delta.b): delta for delta in found.deltas}
    table = [["measure", *(one.arm for one in found.arms), *(f"{a} - {b}" for a, b in pairs)]]
    table.append(
        [
            "answered",
            *(f"{one.answered} of {one.prompts}" for one in found.arms),
            *[""] * len(pairs),
        ]
    )
    for name, form in MEASURES.items():
        means = [one.means.get(name) for one in found.arms]
        if any(mean is not None for mean in means):
            shown = ["-" if mean is None else form.format(mean) for mean in means]
            between = [_shown(by_pair.get((name, a, b)), form) for a, b in pairs]
            table.append([name, *shown, *between])
    for reason in dict.fromkeys(r for one in found.arms for r in one.format_failures):
        counts = [str(one.format_failures.get(reason, 0)) for one in found.arms]
        table.append([f"format: {reason}", *counts, *[""] * len(pairs)])
    return table


def side_by_side(
    found: PrototypeDeltas, examples: Sequence[Example], letters: int = 600
) -> list[list[str]]:
    """Input, reference and each arm's answer of every example, cut to ``letters``; header first."""
    names = [one.arm for one in found.arms]
    given = {(one.arm, one.example): one.answer for one in found.answers}
    table = [["input", "reference", *names]]
    for example in examples:
        texts = [example.input, example.reference, *(given.get((n, example.id)) for n in names)]
        table.append(["-" if text is None else _cut(text, letters) for text in texts])
    return table


def _terms(examples: Sequence[Example]) -> dict[str, frozenset[str]]:
    """The terms each answer should use: the reference's, of the input where there is none."""
    found = measures.terms([example.reference or example.input for example in examples])
    return {example.id: one for example, one in zip(examples, found, strict=True)}


def _measure(
    answer: PrototypeAnswer, example: Example, terms: frozenset[str], form: Form
) -> dict[str, float]:
    text = answer.answer or ""
    written = len(measures.words(text))
    wanted = len(measures.words(example.reference or ""))
    seconds, tokens = answer.seconds, answer.tokens
    strange = measures.invented(text, example.input, example.reference or "")
    values: dict[str, float | None] = {
        "format failures": float(fault(text, form) is not None),
        "terms covered": measures.covered(text, terms),
        "word variety": measures.variety(text),
        "numbers not given": float(bool(strange)),
        "words": float(written),
        "length ratio": written / wanted if wanted else None,
        "seconds": seconds,
        "tokens": tokens,
        "tokens per second": tokens / seconds if tokens is not None and seconds else None,
    }
    return {name: float(value) for name, value in values.items() if value is not None}


def _arm(
    arm: str, prompts: int, given: Mapping[str, PrototypeAnswer], measured: Measured, form: Form
) -> PrototypeArm:
    faults = Counter(fault(given[id].answer or "", form) for id in measured)
    means = {}
    for name in MEASURES:
        values = [one[name] for one in measured.values() if name in one]
        if values:
            means[name] = sum(values) / len(values)
    return PrototypeArm(
        arm=arm,
        prompts=prompts,
        answered=len(measured),
        means=means,
        format_failures={reason: n for reason, n in faults.most_common() if reason is not None},
    )


def _delta(name: str, a: str, b: str, of_a: Measured, of_b: Measured) -> PrototypeDelta | None:
    shared = [id for id in of_a if id in of_b and name in of_a[id] and name in of_b[id]]
    differences = [of_a[id][name] - of_b[id][name] for id in shared]
    if not differences:
        return None
    again = bootstrap_mean(differences) if len(differences) > 1 else None
    return PrototypeDelta(
        measure=name,
        a=a,
        b=b,
        difference=sum(differences) / len(differences),
        low=again.low if again else None,
        high=again.high if again else None,
        n=len(differences),
    )


def _shown(delta: PrototypeDelta | None, form: str) -> str:
    if delta is None:
        return "-"
    signed = form.replace("{:", "{:+")
    text = signed.format(delta.difference)
    if delta.low is None or delta.high is None:
        return f"{text} (1 prompt)"
    apart = "" if delta.low <= 0 <= delta.high else " *"
    return f"{text} ({signed.format(delta.low)} to {signed.format(delta.high)}){apart}"


def _cut(text: str, letters: int) -> str:
    return text if len(text) <= letters else f"{text[:letters]}… ({len(text):,} letters)"
