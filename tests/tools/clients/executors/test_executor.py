"""What every executor promises, asked of this machine and of a Ray cluster alike."""

import os
import signal
import subprocess
import sys
import threading
import time
from importlib.util import find_spec
from itertools import accumulate
from pathlib import Path
from types import SimpleNamespace

import pytest
from ray_cluster import SECRET, cluster

from agent import wiring
from agent.settings import Settings, worker_environment
from memory.errors import BackendUntrustworthy, BadRequest
from memory.ledger import Ledger
from memory.records import CONSTANT, Approval, Arm, Model, Plan, Step
from memory.scores import Scores
from tools import herd_runner
from tools.clients.backends.backend import Pace
from tools.clients.backends.lm_eval_process import ArmFailed
from tools.clients.backends.lm_eval_runner import LmEvalRunner
from tools.clients.executors.executor import LocalExecutor
from tools.clients.executors.ray_executor import RayExecutor
from tools.clients.executors.worker_pool import WorkerPool
from tools.clients.fakes import FixedClock
from tools.deps import silent

ROOT = Path(__file__).resolve().parents[4]

ECHO = """
import json, os, sys, time
print("started", file=sys.stderr, flush=True)
for line in sys.stdin:
    request = json.loads(line)
    seen = {"got": request, "env": dict(os.environ), "pid": os.getpid()}
    print(json.dumps({"event": "item", **seen}), flush=True)
    exec(request.get("do", ""))
    print('{"event": "done"}', flush=True)
"""


@pytest.fixture(scope="module")
def address():
    if find_spec("ray") is None:
        pytest.skip("Ray is not installed: pip install -e '.[ray]'")
    import ray

    with cluster(ROOT) as made:
        yield made
        ray.shutdown()


@pytest.fixture(params=["local", "ray"])
def executor(request):
    if request.param == "local":
        env = worker_environment() | {"MIRROR_API_KEY": SECRET}
        return LocalExecutor(sys.executable, env, arguments=("-c", ECHO))
    return on_cluster(request.getfixturevalue("address"))


def on_cluster(address, **more):
    more = {"gpus": 1, "python": sys.executable, "arguments": ("-c", ECHO)} | more
    return RayExecutor(address, worker_environment, **more)


@pytest.fixture
def start(executor, tmp_path):
    """Starts workers, and ends them."""
    started = []

    def one():
        started.append(executor.start(tmp_path / f"{len(started)}.log", 1000))
        return started[-1]

    yield one
    for worker in started:
        worker.kill()


def ended(pid, seconds=10):
    """Whether the process is gone, or dead and not yet reaped, in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.02)
    return False


def test_requests_are_answered_one_after_another(start):
    worker = start()
    assert worker.alive
    for n in range(3):
        (event,) = worker.ask({"n": n}, timeout=20)
        assert event["got"] == {"n": n}
    assert worker.alive
    worker.kill()
    assert not worker.alive
    assert worker.log.read_text("utf-8") == "started\n"
    assert ended(event["pid"])


def test_no_secret_of_parent_or_node_reaches_the_process(start):
    (event,) = start().ask({}, timeout=20)
    assert "MIRROR_API_KEY" not in event["env"]
    assert SECRET not in str(event["env"])
    assert event["env"]["HF_HUB_OFFLINE"] == "1"
    assert event["env"]["PATH"] == worker_environment()["PATH"]


WRONG = {
    "sys.exit(3)": "ended .exit code 3.",
    "os.kill(os.getpid(), 9)": "ended .SIGKILL, most likely out of memory.",
    "import ctypes; ctypes.string_at(0)": "ended .SIGSEGV.",
    "time.sleep(60)": "No answer for 1 s",
    "print('hello', flush=True)": "Not an event: b'hello",
}


def test_what_goes_wrong_is_one_clear_line_and_ends_that_worker_only(start):
    bystander = start()
    for do, message in WRONG.items():
        worker = start()
        list(worker.ask({}, timeout=20))
        events = worker.ask({"do": do}, timeout=1)
        pid = next(events)["pid"]
        with pytest.raises(ArmFailed, match=message) as caught:
            next(events)
        assert str(worker.log) in str(caught.value)
        assert "started" in worker.log.read_text("utf-8")
        assert not worker.alive
        assert ended(pid)
        assert bystander.alive
        assert list(bystander.ask({}, timeout=20))


def test_a_reported_error_leaves_the_worker_usable(start):
    worker = start()
    error = '{"event": "error", "kind": "untrustworthy", "text": "why"}'
    with pytest.raises(BackendUntrustworthy, match="^why$"):
        list(worker.ask({"do": f"print({error!r}, flush=True)"}, timeout=20))
    assert worker.alive


def test_closing_midway_ends_the_whole_group(start):
    do = "import subprocess; p = subprocess.Popen(['sleep', '60']); "
    do += "print(json.dumps({'event': 'item', 'child': p.pid}), flush=True); time.sleep(60)"
    events = start().ask({"do": do}, timeout=20)
    parent, child = next(events)["pid"], next(events)["child"]
    events.close()
    assert ended(parent)
    assert ended(child)


def test_killed_from_another_thread_in_mid_request(start):
    worker = start()
    events = worker.ask({"do": "time.sleep(60)"}, timeout=60)
    pid = next(events)["pid"]
    threading.Timer(0.3, worker.kill).start()
    began = time.monotonic()
    with pytest.raises(ArmFailed, match="ended"):
        next(events)
    assert time.monotonic() - began < 10
    assert ended(pid)
    with pytest.raises(ArmFailed, match="ended"):
        list(worker.ask({}, timeout=5))


def test_two_workers_compute_side_by_side(start):
    a, b = start(), start()
    first = a.ask({"do": "time.sleep(0.5)"}, timeout=20)
    second = b.ask({"do": "time.sleep(0.5)"}, timeout=20)
    assert next(first)["pid"] != next(second)["pid"]
    began = time.monotonic()
    assert list(first) == list(second) == []
    assert time.monotonic() - began < 0.9


@pytest.mark.parametrize("do", ["", "time.sleep(60)"])
def test_workers_of_a_killed_parent_go_with_it(executor, tmp_path, request, do):
    """``kill -9`` of the parent, between requests and for a cluster also in the midst of one."""
    where = type(executor).__name__
    if where == "LocalExecutor":
        if do:
            pytest.skip("a local process notices when its request is done and stdin has ended")
        make = f"LocalExecutor({sys.executable!r}, {{}}, arguments=('-c', {ECHO!r}))"
    else:
        address = request.getfixturevalue("address")
        make = f"RayExecutor({address!r}, worker_environment, gpus=1, python={sys.executable!r}, "
        make += f"arguments=('-c', {ECHO!r}))"
    code = f"""
