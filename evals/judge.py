"""How well Mirror's judging machinery works, on real verdicts of language models.

    python -m evals.judge --data DIR --json

``judge`` in the last line of output, from LLMBar's verdicts in both orders (Zeng et al. 2024):

- ``published``: accuracy and positional agreement as the authors computed them, a missing verdict
  counting as wrong, beside the figures they published with the verdicts.
- ``raw_agreement``: how often a verdict in one order is what people preferred, mean of both orders.
  ``merged_agreement``: of verdicts on which both orders agree (``merged_decided``: their share).
  ``corrected_agreement``: of all, corrected by ``methods.agreement.fit_correction``. Means over the
  judges (model x prompt), and over the ``trusted`` ones that the first half tells from a coin.
  Corrections are fitted on one random half of the items and all figures are of the other; nothing
  was chosen on that. ``length_alone`` is the correction without the judge: LLMBar was built so that
  length misleads, so a gain in length is of this test and not of judging in general.
- ``rates``: samples of 100 of the second half in which people prefer answer 1 in 20 to 80 %; the
  error and the coverage (of 90 %) of trusted judges' own rates and of the corrected ones.

From AlpacaEval's preferences, ``null``: how often the null control flags GPT-4-turbo as a judge,
given the constant answer that it prefers to most real ones (Zheng et al. 2024). Pools of ten
models, 20 random items, 500 draws, on the half of the instructions the rule was not chosen on.
``honest_flagged``: the same with a real model in its place, the weakest on the other half: no
constant answer, but the nearest thing in the data to one that a fair judge sees through.

Intervals are 90 % bootstraps over items (``rates``: over judges; ``null``: Wilson's). The data
holds no verdicts of the prompts that first write metrics or a reference, and of Swap only the first
round, which is left out.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import math
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from evals.judge_verdicts import load, published
from memory.errors import MirrorError
from tools.judging.controls import ITEMS, verdict
from tools.methods import agreement
from tools.methods.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from evals.judge_verdicts import Bench, Verdicts

    Floats = NDArray[np.float64]

DRAWS = 1000


@dataclass(frozen=True)
class Halves:
    """The items corrections are fitted on, and bootstrap counts of the others.

    ``weights``: (1 + DRAWS, n reported), the first row all ones.
    """

    fitted: NDArray[np.bool_]
    weights: NDArray[np.int64]

    @classmethod
    def of(cls, n: int, seed: int = 0) -> Halves:
        """Two random halves of ``n`` items."""
        rng = np.random.default_rng(seed)
        fitted = rng.permutation(n) % 2 == 0
        rest = int((~fitted).sum())
        drawn = rng.multinomial(rest, np.full(rest, 1 / rest), DRAWS)
        return cls(fitted, np.vstack([np.ones((1, rest), dtype=np.int64), drawn]))

    def mean(self, values: Floats) -> Floats:
        """(1 + DRAWS,) means over the reported items, NaN left out."""
        told = values[~self.fitted]
        rows = ~np.isnan(told)
        weights = self.weights[:, rows]
        share: Floats = weights @ told[rows] / np.maximum(weights.sum(axis=1), 1)
        return share


FIGURES = ("raw", "merged", "decided", "corrected", "length_alone")


def figures(judge: Verdicts, bench: Bench, halves: Halves) -> dict[str, Floats]:
    """Each of ``FIGURES`` of one judge, over the items with a verdict in both orders."""
    labels, ratio, merged = bench.labels, bench.log_ratio, judge.merged
    train = halves.fitted & ~np.isnan(merged)
    rule = agreement.fit_correction(merged[train], ratio[train], labels[train])
    blind = agreement.fit_correction(np.zeros(train.sum()), ratio[train], labels[train])
    said = {
        "raw": (_right(judge.first, labels) + _right(judge.second, labels)) / 2,
        "merged": np.where(merged == 0, np.nan, _right(merged, labels)),
        "decided": np.abs(merged),
        "corrected": _right(rule.preferences(merged, ratio), labels),
        "length_alone": _right(blind.preferences(merged * 0, ratio), labels),
    }
    return {name: halves.mean(values) for name, values in said.items()}


def measure_agreement(bench: Bench, halves: Halves) -> dict[str, Any]:
    """Raw, merged and corrected agreement on the second half of the items."""
    found = {key: figures(judge, bench, halves) for key, judge in bench.judges.items()}
    trusted = [key for key, judge in bench.judges.items() if _trusted(judge, bench, halves)]
    report = _summary(list(found.values()))
    report["trusted"] = _summary([found[key] for key in trusted]) | {"judges": len(trusted)}
    report["by_model"] = {
        model: _summary([figure for key, figure in found.items() if key[0] == model])
        for model in sorted({model for model, _ in found})
    }
    report["judges"] = {
        " ".join(key): {name: round(float(f[name][0]), 3) for name in FIGURES}
        for key, f in found.items()
    }
    return report


def _summary(found: Sequence[dict[str, Floats]]) -> dict[str, Any]:
    mean = {name: np.mean([one[name] for one in found], axis=0) for name in FIGURES}
    return {
        "raw_agreement": round(float(mean["raw"][0]), 4),
        "corrected_agreement": round(float(mean["corrected"][0]), 4),
        "merged_agreement": round(float(mean["merged"][0]), 4),
        "merged_decided": round(float(mean["decided"][0]), 4),
        "length_alone": round(float(mean["length_alone"][0]), 4),
        "merged_minus_raw": _gain(mean["merged"] - mean["raw"]),
        "corrected_minus_raw": _gain(mean["corrected"] - mean["raw"]),
        "corrected_minus_length_alone": _gain(mean["corrected"] - mean["length_alone"]),
    }


def _trusted(judge: Verdicts, bench: Bench, halves: Halves) -> bool:
    """Whether the fitted half tells the judge from a coin."""
    counts = _counts(_decided(judge)[halves.fitted], bench.labels[halves.fitted])
    return agreement.corrected_rate(1, 2, *counts).informative


def measure_rates(bench: Bench, halves: Halves, seed: int = 1, draws: int = 40) -> dict[str, Any]:
    """Errors and coverage of raw and corrected rates of trusted judges, on the second half."""
    rng = np.random.default_rng(seed)
    by_model: defaultdict[str, list[Floats]] = defaultdict(list)
    for (model, _), judge in bench.judges.items():
        if not _trusted(judge, bench, halves):
            continue
        said = _decided(judge)
        counts = _counts(said[halves.fitted], bench.labels[halves.fitted])
        decided = ~halves.fitted & ~np.isnan(said)
        ones, twos = (np.flatnonzero(decided & (bench.labels == sign)) for sign in (1, -1))
        rows = []
        for share in (0.2, 0.35, 0.5, 0.65, 0.8):
            for _ in range(draws):
                k = round(100 * share)
                drawn = np.concatenate([rng.choice(ones, k), rng.choice(twos, 100 - k)])
                positive = int(np.sum(said[drawn] == 1))
                found = agreement.corrected_rate(positive, 100, *counts)
                low, high = wilson(positive, 100)
                errors = (abs(positive / 100 - share), abs(found.value - share))
                rows.append((*errors, low <= share <= high, found.low <= share <= found.high))
        by_model[model].append(np.array(rows, dtype=np.float64).mean(axis=0))
    every = np.array([row for rows in by_model.values() for row in rows])
    gain = every[:, 0] - every[:, 1]
    drawn = gain[rng.integers(0, gain.size, (DRAWS, gain.size))].mean(axis=1)
    names = ("raw_error", "corrected_error", "raw_coverage", "corrected_coverage")
    report: dict[str, Any] = dict(zip(names, _rounded(every.mean(axis=0), 4), strict=True))
    report["raw_minus_corrected"] = _gain(np.append(gain.mean(), drawn))
    report["judges"], report["refused"] = len(every), len(bench.judges) - len(every)
    report["by_model"] = {
        model: dict(zip(names, _rounded(np.array(rows).mean(axis=0), 4), strict=True))
        for model, rows in by_model.items()
    }
    return report


def measure_null(folder: Path, seed: int = 0, draws: int = 500) -> dict[str, Any]:
    """How often the null control flags AlpacaEval's judge, and how often it would a fair one."""
    path = folder / "preference_matrix_v2_weighted_gpt4turbo.csv.gz"
    if not path.is_file():
        raise MirrorError(f"There is no {path}; --data must name the folder with routing/ in it.")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = [name for name in rows[0] if name != "i"]
    wins = np.array([[float(r[n]) - 1 if r[n] else math.nan for n in names] for r in rows])
    full = np.isnan(wins).sum(axis=0) < 50
    names = [name for name, kept in zip(names, full, strict=True) if kept]
    reported = np.random.default_rng(9).permutation(len(rows)) % 2 == 1
    weakest = int(np.argmin(np.nanmean(wins[np.ix_(~reported, full)], axis=0)))
    wins = wins[np.ix_(reported, full)]
    null, means = names.index("NullModel"), np.nanmean(wins, axis=0)
    rng = np.random.default_rng(seed)
    report: dict[str, Any] = {"models": len(names), "honest_stand_in": names[weakest]}
    for what, stand_in in (("flagged", null), ("honest_flagged", weakest)):
        others = [n for n in range(len(names)) if n not in (null, stand_in)]
        flags = []
        for _ in range(draws):
            pool = rng.choice(others, 10, replace=False)
            items = rng.choice(len(wins), ITEMS, replace=False)
            block = wins[np.ix_(items, np.append(stand_in, pool))]
            block = block[~np.isnan(block).any(axis=1)]
            pairs = [(float(row[1:].mean()), float(row[0])) for row in block]
            flags.append(not verdict("null", "", pairs).passed)
        low, high = wilson(sum(flags), draws)
        report[what] = _rounded((float(np.mean(flags)), low, high), 4)
        report[f"{what}_win_rate"] = round(float(means[stand_in]), 4)
    return report


