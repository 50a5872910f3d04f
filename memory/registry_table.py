"""The registry as a table: one row a model, in columns that Parquet keeps and Polars reads.

This is also the schema of a dump for ``mirror registry load``: only ``id`` is required, an absent
column means that nothing is known. Times are ISO 8601 text, as the Hub sends them.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

import polars as pl

from memory.records import Model

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from memory.records import LineageEdge

_TEXTS = pl.List(pl.String)
COLUMNS: Mapping[str, pl.DataType | type[pl.DataType]] = MappingProxyType(
    {
        "id": pl.String,
        "params": pl.Int64,
        "params_estimated": pl.Boolean,
        "params_active": pl.Int64,
        "licence": pl.String,
        "languages": _TEXTS,
        "context_length": pl.Int64,
        "task": pl.String,
        "task_inferred": pl.String,
        "modalities": _TEXTS,
        "abilities": _TEXTS,
        "architecture": pl.String,
        "domains": _TEXTS,
        "bases": pl.List(
            pl.Struct({"parent": pl.String, "relation": pl.String, "source": pl.String})
        ),
        "released": pl.String,
        "revision": pl.String,
        "formats": _TEXTS,
        "quantization": _TEXTS,
        "training_datasets": _TEXTS,
        "tags": _TEXTS,
        "aliases": _TEXTS,
        "downloads": pl.Int64,
        "likes": pl.Int64,
        "downloads_all_time": pl.Int64,
        "trending": pl.Float64,
        "derivatives": pl.Int64,
        "discussions": pl.Int64,
        "created": pl.String,
        "modified": pl.String,
        "gated": pl.String,
        "library": pl.String,
        "provenance": pl.List(pl.Struct({"field": pl.String, "sources": _TEXTS})),
    }
)


def table(models: Iterable[Model], columns: Collection[str] = tuple(COLUMNS)) -> pl.DataFrame:
    """A row a model, in the order given, with these of ``COLUMNS``."""
    held = list(models)
    return pl.DataFrame(
        [
            pl.Series(name, [_cell(name, getattr(one, name)) for one in held], dtype=COLUMNS[name])
            for name in columns
        ]
    )


def _cell(column: str, value: object) -> object:
    if column == "bases":
        return [dict(edge) for edge in cast("Iterable[LineageEdge]", value)]
    if column == "provenance":
        stated = cast("Mapping[str, tuple[str, ...]]", value)
        return [{"field": field, "sources": sources} for field, sources in stated.items()]
    return value


def models(rows: pl.DataFrame) -> Iterator[Model]:
    """The records of ``rows`` (all ``COLUMNS``), in their order."""
    return map(record, rows.iter_rows(named=True))


def record(row: Mapping[str, Any]) -> Model:
    """The record of one row; what is null is not stated.

    Raises ``pydantic.ValidationError`` when the row is no model.
    """
    stated = {key: value for key, value in row.items() if value is not None}
    if "provenance" in stated:
        stated["provenance"] = {one["field"]: one["sources"] for one in stated["provenance"]}
    return Model.model_validate(stated)
