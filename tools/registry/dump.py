"""A file with many models: Parquet, or JSON lines (also packed: .gz), read a record at a time.

Two kinds of record, told apart by their names: rows of the registry's own schema
(``memory.registry_table.COLUMNS``; only ``id`` is needed, an absent or null column means that
nothing is known), and records of the Hub as its API or huggingface_hub gives them. Columns of
neither kind are left unread.
"""

from __future__ import annotations

import gzip
import json
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, cast, get_args

import polars as pl
from pydantic import ValidationError

from memory.errors import BadRequest
from memory.records import LineageEdge, Model, Relation
from memory.registry_table import COLUMNS
from memory.snapshot import rows
from tools.registry import hub_record
from tools.registry.fields import MOST_WEIGHTS, Fields, trouble_with_id
from tools.registry.hub_record import Held, Quarantined

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

LINE = 4_000_000  # bytes
BATCH = 20_000  # rows of a Parquet file in memory at once
RELATIONS = frozenset(get_args(Relation))
# Names that only the Hub's records have.
HUBS_OWN = frozenset(
    ("_id", "modelId", "modelinfo", "sha", "lastModified", "last_modified", "createdAt")
    + ("created_at", "pipeline_tag", "library_name", "cardData", "card_data", "safetensors")
)


def records(path: Path) -> Iterator[Any]:
    """What the file holds, record by record; a line that is no JSON comes as its text.

    Raises:
        BadRequest: it is of no known kind, is not there, or can't be read as that kind.
    """
    if not path.is_file():
        raise BadRequest(f"There is no file {path}.")
    kinds = [suffix.lower() for suffix in path.suffixes[-2:]]
    if kinds[-1:] == [".parquet"]:
        return _parquet(path)
    if kinds[-1:] in ([".jsonl"], [".ndjson"]) or kinds in ([".jsonl", ".gz"], [".ndjson", ".gz"]):
        return _lines(path)
    raise BadRequest(f"{path.name} is of no known kind: .parquet, .jsonl or .jsonl.gz.")


def read(raw: Any, source: str) -> Held | Quarantined:
    """The model of one record of either kind; ``source`` is the provenance where it has none."""
    if not isinstance(raw, dict) or not HUBS_OWN.isdisjoint(raw):
        return hub_record.read(raw, source)
    return of_row(raw, source)


def of_row(raw: Mapping[str, Any], source: str) -> Held | Quarantined:
    """The model of one row in the registry's schema."""
    trouble = trouble_with_id(raw.get("id"))
    if trouble:
        return hub_record.quarantined(raw, trouble)
    fields = Fields()
    values = {
        name: _value(name, raw[name], fields) for name in COLUMNS if raw.get(name) is not None
    }
    stated = {k: v for k, v in values.items() if v is not None and v != () and k != "provenance"}
    told = _provenance(raw.get("provenance"), fields)
    where = {name: told.get(name, (source,)) for name in stated if name != "id"}
    try:
        model = Model.model_validate(stated | {"provenance": where})
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"]))
        return hub_record.quarantined(raw, f"its {place} can't be read")
    return Held(model, None, tuple(fields.dropped))


def _value(name: str, value: Any, fields: Fields) -> Any:
    kind = COLUMNS[name]
    if name == "bases":
        return tuple(_edges(value, fields))
    if name == "languages":
        return rows.languages(fields.texts(name, value))
    if name == "licence":
        return rows.licence(fields.text(name, value, longest=4_000))
    if name in ("created", "modified"):
        return fields.instant(name, value)
    if name in ("params", "params_active"):
        return fields.count(name, value, MOST_WEIGHTS)
    if kind == pl.Int64:
        return fields.count(name, value)
    if kind == pl.Float64:
        return fields.number(name, value)
    if kind == pl.Boolean:
        return value is True
    if kind == pl.String:
        return fields.text(name, value, longest=1_000)
    return fields.texts(name, value)


def _edges(value: Any, fields: Fields) -> Iterator[LineageEdge]:
    for one in value if isinstance(value, list) else ():
        edge = one if isinstance(one, dict) else {"parent": one}
        if trouble_with_id(edge.get("parent")):
            fields.dropped.append("bases: no id")
            continue
        how = edge.get("relation")
        relation = cast("Relation", how if how in RELATIONS else "finetune")
        where = fields.text("bases", edge.get("source")) or "stated"
        yield LineageEdge(parent=edge["parent"], relation=relation, source=where)


def _provenance(value: Any, fields: Fields) -> dict[str, tuple[str, ...]]:
    """Field -> sources, written as a table or as the list of pairs that Parquet keeps."""
    if isinstance(value, list):
        value = {one.get("field"): one.get("sources") for one in value if isinstance(one, dict)}
    told = fields.table("provenance", value)
    found = {str(name): fields.texts("provenance", sources) for name, sources in told.items()}
    return {name: sources for name, sources in found.items() if sources}


def _parquet(path: Path) -> Iterator[Any]:
    try:
        scan = pl.scan_parquet(path)
        names = set(scan.collect_schema().names())
        if not names & {"id", "modelId"}:
            raise BadRequest(f"{path} has no column id.")
        known = names & (COLUMNS.keys() | HUBS_OWN | hub_record.FIELDS)
        for batch in scan.select(sorted(known)).collect_batches(
            chunk_size=BATCH, maintain_order=True
        ):
            yield from batch.iter_rows(named=True)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise BadRequest(f"{path} can't be read as Parquet ({type(error).__name__}).") from None


def _lines(path: Path) -> Iterator[Any]:
    number = 0
    try:
        with _opened(path) as file:
            while raw := file.readline(LINE):
                number += 1
                if len(raw) == LINE and not raw.endswith(b"\n"):
                    _skip(file)
                    yield f"line {number} is longer than {LINE:,} bytes"
                elif raw.strip():
                    yield _json(raw)
    except (OSError, EOFError, gzip.BadGzipFile) as error:
        raise BadRequest(f"{path} can't be read after line {number:,}: {error}.") from None


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    opener = gzip.open if path.suffix.lower() == ".gz" else open
    with opener(path, "rb") as file:
        yield cast("IO[bytes]", file)


def _skip(file: IO[bytes]) -> None:
    while (rest := file.readline(LINE)) and not rest.endswith(b"\n"):
        pass


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return raw[: hub_record.WRITTEN].decode("utf-8", "replace").strip()
