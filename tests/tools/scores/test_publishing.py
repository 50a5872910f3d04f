"""What may be published, as which files, and the pull request as the Hub receives it."""

import base64
import json

import pytest
import yaml
from stub_hub import Reply, StubHub, busy, down, found, missing, record, refused

from memory.errors import BadRequest, DamagedStore
from memory.records import CONSTANT, Origin, Score
from tools.clients.hub.api import Hub, HubUnavailable
from tools.clients.hub.commit import open_pull_request
from tools.scores import publishing
from tools.scores.publishing import NothingToPublish, prepare, why_not

PROTOCOL = "lm-eval 0.4.13 · 0-shot · no chat template · pubmedqa template v1.0 · acc · items x"


def score(value=0.5, **given):
    fixed = {
        "model": "acme/m",
        "revision": "a" * 40,
        "precision": "BF16 safetensors",
        "benchmark": "pubmedqa",
        "protocol": PROTOCOL,
        "origin": Origin.MEASURED,
        "source": "acme/m through hf",
        "n": 100,
        "low": 0.42,
        "high": 0.58,
        "date": "2026-01-02",
        "run": "r",
    }
    return Score(value=value, **(fixed | given))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"origin": Origin.ELSEWHERE}, "not measured here"),
        ({"origin": Origin.PREDICTED}, "not measured here"),
        ({"precision": "Q4_1 GGUF"}, "reduced"),
        ({"precision": "rtn-int3-g32 of Q4_1"}, "simulated"),
        ({"revision": None}, "no known commit"),
        ({"revision": "0123456789abcdef"}, "no known commit"),  # a digest of a local folder
        ({"model": CONSTANT}, "baseline"),
        ({"protocol": "scripted 1 · 0-shot"}, "lm-eval"),
        ({"source": "lm-eval results_1.json through dummy"}, "simulated"),
    ],
)
def test_what_a_stranger_could_not_repeat_stays_here(changes, reason):
    assert why_not(score()) == ""
    assert reason in why_not(score(**changes))
    with pytest.raises(NothingToPublish, match=reason):
        prepare(changes.get("model", "acme/m"), [score(**changes)])


def test_nothing_measured_is_told():
    with pytest.raises(NothingToPublish, match="nothing of it was measured here"):
        prepare("acme/m", [score(model="acme/other")])
    with pytest.raises(NothingToPublish, match="in run r2"):
        prepare("acme/m", [score()], "r2")


def test_files_hold_the_hubs_format_with_the_evidence():
    few = score(0.9, n=10)
    other = score(0.3, benchmark="piqa", protocol=PROTOCOL.replace("pubmedqa", "piqa"))
    made = prepare("acme/m", [few, score(), other, score(precision="Q4")])
    assert sorted(made.files) == [
        ".eval_results/mirror-piqa.yaml",
        ".eval_results/mirror-pubmedqa.yaml",
    ]
    assert yaml.safe_load(made.files[".eval_results/mirror-pubmedqa.yaml"]) == [
        {
            "dataset": {"id": "bigbio/pubmed_qa", "task_id": "pubmedqa"},
            "value": 0.5,
            "date": "2026-01-02",
            "notes": f"{PROTOCOL} · n = 100 · 90 % interval 0.4200-0.5800 · weights aaaaaaaaaaaa",
        }
    ]
    assert len(made.left_out) == 1
    assert "n = 100" in made.description


def test_a_leaderboards_own_names_can_be_given():
    made = prepare("acme/m", [score()], names={"pubmedqa": ("acme/bench", "yes_no")})
    (entry,) = yaml.safe_load(made.files[".eval_results/mirror-pubmedqa.yaml"])
    assert entry["dataset"] == {"id": "acme/bench", "task_id": "yes_no"}
    with pytest.raises(BadRequest, match="--as nobodys_task="):
        prepare("acme/m", [score(benchmark="nobodys_task")])


