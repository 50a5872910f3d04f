"""The registry: every open model Mirror knows, as facts with their sources.

Read once from the bundled snapshot (built by ``memory.snapshot.build``); nothing here is
inferred, ranked or filtered.
"""

from __future__ import annotations

import difflib
import gzip
import hashlib
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from memory.errors import BadRequest, DamagedStore
from memory.records import Model

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import polars as pl

    from memory.registry_rows import Rows

SNAPSHOT = Path(__file__).parent / "snapshot" / "models.jsonl.gz"


@dataclass(frozen=True)
class Registry:
    """Models by id. ``version`` is the first 16 hex digits of the file's SHA-256.

    ``models`` is a dict of records, or ``Rows`` that make a record when asked for one: to go
    through millions ask for ``facts``, their columns.
    """

    models: Mapping[str, Model]
    version: str

    @classmethod
    def load(cls, path: Path | None = None) -> Registry:
        """Read the snapshot at ``path`` (None: the bundled one).

        Raises ``DamagedStore`` naming the file when it is absent, cut short or not a snapshot.
        """
        path = path or SNAPSHOT
        try:
            packed = path.read_bytes()
            lines = gzip.decompress(packed).splitlines()
            rows = TypeAdapter(list[Model]).validate_json(b"[" + b",".join(lines) + b"]")
        except OSError as error:
            raise DamagedStore(f"can't read the model registry {path}: {error}") from error
        except (EOFError, zlib.error, ValidationError) as error:
            raise DamagedStore(
                f"the model registry {path} is damaged ({type(error).__name__}); "
                "restore it or build it again with python -m memory.snapshot.build"
            ) from error
        return cls({model.id: model for model in rows}, hashlib.sha256(packed).hexdigest()[:16])

    @classmethod
    def synced(cls, parquet: Path, cache: Path) -> Registry:
        """The registry of a Parquet file, laid out in ``cache`` to be memory-mapped.

        Raises ``DamagedStore`` naming the file when it is absent or damaged.
        """
        from memory.registry_rows import Rows

        try:
            with parquet.open("rb") as file:
                version = hashlib.file_digest(file, "sha256").hexdigest()[:16]
        except OSError as error:
            raise DamagedStore(f"can't read the model registry {parquet}: {error}") from error
        return cls(Rows.of(parquet, cache / f"registry.{version}"), version)

    @classmethod
    def at_home(cls, home: Path, cache: Path) -> Registry:
        """The registry that was synced or loaded to ``home``, else the bundled one.

        Raises ``DamagedStore`` naming the file that can't be read.
        """
        synced = home / "registry" / "models.parquet"
        return cls.synced(synced, cache) if synced.exists() else cls.load()

    def facts(self, columns: Collection[str]) -> pl.DataFrame:
        """These columns of ``memory.registry_table``, a row a model, in the order of ``models``."""
        from memory.registry_table import table

        if self._mapped is not None:
            return self._mapped.table.select(columns)
        return table(self.models.values(), columns)

    def find(self, name: str) -> str | None:
        """The id of the model of this id or alias, whatever the case; None when there is none."""
        name = name.strip()
        if self._mapped is not None:
            return self._mapped.find(name)
        return name if name in self.models else self._names.get(name.lower())

    def get(self, id: str) -> Model:
        """The model of this id or alias, whatever the case.

        Raises ``BadRequest`` naming the nearest ids when there is none.
        """
        found, name = self.find(id), id.strip().lower()
        if found is not None:
            return self.models[found]
        if self._mapped is not None:
            near = self._mapped.near(name)
        else:
            close = difflib.get_close_matches(name, self._names, n=3, cutoff=0.7)
            near = [self._names[one] for one in close]
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        raise BadRequest(f"no model {id!r} in the registry{hint}")

    @property
    def ids(self) -> Sequence[str]:
        """The ids by row, in the order of ``models``."""
        return self._listed if self._mapped is None else self._mapped.ids

    def row(self, id: str) -> int | None:
        """The place of exactly this id in ``ids``; None when it is not there."""
        return self._places.get(id) if self._mapped is None else self._mapped.row(id)

    def names_at(self, rows: list[int]) -> list[str]:
        """The ids in these rows, at once."""
        if self._mapped is None:
            return [self._listed[row] for row in rows]
        return self._mapped.names_at(rows)

    def at(self, row: int) -> Model:
        """The record in this row."""
        return self.models[self._listed[row]] if self._mapped is None else self._mapped.at(row)

    def children(self, id: str) -> tuple[Model, ...]:
        """Models made directly from this one (finetunes, quantizations, mirrors, merges)."""
        parent = self.get(id).id
        made = self._edges.filter(self._edges["parent"] == parent)["id"]
        return tuple(self.models[id] for id in made)

    @property
    def _mapped(self) -> Rows | None:
        if isinstance(self.models, dict):  # before Polars is imported for nothing
            return None
        from memory.registry_rows import Rows

        return self.models if isinstance(self.models, Rows) else None

    @cached_property
    def _listed(self) -> tuple[str, ...]:
        return tuple(self.models)

    @cached_property
    def _places(self) -> Mapping[str, int]:
        return {id: row for row, id in enumerate(self.models)}

    @cached_property
    def _names(self) -> Mapping[str, str]:
        aliases = {a.lower(): model.id for model in self.models.values() for a in model.aliases}
        return aliases | {id.lower(): id for id in self.models}

    @cached_property
    def _edges(self) -> pl.DataFrame:
        told = self.facts(("id", "bases")).explode("bases", empty_as_null=True).drop_nulls()
        return told.unnest("bases").unique(("id", "parent"), maintain_order=True)
