"""Routers over pools of AlpacaEval models: what each would pick, and how good that was."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from evals.routing_facts import family, gather, quality, table
from memory.errors import MirrorError
from tools.methods import consensus, label_free, smoothie

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Pool = NDArray[np.intp]
    Router = Callable[["Alpaca", Pool, np.random.Generator], Floats]

SIZE = 5
NULL = "NullModel"
ADVERSARIAL = frozenset({NULL, "gpt4_gamed"})
# Three models of which only 64 of 805 preferences are kept: their rating can't be checked.
UNCHECKED = frozenset({"llama-2-13b-chat-hf", "llama-2-7b-chat-hf", "vicuna-33b-v1.3"})
INGREDIENTS = ("size", "date", "lineage", "benchmarks")
SHARES = (1.0, 2.0, 4.0, 8.0)
"""Of the prior against the answers' agreement; the best on the first half's pools is reported."""


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
    ``priors``: (m,) likely quality by what was left out of it, "" for nothing.
    """

    names: tuple[str, ...]
    families: tuple[str, ...]
    truth: Floats
    prompts: Floats
    answers: Floats
    distances: Floats
    lengths: Floats
    priors: Mapping[str, Floats]

    def half(self, which: int) -> Pool:
        """The honest models of half of the families, split by a hash of their names."""
        digests = [hashlib.sha256(name.encode()).digest()[-1] for name in self.families]
        return np.array([i for i in self.honest() if digests[i] % 2 == which])

    def honest(self) -> Pool:
        """All models but those made to deceive the judge."""
        return np.array([i for i, name in enumerate(self.names) if name not in ADVERSARIAL])


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
        and row["model"] not in UNCHECKED
    ]
    names = tuple(row["model"] for row in used)
    vectors = [embedded.encode([row["outputs"][i] or "" for i in rows]) for row in used]
    answers = np.stack(vectors, axis=1).astype(np.float64)
    for j, row in enumerate(used):
        answers[[not row["outputs"][i] for i in rows], j] = np.nan
    facts = gather(names, folder)
    left_out: list[tuple[str, ...]] = [(), *((one,) for one in INGREDIENTS), INGREDIENTS[:3]]
    return Alpaca(
        names,
        tuple(family(name) for name in names),
        np.array([float(leaderboard[name]["length_controlled_winrate"]) for name in names]),
        embedded.encode([instructions[i] for i in rows]).astype(np.float64),
        answers,
        smoothie.squared_distances(answers),
        np.array([[len(text or "") for text in row["outputs"]] for row in used], dtype=float).T,
        {" ".join(one): quality(facts, len(names), one).mean for one in left_out},
    )


# --- routers: pool -> the share of prompts each of its members would get -----------------


def _one(weights: Floats) -> Floats:
    return np.asarray(np.eye(weights.shape[-1])[np.atleast_2d(weights).argmax(axis=1)].mean(axis=0))


def _families(data: Alpaca, pool: Pool) -> list[str]:
    return [data.families[i] for i in pool]


def _smoothie(data: Alpaca, pool: Pool, families: list[str] | None) -> Floats:
    return _one(smoothie.from_distances(data.distances[:, pool][:, :, pool], clusters=families)[:1])


def _mirror(
    data: Alpaca, pool: Pool, rng: np.random.Generator, share: float, without: str = "", *,
    wrong: bool = False,
) -> Floats:  # fmt: skip
    """What is known beforehand, then agreement; ``wrong`` deals what is known out at random."""
    known = rng.permutation(data.priors[without]) if wrong else data.priors[without]
    return _one(
        label_free.weights(
            data.answers[:, pool], clusters=_families(data, pool), prior=known[pool], share=share
        )
    )


def _local(data: Alpaca, pool: Pool, _: np.random.Generator) -> Floats:
    near = smoothie.nearest(data.prompts, data.prompts, 5)
    distances = data.distances[:, pool][:, :, pool]
    return _one(smoothie.from_distances(distances, clusters=_families(data, pool), neighbours=near))


def _consensus(data: Alpaca, pool: Pool, _: np.random.Generator) -> Floats:
    families = _families(data, pool)
    router = consensus.fit(data.prompts, data.answers[:, pool], clusters=families, regions=1)
    return _one(router.weights(data.prompts[:1]))


def _wrong_families(data: Alpaca, pool: Pool, rng: np.random.Generator) -> Floats:
    families = _families(data, pool)
    return _smoothie(data, pool, [families[i] for i in rng.permutation(len(pool))])


