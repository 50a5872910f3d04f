"""How good Mirror's recommendation is: ``python -m evals.recommend --data DIR --json``.

Each benchmark of a real matrix is a request, of which only the description is seen
(``evals.recommend_jobs``). Everybody recommends ten of the models that have a score there;
``regret10`` = (best of all - best of the ten) / (best of all - worst of all), ``hit_top5pct``:
whether one of the ten is among the best 5 %. Means over jobs with 90 % bootstrap intervals over
jobs. ``family_hidden``: the same where no benchmark of the request's family may be seen either.
``changed_without_popularity``: in how many jobs Mirror recommends otherwise once downloads, likes
and the like are taken out of the registry (0: they are no part of it).

α, the share of related benchmarks and their temperature were chosen on the jobs whose name's
hash is even (``--development`` prints them); the figures are of the others.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import bootstrap

from evals.recommend_jobs import tables
from evals.recommend_rankers import RECOMMENDED, Mirror, Words, by_fact, unpopular
from memory.registry import Registry
from tools.clients.embedder import OnnxEmbedder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from evals.recommend_jobs import Job, ScoreTable
    from evals.recommend_rankers import Evidence
    from tools.deps import Embedder

JOBS = 80
"""At most so many jobs of one matrix."""

TOP, DRAWS = 0.05, 400
ALPHAS, SHARES = (0.0, 0.1, 0.25, 0.5), (0.0, 0.25, 0.5, 0.75, 1.0)


def regret(truth: Mapping[str, float], chosen: Iterable[str]) -> float:
    """(best - best of ``chosen``) / (best - worst); 1 when nothing is chosen."""
    best, worst = max(truth.values()), min(truth.values())
    return (best - max((truth[model] for model in chosen), default=worst)) / (best - worst)


def hit(truth: Mapping[str, float], chosen: Iterable[str]) -> float:
    """1 if one of ``chosen`` is among the best 5 % (ties with the last of them count), else 0."""
    ordered = sorted(truth.values(), reverse=True)
    bar = ordered[max(int(np.ceil(TOP * len(ordered))), 1) - 1]
    return float(any(truth[model] >= bar for model in chosen))


@dataclass
class Tally:
    """Regret and hits of everybody, a figure a job."""

    regret: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    hits: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def add(self, who: str, job: Job, chosen: Sequence[str]) -> None:
        """Count one recommendation."""
        self.regret[who].append(regret(job.truth, chosen))
        self.hits[who].append(hit(job.truth, chosen))

    def add_random(self, job: Job) -> None:
        """Count the mean of ``DRAWS`` random tens."""
        rng, models = np.random.default_rng(len(job.truth)), sorted(job.truth)
        tens = [rng.permutation(len(models))[:RECOMMENDED] for _ in range(DRAWS)]
        chosen = [[models[i] for i in ten] for ten in tens]
        self.regret["random"].append(float(np.mean([regret(job.truth, ten) for ten in chosen])))
        self.hits["random"].append(float(np.mean([hit(job.truth, ten) for ten in chosen])))

    def figures(self) -> dict[str, Any]:
        """Means and intervals; how much less Mirror's regret is than the best other's."""
        means = {who: float(np.mean(found)) for who, found in self.regret.items()}
        others = {who: mean for who, mean in means.items() if not who.startswith("mirror")}
        best = min(others, key=lambda who: others[who])
        pairs = np.array([self.regret["mirror"], self.regret[best]])
        return {
            "regret10": _rounded(means),
            "regret10_interval": {who: _interval(found) for who, found in self.regret.items()},
            "hit_top5pct": _rounded({who: float(np.mean(x)) for who, x in self.hits.items()}),
            "jobs": len(self.regret["mirror"]),
            "best_baseline": best,
            "less_regret": round(1 - means["mirror"] / others[best], 3) if others[best] else None,
            "less_regret_interval": _less(pairs),
        }


def _rounded(means: Mapping[str, float]) -> dict[str, float]:
    return {who: round(mean, 4) for who, mean in means.items()}


def _interval(values: Sequence[float]) -> list[float]:
    if len(set(values)) < 2:
        return [round(values[0], 4)] * 2
    found = bootstrap((values,), np.mean, confidence_level=0.9, method="percentile", rng=0)
    low, high = found.confidence_interval
    return [round(float(low), 4), round(float(high), 4)]


def _less(pairs: np.ndarray[Any, np.dtype[np.float64]]) -> list[float]:
    rng, n = np.random.default_rng(0), pairs.shape[1]
    drawn = [pairs[:, rng.integers(n, size=n)].mean(axis=1) for _ in range(2000)]
    less = [1 - mirror / other for mirror, other in drawn if other > 0]
    return [round(float(x), 3) for x in np.quantile(less or [0.0], [0.05, 0.95])]


def _extended(table: ScoreTable, registry: Registry) -> Registry:
    """The registry and the matrix' own models, under a version of their own."""
    models = {**{id: registry.models[id] for id in registry.models}, **table.models}
    key = sha256(f"{registry.version} {table.name} {len(models)}".encode()).hexdigest()[:16]
    return Registry(models, key)


