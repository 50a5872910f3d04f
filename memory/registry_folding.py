"""A reading becomes a layer: the newest row of each model, what was renamed, what is gone.

A model that a reading of everything did not meet is gone from the Hub: its row moves to
``removed.parquet``, with all that was known. Should a reading have met fewer than half of the
models there were, the Hub is believed to have left them out, and none is removed.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import polars as pl

from memory.registry_layers import bundled, former_ids, latest, merge, renamed, with_aliases
from memory.registry_store import HUB, LAYER, QUARANTINE, REMOVED, Layer, existing, frame, write

if TYPE_CHECKING:
    from memory.registry_store import Reading, RegistryStore, State

FEWEST = 0.5  # of the models there were, for a reading of everything to be believed
MOST_RECORDS = 10_000  # quarantined records of a layer that are kept; all are counted
DELETED, RENAMED = "no longer on the Hub", "renamed"


def fold_hub(store: RegistryStore, state: State, reading: Reading, now: str) -> State:
    """The parts of ``reading`` in the Hub's layer; with ``reading.done`` also what is gone."""
    layer = existing([store.layer(HUB)])
    parts = existing(store.part_files(reading.parts))
    folded = store.layer(HUB).with_suffix(".folded")
    moves = renamed(layer, parts)
    aliases = former_ids(layer, parts, moves)
    moved = pl.DataFrame(
        {"key": [m.was for m in moves], "hub_id": [m.hub_id for m in moves],
         "renamed_to": [m.now for m in moves]},
        schema={"key": pl.String, "hub_id": pl.String, "renamed_to": pl.String},
    )  # fmt: skip
    complete = reading.done and reading.full and _believable(layer, parts, reading)
    gone: list[pl.DataFrame] = []

    def keep(rows: pl.DataFrame) -> pl.DataFrame:
        rows = with_aliases(rows, aliases).join(
            moved, on=["key", "hub_id"], how="left", maintain_order="left"
        )
        renamed_now = pl.col("renamed_to").is_not_null()
        absent = (pl.col("seen") < reading.started) & pl.lit(complete)
        reason = pl.when(renamed_now).then(pl.lit(RENAMED)).otherwise(pl.lit(DELETED))
        out = rows.filter(renamed_now | absent)
        gone.append(out.with_columns(reason=reason, at=pl.lit(now)).select(list(REMOVED)))
        return rows.filter(~(renamed_now | absent)).select(list(LAYER))

    count = latest([layer, parts], keep, folded)
    _remove(store, gone, parts)
    _quarantine(store, HUB, reading, parts, now)
    folded.replace(store.layer(HUB))
    return state.model_copy(
        update={"layers": state.layers | {HUB: _layer(state, store, reading, parts, count, now)}}
    )


def fold_file(store: RegistryStore, name: str, reading: Reading, now: str) -> Layer:
    """The parts of ``reading`` as the layer ``name``; one of that name is replaced."""
    parts = existing(store.part_files(reading.parts))
    count = latest([parts], lambda rows: rows, store.layer(name))
    _quarantine(store, name, reading, parts, now)
    return Layer(
        models=count,
        date=reading.started,
        source=reading.endpoint,
        repeated=_repeated(parts),
        dropped=_dropped(store, reading),
    )


def rebuild(store: RegistryStore, state: State, now: str) -> State:
    """``models.parquet`` from all layers, and ``state`` that counts what is in it."""
    gone = existing([store.removed], REMOVED).select("key", "renamed_to", "at").collect()
    layers = [_without(bundled().lazy(), gone)]
    for name, layer in state.layers.items():
        rows = existing([store.layer(name)])
        since = gone.filter(pl.col("at") >= layer.date)
        layers.append(rows if name == HUB else _without(rows, since))
    made = merge(layers, store.models)
    reasons = _counts(existing([store.removed], REMOVED), ["reason"])
    aside = _counts(existing([store.quarantine], QUARANTINE), ["layer", "reason"])
    quarantined: dict[str, dict[str, int]] = {}
    for (name, reason), n in aside.items():
        quarantined.setdefault(name, {})[reason] = n
    return state.model_copy(
        update={
            "models": made,
            "made": now,
            "quarantined": quarantined,
            "removed": {reason: n for (reason,), n in reasons.items()},
        }
    )


