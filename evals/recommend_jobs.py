"""Real score matrices as jobs: a benchmark's description is the request, its column the truth.

- ``bundled``: the scores in the package (OpenCompass, AlpacaEval, Arena ...).
- ``mteb``: 662 embedding models x 1,555 tasks (CC0).
- ``leaderboard``: the Open LLM Leaderboard, 7,169 models x 6 benchmarks.

Of a job nothing is seen but its text: its column is hidden under every protocol, and with it each
column whose name continues it or is continued by it (an average tells its parts).
Models that the registry lacks are described by what the matrix's own table states of them.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import math
import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from memory.records import Model, Origin, Score
from memory.scores import BUNDLED, resolve
from tools.scores.related import readable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from memory.registry import Registry

LEADERBOARD = ("ARC", "HellaSwag", "MMLU", "TruthfulQA", "Winogrande", "GSM8K")
LEAST_MODELS = {"bundled": 30, "mteb": 60, "leaderboard": 1000}
SHORT = 300  # letters of a family's description in a request
Column = tuple[str, str]


@dataclass(frozen=True)
class Job:
    """One request and its truth: what each model scored on the hidden column."""

    matrix: str
    column: Column
    text: str
    truth: Mapping[str, float]

    @property
    def development(self) -> bool:
        """Whether settings may be chosen on it; by name, so that protocols don't part."""
        return hashlib.sha256(self.column[0].encode()).digest()[0] % 2 == 0


@dataclass(frozen=True)
class ScoreTable:
    """A score matrix in long form, and the facts of its models."""

    name: str
    scores: tuple[Score, ...]
    models: Mapping[str, Model]
    descriptions: Mapping[str, str]

    @cached_property
    def columns(self) -> dict[Column, dict[str, float]]:
        """(benchmark, protocol) -> model -> the value to believe."""
        seen: dict[Column, dict[str, list[Score]]] = defaultdict(lambda: defaultdict(list))
        for score in self.scores:
            seen[score.benchmark, score.protocol][score.model].append(score)
        return {
            column: {model: resolve(found).value for model, found in cells.items()}
            for column, cells in seen.items()
        }

    def jobs(self, most: int, seed: int = 0) -> list[Job]:
        """At most ``most`` jobs drawn at random, of columns that enough models have a score in."""
        wide = [
            (column, cells)
            for column, cells in sorted(self.columns.items())
            if len(cells) >= LEAST_MODELS[self.name] and len(set(cells.values())) > 1
        ]
        drawn = np.random.default_rng(seed).permutation(len(wide))[:most]
        return [
            Job(self.name, column, self.request(column[0]), cells)
            for column, cells in (wide[i] for i in sorted(drawn))
        ]

    def request(self, benchmark: str) -> str:
        """What a benchmark asks, in words."""
        about = self.descriptions.get(benchmark, "")
        return f"{readable(benchmark)}. {about}".strip(". ")

    def without(self, job: Job, *, family: bool = False) -> list[Score]:
        """The scores that may be seen; ``family``: none of the benchmark's family either."""
        name = job.column[0]
        return [
            score
            for score in self.scores
            if not _kin(score.benchmark, name)
            and not (family and _family(score.benchmark) == _family(name))
        ]


def tables(data: Path, registry: Registry) -> Iterator[ScoreTable]:
    """The three matrices, those found in ``data``; the bundled one always."""
    tasks = data / "benchmarks/lm_eval_tasks_13123.jsonl.gz"
    yield _table("bundled", BUNDLED.find(), {}, registry, _descriptions(tasks))
    mteb = data / "scores/mteb_cc0"
    if mteb.is_dir():
        yield _table("mteb", _mteb_scores(mteb), _mteb_models(mteb), registry, {})
    leaderboard = data / "scores/open_llm_leaderboard_v1_7169.csv.gz"
    if leaderboard.is_file():
        rows = _rows(leaderboard)
        scores, models = _leaderboard_scores(rows), {m.id: m for m in map(_listed, rows)}
        yield _table("leaderboard", scores, models, registry, {})


def _table(
    name: str,
    scores: Iterable[Score],
    stated: Mapping[str, Model],
    registry: Registry,
    descriptions: Mapping[str, str],
) -> ScoreTable:
    kept = tuple(scores)
    ids = sorted({score.model for score in kept})
    models = {id: registry.models.get(id) or stated.get(id) or Model(id=id) for id in ids}
    return ScoreTable(name, kept, models, descriptions)


def _kin(a: str, b: str) -> bool:
    short, long = sorted((a.lower(), b.lower()), key=len)
    return long.startswith(short) and not long[len(short) : len(short) + 1].isalnum()


def _family(name: str) -> str:
    return readable(name).lower().split()[0]


def _score(model: str, benchmark: str, protocol: str, value: float) -> Score:
    return Score(
        model=model,
        benchmark=benchmark,
        protocol=protocol,
        value=min(max(value, 0.0), 1.0),
        origin=Origin.ELSEWHERE,
        source=protocol,
    )


def _rows(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def _descriptions(path: Path) -> dict[str, str]:
    """lm-eval task -> its title and what its family's README says, where that is about it."""
    if not path.is_file():
        return {}
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return {
        row["name"]: f"{row['title'] or ''}. {(row['description'] or '')[:SHORT]}" for row in rows
    }


# --- MTEB -------------------------------------------------------------------------------


def _mteb_scores(folder: Path) -> list[Score]:
    cells: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in _rows(folder / "scores_long.csv.gz"):
        if math.isfinite(score := float(row["main_score_mean"] or "nan")):
            cells[row["model"], row["task"]].append(score)
    return [_score(*cell, "mteb", float(np.mean(values))) for cell, values in cells.items()]


def _mteb_models(folder: Path) -> dict[str, Model]:
    with gzip.open(folder / "model_meta.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return {
        row["name"]: Model(
            id=row["name"],
            params=row.get("n_parameters") or None,
            licence=row.get("license"),
            released=row.get("release_date"),
            task="feature-extraction",
            training_datasets=tuple(row.get("training_datasets") or ()),
        )
        for row in rows
    }


# --- the Open LLM Leaderboard -----------------------------------------------------------


def _leaderboard_scores(rows: Iterable[Mapping[str, str]]) -> list[Score]:
    best: dict[tuple[str, str], float] = {}  # a model is listed once per precision
    for row in rows:
        for name in LEADERBOARD:
            cell = row["Model"], name
            best[cell] = max(best.get(cell, 0.0), float(row[name]) / 100)
    return [_score(*cell, "leaderboard", value) for cell, value in best.items()]


def _listed(row: Mapping[str, str]) -> Model:
    size = float(row["#Params (B)"] or 0)
    return Model(
        id=row["Model"],
        params=round(size * 1e9) or None,
        licence=row["Hub License"] or None,
        architecture=re.sub(r"ForCausalLM$", "", row["Architecture"]).lower() or None,
        released=row["date"][:10] or None,
        task="text-generation",
        likes=int(float(row["Hub ❤️"] or 0)),
    )