def _decided(judge: Verdicts) -> Floats:
    return np.where(judge.merged == 0, np.nan, judge.merged)


def _counts(said: Floats, labels: Floats) -> tuple[int, int, int, int]:
    good, bad = ~np.isnan(said) & (labels == 1), ~np.isnan(said) & (labels == -1)
    hits, rejections = int(np.sum(good & (said == 1))), int(np.sum(bad & (said == -1)))
    return hits, int(good.sum()), rejections, int(bad.sum())


def _right(said: Floats, labels: Floats) -> Floats:
    return np.asarray((1 + said * labels) / 2, dtype=np.float64)


def _gain(draws: Floats) -> list[float]:
    """[value, low, high] of figures whose first is the observed one and the others bootstraps."""
    low, high = np.quantile(draws[1:], [0.05, 0.95])
    return _rounded((float(draws[0]), float(low), float(high)), 4)


def _rounded(values: Sequence[float] | Floats, digits: int) -> list[float]:
    return [round(float(value), digits) for value in values]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m evals.judge", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--json", action="store_true", help="on one line")
    given = parser.parse_args(arguments)
    try:
        bench = load(given.data / "judge")
        null = measure_null(given.data / "routing" / "alpaca_eval")
    except MirrorError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    halves = Halves.of(bench.labels.size)
    report = measure_agreement(bench, halves)
    report |= {"rates": measure_rates(bench, halves), "published": published(bench), "null": null}
    report["null_flagged"] = null["flagged"][0] == 1.0
    print(json.dumps({"judge": report}, indent=None if given.json else 2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
