"""Evaluation workers, one an arm: a crash, a hang or a leak of one candidate stays its own.

A race goes from arm to arm in rounds, so those that fit together stay loaded; the one that was
used least recently, and that nobody is using, makes room for the next.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tools.clients.executors.executor import EvaluationWorker, Executor


@dataclass
class _Held:
    worker: EvaluationWorker
    size: float
    lent: bool = True


class WorkerPool:
    """Workers by arm name, made when they are asked for. Several threads may use it."""

    def __init__(self, executor: Executor, logs: Path) -> None:
        """Nothing starts yet. Each arm's log is a file of ``logs``."""
        self._executor = executor
        self._logs = logs
        self._lock = threading.RLock()
        self._held: OrderedDict[str, _Held] = OrderedDict()

    @contextmanager
    def lend(
        self, name: str, weights: int, load: Callable[[EvaluationWorker], None]
    ) -> Iterator[EvaluationWorker]:
        """The worker of arm ``name``, readied with ``load`` when it is new, until it is given back.

        ``weights``: bytes it holds beside the process itself. One arm always has a worker,
        however large. Raises what ``load`` raises; no half-loaded worker stays behind.
        """
        held, new = self._take(name, weights)
        try:
            if new:
                self._load(name, held, load)
            yield held.worker
        finally:
            self._give_back(name, held)

    def close(self) -> None:
        """End all of them, in use or not; the next ``lend`` starts another."""
        with self._lock:
            for name in list(self._held):
                self._drop(name)

    def _take(self, name: str, weights: int) -> tuple[_Held, bool]:
        with self._lock:
            held = self._held.get(name)
            if held is not None and held.worker.alive:
                self._held.move_to_end(name)
                held.lent = True
                return held, False
            self._drop(name)
            size = self._executor.size(weights)
            self._make_room(size)
            slug = re.sub(r"[^\w.-]+", "-", name).strip("-")
            worker = self._executor.start(self._logs / f"lm-eval-{slug}.log", weights)
            self._held[name] = held = _Held(worker, size)
            return held, True

    def _load(self, name: str, held: _Held, load: Callable[[EvaluationWorker], None]) -> None:
        try:
            load(held.worker)
        except BaseException:
            held.worker.kill()
            with self._lock:
                if self._held.get(name) is held:
                    del self._held[name]
            raise

    def _give_back(self, name: str, held: _Held) -> None:
        """Where several arms were in use at once and too large together, the first goes."""
        with self._lock:
            held.lent = False
            crowded = len(self._held) > 1 and self._used > self._executor.room
            if crowded and self._held.get(name) is held:
                self._drop(name)

    def _make_room(self, size: float) -> None:
        while self._used + size > self._executor.room:
            idle = next((name for name, held in self._held.items() if not held.lent), None)
            if idle is None:
                return
            self._drop(idle)

    def _drop(self, name: str) -> None:
        if (held := self._held.pop(name, None)) is not None:
            held.worker.kill()

    @property
    def _used(self) -> float:
        return sum(held.size for held in self._held.values())