def routers(share: float) -> dict[str, Router]:
    """Every router by name; ``share`` is that of Mirror's prior."""
    return {
        "mirror": partial(_mirror, share=share),
        "smoothie": lambda data, pool, _: _smoothie(data, pool, None),
        "smoothie_families": lambda data, pool, _: _smoothie(data, pool, _families(data, pool)),
        "smoothie_wrong_families": _wrong_families,
        "smoothie_local": _local,
        "consensus": _consensus,
        "known_alone": lambda data, pool, _: _one(data.priors[""][pool]),
        "benchmarks_alone": lambda data, pool, _: _one(data.priors["size date lineage"][pool]),
        **{f"without_{one}": partial(_mirror, share=share, without=one) for one in INGREDIENTS},
        "wrong_prior": partial(_mirror, share=share, wrong=True),
        "longest": lambda data, pool, _: _one(data.lengths[:, pool]),
        "random": lambda _data, pool, _rng: np.full(len(pool), 1 / len(pool)),
        "best_single": lambda data, pool, _: _one(data.truth[pool]),
    }


def choose_share(data: Alpaca, pools: int, seed: int) -> tuple[float, dict[str, list[float]]]:
    """The share that recovers most on the first half's pools, both kinds alike; and all of them."""
    tried = {}
    for share in SHARES:
        router = {"mirror": routers(share)["mirror"]}
        tried[share] = [
            round(
                _recovered(_won(data, _pools(data, data.half(0), pools, seed, n), router, seed)), 3
            )
            for n in (0, 3)
        ]
    best = max(tried, key=lambda share: sum(tried[share]))
    return best, {f"{share:g}": found for share, found in tried.items()}


def measure_pools(
    data: Alpaca, among: Pool, pools: int, seed: int, *, siblings: int, share: float
) -> dict[str, Any]:
    """Mean win rate of each router over random pools, ``siblings`` of each from a weak family."""
    drawn = _pools(data, among, pools, seed, siblings)
    won = _won(data, drawn, routers(share), seed)
    resampled = np.random.default_rng(seed).integers(pools, size=(1000, pools))
    report: dict[str, Any] = {name: round(float(wins.mean()), 2) for name, wins in won.items()}
    report["recovered"] = round(_recovered(won), 3)
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
    return report | {"pools": pools, "models": len(among)}


def measure_null(data: Alpaca, pools: int, seed: int, share: float) -> dict[str, float]:
    """How often each router falls for a model that always gives the same answer (.2: chance)."""
    rng = np.random.default_rng(seed)
    null = data.names.index(NULL)
    drawn = [
        np.append(one[: SIZE - 1], null) for one in _pools(data, data.honest(), pools, seed, 0)
    ]
    return {
        name: round(float(np.mean([route(data, pool, rng)[-1] for pool in drawn])), 3)
        for name, route in routers(share).items()
        if name not in {"random", "best_single"}
    }


def _won(
    data: Alpaca, drawn: Sequence[Pool], named: Mapping[str, Router], seed: int
) -> dict[str, Floats]:
    rng = np.random.default_rng(seed)
    bounds = {name: routers(0.0)[name] for name in ("random", "best_single")}
    return {
        name: np.array([route(data, pool, rng) @ data.truth[pool] for pool in drawn])
        for name, route in {**named, **bounds}.items()
    }


def _recovered(
    won: Mapping[str, Floats], name: str = "mirror", rows: Pool | slice = slice(None)
) -> float:
    random = won["random"][rows].mean()
    return float((won[name][rows].mean() - random) / (won["best_single"][rows].mean() - random))


def _pools(data: Alpaca, among: Pool, pools: int, seed: int, siblings: int) -> list[Pool]:
    rng = np.random.default_rng(seed)
    return [_draw(data, among, rng, siblings) for _ in range(pools)]


def _draw(data: Alpaca, among: Pool, rng: np.random.Generator, siblings: int) -> Pool:
    if not siblings:
        return rng.choice(among, SIZE, replace=False)
    median = np.median(data.truth[among])
    lines: dict[str, list[int]] = {}
    for i in among:
        lines.setdefault(data.families[i], []).append(int(i))
    weak = [
        line
        for line in lines.values()
        if len(line) >= siblings and np.median(data.truth[line]) < median
    ]
    if not weak:
        raise MirrorError("No family of weak siblings among the models to be routed.")
    line = weak[rng.integers(len(weak))]
    rest = rng.choice(np.setdiff1d(among, line), SIZE - siblings, replace=False)
    return rng.permutation(np.concatenate([rng.choice(line, siblings, replace=False), rest]))
