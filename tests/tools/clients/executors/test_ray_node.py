"""What a node checks of a request before its process sees it; no cluster is needed for that."""

import json

import pytest
from tiny_model import safetensors

from tools.clients.backends.lm_eval_process import ArmFailed
from tools.clients.executors.ray_node import on_this_node
from tools.clients.weights import weights
from tools.clients.weights.unpack import WeightsUnavailable


def folder(root, **config):
    root.mkdir(parents=True)
    (root / "config.json").write_text(
        json.dumps({"architectures": ["LlamaForCausalLM"], "model_type": "llama", **config})
    )
    safetensors(root / "model.safetensors")
    return root


def load(place, **arguments):
    return {"op": "load", "backend": "hf", "arguments": {"path": str(place), **arguments}}


def test_what_is_here_and_fits_goes_on_as_it_is(tmp_path):
    request = load(folder(tmp_path / "m"))
    assert on_this_node(request) == request
    assert on_this_node({"op": "probe"}) == {"op": "probe"}


def test_it_is_this_nodes_memory_that_counts(tmp_path, monkeypatch):
    place = folder(tmp_path / "m")
    monkeypatch.setattr(weights.os, "sysconf", lambda name: 1)
    with pytest.raises(WeightsUnavailable, match="GB in float32"):
        on_this_node(load(place))


OWN = {"model_type": "of-nobody", "auto_map": {"AutoConfig": "configuration_x.X"}}


def test_code_runs_only_ticked_and_from_a_commit(tmp_path):
    loose = folder(tmp_path / "m", **OWN)
    pinned = folder(tmp_path / "models--o--m" / "snapshots" / ("a" * 40), **OWN)
    for place in (loose, pinned):
        (place / "configuration_x.py").write_text("")
    for request in (load(loose, trust_remote_code=True), load(pinned), load(loose)):
        with pytest.raises(ArmFailed, match="runs only when ticked"):
            on_this_node(request)
    request = load(pinned, trust_remote_code=True)
    assert on_this_node(request) == request