import time, pathlib
from agent.settings import worker_environment
from tools.clients.executors.executor import LocalExecutor
from tools.clients.executors.ray_executor import RayExecutor
worker = {make}.start(pathlib.Path({str(tmp_path / "w.log")!r}), 1000)
for event in worker.ask({{"do": {do!r}}}, 60):
    print(event["pid"], flush=True)
time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE)
    pid = int(parent.stdout.readline())
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    assert ended(pid)


# What only a cluster can do wrong.


def test_the_cluster_says_how_many_arms_have_room(address):
    assert on_cluster(address).at_once == 2
    assert on_cluster(address, gpus=0.5).at_once == 4
    assert on_cluster(address, gpus=0).at_once == 1
    with pytest.raises(BadRequest, match="No node .* has 3 GPUs.*MIRROR_RAY_GPUS_PER_ARM"):
        _ = on_cluster(address, gpus=3).at_once


def test_an_idle_arm_makes_room_for_the_next_and_no_more_run_than_fit(address, tmp_path):
    pool = WorkerPool(on_cluster(address), tmp_path)
    pids = {}

    def load(worker):
        (pids[worker.log.stem],) = (event["pid"] for event in worker.ask({}, 20))

    for name in ("a", "b", "c"):
        with pool.lend(name, 10, load) as worker:
            assert list(worker.ask({}, timeout=20))
    assert ended(pids["lm-eval-a"])
    pool.close()
    assert ended(pids["lm-eval-b"])
    assert ended(pids["lm-eval-c"])


def test_an_arm_without_a_place_says_so_and_takes_none_later(address, tmp_path):
    held = [on_cluster(address).start(tmp_path / f"{n}.log", 10) for n in range(2)]
    for worker in held:
        list(worker.ask({}, timeout=20))
    waiting = on_cluster(address, start_seconds=1).start(tmp_path / "waiting.log", 10)
    with pytest.raises(ArmFailed, match="no room for 1 s; see `ray status`"):
        list(waiting.ask({}, timeout=20))
    assert not waiting.alive
    for worker in held:
        worker.kill()


def test_weights_that_the_node_lacks_are_named(address, tmp_path):
    worker = on_cluster(address).start(tmp_path / "w.log", 10)
    request = {"op": "load", "backend": "hf", "arguments": {"path": "/none/here"}}
    with pytest.raises(ArmFailed, match=r"Node \S+ has no /none/here: share that folder"):
        list(worker.ask(request, timeout=20))
    assert worker.alive
    worker.kill()


def test_an_actor_lost_before_its_first_request_is_made_again(address, tmp_path):
    import ray

    worker = on_cluster(address).start(tmp_path / "w.log", 10)
    ray.kill(worker._actor)
    assert list(worker.ask({}, timeout=20))
    worker.kill()


def test_a_process_that_can_not_start_is_an_arm_that_failed(address, tmp_path):
    worker = on_cluster(address, python="/none/python").start(tmp_path / "w.log", 10)
    with pytest.raises(ArmFailed, match="evaluation actor ended .*'/none/python'"):
        list(worker.ask({}, timeout=20))


