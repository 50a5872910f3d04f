"""From a request to a measured decision on a model that the Hub has and this machine has not."""

from dataclasses import replace
from pathlib import Path

import pytest
import world
from huggingface_hub import constants
from stub_hub import StubHub, record
from tiny_model import llama

from agent import wiring
from agent.graph import build
from agent.session import Asked, Decided, Session
from agent.settings import Settings
from memory.conversations import Conversations
from memory.records import Model
from memory.registry import Registry
from tools.clients.backends.probe import KNOWN

TINY = Model(
    id="org/tiny", params=40_000, licence="apache-2.0", languages=("en",), task="text-generation"
)
SHA = record("x", {})["sha"]


@pytest.fixture
def stub(tmp_path):
    folder = llama(tmp_path / "tiny", [context + right for context, right, _ in KNOWN])
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    params = {"F32": len(files["model.safetensors"]) // 4}
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama"}
    extra = {"pytorch_model.bin": b"\x80\x04pickle", "setup.py": b"import os"}
    with StubHub() as server:
        server.holds(TINY.id, files | extra, safetensors={"parameters": params}, config=config)
        yield server


@pytest.mark.weights
def test_it_is_fetched_after_the_approval_and_then_measured(tmp_path, stub, monkeypatch):
    cache = tmp_path / "hub"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    settings = Settings(
        home=tmp_path / "home",
        cache=tmp_path / "cache",
        runs=tmp_path / "runs",
        minutes=0.05,
        offline=False,
        hub_url=stub.url,
        hub_token="hf_planted",
        _env_file=None,
    )
    registry, catalogue = Registry({TINY.id: TINY}, "made"), world.TwoBenchmarks()
    deps = replace(wiring.deps(settings), registry=registry, catalogue=catalogue)
    conversations = Conversations(settings.home / "conversations.sqlite")
    made = Session(build(conversations.checkpointer()), deps, conversations)
    try:
        asked = list(made.say("t", world.REQUEST))[-1]
        assert isinstance(asked, Asked)
        arm = asked.about.steps[0].arm
        assert (arm.tick, arm.backend) == (f"{TINY.id}@{SHA}", "hf")
        assert arm.download > 10_000
        assert not [path for path, _ in stub.sent if "resolve" in path]

        ended = list(made.answer("t", asked.interrupt, world.approval(asked.about)))[-1]
    finally:
        deps.runner.close()
    assert isinstance(ended, Decided)
    measured = [one for one in ended.decision.measurements if one.model == TINY.id]
    assert measured, ended.decision
    assert all(one.n > 0 for one in measured)
    (snapshot,) = (cache / "models--org--tiny" / "snapshots").iterdir()
    assert snapshot.name == SHA
    assert not {"pytorch_model.bin", "setup.py"} & {path.name for path in snapshot.iterdir()}
    assert deps.scores.known([TINY.id], [measured[0].benchmark])[0].revision == SHA
    assert not [path for path, _ in stub.sent if path.endswith((".bin", ".py"))]
    assert (Path(ended.report) / "report.html").is_file()
