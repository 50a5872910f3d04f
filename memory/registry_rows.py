"""The models of a large registry: a mapping that makes a record only when asked for one.

The columns lie in an Arrow file and the sorted names in another, both memory-mapped, so opening
millions of models takes no longer than opening one.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence, ValuesView
from dataclasses import dataclass
from typing import TYPE_CHECKING, overload

import polars as pl

from memory.derived import kept
from memory.errors import DamagedStore
from memory.registry_table import COLUMNS, models, record

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from memory.records import Model

NEIGHBOURS = 2_000
"""Among so many names that sort near an unknown one the most similar are looked for."""

CHUNK = 20_000


@dataclass(frozen=True, eq=False)
class Rows(Mapping[str, "Model"]):
    """``table``: a row a model, no id twice; ``names``: lower-case ``name``, ``row``, sorted.

    Aliases are names too; ``own`` tells a model's id from them.
    """

    table: pl.DataFrame
    names: pl.DataFrame

    @classmethod
    def of(cls, parquet: Path, folder: Path) -> Rows:
        """The rows of a Parquet file, from ``folder`` where they were laid out before.

        Of two rows with one id the last counts; an absent column is empty. Raises
        ``DamagedStore`` naming the file when it is absent, cut short or has no ids.
        """

        def make(place: Path) -> None:
            table = place / "table.arrow"
            _lay_out(parquet, table)
            names = sorted_names(pl.read_ipc(table, columns=["id", "aliases"]))
            names.write_ipc(place / "names.arrow", compression="uncompressed")

        return kept(folder, make, cls._mapped)

    @classmethod
    def _mapped(cls, folder: Path) -> Rows:
        try:
            files = [folder / f"{name}.arrow" for name in ("table", "names")]
            return cls(*(pl.read_ipc(file, memory_map=True) for file in files))
        except pl.exceptions.PolarsError as error:
            raise DamagedStore(f"{folder} is damaged: {error}") from error

    @property
    def ids(self) -> Sequence[str]:
        """The ids by row."""
        return Ids(self.table["id"])

    def row(self, id: str) -> int | None:
        """The row of exactly this id."""
        ids = self.table["id"]
        return next((row for row in self._named(id) if ids[row] == id), None)

    def find(self, name: str) -> str | None:
        """The id of the model of this id or alias, whatever the case; an id before an alias."""
        rows = self._named(name)
        if not rows:
            return None
        names = self.names_at(rows)
        return name if name in names else names[0]

    def near(self, name: str) -> list[str]:
        """Up to three ids whose names look like this one."""
        at, _ = self._place(name)
        around = self.names[max(0, at - NEIGHBOURS) : at + NEIGHBOURS]
        close = difflib.get_close_matches(name.lower(), around["name"], n=3, cutoff=0.7)
        rows = dict(around.select("name", "row").iter_rows())
        return [self.table["id"][rows[one]] for one in close]

    def names_at(self, rows: list[int]) -> list[str]:
        """The ids in these rows."""
        return self.table["id"].gather(rows).to_list()

    def _place(self, name: str) -> tuple[int, str]:
        """Where a name sorts among ``names``, and how it is written there."""
        lower = pl.Series([name]).str.to_lowercase()[0]
        return int(self.names["name"].search_sorted(lower, "left")), lower

    def _named(self, name: str) -> list[int]:
        """The rows of what has this name, ids before aliases."""
        at, lower = self._place(name)
        few = self.names[at : at + 1]
        while len(few) < len(self.names) - at and few["name"][-1] == lower:
            few = self.names[at : at + 2 * len(few)]
        return few.filter(few["name"] == lower)["row"].to_list()

    def at(self, row: int) -> Model:
        """The record in this row."""
        return record(self.table.row(row, named=True))

    def __getitem__(self, id: str) -> Model:
        row = self.row(id) if isinstance(id, str) else None
        if row is None:
            raise KeyError(id)
        return self.at(row)

    def __contains__(self, id: object) -> bool:
        return isinstance(id, str) and self.row(id) is not None

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), CHUNK):
            yield from self.table["id"][start : start + CHUNK]

    def __len__(self) -> int:
        return len(self.table)

    def values(self) -> _Records:
        """The records in order, made as they are asked for."""
        return _Records(self)


class Ids(Sequence[str]):
    """A column of ids as a sequence."""

    def __init__(self, column: pl.Series) -> None:
        self._column = column

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> list[str]: ...
    def __getitem__(self, at: int | slice) -> str | list[str]:
        found = self._column[at]
        return found.to_list() if isinstance(found, pl.Series) else str(found)

    def __len__(self) -> int:
        return len(self._column)


class _Records(ValuesView["Model"]):
    """Values without a search for each."""

    _mapping: Rows

    def __iter__(self) -> Iterator[Model]:
        table = self._mapping.table
        for start in range(0, len(table), CHUNK):
            yield from models(table[start : start + CHUNK])


def sorted_names(table: pl.DataFrame) -> pl.DataFrame:
    """``name`` (lower case), ``row``, ``own``: ids and aliases by name, ids before aliases."""
    rows = table.select("id", "aliases").with_row_index("row")
    own = rows.select(pl.col("id").alias("name"), "row", pl.lit(value=True).alias("own"))
    aliases = (
        rows.select(pl.col("aliases").alias("name"), "row")
        .explode("name", empty_as_null=True)
        .drop_nulls()
    )
    return (
        pl.concat([own, aliases.with_columns(pl.lit(value=False).alias("own"))])
        .with_columns(pl.col("name").str.to_lowercase())
        .sort("name", "own", descending=[False, True], maintain_order=True)
    )


def _lay_out(parquet: Path, file: Path) -> None:
    """Write the table as Arrow, a batch at a time: it is never in memory as a whole."""
    try:
        rows = pl.scan_parquet(parquet)
        columns = rows.collect_schema().names()
        if "id" not in columns:
            raise DamagedStore(f"the model registry {parquet} has no column 'id'; get it again")
        ids = rows.select("id").with_row_index("at").collect().drop_nulls("id")
        last = ids.unique("id", keep="last", maintain_order=True)
        if len(last) < rows.select(pl.len()).collect().item():
            rows = rows.with_row_index("at").filter(pl.col("at").is_in(last["at"].implode()))
        rows = rows.select(_column(name, columns).alias(name) for name in COLUMNS)
        rows.sink_ipc(file, compression="uncompressed", maintain_order=True)
    except pl.exceptions.PolarsError as error:  # a full disk is an OSError, which passes
        raise DamagedStore(
            f"can't read the model registry {parquet} ({type(error).__name__}); restore it or get"
            " it again with mirror registry sync"
        ) from error


def _column(name: str, present: Collection[str]) -> pl.Expr:
    """A column as the schema has it; lists hold no nulls and are never null."""
    kind = COLUMNS[name]
    if not isinstance(kind, pl.List):
        return (pl.col(name) if name in present else pl.lit(None)).cast(kind)
    cell = pl.col(name).cast(kind) if name in present else pl.lit([], dtype=kind)
    return cell.fill_null([]).list.drop_nulls()
