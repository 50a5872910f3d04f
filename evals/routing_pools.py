"""Routers over pools of AlpacaEval models: what each would pick, and how good that was."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from evals.routing_facts import benchmark_table, known_facts, table
from memory.errors import MirrorError
from tools.methods import consensus, routing, smoothie

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Router = Callable[["Alpaca", "NDArray[np.intp]", np.random.Generator], Floats]

SIZE = 5
NULL = "NullModel"
ADVERSARIAL = frozenset({NULL, "gpt4_gamed"})


class Encoder(Protocol):
    """What this file needs of an embedder."""

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n texts) -> (n, d) float32 rows of length 1."""
        ...


@dataclass(frozen=True)
class Alpaca:
    """m models with a published length-controlled win rate, seen on n embedded prompts.

    ``truth`` (m,) in percent. ``answers`` (n, m, d) and ``prompts`` (n, p): embeddings.
    ``distances`` (n, m, m). ``lengths`` (N, m) of answers in characters on all N prompts.
    ``priors`` (3, m): log parameters, release day, z-score on other benchmarks; NaN: not known.
    """

    names: tuple[str, ...]
    families: tuple[str, ...]
    truth: Floats
    prompts: Floats
    answers: Floats
    distances: Floats
    lengths: Floats
    priors: Floats

    def coverage(self) -> dict[str, int]:
        """Of how many models each prior is known."""
        known = (~np.isnan(self.priors)).sum(axis=1).tolist()
        return dict(zip(("size", "date", "benchmarks"), known, strict=True))


def alpaca(
    folder: Path,
    instructions: Sequence[str],
    outputs: Sequence[dict[str, Any]],
    rows: Sequence[int],
    embedded: Encoder,
) -> Alpaca:
    """Read what is needed; models without a rating, or with preferences missing, are left out."""
    leaderboard = table(folder / "weighted_alpaca_eval_gpt4_turbo_leaderboard.csv", "")
    used = [
        row
        for row in outputs
        if row["model"] in leaderboard
        and row["outputs"].count(None) < 10
        # Three models of which only 64 of 805 preferences are kept: their rating can't be checked.
        and row["model"] not in {"llama-2-13b-chat-hf", "llama-2-7b-chat-hf", "vicuna-33b-v1.3"}
    ]
    names = tuple(row["model"] for row in used)
    vectors = [embedded.encode([row["outputs"][i] or "" for i in rows]) for row in used]
    answers = np.stack(vectors, axis=1).astype(np.float64)
    for j, row in enumerate(used):
        answers[[not row["outputs"][i] for i in rows], j] = np.nan
    return Alpaca(
        names,
        tuple(family(name) for name in names),
        np.array([float(leaderboard[name]["length_controlled_winrate"]) for name in names]),
        embedded.encode([instructions[i] for i in rows]).astype(np.float64),
        answers,
        smoothie.squared_distances(answers),
        np.array([[len(text or "") for text in row["outputs"]] for row in used], dtype=float).T,
        known_facts(names, benchmark_table(folder)),
    )


def family(name: str) -> str:
    """A model's line, from its name alone: its first word, OpenAI's names being one line."""
    word = re.match(r"[A-Za-z]+", name.replace("text_davinci", "gpt").replace("chatgpt", "gpt"))
    return word.group().lower() if word else name


# --- routers: pool -> the share of prompts each of its members would get -----------------


def _one(weights: Floats) -> Floats:
    return np.asarray(np.eye(weights.shape[1])[weights.argmax(axis=1)].mean(axis=0))


def _families(data: Alpaca, pool: NDArray[np.intp]) -> list[str]:
    return [data.families[i] for i in pool]


def _smoothie(data: Alpaca, pool: NDArray[np.intp], families: list[str] | None) -> Floats:
    return smoothie.from_distances(data.distances[:, pool][:, :, pool], clusters=families)[:1]


def _mirror(priors: Sequence[int], *, outputs: bool = True) -> Router:
    """Smoothie over different families, blended with the ``priors`` named by their rows."""

    def route(data: Alpaca, pool: NDArray[np.intp], _: np.random.Generator) -> Floats:
        even = np.full((1, len(pool)), 1 / len(pool))
        given = _smoothie(data, pool, _families(data, pool)) if outputs else even
        return _one(routing.blend(given, data.priors[list(priors)][:, pool]))

    return route


