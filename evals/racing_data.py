"""Real score matrices to race on, and what each cell would cost at list prices per token.

AlpacaEval: the length-uncontrolled preference of GPT-4-turbo for a model's answer over that of
GPT-4-1106, 0 to 1. The three models that lack 741 of 805 preferences are left out, as is the one
whose constant answer games the judge, and every instruction that some model lacks. The bill of
a cell: tokens of the instruction and of the model's real answer, at list prices. LLMRouter: every
query and model; no answers were kept, so each is taken to be as long as its query.

Prices: a model sold under the name in ``SOLD_AS`` costs its median over providers. Others cost
the median of the models of their size class, whoever made them; a model whose size isn't known
costs the median of those that are. A token is four characters.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from evals.routing import read_lines
from evals.routing_facts import known_params, table
from memory.errors import MirrorError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

CHARACTERS_A_TOKEN = 4
GAMES_THE_JUDGE = "NullModel"
# What a race is told of an answer's length before it has seen one, in tokens.
TYPICAL_ANSWER = 300
SIZE_CLASSES = (5e9, 10e9, 20e9, 40e9, 60e9, 100e9)
# Start of a name -> the name under which it, or else its successor in the line, is sold.
SOLD_AS = {
    "gpt4_turbo": "gpt-4-turbo-2024-04-09",
    "gpt4_1106": "gpt-4-turbo-2024-04-09",
    "gpt4": "gpt-4-0613",
    "gpt-3.5": "gpt-3.5-turbo-0125",
    "gpt35": "gpt-3.5-turbo-0125",
    "chatgpt": "gpt-3.5-turbo-0125",
    "text_davinci": "gpt-3.5-turbo-0125",
    "claude-instant": "claude-3-haiku-20240307",
    "claude": "claude-3-sonnet-20240229",
}
# Sizes that neither a name nor the registry has, from the models' own papers.
PARAMS = {"alpaca-farm": 7e9, "phi-2": 2.7e9}


@dataclass(frozen=True)
class Scored:
    """n items by m models: ``scores`` in [0, 1], ``bill`` in USD, both (n, m).

    ``prices`` (m,): USD of an item as it is known before the race. ``priced``: how many models
    have a price by name, by size, and by neither.
    """

    names: tuple[str, ...]
    scores: Floats
    bill: Floats
    prices: Floats
    priced: dict[str, int]


def alpaca(folder: Path) -> Scored:
    """The complete models of AlpacaEval; raises ``MirrorError`` when a file is missing."""
    source = folder / "routing" / "alpaca_eval"
    rows = table(source / "preference_matrix_v2_weighted_gpt4turbo.csv.gz", "i")
    prompts = read_lines(source / "instructions_805.jsonl.gz")
    outputs = {
        row["model"]: row["outputs"]
        for row in read_lines(source / "model_outputs_v2annotated.jsonl.gz")
    }
    names = [name for name in next(iter(rows.values())) if name in outputs]
    # A preference is 1 (the reference's answer) to 2 (the model's).
    cells = [[float(row[m]) - 1 if row[m] else np.nan for m in names] for row in rows.values()]
    preferences = np.array(cells)
    kept = [
        j
        for j, name in enumerate(names)
        if name != GAMES_THE_JUDGE and np.isnan(preferences[:, j]).sum() < 100
    ]
    complete = ~np.isnan(preferences[:, kept]).any(axis=1)
    used = tuple(names[j] for j in kept)
    answers = np.array([[len(text or "") for text in outputs[name]] for name in used]).T[complete]
    asked = np.array([len(row["instruction"]) for row in prompts], dtype=float)[complete, None]
    each, priced = usd_per_token(folder, used)
    bill = (asked * each[0] + answers * each[1]) / CHARACTERS_A_TOKEN
    prices = float(asked.mean()) / CHARACTERS_A_TOKEN * each[0] + TYPICAL_ANSWER * each[1]
    return Scored(used, preferences[complete][:, kept], bill, prices, priced)


def llmrouter(folder: Path) -> Scored:
    """All queries of LLMRouter; raises ``MirrorError`` when a file is missing."""
    source = folder / "routing" / "llmrouter"
    rows = read_lines(source / "query_x_llm_scores_train.jsonl.gz")
    prices = _present(source / "llmrouter_default_llm.json")
    about = json.loads(prices.read_text(encoding="utf-8"))
    names = tuple(sorted(rows[0]["scores"]))
    scores = np.array([[row["scores"][name] for name in names] for row in rows], dtype=np.float64)
    usd = np.array([[about[m]["input_price"] + about[m]["output_price"] for m in names]]) / 1e6
    bill = np.array([[len(row["query"]) / CHARACTERS_A_TOKEN] for row in rows]) * usd
    return Scored(names, scores, bill, bill.mean(axis=0), {"name": len(names)})


def usd_per_token(folder: Path, names: Sequence[str]) -> tuple[Floats, dict[str, int]]:
    """(2, m) price of a token read and of one written, and how many were priced by what."""
    sold = _list_prices(folder / "scores" / "llmstats_provider_prices.csv")
    sizes = table(folder / "scores" / "llmstats_models.csv", "model_id")
    classes: dict[int, list[Floats]] = {}
    for model, price in sold.items():
        if model in sizes and sizes[model]["param_count"]:
            classes.setdefault(_size_class(float(sizes[model]["param_count"])), []).append(price)
    by_size = {size: np.median(prices, axis=0) for size, prices in classes.items()}
    known = known_params(names)
    found: list[Floats | None] = []
    priced = {"name": 0, "size": 0, "neither": 0}
    for name, params in zip(names, known, strict=True):
        alias = next((v for start, v in SOLD_AS.items() if name.startswith(start)), None)
        own = next((v for start, v in PARAMS.items() if name.startswith(start)), params)
        if alias:
            found.append(sold[alias])
        else:
            found.append(by_size[_size_class(own)] if np.isfinite(own) else None)
        priced["name" if alias else "size" if np.isfinite(own) else "neither"] += 1
    middle = np.median([price for price in found if price is not None], axis=0)
    return np.array([middle if price is None else price for price in found]).T, priced


def _list_prices(path: Path) -> dict[str, Floats]:
    """Median over providers of (USD a token read, USD a token written)."""
    offers: dict[str, list[tuple[float, float]]] = {}
    with _present(path).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            cents = [row[f"{way}_cents_per_million_tokens"] for way in ("input", "output")]
            if all(cents):
                read, written = (float(x) / 1e8 for x in cents)
                offers.setdefault(row["model_id"], []).append((read, written))
    return {model: np.median(prices, axis=0) for model, prices in offers.items()}


def _present(path: Path) -> Path:
    if not path.is_file():
        raise MirrorError(f"There is no {path}; --data must name the folder with it.")
    return path


def _size_class(params: float) -> int:
    return sum(params >= limit for limit in SIZE_CLASSES)
