"""The registry's files: what was read from where, layer by layer, and all of it in one table.

``<home>/registry``::

    models.parquet       every model once: what the engine reads
    layers/hub.parquet   what the Hub says; layers/<name>.parquet: what a loaded file says
    parts/               a reading that is not folded in yet
    removed.parquet      models the Hub no longer has or has renamed, with all that was known
    quarantine.parquet   records that gave no model, with the reason
    state.json           how far, how fresh, how many

A layer is replaced as a whole or not at all, and ``models.parquet`` is always made from the
layers and the bundled snapshot, so that a fact a source has withdrawn does not live on. Every
file is written beside itself and moved into place; a part counts from the moment that
``state.json`` says so. So a process killed at any point leaves what the next one goes on from.
"""

from __future__ import annotations

import io
import json
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import polars as pl
from filelock import FileLock, Timeout
from pydantic import Field, ValidationError

from memory.errors import DamagedStore, MirrorError
from memory.records import Record
from memory.registry_table import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from memory.records import Model

HUB = "hub"
# Rows that are read together: few, so that a range of keys comes without its neighbours.
ROW_GROUP, PART_ROW_GROUP = 2_000, 500
LAYER: Mapping[str, pl.DataType | type[pl.DataType]] = {
    "key": pl.String,  # the id in lower case: the Hub takes ids that differ in case for one
    "hub_id": pl.String,  # the Hub's own key of a repository, which outlives a renaming
    "seen": pl.String,  # the reading that met it last
    **COLUMNS,
}
REMOVED = {**LAYER, "reason": pl.String, "renamed_to": pl.String, "at": pl.String}
QUARANTINE = {
    "layer": pl.String,
    "id": pl.String,
    "reason": pl.String,
    "record": pl.String,
    "at": pl.String,
}


class RegistryBusy(MirrorError):
    """Another process is syncing or loading."""


class Reading(Record):
    """A reading of the Hub that is not at its end; ``next`` is the page to go on with.

    ``full``: of every model, else of those that changed since ``cut``. ``parts`` of ``read``
    records lie in ``parts/``; ``newest``: the latest change met so far.
    """

    full: bool
    started: str
    endpoint: str
    next: str | None
    cut: str | None = None
    parts: int = 0
    read: int = 0
    newest: str | None = None
    done: bool = False


class Layer(Record):
    """One source's models. ``full``: when the last reading of everything ended; ``until``: changes
    up to then are known. ``dropped``: values left out, by reason; ``scales``: what the
    scores of a benchmark's column are out of.
    """

    models: int
    date: str
    source: str
    full: str | None = None
    until: str | None = None
    repeated: int = 0
    dropped: dict[str, int] = Field(default_factory=dict)
    scales: dict[str, float] = Field(default_factory=dict)


class State(Record):
    """What ``state.json`` holds. ``quarantined``: layer -> reason -> records."""

    models: int = 0
    made: str | None = None
    layers: dict[str, Layer] = Field(default_factory=dict)
    reading: Reading | None = None
    quarantined: dict[str, dict[str, int]] = Field(default_factory=dict)
    removed: dict[str, int] = Field(default_factory=dict)


