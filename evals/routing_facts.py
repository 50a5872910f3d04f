"""What Mirror can know of AlpacaEval's models without AlpacaEval: size, date, base, benchmarks.

Facts are the bundled registry's: of the model of that name, else of the longest one whose name is
part of this one's (its base, a lineage edge read off the name). Other benchmarks are AlpacaEval's
own table of them and the Open LLM and Chatbot Arena leaderboards; every column named AlpacaEval and
the length of AlpacaEval's answers are left out. ``quality`` brings all of it to the benchmark that
is likest a chat, Arena's rating (Elo, where Mixtral-8x7B has 1114), by ``completion`` where a model
has scores of its own and by ``quality_prior`` where it has none. Nothing in it was fitted to a
rating of AlpacaEval.
"""

from __future__ import annotations

import csv
import gzip
import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from memory.errors import MirrorError
from memory.registry import Registry
from tools.methods import quality_prior
from tools.methods.completion import complete

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Table = dict[str, dict[str, str]]

OWN = ("AlpacaEval", "Output Length")
ARENA, EARLIER_ARENA = "Arena Elo\n[April 18, 2024]", "Arena Elo\n[Feb 2, 2024]"
BUNDLED_ARENA = "chatbot_arena_20240814"
LOWEST_ELO, ELO_SPAN = 700.0, 700.0
FEWEST_SCORES, Z90 = 3, 1.645
# Column of benchmarks.csv -> the same benchmark and shots on the Open LLM Leaderboard.
OPEN_LLM = {
    "ARC-C\n(25-shot)": "ARC",
    "HellaSwag\n(10-shot)": "HellaSwag",
    "MMLU\n(5-shot)": "MMLU",
    "TruthfulQA\n(0-shot)": "TruthfulQA",
    "WinoGrande\n(5-shot)": "Winogrande",
    "GSM-8K\n(5-shot)": "GSM8K",
}
TENTHS, SHARES, TOTALS = ("MT-bench",), ("HELM",), ("WildBench",)
STYLE = re.compile(r"_(concise|verbose)$")
VERSIONED = re.compile(r"[-_]\d{4}(-\d\d-\d\d)?(?=$|_)")  # gpt-3.5-turbo-1106
LEFT_OFF = re.compile(r"(bf16|fp16|hf|bnb4bit|4bit|gguf|gptq|awq)$")


@dataclass(frozen=True)
class Facts:
    """Of m models: log10 ``size``, ``released`` in years, ``base``, and scores (m, b) in [0, 1].

    Unknown is NaN, or None for a base. Column 0 of ``scores`` is Arena's rating.
    """

    names: tuple[str, ...]
    size: Floats
    released: Floats
    base: tuple[str | None, ...]
    scores: Floats


def gather(names: Sequence[str], folder: Path) -> Facts:
    """What is known of ``names``, which come first, and of all others with an Arena rating."""
    tables = _scores(folder)
    columns = sorted({column for row in tables.values() for column in row} - {"arena"})
    own = [_plain(name) for name in names]
    others = [one for one, row in tables.items() if "arena" in row and one not in own]
    known = _Registry()
    every = [*own, *others]
    written = [*(STYLE.sub("", name) for name in names), *others]
    about = [known.of(name) for name in written]
    return Facts(
        tuple(written),
        np.array([one[0] for one in about]),
        np.array([one[1] for one in about]),
        tuple(one[2] for one in about),
        np.array([[tables.get(k, {}).get(c, np.nan) for c in ("arena", *columns)] for k in every]),
    )


def family(name: str) -> str:
    """A model's line, from its name alone: its first word, OpenAI's names being one line."""
    word = re.match(r"[A-Za-z]+", name.replace("text_davinci", "gpt").replace("chatgpt", "gpt"))
    return word.group().lower() if word else name


def known_params(names: Sequence[str]) -> Floats:
    """(m,) parameters that the name states or the registry has; NaN where neither does."""
    known = _Registry()
    return np.array([10.0 ** known.of(name)[0] for name in names])


def quality(facts: Facts, asked: int, without: Sequence[str] = ()) -> quality_prior.QualityPrior:
    """Likely Arena ratings of the first ``asked`` models, in points of Elo.

    A model with ``FEWEST_SCORES`` scores elsewhere but no rating gets one by completion, with its
    error. ``without`` names ingredients to do as if unknown: "size", "date", "lineage", or
    "benchmarks", which is every score of the models asked for.
    """
    scores = facts.scores.copy()
    if "benchmarks" in without:
        scores[:asked] = np.nan
    rated = np.isfinite(scores[:, 0])
    placed = ~rated & (np.isfinite(scores).sum(axis=1) >= FEWEST_SCORES)
    done = complete(
        scores[:, np.isfinite(scores).sum(axis=0) >= 8],
        models={"size": facts.size, "released": facts.released},
        bounds=(0.0, 1.0),
    )
    value = np.where(rated | placed, done.mean[:, 0], np.nan)
    error = np.where(placed, (done.high - done.low)[:, 0] / (2 * Z90), 0.0)
    told = [] if "size" in without else [facts.size]
    told += [] if "date" in without else [facts.released]
    kin = [] if "lineage" in without else [facts.base, [family(name) for name in facts.names]]
    found = quality_prior.fit(
        LOWEST_ELO + ELO_SPAN * value,
        ELO_SPAN * error,
        np.array(told) if told else np.empty((0, len(facts.names))),
        kin,
    )
    return quality_prior.QualityPrior(found.mean[:asked], found.error[:asked])