def _without(rows: pl.LazyFrame, gone: pl.DataFrame) -> pl.LazyFrame:
    """``rows`` without what was deleted since; what was renamed goes under its new key."""
    deleted = gone.filter(pl.col("renamed_to").is_null()).select("key")
    moved = dict(gone.filter(pl.col("renamed_to").is_not_null()).select("key", "renamed_to").rows())
    left = rows.join(deleted.lazy(), on="key", how="anti")
    if not moved:
        return left
    new = pl.col("key").replace({was: now.lower() for was, now in moved.items()})
    return left.with_columns(key=new)


def _believable(layer: pl.LazyFrame, parts: pl.LazyFrame, reading: Reading) -> bool:
    met = parts.select("key").unique()
    lost = layer.filter(pl.col("seen") < reading.started).join(met, on="key", how="anti")
    before, gone = (rows.select(pl.len()).collect().item() for rows in (layer, lost))
    return bool(gone <= (1 - FEWEST) * before)


def _remove(store: RegistryStore, gone: list[pl.DataFrame], parts: pl.LazyFrame) -> None:
    """Add tombstones; a model that is met again has none."""
    back = parts.select("key").unique()
    before = existing([store.removed], REMOVED).join(back, on="key", how="anti").collect()
    rows = pl.concat([before, *gone]).unique(["key", "hub_id"], keep="last", maintain_order=True)
    if len(rows) or store.removed.exists():
        write(rows, store.removed)


def _quarantine(
    store: RegistryStore, layer: str, reading: Reading, parts: pl.LazyFrame, now: str
) -> None:
    """Add the records of ``reading`` that gave no model; one that gave one since has none."""
    new = frame(
        (
            json.dumps(
                one
                | {"layer": layer, "at": now, "record": one["record"] if n < MOST_RECORDS else ""}
            )
            for n, one in enumerate(store.part_values(reading.parts, "quarantine"))
        ),
        QUARANTINE,
    )
    before = existing([store.quarantine], QUARANTINE).collect()
    mine = pl.col("layer") == layer
    if layer != HUB or (reading.done and reading.full):
        before = before.filter(~mine | (pl.col("at") >= reading.started) & (layer == HUB))
    good = parts.select("id").unique().collect()["id"]
    before = before.filter(~(mine & pl.col("id").is_in(good.implode())))
    rows = pl.concat([before, new]).unique(
        ["layer", "id", "reason", "record"], keep="last", maintain_order=True
    )
    if len(rows) or store.quarantine.exists():
        write(rows, store.quarantine)


def _layer(
    state: State, store: RegistryStore, reading: Reading, parts: pl.LazyFrame, count: int, now: str
) -> Layer:
    before = state.layers.get(HUB)
    known = before.until if before else None
    afresh = reading.full and reading.done
    dropped = Counter(before.dropped if before else {}) + Counter(_dropped(store, reading))
    return Layer(
        models=count,
        date=now,
        source=reading.endpoint,
        full=now if afresh else before.full if before else None,
        until=_until(reading) if reading.done else known,
        repeated=(before.repeated if before else 0) + _repeated(parts),
        dropped=dict(dropped),
        scales=before.scales if before else {},
    )


def _until(reading: Reading) -> str:
    """Changes up to here are known: a model may change again after its page was read."""
    return min(reading.started, reading.newest or reading.started)


def _repeated(parts: pl.LazyFrame) -> int:
    read, keys = parts.select(pl.len(), pl.col("key").n_unique().alias("keys")).collect().row(0)
    return int(read - keys)


def _dropped(store: RegistryStore, reading: Reading) -> dict[str, int]:
    return dict(Counter(store.part_values(reading.parts, "dropped")))


def _counts(rows: pl.LazyFrame, by: list[str]) -> dict[tuple[Any, ...], int]:
    counted = rows.group_by(by).len().sort("len", descending=True).collect()
    return {tuple(one[:-1]): one[-1] for one in counted.iter_rows()}
