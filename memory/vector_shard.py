"""A shard: vectors by row number, searched by cosine. Exact while few, nearly so when many.

Below ``FLAT_BELOW`` vectors a shard is flat: every one is compared (10 ms a query at 50,000 of 384
dimensions). Above, an inverted file of 8-bit vectors looks into the ``PROBED`` lists nearest to
the query; of ``WIDER`` times as many as are wanted the caller then compares the exact vectors,
because 8 bits alone lose 2 of 100 neighbours. What was added since the file was written waits in a
flat tail, so that adding one finding never rewrites a file of hundreds of megabytes.
``evals.memory`` measures all of this.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    Chunks = Iterable[tuple[NDArray[np.int64], NDArray[np.float32]]]

FLAT_BELOW = 50_000
PROBED = 64
WIDER = 4
TRAINING = 48  # vectors a list is trained on
TAIL, TAIL_SHARE = 2_000, 0.02  # vectors that may wait outside the file, the larger of the two
OUTGROWN = 4  # times as many vectors as it was trained for: trained anew


@dataclass
class Shard:
    """``base``: a faiss index with ids, or None; ``tail``: a flat one of what came later.

    ``trained`` vectors were there when ``base`` was made. ``saved``: whether ``base`` is on disk
    as it is.
    """

    base: Any = None
    trained: int = 0
    saved: bool = True
    _tail: Any = field(default=None, repr=False)

    def __len__(self) -> int:
        return self._size(self.base) + self._size(self._tail)

    @property
    def exact(self) -> bool:
        """Whether its cosines are of the vectors as they are."""
        return self.base is None or not hasattr(self.base, "nprobe")

    @property
    def waiting(self) -> int:
        """Vectors that are not in ``base``."""
        return self._size(self._tail)

    def room(self) -> int:
        """How many more may wait in the tail."""
        return int(max(TAIL, TAIL_SHARE * self._size(self.base))) - self.waiting

    def outgrown(self, more: int) -> bool:
        """Whether ``more`` vectors make it large enough to be built from all of them."""
        size = len(self) + more
        return size >= FLAT_BELOW and (self.trained < FLAT_BELOW or size > OUTGROWN * self.trained)

    def add(self, rows: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Take more vectors, in memory: ``room`` of them at most is good sense."""
        if self._tail is None:
            self._tail = _flat(vectors.shape[1])
        self._tail.add_with_ids(vectors, rows)

    def fold(self) -> None:
        """Move the tail into ``base``."""
        if not self.waiting:
            return
        if self.base is None:
            self.base, self.trained = self._tail, self.waiting
        else:
            rows, vectors = _content(self._tail)
            self.base.add_with_ids(vectors, rows)
        self._tail, self.saved = None, False

    def build(self, chunks: Callable[[], Chunks], size: int) -> None:
        """Make ``base`` anew from all vectors; ``chunks`` is gone through twice when they are many.

        ``size``: how many there will be.
        """
        base = None
        if size >= FLAT_BELOW:
            base = _inverted(_sample(chunks(), size), size)
        for rows, vectors in chunks():
            if base is None:
                base = _flat(vectors.shape[1])
            base.add_with_ids(vectors, rows)
        self.base, self._tail, self.trained, self.saved = base, None, self._size(base), False

    def remove(self, rows: NDArray[np.int64]) -> None:
        """Drop these rows, as far as they are here."""
        for index in (self.base, self._tail):
            if index is not None and index.remove_ids(rows) and index is self.base:
                self.saved = False

    def search(self, query: NDArray[np.float32], k: int) -> list[tuple[int, float]]:
        """(row, cosine) of the ``k`` nearest to ``query`` (1, d), best first."""
        found: list[tuple[int, float]] = []
        for index in (self.base, self._tail):
            if self._size(index):
                cosines, rows = index.search(query, min(k, index.ntotal))
                found += zip(rows[0].tolist(), cosines[0].tolist(), strict=True)
        found = [(row, cosine) for row, cosine in found if row >= 0]
        return sorted(found, key=lambda one: -one[1])[:k]

    def write(self, path: Path) -> None:
        """Write ``base``. Raises OSError when it can't."""
        import faiss

        try:
            faiss.write_index(self.base, str(path))
        except RuntimeError as error:  # what faiss raises when the disk is full
            raise OSError(str(error)) from error

    @classmethod
    def read(cls, path: Path, trained: int) -> Shard:
        """The shard whose ``base`` was written at ``path``. Raises OSError when there is none."""
        import faiss

        try:
            base = faiss.read_index(str(path))
        except RuntimeError as error:
            raise OSError(str(error)) from error
        _tuned(base)
        return cls(base, trained)

    @staticmethod
    def _size(index: Any) -> int:
        return 0 if index is None else int(index.ntotal)


def _flat(dimension: int) -> Any:
    import faiss

    return faiss.IndexIDMap2(faiss.IndexFlatIP(dimension))


def _inverted(sample: NDArray[np.float32], size: int) -> Any:
    """An empty inverted file for ``size`` vectors, trained on ``sample``."""
    import faiss

    index: Any = faiss.index_factory(
        sample.shape[1], f"IVF{_lists(size)},SQ8", faiss.METRIC_INNER_PRODUCT
    )
    index.cp.niter, index.cp.seed = 10, 1
    index.train(sample)
    return _tuned(index)


def _tuned(index: Any) -> Any:
    if hasattr(index, "nprobe"):
        index.nprobe = PROBED
    return index


def _lists(size: int) -> int:
    """The power of two nearest to the root of ``size``."""
    return int(2 ** round(math.log2(size) / 2))


def _sample(chunks: Chunks, size: int) -> NDArray[np.float32]:
    """About ``TRAINING`` vectors a list, at random (always the same ones)."""
    share = min(TRAINING * _lists(size) / size, 1.0)
    rng = np.random.default_rng(0)
    return np.concatenate([vectors[rng.random(len(vectors)) < share] for _, vectors in chunks])


def _content(index: Any) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    import faiss

    vectors = index.index.reconstruct_n(0, index.ntotal)
    return faiss.vector_to_array(index.id_map), vectors


def merged(found: Iterable[list[tuple[int, float]]], k: int) -> list[tuple[int, float]]:
    """The ``k`` best of what several shards found, best first, ties by row."""
    everything = [one for some in found for one in some]
    return sorted(everything, key=lambda one: (-one[1], one[0]))[:k]
