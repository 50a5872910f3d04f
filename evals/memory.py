"""How findings scale: time, size and exactness of recall at 10,000, 100,000 and 1,000,000.

    python -m evals.memory --json [--sizes 10000,100000] [--seed 1]

Texts are short and vectors made, not real: unit vectors of 384 dimensions scattered around 2,000
centres, queries from the same scatter. ``recall_at_10`` is the share of the ten truly nearest (by
comparison with every vector) that a recall returns. The times leave out the embedding of the query
(4.5 ms by MiniLM here) and of the texts (300 a second). ``insert_s`` writes the findings,
``build_s`` then makes the index, ``rebuild_s`` makes it again after its files were deleted,
``open_s`` is the first recall of a fresh store, ``add_ms`` remembering one finding and recalling
it, ``forget_s`` forgetting one. ``memory.vector_shard.PROBED`` was chosen on seed 0; seed 1 is
reported.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from memory.findings import Findings
from memory.records import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

DIMENSION, CENTRES, SPREAD = 384, 2_000, 1.0
QUERIES, K, BATCH = 100, 10, 20_000
KINDS = ("evaluation", "characterization", "decision", "preference")
SHARES = (0.7, 0.2, 0.09, 0.01)


@dataclass(frozen=True)
class Measured:
    """One size's figures, as the module says."""

    findings: int
    insert_s: float
    build_s: float
    rebuild_s: float
    open_s: float
    recall_p50_ms: float
    recall_p95_ms: float
    kind_p95_ms: float
    recall_at_10: float
    add_ms: float
    forget_s: float
    index_mb: float
    database_mb: float


class Scatter:
    """Made vectors: the text ``"n ..."`` has the n-th, queries ``"query n"`` their own."""

    def __init__(self, size: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        centres = _unit(rng.normal(size=(CENTRES, DIMENSION)).astype(np.float32))
        self.vectors = np.empty((size, DIMENSION), dtype=np.float16)
        for start in range(0, size, BATCH):
            count = min(BATCH, size - start)
            self.vectors[start : start + count] = self._around(centres, count, rng)
        self.queries = self._around(centres, QUERIES, rng)
        self.kinds = rng.choice(len(KINDS), size=size, p=SHARES)

    @staticmethod
    def _around(
        centres: NDArray[np.float32], count: int, rng: np.random.Generator
    ) -> NDArray[np.float32]:
        noise = rng.normal(size=(count, DIMENSION)).astype(np.float32) / np.sqrt(DIMENSION)
        return _unit(centres[rng.integers(len(centres), size=count)] + SPREAD * noise)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The vectors of these texts."""
        if texts and texts[0].startswith("query"):
            return self.queries[[int(text.split()[1]) for text in texts]]
        rows = [int(text.split()[0]) % len(self.vectors) for text in texts]
        return self.vectors[rows].astype(np.float32)

    def nearest(self) -> list[set[int]]:
        """For each query the numbers of the K nearest, by comparing it with all."""
        best = np.full((QUERIES, 0), -1.0, dtype=np.float32)
        names = np.zeros((QUERIES, 0), dtype=np.int64)
        for start in range(0, len(self.vectors), BATCH):
            block = self.vectors[start : start + BATCH].astype(np.float32)
            scores = np.hstack([best, self.queries @ block.T])
            here = np.broadcast_to(np.arange(start, start + len(block)), (QUERIES, len(block)))
            numbers = np.hstack([names, here])
            top = np.argpartition(-scores, K, axis=1)[:, :K]
            best = np.take_along_axis(scores, top, axis=1)
            names = np.take_along_axis(numbers, top, axis=1)
        return [set(row) for row in names.tolist()]

    def findings(self) -> Iterator[Finding]:
        """One finding a vector."""
        for n, kind in enumerate(self.kinds):
            text = f"{n} acme/model-{n % 997} scored 0.{n % 1000:03d} on task-{n % 61}"
            yield Finding(id=str(n), kind=KINDS[kind], text=text, at="2026-01-01")


def measure(size: int, seed: int, folder: Path) -> Measured:
    """All figures of one size."""
    made, path = Scatter(size, seed), folder / f"{size}.sqlite"
    store = Findings(path, made.embed, "made")
    began = time.perf_counter()
    batch: list[Finding] = []
    for one in made.findings():
        batch.append(one)
        if len(batch) == BATCH:
            store.remember(*batch)
            batch = []
    store.remember(*batch)
    inserted = time.perf_counter() - began
    built = _first(store)
    store.close()
    opened = _first(Findings(path, made.embed, "made"))
    for file in folder.glob(f"{size}.*.faiss"):
        file.unlink()
    store = Findings(path, made.embed, "made")
    rebuilt = _first(store)
    times, kind_times, exact = [], [], []
    for n, nearest in enumerate(made.nearest()):
        seconds, found = _timed(store, n)
        times.append(seconds)
        kind_times.append(_timed(store, n, "preference")[0])
        exact.append(len(found & nearest) / K)
    adding = _adding(store, size)
    began = time.perf_counter()
    store.forget("0")
    forgot = time.perf_counter() - began
    store.close()
    files = [one.stat().st_size for one in folder.glob(f"{size}.*.faiss")]
    return Measured(
        findings=size,
        insert_s=round(inserted, 2),
        build_s=round(built, 2),
        rebuild_s=round(rebuilt, 2),
        open_s=round(opened, 3),
        recall_p50_ms=round(1000 * float(np.median(times)), 2),
        recall_p95_ms=round(1000 * float(np.quantile(times, 0.95)), 2),
        kind_p95_ms=round(1000 * float(np.quantile(kind_times, 0.95)), 2),
        recall_at_10=round(float(np.mean(exact)), 4),
        add_ms=round(1000 * adding, 2),
        forget_s=round(forgot, 3),
        index_mb=round(sum(files) / 1e6, 1),
        database_mb=round(path.stat().st_size / 1e6, 1),
    )


def _adding(store: Findings, size: int) -> float:
    """Median seconds to remember one more finding and recall something."""
    times = []
    for n in range(20):
        began = time.perf_counter()
        more = Finding(id=f"more {n}", kind="decision", text=f"{size + n} more", at="2026-01-02")
        store.remember(more)
        store.recall("query 0", K)
        times.append(time.perf_counter() - began)
    return float(np.median(times))


def _first(store: Findings) -> float:
    return _timed(store, 0)[0]


def _timed(store: Findings, query: int, kind: str | None = None) -> tuple[float, set[int]]:
    began = time.perf_counter()
    found = store.recall(f"query {query}", K, kind)
    return time.perf_counter() - began, {int(one.id) for one, _ in found}


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    unit: NDArray[np.float32] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


def main() -> None:
    """Measure each size and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object (always)")
    parser.add_argument("--data", help="not used: all vectors are made")
    parser.add_argument("--sizes", default="10000,100000,1000000")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mirror-memory-") as folder:
        sizes = [int(size) for size in given.sizes.split(",")]
        found = [asdict(measure(size, given.seed, Path(folder))) for size in sizes]
    print(json.dumps({"memory": found, "seed": given.seed}))


if __name__ == "__main__":
    main()