def test_files_are_written_as_in_the_repository(tmp_path):
    made = prepare("acme/m", [score()])
    home = publishing.write(made, tmp_path)
    assert (home / ".eval_results/mirror-pubmedqa.yaml").read_text("utf-8") in made.files.values()
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(BadRequest, match="can't be written"):
        publishing.write(made, tmp_path / "file")


def test_what_was_proposed_is_remembered(tmp_path):
    made, changed = prepare("acme/m", [score()]), prepare("acme/m", [score(0.51)])
    assert publishing.proposed(made, tmp_path) is None
    publishing.note_proposed(made, tmp_path, "https://hub/pr/1")
    assert publishing.proposed(made, tmp_path) == "https://hub/pr/1"
    assert publishing.proposed(changed, tmp_path) is None
    (tmp_path / "proposed.json").write_text("{", "utf-8")
    with pytest.raises(DamagedStore, match=r"proposed\.json"):
        publishing.proposed(made, tmp_path)


# --- the pull request -------------------------------------------------------------------


@pytest.fixture
def stub():
    with StubHub() as server:
        server.plays("acme/m", found(record("acme/m", {})))
        yield server


def propose(stub):
    with Hub(stub.url, token="hf_loopback_only", sleep=lambda _: None) as hub:
        files = {".eval_results/x.yaml": "- a: 1\n"}
        return open_pull_request(hub, "acme/m", files, "Add", "Why")


def test_a_pull_request_is_one_commit_with_the_files(stub, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert propose(stub) == f"{stub.url}/acme/m/discussions/7"
    asked, (path, body) = stub.posted[-2][0], stub.posted[-1]
    assert asked == "/api/models/acme/m/preupload/main?create_pr=1"
    assert path == "/api/models/acme/m/commit/main?create_pr=1"
    head, file = map(json.loads, body.splitlines())
    assert head == {"key": "header", "value": {"summary": "Add", "description": "Why"}}
    assert (file["key"], file["value"]["path"]) == ("file", ".eval_results/x.yaml")
    assert base64.b64decode(file["value"]["content"]) == b"- a: 1\n"
    assert all(headers["authorization"] == "Bearer hf_loopback_only" for _, headers in stub.seen)


def test_the_process_is_as_offline_as_before(stub, monkeypatch):
    from huggingface_hub import HfApi
    from huggingface_hub.errors import OfflineModeIsEnabled

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    propose(stub)
    with pytest.raises(OfflineModeIsEnabled):
        HfApi(endpoint=stub.url).model_info("acme/m")


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (missing(), "no such model"),
        (refused("Invalid user token", 401), "token"),
        (refused("Forbidden", 403), "refuses"),
        (busy(Retry_After="900"), "429"),
        (down(), "503"),
        (Reply(200, b'{"commitUrl": '), "no readable"),
        (found({"success": True}), "no readable"),
    ],
)
def test_a_hub_that_refuses_is_asked_once_and_says_where_to_look(stub, reply, says):
    stub.plays("acme/m/commit/main", reply)
    with pytest.raises(HubUnavailable, match=says) as failed:
        propose(stub)
    assert "/acme/m/discussions" in str(failed.value)
    assert "hf_loopback_only" not in str(failed.value)
    assert sum("/commit/" in path for path, _ in stub.posted) == 1


@pytest.mark.parametrize(("reply", "says"), [(missing(), "no such model"), (down(), "503")])
def test_a_model_is_looked_for_before_anything_is_sent(stub, reply, says):
    stub.plays("acme/m", reply)
    with pytest.raises(HubUnavailable, match=says):
        propose(stub)
    assert stub.posted == []


def test_no_hub_at_all():
    hub = Hub("http://127.0.0.1:9", token="hf_loopback_only")
    with hub, pytest.raises(HubUnavailable, match="can't be reached"):
        open_pull_request(hub, "acme/m", {"x": "y"}, "t", "d")
