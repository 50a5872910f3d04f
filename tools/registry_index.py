"""A registry made ready to be asked: columns, characteristics and associations, on disk.

Everything here is derived from the registry, lineage included, once for each version of it and of
the code that derives it; then it is memory-mapped, so a process that asks one question of millions
of models starts at once. A changed fact or rule makes another folder, and a damaged one is made
again (``memory.derived``).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from scipy import sparse

from memory.derived import kept
from tools import characteristics, characterizer, lineage_edges
from tools.characteristics import Characteristics
from tools.choosing import columns as columns_
from tools.choosing import constraints, profiles
from tools.choosing.columns import Columns, Role, Terms
from tools.choosing.constraints import Package
from tools.choosing.profiles import Pairs, Profiles
from tools.methods import association, licences, lineage, lineage_graph, propagation, relevance
from tools.methods.association import indicators
from tools.methods.relevance import rarity
from tools.request import domains, languages

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from memory.registry import Registry

_MAKERS = (
    *(association, characteristics, characterizer, columns_, constraints, domains, languages),
    *(licences, lineage, lineage_edges, lineage_graph, profiles, propagation, relevance),
)
_NUMBERS = ("root", "params", "estimated", "context")
_SPARSE = ("data", "indices", "indptr")

V = TypeVar("V")
W = TypeVar("W")


@dataclass(frozen=True)
class RegistryIndex:
    """``columns`` for the funnel; ``characteristics`` C and ``indicators`` (K x K) for search.

    ``rarity`` (K,) of each characteristic; ``alphabetical`` (M,) the rank of each id.
    """

    columns: Columns
    characteristics: Characteristics
    indicators: sparse.csr_array
    rarity: NDArray[np.float64]
    alphabetical: NDArray[np.int32]

    @property
    def registry(self) -> Registry:
        """The models themselves."""
        return self.columns.registry

    @classmethod
    def of(cls, registry: Registry) -> RegistryIndex:
        """Derived from the registry, in memory."""
        facts = registry.facts(tuple(dict.fromkeys((*columns_.FACTS, *characteristics.COLUMNS))))
        edges = lineage_edges.edges_of(facts)
        found = characteristics.characteristics(facts, edges)
        return cls(
            columns=Columns.of(registry, facts, edges),
            characteristics=found,
            # Learned from own characteristics: inherited ones would only echo the lineage graph.
            indicators=indicators(found.own),
            rarity=rarity(found.matrix),
            alphabetical=facts["id"].rank("ordinal").to_numpy().astype(np.int32) - 1,
        )

    @classmethod
    def opened(cls, registry: Registry, cache: Path) -> RegistryIndex:
        """The index kept in ``cache``, memory-mapped; derived and put there when it is not."""
        folder = cache / f"index.{registry.version}.{_code()}"
        return kept(
            folder,
            lambda place: cls.of(registry).write(place),
            lambda place: cls.read(place, registry),
        )

    def write(self, folder: Path) -> None:
        """Put everything but the registry into files of ``folder``."""
        c, found = self.columns, self.characteristics
        arrays: dict[str, NDArray[Any]] = {name: getattr(c, name) for name in _NUMBERS}
        arrays |= {"rarity": self.rarity, "alphabetical": self.alphabetical}
        texts: dict[str, Sequence[object]] = {
            "labels": found.labels,
            "expected": sorted(c.expected),
        }
        profiled: list[tuple[str, Pairs[Any, Any]]] = [
            ("allowed", c.allowed),
            ("fitting", c.fitting),
        ]
        for name, pairs in profiled:
            arrays[name] = pairs.codes
            for side, one in (("first", pairs.first), ("second", pairs.second)):
                arrays[f"{name}.{side}"] = one.codes
                texts[f"{name}.{side}"] = one.values
        for name, matrix in (("matrix", found.matrix), ("indicators", self.indicators)):
            arrays |= {f"{name}.{part}": getattr(matrix, part) for part in _SPARSE}
        for name, array in arrays.items():
            np.save(folder / f"{name}.npy", array, allow_pickle=False)
        (folder / "texts.json").write_text(json.dumps(texts), "utf-8")

    @classmethod
    def read(cls, folder: Path, registry: Registry) -> RegistryIndex:
        """What ``write`` put there, memory-mapped. Raises ``ValueError`` or ``OSError``."""
        texts = json.loads((folder / "texts.json").read_bytes())

        def array(name: str) -> NDArray[Any]:
            return np.asarray(np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False))

        def profiles_of(name: str, make: Callable[[Any], V]) -> Profiles[V]:
            return Profiles(array(name), [make(one) for one in texts[name]])

        def pairs(name: str, first: Callable[[Any], V], second: Callable[[Any], W]) -> Pairs[V, W]:
            one, two = f"{name}.first", f"{name}.second"
            return Pairs(array(name), profiles_of(one, first), profiles_of(two, second))

        def parts(name: str) -> Any:
            return tuple(array(f"{name}.{part}") for part in _SPARSE)

        labels, m = tuple(texts["labels"]), len(registry.ids)
        k = len(labels)
        spoken: Callable[[Sequence[str]], Sequence[str]] = tuple
        columns = Columns(
            registry,
            allowed=pairs("allowed", lambda v: Role(*v), lambda v: Terms(v[0], tuple(v[1]))),
            fitting=pairs("fitting", spoken, lambda v: Package(*v)),
            expected=frozenset(texts["expected"]),
            **{name: array(name) for name in _NUMBERS},
        )
        matrix = sparse.csc_array(parts("matrix"), shape=(m, k))
        told = sparse.csr_array(parts("indicators"), shape=(k, k))
        known = Characteristics(labels, matrix)
        return cls(columns, known, told, array("rarity"), array("alphabetical"))


def _code() -> str:
    """The first 8 hex digits of SHA-256 over the modules that derive the index."""
    code = b"".join(Path(str(module.__file__)).read_bytes() for module in _MAKERS)
    return hashlib.sha256(code).hexdigest()[:8]