class _Registry:
    """Size, release and base of a model by its name."""

    def __init__(self) -> None:
        self._models: dict[str, tuple[float, float]] = {}
        self._parent: dict[str, str] = {}
        for model in Registry.load().models.values():
            plain = _plain(model.id)
            size, released = self._models.get(plain, (np.nan, np.nan))
            day = _year(model.released)
            self._models[plain] = (
                np.log10(model.params) if model.params and np.isnan(size) else size,
                np.fmin(day, released),
            )
            for edge in model.bases[:1]:
                self._parent.setdefault(plain, _plain(edge.parent))

    def of(self, name: str) -> tuple[float, float, str | None]:
        """(log10 parameters, year of release, the base its line begins with)."""
        plain = _plain(name)
        parts = re.split(r"[^a-z0-9.]+", name.split("/")[-1].lower())
        runs = {
            re.sub(r"[^a-z0-9]", "", "".join(parts[i:j]))
            for i in range(len(parts))
            for j in range(i + 1, len(parts) + 1)
        }
        dated = [
            run
            for run in runs
            if run in self._models and re.search(r"\d", run) and np.isfinite(self._models[run][1])
        ]
        base = max(dated, key=len, default=None)
        if base is None and VERSIONED.search(name):
            base = _plain(VERSIONED.sub("", name))
        size, released = self._models.get(plain, (np.nan, np.nan))
        stated = re.search(r"(?:(\d+)x)?(\d+(?:\.\d+)?)b(?![a-z])", name.lower())
        if stated:
            size = np.log10(float(stated[1] or 1) * float(stated[2]) * 1e9)
        if np.isnan(released) and base in self._models:
            released = self._models[base][1]
        return size, released, self._root(base)

    def _root(self, base: str | None) -> str | None:
        seen: set[str] = set()
        while base is not None and base in self._parent and base not in seen:
            seen.add(base)
            base = self._parent[base]
        return base


def _year(released: str | None) -> float:
    if not released:
        return np.nan
    day = f"{released}-01-01"[:10] if len(released) == 4 else f"{released}-01"[:10]
    return date.fromisoformat(day).toordinal() / 365.25


def _scores(folder: Path) -> dict[str, dict[str, float]]:
    """Plain name -> column -> score in [0, 1]."""
    found: dict[str, dict[str, float]] = {}
    for name, row in table(folder / "benchmarks.csv", "Model").items():
        cells = {c: float(v) for c, v in row.items() if v and c != "Model" and not _is_own(c)}
        later, earlier = cells.pop(ARENA, None), cells.pop(EARLIER_ARENA, None)
        found[_plain(name)] = {c: _unit(c, v) for c, v in cells.items()}
        if (elo := later or earlier) is not None:
            found[_plain(name)]["arena"] = (elo - LOWEST_ELO) / ELO_SPAN
    scores = folder.parents[1] / "scores"
    for name, row in table(scores / "open_llm_leaderboard_v1_7169.csv.gz", "Model").items():
        mine = found.setdefault(_plain(name), {})
        for column, source in OPEN_LLM.items():
            mine.setdefault(column, float(row[source]) / 100)
    for row in _rows(scores / "opencompass_alpaca_arena_10503.csv.gz"):
        if row["benchmark"] == BUNDLED_ARENA:
            mine = found.setdefault(_plain(row["model_id"]), {})
            mine["arena"] = (float(row["score"]) - LOWEST_ELO) / ELO_SPAN
    return found


def _is_own(column: str) -> bool:
    return any(word in column for word in OWN)


def _unit(column: str, value: float) -> float:
    if column.startswith(SHARES):
        return value
    scale = 10 if column.startswith(TENTHS) else 1200 if column.startswith(TOTALS) else 100
    return value / scale


def table(path: Path, key: str) -> Table:
    """The rows of a CSV file by their ``key``. Raises ``MirrorError`` when there is no file."""
    return {row[key]: row for row in _rows(path) if row[key]}


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        raise MirrorError(f"There is no {path}; --data must name the folder with routing/ in it.")
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _plain(name: str) -> str:
    """A name without owner, style, precision, case and punctuation."""
    plain = re.sub(r"[^a-z0-9]", "", STYLE.sub("", name.split("/")[-1].lower()))
    return LEFT_OFF.sub("", plain)
