"""The ingest evaluation loads what it made, whatever the kind of file."""

import gzip
import json

import pytest

from evals import ingest
from memory.records import Model


@pytest.fixture(autouse=True)
def _small(tmp_path, monkeypatch):
    lines = "\n".join(
        Model(id=f"b/{n}", params=n + 1, licence="mit", languages=("en",)).model_dump_json()
        for n in range(9)
    )
    (tmp_path / "s.gz").write_bytes(gzip.compress(lines.encode()))
    monkeypatch.setattr("memory.registry_layers.SNAPSHOT", tmp_path / "s.gz")
    monkeypatch.setattr("memory.registry.SNAPSHOT", tmp_path / "s.gz")


@pytest.mark.parametrize("kind", ingest.KINDS)
def test_every_made_model_is_loaded_and_measured(tmp_path, kind):
    path = tmp_path / f"{kind}.{'parquet' if kind.endswith('parquet') else 'jsonl'}"
    ingest.write(kind, 40, path)
    found = ingest.child(path, tmp_path / "home")
    assert found["models"] == 40
    assert found["records_per_s"] > 0
    assert found["peak_mb"] >= found["idle_mb"] > 0
    assert json.dumps(found)
