"""Downloads from the stub Hub: what is fetched, what never is, and what breaks on the way."""

import errno
import json
import shutil
from collections import namedtuple

import pytest
from stub_hub import Reply, StubHub, down, found, missing, record, refused
from tiny_model import safetensors_bytes

from memory.records import Model
from tools.clients.backends.hf_backend import HfBackend
from tools.clients.backends.lm_eval_process import ArmFailed
from tools.clients.hub import download
from tools.clients.hub.api import Hub, HubUnavailable
from tools.clients.hub.download import Downloads
from tools.clients.weights import weights
from tools.clients.weights.unpack import WeightsUnavailable

TINY = Model(id="org/tiny")
SHA = record("x", {})["sha"]
CONFIG = {"architectures": ["LlamaForCausalLM"], "model_type": "llama"}
FIRST, LAST = (f"model-0000{i}-of-00002.safetensors" for i in (1, 2))
FILES = {
    "config.json": json.dumps(CONFIG).encode(),
    "tokenizer.json": b"{}",
    FIRST: safetensors_bytes((64, 64), "BF16"),
    LAST: safetensors_bytes((32, 64), "BF16"),
    "model.safetensors.index.json": json.dumps({"weight_map": {"a": FIRST, "b": LAST}}).encode(),
    "pytorch_model.bin": b"\x80\x04pickle",
    "modeling_tiny.py": b"import os",
    "README.md": b"# Tiny",
    "original/consolidated.00.pth": b"\x80\x04pickle",
}
SOUND = {
    "safetensors": {"parameters": {"BF16": 64 * 64 + 32 * 64}, "total": 64 * 64 + 32 * 64},
    "config": CONFIG,
}
OWN = {"architectures": ["LlamaForCausalLM"], "model_type": "of-nobody"}
OWN |= {"auto_map": {"AutoModelForCausalLM": "modeling_tiny.Tiny"}}


@pytest.fixture
def stub():
    with StubHub() as server:
        server.holds(TINY.id, FILES, **SOUND)
        yield server


@pytest.fixture
def downloads(stub, tmp_path):
    with Hub(stub.url, timeout=5, sleep=lambda seconds: None) as hub:
        yield Downloads(hub, cache=tmp_path / "hub")


def fetched(downloads):
    place = downloads.cache / "models--org--tiny" / "snapshots" / SHA
    return {path.name for path in place.iterdir()} if place.is_dir() else set()


def test_the_offer_names_commit_precision_and_bytes(downloads):
    arm = downloads.offer(TINY)
    wanted = [name for name in FILES if name.startswith(("model", "config", "tok"))]
    wanted.remove("modeling_tiny.py")
    assert (arm.name, arm.revision) == ("org/tiny @ BF16 safetensors", SHA)
    assert arm.download == sum(len(FILES[name]) for name in wanted)
    assert (arm.code, arm.trusted) == ((), False)


def test_what_was_offered_is_fetched_and_is_then_that_very_arm(downloads, tmp_path):
    arm, seen = downloads.offer(TINY), []
    downloads.fetch(arm, seen.append)
    names = {"config.json", "tokenizer.json", "model.safetensors.index.json"}
    assert fetched(downloads) == names | {FIRST, LAST}
    assert seen[-1].done == seen[-1].total
    (here,), missing_ = HfBackend(tmp_path, hf_cache=downloads.cache).arms([TINY])
    assert missing_ == {}
    assert here.identity == arm.identity
    assert (here.download, here.name) == (0, arm.name)


def test_neither_pickles_nor_code_ever_leave_the_hub(stub, downloads):
    downloads.fetch(downloads.offer(TINY), lambda _: None)
    assert not [place for place, _ in stub.sent if place.endswith((".bin", ".pth", ".py", ".md"))]


def test_code_is_fetched_for_a_ticked_arm_alone(stub, downloads):
    files = FILES | {"config.json": json.dumps(OWN).encode()}
    stub.holds(TINY.id, files, **SOUND | {"config": OWN})
    arm = downloads.offer(TINY)
    assert arm.code == ("modeling_tiny.py",)
    downloads.fetch(arm, lambda _: None)
    assert "modeling_tiny.py" not in fetched(downloads)
    downloads.fetch(arm.model_copy(update={"trusted": True}), lambda _: None)
    assert "modeling_tiny.py" in fetched(downloads)
    assert "pytorch_model.bin" not in fetched(downloads)


