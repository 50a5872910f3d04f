"""What the Hub says of absent models, against the stub Hub on loopback."""

from dataclasses import replace

import pytest
import world
from stub_hub import StubHub, down, found, missing, moved, record

from tools.clients.hub.api import Hub
from tools.plans import hub_lookup

GOOD, POOR = (next(m for m in world.MODELS if m.id == id) for id in (world.GOOD, world.POOR))


@pytest.fixture
def stub():
    with StubHub() as server:
        yield server


def _ask(stub, tmp_path, *models):
    with Hub(stub.url, timeout=5, sleep=lambda seconds: None) as hub:
        return hub_lookup.remarks(models, replace(world.deps(tmp_path), hub=hub))


def test_no_hub_no_remarks(tmp_path):
    assert hub_lookup.remarks([GOOD], world.deps(tmp_path)) == {}


def test_size_gate_and_absence(stub, tmp_path):
    stub.plays(GOOD.id, found(record(GOOD.id, {"model.safetensors": 2_500_000_000}, gated="auto")))
    stub.plays(POOR.id, missing())
    said = _ask(stub, tmp_path, GOOD, POOR)
    assert said == {GOOD.id: "gated on the Hub, 2.5 GB on the Hub", POOR.id: "no longer on the Hub"}


def test_pickles_and_new_names(stub, tmp_path):
    stub.plays(GOOD.id, found(record(GOOD.id, {"pytorch_model.bin": 10})))
    stub.plays(POOR.id, moved("acme/renamed"))
    stub.plays("acme/renamed", found(record("acme/renamed", {"model.safetensors": 10**9})))
    said = _ask(stub, tmp_path, GOOD, POOR)
    assert "pickled weights only" in said[GOOD.id]
    assert said[POOR.id] == "now named acme/renamed, 1.0 GB on the Hub"


def test_a_hub_that_is_down_costs_the_remarks_only(stub, tmp_path):
    stub.plays(GOOD.id, down())
    said = _ask(stub, tmp_path, GOOD, POOR)
    assert set(said) == {GOOD.id, POOR.id}
    assert all("503" in remark for remark in said.values())
