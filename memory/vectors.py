"""Vectors of texts, computed once and kept on disk.

A file holds the vectors of one list of texts in one embedding; texts it already knows are not
encoded again. It can always be made anew, so a damaged or foreign file is simply replaced.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

CHUNK = 256


def write_atomically(path: Path, content: bytes) -> None:
    """Put ``content`` at ``path`` whole or not at all.

    Raises ``OSError`` when it can't (disk full, permissions).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def cache_file(folder: Path, purpose: str, space: str) -> Path:
    """Where the vectors of ``purpose`` live in the embedding named ``space``."""
    readable = re.sub(r"[^a-z0-9]+", "-", space.lower()).strip("-")[:40]
    return folder / f"{purpose}.{readable}.{hashlib.sha256(space.encode()).hexdigest()[:8]}.npz"


def cached_vectors(
    texts: Sequence[str],
    encode: Callable[[Sequence[str]], NDArray[np.float32]],
    file: Path,
    progress: Callable[[int, int], None],
) -> NDArray[np.float32]:
    """(n texts) -> (n, d) float32, from ``file`` where it knows them, else encoded and kept there.

    No texts give a (0, 0) array and leave the file alone. ``progress`` is told (done, total) of
    the texts that must be encoded. A file that can't be written (full disk) costs the same work
    next time, nothing else.
    """
    if not texts:
        return np.zeros((0, 0), dtype=np.float32)
    known = _read(file)
    missing = [text for text in dict.fromkeys(texts) if text not in known]
    for start in range(0, len(missing), CHUNK):
        progress(start, len(missing))
        chunk = missing[start : start + CHUNK]
        known.update(zip(chunk, encode(chunk), strict=True))
    if missing:
        progress(len(missing), len(missing))
    wanted = list(dict.fromkeys(texts))
    if missing or len(wanted) < len(known):
        _write(file, wanted, known)
    return np.stack([known[text] for text in texts])


def _read(file: Path) -> dict[str, NDArray[np.float32]]:
    try:
        with np.load(io.BytesIO(file.read_bytes()), allow_pickle=False) as archive:
            texts = json.loads(archive["texts"].tobytes())
            vectors = archive["vectors"].astype(np.float32)
        return dict(zip(texts, vectors, strict=True))
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile, zlib.error):
        return {}


def _write(file: Path, texts: list[str], known: dict[str, NDArray[np.float32]]) -> None:
    buffer = io.BytesIO()
    names = np.frombuffer(json.dumps(texts).encode(), dtype=np.uint8)
    np.savez(buffer, texts=names, vectors=np.stack([known[text] for text in texts]))
    try:
        write_atomically(file, buffer.getvalue())
    except OSError:
        return  # a cache: the next run computes them again
