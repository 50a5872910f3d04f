"""Calibrations of judges: one JSON file each, written once, never over another.

A report corrects a judge's rates with the latest calibration of the same judge and wording.
"""

from __future__ import annotations

import hashlib
import os
import re
from typing import TYPE_CHECKING

from pydantic import ValidationError

from memory.errors import DamagedStore
from memory.records import Calibration
from memory.sqlite import StoreUnavailable

if TYPE_CHECKING:
    from pathlib import Path


class Calibrations:
    """The calibrations in ``folder``, which is made when the first is added."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, calibration: Calibration) -> Path:
        """Write it down, whole or not at all, and return the file; the same twice is one file.

        Raises:
            StoreUnavailable: the folder or disk can't be written to.
        """
        text = calibration.model_dump_json(indent=1)
        digest = hashlib.sha256(text.encode()).hexdigest()[:12]
        judge = re.sub(r"[^a-z0-9]+", "-", calibration.judge.lower()).strip("-")[:60]
        path = self.folder / f"{judge}-{digest}.json"
        part = path.with_suffix(f".{os.getpid()}.part")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            part.write_text(text + "\n", encoding="utf-8")
            part.replace(path)
        except OSError as error:
            raise StoreUnavailable(f"Can't write {path}: {error.strerror}.") from error
        return path

    def all(self) -> list[Calibration]:
        """Every calibration, oldest first.

        Raises:
            DamagedStore: a file can't be read; it is named and left as it is.
        """
        return sorted((self._read(path) for path in self.folder.glob("*.json")), key=lambda c: c.at)

    def latest(self, judge: str, prompt: str) -> Calibration | None:
        """The newest one of this judge and wording; None when it was never calibrated."""
        found = [one for one in self.all() if (one.judge, one.prompt) == (judge, prompt)]
        return found[-1] if found else None

    @staticmethod
    def _read(path: Path) -> Calibration:
        try:
            return Calibration.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise DamagedStore(
                f"{path} is no calibration ({type(error).__name__}); it was left untouched: move it"
                " away or calibrate again."
            ) from error
