"""Layers of the registry put on one another: by key, range after range, in bounded memory.

Layers lie in the order of their keys. A range of keys is read from each, merged and written
before the next is looked at, so that two and a half million models need no more memory than
``SPAN`` of them and all the keys.

Of one model's rows the one that was read last wins, field by field, unless it tells of an earlier
change than another: then it was old when it was read. What the winner lacks, the others keep,
each field with its own provenance. The bundled snapshot counts as read when the latest model in
it came out.
"""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from memory.registry import SNAPSHOT, Registry
from memory.registry_store import LAYER, frame, join, line, write
from memory.registry_table import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

SPAN = 50_000  # keys
JOINED = ("tags", "aliases", "formats", "quantization", "abilities", "domains", "modalities")
BOUND = (
    "id",
    "key",
    "provenance",
    "params_estimated",
    "task_inferred",
)  # they follow another field


def bundled() -> pl.DataFrame:
    """The bundled snapshot as a layer."""
    models = Registry.load(SNAPSHOT).models.values()
    day = max(model.released or "" for model in models)
    return frame(line(model, None, day) for model in models).sort("key")


def ranges(layers: Sequence[pl.LazyFrame]) -> Iterator[pl.Expr]:
    """Conditions on ``key``, in order, that together let every row of ``layers`` pass once."""
    keys = pl.concat([layer.select("key") for layer in layers]).collect()["key"].unique().sort()
    starts = list(keys[SPAN::SPAN])
    key = pl.col("key")
    for low, high in zip([None, *starts], [*starts, None], strict=True):
        above = pl.lit(value=True) if low is None else key >= low
        yield above if high is None else above & (key < high)


def latest(
    layers: Sequence[pl.LazyFrame], keep: Callable[[pl.DataFrame], pl.DataFrame], out: Path
) -> int:
    """Of each key the last row of ``layers``, where ``keep`` lets it pass, in ``out``: how many."""
    return _by_range(layers, lambda some: keep(_last(some)), out)


def merge(layers: Sequence[pl.LazyFrame], out: Path) -> int:
    """Every model of ``layers`` once, in ``out``; returns how many."""
    return _by_range(layers, _one_each, out)


def _by_range(
    layers: Sequence[pl.LazyFrame],
    made: Callable[[Sequence[pl.DataFrame]], pl.DataFrame],
    out: Path,
) -> int:
    count, folder = 0, out.with_suffix(".pieces")
    shutil.rmtree(folder, ignore_errors=True)  # what a killed process left
    folder.mkdir()
    pieces = []
    for place, span in enumerate(ranges(layers)):
        rows = made([layer.filter(span).collect() for layer in layers])
        count += len(rows)
        pieces.append(folder / f"{place:06d}")
        write(rows, pieces[-1])
    join(pieces, out)
    shutil.rmtree(folder)
    return count


