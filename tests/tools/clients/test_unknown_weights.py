"""Weights that bring code along, in the real evaluation process: what runs, and what it can see."""

import json
import sys

import pytest
from tiny_model import llama

from agent.settings import worker_environment
from memory.records import Model
from tools.clients.backends.hf_backend import HfBackend
from tools.clients.backends.lm_eval_process import ArmFailed
from tools.clients.backends.lm_eval_runner import LmEvalRunner
from tools.clients.executors.executor import LocalExecutor
from tools.clients.executors.worker_pool import WorkerPool

OWN = Model(id="org/own")
MODELING = """
import os
from pathlib import Path

from transformers import LlamaConfig, LlamaForCausalLM

Path(os.environ["HOME"], "ran").write_text("\\n".join(os.environ))


class OwnConfig(LlamaConfig):
    model_type = "own-of-nobody"


class OwnForCausalLM(LlamaForCausalLM):
    config_class = OwnConfig
"""
SECRETS = ("HF_TOKEN", "OPENAI_API_KEY", "MIRROR_HUB_TOKEN", "MIRROR_API_KEY", "AWS_SECRET")


@pytest.fixture(scope="module")
def models_dir(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    folder = llama(root / "org" / "own")
    config = json.loads((folder / "config.json").read_text())
    auto = {"AutoConfig": "modeling.OwnConfig", "AutoModelForCausalLM": "modeling.OwnForCausalLM"}
    config |= {"model_type": "own-of-nobody", "architectures": ["OwnForCausalLM"]}
    (folder / "config.json").write_text(json.dumps(config | {"auto_map": auto}))
    (folder / "modeling.py").write_text(MODELING)
    return root


@pytest.fixture
def machine(models_dir, tmp_path, monkeypatch):
    """The runner, its executor and the arm; whatever the code sees is written to HOME."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in SECRETS:
        monkeypatch.setenv(name, "planted")
    backend = HfBackend(tmp_path / "cache", models_dir, tmp_path / "none")
    executor = LocalExecutor(sys.executable, worker_environment())
    runner = LmEvalRunner([backend], executor, tmp_path / "logs")
    yield runner, executor, next(arm for arm in runner.arms([OWN])[0] if arm.model == OWN.id)
    runner.close()


@pytest.mark.weights
def test_code_runs_for_a_ticked_arm_alone_and_sees_no_secret(machine, tmp_path):
    runner, executor, arm = machine
    assert arm.code == ("modeling.py",)
    with pytest.raises(ArmFailed, match="nobody ticked it"):
        list(runner.log_probs(arm, ["abc"]))
    assert not (tmp_path / "ran").exists()
    with pytest.raises(ArmFailed, match="contains custom code"):
        load_past_the_check(executor, tmp_path, arm, runner)
    assert not (tmp_path / "ran").exists()
    (scored,) = runner.log_probs(arm.model_copy(update={"trusted": True}), ["abc"])
    assert scored.total < 0
    seen = set((tmp_path / "ran").read_text().split("\n"))
    assert not seen & set(SECRETS)
    assert not [name for name in seen if name.startswith("MIRROR_")]


def load_past_the_check(executor, tmp_path, arm, runner):
    """What an arm without a tick would come to if the back end forgot to look."""
    folder = runner._backends["hf"]._held(arm).path
    arguments = {"path": str(folder), "round_bits": None, "trust_remote_code": False}
    pool = WorkerPool(executor, tmp_path / "logs")

    def load(worker):
        list(worker.ask({"op": "load", "backend": "hf", "arguments": arguments}, 100))

    try:
        with pool.lend("past", 0, load):
            pass
    finally:
        pool.close()


@pytest.mark.weights
def test_other_code_since_the_tick_does_not_run(machine, models_dir, tmp_path):
    runner, _, arm = machine
    file = models_dir / "org" / "own" / "modeling.py"
    before = file.read_text()
    file.write_text(before + "\n# changed")
    try:
        with pytest.raises(ArmFailed, match=f"no longer at revision {arm.revision}"):
            list(runner.log_probs(arm.model_copy(update={"trusted": True}), ["abc"]))
    finally:
        file.write_text(before)
    assert not (tmp_path / "ran").exists()
