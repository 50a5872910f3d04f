"""What a model is for, when its task tag is missing or wrong.

Hub task tags are set by hand: some chat models say ``feature-extraction``. Here the
architecture class, the model family and the abilities outvote the tag, and the reason is
kept, so that nothing inferred passes for something stated.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from memory.snapshot.rows import Row

GENERATES = frozenset(
    {"text-generation", "text2text-generation", "image-text-to-text", "any-to-any"}
)
ENCODES = frozenset({"feature-extraction", "sentence-similarity", "fill-mask"})

# Read from left to right, the first match wins.
CLASSES: tuple[tuple[str, str, str], ...] = (
    (r"OCR|GOTQwen|GotOcr|Florence", "image-to-text", "reads images only"),
    (r"TTS|Speech(Gen|T5)", "text-to-speech", "speaks"),
    (r"ASR|Whisper|ForCTC|SpeechSeq2Seq", "automatic-speech-recognition", "transcribes"),
    (r"Omni", "any-to-any", "takes and gives any modality"),
    (
        r"VL|Llava|Vision|Image|Phi3V|CogAgent|Cambrian",
        "image-text-to-text",
        "reads images and text",
    ),
    (r"ForSequenceClassification|RewardModel", "text-classification", "classifies text"),
    (r"^(M?T5|UMT5|T5Gemma|M?Bart|Pegasus)", "text2text-generation", "turns text into text"),
    (r"CausalLM|LMHeadModel|ModelLM$|DiffusionLM", "text-generation", "generates text"),
    (r"MaskedLM", "fill-mask", "fills masks"),
    (r"(Bert|Roberta|BERT)\w*Model$|^Hubert|^ViT", "feature-extraction", "encodes"),
)

PHRASES = {
    "text-generation": "generates text",
    "text2text-generation": "turns text into text",
    "image-text-to-text": "reads images and text",
    "any-to-any": "takes and gives any modality",
    "feature-extraction": "encodes",
    "sentence-similarity": "encodes sentences",
}

EMBEDDER = re.compile(
    r"embed|rank|paraphrase|retriev|sentence|colbert|simcse|encoder|cross-?enc|2vec|[-_/](e5|gte|bge|sbert)\b",
    re.IGNORECASE,
)
IMAGE_ONLY = re.compile(r"ocr|florence|vision-encoder-decoder|nemotron_parse", re.IGNORECASE)
CHATTING_NAME = re.compile(r"llm|chat", re.IGNORECASE)
FAMILY_NAME = re.compile(
    r"llama|qwen|(mix|mis|magis)tral|gemma|gpt|falcon|\bolmo|galactica|nemotron|\bmpt|dolly|instruct",
    re.IGNORECASE,
)
TEXT_CATALOGUES = ("opencompass", "bfcl-eval", "alpaca-eval", "litgpt", "llamafactory")

MIN_VOTES = 3
MIN_SHARE = 0.6
OUTVOTING_SHARE = 0.9


@dataclass(frozen=True)
class Evidence:
    """A task and the words for what showed it; ``strong`` enough to outvote a tag or not."""

    task: str
    because: str
    strong: bool


class Families:
    """How the tagged models of each architecture family are tagged."""

    def __init__(self, rows: Iterable[Row]) -> None:
        counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for row in rows:
            if row.family and row.task and not is_embedder(row):
                counts[row.family][row.task] += 1
        self._counts = counts

    def evidence(self, family: str) -> Evidence | None:
        """The task that most tagged models of this family share, if they agree well enough."""
        votes = self._counts.get(family, Counter())
        total = votes.total()
        if total < MIN_VOTES:
            return None
        task, n = votes.most_common(1)[0]
        if n / total < MIN_SHARE:
            return None
        because = f"architecture {family} {PHRASES.get(task, 'is for ' + task)}"
        side = GENERATES if task in GENERATES else ENCODES
        agreeing = sum(n for tag, n in votes.items() if tag in side)
        return Evidence(task, because, strong=agreeing / total >= OUTVOTING_SHARE)


def is_embedder(row: Row) -> bool:
    """True when a source measured the model as an embedder or its name says it is one."""
    if "omni" in row.abilities and not EMBEDDER.search(row.id):
        return False
    return "embedding" in row.tags or "reranker" in row.tags or bool(EMBEDDER.search(row.id))


@lru_cache(maxsize=4_096)  # millions of models have a few hundred classes
def from_class(architecture_class: str, abilities: tuple[str, ...]) -> Evidence | None:
    """What the architecture class name says, e.g. ``LlamaForCausalLM`` generates text."""
    for pattern, task, verb in CLASSES:
        if re.search(pattern, architecture_class):
            if task == "text-generation" and "vision" in abilities:
                task, verb = "image-text-to-text", "generates text and sees"
            return Evidence(task, f"architecture {architecture_class} {verb}", strong=True)
    return None


def from_abilities(abilities: Iterable[str]) -> Evidence | None:
    """What the abilities say, e.g. a model that chats generates text."""
    able = set(abilities)
    for ability, task in (("tts", "text-to-speech"), ("omni", "any-to-any")):
        if ability in able:
            return Evidence(task, f"ability {ability}", strong=ability == "omni")
    if "vision" in able:
        return Evidence("image-text-to-text", "ability vision", strong=False)
    for ability in ("chat", "reasoning", "tools"):
        if ability in able:
            return Evidence("text-generation", f"ability {ability}", strong=ability == "chat")
    return None


def from_name(row: Row) -> Evidence | None:
    """The weakest evidence: catalogues of text generators that list it, or its own name."""
    for source in TEXT_CATALOGUES:
        if source in row.sources:
            return Evidence("text-generation", f"listed by {source} among text generators", False)
    name = row.id.rpartition("/")[2]
    if CHATTING_NAME.search(name):
        return Evidence("text-generation", "its name says it is a language model", strong=True)
    if named := FAMILY_NAME.search(name):
        return Evidence("text-generation", f"its name says {named[0]}, which generates text", False)
    return None


def own_evidence(row: Row, families: Families) -> Evidence | None:
    """Evidence in the row itself, strongest first: class, family, abilities."""
    looks = row.architecture_class or row.family or ""
    if IMAGE_ONLY.search(looks):
        return Evidence("image-to-text", f"architecture {looks} reads images only", strong=True)
    if is_embedder(row):
        reranks = "reranker" in row.tags or "rerank" in row.id.lower()
        task = "text-ranking" if reranks else "feature-extraction"
        return Evidence(task, "measured or named as an embedder", strong=False)
    return (
        (from_class(row.architecture_class, row.abilities) if row.architecture_class else None)
        or (families.evidence(row.family) if row.family else None)
        or from_abilities(row.abilities)
    )


def decide(tag: str | None, found: Evidence | None) -> tuple[str | None, str | None]:
    """(task, reason it differs from the tag). No reason: the tag stands."""
    if found is None:
        return tag, None
    if tag is None:
        return found.task, f"no tag; {found.because}"
    against = (
        (tag in ENCODES and found.task in GENERATES)
        or (tag in GENERATES and found.task in ENCODES)
        or (tag in GENERATES and found.task == "image-to-text")
    )
    if against and found.strong:
        return found.task, f"tag {tag}; {found.because}"
    return tag, None


def infer(rows: Mapping[str, Row]) -> dict[str, tuple[str | None, str | None]]:
    """(task, reason) of every row: from itself, else from its base, else from its name.

    A base's task reaches its descendants at any depth; cycles end the walk.
    """
    families = Families(rows.values())
    found: dict[str, Evidence | None] = {}

    def search(id: str, seen: frozenset[str]) -> Evidence | None:
        if id not in found:
            row = rows[id]
            inherited = (from_base(b.parent, seen | {id}) for b in row.bases)
            found[id] = own_evidence(row, families) or next(filter(None, inherited), None)
        return found[id]

    def from_base(parent: str, seen: frozenset[str]) -> Evidence | None:
        if parent not in rows or parent in seen:
            return None
        task, _ = decide(rows[parent].task, search(parent, seen))
        says = PHRASES.get(task or "", f"is for {task}")
        return Evidence(task, f"base {parent} {says}", strong=True) if task else None

    return {
        id: decide(row.task, search(id, frozenset()) or from_name(row)) for id, row in rows.items()
    }
