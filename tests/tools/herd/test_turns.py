"""Threads that take turns: never two at once, but while one waits; nobody is left behind."""

import contextvars
import signal
import threading
import time

import pytest

from tools.herd.turns import Turns


def never():
    raise AssertionError("nothing is to be abandoned")


@pytest.mark.parametrize("at_once", [1, 4])
def test_only_one_goes_on_at_a_time_and_everything_is_done(at_once):
    turns, inside, seen = Turns(), [], []

    def piece(n):
        for _ in range(50):
            inside.append(n)
            assert inside == [n]
            inside.remove(n)
            with turns.elsewhere():
                time.sleep(0)
        seen.append(n)

    with turns:
        turns.each([lambda n=n: piece(n) for n in range(6)], at_once, never)
    assert sorted(seen) == list(range(6))


def test_they_wait_together_but_no_more_than_may():
    turns, waiting, most = Turns(), [], []

    def piece():
        with turns.elsewhere():
            waiting.append(1)
            time.sleep(0.05)
            most.append(len(waiting))
            waiting.pop()

    with turns:
        turns.each([piece] * 6, 3, never)
    assert max(most) == 3


def test_context_goes_along():
    """LangGraph finds the stream of the running node by its context."""
    turns, variable, seen = Turns(), contextvars.ContextVar("variable"), []
    variable.set("of the caller")
    with turns:
        turns.each([lambda: seen.append(variable.get())] * 2, 2, never)
    assert seen == ["of the caller"] * 2


@pytest.mark.parametrize("how", ["error", "interrupt"])
def test_what_breaks_one_ends_those_that_wait(how):
    turns, free, ended = Turns(), threading.Event(), []
    before = threading.active_count()

    def waits():
        with turns.elsewhere():
            assert free.wait(10)
        ended.append(1)

    def breaks():
        with turns.elsewhere():
            time.sleep(0.1)
        if how == "error":
            raise KeyError("a bug of ours")
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    with turns, pytest.raises(KeyError if how == "error" else KeyboardInterrupt):
        turns.each([waits, waits, breaks, waits, waits], 3, free.set)
    assert 2 <= len(ended) <= 4
    assert threading.active_count() == before
