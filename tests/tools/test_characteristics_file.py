"""Kept characteristics are those that would be worked out, whatever happens to the file."""

import numpy as np
import pytest
import world

from memory.registry import Registry
from tools.characteristics_file import cached
from tools.characterizer import characteristics

REGISTRY = Registry({model.id: model for model in world.MODELS}, "v1")


def _same(found, expected):
    assert found.models == expected.models
    assert found.labels == expected.labels
    np.testing.assert_array_equal(found.matrix.toarray(), expected.matrix.toarray())
    np.testing.assert_array_equal(found.own.toarray(), expected.own.toarray())


def test_the_second_time_reads_the_file(tmp_path, monkeypatch):
    expected = characteristics(REGISTRY.models)
    _same(cached(REGISTRY, tmp_path), expected)
    monkeypatch.setattr("tools.characterizer.characteristics", None)
    _same(cached(REGISTRY, tmp_path), expected)


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04junk", None])
def test_a_damaged_file_is_replaced(tmp_path, damage):
    cached(REGISTRY, tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-40] if damage is None else damage)
    _same(cached(REGISTRY, tmp_path), characteristics(REGISTRY.models))


def test_another_registry_is_another_file(tmp_path):
    cached(REGISTRY, tmp_path)
    fewer = Registry(dict(list(REGISTRY.models.items())[:2]), "v2")
    _same(cached(fewer, tmp_path), characteristics(fewer.models))
    assert len(list(tmp_path.iterdir())) == 2


def test_a_full_disk_only_costs_time(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    _same(cached(REGISTRY, blocked), characteristics(REGISTRY.models))
