"""Complete blocks of real scores, and the worlds and jobs that acquisition is replayed on.

OpenCompass: the models with 150 scores or more and the columns all of them have, 51 x 183.
MTEB: from the whole matrix, the row or column with the smallest share of scores is taken out
until none is missing, 119 x 307; without the seven columns that leave 0-100, 119 x 300. (154
models have 302 scores or more, but share only three tasks.)

A *world* hides most of a block: 24 random columns are unmeasured, 5 % of their scores known; of
the others 15 % (OpenCompass) or 10 % (MTEB) are. A *job* weighs 3 to 10 of the unmeasured
columns, drawn at random or those most alike by name; all models are in its pool. Its truth is the
weighted mean of the block's own scores, in points.
"""

from __future__ import annotations

import csv
import gzip
import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tools.methods import belief
from tools.methods.gaussian_process import kernels

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

UNMEASURED, KNOWN_UNMEASURED = 24, 0.05
LEAST_COLUMNS, MOST_COLUMNS = 3, 10


@dataclass(frozen=True)
class Block:
    """Scores (M, B) in points, none missing; billions of parameters (M,); share known."""

    name: str
    scores: Floats
    models: list[str]
    benchmarks: list[str]
    billions: Floats
    known_share: float


@dataclass(frozen=True)
class Job:
    """Truth (M, J) and belief over it, weights (J,), and the matrix known before (M, B)."""

    truth: Floats
    belief: belief.Belief
    weights: Floats
    columns: list[int]
    known: Floats
    billions: Floats


def opencompass(folder: Path) -> Block:
    """The 51 x 183 block."""
    scores, models, benchmarks = _matrix(
        (row["model_id"], row["benchmark"], float(row["score"]))
        for row in _rows(folder / "scores/opencompass_alpaca_arena_10503.csv.gz")
        if row["source"].startswith("opencompass")
    )
    rows = np.isfinite(scores).sum(1) >= 150
    columns = np.isfinite(scores[rows]).all(0)
    names = [m for m, kept in zip(models, rows, strict=True) if kept]
    sizes = _sizes(folder / "registry/models_9897_facts.jsonl.gz", "id", "params")
    return Block(
        "opencompass",
        scores[np.ix_(rows, columns)],
        names,
        [b for b, kept in zip(benchmarks, columns, strict=True) if kept],
        _billions(names, sizes),
        0.15,
    )


def mteb(folder: Path) -> Block:
    """The 119 x 300 block."""
    scores, models, tasks = _matrix(
        (row["model"], row["task"], 100 * float(row["main_score_mean"] or "nan"))
        for row in _rows(folder / "scores/mteb_cc0/scores_long.csv.gz")
    )
    rows, columns = complete_block(np.isfinite(scores))
    names = [models[i] for i in rows]
    sizes = _sizes(folder / "scores/mteb_cc0/model_meta.jsonl.gz", "name", "n_parameters")
    kept = scores[np.ix_(rows, columns)]
    inside = ((kept >= 0) & (kept <= 100)).all(0)
    tasks = [tasks[j] for j in columns[inside]]
    return Block("mteb", kept[:, inside], names, tasks, _billions(names, sizes), 0.10)


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from csv.DictReader(file)


def _matrix(observed: Iterable[tuple[str, str, float]]) -> tuple[Floats, list[str], list[str]]:
    """Scores (M, B), models and benchmarks in order of name; of several observations the mean."""
    cells: dict[tuple[str, str], list[float]] = {}
    for model, benchmark, score in observed:
        if math.isfinite(score):
            cells.setdefault((model, benchmark), []).append(score)
    models, benchmarks = (sorted({key[k] for key in cells}) for k in (0, 1))
    row, column = ({name: k for k, name in enumerate(names)} for names in (models, benchmarks))
    scores = np.full((len(models), len(benchmarks)), np.nan)
    for (model, benchmark), values in cells.items():
        scores[row[model], column[benchmark]] = np.mean(values)
    return scores, models, benchmarks


def complete_block(seen: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns left once the emptiest was taken out until nothing is missing."""
    rows, columns = np.arange(seen.shape[0]), np.arange(seen.shape[1])
    while not (part := seen[np.ix_(rows, columns)]).all():
        of_rows, of_columns = part.mean(1), part.mean(0)
        if of_rows.min() <= of_columns.min():
            rows = np.delete(rows, of_rows.argmin())
        else:
            columns = np.delete(columns, of_columns.argmin())
    return rows, columns


def _sizes(path: Path, name: str, size: str) -> dict[str, float | None]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        facts = [json.loads(line) for line in file]
    return {fact[name]: fact.get(size) for fact in facts}


def _billions(names: Sequence[str], sizes: dict[str, float | None]) -> Floats:
    """From the facts, else from the name, else the median of the others."""
    found = np.array([(sizes.get(n) or _size_in(n)) / 1e9 for n in names])
    return np.where(np.isfinite(found), found, np.nanmedian(found))


def _size_in(name: str) -> float:
    """Parameters as ``7b``, ``1_8b`` or ``8x22b`` in a name say; NaN when it says nothing."""
    said = re.search(r"(?:(\d+)x)?(\d+(?:[._]\d+)?)b\b", name.lower())
    return 1e9 * int(said[1] or 1) * float(said[2].replace("_", ".")) if said else np.nan


def jobs(block: Block, worlds: Sequence[int], each: int) -> Iterator[Job]:
    """``each`` jobs of each world, a world a seed."""
    side: dict[str, ArrayLike] = {"name": block.models, "size": np.log(block.billions)}
    likeness = kernels({"name": block.benchmarks}, len(block.benchmarks))["name"]
    for seed in worlds:
        rng = np.random.default_rng(seed)
        unmeasured = rng.choice(len(block.benchmarks), UNMEASURED, replace=False)
        share = np.full(len(block.benchmarks), block.known_share)
        share[unmeasured] = KNOWN_UNMEASURED
        known = np.where(rng.random(block.scores.shape) < share, block.scores, np.nan)
        believed = belief.of_scores(
            known, unmeasured.tolist(), models=side, benchmarks={"name": block.benchmarks}
        )
        for k in range(each):
            drawn = rng.permutation(UNMEASURED)
            if k % 2:
                near = likeness[unmeasured[drawn[0]], unmeasured]
                drawn = np.argsort(-near, kind="stable")
            kept = drawn[: rng.integers(LEAST_COLUMNS, MOST_COLUMNS + 1)]
            yield Job(
                block.scores[:, unmeasured[kept]],
                believed.only(kept.tolist()),
                rng.dirichlet(np.full(len(kept), 2.0)),
                unmeasured[kept].tolist(),
                known,
                block.billions,
            )
