"""What the usual wordings of cards say: patterns, one question each, with the line as the quote.

Cards come from a few templates and many habits ("Finetuned from model: X", "a fine-tuned version
of X on the Y dataset", "License: Z"). A pattern names the value itself; what only hints at an
answer is left to ``label_similarity`` or to a language model. Chosen by reading half of the real
cards of ``evals.characterization``; the other half is reported.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from memory.records import Characteristic
from prompts.questions import number_in, questions
from tools.characterizing.passages import split
from tools.methods import licences
from tools.request.languages import CODES, LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tools.characterizing.documents import Document

PLAIN, LIKELY, LOOSE = 0.9, 0.75, 0.6
"""How far a pattern is believed: it names field and value; a set phrase; words nearby."""

LONGEST_LINE = 300
Reading = tuple[str, float]
"""A value and how far to believe it."""

_TEMPLATE = re.compile(r"more information needed|\[?todo\b", re.I)
_UNSAID = re.compile(rf"{_TEMPLATE.pattern}|\bn/?a\b|\bnone\b|\bunknown\b", re.I)
_ID = r"[\[`'\"*]*([A-Za-z0-9][\w.\-]+/[\w.\-]*\w)"
_NAMED = r"[\[`'\"*]*([A-Za-z0-9][\w.\-]*(?:/[\w.\-]*\w)?)"


def read(document: Document) -> Iterator[Characteristic]:
    """Everything the patterns find in its sentences and lines, in the order of the text."""
    for sentence in split(document.text):
        said = " ".join(sentence.split())
        if len(said) > 10 * LONGEST_LINE:
            continue
        for question, find in _FINDERS.items():
            for value, confidence in find(said):
                typed = questions()[question].read(value)
                quote = _around(said, value)
                if typed is not None and quote:
                    yield Characteristic(
                        question=question,
                        value=typed.text,
                        number=typed.number,
                        source=document.name,
                        quote=quote,
                        confidence=confidence,
                        origin="rule",
                    )


def _around(line: str, value: str) -> str:
    """The line, or of a long one its part around the value."""
    if len(line) <= LONGEST_LINE:
        return line
    place = max(line.lower().find(value.lower()), 0)
    start = max(0, min(place - LONGEST_LINE // 3, len(line) - LONGEST_LINE))
    return line[start : start + LONGEST_LINE].strip()


# --- one finder a question --------------------------------------------------------------

_LICENCE_LINE = re.compile(r"licen[cs]e", re.I)
_OTHERS_LICENCE = re.compile(r"\boriginally (?:released|licen[cs]ed)|\bdata ?sets?\b", re.I)
_LICENCES: tuple[tuple[str, str], ...] = (
    (r"\bapache(?:[ -]?licen[cs]e)?,?[ -]*(?:v(?:ersion)?[ .]?)?2(?:\.0)?\b", "apache-2.0"),
    (r"\bllama[ -]?(2|3(?:\.[123])?|4)\b(?=.*licen[cs]e|$)", "llama{}"),
    (r"\bcc[ -]by((?:[ -](?:nc|sa|nd))*)[ -](\d\.\d)", "cc-by{}-{}"),
    (r"\b([al]?gpl)[ -]?v?(\d(?:\.\d)?)", "{}-{}"),
    (r"\bcreativeml[ -]open ?rail[ -]?m\b", "creativeml-openrail-m"),
    (r"\b((?:bigscience|bigcode)-openrail-m|openrail(?:\+\+)?|gemma)\b", "{}"),
    (r"\b(cc0-1\.0|bsd-[23]-clause)\b", "{}"),
    (r"\b(?-i:MIT)\b|(?<=licen[cs]e: )mit\b", "mit"),
)


def _licence(line: str) -> Iterator[Reading]:
    field = re.match(r"[\W_]*licen[cs]e\W+(.{2,60})$", line, re.I)
    if field:
        name = field[1].strip(" .*`'\"()[]")
        if licences.known(name):
            yield licences.normalize(name), PLAIN
            return
    if _LICENCE_LINE.search(line) and not _OTHERS_LICENCE.search(line):
        for pattern, name in _LICENCES:
            match = re.search(pattern, line, re.I)
            if match:
                parts = [(part or "").lower().replace(" ", "-") for part in match.groups()]
                yield name.format(*parts), PLAIN if field else LIKELY
                return


def _languages(line: str) -> Iterator[Reading]:
    field = re.match(
        r"[\W_]*(?:supported |main |output |input )?languages?(?:\(s\))?(?: \(nlp\))?"
        r"(?: supported)?\W*[:|\s]\W*(.+)$",
        line,
        re.I,
    )
    if field and len(line) <= LONGEST_LINE and not _UNSAID.search(line):
        for word in re.findall(r"[A-Za-z]+", field[1]):
            code = CODES.get(word.lower()) or (
                word if word in LANGUAGES and len(line) < 60 else None
            )
            if code:
                yield LANGUAGES[code], PLAIN


_MADE = (
    r"(?:fine-?tuned|trained|quanti[sz]ed|pruned|merged|distilled|converted|modified|[48]-bit"
    r"|gguf|gptq|awq|exl2|mlx)"
)
_VERSION = r"[ -]*(?:version|model|variant|quant\w*|format|checkpoint)?s?"
_ON = (
    r"(?:derived from|original repo|based on|built (?:on|upon)|initialized from|on top of|using"
    r"|weights for|(?:adapters?|lora) (?:for|of|on))"
)
_BASE = r"(?:fine-?tuned from(?: model)?|base[ _-]?model)(?: \[optional\])?"
_FROM = tuple(
    (re.compile(pattern, re.I), confidence)
    for pattern, confidence in (
        (rf"{_BASE}\s*[:|]?\W{{0,4}}{_ID}", PLAIN),
        (rf"{_MADE}{_VERSION} (?:of|from|for)(?: the)? (?:model )?{_ID}", PLAIN),
        (rf"{_ON} (?:the )?(?:base model )?{_ID}", LIKELY),
        (rf"{_BASE}\s*:\s*{_NAMED}", LIKELY),
    )
)  # fmt: skip
_NO_MODEL = re.compile(
    r"^(?:and|or|the|this|a|an|n/a|https?|datasets?)\b|\.(?:com|org|io|py|md|ai|co)\b", re.I
)


def _base_model(line: str) -> Iterator[Reading]:
    if _TEMPLATE.search(line):
        return
    for pattern, confidence in _FROM:
        for match in pattern.finditer(line):
            name = match[1].rstrip(".,")
            if not _NO_MODEL.search(name):
                yield name, confidence


_DATA = tuple(
    (re.compile(pattern, re.I), confidence)
    for pattern, confidence in (
        (rf"(?:on|using|with|of) (?:the |an? )?\(?{_NAMED}[\]`'\"*)]* data ?sets?\b", LIKELY),
        (rf"^[\W_]*(?:training )?data ?sets?(?: used)?\s*[:|]\s*{_ID}", PLAIN),
    )
)
_NO_DATA = frozenset(
    [
        "the",
        "this",
        "a",
        "an",
        "none",
        "unknown",
        "following",
        "custom",
        "private",
        "own",
        "training",
        "evaluation",
        "validation",
        "test",
        "same",
        "different",
        "various",
        "public",
        "large",
        "small",
        "new",
        "internal",
        "high-quality",
        "synthetic",
        "these",
        "this",
        "generator",
        "imagefolder",
        "audiofolder",
        "json",
        "csv",
        "text",
        "unspecified",
        "combined",
        "our",
        "my",
        "your",
        "their",
        "its",
        "local",
        "english",
        "multilingual",
        "image",
        "instruction",
        "preference",
        "other",
        "more",
        "of",
        "and",
        "large-scale",
        "full",
        "downstream",
        "original",
        "provided",
        "specific",
        "curated",
        "diverse",
        "filtered",
        "proprietary",
        "each",
        "both",
        "all",
        "that",
        "any",
        "such",
        "two",
        "three",
        "several",
        "medical",
        "unlabeled",
        "labeled",
        "pre-training",
        "pretraining",
    ]
)


def _training_data(line: str) -> Iterator[Reading]:
    for pattern, confidence in _DATA:
        for match in pattern.finditer(line):
            name = match[1].rstrip(".,")
            if name.lower() not in _NO_DATA and len(name) > 2 and not _UNSAID.search(name):
                yield name, confidence


_COUNT = r"(\d[\d,.]*\s?[km]?)"
_CONTEXT = tuple(
    re.compile(pattern, re.I)
    for pattern in (
        rf"\b{_COUNT}(?:[ -]?tokens?)?[ -]context(?:[ -](?:length|window|size))?\b",
        rf"\bcontext[ -]?(?:length|window|size)s?\b[^.\n\d]{{0,40}}?{_COUNT}\b",
        rf"\b(?:max(?:imum)?|n)[ _-](?:position[ _-]embeddings|ctx)\W{{1,4}}{_COUNT}\b",
    )
)


def _context(line: str) -> Iterator[Reading]:
    for pattern in _CONTEXT:
        for match in pattern.finditer(line):
            tokens = number_in(match[1])
            if tokens is not None and 128 <= tokens <= 20_000_000:
                yield match[1], PLAIN
                return


_HARDWARE = re.compile(
    r"\b(?:[AHBLVT]\d{1,4}0{0,2}(?:[ -]?\d+\s?GB)?s?|RTX[ -]?\d{4}\w*|TPU[ -]?v\d\w*|MI\d{3}\w*|"
    r"GeForce \w+|Gaudi ?\d?|\d+ ?x ?GPUs?|GPUs?)\b"
)
_TRAINED = re.compile(r"\btrain(?:ed|ing)?\b|fine-?tun|hardware type", re.I)
_NEEDED = re.compile(
    r"\b(?:v?ram|gpu memory|memory)\b.{0,60}\b\d+(?:\.\d+)? ?g(?:i?b)\b"
    r"|\b\d+(?:\.\d+)? ?g(?:i?b)\b.{0,40}\b(?:v?ram|gpu memory|of memory)\b"
    r"|\bruns? on (?:a |an )?(?:single |one )?(?:cpu|gpu|laptop|consumer)",
    re.I,
)


def _training_hardware(line: str) -> Iterator[Reading]:
    if _HARDWARE.search(line) and _TRAINED.search(line) and not _UNSAID.search(line):
        yield line[:LONGEST_LINE], LIKELY


def _inference_hardware(line: str) -> Iterator[Reading]:
    if _NEEDED.search(line) and not _TRAINED.search(line):
        yield line[:LONGEST_LINE], LIKELY


def _phrase(*wanted: tuple[str, str, float]) -> Callable[[str], Iterator[Reading]]:
    """A finder of set phrases: (choice, pattern, confidence); the first that matches."""
    compiled = [(choice, re.compile(pattern, re.I), sure) for choice, pattern, sure in wanted]

    def find(line: str) -> Iterator[Reading]:
        if len(line) <= 3 * LONGEST_LINE and not _UNSAID.search(line):
            for choice, pattern, sure in compiled:
                if pattern.search(line):
                    yield choice, sure
                    return

    return find


def _sentence(pattern: str) -> Callable[[str], Iterator[Reading]]:
    """A finder of sentences about a subject, which are their own answer."""
    compiled = re.compile(pattern, re.I)

    def find(line: str) -> Iterator[Reading]:
        if compiled.search(line) and not _UNSAID.search(line) and len(line.split()) >= 5:
            yield line[:LONGEST_LINE], LOOSE

    return find


_FINDERS: dict[str, Callable[[str], Iterator[Reading]]] = {
    "licence": _licence,
    "languages": _languages,
    "base model": _base_model,
    "training data": _training_data,
    "context length": _context,
    "training hardware": _training_hardware,
    "inference hardware": _inference_hardware,
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
