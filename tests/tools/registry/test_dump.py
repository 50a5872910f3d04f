"""Files of models: the registry's own schema and the Hub's records, whole, cut off and hostile."""

import gzip
import json
import os
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from paging_hub import listed

from memory.errors import BadRequest
from memory.records import LineageEdge, Model
from memory.registry_store import RegistryStore, frame, line
from memory.registry_table import COLUMNS, models, table
from memory.scores import Scores
from tools.registry import dump, hub_record, loading
from tools.registry.hub_record import Held, Quarantined

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
FULL = Model(
    id="acme/full",
    params=7,
    params_estimated=True,
    licence="mit",
    languages=("de", "en"),
    context_length=4096,
    task="text-generation",
    bases=(LineageEdge(parent="acme/base", relation="quantized", source="card"),),
    downloads=0,
    trending=1.5,
    modified="2026-01-02T03:04:05+00:00",
    tags=("a", "b"),
    provenance={"params": ("card", "header")},
)


@pytest.fixture
def load(tmp_path, monkeypatch):
    (tmp_path / "snapshot.gz").write_bytes(
        gzip.compress(Model(id="b/undled").model_dump_json().encode())
    )
    monkeypatch.setattr("memory.registry_layers.SNAPSHOT", tmp_path / "snapshot.gz")
    store = RegistryStore(tmp_path / "registry")
    scores = Scores(tmp_path / "scores.sqlite", bundled=None)

    def run(path, **how):
        done = loading.load(path, store, scores, lambda: NOON, **how)
        return done, {one.id: one for one in models(pl.read_parquet(store.models))}

    run.store = store
    return run


def lines(path, *values):
    text = "".join((v if isinstance(v, str) else json.dumps(v)) + "\n" for v in values)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize("kind", ["parquet", "jsonl", "jsonl.gz"])
def test_a_dump_in_the_schema_comes_back_as_it_was(load, tmp_path, kind):
    path = tmp_path / f"my dump.{kind}"
    if kind == "parquet":
        table([FULL]).write_parquet(path)
    else:
        lines(path, FULL.model_dump())
    done, found = load(path)
    assert (done.layer, done.read, done.models) == ("my-dump", 1, 1)
    one = found["acme/full"]
    told = {
        "provenance": {
            name: ("card", "header") if name == "params" else (f"{path.name} 2026-11-25",)
            for name in one.provenance
        }
    }
    assert one == FULL.model_copy(update=told)
    assert set(one.provenance) >= {"licence", "bases", "downloads"}


def test_only_an_id_is_needed_and_unknown_columns_are_left_unread(load, tmp_path):
    _, found = load(lines(tmp_path / "d.jsonl", {"id": "a/b"}, {"id": "a/c", "mood": "good"}))
    assert found["a/b"] == Model(id="a/b")
    pl.DataFrame({"id": ["a/d"], "mood": [object.__name__]}).write_parquet(tmp_path / "p.parquet")
    _, found = load(tmp_path / "p.parquet")
    assert {"a/b", "a/c", "a/d", "b/undled"} == set(found)


def test_records_of_the_hub_are_taken_from_lines_and_from_parquet(load, tmp_path):
    _, found = load(lines(tmp_path / "hub.jsonl", listed(1), {"modelinfo": listed(2), "card": "x"}))
    assert found["org-1/model-1"].params == 10**9 + 1
    assert found["org-2/model-2"].licence == "apache-2.0"
    pl.DataFrame([listed(3)]).write_parquet(tmp_path / "q.parquet")
    _, found = load(tmp_path / "q.parquet")
    assert found["org-3/model-3"].modified == "2023-01-04T12:00:00+00:00"


def test_a_card_that_huggingface_hub_printed_as_yaml_is_read(load, tmp_path):
    info = {
        "id": "a/b",
        "card_data": "license: other\nlicense_name: llama9\nbase_model:\n- a/base\n",
    }
    bomb = {"id": "a/c", "sha": None, "card_data": "x: " + "[" * 5_000}
    _, found = load(lines(tmp_path / "d.jsonl", info, bomb))
    assert found["a/b"].licence == "llama9"
    assert [edge.parent for edge in found["a/b"].bases] == ["a/base"]
    assert found["a/c"] == Model(id="a/c")


def test_lines_that_are_no_records_are_set_aside_with_their_reason(load, tmp_path):
    rotten = ["{", "[]", "null", '{"id": "a/b", "params": ' + "[" * 99_999, "\x00", '{"id": ""}']
    done, found = load(lines(tmp_path / "d.jsonl", FULL.model_dump(), *rotten, "x" * 5_000_000))
    assert (done.read, done.quarantined, set(found)) == (8, 7, {"acme/full", "b/undled"})
    assert sum(load.store.state.quarantined["d"].values()) == 7


