"""LLMBar's verdicts (Zeng et al. 2024), and the figures their authors published with them."""

from __future__ import annotations

import csv
import gzip
import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from evals.routing import read_lines
from tools.methods import agreement

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FIRST_ROUND_ONLY = ("Swap", "Swap_CoT")
NATURAL, NEIGHBOR = "LLMBar/Natural", "LLMBar/Adversarial/Neighbor"
# Accuracy over both orders and positional agreement in %, of the prompt "Vanilla": statistics.json
# beside each set of verdicts in princeton-nlp/LLMBar (MIT), as of arXiv 2310.07641.
PUBLISHED = {
    ("GPT-4", NATURAL): (95.5, 95.0),
    ("GPT-4", NEIGHBOR): (78.73, 93.28),
    ("GPT-4", "LLMBar/Adversarial/GPTInst"): (86.41, 94.57),
    ("GPT-4", "LLMBar/Adversarial/GPTOut"): (77.66, 93.62),
    ("GPT-4", "LLMBar/Adversarial/Manual"): (80.43, 82.61),
    ("ChatGPT", NATURAL): (81.5, 71.0),
    ("ChatGPT", NEIGHBOR): (19.40, 71.64),
    ("ChatGPT-0301", NATURAL): (84.0, 78.0),
    ("ChatGPT-0301", NEIGHBOR): (28.73, 58.96),
    ("LLaMA2", NATURAL): (80.5, 79.0),
    ("LLaMA2", NEIGHBOR): (24.63, 77.61),
    ("PaLM2", NATURAL): (83.0, 80.0),
    ("PaLM2", NEIGHBOR): (62.69, 67.16),
    ("Falcon", NATURAL): (74.0, 52.0),
    ("Falcon", NEIGHBOR): (50.37, 42.54),
}


@dataclass(frozen=True)
class Verdicts:
    """One judge's verdicts on all items: (n,) of 1, -1 or NaN, in each order."""

    first: Floats
    second: Floats
    asked: NDArray[np.bool_]

    @property
    def merged(self) -> Floats:
        """What both orders agree on."""
        return agreement.merge(self.first, self.second)


@dataclass(frozen=True)
class Bench:
    """LLMBar: (n,) subsets, people's labels and ln(length 1 / length 2), and each judge."""

    subsets: NDArray[np.str_]
    labels: Floats
    log_ratio: Floats
    judges: dict[tuple[str, str], Verdicts]


def load(folder: Path) -> Bench:
    """Items and verdicts. Raises MirrorError when they are not in ``folder``."""
    items = read_lines(folder / "llmbar_items.jsonl.gz")
    place = {(item["subset"], item["i"]): n for n, item in enumerate(items)}
    sizes = np.array([[len(item["output_1"]), len(item["output_2"])] for item in items])
    logs = np.log1p(sizes.astype(np.float64))
    orders = ("winner_noswap", "winner_swap")
    found: defaultdict[tuple[str, str], Floats] = defaultdict(
        lambda: np.full((3, len(items)), np.nan)
    )
    with gzip.open(folder / "llmbar_llm_judge_verdicts.csv.gz", "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            table = found[row["judge"], row["prompt_strategy"]]
            n = place[row["subset"], int(row["i"])]
            table[2, n] = 1.0
            for k, order in enumerate(orders):
                table[k, n] = {"1": 1.0, "2": -1.0, "": math.nan}[row[order]]
    judges = {
        key: Verdicts(table[0], table[1], table[2] == 1)
        for key, table in sorted(found.items())
        if not np.isnan(table[:2]).all() and key[1] not in FIRST_ROUND_ONLY
    }
    return Bench(
        np.array([item["subset"] for item in items]),
        np.array([3.0 - 2.0 * item["label"] for item in items]),
        logs[:, 0] - logs[:, 1],
        judges,
    )


def published(bench: Bench) -> dict[str, Any]:
    """The published figures and ours by the same definition, in percent."""
    gaps, table = [], {}
    for (model, subset), theirs in PUBLISHED.items():
        judge = bench.judges[model, "Vanilla"]
        rows = judge.asked & (bench.subsets == subset)
        first, second, labels = judge.first[rows], judge.second[rows], bench.labels[rows]
        right = (np.mean(first == labels) + np.mean(second == labels)) / 2
        same = (first == second) | (np.isnan(first) & np.isnan(second))
        ours = (round(100 * float(right), 2), round(100 * float(np.mean(same)), 2))
        gaps += [abs(a - b) for a, b in zip(ours, theirs, strict=True)]
        table[f"{model} {subset}"] = {"ours": list(ours), "published": list(theirs)}
    return {"largest_gap": round(max(gaps), 3), "figures": len(gaps), "table": table}
