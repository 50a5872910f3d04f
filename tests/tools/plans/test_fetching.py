"""Models to be downloaded in a plan: named with commit, size and time, and not fetched by it."""

from types import SimpleNamespace

import pytest
from machine import Machine, world
from stub_hub import StubHub, down, record

from memory.records import CONSTANT
from tools.clients.hub.api import Hub
from tools.clients.hub.download import Downloads
from tools.plans.planning import describe, make_plan

LLAMA = {"architectures": ["LlamaForCausalLM"], "model_type": "llama"}


class Fetching(Machine):
    """Measures what is to be downloaded as if it were here."""

    def seconds(self, arm, benchmark, items):
        low, middle, high = super().seconds(arm, benchmark, items)
        return low, middle + arm.download / 20e6, high + arm.download / 4e6


@pytest.fixture
def stub():
    with StubHub() as server:
        yield server


def planned(stub, tmp_path, reachable=("a/1",), **more):
    dossier, deps = world(Fetching(dict.fromkeys(reachable, ("f32",))), **more)
    with Hub(stub.url, timeout=5, sleep=lambda seconds: None) as hub:
        fetching = {"hub": hub, "downloads": Downloads(hub, cache=tmp_path / "hub")}
        return make_plan(dossier, SimpleNamespace(**vars(deps) | fetching, progress=lambda _: None))


def holds(stub, name, params, **changes):
    told = {"safetensors": {"parameters": {"BF16": params}}, "config": LLAMA} | changes
    stub.holds(name, {}, **told)
    stub.plays(name, *_sized(name, params, told))


def _sized(name, params, told):
    from stub_hub import found

    return [found(record(name, {"config.json": 500, "model.safetensors": 2 * params}, **told))]


def models(plan):
    return list(dict.fromkeys(step.arm.model for step in plan.steps))


def test_a_small_model_elsewhere_is_planned_with_its_download(stub, tmp_path):
    holds(stub, "b/2", 100_000_000)
    plan = planned(stub, tmp_path)
    assert models(plan) == ["a/1", "b/2", CONSTANT]
    arm = next(step.arm for step in plan.steps if step.arm.model == "b/2")
    assert (arm.download, arm.revision) == (200_000_500, record("x", {})["sha"])
    assert "b/2" not in plan.not_measured
    assert f"Downloads 0.2 GB: b/2@{arm.revision}" in describe(plan)
    assert not (tmp_path / "hub").exists()
    assert not [path for path, _ in stub.seen if "resolve" in path]


def test_what_is_here_comes_first_and_a_long_download_not_at_all(stub, tmp_path):
    holds(stub, "a/1", 50_000_000)
    holds(stub, "b/2", 2_000_000_000)
    plan = planned(stub, tmp_path, reachable=("b/2",), shortlist=("a/1", "b/2"))
    assert models(plan) == ["b/2", "a/1", CONSTANT]
    plan = planned(stub, tmp_path, reachable=("a/1",), minutes=1)
    assert models(plan) == ["a/1", CONSTANT]
    assert "downloading 4.0 GB takes about 3 minutes" in plan.not_measured["b/2"]


def test_where_nothing_is_here_a_download_still_is(stub, tmp_path):
    holds(stub, "b/2", 100_000_000)
    plan = planned(stub, tmp_path, reachable=())
    assert models(plan) == ["b/2", CONSTANT]
    assert all(step.here for step in plan.steps)


def test_why_a_model_is_not_offered_is_said(stub, tmp_path):
    holds(stub, "b/2", 100_000_000, gated="auto")
    said = planned(stub, tmp_path).not_measured["b/2"]
    assert said.startswith("weights not here; b/2 is gated: ask for access at http")


def test_a_hub_that_is_down_costs_the_downloads_only(stub, tmp_path):
    stub.plays("b/2", down())
    plan = planned(stub, tmp_path)
    assert models(plan) == ["a/1", CONSTANT]
    assert "503" in plan.not_measured["b/2"]
    assert len([path for path, _ in stub.seen if "b/2" in path]) == 4  # one question, four tries


def test_code_in_a_download_waits_for_its_tick(stub, tmp_path):
    own = {"model_type": "of-nobody", "auto_map": {"AutoConfig": "configuration_b.B"}}
    holds(stub, "b/2", 100_000_000, config=LLAMA | own)
    plan = planned(stub, tmp_path)
    assert models(plan) == ["a/1", CONSTANT]
    (waiting,) = {step.arm for step in plan.waiting}
    assert (waiting.code, waiting.trusted) == (("configuration_b.py",), False)
    assert f"--trust-remote-code b/2@{waiting.revision}" in plan.not_measured["b/2"]
