"""Choices that a text names and comes close to: what can be read without a language model.

A sentence speaks for a choice when it names it, denies nothing, and is near in meaning to what the
choice says in plain words; the nearest one is the quote. On the tuning half of
``evals.characterization`` nearness alone named the card's task in one case of four ("these models
have limitations" is near to everything), the words and nearness together in three of four.
Retrieving passages for the question first found fewer and cost ten times as much.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from memory.records import Characteristic
from prompts.questions import questions
from tools.request.domains import DOMAINS, domains_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from prompts.questions import Question
    from tools.characterizing.passages import Passage
    from tools.deps import Embedder

THRESHOLD = 0.4
MARGIN = 0.15
"""A further choice counts when it comes this near to the nearest one."""

MOST_CHOICES = 3
CONFIDENCE = 0.7
"""Of a sentence that says exactly what the choice means; less in proportion."""

LONGEST = 300

_DENIES = re.compile(
    r"\b(?:not|never|cannot|avoid|without|neither|nor|no)\b|n't\b|more information needed|\btodo\b",
    re.IGNORECASE,
)
_NAMED: dict[str, dict[str, tuple[str, ...]]] = {
    "tasks": {
        "text generation": (
            r"text[- ]generation",
            r"generat\w+ (?:\w+ ){0,2}text",
            r"language models?\b",
            r"\bllms?\b",
        ),
        "question answering": (
            r"question[- ]answering",
            r"answer\w* (?:\w+ ){0,3}questions?",
            r"\bq&?a\b",
        ),
        "summarization": (r"summari[sz]",),
        "translation": (r"\btranslat",),
        "text classification": (
            r"text classif",
            r"classif\w+ (?:\w+ ){0,3}(?:text|sentence|news|review)",
            r"sentiment",
        ),
        "token classification": (r"named[- ]entit", r"\bner\b", r"token[- ]classification"),
        "fill mask": (r"masked language", r"fill[- ]mask"),
        "sentence similarity": (
            r"sentence[- ](?:similarity|embedding|transformer)",
            r"semantic search",
            r"vector space",
        ),
        "text ranking": (r"re-?rank",),
        "text to image": (
            r"text[- ]to[- ]image",
            r"generat\w* (?:\w+ ){0,3}images?",
            r"stable[- ]diffusion",
            r"dreambooth",
        ),
        "image to image": (
            r"image[- ]to[- ]image",
            r"inpaint",
            r"image editing",
            r"edit\w* images",
        ),
        "image text to text": (
            r"vision[- ]language",
            r"multi-?modal",
            r"questions? about images?",
            r"visual question",
        ),
        "image to text": (r"\bcaption", r"image[- ]to[- ]text", r"\bocr\b"),
        "image classification": (r"image classif", r"classif\w+ (?:\w+ ){0,2}images"),
        "object detection": (r"object detection", r"detect\w* (?:\w+ ){0,2}objects"),
        "image segmentation": (r"segmentation",),
        "automatic speech recognition": (r"speech recognition", r"transcri(?:be|pt)"),
        "text to speech": (r"text[- ]to[- ]speech", r"speech synthesis", r"\btts\b"),
        "audio classification": (r"audio classif", r"classif\w+ (?:\w+ ){0,2}(?:audio|sound)"),
        "text to video": (r"(?:text|image)[- ]to[- ]video", r"generat\w* (?:\w+ ){0,3}videos?"),
        "reinforcement learning": (r"reinforcement learning agent", r"agent playing", r"\bgym\b"),
        "tabular classification": (r"tabular",),
        "time series forecasting": (r"time[- ]series",),
    },
    "data kinds": {
        "text": (
            r"\b(?:input|takes?|accepts?|given)\b.{0,40}\btexts?\b",
            r"\btext[- ](?:only|input|prompt)",
        ),
        "images": (
            r"\b(?:input|takes?|accepts?|given|understand\w*)\b.{0,40}\bimages?\b",
            r"\bimage inputs?\b",
        ),
        "audio": (r"\b(?:input|takes?|accepts?|given|transcri\w+)\b.{0,40}\b(?:audio|speech)\b",),
        "video": (r"\b(?:input|takes?|accepts?|given|understand\w*)\b.{0,40}\bvideos?\b",),
        "structured data": (
            r"\b(?:input|takes?|accepts?|given)\b.{0,40}\b(?:tables?|tabular|records)\b",
        ),
        "code": (r"\b(?:input|takes?|accepts?|given)\b.{0,40}\b(?:source )?code\b",),
        "molecules": (r"\bsmiles\b", r"\bmolecules?\b", r"\bprotein sequences?\b"),
    },
    "domain": {
        "general": (r"general[- ]purpose",),
        "role play": (r"role-?play", r"storytelling", r"creative writing"),
        "art": (r"\bart(?:s|istic|work\w*)?\b", r"illustration", r"anime\b"),
    },
}
_PATTERNS = {
    asks: {choice: re.compile("|".join(words), re.IGNORECASE) for choice, words in choices.items()}
    for asks, choices in _NAMED.items()
}


def read(passages: Sequence[Passage], embedder: Embedder) -> Iterator[Characteristic]:
    """For tasks, domain and kinds of data the choices that a sentence names and comes close to."""
    said = {
        sentence: passage.source
        for passage in passages
        for sentence in passage.sentences
        if len(sentence) <= LONGEST and not _DENIES.search(sentence)
    }
    for asks in _PATTERNS:
        for choice, sentence, cosine in _near(questions()[asks], list(said), embedder):
            yield Characteristic(
                question=asks,
                value=choice,
                source=said[sentence],
                quote=" ".join(sentence.split()),
                confidence=min(CONFIDENCE * cosine, CONFIDENCE),
                origin="rule",
            )


def named(asks: str, sentence: str) -> set[str]:
    """The choices of a question that a sentence names."""
    found = {choice for choice, words in _PATTERNS[asks].items() if words.search(sentence)}
    if asks == "domain":
        found |= {domain for domain in domains_of(sentence) if domain in DOMAINS}
    return found


def fits(question: Question, choice: str, quote: str, embedder: Embedder) -> tuple[bool, bool]:
    """Whether a quote names a choice, and whether it is at least near to what that means.

    Of yes or no, and of questions without names here, everything is near: words can't show it.
    """
    if question.asks not in _PATTERNS:
        return False, True
    row = list(question.choices).index(choice)
    cosine = float(_meanings(question, embedder)[row] @ embedder.encode([quote])[0])
    return choice in named(question.asks, quote), cosine >= THRESHOLD


def _near(
    question: Question, sentences: Sequence[str], embedder: Embedder
) -> Iterator[tuple[str, str, float]]:
    """(choice, the nearest sentence that names it, their cosine), nearest first."""
    names = {sentence: named(question.asks, sentence) for sentence in sentences}
    telling = [sentence for sentence in sentences if names[sentence]]
    if not telling:
        return
    choices = list(question.choices)
    cosines = _meanings(question, embedder) @ embedder.encode(telling).T
    for column, sentence in enumerate(telling):
        left_out = [row for row, choice in enumerate(choices) if choice not in names[sentence]]
        cosines[left_out, column] = -1.0
    best = cosines.max(axis=1)
    for row in np.argsort(-best, kind="stable")[:MOST_CHOICES].tolist():
        if best[row] >= max(THRESHOLD, float(best.max()) - MARGIN):
            yield choices[row], telling[int(cosines[row].argmax())], float(best[row])


_MEANINGS: dict[tuple[str, str], NDArray[np.float32]] = {}
"""By embedder and question: the same for every card."""


def _meanings(question: Question, embedder: Embedder) -> NDArray[np.float32]:
    """(choices, d) what each choice of a question means."""
    key = (embedder.name, question.id)
    if key not in _MEANINGS:
        texts = [f"The model {meaning}" for meaning in question.choices.values()]
        _MEANINGS[key] = embedder.encode(texts)
    return _MEANINGS[key]
