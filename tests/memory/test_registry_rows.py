"""A mapped registry is the same registry: records, names, children, facts."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memory.errors import BadRequest, DamagedStore
from memory.records import LineageEdge, Model
from memory.registry import Registry
from memory.registry_table import table

IDS = ("a/b", "A/B", "ünï/cödé", "x/\u202ereversed", 'o\'o/"quoted"', "d/e", "İ/K", "z/z")

names = st.lists(st.sampled_from(IDS), unique=True)
models = names.flatmap(
    lambda ids: st.tuples(
        *(
            st.builds(
                Model,
                id=st.just(id),
                params=st.none() | st.integers(0, 10**12),
                aliases=st.lists(st.sampled_from(("old/name", "Was/Called")), max_size=1).map(
                    tuple
                ),
                languages=st.lists(st.sampled_from(("en", "fr")), unique=True).map(tuple),
                bases=st.lists(
                    st.builds(
                        LineageEdge,
                        parent=st.sampled_from((*IDS, "gone/model")),
                        relation=st.sampled_from(("finetune", "quantized")),
                        source=st.just("test"),
                    ),
                    max_size=2,
                ).map(tuple),
                provenance=st.dictionaries(st.just("params"), st.just(("hub",))),
            )
            for id in ids
        )
    )
)


def synced(found, folder, name="models.parquet"):
    (table(found) if not isinstance(found, pl.DataFrame) else found).write_parquet(folder / name)
    return Registry.synced(folder / name, folder / "cache")


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(found=models)
def test_rows_are_the_records(tmp_path, found):
    plain = Registry({one.id: one for one in found}, "made")
    mapped = synced(found, tmp_path)
    assert dict(mapped.models) == plain.models
    assert list(mapped.models.values()) == list(found)
    assert list(mapped.ids) == list(plain.ids)
    for one in found:
        assert mapped.row(one.id) == plain.row(one.id)
        assert mapped.get(f" {one.id} ") == one
        made = tuple(m for m in found if one.id in {edge.parent for edge in m.bases})
        assert mapped.children(one.id) == plain.children(one.id) == made
        for alias in one.aliases:
            assert mapped.get(alias.upper()).aliases
    assert "gone/model" not in mapped.models
    assert mapped.models.get("gone/model") is None
    assert mapped.facts(("id", "params")).equals(plain.facts(("id", "params")))


def test_an_id_comes_before_an_alias_and_the_right_case_first(tmp_path):
    mapped = synced([Model(id="a/new", aliases=("A/Old",)), Model(id="a/old")], tmp_path)
    assert mapped.find("A/OLD") == "a/old"
    twins = synced([Model(id="a/b"), Model(id="A/B")], tmp_path, "twins.parquet")
    assert (twins.find("A/B"), twins.find("a/b")) == ("A/B", "a/b")


def test_an_unknown_model_names_the_nearest(tmp_path):
    mapped = synced([Model(id=f"lab/model-{k}") for k in range(30)], tmp_path)
    with pytest.raises(BadRequest, match="did you mean lab/model-1"):
        mapped.get("lab/modle-17")


def test_of_two_rows_with_one_id_the_last_counts_and_rows_without_are_left_out(tmp_path):
    rows = pl.DataFrame({"id": ["a/b", "c/d", None, "a/b"], "params": [1, 2, 3, 4]})
    mapped = synced(rows, tmp_path)
    assert {id: one.params for id, one in mapped.models.items()} == {"c/d": 2, "a/b": 4}
    assert mapped.models["a/b"].languages == ()


def test_other_facts_are_another_version(tmp_path):
    one = synced([Model(id="a/b")], tmp_path)
    two = synced([Model(id="a/b", params=1)], tmp_path)
    assert one.version != two.version
    assert two.models["a/b"].params == 1


@pytest.mark.parametrize("harm", ["absent", "cut", "no ids"])
def test_a_damaged_file_is_named(tmp_path, harm):
    file = tmp_path / "models.parquet"
    if harm == "cut":
        table([Model(id="a/b")]).write_parquet(file)
        file.write_bytes(file.read_bytes()[:100])
    if harm == "no ids":
        pl.DataFrame({"name": ["a"]}).write_parquet(file)
    with pytest.raises(DamagedStore, match=r"models\.parquet") as caught:
        Registry.synced(file, tmp_path / "cache")
    assert "\n" not in str(caught.value)