def test_loading_a_name_again_replaces_its_layer(load, tmp_path):
    path = tmp_path / "d.jsonl"
    load(lines(path, {"id": "a/b"}, {"id": "a/c"}, "{"))
    done, found = load(lines(path, {"id": "a/b", "likes": 3}))
    assert (done.models, set(found)) == (1, {"a/b", "b/undled"})
    assert load.store.state.quarantined == {}


def test_of_two_files_the_later_made_wins_field_by_field(load, tmp_path):
    load(lines(tmp_path / "new.jsonl", {"id": "a/b", "likes": 9}), as_of=date(2026, 5, 1))
    _, found = load(
        lines(tmp_path / "old.jsonl", {"id": "A/B", "likes": 1, "licence": "mit"}),
        as_of=date(2025, 5, 1),
    )
    assert (found["a/b"].likes, found["a/b"].licence) == (9, "mit")
    assert found["a/b"].provenance == {
        "likes": ("new.jsonl 2026-05-01",),
        "licence": ("old.jsonl 2025-05-01",),
    }


def test_what_tells_of_an_earlier_change_was_old_when_it_was_read(load, tmp_path):
    load(lines(tmp_path / "a.jsonl", {"id": "a/b", "likes": 9, "modified": "2026-02-01"}))
    stale = {"id": "a/b", "likes": 1, "modified": "2026-01-01", "library": "x"}
    _, found = load(lines(tmp_path / "b.jsonl", stale))
    assert (found["a/b"].likes, found["a/b"].library) == (9, "x")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("d.csv", b"id\na/b", "no known kind"),
        ("d.parquet", b"PAR1", "can't be read as Parquet"),
        ("d.jsonl.gz", b"no gzip", "can't be read after line 0"),
        ("d.jsonl.gz", gzip.compress(b'{"id":"a/b"}\n' * 99)[:-20], "can't be read after line"),
        ("d.jsonl", b"", "holds no record"),
        ("d.jsonl", b"{\n[\n", "holds no record"),
        ("d.jsonl", b"\xff\xfe{\x00}\x00\n", "holds no record"),
    ],
)
def test_a_file_that_can_not_be_used_is_one_line_and_changes_nothing(
    load, tmp_path, name, content, says
):
    load(lines(tmp_path / "good.jsonl", {"id": "a/b"}))
    before = load.store.models.read_bytes(), load.store.state
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadRequest, match=says):
        load(tmp_path / name)
    assert (load.store.models.read_bytes(), load.store.state) == before


def test_a_parquet_file_without_ids_or_no_file_is_told(load, tmp_path):
    pl.DataFrame({"name": ["a/b"]}).write_parquet(tmp_path / "d.parquet")
    with pytest.raises(BadRequest, match="has no column id"):
        load(tmp_path / "d.parquet")
    with pytest.raises(BadRequest, match="There is no file"):
        load(tmp_path / "none.parquet")


# --- whatever comes ---------------------------------------------------------------------

WHATEVER = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=8,
)
QUIET = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def check(held):
    """Either a reason, or a model that Parquet takes."""
    assert isinstance(held, Held | Quarantined)
    if isinstance(held, Held):
        assert hub_record.trouble_with_id(held.model.id) is None
        assert len(frame([line(held.model, held.hub_id, "")])) == 1


@QUIET
@given(st.dictionaries(st.sampled_from(sorted(listed(1))), WHATEVER, max_size=6))
def test_whatever_a_field_of_the_hub_holds_the_record_survives(changes):
    check(hub_record.read(listed(1) | changes, "hub"))


@QUIET
@given(st.dictionaries(st.sampled_from(sorted(COLUMNS)), WHATEVER, max_size=6))
def test_whatever_a_column_holds_the_row_survives(values):
    check(dump.of_row({"id": "a/b"} | values, "file"))


@QUIET
@given(WHATEVER)
def test_whatever_a_line_holds_is_a_model_or_a_reason(value):
    check(dump.read(value, "file"))


# --- real records -----------------------------------------------------------------------


def test_real_records_of_the_hub(load):
    data = os.environ.get("MIRROR_EVAL_DATA")  # noqa: TID251 - where the data is, not a setting
    path = Path(data or "none") / "lineage" / "models_2057_modelinfo_and_card.jsonl.gz"
    if not path.is_file():
        pytest.skip("needs MIRROR_EVAL_DATA")
    done, found = load(path, as_of=date(2025, 6, 1))
    assert (done.read, done.models, done.quarantined) == (2057, 1983, 74)
    one = found["google/gemma-7b"]
    assert (one.params, one.licence, one.gated) == (8_537_680_896, "gemma", "manual")
    edges = sum(bool(model.bases) for model in found.values())
    assert edges > 1_900