def _last(some: Sequence[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat(some).unique("key", keep="last", maintain_order=True).sort("key")


def _one_each(some: Sequence[pl.DataFrame]) -> pl.DataFrame:
    rows = pl.concat(some).sort("key", "seen", maintain_order=True)
    several = pl.len().over("key") > 1
    single = rows.filter(~several).select(list(COLUMNS))
    groups = rows.filter(several).drop("hub_id", "seen").iter_rows(named=True)
    return pl.concat([single, frame(map(json.dumps, _merged(groups)), COLUMNS)]).sort("id")


def _merged(rows: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """One row for each key of ``rows``, which come in the order of their keys."""
    held: dict[str, Any] | None = None
    for one in rows:
        key = one.pop("key")
        one["provenance"] = _by_field(one)
        if held is not None and held["key"] == key:
            held = {"key": key} | _over(held, one)
            continue
        if held is not None:
            yield _finished(held)
        held = {"key": key} | one
    if held is not None:
        yield _finished(held)


def _over(held: dict[str, Any], later: dict[str, Any]) -> dict[str, Any]:
    """The later row's fields over ``held``'s; under them, where it tells of an earlier change."""
    if held["modified"] and later["modified"] and later["modified"] < held["modified"]:
        held, later = later, held
    result = {**held, "id": later["id"], "provenance": dict(held["provenance"])}
    for name, value in later.items():
        if name in BOUND or value in (None, []) or not _wins(name, held, later):
            continue
        stated = later["provenance"].get(name, [])
        if name in JOINED:
            value = list(dict.fromkeys((*(held[name] or ()), *value)))
            stated = list(dict.fromkeys((*held["provenance"].get(name, ()), *stated)))
        result[name] = value
        if name == "params":
            result["params_estimated"] = later["params_estimated"]
        if name == "task":
            result["task_inferred"] = later["task_inferred"]
        if stated:
            result["provenance"][name] = stated
    return result


def _wins(name: str, held: Mapping[str, Any], later: Mapping[str, Any]) -> bool:
    """Whether a later value may replace an earlier one: not if it says less.

    An estimated number of parameters does not replace a stated one, a bare ``other`` no named
    licence, and a task tag not the reason it was set aside for.
    """
    if held[name] in (None, []):
        return True
    if name == "params":
        return bool(held["params_estimated"] or not later["params_estimated"])
    if name == "licence":
        return bool(later["licence"] != "other")
    if name == "task":
        return not (held["task_inferred"] or "").startswith(f"tag {later['task']};")
    return True


def _by_field(one: Mapping[str, Any]) -> dict[str, list[str]]:
    return {entry["field"]: entry["sources"] for entry in one["provenance"] or ()}


def _finished(held: dict[str, Any]) -> dict[str, Any]:
    stated = held.pop("provenance")
    held.pop("key")
    return held | {"provenance": [{"field": k, "sources": v} for k, v in stated.items()]}


# --- renaming ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Renamed:
    """A repository that was met under another id before: its key then, its id now."""

    hub_id: str
    was: str
    now: str


def renamed(layer: pl.LazyFrame, parts: pl.LazyFrame) -> list[Renamed]:
    """Repositories of ``parts`` that have another id in ``layer``, or further back in ``parts``."""
    columns = ["hub_id", "key", "id"]
    met = parts.select(columns).filter(pl.col("hub_id").is_not_null())
    before = layer.select(columns).join(met.select("hub_id").unique(), on="hub_id", how="semi")
    moved = (
        pl.concat([before, met])
        .group_by("hub_id")
        .agg(was=pl.col("key").unique(), now=pl.col("id").last(), n=pl.col("key").n_unique())
        .filter(pl.col("n") > 1)
        .collect()
    )
    return [
        Renamed(hub_id, key, now)
        for hub_id, keys, now, _ in moved.iter_rows()
        for key in keys
        if key != now.lower()
    ]


def with_aliases(rows: pl.DataFrame, aliases: Mapping[str, Sequence[str]]) -> pl.DataFrame:
    """``rows`` where a key's former ids stand among its aliases."""
    here = [key for key in rows["key"] if key in aliases]
    if not here:
        return rows
    former = pl.DataFrame(
        {"key": here, "former": [list(aliases[key]) for key in here]},
        schema={"key": pl.String, "former": pl.List(pl.String)},
    )
    both = pl.concat_list(pl.col("aliases").fill_null([]), pl.col("former").fill_null([]))
    return (
        rows.join(former, on="key", how="left", maintain_order="left")
        .with_columns(aliases=both.list.unique(maintain_order=True))
        .select(list(LAYER))
    )


def former_ids(
    layer: pl.LazyFrame, parts: pl.LazyFrame, moves: Sequence[Renamed]
) -> dict[str, list[str]]:
    """New key -> the ids it had, and those that they had had."""
    was = {move.was: move.now.lower() for move in moves}
    found: defaultdict[str, list[str]] = defaultdict(list)
    for rows in (layer, parts):
        some = rows.select("key", "id", "aliases").filter(pl.col("key").is_in(list(was)))
        for key, id, aliases in some.collect().iter_rows():
            found[was[key]] += [*(aliases or ()), id]
    return {key: list(dict.fromkeys(ids)) for key, ids in found.items()}
