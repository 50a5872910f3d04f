"""What Mirror could know of AlpacaEval's models without AlpacaEval: size, release, benchmarks."""

from __future__ import annotations

import csv
import gzip
import re
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from memory.errors import MirrorError
from memory.registry import Registry
from tools.methods.routing import standardized

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Table = dict[str, dict[str, str]]

OWN_RATINGS = frozenset({"Model", "Output Length"})  # and every column named AlpacaEval
# Column of benchmarks.csv -> the same benchmark and shots on the Open LLM Leaderboard.
OPEN_LLM = {
    "ARC-C\n(25-shot)": "ARC",
    "HellaSwag\n(10-shot)": "HellaSwag",
    "MMLU\n(5-shot)": "MMLU",
    "TruthfulQA\n(0-shot)": "TruthfulQA",
    "WinoGrande\n(5-shot)": "Winogrande",
    "GSM-8K\n(5-shot)": "GSM8K",
}
STYLE = re.compile(r"_(concise|verbose)$")


def known_facts(names: Sequence[str], benchmarks: Table) -> Floats:
    """(3, m) log parameters, release day and mean benchmark z-score; NaN where not known.

    Size is read from the name, else the registry. A release day is the registry's for this name,
    else for the longest registry name that this one ends with (its base). Benchmarks are z-scores
    over everything in the table, averaged; a style variant has those of its model.
    """
    registry = Registry.load().models.values()
    released: dict[str, str] = {}
    for model in registry:
        plain = _plain(model.id)
        if model.released and len(plain) >= 8:
            released[plain] = min(model.released, released.get(plain, model.released))
    scores = _benchmark_means(benchmarks)
    rows = [
        (np.log(params), _day(_plain(name), released), scores.get(_plain(name), np.nan))
        for name, params in zip(names, known_params(names), strict=True)
    ]
    return np.array(rows, dtype=np.float64).T


def known_params(names: Sequence[str]) -> Floats:
    """(m,) parameters that the name states or the registry has; NaN where neither does."""
    models = Registry.load().models.values()
    registered = {_plain(model.id): model.params for model in models if model.params}
    return np.array([_params(name, registered) for name in names], dtype=np.float64)


def _params(name: str, registered: dict[str, int]) -> float:
    stated = re.search(r"(?:(\d+)x)?(\d+(?:\.\d+)?)b", name.lower())
    if stated:
        return float(stated[1] or 1) * float(stated[2]) * 1e9
    return registered.get(_plain(name), np.nan)


def _day(plain: str, released: dict[str, str]) -> float:
    ends = [other for other in released if plain.endswith(other)]
    if not ends:
        return np.nan
    return float(date.fromisoformat(f"{released[max(ends, key=len)]}-01"[:10]).toordinal())


def benchmark_table(folder: Path) -> Table:
    """AlpacaEval's table of other benchmarks, and the Open LLM Leaderboard for models not in it."""
    rows = table(folder / "benchmarks.csv", "Model")
    columns = list(next(iter(rows.values())))
    present = {_plain(name) for name in rows}
    path = folder.parents[1] / "scores" / "open_llm_leaderboard_v1_7169.csv.gz"
    for name, row in table(path, "Model").items():
        if _plain(name) not in present:
            present.add(_plain(name))
            same = {column: row[source] for column, source in OPEN_LLM.items()}
            rows[_plain(name)] = dict.fromkeys(columns, "") | same
    return rows


def table(path: Path, key: str) -> Table:
    """The rows of a CSV file by their ``key``. Raises ``MirrorError`` when there is no file."""
    if not path.is_file():
        raise MirrorError(f"There is no {path}; --data must name the folder with routing/ in it.")
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8", newline="") as file:
        return {row[key]: row for row in csv.DictReader(file) if row[key]}


def _benchmark_means(benchmarks: Table) -> dict[str, float]:
    columns = [
        column
        for column in next(iter(benchmarks.values()))
        if column not in OWN_RATINGS and "AlpacaEval" not in column
    ]
    cells = np.array(
        [[float(row[c]) if row[c] else np.nan for c in columns] for row in benchmarks.values()]
    )
    known = ~np.isnan(cells)
    z = np.where(known, standardized(cells.T).T, np.nan)
    return {
        _plain(name): float(np.nanmean(row))
        for name, row in zip(benchmarks, z, strict=True)
        if not np.isnan(row).all()
    }


def _plain(name: str) -> str:
    """A name without owner, style, precision, case and punctuation."""
    own = STYLE.sub("", name.split("/")[-1].lower())
    return re.sub(r"[^a-z0-9]|bf16$|fp16$", "", own)
