"""Records on their way from a source into a part of the registry, sorted as they come."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from memory.registry_store import frame, line
from tools.registry import hub_scores
from tools.registry.hub_record import Held, Quarantined

if TYPE_CHECKING:
    from collections.abc import Callable

    from memory.registry_store import RegistryStore

PART = 10_000  # records; some seconds of reading at the pace of the Hub


@dataclass
class Batch:
    """Records on their way into a part."""

    source: str
    seen: str
    reader: Callable[[Any, str], Held | Quarantined]
    rows: list[str] = field(default_factory=list)
    quarantine: list[dict[str, str]] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    scores: list[dict[str, Any]] = field(default_factory=list)
    read: int = 0

    def take(self, raw: Any) -> str | None:
        """Sort one record in; returns when the model last changed."""
        self.read += 1
        held = self.reader(raw, self.source)
        if isinstance(held, Quarantined):
            self.quarantine.append(vars(held))
            return None
        self.rows.append(line(held.model, held.hub_id, self.seen))
        self.dropped.extend(held.dropped)
        if isinstance(raw, dict) and (stated := hub_scores.of_record(raw)) is not None:
            self.scores.append(stated)
        return held.model.modified

    def into(self, store: RegistryStore, number: int) -> None:
        """Write the part ``number`` and begin the next."""
        others: dict[str, list[Any]] = {
            "quarantine": self.quarantine,
            "dropped": self.dropped,
            "scores": self.scores,
        }
        store.add_part(number, frame(self.rows), others)
        self.rows, self.quarantine, self.dropped, self.scores = [], [], [], []
        self.read = 0
