"""The registry as a table: nothing is lost between record, row and Parquet."""

from __future__ import annotations

import polars as pl

from memory.records import Model
from memory.registry import Registry
from memory.registry_table import COLUMNS, models, table


def test_every_field_of_a_model_is_a_column():
    assert set(COLUMNS) == set(Model.model_fields)


def test_records_come_back_as_they_were_through_parquet(tmp_path):
    known = list(Registry.load().models.values())[:500]
    table(known).write_parquet(tmp_path / "models.parquet")
    assert list(models(pl.read_parquet(tmp_path / "models.parquet"))) == known
