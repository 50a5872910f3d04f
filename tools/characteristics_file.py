"""The characteristics of a registry, kept on disk: working them out takes a second each time.

The file is named after the registry's version and the code that made it, so a changed fact or
rule makes another file. It can always be made anew; a damaged one is simply replaced.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from memory.vectors import write_atomically
from tools import characterizer
from tools.characterizer import Characteristics
from tools.methods import lineage
from tools.request import domains, languages

if TYPE_CHECKING:
    from memory.registry import Registry

_MAKERS = (characterizer, domains, languages, lineage)
_PARTS = ("data", "indices", "indptr")


def cached(registry: Registry, folder: Path) -> Characteristics:
    """``characterizer.characteristics`` of the registry's models, from ``folder`` if it is there.

    A file that can't be written (full disk) costs the same work next time, nothing else.
    """
    file = folder / f"characteristics.{registry.version}.{_code()}.npz"
    found = _read(file)
    if found is None or found.models != tuple(registry.models):
        found = characterizer.characteristics(registry.models)
        _write(file, found)
    return found


def _code() -> str:
    """The first 8 hex digits of SHA-256 over the modules that make characteristics."""
    code = b"".join(Path(str(module.__file__)).read_bytes() for module in _MAKERS)
    return hashlib.sha256(code).hexdigest()[:8]


def _read(file: Path) -> Characteristics | None:
    try:
        with np.load(io.BytesIO(file.read_bytes()), allow_pickle=False) as archive:
            models, labels = (json.loads(archive[name].tobytes()) for name in ("models", "labels"))
            shape = (len(models), len(labels))
            matrix, own = (
                sparse.csr_array(tuple(archive[f"{name}_{part}"] for part in _PARTS), shape=shape)
                for name in ("matrix", "own")
            )
        return Characteristics(tuple(models), tuple(labels), matrix, own)
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile, zlib.error):
        return None


def _write(file: Path, found: Characteristics) -> None:
    arrays = {
        f"{name}_{part}": getattr(matrix, part)
        for name, matrix in (("matrix", found.matrix), ("own", found.own))
        for part in _PARTS
    }
    for name, texts in (("models", found.models), ("labels", found.labels)):
        arrays[name] = np.frombuffer(json.dumps(texts).encode(), dtype=np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    try:
        write_atomically(file, buffer.getvalue())
    except OSError:
        return  # a cache: the next run works them out again
