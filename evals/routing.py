"""How well Mirror routes: ``python -m evals.routing --data DIR [--cache DIR] --json``.

- ``alpaca``: pools of AlpacaEval models. Routers see answers to a random subset of prompts and,
  for ``mirror``, what is known of the models elsewhere (``evals.routing_facts``); never a rating of
  AlpacaEval, nor the length of an answer. Truth: the published length-controlled win rate of each
  model, weighed by the share of prompts a router gives it (so a router gains nothing here by
  suiting the model to the prompt). ``recovered`` = (router - random) / (best - random). One number
  was chosen with ratings in sight, the share of prior against agreement, on half of the families;
  ``held_out`` are pools of the other half. ``without_*`` leave out one ingredient, ``known_alone``
  the answers; ``wrong_prior`` and ``wrong_families`` deal knowledge out at random: the controls.
- ``llmrouter``: accuracy on prompts held out, five folds.
- ``smoothie_parity``: rank correlation of global weights with those the Smoothie authors
  published, on trials whose columns are aligned, from another embedding model and fewer prompts.

Intervals are 95% bootstraps over pools: they leave out which models and prompts were at hand.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from evals.routing_pools import Alpaca, alpaca, choose_share, measure_null, measure_pools
from evals.routing_usecase import measure_healthcare
from memory.errors import MirrorError
from tools.clients.embedder import OnnxEmbedder
from tools.methods import cluster_router, routing, smoothie

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from tools.deps import Embedder

CHUNK = 256
CLEAN_TRIALS = ("1", "4", "5", "8")


class Embedded:
    """An embedder that keeps what it made in a folder, a file per list of texts."""

    def __init__(self, embedder: Embedder, cache: Path | None) -> None:
        self._embedder = embedder
        self._cache = cache

    @property
    def name(self) -> str:
        """The embedder's."""
        return self._embedder.name

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n texts) -> (n, d) float32 rows of length 1."""
        chunks = [texts[i : i + CHUNK] for i in range(0, len(texts), CHUNK)]
        return np.concatenate([self._chunk(chunk) for chunk in chunks])

    def _chunk(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if self._cache is None:
            return self._embedder.encode(texts)
        key = hashlib.sha256("\x00".join([self._embedder.name, *texts]).encode()).hexdigest()[:24]
        path = self._cache / f"{key}.npy"
        if path.exists():
            return np.asarray(np.load(path, allow_pickle=False), dtype=np.float32)
        vectors = self._embedder.encode(texts)
        np.save(path, vectors)
        return vectors


def measure_alpaca(data: Alpaca, pools: int, seed: int) -> dict[str, Any]:
    """Random pools, pools crowded by three weak siblings, and pools holding a constant answer.

    ``held_out``: pools of the half of the families on which nothing was chosen.
    """
    share, tried = choose_share(data, min(pools, 500), seed + 10)
    everyone, other = data.honest(), data.half(1)

    def measured(among: NDArray[np.intp], siblings: int, n: int) -> dict[str, Any]:
        return measure_pools(data, among, n, seed + siblings, siblings=siblings, share=share)

    return {
        "models": len(data.names),
        "prompts_embedded": len(data.prompts),
        "share": share,
        "shares_tried_on_the_first_half": tried,
        "random_pools": measured(everyone, 0, pools),
        "weak_siblings": measured(everyone, 3, pools),
        "held_out": {
            "random_pools": measured(other, 0, max(pools // 2, 1)),
            "weak_siblings": measured(other, 3, max(pools // 2, 1)),
        },
        "null_model": measure_null(data, min(pools, 500), seed + 2, share),
    }


def measure_llmrouter(folder: Path, embedded: Embedded, seed: int = 0) -> dict[str, Any]:
    """Accuracy and price of each router on five folds held out; prices are USD per 1M tokens."""
    rows = read_lines(folder / "query_x_llm_scores_train.jsonl.gz")
    names = sorted(rows[0]["scores"])
    scores = np.array([[row["scores"][name] for name in names] for row in rows], dtype=np.float64)
    about = json.loads((folder / "llmrouter_default_llm.json").read_text(encoding="utf-8"))
    priced = all(name in about for name in names)
    prices = np.array([about[n]["input_price"] if n in about else np.nan for n in names])
    prompts = embedded.encode([row["query"] for row in rows]).astype(np.float64)
    fold = np.random.default_rng(seed).permutation(len(rows)) % 5
    picks: dict[str, NDArray[np.intp]] = {
        name: np.zeros(len(rows), dtype=np.intp)
        for name in ("mirror", "cluster", "best_single", *(["mirror_priced"] if priced else []))
    }
    regions = []
    for i in range(5):
        train, test = fold != i, fold == i
        seen, truth = prompts[train], scores[train]
        chosen = cluster_router.fit_best(seen, truth, seed=seed)
        regions.append(len(chosen.centres))
        fitted = {
            "mirror": chosen,
            "cluster": cluster_router.fit(seen, truth, regions=64, prior=0.0, seed=seed),
            "best_single": cluster_router.fit(seen, truth, regions=1),
        }
        if priced:
            fitted["mirror_priced"] = cluster_router.fit(
                seen, truth, regions=regions[-1], costs=prices, cost_weight=0.05, seed=seed
            )
        for name, router in fitted.items():
            picks[name][test] = routing.choose(router.weights(prompts[test]))
    every = np.arange(len(rows))
    report: dict[str, Any] = {
        name: round(float(scores[every, chosen].mean()), 4) for name, chosen in picks.items()
    }
    gain = scores[every, picks["mirror"]] - scores[every, picks["cluster"]]
    error = 1.96 * gain.std() / np.sqrt(len(gain))
    report |= {
        "oracle": round(float(scores.max(axis=1).mean()), 4),
        "random": round(float(scores.mean()), 4),
        "mirror_minus_cluster": [round(float(gain.mean() + x), 4) for x in (-error, error)],
        "mirror_regions": regions,
        "queries": len(rows),
    }
    if priced:
        report["price"] = {name: round(float(prices[c].mean()), 3) for name, c in picks.items()}
    return report


def measure_parity(folder: Path, embedded: Embedded, prompts: int) -> dict[str, Any]:
    """Spearman correlation, per clean trial, of our global weights with the authors'."""
    from scipy.stats import spearmanr

    theirs: dict[str, tuple[list[str], list[float]]] = {}
    with gzip.open(folder / "authors_routed_choice.csv.gz", "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            first = row["models_in_trial(first row only)"]
            if row["method"] == "smoothie_global" and row["trial"] in CLEAN_TRIALS and first:
                models = json.loads(json.loads(first).replace("'", '"'))
                if row["embedding"] == "all-mpnet-base-v2":
                    theirs[row["trial"]] = models, json.loads(json.loads(row["smoothie_weights"]))
    rows = read_lines(folder / "model_outputs_805x10.jsonl.gz")
    rows = [rows[i] for i in subset(len(rows), prompts)]
    needed = sorted({name for models, _ in theirs.values() for name in models})
    vectors = {n: embedded.encode([row["outputs"][n] or "" for row in rows]) for n in needed}
    trials: dict[str, dict[str, Any]] = {}
    for trial, (models, weights) in sorted(theirs.items()):
        ours = smoothie.weights(np.stack([vectors[name] for name in models], axis=1))[0]
        trials[trial] = {
            "rank_correlation": round(float(spearmanr(ours, weights).statistic), 3),
            "same_best": bool(np.argmax(ours) == np.argmax(weights)),
        }
    mean = np.mean([trial["rank_correlation"] for trial in trials.values()])
    return {"rank_correlation": round(float(mean), 3), "trials": trials, "prompts": len(rows)}


def healthcare(
    data: Path, cache: Path | None, encounters: int, *, similarity: bool
) -> dict[str, Any]:
    """RELM's table 5 on ACI-Bench (``evals.routing_usecase``)."""
    folder = data / "usecases" / "aci_bench"
    embedded = Embedded(OnnxEmbedder(), cache)
    with TemporaryDirectory() as made:
        labels = cache or Path(made)
        return measure_healthcare(folder, embedded, labels, encounters, similarity=similarity)


def subset(total: int, size: int) -> list[int]:
    """``size`` of ``total`` rows, at random but always the same, in order."""
    chosen = np.random.default_rng(0).choice(total, min(size, total), replace=False)
    return sorted(int(i) for i in chosen)


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The rows of a gzipped JSONL file. Raises ``MirrorError`` when there is no such file."""
    if not path.is_file():
        raise MirrorError(f"There is no {path}; --data must name the folder with routing/ in it.")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m evals.routing", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, help="folder for embeddings; none: made anew")
    parser.add_argument("--pools", type=int, default=2000)
    parser.add_argument("--prompts", type=int, default=120, help="AlpacaEval prompts to embed")
    parser.add_argument("--parity-prompts", type=int, default=160)
    parser.add_argument("--only", choices=["alpaca", "llmrouter", "smoothie_parity"])
    parser.add_argument("--json", action="store_true", help="on one line")
    parser.add_argument("--usecase", choices=["healthcare"], help="RELM's table 5 instead")
    parser.add_argument("--encounters", type=int, default=40, help="of the use case; 80: all")
    parser.add_argument(
        "--similarity", action="store_true", help="grade notes by MiniLM's embeddings, too"
    )
    given = parser.parse_args(arguments)
    if given.cache:
        given.cache.mkdir(parents=True, exist_ok=True)
    embedded = Embedded(OnnxEmbedder(), given.cache)
    folder = given.data / "routing"

    def pools() -> dict[str, Any]:
        source = folder / "alpaca_eval"
        instructions = read_lines(source / "instructions_805.jsonl.gz")
        outputs = read_lines(source / "model_outputs_v2annotated.jsonl.gz")
        rows = subset(len(instructions), given.prompts)
        texts = [row["instruction"] for row in instructions]
        return measure_alpaca(alpaca(source, texts, outputs, rows, embedded), given.pools, 0)

    parts: dict[str, Callable[[], dict[str, Any]]] = {
        "alpaca": pools,
        "llmrouter": lambda: measure_llmrouter(folder / "llmrouter", embedded),
        "smoothie_parity": lambda: measure_parity(
            folder / "smoothie_alpaca", embedded, given.parity_prompts
        ),
    }
    if given.usecase:
        parts = {
            "healthcare": lambda: healthcare(
                given.data, given.cache, given.encounters, similarity=given.similarity
            )
        }
    wanted = [given.only] if given.only else list(parts)
    try:
        report = {name: parts[name]() for name in wanted}
    except MirrorError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(json.dumps(report, indent=None if given.json else 2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
