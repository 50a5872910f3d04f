import os
import sys
import time
from pathlib import Path

import pytest

from agent.settings import worker_environment
from memory.errors import BackendUntrustworthy
from tools.clients.backends.lm_eval_process import ALLOWED, ROOT, ArmFailed, WorkerProcess
from tools.clients.backends.lm_eval_worker import outcome, serve

ECHO = """
import json, os, sys, time
for line in sys.stdin:
    request = json.loads(line)
    seen = {"got": request, "env": dict(os.environ), "pid": os.getpid()}
    print(json.dumps({"event": "item", **seen}), flush=True)
    exec(request.get("do", ""))
    print('{"event": "done"}', flush=True)
"""


ENVIRONMENT = {"PATH": "/usr/bin:/bin", "MIRROR_API_KEY": "secret", "LD_PRELOAD": "secret"}


@pytest.fixture
def worker(tmp_path):
    process = WorkerProcess((sys.executable, "-c", ECHO), ENVIRONMENT, tmp_path / "log")
    yield process
    process.kill()


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def zombie(pid):
    """Dead, but not yet reaped by whatever adopted it."""
    return Path(f"/proc/{pid}/stat").read_text("utf-8").split()[2] == "Z"


def test_requests_are_answered_one_after_another(worker):
    for n in range(3):
        (event,) = worker.ask({"n": n}, timeout=20)
        assert event["got"] == {"n": n}
    assert worker.alive


def test_secrets_stay_with_the_parent(worker):
    (event,) = worker.ask({}, timeout=20)
    assert "MIRROR_API_KEY" not in event["env"]
    assert "secret" not in str(event["env"])
    assert event["env"]["HF_HUB_OFFLINE"] == "1"
    assert event["env"]["PATH"] == ENVIRONMENT["PATH"]


def test_what_the_deployment_passes_on_is_what_the_worker_takes(monkeypatch):
    given = {"PATH": "/p", "HOME": "/h", "LANG": "C", "LC_ALL": "C", "CUDA_VISIBLE_DEVICES": "1"}
    for name, value in (given | {"MIRROR_API_KEY": "secret"}).items():
        monkeypatch.setenv(name, value)
    assert worker_environment() == given
    assert set(given) == set(ALLOWED)


@pytest.mark.parametrize(
    ("do", "message"),
    [
        ("sys.exit(3)", "ended .exit code 3."),
        ("os.kill(os.getpid(), 9)", "ended .SIGKILL, most likely out of memory."),
        ("os.kill(os.getpid(), 11)", "ended .SIGSEGV."),
        ("time.sleep(60)", "No answer for 1 s"),
        ("print('hello', flush=True)", "Not an event: b'hello"),
        ("print('[1]', flush=True)", "Not an event"),
        ("print(b'\\xff'.hex() * 9, flush=True)", "Not an event"),
    ],
)
def test_whatever_goes_wrong_is_one_clear_line_and_nothing_is_left(worker, do, message):
    events = worker.ask({"do": do}, timeout=1)
    pid = next(events)["pid"]
    with pytest.raises(ArmFailed, match=message) as caught:
        next(events)
    assert str(worker.log) in str(caught.value)
    assert not worker.alive
    assert gone(pid)


def test_its_scratch_folder_goes_with_it(worker):
    (event,) = worker.ask({"do": "open(os.environ['TMPDIR'] + '/x', 'w').close()"}, timeout=20)
    scratch = Path(event["env"]["TMPDIR"])
    assert (scratch / "x").exists()
    worker.kill()
    assert not scratch.exists()


def test_a_reported_error_leaves_the_worker_usable(worker):
    error = '{"event": "error", "kind": "untrustworthy", "text": "why"}'
    with pytest.raises(BackendUntrustworthy, match="^why$"):
        list(worker.ask({"do": f"print({error!r}, flush=True)"}, timeout=20))
    assert worker.alive


def test_closing_midway_ends_the_whole_group(worker):
    do = "import subprocess; p = subprocess.Popen(['sleep', '60']); "
    do += "print(json.dumps({'event': 'item', 'child': p.pid}), flush=True); time.sleep(60)"
    events = worker.ask({"do": do}, timeout=20)
    parent, child = next(events)["pid"], next(events)["child"]
    events.close()
    assert gone(parent)
    deadline = time.monotonic() + 5
    while not (ended := gone(child) or zombie(child)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert ended


def test_a_request_to_a_dead_worker_says_so(worker):
    worker.kill()
    with pytest.raises(ArmFailed, match="ended"):
        list(worker.ask({}, timeout=5))


def test_an_unloadable_request_is_an_error_event_and_the_next_one_is_heard():
    sent = []
    serve(['{"op": "unpack", "gguf": "/none", "wrong": 1}\n'] * 2, sent.append)
    assert [event["event"] for event in sent] == ["error", "error"]


def sample(scores, acc=1.0):
    arguments = [("prompt", " yes"), ("prompt", " no")]
    return {"filtered_resps": [(s, False) for s in scores], "arguments": arguments, "acc": acc}


def test_the_likeliest_choice_is_the_answer():
    assert outcome(sample([-3.0, -1.0])) == {"correct": 1.0, "answer": "no"}


def test_a_score_that_is_no_number_is_missing_not_wrong():
    assert outcome(sample([-3.0, float("nan")], acc=0.0)) == {"correct": None, "answer": ""}


def test_an_interpreter_of_another_environment_finds_our_packages():
    """It has no install of ours: the folder that holds ``tools`` is all it is given."""
    assert (ROOT / "tools" / "clients" / "backends" / "lm_eval_worker.py").is_file()
