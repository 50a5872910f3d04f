"""The lineage of a registry as arrays: its base_model edges with rows for ids."""

from __future__ import annotations

import numpy as np
import polars as pl

from tools.methods.lineage_graph import RELATIONS, Edges


def edges_of(facts: pl.DataFrame) -> Edges:
    """The edges of ``facts`` (columns ``id`` and ``bases``); parents nobody listed come last."""
    ids = facts["id"]
    told = (
        facts.select(pl.int_range(pl.len()).alias("child"), "bases")
        .explode("bases", empty_as_null=True)
        .drop_nulls()
        .unnest("bases")
    )
    absent = told["parent"].unique(maintain_order=True)
    absent = absent.filter(~absent.is_in(ids.implode()))
    node = pl.DataFrame({"parent": pl.concat([ids, absent.alias("id")])}).with_row_index("node")
    joined = told.join(node, on="parent", how="left", maintain_order="left")
    relation = joined["relation"].cast(pl.Enum(RELATIONS)).to_physical()
    return Edges.of(
        len(ids),
        joined["child"].to_numpy().astype(np.int64),
        joined["node"].to_numpy().astype(np.int64),
        relation.to_numpy().astype(np.uint8),
        nodes=len(node),
    )
