"""What the server chose, a line of JSON each, only ever added to: what a later fit can learn from.

A line has no text of prompt or answer. The prompt's embedding is in it (half precision, base64), so
that a grade which comes later can be joined by the answer's id.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from memory.sqlite import StoreUnavailable

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


class Choices:
    """The file at ``path``, opened when the first line is written, readable by its owner alone."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, line: dict[str, Any], prompt: NDArray[np.float64]) -> None:
        """Append one choice.

        Raises:
            StoreUnavailable: it can't be written.
        """
        vector = base64.b64encode(prompt.astype(np.float16).tobytes()).decode()
        text = json.dumps({**line, "prompt": vector}, ensure_ascii=False) + "\n"
        try:
            if not self.path.exists():
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self.path.touch(mode=0o600)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise StoreUnavailable(f"Can't write {self.path}: {error.strerror}.") from error


def read(path: Path) -> list[tuple[dict[str, Any], NDArray[np.float64]]]:
    """Every whole line with its prompt's embedding; one that was cut off is left out."""
    found = []
    for text in path.read_text("utf-8").splitlines():
        try:
            line = json.loads(text)
            raw = base64.b64decode(line.pop("prompt"))
        except (ValueError, KeyError, TypeError):
            continue
        found.append((line, np.frombuffer(raw, dtype=np.float16).astype(np.float64)))
    return found
