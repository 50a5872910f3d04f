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
    from collections.abc import Mapping

SNAPSHOT = Path(__file__).parent / "snapshot" / "models.jsonl.gz"


@dataclass(frozen=True)
class Registry:
    """Models by id. ``version`` is the first 16 hex digits of the file's SHA-256."""

    models: dict[str, Model]
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

    def get(self, id: str) -> Model:
        """The model of this id or alias, whatever the case.

        Raises ``BadRequest`` naming the nearest ids when there is none.
        """
        found = self._names.get(id.strip().lower())
        if found is not None:
            return self.models[found]
        near = difflib.get_close_matches(id.strip().lower(), self._names, n=3, cutoff=0.7)
        hint = f"; did you mean {', '.join(self._names[n] for n in near)}?" if near else ""
        raise BadRequest(f"no model {id!r} in the registry{hint}")

    def children(self, id: str) -> tuple[Model, ...]:
        """Models made directly from this one (finetunes, quantizations, mirrors, merges)."""
        return tuple(self.models[child] for child in self._children.get(self.get(id).id, ()))

    @cached_property
    def _names(self) -> Mapping[str, str]:
        aliases = {a.lower(): model.id for model in self.models.values() for a in model.aliases}
        return aliases | {id.lower(): id for id in self.models}

    @cached_property
    def _children(self) -> Mapping[str, list[str]]:
        children: dict[str, list[str]] = {}
        for model in self.models.values():
            for edge in model.bases:
                children.setdefault(edge.parent, []).append(model.id)
        return children