def measure(data: Path, embedder: Embedder, cache: Path, most: int = JOBS) -> dict[str, Any]:
    """All figures, over the jobs that no setting was chosen on."""
    registry = Registry.load()
    everything, hidden, changed = Tally(), Tally(), 0
    parts = {}
    for table in tables(data, registry):
        part = Tally()
        whole = _extended(table, registry)
        mirror = Mirror(table, whole, embedder, cache)
        blind = Mirror(
            table, Registry(unpopular(whole.models), whole.version + "-"), embedder, cache
        )
        words = Words(table.models)
        for job in table.jobs(most):
            if job.development:
                continue
            chosen = {"mirror": mirror.evidence(job).choose()}
            without = blind.evidence(job).choose()
            changed += chosen["mirror"] != without
            chosen |= {"mirror_without_popularity": without}
            chosen |= by_fact(job, table.models) | {"text": words.rank(job)}
            for who, ranked in chosen.items():
                for tally in (everything, part):
                    tally.add(who, job, ranked[:RECOMMENDED])
            for tally in (everything, part):
                tally.add_random(job)
            hidden.add("mirror", job, mirror.evidence(job, family=True).choose())
            for who in ("popularity", "newest", "largest", "text"):
                hidden.add(who, job, chosen[who][:RECOMMENDED])
        parts[table.name] = part.figures()
    return {
        **everything.figures(),
        "changed_without_popularity": changed,
        "family_hidden": hidden.figures(),
        "matrices": parts,
    }


def develop(data: Path, embedder: Embedder, cache: Path, most: int = JOBS) -> dict[str, Any]:
    """Mean regret on the development half for each setting, per matrix."""
    registry, found = Registry.load(), {}
    for table in tables(data, registry):
        mirror = Mirror(table, _extended(table, registry), embedder, cache)
        jobs = [job for job in table.jobs(most) if job.development]
        for name, family in (("", False), (" family hidden", True)):
            evidence = [(job, mirror.evidence(job, family=family)) for job in jobs]
            found[table.name + name] = dict(_grid(evidence))
    return found


def _grid(evidence: Sequence[tuple[Job, Evidence]]) -> Iterator[tuple[str, float]]:
    for alpha in ALPHAS:
        for share in SHARES:
            lost = [
                regret(job.truth, one.choose(alpha=alpha, share=share)) for job, one in evidence
            ]
            yield f"alpha {alpha} share {share}", round(float(np.mean(lost)), 4)


def main() -> None:
    """Print the figures as one JSON line, or indented without ``--json``."""
    parser = argparse.ArgumentParser(prog="python -m evals.recommend", description=main.__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, help="folder for embeddings; none: made anew")
    parser.add_argument("--jobs", type=int, default=JOBS, help="at most, of one matrix")
    parser.add_argument(
        "--development", action="store_true", help="try settings, on the other half"
    )
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        cache = args.cache or Path(scratch)
        run = develop if args.development else measure
        figures = run(args.data, OnnxEmbedder(), cache, args.jobs)
    print(json.dumps(figures, indent=None if args.json else 2))


if __name__ == "__main__":
    main()
