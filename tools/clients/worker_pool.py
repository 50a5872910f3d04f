"""Evaluation processes, one an arm: a crash, a hang or a leak of one candidate stays its own.

A race goes from arm to arm in rounds, so those that fit into memory together stay loaded; the
one that was used least recently makes room for the next.
"""

from __future__ import annotations

import os
import re
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tools.clients.lm_eval_process import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

SHARE = 0.6
"""Of this machine's memory, for all processes together."""

PROCESS_BYTES = 1_200_000_000
"""What a process needs beside its weights: the interpreter, torch and lm-eval."""


@dataclass(frozen=True)
class _Held:
    worker: WorkerProcess
    bytes: int


class WorkerPool:
    """Workers by arm name, made when they are asked for."""

    def __init__(
        self,
        command: Sequence[str],
        env: Mapping[str, str],
        logs: Path,
        room: int | None = None,
    ) -> None:
        """Nothing starts yet. ``room`` in bytes; None: ``SHARE`` of this machine's memory."""
        self._command = command
        self._env = env
        self._logs = logs
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        self._room = int(SHARE * memory) if room is None else room
        self._held: OrderedDict[str, _Held] = OrderedDict()

    def get(self, name: str, weights: int, load: Callable[[WorkerProcess], None]) -> WorkerProcess:
        """The worker of arm ``name``; a new one is readied with ``load``.

        ``weights``: bytes it holds beside the process itself. One arm always has a worker,
        however large. Raises what ``load`` raises; no half-loaded worker stays behind.
        """
        held = self._held.get(name)
        if held is not None and held.worker.alive:
            self._held.move_to_end(name)
            return held.worker
        self.drop(name)
        need = weights + PROCESS_BYTES
        while self._held and self._used + need > self._room:
            self.drop(next(iter(self._held)))
        slug = re.sub(r"[^\w.-]+", "-", name).strip("-")
        worker = WorkerProcess(self._command, self._env, self._logs / f"lm-eval-{slug}.log")
        try:
            load(worker)
        except BaseException:
            worker.kill()
            raise
        self._held[name] = _Held(worker, need)
        return worker

    def drop(self, name: str) -> None:
        """End the worker of an arm, if it has one."""
        if (held := self._held.pop(name, None)) is not None:
            held.worker.kill()

    def close(self) -> None:
        """End all of them; the next ``get`` starts another."""
        for name in list(self._held):
            self.drop(name)

    @property
    def _used(self) -> int:
        return sum(held.bytes for held in self._held.values())
