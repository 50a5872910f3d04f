"""Values that the usual wordings of cards name: licence, languages, bases, data, sizes, machines.

Cards come from a few templates and many habits ("Finetuned from model: X", "a fine-tuned version
of X on the Y dataset", "License: Z"). One finder a question: from a line to (value, confidence).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from prompts.questions import number_in
from tools.characterizing.set_phrases import LIKELY, LONGEST_LINE, PLAIN, UNSAID, UNSAID_TEMPLATE
from tools.methods import licences
from tools.request.languages import CODES, LANGUAGES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tools.characterizing.set_phrases import Finder, Reading

_ID = r"[\[`'\"*]*([A-Za-z0-9][\w.\-]+/[\w.\-]*\w)"
_NAMED = r"[\[`'\"*]*([A-Za-z0-9][\w.\-]*(?:/[\w.\-]*\w)?)"
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
    if field and len(line) <= LONGEST_LINE and not UNSAID.search(line):
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
    r"^(?:and(?:/or)?|or|the|this|a|an|n/a)$|^(?:https?|datasets?)\b|\.(?:com|org|io|py|md|ai|co)\b",
    re.I,
)


def _base_model(line: str) -> Iterator[Reading]:
    if UNSAID_TEMPLATE.search(line):
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
_NO_DATA = re.compile(
    r"(?:the|this|a|an|none|unknown|following|custom|private|own|training|evaluation|"
    r"validation|test|same|different|various|public|large|small|new|internal|high-quality|"
    r"synthetic|these|generator|imagefolder|audiofolder|json|csv|text|unspecified|combined|"
    r"our|my|your|their|its|local|english|multilingual|image|instruction|preference|other|"
    r"more|of|and|large-scale|full|downstream|original|provided|specific|curated|diverse|"
    r"filtered|proprietary|each|both|all|that|any|such|two|three|several|medical|unlabeled|"
    r"labeled|pre-training|pretraining)",
    re.I,
)


def _training_data(line: str) -> Iterator[Reading]:
    for pattern, confidence in _DATA:
        for match in pattern.finditer(line):
            name = match[1].rstrip(".,")
            if not _NO_DATA.fullmatch(name) and len(name) > 2 and not UNSAID.search(name):
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
    if _HARDWARE.search(line) and _TRAINED.search(line) and not UNSAID.search(line):
        yield line[:LONGEST_LINE], LIKELY


def _inference_hardware(line: str) -> Iterator[Reading]:
    if _NEEDED.search(line) and not _TRAINED.search(line):
        yield line[:LONGEST_LINE], LIKELY


FINDERS: Mapping[str, Finder] = {
    "licence": _licence,
    "languages": _languages,
    "base model": _base_model,
    "training data": _training_data,
    "context length": _context,
    "training hardware": _training_hardware,
    "inference hardware": _inference_hardware,
}
