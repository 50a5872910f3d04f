"""The made-up Hub has the real one's facts and families of its own, and can be built and asked."""

from __future__ import annotations

import os
import time
from pathlib import Path

import polars as pl
import pytest

from evals import scale
from evals.synthetic_hub import write
from memory.registry import Registry
from memory.registry_table import COLUMNS
from tools.clients.fakes import HashEmbedder

DATA = Path(os.environ.get("MIRROR_EVAL_DATA", "/work/shared/data"))  # noqa: TID251

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="needs the shared data")


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    file = tmp_path_factory.mktemp("hub") / "models.parquet"
    write(3_000, file, DATA)
    return file


def test_a_made_up_hub_looks_like_the_real_one(hub):
    made = pl.read_parquet(hub)
    assert (made.columns, made["id"].n_unique()) == (list(COLUMNS), 3_000)
    real = Registry.load().facts(("licence", "task"))
    for column in ("licence", "task"):
        share = [t[column].eq_missing(real[column].mode()[0]).mean() for t in (made, real)]
        assert share[0] == pytest.approx(share[1], abs=0.05)
    bases = made["bases"].list.len()
    assert (bases > 0).mean() == pytest.approx(0.55, abs=0.05)
    parents = made["bases"].explode(empty_as_null=True).drop_nulls().struct.field("parent")
    assert parents.value_counts()["count"].max() > 100
    assert parents.is_in(made["id"].implode()).all()


def test_it_is_built_and_asked(hub, tmp_path, monkeypatch):
    monkeypatch.setattr(scale, "OnnxEmbedder", HashEmbedder)
    monkeypatch.setattr(scale, "QUERIES", 5)
    built = scale.build(hub, tmp_path)
    assert built["build_peak_mb"] > 0 < built["labels"] < built["cells"]
    asked = scale.ask(hub, tmp_path, time.time())
    assert set(asked) == {"cold_start_s", "query_p50_ms", "query_p95_ms", "query_cpu_p95_ms"}
    assert 0 < asked["query_p50_ms"] <= asked["query_p95_ms"]