def test_the_commit_of_the_plan_is_fetched_when_the_model_moved_on(stub, downloads):
    arm = downloads.offer(TINY)
    newer = {**FILES, "tokenizer.json": b'{"newer": true}'}
    stub.holds(TINY.id, newer, **SOUND, sha="b" * 40)
    downloads.fetch(arm, lambda _: None)
    place = downloads.cache / "models--org--tiny" / "snapshots"
    assert [path.name for path in place.iterdir()] == [SHA]
    assert (place / SHA / "tokenizer.json").read_bytes() == b"{}"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"gated": "manual"}, r"gated: ask for access at http://.*/org/tiny and set MIRROR_HUB"),
        ({"config": {"architectures": ["BertModel"]}}, "not a causal language model"),
        ({"config": CONFIG | {"quantization_config": {"quant_method": "gptq"}}}, "stored as gptq"),
        ({"safetensors": {"parameters": {"BF16": 10**13}}}, "needs 40000 GB"),
        ({"safetensors": None}, "pickled weights only, which Mirror refuses"),
    ],
)
def test_what_can_not_be_measured_is_not_offered(stub, downloads, changes, says):
    stub.holds(TINY.id, FILES, **SOUND | changes)
    with pytest.raises(WeightsUnavailable, match=says):
        downloads.offer(TINY)


def test_a_record_that_hides_sizes_is_no_offer(stub, downloads):
    stub.plays(TINY.id, found(record(TINY.id, {"model.safetensors": None}, **SOUND)))
    with pytest.raises(HubUnavailable, match="does not say what org/tiny holds"):
        downloads.offer(TINY)


def test_gone_from_the_hub(stub, downloads):
    arm = downloads.offer(TINY)
    stub.plays(f"{TINY.id}/revision/{SHA}", missing())
    with pytest.raises(WeightsUnavailable, match="no longer has commit"):
        downloads.fetch(arm, lambda _: None)


Usage = namedtuple("Usage", "total used free")


def test_a_small_disk_is_noticed_before_anything_is_fetched(stub, downloads, monkeypatch):
    arm = downloads.offer(TINY)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 10**9, arm.download))
    for attempt in (lambda: downloads.offer(TINY), lambda: downloads.fetch(arm, lambda _: None)):
        with pytest.raises(WeightsUnavailable, match=r"needs .* GB in .*hub, .* GB are free"):
            attempt()
    assert stub.sent == [] or not [p for p, _ in stub.sent if "resolve" in p]


SECOND = f"{TINY.id}/resolve/{SHA}/{LAST}"
GATED = {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access is restricted"}


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (Reply(403, b"", GATED), "is gated: ask for access"),
        (Reply(401, b"", GATED), "is gated: ask for access"),
        (refused("no", 403), "refuses to answer"),
        (down(), "503"),
    ],
)
def test_a_refusal_half_way_is_one_line_and_keeps_what_came(
    stub, downloads, reply, says, monkeypatch
):
    monkeypatch.setattr("time.sleep", lambda _: None)
    arm = downloads.offer(TINY)
    stub.plays("/" + SECOND, reply)
    with pytest.raises(HubUnavailable, match=says) as raised:
        downloads.fetch(arm, lambda _: None)
    assert "\n" not in str(raised.value)
    assert FIRST in fetched(downloads)
    stub.replies.pop("/" + SECOND)
    stub.sent.clear()
    downloads.fetch(arm, lambda _: None)
    assert [place for place, size in stub.sent if size] == [f"/store/{SECOND}"]


def test_a_full_disk_half_way_is_one_line_and_keeps_what_came(stub, downloads, monkeypatch):
    import huggingface_hub

    real = huggingface_hub.hf_hub_download

    def full(repository, name, **options):
        if "00002-of" in name:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(repository, name, **options)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", full)
    arm = downloads.offer(TINY)
    with pytest.raises(WeightsUnavailable, match="is full before org/tiny is whole; finished"):
        downloads.fetch(arm, lambda _: None)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", real)
    stub.sent.clear()
    downloads.fetch(arm, lambda _: None)
    assert [place for place, size in stub.sent if size] == [f"/store/{SECOND}"]