def _local(data: Alpaca, pool: NDArray[np.intp], _: np.random.Generator) -> Floats:
    near = smoothie.nearest(data.prompts, data.prompts, 5)
    distances = data.distances[:, pool][:, :, pool]
    return _one(smoothie.from_distances(distances, clusters=_families(data, pool), neighbours=near))


def _consensus(data: Alpaca, pool: NDArray[np.intp], _: np.random.Generator) -> Floats:
    families = _families(data, pool)
    router = consensus.fit(data.prompts, data.answers[:, pool], clusters=families, regions=1)
    return _one(router.weights(data.prompts[:1]))


def _wrong_labels(data: Alpaca, pool: NDArray[np.intp], rng: np.random.Generator) -> Floats:
    families = _families(data, pool)
    return _one(_smoothie(data, pool, [families[i] for i in rng.permutation(len(pool))]))


ROUTERS: dict[str, Router] = {
    "mirror": _mirror((0, 1, 2)),
    "smoothie": lambda data, pool, _: _one(_smoothie(data, pool, None)),
    "smoothie_families": _mirror(()),
    "smoothie_wrong_families": _wrong_labels,
    "smoothie_local": _local,
    "consensus": _consensus,
    "outputs_and_size": _mirror((0,)),
    "outputs_and_date": _mirror((1,)),
    "outputs_and_benchmarks": _mirror((2,)),
    "facts_alone": _mirror((0, 1, 2), outputs=False),
    "longest": lambda data, pool, _: _one(data.lengths[:, pool]),
    "random": lambda _data, pool, _rng: np.full(len(pool), 1 / len(pool)),
    "best_single": lambda data, pool, _: _one(data.truth[None, pool]),
}


def measure_pools(data: Alpaca, pools: int, seed: int, *, siblings: int) -> dict[str, Any]:
    """Mean win rate of each router over random pools, ``siblings`` of each from a weak family."""
    rng = np.random.default_rng(seed)
    drawn = [_draw(data, rng, siblings) for _ in range(pools)]
    won = {
        name: np.array([route(data, pool, rng) @ data.truth[pool] for pool in drawn])
        for name, route in ROUTERS.items()
    }
    resampled = rng.integers(pools, size=(1000, pools))
    report: dict[str, Any] = {name: round(float(wins.mean()), 2) for name, wins in won.items()}
    report["recovered"] = round(_recovered(won, "mirror"), 3)
    report["recovered_by"] = {
        name: {
            "mean": round(_recovered(won, name), 3),
            "interval": [
                round(float(x), 3)
                for x in np.percentile(
                    [_recovered(won, name, rows) for rows in resampled], [2.5, 97.5]
                )
            ],
        }
        for name in won
        if name not in {"random", "best_single"}
    }
    report["pools"] = pools
    return report


def measure_null(data: Alpaca, pools: int, seed: int) -> dict[str, float]:
    """How often each router falls for a model that always gives the same answer (.2: chance)."""
    rng = np.random.default_rng(seed)
    null = data.names.index(NULL)
    drawn = [np.append(_draw(data, rng, 0)[: SIZE - 1], null) for _ in range(pools)]
    return {
        name: round(float(np.mean([route(data, pool, rng)[-1] for pool in drawn])), 3)
        for name, route in ROUTERS.items()
        if name not in {"random", "best_single"}
    }


def _recovered(
    won: dict[str, Floats], name: str, rows: NDArray[np.intp] | slice = slice(None)
) -> float:
    random = won["random"][rows].mean()
    return float((won[name][rows].mean() - random) / (won["best_single"][rows].mean() - random))


def _draw(data: Alpaca, rng: np.random.Generator, siblings: int) -> NDArray[np.intp]:
    honest = np.array([i for i, name in enumerate(data.names) if name not in ADVERSARIAL])
    if not siblings:
        return rng.choice(honest, SIZE, replace=False)
    median = np.median(data.truth[honest])
    lines: dict[str, list[int]] = {}
    for i in honest:
        lines.setdefault(data.families[i], []).append(int(i))
    weak = [
        line
        for line in lines.values()
        if len(line) >= siblings and np.median(data.truth[line]) < median
    ]
    if not weak:
        raise MirrorError("No family of weak siblings among the models to be routed.")
    line = weak[rng.integers(len(weak))]
    others = np.setdiff1d(honest, line)
    rest = rng.choice(others, SIZE - siblings, replace=False)
    return rng.permutation(np.concatenate([rng.choice(line, siblings, replace=False), rest]))
