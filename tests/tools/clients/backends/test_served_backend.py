"""A model behind a server: traffic recorded from vLLM, and a server that is silently wrong."""

import sys
from pathlib import Path

import completions_server
import pytest

from agent.settings import worker_environment
from memory.errors import BackendUntrustworthy, BadRequest
from memory.records import Model
from tools.clients.backends.hf_backend import HfBackend
from tools.clients.backends.lm_eval_process import ArmFailed
from tools.clients.backends.lm_eval_runner import LmEvalRunner
from tools.clients.backends.served_backend import ServedBackend, Server, servers
from tools.clients.executors.executor import LocalExecutor

SMOL = Model(id="HuggingFaceTB/SmolLM2-135M-Instruct")
RECORDED = Path(__file__).parents[3] / "cassettes" / "completions_vllm.json.gz"


@pytest.fixture(scope="module")
def weights(request):
    """The carried weights, unpacked: their folder holds the tokenizer."""
    cache = request.config.cache.mkdir("mirror")
    local = LmEvalRunner(
        [HfBackend(cache, hf_cache=cache / "none")],
        LocalExecutor(sys.executable, worker_environment()),
        cache / "logs",
    )
    arm = local.arms([SMOL])[0][0]
    local.probe(arm)
    yield next(path for path in (cache / "weights").iterdir() if path.is_dir())
    local.close()


def served(tmp_path, url, tokenizer=None, key=None):
    backend = ServedBackend([Server(SMOL.id, url, SMOL.id, tokenizer)], key)
    made = LmEvalRunner(
        [backend], LocalExecutor(sys.executable, worker_environment()), tmp_path, timeout=60
    )
    return made, made.arms([SMOL])[0][0]


@pytest.mark.weights
def test_a_sound_server_is_believed_and_measures(tmp_path, weights):
    replay = completions_server.Replay(RECORDED)
    with replay as url:
        made, arm = served(tmp_path, url, weights, key="sesame")
        made.probe(arm)
        results = list(made.run(arm, "medmcqa", made.items("medmcqa", 6, 0)))
        made.close()
    assert not replay.strangers
    assert set(replay.keys_seen) == {"Bearer sesame"}
    assert [r.answer for r in results] == ["A"] * 6
    assert sum(r.correct for r in results) == 3


@pytest.mark.weights
def test_a_server_that_shifts_log_probabilities_is_refused(tmp_path, weights):
    with completions_server.Replay(RECORDED, completions_server.shifted) as url:
        made, arm = served(tmp_path, url, weights)
        with pytest.raises(BackendUntrustworthy, match="known answers|chain rule|greedy flag"):
            made.probe(arm)
        made.close()


@pytest.mark.weights
def test_whole_texts_are_read_at_a_server_token_by_token(tmp_path, weights):
    from tokenizers import Tokenizer

    texts = ["The capital of France is Paris.\n\nIs it?", "Paris"] * 5
    tokenizer = Tokenizer.from_file(str(weights / "tokenizer.json"))
    with completions_server.arithmetic() as url:
        made, arm = served(tmp_path, url, weights)
        found = list(made.log_probs(arm, texts))
        made.close()
    sums = [sum(tokenizer.encode(text, add_special_tokens=False).ids) for text in texts]
    assert [one.total for one in found] == pytest.approx([-total / 1000 for total in sums])
    assert all(one.tokens is None for one in found)


def test_each_server_is_an_arm_and_the_others_have_a_reason(tmp_path):
    twice = [Server(SMOL.id, f"http://127.0.0.1:{port}/v1", "smol") for port in (8000, 8001)]
    arms, reasons = ServedBackend(twice).arms([SMOL, Model(id="a/b")])
    assert [arm.name for arm in arms] == [
        f"{SMOL.id} @ 127.0.0.1:8000/v1",
        f"{SMOL.id} @ 127.0.0.1:8001/v1",
    ]
    assert reasons == {"a/b": "no server of MIRROR_SERVERS has it"}


def test_a_server_is_slow_or_fast_and_the_price_says_so(tmp_path):
    made, arm = served(tmp_path, "http://127.0.0.1:9/v1")
    low, expected, high = made.seconds(arm, "medmcqa", 100)
    assert low < expected / 10
    assert high > 5 * expected


def test_a_server_without_a_tokenizer_says_what_to_do(tmp_path):
    with completions_server.Replay(RECORDED) as url:
        made, arm = served(tmp_path, url)
        with pytest.raises(ArmFailed, match=r"tokenizer\.json into MIRROR_MODELS_DIR"):
            made.probe(arm)
        made.close()


def test_servers_are_read_from_one_line(tmp_path):
    folder = tmp_path / "org" / "name"
    folder.mkdir(parents=True)
    (folder / "tokenizer.json").write_text("{}")
    text = "org/name=http://127.0.0.1:8000/v1, a/b.c=https://host/v1#other-name"
    assert servers(text, tmp_path) == [
        Server("org/name", "http://127.0.0.1:8000/v1", "org/name", folder),
        Server("a/b.c", "https://host/v1", "other-name"),
    ]
    assert servers("") == []


@pytest.mark.parametrize("text", ["http://host/v1", "name=http://host", "a/b=ftp://host", "a/b"])
def test_a_server_that_can_not_be_read_is_shown(text):
    with pytest.raises(BadRequest, match="MIRROR_SERVERS"):
        servers(text)