def test_a_file_cut_off_is_no_weights(stub, downloads, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)
    arm = downloads.offer(TINY)
    whole = FILES[LAST]
    stub.plays("//store/" + SECOND, Reply(200, whole[:100], length=len(whole)))
    stub.plays("/store/" + SECOND, Reply(200, whole[:100], length=len(whole)))
    with pytest.raises(HubUnavailable, match="was not downloaded"):
        downloads.fetch(arm, lambda _: None)
    assert LAST not in fetched(downloads)


def test_a_line_too_slow_ends_when_the_plan_said(downloads, monkeypatch):
    arm = downloads.offer(TINY)
    monkeypatch.setattr(download, "seconds", lambda size: download.Took(0, -1000))
    with pytest.raises(HubUnavailable, match="gives less than 4 MB a second"):
        downloads.fetch(arm, lambda _: None)


def test_the_token_goes_to_the_hub_and_nowhere_else(stub, tmp_path):
    with Hub(stub.url, timeout=5, token="hf_secret") as hub:
        downloads = Downloads(hub, cache=tmp_path / "hub")
        downloads.fetch(downloads.offer(TINY), lambda _: None)
    assert {headers.get("authorization") for path, headers in stub.seen if "/api/" in path} == {
        "Bearer hf_secret"
    }
    for file in (tmp_path / "hub").rglob("*"):
        assert not file.is_file() or b"hf_secret" not in file.read_bytes()


def test_the_back_end_fetches_only_when_it_is_to_load(downloads, tmp_path, stub):
    backend = HfBackend(tmp_path, hf_cache=downloads.cache, downloads=downloads)
    arm, asked = downloads.offer(TINY), []
    before = backend.pace(arm)
    assert stub.sent == [] or not [p for p, _ in stub.sent if "resolve" in p]
    backend.load(arm, lambda request: asked.append(request) or iter(()))
    assert asked[0]["arguments"]["path"].endswith(SHA)
    assert asked[0]["arguments"]["trust_remote_code"] is False
    after = backend.pace(arm)
    assert before.load - after.load == pytest.approx(
        arm.download / download.BYTES_PER_SECOND, rel=0.05
    )
    assert backend.memory(arm) == 4 * (64 * 64 + 32 * 64)


def test_without_a_hub_a_planned_download_fails_in_words(downloads, tmp_path):
    arm = downloads.offer(TINY)
    alone = HfBackend(tmp_path, hf_cache=downloads.cache)
    with pytest.raises(ArmFailed, match=weights.ELSEWHERE):
        alone.pace(arm)


def test_weights_of_another_type_than_the_hub_said_are_named(stub, downloads, tmp_path):
    stub.holds(TINY.id, FILES, **SOUND | {"safetensors": {"parameters": {"F16": 6144}}})
    backend = HfBackend(tmp_path, hf_cache=downloads.cache, downloads=downloads)
    with pytest.raises(ArmFailed, match="turned out as BF16 safetensors; make a new plan"):
        backend.load(downloads.offer(TINY), lambda request: iter(()))


def test_of_several_revisions_here_the_plans_is_loaded(stub, downloads, tmp_path):
    arm = downloads.offer(TINY)
    downloads.fetch(arm, lambda _: None)
    stub.holds(TINY.id, FILES | {"tokenizer.json": b'{"newer": 1}'}, **SOUND, sha="b" * 40)
    newer = downloads.offer(TINY)
    downloads.fetch(newer, lambda _: None)
    backend = HfBackend(tmp_path, hf_cache=downloads.cache)
    (offered,), _ = backend.arms([TINY])
    assert offered.revision == newer.revision
    for one in (arm, newer):
        asked = []
        backend.load(one, lambda request: asked.append(request) or iter(()))  # noqa: B023
        assert asked[0]["arguments"]["path"].endswith(one.revision)
