"""A sync that is killed at any point: the next one goes on and ends where it would have."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest
import syncing_process
from paging_hub import PagingHub, listed
from stub_hub import eval_result

from memory.registry_store import HUB, RegistryStore, existing
from memory.scores import Scores
from tools.clients.hub import listing
from tools.registry import syncing

RECORDS = [
    listed(n, evalResults=[eval_result("cais/mmlu", "anatomy", n / 1_000)]) for n in range(430)
]


def start(home, hub, *die):
    words = [sys.executable, syncing_process.__file__, str(home), hub.url, *map(str, die)]
    here = str(Path(__file__).parents[3])
    return subprocess.Popen(words, env={**os.environ, "PYTHONPATH": here})  # noqa: TID251 - a child's


def go_on(home, hub):
    """The sync that nothing kills, here."""
    with pytest.MonkeyPatch.context() as small:
        small.setattr(listing, "PAGE", 50)
        small.setattr(syncing, "PART", 100)
        syncing_process.sync(home, hub.url)


def layer(home):
    rows = existing([RegistryStore(home / "registry").layer(HUB)]).collect()
    return rows.sort("id")


def ended_well(home):
    """All is there once, nothing half done is left."""
    store = RegistryStore(home / "registry")
    assert store.state.reading is None
    left = [path.name for path in sorted(store.folder.rglob("*")) if path.is_file()]
    assert left == ["hub.parquet", "lock", "models.parquet", "state.json"]
    assert layer(home)["id"].to_list() == sorted(one["id"] for one in RECORDS)
    assert pl.scan_parquet(store.models).select(pl.len()).collect().item() == store.state.models
    assert len(Scores(home / "scores.sqlite", None).own()) == len(RECORDS)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    home = tmp_path_factory.mktemp("undisturbed")
    with PagingHub(RECORDS) as hub:
        go_on(home, hub)
    ended_well(home)
    return layer(home)


def test_killed_between_pages_it_goes_on_from_the_last_part(tmp_path, undisturbed):
    with PagingHub(RECORDS, pause=0.05) as hub:
        child = start(tmp_path, hub)
        deadline = time.monotonic() + 60
        while len(hub.asked) < 6 and time.monotonic() < deadline:
            time.sleep(0.005)
        os.kill(child.pid, signal.SIGKILL)
        assert child.wait(10) == -signal.SIGKILL
        reading = RegistryStore(tmp_path / "registry").state.reading
        assert reading.read >= 200
        hub.asked.clear()
        hub.pause = 0.0
        go_on(tmp_path, hub)
        assert len(hub.asked) == -(-(len(RECORDS) - reading.read) // 50)
    ended_well(tmp_path)
    assert layer(tmp_path).equals(undisturbed)


@pytest.mark.parametrize(
    "where",
    [
        ("memory.registry_store", "RegistryStore.add_part", 3),
        ("memory.registry_store", "RegistryStore.drop_parts", 2),
        ("memory.registry_layers", "join", 2),
    ],
    ids=lambda where: where[1],
)
def test_killed_while_it_writes_it_ends_the_same(tmp_path, undisturbed, where):
    with PagingHub(RECORDS) as hub:
        assert start(tmp_path, hub, *where).wait(60) == -signal.SIGKILL
        go_on(tmp_path, hub)
    ended_well(tmp_path)
    assert layer(tmp_path).drop("seen").equals(undisturbed.drop("seen"))