class RegistryStore:
    """The files below ``folder``; nothing is made before something is written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.models = folder / "models.parquet"
        self.removed = folder / "removed.parquet"
        self.quarantine = folder / "quarantine.parquet"
        self.parts = folder / "parts"

    def layer(self, name: str) -> Path:
        """The file of one source."""
        return self.folder / "layers" / f"{name}.parquet"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Alone with the files. Raises ``RegistryBusy`` when another process is at them."""
        self.parts.mkdir(parents=True, exist_ok=True)
        (self.folder / "layers").mkdir(exist_ok=True)
        try:
            with FileLock(self.folder / "lock", timeout=0):
                yield
        except Timeout:
            raise RegistryBusy(
                f"Another process is syncing or loading {self.folder}; wait for it to end."
            ) from None

    @property
    def state(self) -> State:
        """What is known of the files. Raises ``DamagedStore`` when it can't be read."""
        path = self.folder / "state.json"
        try:
            return State.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            return State()
        except (OSError, ValidationError) as error:
            raise DamagedStore(
                f"{path} can't be read ({type(error).__name__}); it was left as it is. Restore"
                f" it, or move {self.folder} away and sync again."
            ) from None

    @state.setter
    def state(self, state: State) -> None:
        replace(self.folder / "state.json", state.model_dump_json(indent=1).encode())

    # --- parts ----------------------------------------------------------------------------

    def add_part(self, number: int, rows: pl.DataFrame, others: Mapping[str, list[Any]]) -> None:
        """Keep part ``number``, in the order it was read; ``others``: name -> JSON values.

        A part of the same number that an interrupted process left is replaced.
        """
        for name, values in others.items():
            lines = "".join(json.dumps(value) + "\n" for value in values)
            replace(self.parts / f"{number:06d}.{name}.jsonl", lines.encode())
        write(rows, self.parts / f"{number:06d}.parquet", PART_ROW_GROUP)

    def part_files(self, count: int) -> list[Path]:
        """The parts that count, oldest first."""
        return [self.parts / f"{number:06d}.parquet" for number in range(count)]

    def part_values(self, count: int, name: str) -> Iterator[Any]:
        """The values kept under ``name`` in the parts that count."""
        for number in range(count):
            with (self.parts / f"{number:06d}.{name}.jsonl").open(encoding="utf-8") as lines:
                yield from map(json.loads, lines)

    def drop_parts(self) -> None:
        """Forget every part."""
        for path in self.parts.iterdir():
            path.unlink()


# --- frames and files -------------------------------------------------------------------


def line(model: Model, hub_id: str | None, seen: str) -> str:
    """One model as a row of a layer, in JSON: for ``frame``."""
    stated = [{"field": field, "sources": sources} for field, sources in model.provenance.items()]
    more = {"key": model.id.lower(), "hub_id": hub_id, "seen": seen, "provenance": stated}
    values = model.model_dump_json(exclude={"provenance"}, exclude_none=True)
    return f"{values[:-1]},{json.dumps(more)[1:]}"


def frame(lines: Iterable[str], schema: Mapping[str, Any] = LAYER) -> pl.DataFrame:
    """Rows in JSON as a table: a third of the time that nested Python lists take."""
    text = "\n".join(lines)
    if not text:
        return pl.DataFrame(schema=dict(schema))
    return pl.read_ndjson(io.BytesIO(text.encode()), schema=dict(schema))


def existing(paths: Sequence[Path], schema: Mapping[str, Any] = LAYER) -> pl.LazyFrame:
    """The rows of those files that are there, one file after another.

    Raises ``DamagedStore`` naming a file that is no such table.
    """
    found = []
    for path in paths:
        if not path.exists():
            continue
        try:
            scan = pl.scan_parquet(path)
            names = scan.collect_schema().names()
        except (pl.exceptions.PolarsError, OSError) as error:
            raise damaged(path, type(error).__name__) from None
        if missing := set(schema) - set(names):
            raise damaged(path, f"it has no column {min(missing)}")
        found.append(scan.select(list(schema)))
    return pl.concat(found) if found else pl.LazyFrame(schema=dict(schema))


def damaged(path: Path, why: str) -> DamagedStore:
    """The error for a file of the registry that can't be read."""
    return DamagedStore(
        f"{path} can't be read ({why}); it was left as it is. Move it away and sync or load again."
    )


def write(rows: pl.DataFrame, path: Path, group: int = ROW_GROUP) -> None:
    """A table into its file, whole or not at all; ``group`` rows are read together."""
    with _beside(path) as beside:
        rows.write_parquet(beside, row_group_size=group, compression_level=3)


def join(pieces: Sequence[Path], path: Path) -> None:
    """Files of one schema into one, in their order, without holding them all."""
    with _beside(path) as beside:
        pl.scan_parquet(list(pieces)).sink_parquet(
            beside, row_group_size=ROW_GROUP, compression_level=3, maintain_order=True
        )


def replace(path: Path, content: bytes) -> None:
    """Bytes into a file, whole or not at all."""
    with _beside(path) as beside:
        beside.write_bytes(content)


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    beside = path.with_name(path.name + ".new")
    try:
        yield beside
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    with beside.open("rb+") as file:
        os.fsync(file.fileno())
    beside.replace(path)
