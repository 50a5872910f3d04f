"""Layers merged range by range: the same as all at once, and as one dictionary would."""

import gzip
import random

import polars as pl
import pytest

from memory import registry_layers
from memory.records import Model
from memory.registry_layers import latest, merge, ranges, renamed
from memory.registry_store import existing, frame, line, write
from memory.registry_table import models

FACTS = ("likes", "licence", "tags", "modified", "params")


def facts(chance):
    """Some facts, each known or not."""
    stated = {
        "likes": chance.choice([None, 0, chance.randrange(9)]),
        "licence": chance.choice([None, "other", "mit", "gemma"]),
        "tags": tuple(chance.sample(["a", "b", "c"], chance.randrange(3))),
        "modified": chance.choice([None, f"2026-01-0{chance.randint(1, 9)}T00:00:00+00:00"]),
        "params": chance.choice([None, 7, 8]),
    }
    return stated | {"params_estimated": stated["params"] == 8}


def layers(folder, chance, count=3, size=40):
    """Some files of rows, with what is in them by id, oldest first."""
    paths, held = [], []
    for n in range(count):
        ids = chance.sample([f"org/m{i:03d}" for i in range(60)], size)
        found = {
            id: Model(id=id, **(known := facts(chance)), provenance={
                k: (f"layer {n}",) for k in FACTS if known[k] not in (None, ())
            })
            for id in ids
        }  # fmt: skip
        paths.append(folder / f"{n}.parquet")
        rows = frame(line(one, None, f"2026-0{n + 1}") for one in found.values()).sort("key")
        write(rows, paths[-1], 5)
        held.append(found)
    return [existing([path]) for path in paths], held


def by_hand(held):
    """The same merge, said another way: fact by fact, over all that is known of a model."""
    merged = {}
    for id in sorted({id for found in held for id in found}):
        rows = [found[id] for found in held if id in found]
        order = []
        for one in rows:  # later over earlier, but under it where it tells of an earlier change
            latest_change = max((r.modified for r in order if r.modified), default=None)
            stale = one.modified and latest_change and one.modified < latest_change
            order = [one, *order] if stale else [*order, one]
        values = {"likes": None, "licence": None, "params": None, "params_estimated": False}
        for one in order:
            if one.likes is not None:
                values["likes"] = one.likes
            if one.licence and (values["licence"] is None or one.licence != "other"):
                values["licence"] = one.licence
            if one.params and (
                values["params"] is None or values["params_estimated"] or not one.params_estimated
            ):
                values |= {"params": one.params, "params_estimated": one.params_estimated}
        values["tags"] = {tag for one in rows for tag in one.tags}
        merged[id] = values
    return merged


@pytest.mark.parametrize("seed", range(6))
def test_a_merge_is_what_a_dictionary_would_give_whatever_the_range(tmp_path, monkeypatch, seed):
    some, held = layers(tmp_path, random.Random(seed))
    whole = {}
    for span in (1_000, 7):
        monkeypatch.setattr(registry_layers, "SPAN", span)
        count = merge(some, tmp_path / "out.parquet")
        whole[span] = pl.read_parquet(tmp_path / "out.parquet")
        assert count == len(whole[span])
    assert whole[7].equals(whole[1_000])
    found = {one.id: one for one in models(whole[7])}
    assert list(found) == sorted(found)
    expected = by_hand(held)
    assert set(found) == set(expected)
    for id, values in expected.items():
        one = found[id]
        assert set(one.tags) == values.pop("tags")
        assert {name: getattr(one, name) for name in values} == values, id
        stated = {k for k in FACTS if getattr(one, k) not in (None, ())}
        assert set(one.provenance) == stated


@pytest.mark.parametrize("span", [1, 3, 60, 1_000])
def test_ranges_let_every_row_pass_once(tmp_path, monkeypatch, span):
    monkeypatch.setattr(registry_layers, "SPAN", span)
    some, held = layers(tmp_path, random.Random(9))
    passed = [len(layer.filter(one).collect()) for one in ranges(some) for layer in some]
    assert sum(passed) == sum(map(len, held))


def test_the_latest_row_of_a_key_wins_where_it_may_pass(tmp_path):
    some, held = layers(tmp_path, random.Random(4))
    count = latest(some, lambda rows: rows.filter(pl.col("id") != "org/m001"), tmp_path / "out")
    rows = pl.read_parquet(tmp_path / "out")
    newest = {id: one for found in held for id, one in found.items()}
    newest.pop("org/m001", None)
    assert count == len(newest)
    assert dict(rows.select("id", "likes").rows()) == {id: m.likes for id, m in newest.items()}


def test_nothing_merges_into_an_empty_table(tmp_path):
    assert merge([existing([])], tmp_path / "out.parquet") == 0
    assert len(pl.read_parquet(tmp_path / "out.parquet")) == 0


def test_a_new_repository_under_an_old_name_is_no_renaming():
    def rows(*pairs):
        return frame(line(Model(id=id), hub_id, "") for id, hub_id in pairs).lazy()

    before = rows(("a/old", "1"), ("a/other", "2"))
    moves = renamed(before, rows(("a/new", "1"), ("a/old", "3"), ("a/other", "2")))
    assert [(m.hub_id, m.was, m.now) for m in moves] == [("1", "a/old", "a/new")]


def test_the_bundled_snapshot_counts_as_read_when_its_latest_model_came_out(tmp_path, monkeypatch):
    lines = [Model(id="a/b", released=day).model_dump_json() for day in ("2025-01-01",)]
    lines.append(Model(id="a/c", released="2026-02-03").model_dump_json())
    (tmp_path / "s.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    monkeypatch.setattr(registry_layers, "SNAPSHOT", tmp_path / "s.gz")
    assert set(registry_layers.bundled()["seen"]) == {"2026-02-03"}
