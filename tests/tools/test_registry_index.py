"""The kept index is what would be derived, whatever happens to it."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import numpy as np
import pytest
import world

from memory.records import LineageEdge, Model, Requirements
from memory.registry import Registry
from memory.registry_table import table
from tools.choosing import funnel
from tools.registry_index import RegistryIndex

COPY = Model(
    id="acme/copy",
    bases=(LineageEdge(parent=world.GOOD, relation="quantized", source="test"),),
    quantization=("gguf",),
)
REGISTRY = Registry({model.id: model for model in [*world.MODELS, COPY]}, "v1")


def same(found, expected):
    assert found.characteristics.labels == expected.characteristics.labels
    for name in ("matrix", "own"):
        one, two = (getattr(index.characteristics, name) for index in (found, expected))
        np.testing.assert_array_equal(one.toarray(), two.toarray())
    np.testing.assert_array_equal(found.indicators.toarray(), expected.indicators.toarray())
    for name in ("root", "params", "estimated", "context"):
        np.testing.assert_array_equal(getattr(found.columns, name), getattr(expected.columns, name))
    assert found.columns.expected == expected.columns.expected
    wanted = Requirements(
        text="x", licence_use=("commercial",), languages=("en",), ecosystem=("gguf",)
    )
    for one, two in zip(
        funnel.critical(found.columns, wanted),
        funnel.critical(expected.columns, wanted),
        strict=True,
    ):
        assert list(one) == list(two)
    one, two = (funnel.important(REGISTRY.models, wanted, i.columns) for i in (found, expected))
    assert (one[0], list(one[1])) == (two[0], list(two[1]))


def test_the_second_time_it_is_read(tmp_path, monkeypatch):
    expected = RegistryIndex.of(REGISTRY)
    same(RegistryIndex.opened(REGISTRY, tmp_path), expected)
    monkeypatch.setattr(RegistryIndex, "of", None)
    same(RegistryIndex.opened(REGISTRY, tmp_path), expected)


@pytest.mark.parametrize("name", ["texts.json", "matrix.indices.npy", "root.npy"])
@pytest.mark.parametrize("content", [b"", b"hello", None])
def test_a_damaged_index_is_derived_again(tmp_path, name, content):
    RegistryIndex.opened(REGISTRY, tmp_path)
    (file,) = tmp_path.glob(f"*/{name}")
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]) if content is None else content)
    same(RegistryIndex.opened(REGISTRY, tmp_path), RegistryIndex.of(REGISTRY))
    assert file.read_bytes() == whole


def test_other_facts_make_another_index(tmp_path):
    RegistryIndex.opened(REGISTRY, tmp_path)
    fewer = Registry(dict(list(REGISTRY.models.items())[:2]), "v2")
    assert len(RegistryIndex.opened(fewer, tmp_path).columns.root) == 2
    assert len(list(tmp_path.glob("index.*/texts.json"))) == 2


def test_an_empty_registry(tmp_path):
    index = RegistryIndex.opened(Registry({}, "none"), tmp_path)
    result, fallen = funnel.critical(index.columns, Requirements(text="x"))
    assert (result.considered, len(fallen)) == (0, 0)


def test_two_processes_build_a_mapped_registry_at_once(tmp_path):
    table(REGISTRY.models.values()).write_parquet(tmp_path / "models.parquet")
    code = """
        import sys
        from pathlib import Path
        from memory.registry import Registry
        from tools.registry_index import RegistryIndex

        folder = Path(sys.argv[1])
        registry = Registry.synced(folder / "models.parquet", folder / "cache")
        print(RegistryIndex.opened(registry, folder / "cache").characteristics.matrix.nnz)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    expected = f"{RegistryIndex.of(REGISTRY).characteristics.matrix.nnz}\n"
    assert [one.communicate(timeout=100)[0] for one in both] == [expected, expected]
