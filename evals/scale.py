"""The recommendation engine at the size of the whole Hub: building it, opening it, asking it.

    python -m evals.scale [--models 25000 250000 2500000] [--data DIR] --json

For each size a Hub is made up (``evals.synthetic_hub``) and written as the Parquet file that a sync
writes. Then, each in a process of its own:

- *build*: the file is laid out to be mapped (``lay_out_s``), the index derived (lineage,
  propagation, association: ``index_s``) and the labels that requests are compared with embedded
  (``embed_s``). ``build_s`` is their sum in wall time, ``build_cpu_s`` in processor time,
  ``build_peak_mb`` the process's largest resident size.
- *ask*: ``cold_start_s`` is the wall time from the start of the process to the first answer,
  imports and the embedding model's loading included. Then ``QUERIES`` requests, drawn over domains
  and constraints, are answered warm: both stages with counts and relaxations, relevance, and the
  best ten explained. ``query_p50_ms`` and ``query_p95_ms``: wall time; ``query_cpu_p95_ms``:
  processor time.

``growth``: build time (index, without embedding the vocabulary) of the largest over the next
size. Figures are of this machine as busy as it was; processor times say what is the program's own.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from evals.peak import peak_mb
from evals.synthetic_hub import write
from memory.records import Requirements
from memory.registry import Registry
from tools.choosing import funnel
from tools.clients.embedder import OnnxEmbedder
from tools.registry_index import RegistryIndex
from tools.registry_search import SearchIndex
from tools.request.domains import DOMAINS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

QUERIES, SHOWN = 60, 10
SIZES = (25_000, 250_000, 2_500_000)


def build(parquet: Path, cache: Path) -> dict[str, float]:
    """Derive everything from the file; seconds of each part and the peak of memory."""
    took: dict[str, float] = {}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        started = time.perf_counter()
        result = work()
        took[name] = time.perf_counter() - started
        return result

    registry = timed("lay_out_s", lambda: Registry.synced(parquet, cache))
    index = timed("index_s", lambda: RegistryIndex.opened(registry, cache))
    timed("embed_s", lambda: SearchIndex.of(index, OnnxEmbedder(), cache))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        **took,
        "build_s": sum(took.values()),
        "build_cpu_s": usage.ru_utime + usage.ru_stime,
        "build_peak_mb": peak_mb(),
        "labels": len(index.characteristics.labels),
        "cells": index.characteristics.matrix.nnz,
    }


def ask(parquet: Path, cache: Path, started: float) -> dict[str, float]:
    """Open what was built and answer; ``started``: when the process was, by ``time.time``."""
    embedder = OnnxEmbedder()
    searching = SearchIndex.build(Registry.synced(parquet, cache), embedder, cache)
    drawn = list(requests(QUERIES + 1))
    answer(searching, embedder, drawn[0])
    took = {"cold_start_s": time.time() - started}
    wall, cpu = [], []
    for one in drawn[1:]:
        at, spent = time.perf_counter(), time.process_time()
        answer(searching, embedder, one)
        wall.append(1000 * (time.perf_counter() - at))
        cpu.append(1000 * (time.process_time() - spent))
    return took | {
        "query_p50_ms": float(np.median(wall)),
        "query_p95_ms": float(np.quantile(wall, 0.95)),
        "query_cpu_p95_ms": float(np.quantile(cpu, 0.95)),
    }


def requests(n: int, seed: int = 0) -> Iterator[Requirements]:
    """Requests over all domains, with and without each constraint."""
    draw = random.Random(seed)
    for _ in range(n):
        domain = draw.choice(sorted(DOMAINS))
        yield Requirements(
            text=f"{draw.choice(('answer questions about', 'summarize texts on'))} "
            f"{DOMAINS[domain].gloss}",
            task=draw.choice(("text-generation", "text-generation", "feature-extraction", None)),
            domains=draw.choice(((domain,), ())),
            max_params=draw.choice((None, 10**9, 8 * 10**9, 15 * 10**9)),
            gpu_memory_gb=draw.choice((None, None, 24.0)),
            licence_use=draw.choice((None, ("commercial",), ("commercial", "derivative"))),
            languages=draw.choice(((), ("en",), ("de", "fr"))),
            ecosystem=draw.choice(((), ("gguf",), ("vllm",), ("tools",))),
            context=draw.choice((None, None, 8192)),
        )


def answer(searching: SearchIndex, embedder: OnnxEmbedder, wanted: Requirements) -> int:
    """Both stages and the best ten, explained; how many were left."""
    columns = searching.index.columns
    _, first = funnel.critical(columns, wanted)
    result, second = funnel.important(first.left, wanted, columns)
    ranked = searching.recommend(wanted, embedder, second.left)
    best = ranked.best(SHOWN)
    ranked.explained(best)
    for row in best.tolist():
        searching.index.registry.at(row)
    return result.remaining


def measure(n: int, data: Path, folder: Path) -> dict[str, float]:
    """Make a Hub of ``n`` models, then build and ask in processes of their own."""
    parquet = folder / f"models-{n}.parquet"
    write(n, parquet, data)
    found: dict[str, float] = {"models": n}
    for part in ("build", "ask"):
        command = [sys.executable, "-m", "evals.scale", "--part", part, str(parquet), str(folder)]
        command += [str(time.time())]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found |= json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measure each size and print one JSON object; the last size's keys are at its top."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--data", type=Path, default=Path("/work/shared/data"))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--part", nargs=4, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.part:
        part, parquet, cache, started = args.part
        made = (
            build(Path(parquet), Path(cache))
            if part == "build"
            else ask(Path(parquet), Path(cache), float(started))
        )
        print(json.dumps(made))
        return
    sizes = []
    for n in args.models:
        with tempfile.TemporaryDirectory(prefix="mirror-scale-") as folder:
            sizes.append(measure(n, args.data, Path(folder)))
        if not args.json:
            print(sizes[-1])
    derived = [one["lay_out_s"] + one["index_s"] for one in sizes]
    growth = derived[-1] / derived[-2] if len(sizes) > 1 else None
    print(json.dumps({**sizes[-1], "growth": growth, "sizes": sizes}))


if __name__ == "__main__":
    main()
