"""Folders of what is derived from other data: made whole or not at all, and made again if damaged.

A folder is written beside its place and renamed into it, so a reader sees all of it or nothing.
One process makes it while others wait; what a running process has mapped stays valid when the
folder is replaced. ``contents.json`` lists the files: their sizes are checked at every opening, and
the checksums of those below ``CHECKED`` bytes: to read gigabytes would cost what mapping saves.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from filelock import FileLock

from memory.errors import DamagedStore

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

CONTENTS = "contents.json"
CHECKED = 32_000_000
KEPT = 3
"""So many folders of one purpose are kept, the last used ones."""


def kept(folder: Path, make: Callable[[Path], None], read: Callable[[Path], T]) -> T:
    """``read(folder)``, after ``make(folder)`` where it is absent or damaged.

    ``folder`` is named ``<purpose>.<version>``. When it can't be written (disk full, no
    permission), it is made in the system's temporary folder and forgotten after the reading;
    what was mapped from it stays. Raises ``OSError`` when that fails too.
    """
    try:
        return _opened(folder, read)
    except (OSError, ValueError, KeyError, DamagedStore):
        pass
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(folder.name + ".lock")):
            try:  # another process may have made it meanwhile
                return _opened(folder, read)
            except (OSError, ValueError, KeyError, DamagedStore):
                _replace(folder, make)
                return _opened(folder, read)
    except OSError:
        with tempfile.TemporaryDirectory(prefix="mirror-") as place:
            make(Path(place))
            return read(Path(place))


def _opened(folder: Path, read: Callable[[Path], T]) -> T:
    for name, (size, checksum) in json.loads((folder / CONTENTS).read_bytes()).items():
        file = folder / name
        damaged = file.stat().st_size != size
        if damaged or (size < CHECKED and zlib.crc32(file.read_bytes()) != checksum):
            raise DamagedStore(f"{file} is damaged")
    found = read(folder)
    with contextlib.suppress(OSError):  # a folder of someone else's
        folder.touch()  # the last used are kept
    return found


def _replace(folder: Path, make: Callable[[Path], None]) -> None:
    fresh = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f"{folder.name}.part-"))
    try:
        make(fresh)
        listed = {file.name: _facts(file) for file in sorted(fresh.iterdir())}
        (fresh / CONTENTS).write_text(json.dumps(listed), "utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        fresh.rename(folder)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    purpose = folder.name.partition(".")[0]
    others = [one for one in folder.parent.glob(f"{purpose}.*/{CONTENTS}") if one.parent != folder]
    others.sort(key=lambda one: one.parent.stat().st_mtime, reverse=True)
    for one in others[KEPT - 1 :]:
        shutil.rmtree(one.parent, ignore_errors=True)


def _facts(file: Path) -> tuple[int, int]:
    size = file.stat().st_size
    return size, zlib.crc32(file.read_bytes()) if size < CHECKED else 0
