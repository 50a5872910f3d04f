"""The Hub client on recorded traffic: a cassette of the stub Hub, and real records if at hand."""

from __future__ import annotations

import gzip
import json
import os
import re
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from record import cassette, hub_traffic
from stub_hub import StubHub, found

from tools.clients.hub.api import Hub, HubFacts


def test_recorded_traffic_says_the_same_again() -> None:
    with cassette("hub_facts") as tape:
        replayed = hub_traffic("http://127.0.0.1:9")  # where nothing listens
    assert tape.all_played
    small, renamed, none, patient = replayed
    assert none is None
    told = [facts for facts in (small, renamed, patient) if facts]
    assert [(facts.id, facts.renamed_from) for facts in told] == [
        ("acme/small", None),
        ("acme/new-name", "acme/old-name"),
        ("acme/busy", None),
    ]
    assert {facts.weights_bytes for facts in told} == {269_060_552}


@pytest.fixture
def real_records() -> list[dict[str, Any]]:
    """Records as the Hub once sent them; they may be measured with, not committed."""
    place = os.environ.get("MIRROR_EVAL_DATA")  # noqa: TID251 - where the data is, not a setting
    beside = Path(__file__).parents[4] / "shared" / "data"
    folder = Path(place) if place else beside
    path = folder / "lineage" / "models_2057_modelinfo_and_card.jsonl.gz"
    if not path.exists():
        pytest.skip("no recorded Hub records here: set MIRROR_EVAL_DATA to the data folder")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        every = (json.loads(line)["modelinfo"] for line in lines)
        whole = (one for one in every if isinstance(one, dict) and one.get("id"))
        return list(islice(whole, 0, 1960, 28))


def as_sent(kept: dict[str, Any]) -> dict[str, Any]:
    """The record in the Hub's form: the archive kept siblings as reprs."""
    names = (re.match(r"RepoSibling\(rfilename='(.*?)', size=", one) for one in kept["siblings"])
    return kept | {"siblings": [{"rfilename": name[1]} for name in names if name]}


def agrees(facts: HubFacts, one: dict[str, Any]) -> bool:
    counted = one.get("safetensors") or one.get("gguf") or {}
    return (
        (facts.id, facts.revision) == (one["id"], one["sha"])
        and (facts.gated, facts.downloads) == (one["gated"], one["downloads"])
        and facts.params == counted.get("total")
        and facts.last_modified is not None
        and facts.weights_bytes is None  # the archive kept no sizes
    )


def test_real_records_are_all_understood(real_records: list[dict[str, Any]]) -> None:
    assert len(real_records) >= 50
    kinds = set()
    with StubHub() as stub, Hub(stub.url, timeout=5) as hub:
        for one in map(as_sent, real_records):
            stub.plays(one["id"], found(one))
            facts = hub.facts(one["id"])
            assert facts is not None
            assert agrees(facts, one), one["id"]
            kinds.add(facts.pickle_only)
    assert kinds == {True, False}
