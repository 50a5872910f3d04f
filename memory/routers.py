"""Fitted routers, one file a run, so that what was paid for can be served without paying again.

A file is an ``.npz`` of plain arrays (never a pickle) in which the record travels as JSON: one
file, so it is replaced whole or not at all. It can be made again from the ledger at any time.
"""

from __future__ import annotations

import os
import re
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from memory.errors import BadRequest, DamagedStore
from memory.records import Routing
from memory.sqlite import StoreUnavailable, damaged

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

VERSION = 1
UNREADABLE = (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class FittedRouter:
    """``about`` in words; in numbers r regions' ``centres`` (r, p) and ``value`` (r, m).

    ``value`` is how good each member is there, most is best; NaN: never to be chosen.
    """

    about: Routing
    centres: Floats
    value: Floats


class Routers:
    """The routers in ``folder``, which is made when the first is kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, router: FittedRouter) -> Path:
        """Write it in place of an earlier one of the same run, whole or not at all.

        Raises:
            StoreUnavailable: the folder or disk can't be written to.
        """
        path = self._path(router.about.run)
        part = path.with_suffix(f".{os.getpid()}.part")
        about = np.frombuffer(router.about.model_dump_json().encode(), dtype=np.uint8)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                np.savez_compressed(
                    file,
                    version=np.array(VERSION),
                    about=about,
                    centres=router.centres,
                    value=router.value,
                )
            part.replace(path)
        except OSError as error:
            raise StoreUnavailable(f"Can't write {path}: {error.strerror}.") from error
        return path

    def has(self, run: str) -> bool:
        """Whether one of that run is kept."""
        return self._path(run).exists()

    def get(self, run: str) -> FittedRouter:
        """The router of a run.

        Raises:
            BadRequest: there is none, or a newer Mirror wrote it.
            DamagedStore: its file can't be read; it is left as it is.
        """
        path = self._path(run)
        try:
            # Opened here, because numpy leaves a file that is no archive open.
            with path.open("rb") as file, np.load(file, allow_pickle=False) as held:
                version = int(held["version"])
                if version != VERSION:
                    raise BadRequest(
                        f"{path} has version {version} and this Mirror reads {VERSION}; fit it"
                        f" again: mirror route fit {run}"
                    )
                found = FittedRouter(
                    Routing.model_validate_json(held["about"].tobytes()),
                    np.asarray(held["centres"], dtype=np.float64),
                    np.asarray(held["value"], dtype=np.float64),
                )
        except FileNotFoundError:
            raise BadRequest(
                f"No router of run {run!r} is kept here; make one: mirror route fit {run}"
            ) from None
        except UNREADABLE as error:
            raise damaged(path, type(error).__name__) from error
        _check(found, path)
        return found

    def _path(self, run: str) -> Path:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", run):
            raise BadRequest(f"{run!r} is no run's name; mirror report shows the latest.")
        return self.folder / f"{run}.npz"


def _check(found: FittedRouter, path: Path) -> None:
    members, regions = len(found.about.members), len(found.about.regions)
    fits = found.value.shape == (regions, members) and found.centres.shape[:1] == (regions,)
    if not fits or found.centres.ndim != 2 or not np.isfinite(found.centres).all():
        raise DamagedStore(f"{path} does not fit together; fit it again. It was left untouched.")