def test_what_a_program_leaves_on_the_node_goes_when_it_ends(address, tmp_path):
    code = f"""
import pathlib
from agent.settings import worker_environment
from tools.clients.executors.ray_executor import RayExecutor
executor = RayExecutor({address!r}, worker_environment, gpus=1, arguments=('-c', {ECHO!r}))
worker = executor.start(pathlib.Path({str(tmp_path / "w.log")!r}), 1000)
(event,) = worker.ask({{}}, 60)
print(event["pid"], event["env"]["TMPDIR"])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    pid, scratch = done.stdout.decode().split()
    assert ended(int(pid))
    assert not Path(scratch).exists()
    assert (tmp_path / "w.log").read_text("utf-8") == "started\n"


def test_an_actor_that_dies_is_an_arm_that_failed(address, tmp_path):
    worker = on_cluster(address).start(tmp_path / "w.log", 10)
    events = worker.ask(
        {"do": "actor = os.getppid(); time.sleep(0.5); os.kill(actor, 9); time.sleep(60)"},
        timeout=20,
    )
    pid = next(events)["pid"]
    with pytest.raises(ArmFailed, match=r"The evaluation actor ended .*w\.log"):
        next(events)
    assert not worker.alive
    assert worker.log.read_text("utf-8")
    assert ended(pid, seconds=2) or not os.kill(pid, signal.SIGKILL)


ANSWERS = """
import json, os, sys, time
for line in sys.stdin:
    request = json.loads(line)
    if request["op"] == "evaluate":
        time.sleep(0.2)
        for index, doc in enumerate(request["docs"]):
            right = {"event": "item", "index": index, "correct": index % 2, "answer": "a"}
            print(json.dumps(right), flush=True)
    print('{"event": "done"}', flush=True)
"""


class Named:
    """A back end whose arms need no weights; the workers above answer for them."""

    name = "named"

    def arms(self, models):
        return [Arm(name=one.id, model=one.id, backend=self.name) for one in models], {}

    def load(self, arm, ask):
        assert list(ask({"op": "load", "backend": self.name, "arguments": {}})) == []

    def pace(self, arm):
        return Pace(start=0.0, load=0.0, per_token=0.0, per_item=0.05, per_new_token=0.0)

    def memory(self, arm):
        return 10


def test_a_race_on_the_cluster_runs_side_by_side_within_its_cap(address, tmp_path, monkeypatch):
    logs = tmp_path / "logs"
    runner = LmEvalRunner([Named()], on_cluster(address, arguments=("-c", ANSWERS)), logs)
    arms, _ = runner.arms([Model(id="o/a"), Model(id="o/b")])
    steps = tuple(
        Step(arm=arm, benchmark="medmcqa", protocol=runner.protocol("medmcqa"), items=24,
             usd_low=usd, usd=usd, usd_high=usd, minutes_low=0, minutes=1, minutes_high=1)
        for arm in arms
        for usd in [0.0 if arm.model == CONSTANT else 0.048]
    )  # fmt: skip
    plan = Plan(thread="t", run="r", steps=steps, seed=3, cap_usd=0.1)
    approval = Approval(plan=plan.hash, decision="approve", by="me", surface="test", at="now")
    clock = FixedClock()
    ledger, scores = Ledger(tmp_path / "ledger", clock), Scores(tmp_path / "scores", bundled=None)
    ledger.record_approval(approval)
    deps = SimpleNamespace(clock=clock, ledger=ledger, scores=scores, runner=runner,
                           usd_per_hour=3.6, progress=silent)  # fmt: skip
    inside, most = [], []
    run = runner.run

    def watched(arm, benchmark, items):
        results = run(arm, benchmark, items)
        while True:
            inside.append(arm.name)
            most.append(len(inside))
            result = next(results, None)
            inside.remove(arm.name)
            if result is None:
                return
            yield result

    monkeypatch.setattr(runner, "run", watched)
    result = herd_runner.run(plan, approval, deps)
    assert result.failed == {}
    assert max(most) == 2
    assert result.stopped is None
    assert max(accumulate(line.usd for line in ledger.entries("r"))) <= plan.cap_usd
    assert {one.model: one.n for one in result.measurements} == {"o/a": 24, "o/b": 24, CONSTANT: 24}
    runner.close()
    ledger.close()
    scores.close()


def test_without_a_cluster_the_setting_is_named():
    for wrong in ("127.0.0.1:9", "nonsense", "host:port"):
        with pytest.raises(BadRequest, match=f"No Ray cluster .* MIRROR_RAY_ADDRESS={wrong}: "):
            _ = RayExecutor(wrong, dict).at_once


def test_the_setting_chooses():
    here = Settings(_env_file=None)
    assert isinstance(wiring.executor(here), LocalExecutor)
    there = wiring.executor(here.model_copy(update={"ray_address": "head:6379"}))
    assert isinstance(there, RayExecutor)
    assert there.elsewhere
    assert not RayExecutor("local", worker_environment).elsewhere


def test_ray_is_not_imported_unless_it_is_named():
    code = "import sys, agent.wiring; sys.exit('ray' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
