"""Set phrases that answer yes or no, and sentences on a subject that are their own answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

Reading = tuple[str, float]
"""A value and how far to believe it."""

Finder = Callable[[str], Iterator[Reading]]

PLAIN, LIKELY, LOOSE = 0.9, 0.75, 0.6
"""How far a pattern is believed: it names field and value; a set phrase; words nearby."""

LONGEST_LINE = 300
UNSAID_TEMPLATE = re.compile(r"more information needed|\[?todo\b", re.I)
UNSAID = re.compile(rf"{UNSAID_TEMPLATE.pattern}|\bn/?a\b|\bnone\b|\bunknown\b", re.I)


def _phrase(*wanted: tuple[str, str, float]) -> Finder:
    """A finder of set phrases: (choice, pattern, confidence); the first that matches."""
    compiled = [(choice, re.compile(pattern, re.I), sure) for choice, pattern, sure in wanted]

    def find(line: str) -> Iterator[Reading]:
        if len(line) <= 3 * LONGEST_LINE and not UNSAID.search(line):
            for choice, pattern, sure in compiled:
                if pattern.search(line):
                    yield choice, sure
                    return

    return find


def _sentence(pattern: str) -> Finder:
    """A finder of sentences about a subject, which are their own answer."""
    compiled = re.compile(pattern, re.I)

    def find(line: str) -> Iterator[Reading]:
        if compiled.search(line) and not UNSAID.search(line) and len(line.split()) >= 5:
            yield line[:LONGEST_LINE], LOOSE

    return find


FINDERS: Mapping[str, Finder] = {
    "follows instructions": _phrase(
        ("no", r"\bnot (?:been )?(?:instruction[- ]|fine-)?tuned\b.{0,60}instruct|"
               r"\bbase model\b.{0,80}\bnot\b.{0,30}(?:instruct|chat)", LIKELY),
        ("yes", r"\binstruct(?:ion)?[- ](?:fine-?)?(?:tuned|following|tuning)|"
                r"\b(?:fine-?tuned|trained|optimized) (?:to follow|for (?:following )?"
                r"(?:instructions?|chat|dialogue|assistant))|\bchat[- ](?:model|tuned)\b|"
                r"\bchat template\b", LIKELY),
    ),
    "batch processing": _phrase(
        ("yes", r"\bbatch(?:ed)? (?:inference|processing|generation|prediction)s?\b|"
                r"\bin batches\b.{0,40}infer", LIKELY),
    ),
    "examples in the prompt": _phrase(
        ("yes", r"\bfew-shot (?:prompt|example|learning)\w*\b.{0,60}"
                r"(?:improv|better|recommend|help)", LIKELY),
    ),
    "sensitive information": _phrase(
        ("no", r"\b(?:do not|don't|not be|never|avoid)\b.{0,60}\b(?:sensitive|personal|"
               r"confidential|private) (?:information|data)\b", LIKELY),
        ("yes", r"\bHIPAA[- ]compliant\b|\b(?:handles?|suitable for) "
                r"(?:sensitive|confidential)\b", LIKELY),
    ),
    "transparency": _phrase(
        ("training code", r"\btraining (?:code|script)s? (?:is|are|can be|available|here)\b|"
                          r"\bcode\b.{0,30}\b(?:to train|for training)\b", LOOSE),
        ("training data", r"\b(?:training )?data ?set (?:is|was|can be) (?:publicly )?"
                          r"(?:available|released|open)", LOOSE),
        ("method", r"\b(?:technical report|see (?:the|our) paper|described in (?:the|our) paper|"
                   r"arxiv:\s?\d{4}\.\d{4,5})\b", LOOSE),
        ("weights", r"\bopen[- ]weights?\b|\bweights are (?:openly |publicly )?"
                    r"(?:released|available)", LOOSE),
    ),
    "fairness": _sentence(r"\bbias(?:es|ed)?\b(?!\s*[=:])|\bfairness\b|\bstereotyp"),
    "privacy controls": _sentence(r"\bprivacy\b|\bopt[- ]out\b|\bGDPR\b"),
    "data security": _sentence(r"\bdata (?:security|encryption)\b|\bencrypt(?:ed|ion)\b|\bHIPAA\b"),
    "auditing": _sentence(r"\baudit(?:s|ed|ing)?\b|\bcompliance\b|\bethics review\b"),
    "training data protection": _sentence(
        r"\bpersonal(?:ly identifiable)? (?:data|information)\b.{0,60}\b(?:removed|filtered|"
        r"excluded|anonymi[sz]ed)|\bde-?identif\w+\b|\banonymi[sz]ed\b|\bdifferential privacy\b"
    ),
    "safety": _sentence(
        r"\bsafety (?:filter|measure|feature|train|test|evaluat|mitigation|align|check)\w*|"
        r"\bguardrails?\b|\bred[- ]team|\bcontent (?:filter|moderation)|\bharmful\b|\btoxic\b"
    ),
}  # fmt: skip
