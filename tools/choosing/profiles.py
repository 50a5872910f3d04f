"""Profiles: what many models have in common, numbered, so that a rule is asked once for each.

A registry of millions holds some thousand different combinations of task, licence and formats.
``Profiles`` numbers them: ``codes`` says for each model which one it has, ``values`` what each is.
A rule of ``tools.choosing.constraints`` is asked of the values; one look-up tells it of all models.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from numpy.typing import NDArray

V = TypeVar("V")
W = TypeVar("W", bound="Hashable")


@dataclass(frozen=True)
class Profiles(Generic[V]):
    """``codes`` (M,) int32 positions in ``values``."""

    codes: NDArray[np.int32]
    values: Sequence[V]

    def mapped(self, rule: Callable[[V], W]) -> Profiles[W]:
        """What ``rule`` makes of each value; values that become equal share a number."""
        number: dict[W, int] = {}
        into = [number.setdefault(rule(value), len(number)) for value in self.values]
        return Profiles(np.array(into, dtype=np.int32)[self.codes], tuple(number))

    def each(self) -> list[V]:
        """The value of each."""
        return [self.values[code] for code in self.codes.tolist()]

    def asked(self, rule: Callable[[V], int]) -> NDArray[np.uint8]:
        """(M,) what ``rule`` says of each one's value."""
        told = np.fromiter(map(rule, self.values), dtype=np.uint8, count=len(self.values))
        return told[self.codes]

    def counts(self) -> NDArray[np.int64]:
        """How many models have each value."""
        return np.bincount(self.codes, minlength=len(self.values))


def interned(column: pl.Series) -> Profiles[Any]:
    """A column of texts (values: text or None) or of lists of texts (values: tuples)."""
    key = column.to_frame("of").select(pl.struct("of").struct.json_encode()).to_series()
    distinct = key.unique(maintain_order=True)
    codes = key.cast(pl.Enum(distinct)).to_physical().to_numpy().astype(np.int32)
    values = (json.loads(one)["of"] for one in distinct)
    return Profiles(codes, tuple(tuple(v) if isinstance(v, list) else v for v in values))


@dataclass(frozen=True)
class Pairs(Generic[V, W]):
    """The pairs of two profiles that occur: ``codes`` (M,) of pairs, and each pair's two values.

    A rule on either side is asked once a value, spread over the pairs, and looked up once a model.
    """

    codes: NDArray[np.int64]
    first: Profiles[V]
    second: Profiles[W]

    @classmethod
    def of(cls, first: Profiles[V], second: Profiles[W]) -> Pairs[V, W]:
        """Both profiles of each model as one."""
        width = max(len(second.values), 1)
        found, codes = np.unique(
            first.codes.astype(np.int64) * width + second.codes, return_inverse=True
        )
        a, b = (part.astype(np.int32) for part in np.divmod(found, width))
        return cls(codes, Profiles(a, first.values), Profiles(b, second.values))

    def flat(self) -> Profiles[tuple[V, W]]:
        """The pairs as values."""
        one, two = self.first.each(), self.second.each()
        return Profiles(self.codes.astype(np.int32), tuple(zip(one, two, strict=True)))

    def value(self, row: int) -> tuple[V, W]:
        """The two values of one model."""
        pair = int(self.codes[row])
        return self.first.values[self.first.codes[pair]], self.second.values[
            self.second.codes[pair]
        ]
