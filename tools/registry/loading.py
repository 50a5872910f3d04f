"""A file of models becomes a layer of the registry, whole or not at all.

Loading a file of the same name again replaces that layer. Scores that its Hub records state go
into P_ij as a sync's would.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING

from memory import registry_folding
from memory.errors import BadRequest
from memory.registry_store import HUB, Reading
from tools.clients.hub.api import ENDPOINT
from tools.deps import Progress, silent
from tools.registry import dump, hub_scores
from tools.registry.batch import PART, Batch

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date, datetime
    from pathlib import Path

    from memory.registry_store import RegistryStore, State
    from memory.scores import Scores


@dataclass(frozen=True)
class Loaded:
    """What came of a file: records ``read``, of them ``quarantined``; ``models`` in the layer."""

    layer: str
    read: int
    quarantined: int
    models: int
    scores: hub_scores.Kept


def load(
    path: Path,
    store: RegistryStore,
    scores: Scores,
    clock: Callable[[], datetime],
    *,
    as_of: date | None = None,
    progress: Callable[[Progress], None] = silent,
) -> Loaded:
    """Read the file and put it among the layers; ``as_of``: when it was made (None: now).

    Raises:
        BadRequest: it can't be read, holds no model, or a sync is half done.
        RegistryBusy: another process is at the registry.
        DamagedStore: a file of the registry can't be read.
    """
    name = layer_name(path)
    with store.locked():
        _no_parts(store.state)
        try:
            return _loaded(path, name, store, scores, clock, as_of, progress)
        finally:
            store.drop_parts()


def _loaded(
    path: Path,
    name: str,
    store: RegistryStore,
    scores: Scores,
    clock: Callable[[], datetime],
    as_of: date | None,
    progress: Callable[[Progress], None],
) -> Loaded:
    now = clock().astimezone(UTC).isoformat(timespec="seconds")
    told = as_of.isoformat() if as_of else now
    begun = Reading(full=True, started=told, endpoint=path.name, next=None)
    reading = _read(path, store, begun, progress)
    aside = sum(1 for _ in store.part_values(reading.parts, "quarantine"))
    if aside == reading.read:
        raise BadRequest(f"{path} holds no record of a model; nothing was changed.")
    progress(Progress("putting the registry together", reading.read))
    layer = registry_folding.fold_file(store, name, reading, now)
    kept = hub_scores.keep(lambda: store.part_values(reading.parts, "scores"), scores, ENDPOINT, {})
    state = store.state
    state = state.model_copy(update={"layers": state.layers | {name: layer}})
    store.state = registry_folding.rebuild(store, state, now)
    return Loaded(name, reading.read, aside, layer.models, kept)


def drop(name: str, store: RegistryStore, clock: Callable[[], datetime]) -> int:
    """Take a layer out; returns how many models are left. Scores that came with it stay.

    Raises:
        BadRequest: there is no such layer, or it is the Hub's.
        RegistryBusy: another process is at the registry.
    """
    with store.locked():
        state = store.state
        files = [layer for layer in state.layers if layer != HUB]
        if name not in files:
            known = f"; there are {', '.join(files)}" if files else ""
            raise BadRequest(f"There is no layer {name!r} to drop{known}.")
        now = clock().astimezone(UTC).isoformat(timespec="seconds")
        layers = {layer: held for layer, held in state.layers.items() if layer != name}
        registry_folding.forget(store, name)
        store.state = registry_folding.rebuild(
            store, state.model_copy(update={"layers": layers}), now
        )
        store.layer(name).unlink(missing_ok=True)
        return store.state.models


def layer_name(path: Path) -> str:
    """The name of a file's layer; never the Hub's."""
    stem = re.sub(r"(\.(parquet|jsonl|ndjson|gz))+$", "", path.name.lower())
    name = re.sub(r"[^a-z0-9]+", "-", stem).strip("-")[:60] or "dump"
    return f"{name}-file" if name == HUB else name


def _no_parts(state: State) -> None:
    if state.reading and state.reading.parts:
        raise BadRequest(
            "A sync was interrupted and its last pages are not folded in yet: finish it first with"
            " mirror registry sync."
        )


def _read(
    path: Path, store: RegistryStore, reading: Reading, progress: Callable[[Progress], None]
) -> Reading:
    batch = Batch(f"{path.name} {reading.started[:10]}", reading.started, dump.read)
    parts = read = 0
    for raw in dump.records(path):
        batch.take(raw)
        read += 1
        if batch.read >= PART:
            batch.into(store, parts)
            parts += 1
            progress(Progress(f"loading {path.name}", read))
    batch.into(store, parts)
    return reading.model_copy(update={"parts": parts + 1, "read": read, "done": True})
