"""One process an arm, as many as fit, and nothing half-loaded."""

import sys

import pytest

from tools.clients.executors.executor import PROCESS_BYTES, LocalExecutor
from tools.clients.executors.worker_pool import WorkerPool

IDLE = 'import sys\nfor line in sys.stdin:\n    print(\'{"event": "done"}\', flush=True)'


@pytest.fixture
def pool(tmp_path):
    room = 2 * PROCESS_BYTES + 100
    executor = LocalExecutor(sys.executable, {}, arguments=("-c", IDLE), room=room)
    made = WorkerPool(executor, tmp_path)
    yield made
    made.close()


def nothing(worker):
    pass


def fail(worker):
    raise RuntimeError("no such weights")


def used(pool, name, weights=10, load=nothing):
    """The arm's worker, lent and given back."""
    with pool.lend(name, weights, load) as worker:
        return worker


def test_an_arm_keeps_its_worker(pool):
    first, second = used(pool, "a"), used(pool, "b")
    assert first is not second
    assert used(pool, "a", load=fail) is first
    assert used(pool, "b", load=fail) is second


def test_the_least_recently_used_makes_room(pool):
    a, b = used(pool, "a"), used(pool, "b")
    used(pool, "a", load=fail)
    used(pool, "c")
    assert a.alive
    assert not b.alive


def test_one_in_use_does_not_make_room_until_it_is_given_back(pool):
    with pool.lend("a", 10, nothing) as a:
        b = used(pool, "b")
        with pool.lend("c", 10, nothing):
            assert a.alive
            assert not b.alive
            with pool.lend("d", 10, nothing) as d:
                assert a.alive
                assert d.alive
            assert not d.alive  # three are one too many
    assert used(pool, "a", load=fail) is a


def test_an_arm_larger_than_the_room_is_alone(pool):
    a = used(pool, "a")
    huge = used(pool, "huge", weights=10**13)
    assert huge.alive
    assert not a.alive


def test_a_dead_worker_is_replaced(pool):
    first = used(pool, "a")
    first.kill()
    assert used(pool, "a") is not first


def test_what_could_not_be_loaded_leaves_no_process(pool):
    seen = []

    def load(worker):
        seen.append(worker)
        raise RuntimeError("no such weights")

    with pytest.raises(RuntimeError, match="no such weights"):
        used(pool, "a", load=load)
    assert not seen[0].alive
    assert used(pool, "a").alive


def test_closing_ends_those_in_use_too(pool):
    with pool.lend("a", 10, nothing) as a:
        pool.close()
        assert not a.alive
    assert used(pool, "a").alive


def test_each_arm_has_a_log_of_its_own(pool, tmp_path):
    used(pool, "org/name @ Q4_1 GGUF")
    assert [path.name for path in tmp_path.iterdir()] == ["lm-eval-org-name-Q4_1-GGUF.log"]
