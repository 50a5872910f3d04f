"""The index of findings on disk: a shard for each kind, and how far each has read the database.

Only a copy. A manifest names the shards' files by their content, so a reader finds a whole
state or none, whoever writes at the same moment; anything missing, damaged or foreign
is made anew from the database by ``memory.findings``.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError

from memory.vector_shard import Shard
from memory.vectors import write_atomically

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

EDITION = 1
LOCK_SECONDS = 60.0


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    sha256: str
    trained: int


class _Manifest(BaseModel):
    """``anchor``: the id of the finding in ``row``, so that a restored database is noticed."""

    model_config = ConfigDict(extra="forbid")

    edition: int
    row: int
    anchor: str
    change: int
    files: dict[str, _File]


@dataclass
class FindingIndex:
    """The shards by kind, as of the last ``row`` and forgetting ``change`` they have seen."""

    row: int = 0
    anchor: str = ""
    change: int = 0
    shards: dict[str, Shard] = field(default_factory=dict)
    _files: dict[str, _File] = field(default_factory=dict, repr=False)

    def shard(self, kind: str) -> Shard:
        """The shard of ``kind``, made when there is none."""
        return self.shards.setdefault(kind, Shard())

    @classmethod
    def read(cls, manifest: Path) -> FindingIndex:
        """What is on disk; an empty index where that is missing or not what was written."""
        for _ in range(3):  # a writer may have replaced the files since the manifest was read
            try:
                stated = _read(manifest)
                shards = {
                    kind: _shard(manifest.parent, file) for kind, file in stated.files.items()
                }
            except (OSError, ValueError):
                continue
            return cls(stated.row, stated.anchor, stated.change, shards, dict(stated.files))
        return cls()

    def write(self, manifest: Path) -> bool:
        """Put it on disk; False when that can't be done, which costs only time.

        The tails stay in memory and what they hold is read from the database again, so the
        manifest may only name the state of the shards' files: every tail is folded first.
        """
        from filelock import FileLock, Timeout

        for shard in self.shards.values():
            shard.fold()
        try:
            manifest.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(manifest.with_suffix(".lock"), timeout=LOCK_SECONDS):
                before = _named(manifest)
                files = {k: self._file(k, s, manifest) for k, s in self.shards.items() if len(s)}
                stated = _Manifest(
                    edition=EDITION,
                    row=self.row,
                    anchor=self.anchor,
                    change=self.change,
                    files=files,
                )
                _write(manifest, stated)
                for name in before - {file.name for file in files.values()}:
                    (manifest.parent / name).unlink(missing_ok=True)
        except (OSError, Timeout):
            return False
        return True

    def _file(self, kind: str, shard: Shard, manifest: Path) -> _File:
        known = self._files.get(kind)
        if known and shard.saved and (manifest.parent / known.name).exists():
            return known
        part = manifest.with_suffix(f".{kind}.{os.getpid()}.part")
        try:
            shard.write(part)
            digest = _digest(part)
            name = f"{manifest.stem}.{kind}.{digest[:12]}.faiss"
            part.replace(manifest.parent / name)
        finally:
            part.unlink(missing_ok=True)
        shard.saved = True
        self._files[kind] = _File(name=name, sha256=digest, trained=shard.trained)
        return self._files[kind]


def erase(manifests: Sequence[Path]) -> None:
    """Remove these indexes, manifests first."""
    for manifest in manifests:
        names = _named(manifest)
        manifest.unlink(missing_ok=True)
        for name in names:
            (manifest.parent / name).unlink(missing_ok=True)


def _shard(folder: Path, file: _File) -> Shard:
    path = folder / file.name
    if _digest(path) != file.sha256:
        raise ValueError(f"{path} is not what was written")
    return Shard.read(path, file.trained)


def _named(manifest: Path) -> set[str]:
    """The files that belong to a manifest, whether it can be read or not; a killed writer's too."""
    endings = ("faiss", "part")
    return {p.name for end in endings for p in manifest.parent.glob(f"{manifest.stem}.*.{end}")}


def _read(manifest: Path) -> _Manifest:
    digest, _, body = manifest.read_text("utf-8").partition("\n")
    if hashlib.sha256(body.encode()).hexdigest() != digest:
        raise ValueError(f"{manifest} is not what was written")
    try:
        stated = _Manifest.model_validate_json(body)
    except ValidationError as error:
        raise ValueError(str(error)) from error
    if stated.edition != EDITION:
        raise ValueError(f"{manifest} is of another edition")
    return stated


def _write(manifest: Path, stated: _Manifest) -> None:
    body = json.dumps(stated.model_dump(), sort_keys=True)
    write_atomically(manifest, f"{hashlib.sha256(body.encode()).hexdigest()}\n{body}".encode())


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
