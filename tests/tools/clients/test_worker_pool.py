"""One process an arm, as many as fit, and nothing half-loaded."""

import sys

import pytest

from tools.clients.worker_pool import PROCESS_BYTES, WorkerPool

IDLE = 'import sys\nfor line in sys.stdin:\n    print(\'{"event": "done"}\', flush=True)'


@pytest.fixture
def pool(tmp_path):
    made = WorkerPool((sys.executable, "-c", IDLE), {}, tmp_path, room=2 * PROCESS_BYTES + 100)
    yield made
    made.close()


def nothing(worker):
    pass


def fail(worker):
    raise RuntimeError("no such weights")


def test_an_arm_keeps_its_worker(pool):
    first, second = pool.get("a", 10, nothing), pool.get("b", 10, nothing)
    assert first is not second
    assert pool.get("a", 10, fail) is first
    assert pool.get("b", 10, fail) is second


def test_the_least_recently_used_makes_room(pool):
    a, b = pool.get("a", 10, nothing), pool.get("b", 10, nothing)
    pool.get("a", 10, fail)
    pool.get("c", 10, nothing)
    assert a.alive
    assert not b.alive


def test_an_arm_larger_than_the_room_is_alone(pool):
    a = pool.get("a", 10, nothing)
    huge = pool.get("huge", 10**13, nothing)
    assert huge.alive
    assert not a.alive


def test_a_dead_worker_is_replaced(pool):
    first = pool.get("a", 10, nothing)
    first.kill()
    assert pool.get("a", 10, nothing) is not first


def test_what_could_not_be_loaded_leaves_no_process(pool):
    seen = []

    def load(worker):
        seen.append(worker)
        raise RuntimeError("no such weights")

    with pytest.raises(RuntimeError, match="no such weights"):
        pool.get("a", 10, load)
    assert not seen[0].alive
    assert pool.get("a", 10, nothing).alive


def test_each_arm_has_a_log_of_its_own(pool, tmp_path):
    pool.get("org/name @ Q4_1 GGUF", 10, nothing)
    assert [path.name for path in tmp_path.iterdir()] == ["lm-eval-org-name-Q4_1-GGUF.log"]
